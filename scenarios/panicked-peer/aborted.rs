//! A chapter that is aborted breaks its promise, even one that was never polled: the promise is older than the task.

use super::*;

async fn abort_first(polled: bool) {
    let report = Arc::new(Report::of(Arc::default(), 0));
    let mut chapters = JoinSet::new();
    let mut start = |chapter| {
        let promise = report.broken.clone().drop_guard();
        chapters.spawn(report.clone().set(chapter, promise))
    };
    let first = start(0);
    if polled {
        tokio::task::yield_now().await;
    }
    first.abort();
    (1..CHAPTERS).map(start).for_each(drop);
    let mut cancelled = 0;
    while let Some(end) = chapters.join_next().await {
        cancelled +=
            usize::from(end.is_err_and(|e| e.is_cancelled()));
    }
    assert_eq!((cancelled, count(&report.desk.printed)), (1, 0));
}

#[leakcheck::test(start_paused = true)]
async fn an_aborted_chapter_ends_the_others() {
    abort_first(true).await;
    abort_first(false).await;
}
