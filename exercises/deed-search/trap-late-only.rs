//! The deed search of a chamber of notaries: it looks a name up in two land registers, with the client that came with them.
//!
//! Run it: `cargo run --bin deed-search-trap-late-only`

mod world;

use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout, try_join};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A notary waits this long for all deeds in a name. Short here, ten seconds in a chamber.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// A register that is up takes a connection sooner, and never says nothing for so long.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// A client for whom nobody waits any more notices it this late.
const LOOK: Duration = Duration::from_millis(50);
/// Lookups that are under way at the same time; the others wait.
const LOOKUPS_MAX: usize = 256;

/// What a notary is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Every deed in this name, of both registers, in order.
    All(Vec<String>),
    /// The name is too common: the notary asks again, with a street.
    TooMany,
}

/// Looks names up for the notaries of one chamber.
pub(crate) struct Deeds {
    /// What was on paper once, and was scanned.
    old: SocketAddr,
    new: SocketAddr,
    room: Semaphore,
}

impl Deeds {
    pub(crate) fn new(old: SocketAddr, new: SocketAddr) -> Arc<Self> {
        Arc::new(Self { old, new, room: Semaphore::new(LOOKUPS_MAX) })
    }

    /// Looks a name up in both registers. An error is a register's: a court has sealed the name, for example.
    pub(crate) async fn look_up(&self, name: &str) -> anyhow::Result<Found> {
        let _place = self.room.acquire().await.context("the search is closed")?;
        let gone = CancellationToken::new();
        let both = async { try_join!(search(self.old, name, &gone), search(self.new, name, &gone)) };
        match timeout(PATIENCE, both).await {
            Ok(found) => {
                let (mut all, new) = found?;
                all.extend(new);
                all.sort();
                Ok(Found::All(all))
            }
            Err(_) => {
                gone.cancel();
                Ok(Found::TooMany)
            }
        }
    }

    /// Lets the lookups under way have their answer, and takes no new one.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.room.acquire_many(LOOKUPS_MAX as u32).await {
            self.room.close();
            drop(all);
        }
    }
}

/// Looks a name up in one register. The client is built on `std`, so it gets a thread on which it may wait.
async fn search(register: SocketAddr, name: &str, gone: &CancellationToken) -> anyhow::Result<Vec<String>> {
    let (name, gone) = (name.to_owned(), gone.clone());
    let deeds = spawn_blocking(move || Client::connect(register)?.find(&name, &gone));
    deeds.await.context("the client has panicked")?
}

/// The client that came with the registers.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(register: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&register, SILENCE_MAX).context("cannot connect")?;
        stream.set_read_timeout(Some(LOOK))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// All deeds in a name. The register sends each as soon as it has found it, and `END` behind the last one.
    fn find(&mut self, name: &str, gone: &CancellationToken) -> anyhow::Result<Vec<String>> {
        self.stream.get_mut().write_all(format!("FIND {name}\n").as_bytes())?;
        let mut deeds = Vec::new();
        loop {
            let line = self.line(gone)?;
            match line.split_once(' ') {
                Some(("DEED", deed)) => deeds.push(deed.to_owned()),
                None if line == "END" => return Ok(deeds),
                _ => bail!("the register says {line:?}"),
            }
        }
    }

    /// The next line, which a register sends in one piece. Between two short waits for it the client looks whether anybody wants it.
    fn line(&mut self, gone: &CancellationToken) -> anyhow::Result<String> {
        let (mut line, since) = (Vec::new(), Instant::now());
        loop {
            ensure!(!gone.is_cancelled(), "nobody waits for these deeds any more");
            match self.stream.read_until(b'\n', &mut line) {
                Ok(_) => break,
                // What has come of the line so far is kept.
                Err(error) if error.kind() == ErrorKind::WouldBlock && since.elapsed() < SILENCE_MAX => {}
                Err(error) => return Err(error).context("the register says nothing"),
            }
        }
        ensure!(line.ends_with(b"\n"), "the register hung up");
        Ok(String::from_utf8(line)?.trim_end().to_owned())
    }
}
