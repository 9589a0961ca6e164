//! Keeps the write end, and reads the pipe on a blocking thread, not in a task.
//!
//! Run it: `cargo run --bin unclosed-os-pipe-wrong-thread`
//!
//! You will see two descriptors and one thread more after every build, and not one task.

mod world;

use std::{
    io::{BufRead, BufReader, PipeReader, PipeWriter, pipe},
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
    /// The deployer's lines go to the same log.
    output: PipeWriter,
}

impl Desk {
    async fn build(&self, commit: u64) -> Result<Arc<Build>> {
        let log = Log::default();
        let output = open(&log)?;
        run(compiler(commit), output.try_clone()?).await?;
        // LEAK: our own write end keeps the pipe from ending.
        let build = Arc::new(Build { log, output });
        self.builds.lock().unwrap().push(build.clone());
        Ok(build)
    }
}

impl Build {
    async fn deploy(&self, commit: u64) -> Result<()> {
        run(deployer(commit), self.output.try_clone()?).await
    }
}

/// A new pipe into the log: tools write, the collector reads.
fn open(log: &Log) -> Result<PipeWriter> {
    let (reader, writer) = pipe()?;
    let log = log.clone();
    tokio::task::spawn_blocking(move || collect(reader, log));
    Ok(writer)
}

async fn run(mut tool: Command, output: PipeWriter) -> Result<()> {
    let status = tool.stdout(output).status().await?;
    ensure!(status.success(), "the tool failed: {status}");
    Ok(())
}

/// Reads to the end of the pipe, that is until every write end
/// of it is closed: the tools', and this process's own.
fn collect(reader: PipeReader, log: Log) -> Result<()> {
    for line in BufReader::new(reader).lines() {
        let line = line?;
        log.send_modify(|log| log.push(line));
    }
    Ok(())
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
    #[should_panic(expected = "5 blocking threads left")]
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
