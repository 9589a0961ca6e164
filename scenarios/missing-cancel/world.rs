//! The outside world: callers with little patience, a warehouse with slow hands, and hauliers that seldom bid.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

/// A caller hangs up when half of the work is done and this long has passed.
const PATIENCE: Duration = Duration::from_millis(500);

/// A caller with a near order asks this often before it complains.
const ASKS_MAX: usize = 8;

/// What a caller asks for. It is near, or so far that no haulier bids on it today.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) id: u64,
    call: Option<Arc<Call>>,
}

#[derive(Debug)]
pub(crate) struct Van {
    pub(crate) order: u64,
}

/// What the two ends of a call know of each other.
#[derive(Default)]
struct Call {
    /// The warehouse tells the caller; nobody else waits.
    half_packed: Notify,
    /// The caller tells the warehouse; nobody else waits.
    over: Notify,
}

/// Calls twice: a near order is answered, a far one is not, and the caller hangs up.
pub(crate) async fn call_twice(
    caller: u64,
    find_van: impl AsyncFn(Order) -> anyhow::Result<Van>,
) -> anyhow::Result<()> {
    let van = ask(caller, &find_van).await?;
    anyhow::ensure!(van.order == 2 * caller, "someone else's van");
    let call = Arc::new(Call::default());
    let far = Order { id: 2 * caller + 1, call: Some(call.clone()) };
    let _over = Over(call.clone());
    // A server drops the handler's future when the client's connection ends, and so does this `select!`.
    tokio::select! {
        answer = find_van(far) => anyhow::ensure!(answer.is_err(), "a van out of nowhere"),
        () = patience(&call) => {}
    }
    Ok(())
}

/// A near order is found at once; where a busy machine made the desk give up on it, the caller asks again.
async fn ask(
    caller: u64,
    find_van: &impl AsyncFn(Order) -> anyhow::Result<Van>,
) -> anyhow::Result<Van> {
    let near = || Order { id: 2 * caller, call: None };
    for _ in 1..ASKS_MAX {
        if let Ok(van) = find_van(near()).await {
            return Ok(van);
        }
    }
    find_van(near()).await
}

async fn patience(call: &Call) {
    call.half_packed.notified().await;
    sleep(PATIENCE).await;
}

/// The end of a call, however it ends.
struct Over(Arc<Call>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over.notify_one();
    }
}

/// The warehouse and the hauliers' exchange. A real desk would reach both over the network.
pub(crate) struct Yard {
    off_shelf: AtomicU64,
    on_list: AtomicU64,
    on_list_late: AtomicU64,
    map_requests: AtomicU64,
    /// Hauliers would send; every search for a far order receives; open as long as the yard is.
    bids: watch::Sender<u64>,
}

impl Default for Yard {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            off_shelf: zero(),
            on_list: zero(),
            on_list_late: zero(),
            map_requests: zero(),
            bids: watch::Sender::new(0),
        }
    }
}

impl Yard {
    pub(crate) fn take_off_shelf(&self, _order: &Order) {
        self.off_shelf.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes as long as the caller of a far order stays: what a busy day brings now and then happens here every time.
    pub(crate) async fn carry(&self, order: &Order) {
        if let Some(call) = &order.call {
            call.half_packed.notify_one();
            call.over.notified().await;
        }
    }

    pub(crate) fn put_on_list(&self, order: &Order) {
        self.on_list.fetch_add(1, Ordering::Relaxed);
        if order.call.is_some() {
            self.on_list_late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The haulier that takes the order; for a far one there is none as long as this program runs.
    pub(crate) async fn bid(&self, order: &Order) -> Van {
        if order.call.is_some() {
            let mut bids = self.bids.subscribe();
            let _ = bids.wait_for(|taken| *taken == order.id).await;
        }
        Van { order: order.id }
    }

    pub(crate) fn ask_map(&self, _order: &Order) {
        self.map_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Orders off the shelf and not on the list: being carried, or lost half way.
    pub(crate) fn half_packed(&self) -> u64 {
        let on_list = self.on_list.load(Ordering::Relaxed);
        self.off_shelf.load(Ordering::Relaxed).saturating_sub(on_list)
    }

    /// Orders packed to the end after their caller was gone.
    pub(crate) fn packed_late(&self) -> u64 {
        self.on_list_late.load(Ordering::Relaxed)
    }
}
