//! `cargo lab kit`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use book::kit::Order;
use clap::Args;
use evidence::root;

use super::{block_on, interrupted, progress};
use crate::{
    check::{Outcome, TRIES},
    kit::{self, Judged},
};

/// The exit code where the machine was too busy to tell.
const TOO_BUSY: u8 = 3;

/// Which kit, and where to.
#[derive(Args)]
#[command(
    after_help = "Exit code: 0 written, or it passes; 1 what was handed in does not pass, 2 wrong arguments or surroundings, 3 this machine was too busy to tell."
)]
pub struct Kit {
    /// A scenario or an exercise, as `cargo lab list` names it
    name: String,
    /// How long the interview is: 20 or 45
    #[arg(long, default_value_t = 45)]
    minutes: u32,
    /// The folder to write [default: kit-NAME in the current folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Other nouns and another load, so that two candidates do not compare numbers; 0 is the workbook's own
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write into a folder that exists: files of the kit are replaced, others stay
    #[arg(long)]
    force: bool,
    /// Judge what a candidate hands back: the folder `candidate` of a kit of this name
    #[arg(long, value_name = "DIR", conflicts_with_all = ["minutes", "out", "seed", "force"])]
    verify: Option<PathBuf>,
}

impl Kit {
    /// Writes a kit, or judges one.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let root = root::find()?;
        if let Some(dir) = &self.verify {
            return block_on(async {
                tokio::select! {
                    // First of all: no amount of news delays a signal. Dropping the judgement ends what it started.
                    biased;
                    code = interrupted() => Ok(code),
                    code = verify(&root, &self.name, dir) => code,
                }
            });
        }
        let order = Order::new(self.minutes, self.seed)?;
        let dir = self.out.unwrap_or_else(|| format!("kit-{}", self.name).into());
        kit::write(&root, &self.name, order, &dir, self.force)?;
        let (candidate, sheet) = (dir.join(kit::CANDIDATE), dir.join(kit::INTERVIEWER));
        say!("for the candidate: {}", candidate.display());
        say!("for you: {}", sheet.display());
        say!("afterwards: `cargo lab kit {} --verify {}`", self.name, candidate.display());
        Ok(ExitCode::SUCCESS)
    }
}

async fn verify(root: &Path, name: &str, dir: &Path) -> anyhow::Result<ExitCode> {
    let judged = kit::verify(root, name, dir, &progress).await;
    progress("");
    let Judged { outcome, faults, changed } = judged?;
    let (said, code) = match outcome {
        Outcome::Passed => (format!("{name}: it passes"), ExitCode::SUCCESS),
        Outcome::Failed => (format!("{name}: it does not pass"), ExitCode::FAILURE),
        Outcome::TooBusy => {
            (format!("{name}: this machine was too busy to tell, {TRIES} times"), ExitCode::from(TOO_BUSY))
        }
    };
    say!("{said}");
    faults.iter().for_each(|fault| say!("  {fault}"));
    changed.iter().for_each(|change| say!("  note: {change}, and judged as the kit has it"));
    Ok(code)
}
