//! Gives every tool a pipe of its own, and keeps no write end of it.
//!
//! A build desk starts tools, and collects what they print through a pipe.
//!
//! Run it: `cargo run --bin unclosed-os-pipe-fix`
//!
//! You will see the counts rise with every build, and come back to where they started.

mod world;

use std::{
    io::{PipeReader, PipeWriter, pipe},
    os::fd::OwnedFd,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::unix::pipe::Receiver,
    process::Command,
    sync::watch,
};
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
        let log = Log::default();
        run(compiler(commit), open(&log)?).await?;
        let build = Arc::new(Build { log });
        self.builds.lock().unwrap().push(build.clone());
        Ok(build)
    }
}

impl Build {
    /// The deployer's lines come through a pipe of their own.
    async fn deploy(&self, commit: u64) -> Result<()> {
        run(deployer(commit), open(&self.log)?).await
    }
}

/// A new pipe into the log: tools write, the collector reads.
fn open(log: &Log) -> Result<PipeWriter> {
    let (reader, writer) = pipe()?;
    tokio::spawn(collect(reader, log.clone()));
    Ok(writer)
}

async fn run(mut tool: Command, output: PipeWriter) -> Result<()> {
    // FIX: `tool` owns our only write end, and is dropped here.
    let status = tool.stdout(output).status().await?;
    ensure!(status.success(), "the tool failed: {status}");
    Ok(())
}

/// Reads to the end of the pipe, that is until every write end
/// of it is closed: the tools', and this process's own.
async fn collect(reader: PipeReader, log: Log) -> Result<()> {
    let reader = Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
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
