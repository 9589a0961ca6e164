//! A service starts a task for each request and keeps what the task waits for.
//!
//! Run it: `cargo run --bin unnamed-leak`
//!
//! You will see one task more after every request, and none of them ever again at work.

use std::{
    collections::HashMap,
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
    /// By request: a sender ends its request's task when it is used or dropped.
    endings: Mutex<HashMap<u64, oneshot::Sender<()>>>,
}

impl Service {
    async fn handle(&self, request: u64) -> anyhow::Result<()> {
        let (ending, ended) = oneshot::channel();
        tokio::spawn(async move {
            // An error means that the request is over.
            let _ = ended.await;
        });
        // LEAK: nobody takes out what is kept, so the task waits.
        self.endings.lock().unwrap().insert(request, ending);
        Ok(())
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    #[should_panic(
        expected = "20 tasks spawned at scenarios/unnamed/leak.rs"
    )]
    async fn a_request_leaves_no_task_behind() {
        let service = Service::default();
        let requests = leakcheck::scope();
        for request in 0..20 {
            service.handle(request).await.unwrap();
        }
        // The service lives on, and only the requests are over.
        requests.assert().await;
    }
    // ANCHOR_END: guard
}
