//! Calls `output()`, which makes the pipe, reads it to the end and closes it.
//!
//! Run it: `cargo run --bin unclosed-os-pipe-output`
//!
//! You will see next to nothing: a build leaves no task and no descriptor.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::{Result, ensure};
use tokio::{process::Command, sync::watch};
use world::{COMPILER_LINES, compiler, deployer};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        let lines = desk.clone();
        stage.gauge("lines_collected", move || lines.collected());
        stage.load(async |commit| desk.visit(commit).await).await;
        Ok(desk)
    })
}

// ANCHOR: service
/// The build desk: one entry a build, for the status page.
#[derive(Default)]
struct Desk {
    builds: Mutex<Vec<Arc<Build>>>,
}

/// What the tools printed; the status page watches it.
type Log = watch::Sender<Vec<String>>;

struct Build {
    log: Log,
}

impl Desk {
    async fn build(&self, commit: u64) -> Result<Arc<Build>> {
        let build = Arc::new(Build { log: Log::default() });
        build.run(compiler(commit)).await?;
        self.builds.lock().unwrap().push(build.clone());
        Ok(build)
    }
}

impl Build {
    async fn deploy(&self, commit: u64) -> Result<()> {
        self.run(deployer(commit)).await
    }

    async fn run(&self, mut tool: Command) -> Result<()> {
        // FIX: the write end is made, lent and closed in one call.
        let output = tool.output().await?;
        ensure!(output.status.success(), "{}", output.status);
        let lines = str::from_utf8(&output.stdout)?.lines();
        self.log
            .send_modify(|log| log.extend(lines.map(str::to_owned)));
        Ok(())
    }
}
// ANCHOR_END: service

impl Desk {
    /// What a developer does: build, read the log, deploy.
    async fn visit(&self, commit: u64) -> Result<()> {
        let build = self.build(commit).await?;
        let mut log = build.log.subscribe();
        log.wait_for(|log| log.len() == COMPILER_LINES).await?;
        build.deploy(commit).await?;
        log.wait_for(|log| log.len() > COMPILER_LINES).await?;
        Ok(())
    }

    fn collected(&self) -> u64 {
        let builds = self.builds.lock().unwrap();
        builds.iter().map(|b| b.log.borrow().len() as u64).sum()
    }
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_build_leaves_no_collector_behind() {
        let desk = Desk::default();
        let builds = leakcheck::scope();
        for commit in 0..5 {
            desk.visit(commit).await.unwrap();
        }
        // The desk lives on, and only the builds are over.
        builds.assert().await;
    }
    // ANCHOR_END: guard
}
