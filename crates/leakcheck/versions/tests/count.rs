//! What is left of the promises without the flag: the number.
#![cfg(feature = "count-only")]

use leakcheck::Checker;

#[test]
fn tasks_are_counted() {
    for checker in [Checker::current_thread(), Checker::multi_thread(2)] {
        let found = checker.find(|| async { drop(tokio::spawn(std::future::pending::<()>())) }).report;
        assert_eq!(found.tasks(), 1, "{found}");
    }
    Checker::current_thread().assert(|| async { tokio::spawn(async {}).await.unwrap() });
}
