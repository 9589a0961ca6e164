//! Keeps a write end of every build's pipe, for the deployer's lines.
//!
//! A build desk starts tools, and collects what they print through a pipe.
//!
//! Run it: `cargo run --bin unclosed-os-pipe-leak`
//!
//! You will see two descriptors and one task more after every build, although every tool has ended.

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
    tokio::spawn(collect(reader, log.clone()));
    Ok(writer)
}

async fn run(mut tool: Command, output: PipeWriter) -> Result<()> {
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
    #[should_panic(
        expected = "5 tasks spawned at scenarios/unclosed-os-pipe/leak.rs"
    )]
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
