use std::{future::pending, rc::Rc};

use harnesses::{run_ignored, spawned_at};
use tokio::task::{LocalSet, spawn_local};

#[leakcheck::test(flavor = "local")]
async fn what_ends_is_clean() {
    let kept = Rc::new(1);
    LocalSet::new().run_until(async move { spawn_local(async move { *kept }).await.unwrap() }).await;
}

/// The blind spot: no hook is called for what a method of the set spawns.
#[leakcheck::test(flavor = "local")]
async fn a_method_of_the_set_is_not_seen() {
    let set = LocalSet::new();
    set.spawn_local(pending::<()>());
    set.run_until(tokio::task::yield_now()).await;
    std::mem::forget(set);
}

mod must_fail {
    use super::*;

    #[leakcheck::test(flavor = "local")]
    #[ignore = "fails on purpose"]
    async fn inside_a_local_set() {
        let set = LocalSet::new();
        set.run_until(async {
            spawn_local(pending::<()>()); // LEAK: in a set
        })
        .await;
    }
}

#[test]
fn a_leak_inside_a_local_set_is_reported() {
    let run = run_ignored("local_set::must_fail");
    run.counts(0, 1);
    run.says("local_set::must_fail::inside_a_local_set", &["leak: 1 task left\n", &spawned_at!("in a set")]);
}
