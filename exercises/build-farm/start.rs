//! A build farm: it builds what is pushed to a forge, and tells the forge how it went. Builds of one commit share their steps.
//!
//! Run it: `cargo run --bin build-farm-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    fmt::{Display, Formatter},
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// Tools that run at the same time; the other steps wait for a worker.
const WORKERS: usize = 64;
/// Builds under way. A forge that pushes more is told to come back later.
const BUILDS_MAX: usize = 1_000;
/// A tool that takes longer is given up.
const TOOL_MAX: Duration = Duration::from_secs(5);
/// The forge answers sooner, or not at all.
const FORGE_MAX: Duration = Duration::from_secs(2);
/// A forge that is busy is told again, this often and after this time.
const REPORTS_MAX: u32 = 3;
const REPORT_AGAIN: Duration = Duration::from_millis(30);
/// When the farm is stopped, builds under way get this long. Short here, some minutes in a data centre.
const STOP_MAX: Duration = Duration::from_secs(1);

/// What is done with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Sources,
    Compile,
    Docs,
    Package,
}

impl Kind {
    /// The steps whose artifacts this one needs.
    fn inputs(self) -> &'static [Self] {
        match self {
            Self::Sources => &[],
            Self::Compile | Self::Docs => &[Self::Sources],
            Self::Package => &[Self::Compile, Self::Docs],
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Sources => "sources",
            Self::Compile => "compile",
            Self::Docs => "docs",
            Self::Package => "package",
        };
        f.write_str(name)
    }
}

/// The tools of a language. They are plug-ins, and each team brings its own.
pub(crate) trait Toolchain: Send + Sync {
    /// Makes one artifact of a commit from others.
    fn run(&self, kind: Kind, commit: u64, inputs: Vec<Arc<str>>) -> BoxFuture<'static, anyhow::Result<String>>;
}

/// The artifact of a step, or why there is none.
type Outcome = Result<Arc<str>, Arc<str>>;

/// A step of one commit. Builds and later steps wait for its outcome.
struct Step {
    /// The step's own task sends once; whoever needs the artifact receives.
    outcome: watch::Sender<Option<Outcome>>,
}

impl Step {
    async fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.subscribe();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err("the step has ended without an outcome".into()),
        }
    }
}

/// Steps under way, by commit.
type Steps = HashMap<(u64, Kind), Arc<Step>>;

/// Builds commits.
pub(crate) struct Farm {
    tools: Box<dyn Toolchain>,
    forge: SocketAddr,
    steps: Mutex<Steps>,
    workers: Semaphore,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Farm {
    pub(crate) fn new(tools: Box<dyn Toolchain>, forge: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            tools,
            forge,
            steps: Mutex::default(),
            workers: Semaphore::new(WORKERS),
            room: Arc::new(Semaphore::new(BUILDS_MAX)),
            tasks: TaskTracker::new(),
        })
    }

    /// Takes a build of a commit. The forge is told how it went, by the number of the build.
    pub(crate) fn build(self: &Arc<Self>, build: u64, commit: u64) -> anyhow::Result<()> {
        let place = self.room.clone().try_acquire_owned().context("the farm takes no build")?;
        let package = self.step(&mut self.steps(), commit, Kind::Package);
        let farm = self.clone();
        self.tasks.spawn(async move {
            let report = match package.outcome().await {
                Ok(artifact) => format!("PASSED {build} {artifact}"),
                Err(why) => format!("FAILED {build} {why}"),
            };
            if let Err(error) = farm.report(&report).await {
                eprintln!("build {build}: {error:#}");
            }
            drop(place);
        });
        Ok(())
    }

    /// Steps under way, for the status page.
    pub(crate) fn steps_under_way(&self) -> usize {
        self.steps().len()
    }

    /// Takes no build any more, and lets those under way end.
    pub(crate) async fn stop(&self) {
        self.room.close();
        self.tasks.close();
        if timeout(STOP_MAX, self.tasks.wait()).await.is_err() {
            eprintln!("the farm is stopped with {} tasks under way", self.tasks.len());
        }
    }

    /// A step of a commit: the one under way, which others wait for too, or a new one.
    fn step(self: &Arc<Self>, steps: &mut Steps, commit: u64, kind: Kind) -> Arc<Step> {
        if let Some(step) = steps.get(&(commit, kind)) {
            return step.clone();
        }
        let inputs: Vec<_> = kind.inputs().iter().map(|&input| self.step(steps, commit, input)).collect();
        let step = Arc::new(Step { outcome: watch::Sender::new(None) });
        steps.insert((commit, kind), step.clone());
        self.tasks.spawn(self.clone().run(commit, kind, inputs, step.clone()));
        step
    }

    /// Runs a step, and tells everybody who waits for it.
    async fn run(self: Arc<Self>, commit: u64, kind: Kind, inputs: Vec<Arc<Step>>, step: Arc<Step>) {
        let outcome = self.make(commit, kind, &inputs).await;
        // Whoever pushes this commit from now on gets a new step: artifacts are kept by the forge.
        self.steps().remove(&(commit, kind));
        step.outcome.send_replace(Some(outcome));
    }

    /// Waits for what the step needs, and for a worker; then the tool makes the artifact.
    async fn make(&self, commit: u64, kind: Kind, inputs: &[Arc<Step>]) -> Outcome {
        let mut artifacts = Vec::new();
        for input in inputs {
            artifacts.push(input.outcome().await?);
        }
        let Ok(_worker) = self.workers.acquire().await else { return Err("there are no workers".into()) };
        match timeout(TOOL_MAX, self.tools.run(kind, commit, artifacts)).await {
            Ok(Ok(artifact)) => Ok(artifact.into()),
            Ok(Err(error)) => Err(format!("{kind}: {error:#}").into()),
            Err(_) => Err(format!("{kind}: the tool is too slow").into()),
        }
    }

    /// Tells the forge, and once more when it is busy.
    async fn report(&self, line: &str) -> anyhow::Result<()> {
        let mut tries = 1;
        loop {
            let answer = timeout(FORGE_MAX, self.ask(line)).await.context("the forge is too slow")??;
            if answer == "OK" {
                return Ok(());
            }
            ensure!(tries < REPORTS_MAX, "the forge said {answer:?} for the last time");
            tries += 1;
            sleep(REPORT_AGAIN).await;
        }
    }

    /// One line to the forge and one line back, over a connection of its own.
    async fn ask(&self, line: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.forge).await.context("cannot connect to the forge")?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok(answer.trim_end().to_owned())
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
