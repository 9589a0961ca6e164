//! The commands of `cargo lab`: arguments in, exit code out.

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

use crate::{
    book, browser,
    catalogue::{Catalogue, Scenario},
    doctor::{self, Finding},
    measure,
    pair::{self, Event},
    recording, root, screen,
    serve::{Name, Server},
    view::View,
};

/// Prints a line. A reader that went away (`| head`) is no reason to fail.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

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
}

/// The scenario's name and what to run of it.
#[derive(Args)]
pub struct Pair {
    /// The scenario, as `cargo lab list` names it
    name: String,
    /// The sides to run at the same time
    #[arg(long, value_delimiter = ',', default_value = "leak,fix")]
    sides: Vec<String>,
    /// Print events as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Arguments for both programs, such as `--units 1000 --rate max`
    #[arg(last = true)]
    program_args: Vec<String>,
}

/// Nothing to ask.
#[derive(Args)]
pub struct List {}

/// What to record.
#[derive(Args)]
pub struct Record {
    /// Scenarios; all of them when none is named
    names: Vec<String>,
    /// Leave the pictures of tokio-console as they are
    #[arg(long)]
    no_screens: bool,
}

/// Nothing to ask.
#[derive(Args)]
pub struct Book {}

/// What to look at.
#[derive(Args)]
pub struct Doctor {
    /// The port that the book will be served on
    #[arg(long, default_value_t = PORT)]
    port: u16,
}

/// What mdBook says.
#[derive(Args)]
pub struct Preprocess {
    args: Vec<String>,
}

/// What to draw.
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
        let server = Server::bind(root, SocketAddr::new(self.bind, self.port), &self.host).await?;
        let url = server.url()?;
        say!("the book is at {url}   (Ctrl-C ends it)");
        if !self.bind.is_loopback() {
            eprintln!("warning: whoever reaches {} of this machine can read the book and run its programs", self.bind);
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

impl Pair {
    /// Runs the sides; exit code 0 when each did what it states, 1 when not.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            let catalogue = Catalogue::read(&root)?;
            let scenario = catalogue.find(&self.name)?;
            scenario.check_sides(&self.sides)?;
            let view = Mutex::new(View::new(scenario, &self.sides));
            let ok = Mutex::new(false);
            let on = |event: Event| {
                if let Event::Verdict { ok: all, .. } = &event {
                    *lock(&ok) = *all;
                }
                if self.json { print_json(&event) } else { lock(&view).show(&event) }
            };
            let run = pair::run_to_verdict(&root, scenario, &self.sides, &self.program_args, &on);
            tokio::select! {
                result = run => {
                    if let Err(error) = result {
                        eprintln!("error: {error:#}");
                    }
                    Ok(if *lock(&ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
                }
                // Dropping the run ends both programs.
                code = interrupted() => Ok(code),
            }
        })
    }
}

impl List {
    /// One line a scenario.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        let catalogue = Catalogue::read(&root)?;
        for scenario in &catalogue.scenarios {
            say!("{:<20} {}", scenario.name, scenario.about);
            say!("{:<20} sides: {}", "", scenario.side_names().join(", "));
        }
        for broken in &catalogue.broken {
            eprintln!("error: {}", broken.why);
        }
        Ok(if catalogue.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

impl Record {
    /// Records one scenario after the other; stops at the first run that is not as its side states.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            let catalogue = Catalogue::read(&root)?;
            let named = self.names.iter().map(|name| catalogue.find(name)).collect::<anyhow::Result<Vec<_>>>();
            let named = named.context("nothing was recorded")?;
            let asked = if named.is_empty() { catalogue.whole()?.iter().collect() } else { named };
            for scenario in asked {
                tokio::select! {
                    result = record(&root, scenario, !self.no_screens) => result?,
                    code = interrupted() => return Ok(code),
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn record(root: &Path, scenario: &Scenario, screens: bool) -> anyhow::Result<()> {
    say!("{}: {}", scenario.name, scenario.side_names().join(", "));
    let on = |event: Event| match event {
        Event::Build { text, done, total } => progress(&format!("building {done} of {total}: {text}")),
        Event::Sample { side, sample, .. } => progress(&format!("{side}: {} units done", sample.units_done)),
        Event::Verdict { .. } | Event::Error { .. } => {}
    };
    let made = measure::make(root, scenario, &on).await;
    progress("");
    let made = made?;
    measure::save(root, &made)?;
    say!("    wrote {}", recording::path(root, &scenario.name).display());
    if screens {
        let status = tokio::process::Command::new(root.join("scripts/pair"))
            .args([&scenario.name, "--capture", "book/src/screens"])
            .current_dir(root)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .context("cannot run scripts/pair")?;
        ensure!(
            status.success(),
            "scripts/pair {} --capture failed; `--no-screens` leaves the pictures out",
            scenario.name
        );
    }
    Ok(())
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
        say!("{}", if wrong == 0 { "nothing is wrong".to_owned() } else { format!("{wrong} to mend") });
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Preprocess {
    /// Answers mdBook on standard output.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        book::preprocess(&self.args)
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

fn print_json(event: &Event) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_nothing_and_an_argument_that_names_no_file_are_refused() {
        let refused = |args: &[&str]| {
            let args = args.iter().map(|&arg| arg.to_owned()).collect();
            format!("{:#}", Screen { args }.run().unwrap_err())
        };
        assert!(refused(&[]).starts_with("usage: screen"));
        assert!(refused(&["out.svg"]).contains("no screen to draw"));
        assert!(refused(&["out.svg", "leak"]).contains("not TITLE=FILE"));
        assert!(refused(&["out.svg", "leak=no/such.file"]).contains("cannot read no/such.file"));
    }
}
