//! The commands of `cargo lab`: arguments in, exit code out.

/// Prints a line. A reader that went away (`| head`) is no reason to fail.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

mod answer;
mod check;
mod guard;
mod kit;
mod pair;
mod plan;
mod practice;
mod repair;

use std::{
    io::{IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::Args;
use evidence::{
    catalogue::{Catalogue, Found},
    exhibit::Kind,
    root, screen,
};
use serde::Serialize;

use crate::{
    browser, class,
    doctor::{self, Finding},
    renew::{Progress, Subject},
    serve::{Name, Server},
};
pub use answer::Answer;
pub use check::Check;
pub use guard::Guard;
pub use kit::Kit;
pub use pair::Pair;
pub use plan::PairPlan;
pub use practice::Practice;
pub use repair::repair;

/// What is under way when a command ends gets this long.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(500);
/// Where the book is served unless told otherwise.
const PORT: u16 = 3000;

/// Where to serve, and to whom.
#[derive(Args)]
pub struct Serve {
    /// The port; 0 picks a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// Answer under this name too, at this port or at any: for a proxy or a development container. `localhost` and addresses need
    /// no mention, so `ssh -L 8080:127.0.0.1:3000` works without it. Repeat it for more names
    #[arg(long, value_name = "NAME[:PORT]")]
    host: Vec<Name>,
    /// The address to listen on. In a container 0.0.0.0, so that a forwarded port reaches the lab. Whoever reaches it can run the
    /// workbook's programs
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Serve the book for reading: with its recorded runs, and nothing can be started. For a class, with `--bind` and `--host`
    #[arg(long)]
    read_only: bool,
}

/// Takes no arguments.
#[derive(Args)]
pub struct List {}

/// What to record.
#[derive(Args)]
pub struct Record {
    /// Scenarios, exercises, `claims`, `leak-test`; all of them when none is named
    names: Vec<String>,
    /// Leave everything else as it is
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    only: Vec<Kind>,
}

/// Takes no arguments.
#[derive(Args)]
pub struct Book {}

/// What to look at.
#[derive(Args)]
pub struct Doctor {
    /// The port that the book will be served on
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Prepare for a class: fetch and build what the plans need, prove that it works without a network, and time a run
    #[arg(long)]
    class: bool,
}

/// What mdBook passes: nothing, or `supports RENDERER`.
#[derive(Args)]
pub struct Preprocess {
    args: Vec<String>,
}

/// `OUT.svg TITLE=FILE…`.
#[derive(Args)]
pub struct Screen {
    args: Vec<String>,
}

impl Serve {
    /// Serves until a signal.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            tokio::select! {
                biased;
                code = interrupted() => Ok(code),
                result = self.serve(&root) => result,
            }
        })
    }

    async fn serve(&self, root: &Path) -> anyhow::Result<ExitCode> {
        let whom = if self.read_only { book::For::Guests } else { book::For::Lab };
        let server = Server::bind(root, SocketAddr::new(self.bind, self.port), &self.host, whom).await?;
        let url = server.url()?;
        say!("the book is at {url}   (Ctrl-C ends it)");
        if !self.bind.is_loopback() {
            let may = if self.read_only {
                "read the book; nobody can start anything"
            } else {
                "read the book and run its programs"
            };
            eprintln!("warning: whoever reaches {} of this machine can {may}", self.bind);
        }
        let open = async {
            if !self.no_open
                && let Some(Err(_)) = browser::open(&url).await
            {
                say!("no browser opened: open the address yourself");
            }
            std::future::pending().await
        };
        tokio::select! {
            never = server.run() => match never {},
            never = open => never,
        }
    }
}

impl List {
    /// Two lines a scenario or a control, then two an exercise.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        for scenario in catalogue.pairs() {
            let kind = if scenario.is_control() { "control: " } else { "" };
            say!("{:<20} {kind}{}", scenario.name, scenario.about);
            say!("{:<20} sides: {}", "", scenario.side_names().join(", "));
        }
        for exercise in &catalogue.exercises {
            let (facts, title) = (&exercise.facts, exercise.scenario.title());
            say!("{:<20} exercise: {title}, level {}, {} minutes", exercise.name(), facts.level, facts.minutes);
            say!("{:<20} {}", "", exercise.scenario.about);
        }
        for broken in &catalogue.broken {
            eprintln!("error: {}", broken.why);
        }
        Ok(if catalogue.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

impl Record {
    /// Makes whatever the pages show of one name after the other; exit code 1 when something could not be made.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            let catalogue = Catalogue::read(&root)?;
            let subjects = self.subjects(&catalogue)?;
            tokio::select! {
                biased;
                code = interrupted() => Ok(code),
                failed = record(&root, &subjects, &self.only) => {
                    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
                }
            }
        })
    }

    fn subjects<'a>(&self, catalogue: &'a Catalogue) -> anyhow::Result<Vec<Subject<'a>>> {
        let others = [Subject::LeakTest, Subject::Claims];
        let named = |name: &String| match others.into_iter().find(|other| other.name() == name) {
            Some(other) => Ok(other),
            None => catalogue.find_any(name).map(|found| match found {
                Found::Scenario(scenario) => Subject::Scenario(scenario),
                Found::Exercise(exercise) => Subject::Exercise(exercise),
            }),
        };
        if self.names.is_empty() {
            let pairs = catalogue.whole()?.iter().chain(&catalogue.controls).map(Subject::Scenario);
            return Ok(pairs.chain(catalogue.exercises.iter().map(Subject::Exercise)).chain(others).collect());
        }
        self.names.iter().map(named).collect::<anyhow::Result<_>>().context("nothing was recorded")
    }
}

/// Goes on after a failure: whoever records everything is not there to start it again. Returns how many failed.
async fn record(root: &Path, subjects: &[Subject<'_>], only: &[Kind]) -> usize {
    let tell = |news: Progress| match news {
        Progress::Step(step) => progress(&step),
        Progress::Line(line) => {
            progress("");
            say!("{line}");
        }
    };
    let mut failed = 0;
    for subject in subjects {
        if let Err(error) = subject.renew(root, only, &tell).await {
            progress("");
            eprintln!("error: {}: {error:#}", subject.name());
            failed += 1;
        }
    }
    if failed > 0 {
        eprintln!("error: {failed} of {} could not be recorded", subjects.len());
    }
    failed
}

/// One line that is written over again; nothing where nobody watches.
fn progress(line: &str) {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        let _ = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
    }
}

impl Book {
    /// Builds once.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = book::build(&root::find()?, None, book::For::Readers)?;
        say!("the book is in {}", folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

impl Doctor {
    /// Prints every finding; exit code 1 when something is wrong.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let findings = doctor::examine(root::find(), self.port);
        for finding in &findings {
            match finding {
                Finding::Fine(text) => say!("  ok     {text}"),
                Finding::Note(text) => say!("  note   {text}"),
                Finding::Wrong(text) => say!("  WRONG  {text}"),
            }
        }
        let wrong = findings.iter().filter(|finding| matches!(finding, Finding::Wrong(_))).count();
        if wrong == 0 && self.class {
            return class_ready();
        }
        say!("{}", if wrong == 0 { "nothing is wrong".to_owned() } else { format!("{wrong} to mend") });
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Prepares for a class. What fails is one thing to mend.
fn class_ready() -> anyhow::Result<ExitCode> {
    let root = root::find()?;
    say!("for a class:");
    block_on(async {
        tokio::select! {
            biased;
            code = interrupted() => Ok(code),
            prepared = class::prepare(&root, &|line| say!("{line}")) => {
                if let Err(error) = &prepared {
                    say!("  WRONG    {error:#}");
                }
                say!("{}", if prepared.is_ok() { "ready for a class, with or without a network" } else { "1 to mend" });
                Ok(if prepared.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    })
}

impl Preprocess {
    /// Answers mdBook on standard output.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        Ok(if book::preprocess(&self.args)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Screen {
    /// Reads the captures `TITLE=FILE …` and writes one picture of them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (out, panes) = self.args.split_first().context("usage: screen OUT.svg TITLE=FILE [TITLE=FILE…]")?;
        ensure!(!panes.is_empty(), "no screen to draw: give at least one TITLE=FILE");
        let mut captures = Vec::new();
        for pane in panes {
            let (title, file) = pane.split_once('=').with_context(|| format!("`{pane}` is not TITLE=FILE"))?;
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
            captures.push((title, text));
        }
        let panes: Vec<_> = captures.iter().map(|(title, text)| (*title, text.as_str())).collect();
        std::fs::write(out, screen::svg(&panes)).with_context(|| format!("cannot write {out}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print_json(event: &impl Serialize) {
    say!("{}", serde_json::to_string(event).unwrap_or_default());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a command's future on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(work);
    // All tasks end here. A build of the book is on a thread that cannot be stopped, and whoever pressed Ctrl-C does not wait for it.
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    result
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP; the exit code is the one that a shell gives to a program that a signal ended.
pub(crate) async fn interrupted() -> ExitCode {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        if let [Ok(int), Ok(term), Ok(hup)] = &mut kinds.map(signal) {
            let kind = tokio::select! {
                _ = int.recv() => kinds[0],
                _ = term.recv() => kinds[1],
                _ = hup.recv() => kinds[2],
            };
            return ExitCode::from(128 + kind.as_raw_value() as u8);
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
    ExitCode::from(130)
}
