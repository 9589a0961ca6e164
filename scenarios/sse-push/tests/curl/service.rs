//! A side that waits for real visitors.

use std::{
    ffi::OsString, net::SocketAddr, process::Stdio, time::Instant,
};

use stage::wire::{Line, Report, Sample};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use crate::{DESCRIPTORS, LIMIT, visitor::Curl};

/// One side, waiting for real visitors. It ends with the test.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) addr: SocketAddr,
    /// Just before the program's own clock began.
    started: Instant,
    lines: Lines<BufReader<ChildStdout>>,
    /// Kept open, so that the service may complain.
    _complaints: BufReader<ChildStderr>,
}

impl Service {
    pub(crate) async fn start(
        bin: &str,
        units: u64,
        descriptors: Option<usize>,
    ) -> Self {
        let limit = descriptors
            .map_or("true".to_owned(), |n| format!("ulimit -n {n}"));
        let started = Instant::now();
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("{limit} && exec \"$0\" \"$@\""),
                bin,
            ])
            .args([
                "--json",
                "--no-console",
                "--units",
                &units.to_string(),
            ])
            .env("SSE_PUSH_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut complaints =
            BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        timeout(LIMIT, complaints.read_line(&mut first))
            .await
            .unwrap()
            .unwrap();
        let addr = first
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next()?.parse().ok());
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            started,
            addr: addr.unwrap_or_else(|| panic!("{bin}: {first}")),
            lines,
            _complaints: complaints,
        }
    }

    pub(crate) fn events(&self) -> String {
        format!("http://{}/parcels/P7/events", self.addr)
    }

    /// A scan by a courier with a curl of his own; returns its id.
    pub(crate) async fn courier(
        &self,
        parcel: &str,
        place: &str,
    ) -> String {
        let url =
            format!("http://{}/parcels/{parcel}/scans", self.addr);
        let mut curl = Curl::start(&[
            "-w",
            "\n",
            "--data-binary",
            place,
            "-H",
            "Content-Type: text/plain",
            &url,
        ])
        .await;
        curl.line().await.expect("an answer")
    }

    async fn line(&mut self) -> Line {
        let line = timeout(LIMIT, self.lines.next_line())
            .await
            .expect("a line in time")
            .unwrap()
            .expect("it runs");
        serde_json::from_str(&line).unwrap()
    }

    /// The first sample from now on in which this is so.
    pub(crate) async fn sample_when(
        &mut self,
        holds: impl Fn(&Sample) -> bool,
    ) -> Sample {
        let mut last = None;
        // Samples that were taken before wait in the pipe.
        let now = self.started.elapsed().as_millis() as u64;
        let find = async {
            loop {
                match self.line().await {
                    Line::Sample(sample)
                        if sample.elapsed_ms > now
                            && holds(&sample) =>
                    {
                        return sample;
                    }
                    line => last = Some(line),
                }
            }
        };
        let found = timeout(LIMIT, find).await;
        found.unwrap_or_else(|_| {
            panic!("it never came to that; at last {last:?}")
        })
    }

    pub(crate) async fn report(&mut self) -> (Report, Option<i32>) {
        loop {
            if let Line::Report(report) = self.line().await {
                return (
                    report,
                    self.child.wait().await.unwrap().code(),
                );
            }
        }
    }

    /// Open descriptors with a number below the limit. Above it are
    /// those that a shell may have left to it.
    pub(crate) fn descriptors(&self) -> usize {
        let pid = self.child.id().expect("it runs");
        let open =
            std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let number =
            |name: OsString| name.to_str()?.parse::<usize>().ok();
        open.flatten()
            .filter_map(|entry| number(entry.file_name()))
            .filter(|fd| *fd < DESCRIPTORS)
            .count()
    }
}
