//! Limits the time that a send may take, and keeps the member.
//!
//! A chat hub passes on what is said in a room to everyone in it, pictures too. Phones put apps to sleep without a goodbye.
//!
//! Run it: `cargo run --bin websocket-broadcast-wrong-timeout`
//!
//! You will see one task, one socket and one member more after every evening.

mod door;
mod registry;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use door::{Line, Words};
use futures_util::{SinkExt, StreamExt};
use registry::{Registry, Seat};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
    task::JoinSet,
    time::timeout,
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
/// For one message to one member. Short, so that you need not wait.
const SEND_MAX: Duration = Duration::from_millis(250);

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
            tokio::spawn(async move {
                let (said, _count) = queued;
                let send = async {
                    member.line.lock().await.send(said).await
                };
                // LEAK: the send is given up, and the member stays.
                let _ = timeout(SEND_MAX, send).await;
            });
        }
    }
}
// ANCHOR_END: service
