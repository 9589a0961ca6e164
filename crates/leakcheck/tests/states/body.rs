//! A limit is not a leak, and a body that keeps its thread is told from one that awaits.

use std::{future::pending, sync::Mutex, thread, time::Duration};

use leakcheck::{Checker, Doing, Growth};
use tokio::{
    sync::{mpsc, oneshot},
    task::{block_in_place, yield_now},
    time::sleep,
};

use super::{DEADLINE, block, both, doing, overdue, sum};

#[test]
fn a_slow_body_is_overdue_and_no_leak() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| async { sleep(Duration::from_secs(60)).await });
        assert_eq!((doing(&found.report), overdue(&found.report).deadline), (Doing::Waits, DEADLINE));
        assert!(!found.report.is_clean(), "it fails all the same");
        let text = found.report.to_string();
        let wanted =
            "overdue: the test's body had not returned after 600 ms (`deadline` gives more)\n  the body waits: ";
        assert!(text.starts_with(wanted), "{text}");
        assert!(!text.contains("leak") && !text.contains("never"), "{text}");
        let json = found.report.to_json();
        assert!(json.contains(r#""overdue":{"deadline_ms":600,"doing":"waits","polls":"#), "{json}");
        assert!(!json.contains("never returned"), "{json}");
    }
}

#[test]
fn tasks_that_live_at_the_deadline_are_no_leak_either() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| async {
            let parked = tokio::spawn(pending::<()>());
            parked.await.unwrap();
        });
        let text = found.report.to_string();
        assert!(text.starts_with("overdue: ") && text.contains("gives more), 1 task alive\n"), "{text}");
        assert!(!text.contains("leak:") && text.contains(": parked; "), "{text}");
    }
}

#[test]
fn a_body_that_awaits_is_told_with_its_polls() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| async {
            for _ in 0..5 {
                yield_now().await;
            }
            pending::<()>().await;
        });
        let overdue = overdue(&found.report);
        assert_eq!(overdue.doing, Doing::Waits, "{}", found.report);
        assert!((6..20).contains(&overdue.polls), "six polls, and perhaps one for nothing: {}", found.report);
        assert!(overdue.last_poll < DEADLINE, "{}", found.report);
    }
}

#[test]
fn a_body_that_goes_round_and_yields_goes_on() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| async {
            loop {
                yield_now().await;
            }
        });
        let overdue = overdue(&found.report);
        assert_eq!(overdue.doing, Doing::GoesOn, "{}", found.report);
        assert!(found.report.to_string().contains("\n  the body goes on: it was polled "), "{}", found.report);
    }
}

/// The body's thread stays, so the body must not be what the test waits for.
#[test]
fn a_body_that_blocks_its_thread_is_told_so() {
    static LOCK: Mutex<()> = Mutex::new(());
    let held = LOCK.lock().unwrap();
    for checker in both(1) {
        let locks = checker.clone().deadline(DEADLINE).find(|| async { drop(LOCK.lock()) });
        let joins = checker.clone().deadline(DEADLINE).find(|| async {
            yield_now().await;
            thread::spawn(block).join().unwrap();
        });
        let sleeps = checker.deadline(DEADLINE).find(|| async { thread::sleep(Duration::from_secs(5)) });
        for (report, polls) in [(locks.report, 1), (joins.report, 2), (sleeps.report, 1)] {
            assert_eq!((doing(&report), overdue(&report).polls), (Doing::Blocks, polls), "{report}");
            let text = report.to_string();
            assert!(text.contains("\n  the body blocks its thread: it has been in one poll for "), "{text}");
        }
    }
    drop(held);
}

#[test]
fn how_long_the_body_blocks_is_said() {
    let found = Checker::current_thread().deadline(Duration::from_millis(1_600)).find(|| async { block() });
    let text = found.report.to_string();
    // On a busy machine the second look may come late.
    assert!(text.contains("the body blocks its thread: it has been in one poll for "), "{text}");
    assert!(!text.contains("for under 1 s"), "{text}");
    assert!(overdue(&found.report).in_poll >= Duration::from_millis(1_500), "{text}");
}

#[test]
fn a_body_in_block_in_place_blocks_its_own_thread() {
    let found = Checker::multi_thread(2).deadline(DEADLINE).find(|| async { block_in_place(block) });
    assert_eq!(doing(&found.report), Doing::Blocks, "{}", found.report);
}

/// Not one poll: the thread stands in the closure that would make the future.
#[test]
fn a_closure_that_makes_no_body_is_told_from_a_body() {
    for checker in both(1) {
        let found = checker.deadline(DEADLINE).find(|| {
            block();
            pending::<()>()
        });
        assert_eq!((doing(&found.report), overdue(&found.report).polls), (Doing::Blocks, 0), "{}", found.report);
        let text = found.report.to_string();
        assert!(text.contains("\n  the closure that makes the body blocks its thread\n"), "{text}");
    }
}

#[test]
fn a_body_whose_thread_a_task_keeps_starves_where_it_has_no_thread_of_its_own() {
    for (checker, wanted) in both(2).into_iter().zip([Doing::Starves, Doing::Waits]) {
        let found = checker.deadline(DEADLINE).find(|| async {
            tokio::spawn(async { block() }).await.unwrap();
        });
        assert_eq!(doing(&found.report), wanted, "{}", found.report);
        assert_eq!(sum(&found.report, |group| group.never_yields), 1, "{}", found.report);
    }
}

/// opentelemetry-rust#3176: the body blocks the one thread that would answer.
#[test]
fn a_task_that_would_answer_a_body_that_blocks_is_starved_and_not_parked() {
    let found = Checker::current_thread().deadline(DEADLINE).find(|| async {
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<()>>(1);
        tokio::spawn(async move {
            while let Some(done) = asked.recv().await {
                done.send(()).unwrap_or_default();
            }
        });
        // The task gets to its line, so it is no new one.
        yield_now().await;
        let (done, is_done) = oneshot::channel();
        ask.try_send(done).unwrap();
        is_done.blocking_recv_outside();
    });
    assert_eq!(doing(&found.report), Doing::Blocks, "{}", found.report);
    assert_eq!(sum(&found.report, |group| group.starved), 1, "{}", found.report);
    assert!(found.report.to_string().contains(": woken but starved; "), "{}", found.report);
}

#[test]
fn growth_calls_a_limit_a_limit() {
    let found = Growth::of(2).on(Checker::current_thread().deadline(DEADLINE)).find(|operations| async move {
        if operations > 2 {
            pending::<()>().await;
        }
    });
    let wanted = "overdue, with 8 operations: the test's body had not returned after 600 ms (`deadline` gives more)\n";
    assert!(found.to_string().starts_with(wanted), "{found}");
    assert!(found.is_leak(), "a growth that is not known must not pass");
}

trait Outside {
    fn blocking_recv_outside(self);
}

impl Outside for oneshot::Receiver<()> {
    /// As `futures::executor::block_on` does, which tokio does not notice.
    fn blocking_recv_outside(self) {
        struct Thread(thread::Thread);
        impl std::task::Wake for Thread {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = std::sync::Arc::new(Thread(thread::current())).into();
        let mut receiver = std::pin::pin!(self);
        while receiver.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending() {
            thread::park();
        }
    }
}
