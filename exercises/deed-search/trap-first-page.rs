//! The deed search of a chamber of notaries: it looks a name up in two land registers, with the client that came with them.
//!
//! Run it: `cargo run --bin deed-search-trap-first-page`

mod world;

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout, try_join};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A notary waits this long for all deeds in a name. Short here, ten seconds in a chamber.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// A register that is up takes a connection sooner, and never says nothing for so long.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Lookups that are under way at the same time; the others wait.
const LOOKUPS_MAX: usize = 256;
/// A name with more deeds in one register is too common.
const DEEDS_MAX: usize = 20;

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
        let both = async { try_join!(search(self.old, name), search(self.new, name)) };
        match timeout(PATIENCE, both).await {
            Ok(found) => match found? {
                (Some(mut all), Some(new)) => {
                    all.extend(new);
                    all.sort();
                    Ok(Found::All(all))
                }
                _ => Ok(Found::TooMany),
            },
            Err(_) => Ok(Found::TooMany),
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
async fn search(register: SocketAddr, name: &str) -> anyhow::Result<Option<Vec<String>>> {
    let name = name.to_owned();
    let deeds = spawn_blocking(move || Client::connect(register)?.find(&name));
    deeds.await.context("the client has panicked")?
}

/// The client that came with the registers.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(register: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&register, SILENCE_MAX).context("cannot connect")?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// All deeds in a name; none when there are too many. The register sends each as soon as it has found it, and `END` behind the
    /// last one.
    fn find(&mut self, name: &str) -> anyhow::Result<Option<Vec<String>>> {
        self.stream.get_mut().write_all(format!("FIND {name}\n").as_bytes())?;
        let mut deeds = Vec::new();
        while deeds.len() <= DEEDS_MAX {
            let line = self.line()?;
            match line.split_once(' ') {
                Some(("DEED", deed)) => deeds.push(deed.to_owned()),
                None if line == "END" => return Ok(Some(deeds)),
                _ => bail!("the register says {line:?}"),
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("the register says nothing")?;
        ensure!(line.ends_with('\n'), "the register hung up");
        Ok(line.trim_end().to_owned())
    }
}
