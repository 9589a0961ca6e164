//! Attributes in an order that cannot work. It does not compile: `orders` builds it, and compares each error with the comment at
//! its line.

mod rstest_below {
    #[leakcheck::test]
    #[rstest::rstest] // ERROR: put `#[rstest::rstest]` above `#[leakcheck::test]`: it makes tests of what is below it
    #[case(1)]
    async fn test(#[case] number: u32) {
        assert!(number > 0);
    }
}

mod test_case_below {
    use test_case::test_case;

    #[leakcheck::test]
    #[test_case(1)] // ERROR: put `#[test_case]` above `#[leakcheck::test]`: it makes tests of what is below it
    async fn test(number: u32) {
        assert!(number > 0);
    }
}

mod test_context_below {
    #[leakcheck::test]
    #[test_context::test_context(u32)] // ERROR: put `#[test_context::test_context]` above `#[leakcheck::test]`: it makes tests of what is below it
    async fn test(number: &mut u32) {
        assert!(*number > 0);
    }
}

mod gtest_below {
    #[leakcheck::test]
    #[googletest::gtest] // ERROR: put `#[googletest::gtest]` above `#[leakcheck::test]`: it makes tests of what is below it
    async fn test() {}
}

mod test_log_below {
    #[leakcheck::test]
    #[test_log::test] // ERROR: write `#[test_log::test(leakcheck::test)]` instead of both
    async fn test() {}
}

mod test_log_above {
    #[test_log::test] // ERROR: an attribute above has made a test of the function already: remove that attribute, or let it call this one, as in `#[test_log::test(leakcheck::test)]`
    #[leakcheck::test]
    async fn test() {}
}

mod tokio_above {
    #[tokio::test] // ERROR: an attribute above has made a test of the function already: remove that attribute, or let it call this one, as in `#[test_log::test(leakcheck::test)]`
    #[leakcheck::test]
    async fn test() {
        tokio::task::yield_now().await;
    }
}

mod tokio_below {
    #[leakcheck::test]
    #[tokio::test] // ERROR: a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
    async fn test() {}
}

mod twice {
    #[leakcheck::test]
    #[leakcheck::test] // ERROR: a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
    async fn test() {}
}

mod plain_test_below {
    #[leakcheck::test]
    #[test] // ERROR: a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
    async fn test() {}
}

mod plain_test_above {
    #[test]
    #[leakcheck::test]
    async fn test() {} // ERROR: async functions cannot be used for tests
}

mod sqlx_below {
    #[leakcheck::test]
    #[sqlx::test] // ERROR: `#[sqlx::test]` builds a runtime that cannot be checked: remove `#[leakcheck::test]`, and run the body in `leakcheck::Checker::current_thread().assert(move || async move { … })`
    async fn test(pool: sqlx::SqlitePool) {
        drop(pool);
    }
}

mod actix_below {
    #[leakcheck::test]
    #[actix_web::test] // ERROR: remove `#[actix_web::test]`, and write `#[leakcheck::test(flavor = "local")]`
    async fn test() {}
}

mod main_below {
    #[leakcheck::test]
    #[tokio::main] // ERROR: `#[tokio::main]` builds a runtime of its own: remove it
    async fn test() {}
}

mod parameters {
    #[leakcheck::test]
    async fn test(number: u32) { // ERROR: a test takes no parameters: make the values in its body
        assert!(number > 0);
    }
}
