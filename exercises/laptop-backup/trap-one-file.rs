//! Limits the wait for the head, and hangs up after each file.
//!
//! The backup service of a company: laptops send it their files, and it puts each of them into a vault.
//!
//! Run it: `cargo run --bin laptop-backup-trap-one-file`

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A laptop that says nothing for this long is asleep, and will come back over another connection. Short here, a minute in an office.
const SILENCE_MAX: Duration = Duration::from_millis(800);
/// The vault answers sooner than this, or not at all.
const VAULT_MAX: Duration = Duration::from_secs(3);
/// No head of a file is longer.
const HEAD_MAX: u64 = 64;
/// Larger files take another way.
const FILE_MAX: usize = 256 * 1024;
/// Laptops that send at the same time; an office with more has a second service.
const LAPTOPS_MAX: usize = 4_096;
/// After an error of the system, such as too many open files, the service takes a breath.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a laptop says of a file before it sends the content.
struct Head {
    file: u64,
    length: usize,
}

/// Takes files from laptops. `FILE 17 4096` is answered with `SEND`, and the content with `KEPT 17` and a checksum.
pub(crate) struct Backup {
    vault: SocketAddr,
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Backup {
    /// Listens for laptops; returns where.
    pub(crate) async fn open(vault: SocketAddr) -> anyhow::Result<(Arc<Self>, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for laptops")?;
        let address = listener.local_addr()?;
        let backup = Arc::new(Self { vault, stopped: CancellationToken::new(), tasks: TaskTracker::new() });
        backup.tasks.spawn(backup.clone().listen(listener));
        Ok((backup, address))
    }

    /// Takes no laptop and no further file, and returns when every file under way is in the vault.
    pub(crate) async fn stop(&self) {
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Takes laptops until the service is stopped; each has a task, which ends with its connection.
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopped.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) if self.tasks.len() <= LAPTOPS_MAX => {
                    let backup = self.clone();
                    self.tasks.spawn(async move {
                        if let Err(error) = backup.serve(stream).await {
                            eprintln!("{peer}: {error:#}");
                        }
                    });
                }
                Ok((_, peer)) => eprintln!("{peer}: there is no room for another laptop"),
                Err(error) => {
                    eprintln!("cannot take a laptop: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// One connection: one file after the other, until the laptop has no more of them.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        // Where no connection waits for another file, none can wait for ever.
        let head = timeout(SILENCE_MAX, self.head(&mut stream)).await.context("it fell silent before a file")?;
        if let Some(Head { file, length }) = head? {
            answer(&mut stream, "SEND").await?;
            let content = content(&mut stream, length).await?;
            let sum = checksum(&content);
            // A real vault gets the content, too.
            let stored = ask(self.vault, &format!("STORE {file} {length} {sum}")).await?;
            ensure!(stored == "STORED", "the vault said {stored:?} to file {file}");
            answer(&mut stream, &format!("KEPT {file} {sum}")).await?;
        }
        Ok(())
    }

    /// The head of the next file; none when the laptop has hung up, or the service is stopped.
    async fn head(&self, stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<Head>> {
        let (mut line, mut stream) = (String::new(), stream.take(HEAD_MAX));
        tokio::select! {
            () = self.stopped.cancelled() => return Ok(None),
            read = stream.read_line(&mut line) => read?,
        };
        if line.is_empty() {
            return Ok(None);
        }
        ensure!(line.ends_with('\n'), "{line:?} is no whole line");
        let ["FILE", file, length] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("it began a file with {line:?}");
        };
        let head = Head { file: file.parse()?, length: length.parse()? };
        ensure!(head.length <= FILE_MAX, "file {file} is too large");
        Ok(Some(head))
    }
}

/// The content of a file. It may take as long as the line needs, but something has to come.
async fn content(stream: &mut BufReader<TcpStream>, length: usize) -> anyhow::Result<Vec<u8>> {
    let (mut content, mut rest) = (Vec::with_capacity(length), stream.take(length as u64));
    while content.len() < length {
        let more =
            timeout(SILENCE_MAX, rest.read_buf(&mut content)).await.context("it fell silent within a file")??;
        ensure!(more > 0, "it hung up within a file");
    }
    Ok(content)
}

/// One line to a laptop.
async fn answer(stream: &mut BufReader<TcpStream>, line: &str) -> anyhow::Result<()> {
    let line = format!("{line}\n");
    Ok(timeout(SILENCE_MAX, stream.write_all(line.as_bytes())).await.context("it does not read")??)
}

/// What the laptop compares with its own.
fn checksum(content: &[u8]) -> u64 {
    content.iter().fold(0, |sum: u64, &byte| sum.rotate_left(7) ^ u64::from(byte))
}

/// One line to the vault and one line back, over a connection of its own.
async fn ask(vault: SocketAddr, line: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(vault).await.context("cannot connect")?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).await?;
        Ok(reply.trim_end().to_owned())
    };
    timeout(VAULT_MAX, exchange).await.context("the vault is too slow")?
}
