//! Another service: it must know every Envoy, and it is down for a while.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use tonic::Status;
use xds::{LISTENER, Request};

/// The control plane waits no longer for the inventory.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// Another service, which writes down who asks for what. While it is down it refuses as many requests as there are units of work,
/// and lets the others wait.
pub(crate) struct Inventory {
    /// The world sends, requests that wait receive; it ends with the inventory.
    up: watch::Sender<bool>,
    to_refuse: Semaphore,
    pub(crate) refused: Semaphore,
    /// Listeners that Envoys accepted. Requests send, the world receives.
    pub(crate) accepted: watch::Sender<u64>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            up: watch::Sender::new(true),
            to_refuse: Semaphore::new(0),
            refused: Semaphore::new(0),
            accepted: watch::Sender::new(0),
        }
    }
}

impl Inventory {
    /// Writes a request down.
    pub(crate) async fn note(
        &self,
        request: &Request,
    ) -> Result<(), Status> {
        let mut up = self.up.subscribe();
        tokio::select! {
            biased;
            () = async { drop(up.wait_for(|up| *up).await) } => {}
            Ok(permit) = self.to_refuse.acquire() => {
                permit.forget();
                sleep(WAIT_MAX).await;
                self.refused.add_permits(1);
                return Err(Status::unavailable("the inventory does not answer"));
            }
        }
        let accepts = !request.response_nonce.is_empty()
            && request.error_detail.is_none();
        if accepts && request.type_url == LISTENER {
            self.accepted.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Goes down, and refuses so many.
    pub(crate) fn fail(&self, refusals: usize) {
        self.up.send_replace(false);
        self.to_refuse.add_permits(refusals);
    }

    /// Is back.
    pub(crate) fn recover(&self) {
        self.up.send_replace(true);
    }

    /// Refuses one more.
    pub(crate) fn refuse(&self) {
        self.to_refuse.add_permits(1)
    }
}
