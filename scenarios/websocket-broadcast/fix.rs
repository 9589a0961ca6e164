//! Gives every member one task, a queue with a limit, and a limit for silence.
//!
//! A chat hub passes on what is said in a room to everyone in it, pictures too. Phones put apps to sleep without a goodbye.
//!
//! Run it: `cargo run --bin websocket-broadcast-fix`
//!
//! You will see the counts rise, and come back a few seconds after the last evening.

mod door;
mod registry;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use door::{Line, Words};
use futures_util::{SinkExt, StreamExt};
use registry::{Registry, Seat};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
    time::{interval, timeout},
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    if let Some(done) = world::be_a_phone() {
        return done;
    }
    stage::run(stage::scenario!(), async |stage| {
        let hub = Hub::default();
        hub.members.show(stage);
        let (listener, world) = world::open()?;
        let (mut door, all) = (JoinSet::new(), hub.clone());
        let serve = move |socket| all.clone().serve(socket);
        door.spawn(door::open(listener, serve));
        let evening = async |n| world.evening(&hub.members, n).await;
        stage.load(evening).await;
        world.night(&hub.members).await;
        Ok((door, hub, world))
    })
}

// ANCHOR: service
/// Messages that wait for a member. Who has more is too slow.
const QUEUE: usize = 32;
/// Short, so that you need not wait; usual is half a minute.
const PING_EVERY: Duration = Duration::from_millis(500);
/// A member who does not even answer pings is gone.
const SILENCE: Duration = Duration::from_secs(3);

#[derive(Clone)]
struct Member {
    /// The hub sends, its task receives, the end of its seat closes.
    queue: mpsc::Sender<registry::Queued>,
    evicted: CancellationToken,
}

#[derive(Clone, Default)]
struct Hub {
    members: Arc<Registry<Member>>,
}

impl Hub {
    /// A member, from the handshake to the end of the connection.
    async fn serve<S>(self, socket: S) -> anyhow::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (room, line, words) = door::enter(socket).await?;
        let (queue, queued) = mpsc::channel(QUEUE);
        let evicted = CancellationToken::new();
        let member = Member { queue, evicted: evicted.clone() };
        let seat = self.members.join(&room, member);
        // FIX: the first branch that is done ends the member.
        tokio::select! {
            done = self.listen(&seat, words) => done,
            done = write(queued, line) => done,
            () = evicted.cancelled() => Ok(()),
        }
    }

    async fn listen(
        &self,
        seat: &Seat<'_, Member>,
        mut words: Words,
    ) -> anyhow::Result<()> {
        while let Some(said) = timeout(SILENCE, words.next()).await? {
            let said = said?;
            seat.heard();
            if said.is_text() || said.is_binary() {
                self.tell(seat.room(), &said);
            }
        }
        Ok(())
    }

    /// Everyone in the room hears it, the speaker too.
    fn tell(&self, room: &str, said: &Message) {
        for member in self.members.in_room(room) {
            let queued = self.members.queued(said);
            if member.queue.try_send(queued).is_err() {
                member.evicted.cancel();
            }
        }
    }
}

/// What is said to a member, and pings, in the order of the queue.
async fn write(
    mut queued: mpsc::Receiver<registry::Queued>,
    mut line: Line,
) -> anyhow::Result<()> {
    let mut ping = interval(PING_EVERY);
    loop {
        let said = tokio::select! {
            Some((said, _)) = queued.recv() => said,
            _ = ping.tick() => Message::Ping("".into()),
        };
        line.send(said).await?;
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    async fn a_member_who_vanishes_leaves_no_task_behind() {
        let hub = Hub::default();
        // The clock stands still, and a silent phone has its time.
        let silence = Duration::from_secs(5);
        let rooms = leakcheck::scope().horizon(silence);
        let mut asleep = Vec::new();
        for n in 0..20 {
            let (phone, socket) = tokio::io::duplex(1_024);
            tokio::spawn(hub.clone().serve(socket));
            let room = format!("room {n}");
            let phone = world::Member::enter(phone, &room).await;
            hub.members.wait_for(&room, 1).await;
            // The connection stays open, and nobody reads.
            asleep.push(phone.unwrap());
            hub.tell(&room, &world::picture());
        }
        rooms.assert().await;
    }
    // ANCHOR_END: guard
}
