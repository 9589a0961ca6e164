//! The world around the farm: the tools of a team, some of which are not as good as others, and a forge on a real socket.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    panic,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::future::BoxFuture;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{Farm, Kind, Toolchain};

/// A commit is pushed to a branch and to a merge request.
const BUILDS: u64 = 2;
/// No report takes longer.
const REPORT_MAX: Duration = Duration::from_secs(20);
/// Commits that are being built when the service is told to end.
const AT_THE_END: u64 = 8;
/// The numbers of a tool's runs in the ledger begin here, those of builds below.
const RUNS: u64 = 1 << 40;
/// Crashes of tools so far. They are the tools' fault: the farm has to live with them.
static CRASHES: AtomicU64 = AtomicU64::new(0);

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Passes,
    /// A tool says why it makes no artifact.
    Fails(Kind),
    /// A tool crashes.
    Crashes(Kind),
}

impl Course {
    fn of(commit: u64) -> Self {
        match commit % 8 {
            1 => Self::Fails(Kind::Docs),
            3 => Self::Crashes(Kind::Compile),
            7 => Self::Crashes(Kind::Package),
            _ => Self::Passes,
        }
    }
}

pub(crate) struct World {
    pub(crate) farm: Arc<Farm>,
    forge: Arc<Forge>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        count_crashes();
        let forge = Arc::new(Forge::default());
        let address = forge.clone().open().await?;
        Ok(Self { farm: Farm::new(Box::new(Tools { forge: forge.clone() }), address), forge })
    }

    /// A commit is pushed. Nobody sits and waits for a build whose tool crashes; the ledger does.
    async fn unit(&self, commit: u64) -> anyhow::Result<()> {
        let builds = commit * BUILDS..(commit + 1) * BUILDS;
        let reports: Vec<_> = builds.clone().map(|build| (build, self.forge.expect(build))).collect();
        for build in builds {
            self.farm.build(build, commit)?;
            self.forge.ledger.accept(build);
        }
        if matches!(Course::of(commit), Course::Crashes(_)) {
            return Ok(());
        }
        for (build, report) in reports {
            let report = timeout(REPORT_MAX, report).await.with_context(|| format!("no report of build {build}"))??;
            ensure!(is_right(build, &report), "the report of build {build} is {report:?}");
        }
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_000 + n));
        // The builds are polled first, and so are taken; no step has ended when the farm is stopped.
        let (last, ()) = tokio::join!(exercise::all(last), self.farm.stop());
        last?;
        ensure!(self.farm.build(0, 0).is_err(), "a build was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.forge.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("steps", move || world.farm.steps_under_way() as u64);
        stage.gauge("crashes", || CRASHES.load(Ordering::Relaxed));
    }
}

/// Crashes of tools are told once and counted here. Any other panic is the farm's, and is told and counted as ever.
fn count_crashes() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.location().is_none_or(|location| location.file() != file!()) {
                others(info);
            } else if CRASHES.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("{info}\n(later ones are counted)");
            }
        }));
    });
}

fn duration(kind: Kind) -> Duration {
    Duration::from_millis(match kind {
        Kind::Sources | Kind::Package => 20,
        Kind::Compile => 40,
        Kind::Docs => 25,
    })
}

fn artifact(kind: Kind, commit: u64, inputs: &[impl AsRef<str>]) -> String {
    let inputs: Vec<_> = inputs.iter().map(AsRef::as_ref).collect();
    format!("{kind}-{commit}({})", inputs.join("+"))
}

/// What a report must be.
fn is_right(build: u64, report: &str) -> bool {
    let commit = build / BUILDS;
    if Course::of(commit) != Course::Passes {
        return report.starts_with(&format!("FAILED {build} "));
    }
    let sources = artifact(Kind::Sources, commit, &[""; 0]);
    let inputs = [Kind::Compile, Kind::Docs].map(|kind| artifact(kind, commit, &[&sources]));
    report == format!("PASSED {build} {}", artifact(Kind::Package, commit, &inputs))
}

struct Tools {
    forge: Arc<Forge>,
}

impl Toolchain for Tools {
    fn run(&self, kind: Kind, commit: u64, inputs: Vec<Arc<str>>) -> BoxFuture<'static, anyhow::Result<String>> {
        let forge = self.forge.clone();
        Box::pin(async move {
            sleep(duration(kind)).await;
            forge.ledger.finish(RUNS + commit * 4 + kind as u64);
            match Course::of(commit) {
                Course::Fails(at) if at == kind => bail!("a link leads nowhere"),
                Course::Crashes(at) if at == kind => panic!("a tool came upon a name that it does not know"),
                _ => Ok(artifact(kind, commit, &inputs)),
            }
        })
    }
}

/// Where developers push to, and read how it went.
#[derive(Default)]
struct Forge {
    ledger: Ledger,
    /// Whoever waits for the report of a build.
    expected: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    /// Builds of which it did not want to hear at first.
    put_off: Mutex<HashSet<u64>>,
}

impl Forge {
    async fn open(self: Arc<Self>) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let forge = self.clone();
                tokio::spawn(async move {
                    // A farm that has gone is no concern of a forge.
                    let _ = forge.hear(stream).await;
                });
            }
        });
        Ok(address)
    }

    fn expect(&self, build: u64) -> oneshot::Receiver<String> {
        let (tx, report) = oneshot::channel();
        self.expected.lock().unwrap().insert(build, tx);
        report
    }

    /// One report: the forge is busy when the first one comes of some commits.
    async fn hear(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut report = String::new();
        stream.read_line(&mut report).await?;
        let report = report.trim_end();
        let build: u64 = report.split(' ').nth(1).context("a report without a number")?.parse()?;
        let is_busy = build / BUILDS % 8 == 5 && self.put_off.lock().unwrap().insert(build);
        stream.write_all(if is_busy { b"BUSY\n" } else { b"OK\n" }).await?;
        if !is_busy {
            if is_right(build, report) {
                self.ledger.finish(build);
            }
            if let Some(tx) = self.expected.lock().unwrap().remove(&build) {
                let _ = tx.send(report.to_owned());
            }
        }
        Ok(())
    }
}
