//! What may still end the tasks that are left.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use tokio::runtime::Handle;

use crate::{
    lock::lock,
    outside::{self, Outside},
    probe::{self, Activity},
    registry::Registry,
};

/// How long the probe's thread waits before a look, so that a runtime with nothing to do has come to rest.
const REST: Duration = Duration::from_millis(2);

/// What may still end a runtime's tasks.
pub(crate) struct Prospect {
    pub(crate) activity: Activity,
    pub(crate) outside: Vec<Outside>,
    /// What may act, and may as well have nothing to do with these tasks.
    pub(crate) strangers: Vec<Outside>,
}

/// Looks from a thread of its own, since the caller's thread may be one of those looked at. `idle` is the number of idle
/// threads of the blocking pool: each of them waits with a limit, and ends no task when the limit is reached.
pub(crate) async fn look_ahead(registry: Arc<Registry>, handle: Handle, idle: usize, within: Duration) -> Prospect {
    let answer: Arc<Mutex<(Option<Prospect>, Option<Waker>)>> = Arc::default();
    let shared = answer.clone();
    let started = thread::Builder::new().name("leakcheck-probe".into()).spawn(move || {
        let mut activity = Activity::Waiting;
        for _ in 0..2 {
            thread::sleep(REST);
            if activity == Activity::Waiting {
                activity = probe::look(&registry.threads, idle, within);
            }
        }
        let outside = outside::look(&handle, &registry.threads, idle);
        let strangers = outside::strangers(&registry.threads);
        let mut answer = lock(&shared);
        answer.0 = Some(Prospect { activity, outside, strangers });
        answer.1.take().into_iter().for_each(Waker::wake);
    });
    if started.is_err() {
        return Prospect { activity: Activity::Unknown, outside: Vec::new(), strangers: Vec::new() };
    }
    poll_fn(|cx| {
        let mut answer = lock(&answer);
        answer.1 = Some(cx.waker().clone());
        answer.0.take().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
