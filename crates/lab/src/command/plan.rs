//! The hidden command that `scripts/pair` asks.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use evidence::root;

use crate::{cargo, plan};

/// What `scripts/pair` was asked. The script says where it was called, because it moves to the root.
#[derive(Args)]
#[command(override_usage = "scripts/pair NAME [SIDE_A SIDE_B] [--capture DIR]")]
pub struct PairPlan {
    name: String,
    /// Leak and fix, or leak and control, where none is named
    #[arg(num_args = 2, value_names = ["SIDE_A", "SIDE_B"])]
    sides: Vec<String>,
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,
    /// Rows and columns, as `stty size` says them; empty without a terminal
    #[arg(long, hide = true, default_value = "")]
    terminal: String,
    #[arg(long, hide = true, default_value = ".")]
    from: PathBuf,
}

impl PairPlan {
    /// Prints the plan.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        cargo::check_flags()?;
        let asked = plan::Asked {
            name: &self.name,
            sides: &self.sides,
            capture: self.capture.map(|folder| self.from.join(folder)),
            terminal: plan::terminal(&self.terminal),
        };
        let plan = plan::plan(&root::find()?, &asked)?;
        writeln!(std::io::stdout(), "{plan}")?;
        Ok(ExitCode::SUCCESS)
    }
}
