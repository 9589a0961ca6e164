//! A service starts a task for each request and ends it with the request.
//!
//! Run it: `cargo run --bin unnamed-fix`
//!
//! You will see the count come back to where it started.

use std::{process::ExitCode, sync::Arc};

use tokio::sync::oneshot;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let service = Arc::new(Service);
        stage.load(async |n| service.handle(n).await).await;
        Ok(service)
    })
}

// ANCHOR: service
struct Service;

impl Service {
    async fn handle(&self, _request: u64) -> anyhow::Result<()> {
        let (ending, ended) = oneshot::channel::<()>();
        tokio::spawn(async move {
            // An error means that the request is over.
            let _ = ended.await;
        });
        // FIX: the sender ends here, and with it the task's wait.
        drop(ending);
        Ok(())
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn a_request_leaves_no_task_behind() {
        let service = Service;
        let requests = leakcheck::scope();
        for request in 0..20 {
            service.handle(request).await.unwrap();
        }
        // The service lives on, and only the requests are over.
        requests.assert().await;
    }
    // ANCHOR_END: guard
}
