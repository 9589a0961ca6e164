//! The outside world: people in rooms. One speaks, one leaves, and the phone of one puts the app to sleep.

use std::{
    convert::Infallible,
    env,
    net::SocketAddr,
    process::{Child, Command, ExitCode, Stdio},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async, tungstenite::Message,
};

use crate::{door, registry::Registry};

/// What the speaker says in an evening.
const PICTURES: usize = 3;
/// Bytes in a picture: more than system and phone keep for a reader.
const PICTURE: usize = 256 * 1024;
/// After the last evening the hub gets this long to notice who has vanished.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nothing else takes longer.
const LIMIT: Duration = Duration::from_secs(20);
/// Processes that this program starts at most.
const PHONES_MAX: usize = 500;
/// Set to an address, it makes the program wait there for real members instead of its own.
const LISTEN: &str = "WEBSOCKET_BROADCAST_LISTEN";

/// Where members meet, and the phones that sleep.
pub(crate) struct World {
    hub: SocketAddr,
    is_for_real: bool,
    asleep: Mutex<Vec<Phone>>,
}

/// Opens the hub: on a free port for our own members, at the address in `WEBSOCKET_BROADCAST_LISTEN` for real ones.
pub(crate) fn open() -> anyhow::Result<(TcpListener, World)> {
    let asked = env::var(LISTEN).ok();
    let at = asked.as_deref().unwrap_or("127.0.0.1:0");
    let addr =
        at.parse().with_context(|| format!("{LISTEN}={at}"))?;
    let listener = door::listen(addr)
        .with_context(|| format!("cannot listen at {at}"))?;
    let hub = listener.local_addr()?;
    if asked.is_some() {
        eprintln!(
            "open scenarios/websocket-broadcast/page.html#{hub} in a browser; Ctrl-C ends the evening"
        );
    }
    let is_for_real = asked.is_some();
    Ok((
        listener,
        World { hub, is_for_real, asleep: Mutex::default() },
    ))
}

impl World {
    /// An evening in a room of its own.
    pub(crate) async fn evening<M: Clone + Send + Sync + 'static>(
        &self,
        members: &Registry<M>,
        number: u64,
    ) -> anyhow::Result<()> {
        if self.is_for_real {
            // As long as people like. Ctrl-C ends it.
            std::future::pending::<()>().await;
        }
        let room = format!("room {number}");
        let mut speaker = Member::join(self.hub, &room).await?;
        let mut leaver = Member::join(self.hub, &room).await?;
        let phone = self.phone(&room)?;
        speaker.while_waiting(members.wait_for(&room, 3)).await?;
        leaver.leave().await?;
        speaker.while_waiting(members.wait_for(&room, 2)).await?;
        phone.sleep();
        self.asleep.lock().unwrap().push(phone);
        for _ in 0..PICTURES {
            speaker.say_and_hear(picture()).await?;
        }
        speaker.leave().await
    }

    /// A good hub finds out who sleeps. For another one nobody waits longer.
    pub(crate) async fn night<M>(&self, members: &Registry<M>)
    where
        M: Clone + Send + Sync + 'static,
    {
        // Real members stay as long as they like.
        if !self.is_for_real {
            let empty = members.wait_until_empty();
            let _ = timeout(PATIENCE, empty).await;
        }
    }

    fn phone(&self, room: &str) -> anyhow::Result<Phone> {
        let asleep = self.asleep.lock().unwrap().len();
        ensure!(asleep < PHONES_MAX, "at most {PHONES_MAX} evenings");
        Phone::start(self.hub, room)
    }
}

pub(crate) fn picture() -> Message {
    Message::binary(vec![7; PICTURE])
}

/// Somebody who is there.
pub(crate) struct Member<S>(WebSocketStream<S>);

impl Member<TcpStream> {
    pub(crate) async fn join(
        hub: SocketAddr,
        room: &str,
    ) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(hub).await;
        let socket = socket.context("cannot connect")?;
        timeout(LIMIT, Member::enter(socket, room)).await?
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Member<S> {
    pub(crate) async fn enter(
        socket: S,
        room: &str,
    ) -> anyhow::Result<Self> {
        let (mut line, _) = client_async("ws://hub/", socket).await?;
        line.send(Message::text(room)).await?;
        Ok(Self(line))
    }

    /// Waits, and answers the hub's pings meanwhile, as a browser does by itself.
    async fn while_waiting<T>(
        &mut self,
        wait: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let both = async {
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    done = &mut wait => return Ok(done),
                    said = self.0.next() => drop(said.context("thrown out")??),
                }
            }
        };
        timeout(LIMIT, both).await.context("it never came to that")?
    }

    async fn say_and_hear(
        &mut self,
        message: Message,
    ) -> anyhow::Result<()> {
        let said = async {
            self.0.send(message.clone()).await?;
            loop {
                let heard = self.0.next().await;
                if heard.context("thrown out")?? == message {
                    return Ok(());
                }
            }
        };
        timeout(LIMIT, said).await.context("not heard")?
    }

    /// Says goodbye, and waits for the answer.
    async fn leave(&mut self) -> anyhow::Result<()> {
        let end = async {
            self.0.close(None).await?;
            while let Some(Ok(_)) = self.0.next().await {}
            anyhow::Ok(())
        };
        timeout(LIMIT, end).await.context("no goodbye")?
    }
}

/// A process with a connection of its own. It ends with this value, and with this process.
struct Phone(Child);

impl Phone {
    fn start(hub: SocketAddr, room: &str) -> anyhow::Result<Self> {
        // The program itself, also when a build has replaced its file.
        let program = match cfg!(target_os = "linux") {
            true => "/proc/self/exe".into(),
            false => env::current_exe()?,
        };
        let phone = Command::new(program)
            .args([PHONE, &hub.to_string(), room])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Ok(Self(phone.context("cannot start a phone")?))
    }

    /// SIGSTOP: the process stands still, and its system keeps the connection open.
    fn sleep(&self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::STOP);
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As the first argument: be a phone in a room, and nothing else.
const PHONE: &str = "phone";

/// `phone HUB ROOM` joins the room and listens, until the hub ends. None when that was not asked for.
pub(crate) fn be_a_phone() -> Option<ExitCode> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [first, hub, room] = &args[..] else { return None };
    if first != PHONE {
        return None;
    }
    let Err(error) = phone_in(hub, room);
    eprintln!("phone: {error}");
    Some(ExitCode::FAILURE)
}

#[tokio::main(flavor = "current_thread")]
async fn phone_in(
    hub: &str,
    room: &str,
) -> anyhow::Result<Infallible> {
    // A stopped process sees no end of anything. The system ends it with the one that started it.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(
        Signal::KILL,
    ))?;
    let hub = hub.parse().context("no address")?;
    let mut phone = Member::join(hub, room).await?;
    while let Some(Ok(_)) = phone.0.next().await {}
    bail!("thrown out")
}
