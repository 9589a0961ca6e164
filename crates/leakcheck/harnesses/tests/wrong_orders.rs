//! Attributes in an order that cannot work. It does not compile: `orders` builds it. Above each module is what has to be said of it.

// put `#[rstest::rstest]` above `#[leakcheck::test]`: it makes tests of what is below it
mod rstest_below {
    #[leakcheck::test]
    #[rstest::rstest]
    #[case(1)]
    async fn test(#[case] number: u32) {
        assert!(number > 0);
    }
}

// put `#[test_case]` above `#[leakcheck::test]`: it makes tests of what is below it
mod test_case_below {
    use test_case::test_case;

    #[leakcheck::test]
    #[test_case(1)]
    async fn test(number: u32) {
        assert!(number > 0);
    }
}

// put `#[test_context::test_context]` above `#[leakcheck::test]`: it makes tests of what is below it
mod test_context_below {
    #[leakcheck::test]
    #[test_context::test_context(u32)]
    async fn test(number: &mut u32) {
        assert!(*number > 0);
    }
}

// put `#[googletest::gtest]` above `#[leakcheck::test]`: it makes tests of what is below it
mod gtest_below {
    #[leakcheck::test]
    #[googletest::gtest]
    async fn test() {}
}

// write `#[test_log::test(leakcheck::test)]` instead of both
mod test_log_below {
    #[leakcheck::test]
    #[test_log::test]
    async fn test() {}
}

// an attribute above has made a test of the function already: remove that attribute, or let it call this one, as in `#[test_log::test(leakcheck::test)]`
mod test_log_above {
    #[test_log::test]
    #[leakcheck::test]
    async fn test() {}
}

// an attribute above has made a test of the function already: remove that attribute, or let it call this one, as in `#[test_log::test(leakcheck::test)]`
mod tokio_above {
    #[tokio::test]
    #[leakcheck::test]
    async fn test() {
        tokio::task::yield_now().await;
    }
}

// a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
mod tokio_below {
    #[leakcheck::test]
    #[tokio::test]
    async fn test() {}
}

// a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
mod twice {
    #[leakcheck::test]
    #[leakcheck::test]
    async fn test() {}
}

// a second test attribute: remove it, `#[leakcheck::test]` makes the function a test already
mod plain_test_below {
    #[leakcheck::test]
    #[test]
    async fn test() {}
}

// async functions cannot be used for tests
mod plain_test_above {
    #[test]
    #[leakcheck::test]
    async fn test() {}
}

// `#[sqlx::test]` builds a runtime that cannot be checked: remove `#[leakcheck::test]`, and run the body in `leakcheck::Checker::current_thread().assert(move || async move { … })`
mod sqlx_below {
    #[leakcheck::test]
    #[sqlx::test]
    async fn test(pool: sqlx::SqlitePool) {
        drop(pool);
    }
}

// remove `#[actix_web::test]`, and write `#[leakcheck::test(flavor = "local")]`
mod actix_below {
    #[leakcheck::test]
    #[actix_web::test]
    async fn test() {}
}

// `#[tokio::main]` builds a runtime of its own: remove it
mod main_below {
    #[leakcheck::test]
    #[tokio::main]
    async fn test() {}
}

// a test takes no parameters: make the values in its body
mod parameters {
    #[leakcheck::test]
    async fn test(number: u32) {
        assert!(number > 0);
    }
}
