//! A service starts a task for each request and keeps what the task waits for.
//!
//! Run it: `cargo run --bin unnamed-leak`
//!
//! You will see one task more after every request, and none of them ever again at work.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let service = Arc::new(Service::default());
        stage.load(async |n| service.handle(n).await).await;
        Ok(service)
    })
}

// ANCHOR: service
#[derive(Default)]
struct Service {
    /// Each ends one request's task, when used or dropped.
    endings: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Service {
    async fn handle(&self, _request: u64) -> anyhow::Result<()> {
        let (ending, ended) = oneshot::channel();
        tokio::spawn(async move {
            // An error means that the request is over.
            let _ = ended.await;
        });
        // LEAK: nobody uses or drops what is kept, so the task waits.
        self.endings.lock().unwrap().push(ending);
        Ok(())
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "tasks left")]
    async fn a_request_leaves_no_task_behind() {
        let service = Service::default();
        for request in 0..20 {
            service.handle(request).await.unwrap();
        }
        // Paused time: a minute passes as soon as all are idle.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let metrics = tokio::runtime::Handle::current().metrics();
        assert_eq!(metrics.num_alive_tasks(), 0, "tasks left");
    }
    // ANCHOR_END: guard
}
