//! A meeting that somebody misses.

use std::future::pending;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{Barrier, mpsc};

use super::{Leak, in_this_file, leak};

pub(super) fn all() -> impl Iterator<Item = Leak> {
    in_this_file!(
        "barriers.rs",
        [
            leak!(a_barrier_expects_one_more, "class: wait group", 2),
            leak!(a_barrier_is_used_again_by_some, "class: wait group", 1),
            leak!(a_wait_group_member_keeps_its_clone, "tokio-rs/mini-redis#45", 1),
            leak!(joins_a_call_that_never_ends, "linkerd/linkerd2-proxy#463", 1),
        ]
    )
}

async fn a_barrier_expects_one_more() {
    let start = Arc::new(Barrier::new(3));
    for _ in 0..2 {
        let start = Arc::clone(&start);
        tokio::spawn(async move { start.wait().await }); // LEAK x2
    }
}

/// The first round lets both go on. One of them asks for a second round.
async fn a_barrier_is_used_again_by_some() {
    let rounds = Arc::new(Barrier::new(2));
    let eager = Arc::clone(&rounds);
    let two_rounds = async move {
        eager.wait().await;
        eager.wait().await;
    };
    tokio::spawn(two_rounds); // LEAK
    rounds.wait().await;
}

/// The drain waits until every clone is gone, and it holds one itself.
async fn a_wait_group_member_keeps_its_clone() {
    let (done, mut all_done) = mpsc::channel::<()>(1);
    let connection = done.clone();
    tokio::spawn(async move { drop(connection) });
    let shutdown = async move {
        assert!(all_done.recv().await.is_none(), "nobody sends");
        drop(done);
    };
    tokio::spawn(shutdown); // LEAK
}

async fn joins_a_call_that_never_ends() {
    let operators = (0..3).map(|operator| async move {
        if operator == 1 {
            pending::<()>().await;
        }
    });
    let operators: Vec<_> = operators.collect();
    tokio::spawn(join_all(operators)); // LEAK
}
