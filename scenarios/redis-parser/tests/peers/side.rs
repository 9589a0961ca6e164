//! A side of the scenario, as it runs.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{ChildStdout, Command, Output, Stdio},
    time::Instant,
};

use stage::wire::{Gauges, Line, Sample};

use crate::process::{Running, start, until};

/// One side, its own load done, there for others.
pub(crate) struct Side {
    pub(crate) program: Running,
    started: Instant,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) port: String,
}

impl Side {
    /// Starts a side whose own load is one client, at once; then it is there for others.
    pub(crate) fn start(program: &str) -> Self {
        let started = Instant::now();
        let mut command = Command::new(program);
        command.args([
            "--no-console",
            "--json",
            "--hold",
            "--rate",
            "0.001",
        ]);
        let mut child = start(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        let mut side = Self {
            program: Running(child),
            started,
            lines,
            port: String::new(),
        };
        // Its listener is there before the load begins.
        until("the side's own client", || {
            (side.sample().units_done == 1).then_some(())
        });
        side.port = listening(side.program.0.id()).to_string();
        side
    }

    /// The gauges as soon as they are as asked, from now on.
    pub(crate) fn gauges(
        &mut self,
        fits: impl Fn(&Gauges) -> bool,
    ) -> Gauges {
        // Older samples lie in the pipe. The program began after `started`, so these are new for certain.
        let now = self.started.elapsed().as_millis() as u64;
        let mut last = Gauges::new();
        until("the counts that the side states", || {
            let sample = self.sample();
            if sample.gauges != last {
                eprintln!("{:?}", sample.gauges);
            }
            last = sample.gauges;
            (sample.elapsed_ms >= now && fits(&last))
                .then(|| last.clone())
        })
    }

    fn sample(&mut self) -> Sample {
        loop {
            let line = self
                .lines
                .next()
                .expect("the side runs on")
                .expect("its output is text");
            if let Ok(Line::Sample(sample)) =
                serde_json::from_str(&line)
            {
                return sample;
            }
        }
    }

    pub(crate) fn tool(
        &self,
        name: &str,
        args: &[&str],
        input: &str,
    ) -> Output {
        let mut command = Command::new(name);
        command
            .args(["-h", "127.0.0.1", "-p", &self.port])
            .args(args);
        let mut child = start(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{name} {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    pub(crate) fn cli(&self, args: &[&str]) -> String {
        String::from_utf8(self.tool("redis-cli", args, "").stdout)
            .unwrap()
    }

    pub(crate) fn benchmark(&self, pipeline: &str) -> String {
        let args = [
            "-t",
            "ping,set,get,incr",
            "-n",
            "4000",
            "-c",
            "20",
            "-P",
            pipeline,
            "--csv",
        ];
        String::from_utf8(
            self.tool("redis-benchmark", &args, "").stdout,
        )
        .unwrap()
    }
}

/// The one port on which a process listens, as Linux tells it.
fn listening(pid: u32) -> u16 {
    let sockets: Vec<String> =
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .filter_map(|entry| {
                std::fs::read_link(entry.unwrap().path()).ok()
            })
            .filter_map(|link| {
                Some(
                    link.to_str()?
                        .strip_prefix("socket:[")?
                        .strip_suffix(']')?
                        .to_owned(),
                )
            })
            .collect();
    let table =
        std::fs::read_to_string(format!("/proc/{pid}/net/tcp"))
            .unwrap();
    let mut ports = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let is_ours = columns[3] == "0A"
            && sockets.iter().any(|socket| socket == columns[9]);
        is_ours.then(|| {
            u16::from_str_radix(
                columns[1].split_once(':').unwrap().1,
                16,
            )
            .unwrap()
        })
    });
    ports.next().expect("the side listens")
}
