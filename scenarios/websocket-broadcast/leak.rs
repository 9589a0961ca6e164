//! Starts a task for every message to every member, and lets it take as long as it takes.
//!
//! A chat hub passes on what is said in a room to everyone in it, pictures too. Phones put apps to sleep without a goodbye.
//!
//! Run it: `cargo run --bin websocket-broadcast-leak`
//!
//! You will see four tasks and one socket more after every evening.

mod door;
mod registry;
mod world;

use std::{process::ExitCode, sync::Arc};

use door::{Line, Words};
use futures_util::{SinkExt, StreamExt};
use registry::{Registry, Seat};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::Message;

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
#[derive(Clone)]
struct Member {
    line: Arc<Mutex<Line>>,
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
        let member = Member { line: Arc::new(Mutex::new(line)) };
        let seat = self.members.join(&room, member);
        self.listen(&seat, words).await
    }

    async fn listen(
        &self,
        seat: &Seat<'_, Member>,
        mut words: Words,
    ) -> anyhow::Result<()> {
        while let Some(said) = words.next().await {
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
            // LEAK: it waits for ever for a member who does not read.
            tokio::spawn(async move {
                let (said, _count) = queued;
                member.line.lock().await.send(said).await
            });
        }
    }
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(start_paused = true)]
    #[should_panic(expected = "20 tasks spawned at scenarios/")]
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
