//! Leaves it to TCP's keepalive to notice who is gone.
//!
//! A chat hub passes on what is said in a room to everyone in it, pictures too. Phones put apps to sleep without a goodbye.
//!
//! Run it: `cargo run --bin websocket-broadcast-wrong-keepalive`
//!
//! You will see one task, one socket and one member more after every evening.

mod door;
mod registry;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use door::{Line, Words};
use futures_util::{SinkExt, StreamExt};
use registry::{Registry, Seat};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
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
/// The system asks every second, and gives up after one second.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(1))
    .with_interval(Duration::from_secs(1))
    .with_retries(1);

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
    async fn serve(self, socket: TcpStream) -> anyhow::Result<()> {
        // LEAK: the system answers for an app that is asleep.
        SockRef::from(&socket).set_tcp_keepalive(&KEEPALIVE)?;
        let (room, line, words) = door::enter(socket).await?;
        let (queue, queued) = mpsc::channel(QUEUE);
        let evicted = CancellationToken::new();
        let member = Member { queue, evicted: evicted.clone() };
        let seat = self.members.join(&room, member);
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
            if member.queue.try_send(queued).is_err() {
                member.evicted.cancel();
            }
        }
    }
}

/// What is said to a member, in the order of the queue.
async fn write(
    mut queued: mpsc::Receiver<registry::Queued>,
    mut line: Line,
) -> anyhow::Result<()> {
    while let Some((said, _)) = queued.recv().await {
        line.send(said).await?;
    }
    Ok(())
}
// ANCHOR_END: service
