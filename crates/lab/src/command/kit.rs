//! `cargo lab kit`.

use std::{path::PathBuf, process::ExitCode};

use book::kit::Order;
use clap::Args;
use evidence::root;

use crate::kit;

/// Which kit, and where to.
#[derive(Args)]
pub struct Kit {
    /// A scenario or an exercise
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
    /// Write into a folder that exists; files of the kit are replaced, others stay
    #[arg(long)]
    force: bool,
}

impl Kit {
    /// Writes a kit.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let order = Order::new(self.minutes, self.seed)?;
        let dir = self.out.unwrap_or_else(|| format!("kit-{}", self.name).into());
        kit::write(&root::find()?, &self.name, order, &dir, self.force)?;
        say!("the kit is in {}", dir.display());
        Ok(ExitCode::SUCCESS)
    }
}
