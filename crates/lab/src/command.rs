//! The commands of `cargo lab`: arguments in, exit code out.

use std::{process::ExitCode, sync::Mutex};

use clap::Args;

use crate::{
    pair::{self, Event},
    root, scenario,
    view::View,
};

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

impl Pair {
    /// Runs the sides; exit code 0 when each did what it states, 1 when not, 130 after Ctrl-C.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            let scenario = scenario::find(&root, &self.name).await?;
            scenario.check_sides(&self.sides)?;
            let view = Mutex::new(View::new(&scenario, &self.sides));
            let ok = Mutex::new(false);
            let on = |event: Event| {
                if let Event::Verdict { ok: all, .. } = &event {
                    *lock(&ok) = *all;
                }
                if self.json { print_json(&event) } else { lock(&view).show(&event) }
            };
            let run = pair::run_to_verdict(&root, &scenario, &self.sides, &self.program_args, &on);
            tokio::select! {
                result = run => {
                    if let Err(error) = result {
                        eprintln!("error: {error:#}");
                    }
                    Ok(if *lock(&ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
                }
                // Dropping the run ends both programs.
                () = interrupted() => Ok(ExitCode::from(130)),
            }
        })
    }
}

impl List {
    /// One line a scenario.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        block_on(async {
            for scenario in scenario::all(&root).await? {
                println!("{:<20} {}", scenario.name, scenario.about);
                println!("{:<20} sides: {}", "", scenario.sides.join(", "));
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn print_json(event: &Event) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(event).unwrap_or_default());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a command's future on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

/// Ctrl-C, SIGTERM or SIGHUP.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        if let [Ok(int), Ok(term), Ok(hup)] = &mut kinds.map(signal) {
            tokio::select! { _ = int.recv() => {}, _ = term.recv() => {}, _ = hup.recv() => {} }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
