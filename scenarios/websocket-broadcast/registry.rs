//! Who is in which room. What is kept of a member is up to the side.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{sync::watch, time::Instant};
use tokio_tungstenite::tungstenite::Message;

/// A message that waits, and is counted as long as it does.
pub(crate) type Queued = (Message, Arc<()>);

/// A room, and a number of this member alone.
type Key = (String, u64);

pub(crate) struct Registry<M> {
    /// Whoever joins or goes sends, the load receives; it closes with the hub.
    members: watch::Sender<BTreeMap<Key, M>>,
    next: AtomicU64,
    /// Every message that waits for a member has a copy.
    queued: Arc<()>,
    /// The longest that a member was kept without a sign of life.
    silence_ms: AtomicU64,
}

impl<M> Default for Registry<M> {
    fn default() -> Self {
        Self {
            members: watch::Sender::new(BTreeMap::new()),
            next: AtomicU64::new(0),
            queued: Arc::default(),
            silence_ms: AtomicU64::new(0),
        }
    }
}

impl<M: Clone + Send + Sync + 'static> Registry<M> {
    /// A seat in a room, for as long as the caller keeps it.
    pub(crate) fn join(&self, room: &str, member: M) -> Seat<'_, M> {
        let number = self.next.fetch_add(1, Relaxed);
        let key = (room.to_owned(), number);
        self.members.send_modify(|members| {
            members.insert(key.clone(), member);
        });
        let heard = Mutex::new(Instant::now());
        Seat { registry: self, key, heard }
    }

    pub(crate) fn in_room(&self, room: &str) -> Vec<M> {
        of_room(&self.members.borrow(), room).cloned().collect()
    }

    pub(crate) fn queued(&self, said: &Message) -> Queued {
        (said.clone(), self.queued.clone())
    }

    /// Returns when there are so many in a room.
    pub(crate) async fn wait_for(&self, room: &str, count: usize) {
        let mut members = self.members.subscribe();
        let is_so = |members: &BTreeMap<Key, M>| {
            of_room(members, room).count() == count
        };
        // It cannot close: the registry is here.
        let _ = members.wait_for(is_so).await;
    }

    pub(crate) async fn wait_until_empty(&self) {
        let mut members = self.members.subscribe();
        let _ = members.wait_for(BTreeMap::is_empty).await;
    }

    pub(crate) fn show(self: &Arc<Self>, stage: &stage::Stage) {
        let [all, queued, silence] = [(); 3].map(|()| self.clone());
        stage.gauge("members", move || {
            all.members.borrow().len() as u64
        });
        stage.gauge("queued", move || {
            Arc::strong_count(&queued.queued) as u64 - 1
        });
        stage.gauge("silence_ms", move || {
            silence.silence_ms.load(Relaxed)
        });
    }
}

fn of_room<'a, M>(
    members: &'a BTreeMap<Key, M>,
    room: &str,
) -> impl Iterator<Item = &'a M> + use<'a, M> {
    let all = (room.to_owned(), 0)..=(room.to_owned(), u64::MAX);
    members.range(all).map(|(_, member)| member)
}

// ANCHOR: seat
/// The member's entry. However its task ends, the entry goes with it.
pub(crate) struct Seat<'a, M> {
    registry: &'a Registry<M>,
    key: Key,
    heard: Mutex<Instant>,
}

impl<M> Drop for Seat<'_, M> {
    fn drop(&mut self) {
        self.registry.members.send_modify(|members| {
            members.remove(&self.key);
        });
        let silence = self.heard.lock().unwrap().elapsed();
        let silence = silence.as_millis() as u64;
        self.registry.silence_ms.fetch_max(silence, Relaxed);
    }
}
// ANCHOR_END: seat

impl<M> Seat<'_, M> {
    pub(crate) fn room(&self) -> &str {
        &self.key.0
    }

    /// Something came from the member.
    pub(crate) fn heard(&self) {
        *self.heard.lock().unwrap() = Instant::now();
    }
}
