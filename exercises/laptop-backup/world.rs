//! The world around the backup: a vault on a real socket, and laptops, some of which have a bad line, and some of which are put to sleep.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::Backup;

/// The vault takes this long for a file.
const STORES: Duration = Duration::from_millis(30);
/// A bad line passes nothing on for this long, in the middle of a head, within a file and between two files.
const GAP: Duration = Duration::from_millis(300);
/// On a machine that is busy a gap may become longer than this. Then the laptop may well look asleep, and begins again.
const GAP_MAX: Duration = Duration::from_millis(600);
/// How often.
const TRIES: usize = 4;
/// Parts in which a bad line passes a file on.
const PARTS: usize = 4;
/// Nothing that a laptop waits for takes longer.
const LIMIT: Duration = Duration::from_secs(4);
/// Files of a laptop.
const FILES: u64 = 2;
/// The size of each.
const LENGTH: usize = 2_000;
/// Laptops that are in the middle of a file when the service is told to end.
const AT_THE_END: u64 = 8;
/// Laptops whose lids are closed, and that nobody has opened again.
const ASLEEP_MAX: usize = 1_024;

pub(crate) struct World {
    backup: Arc<Backup>,
    address: SocketAddr,
    ledger: Arc<Ledger>,
    /// Laptops are sent here when their lids are closed; the bed receives, and its end closes it.
    asleep: mpsc::Sender<Laptop>,
    /// Dropped with the world: the vault ends with it, and the laptops that are asleep.
    _around: JoinSet<()>,
}

/// When the lid of a laptop is closed, and what kind of line it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evening {
    Good,
    BadLine,
    /// The lid is closed as soon as the laptop has connected.
    Early,
    WithinHead,
    WithinFile,
    BetweenFiles,
    WithinSecondHead,
}

impl Evening {
    fn of(laptop: u64) -> Self {
        match laptop % 8 {
            1 => Self::Early,
            2 => Self::WithinHead,
            3 => Self::BadLine,
            5 => Self::BetweenFiles,
            6 => Self::WithinFile,
            7 => Self::WithinSecondHead,
            _ => Self::Good,
        }
    }
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (ledger, mut around) = (Arc::<Ledger>::default(), JoinSet::new());
        let vault = vault(&mut around, ledger.clone()).await?;
        let (asleep, sleepers) = mpsc::channel(ASLEEP_MAX);
        around.spawn(bed(sleepers));
        let (backup, address) = Backup::open(vault).await?;
        Ok(Self { backup, address, ledger, asleep, _around: around })
    }

    /// The evening of one laptop. If its lid is closed, the program on it stands still, and its line stays as it is. Later the lid is opened,
    /// and the program begins again with whatever is not kept yet.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let (mut evening, mut files) = (Evening::of(n), n * FILES..(n + 1) * FILES);
        for _ in 0..TRIES {
            let was_late = Arc::<AtomicBool>::default();
            match self.evening(evening, &mut files, &was_late).await {
                // A machine that is busy has kept the laptop from its work, and whoever cut it off was right.
                Err(_) if was_late.load(Ordering::Relaxed) => evening = Evening::Good,
                done => return done,
            }
        }
        bail!("this machine is too busy for laptop {n}")
    }

    async fn close(&self) -> anyhow::Result<()> {
        let mut laptops = Vec::new();
        for file in 2_000_000..2_000_000 + AT_THE_END {
            let was_late = Arc::<AtomicBool>::default();
            let mut laptop = Laptop::connect(self.address, &was_late).await?;
            self.announce(&mut laptop, file).await?;
            laptop.say(&content(file)[..LENGTH / 2]).await?;
            laptops.push((laptop, file, was_late));
        }
        let any = Arc::default();
        let (early, mut within) =
            (Laptop::connect(self.address, &any).await?, Laptop::connect(self.address, &any).await?);
        within.say(&head(3_000_000).as_bytes()[..6]).await?;
        let rest = exercise::all(laptops.into_iter().map(async |(laptop, file, was_late)| {
            match self.last_file(laptop, file).await {
                // As in `unit`: it was cut off because it was late, and may say so.
                Err(_) if was_late.load(Ordering::Relaxed) => self.ledger.refuse(file),
                done => done?,
            }
            Ok(())
        }));
        let ((), rest) = tokio::join!(self.backup.stop(), rest);
        rest?;
        for laptop in [early, within] {
            timeout(LIMIT, laptop.sleep()).await.context("a laptop that sends nothing is kept after the stop")?;
        }
        ensure!(Laptop::connect(self.address, &any).await.is_err(), "a laptop was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl World {
    /// Takes each file out when it is kept.
    async fn evening(
        &self,
        evening: Evening,
        files: &mut Range<u64>,
        was_late: &Arc<AtomicBool>,
    ) -> anyhow::Result<()> {
        let mut laptop = Laptop::connect(self.address, was_late).await?;
        if matches!(evening, Evening::BetweenFiles | Evening::WithinSecondHead) {
            self.keep(&mut laptop, files).await?;
        }
        match evening {
            Evening::WithinHead | Evening::WithinSecondHead => {
                laptop.say(&head(files.start).as_bytes()[..6]).await?;
            }
            Evening::WithinFile => {
                self.announce(&mut laptop, files.start).await?;
                laptop.say(&content(files.start)[..LENGTH / 2]).await?;
            }
            Evening::Good | Evening::BadLine | Evening::Early | Evening::BetweenFiles => {}
        }
        if !matches!(evening, Evening::Good | Evening::BadLine) {
            self.asleep.try_send(laptop).ok().context("too many laptops are asleep")?;
            laptop = Laptop::connect(self.address, was_late).await?;
        }
        while !files.is_empty() {
            match evening {
                Evening::BadLine => self.keep_slowly(&mut laptop, files).await.context("a laptop with a bad line")?,
                _ => self.keep(&mut laptop, files).await?,
            }
        }
        laptop.hang_up().await
    }

    /// Sends the next file, and waits until it is kept.
    async fn keep(&self, laptop: &mut Laptop, files: &mut Range<u64>) -> anyhow::Result<()> {
        let file = files.start;
        self.announce(laptop, file).await?;
        laptop.say(&content(file)).await?;
        laptop.kept(file).await?;
        files.start += 1;
        Ok(())
    }

    /// The same, over a line with gaps. None of them is a reason to cut the laptop off.
    async fn keep_slowly(&self, laptop: &mut Laptop, files: &mut Range<u64>) -> anyhow::Result<()> {
        let file = files.start;
        let (head, content) = (head(file), content(file));
        let (first, second) = head.as_bytes().split_at(head.len() / 2);
        for part in [first, second] {
            sleep(GAP).await;
            laptop.say(part).await?;
        }
        laptop.is_wanted(file).await?;
        self.ledger.accept(file);
        for part in content.chunks(LENGTH / PARTS) {
            sleep(GAP).await;
            laptop.say(part).await?;
        }
        laptop.kept(file).await?;
        files.start += 1;
        Ok(())
    }

    /// Sends the head of a file. When the service says that it wants the file, it has accepted it.
    async fn announce(&self, laptop: &mut Laptop, file: u64) -> anyhow::Result<()> {
        laptop.say(head(file).as_bytes()).await?;
        laptop.is_wanted(file).await?;
        self.ledger.accept(file);
        Ok(())
    }

    /// The second half of a file that was under way when the service was told to end.
    async fn last_file(&self, mut laptop: Laptop, file: u64) -> anyhow::Result<()> {
        laptop.say(&content(file)[LENGTH / 2..]).await?;
        laptop.kept(file).await?;
        ensure!(laptop.line().await?.is_none(), "the service goes on with a laptop after the stop");
        Ok(())
    }
}

fn head(file: u64) -> String {
    format!("FILE {file} {LENGTH}\n")
}

fn content(file: u64) -> Vec<u8> {
    (0..LENGTH as u64).map(|at| (file * 31 + at) as u8).collect()
}

fn checksum(content: &[u8]) -> u64 {
    content.iter().fold(0, |sum: u64, &byte| sum.rotate_left(7) ^ u64::from(byte))
}

/// The program on a laptop, by one connection.
struct Laptop {
    stream: BufReader<TcpStream>,
    /// The service has not waited for it for longer than since then.
    said: Instant,
    /// Becomes true when the service may have waited for longer than any line makes it wait.
    was_late: Arc<AtomicBool>,
}

impl Laptop {
    async fn connect(backup: SocketAddr, was_late: &Arc<AtomicBool>) -> anyhow::Result<Self> {
        let said = Instant::now();
        let stream = TcpStream::connect(backup).await.context("the service does not listen")?;
        Ok(Self { stream: BufReader::new(stream), said, was_late: was_late.clone() })
    }

    async fn say(&mut self, part: &[u8]) -> anyhow::Result<()> {
        let now = Instant::now();
        let written = self.stream.write_all(part).await;
        if self.said.elapsed() > GAP_MAX {
            self.was_late.store(true, Ordering::Relaxed);
        }
        self.said = now;
        Ok(written?)
    }

    async fn is_wanted(&mut self, file: u64) -> anyhow::Result<()> {
        let line = self.line().await?;
        ensure!(line.as_deref() == Some("SEND"), "the service said {line:?} to the head of file {file}");
        Ok(())
    }

    async fn kept(&mut self, file: u64) -> anyhow::Result<()> {
        let (line, sum) = (self.line().await?, checksum(&content(file)));
        ensure!(line == Some(format!("KEPT {file} {sum}")), "the service said {line:?} to file {file}");
        Ok(())
    }

    /// The next line; none at the end.
    async fn line(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = String::new();
        timeout(LIMIT, self.stream.read_line(&mut line)).await.context("nothing comes from the service")??;
        Ok((!line.is_empty()).then(|| line.trim_end().to_owned()))
    }

    /// There are no more files.
    async fn hang_up(&mut self) -> anyhow::Result<()> {
        // Nothing, but it may be late with that, too.
        self.say(&[]).await?;
        self.stream.shutdown().await?;
        let line = self.line().await?;
        ensure!(line.is_none(), "the service said {line:?} to a laptop that has no more files");
        Ok(())
    }

    /// Nobody opens the lid: its line is there until the service hangs up.
    async fn sleep(mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }
}

/// The laptops that are asleep. All of them are one task, and none of the service's.
async fn bed(mut sleepers: mpsc::Receiver<Laptop>) {
    let mut asleep = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(laptop) = sleepers.recv() => asleep.push(laptop.sleep()),
            Some(()) = asleep.next() => {}
            else => return,
        }
    }
}

/// The vault: `STORE file length checksum`, and after a while `STORED`. All its connections are one task.
async fn vault(around: &mut JoinSet<()>, ledger: Arc<Ledger>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    around.spawn(async move {
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => calls.extend(accepted.ok().map(|(stream, _)| store(stream, &ledger))),
                // A client that has gone is no concern of the vault.
                Some(_gone) = calls.next() => {}
            }
        }
    });
    Ok(address)
}

async fn store(stream: TcpStream, ledger: &Ledger) -> anyhow::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await?;
    let words: Vec<_> = line.split_whitespace().collect();
    let file: u64 = words.get(1).context("no file")?.parse()?;
    sleep(STORES).await;
    let is_whole = line.trim_end() == format!("STORE {file} {LENGTH} {}", checksum(&content(file)));
    if is_whole {
        ledger.finish(file);
    }
    stream.write_all(if is_whole { b"STORED\n" } else { b"BROKEN\n" }).await?;
    Ok(())
}
