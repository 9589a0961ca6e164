//! Harnesses whose attributes stand beside `#[leakcheck::test]`.

mod googletest;
mod insta;
mod ntest;
mod proptest;
mod rstest;
mod serial_test;
mod test_case;
mod test_context;
