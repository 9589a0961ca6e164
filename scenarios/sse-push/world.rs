//! The outside world: the broker that carries the scans, and the couriers who bring them. Who comes to look is in `visitors.rs`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{DefaultBodyLimit, Path, State},
    routing::{MethodRouter, post},
};
use serde::Serialize;
use tokio::sync::watch;

/// Scans that the broker keeps for those who come back, of all
/// parcels together.
const SCANS_MAX: usize = 1_000;
/// Bytes in the name of a place.
const PLACE_MAX: usize = 100;
/// The parcel that all visitors follow. It was scanned twice, and
/// lies in a depot until the morning.
pub(crate) const PARCEL: &str = "P7";

/// A parcel was seen somewhere.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scan {
    pub(crate) id: u64,
    parcel: String,
    place: String,
    /// Milliseconds since 1970, as JavaScript's `Date` takes them.
    at_ms: u64,
}

/// The broker. A real one is another process and keeps its log on disk; ids rise by one.
pub(crate) struct Scans {
    log: Mutex<VecDeque<Scan>>,
    /// The last id. The broker sends, subscriptions receive; it closes when the broker ends.
    last: watch::Sender<u64>,
}

/// One reader's place in the log.
pub(crate) struct Subscription {
    broker: Arc<Scans>,
    news: watch::Receiver<u64>,
    parcel: String,
    after: u64,
}

impl Default for Scans {
    fn default() -> Self {
        let broker = Self {
            log: Mutex::default(),
            last: watch::Sender::new(0),
        };
        for place in ["counter", "depot"] {
            broker.add(PARCEL, place);
        }
        broker
    }
}

impl Scans {
    fn add(&self, parcel: &str, place: &str) -> u64 {
        let mut log = self.log.lock().unwrap();
        let id = *self.last.borrow() + 1;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        if log.len() == SCANS_MAX {
            log.pop_front();
        }
        log.push_back(Scan {
            id,
            parcel: parcel.into(),
            place: place.into(),
            at_ms: since.as_millis() as u64,
        });
        self.last.send_replace(id);
        id
    }

    pub(crate) fn subscriptions(&self) -> u64 {
        self.last.receiver_count() as u64
    }

    /// The scans of one parcel after this id. An id that was never
    /// given means all of them.
    pub(crate) fn follow(
        self: &Arc<Self>,
        parcel: String,
        after: u64,
    ) -> Subscription {
        let news = self.last.subscribe();
        let after = if after > *news.borrow() { 0 } else { after };
        Subscription { broker: self.clone(), news, parcel, after }
    }
}

impl Subscription {
    /// The next scan of this parcel, which may take all night; none when the broker ends.
    pub(crate) async fn next(&mut self) -> Option<Scan> {
        loop {
            self.news.mark_unchanged();
            let is_next = |scan: &&Scan| {
                scan.id > self.after && scan.parcel == self.parcel
            };
            let found = self
                .broker
                .log
                .lock()
                .unwrap()
                .iter()
                .find(is_next)
                .cloned();
            if let Some(scan) = found {
                self.after = scan.id;
                return Some(scan);
            }
            self.news.changed().await.ok()?;
        }
    }
}

/// Where couriers post the name of the place. A real broker asks
/// who they are.
pub(crate) fn couriers<S>(scans: Arc<Scans>) -> MethodRouter<S> {
    let add = async |State(scans): State<Arc<Scans>>,
                     Path(parcel): Path<String>,
                     place: String| {
        scans.add(&parcel, &place).to_string()
    };
    post(add)
        .layer(DefaultBodyLimit::max(PLACE_MAX))
        .with_state(scans)
}
