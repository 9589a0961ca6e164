//! A real curl.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::LIMIT;

/// What curl wrote about some events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) lines: Vec<String>,
    pub(crate) ids: Vec<u64>,
    pub(crate) data: Vec<Value>,
}

/// A real curl that does not buffer. It ends with the test.
pub(crate) struct Curl {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Curl {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let child = Command::new("curl")
            .args(["--silent", "--no-buffer", "--http1.1"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child =
            child.expect("curl is missing: `sudo apt install curl`");
        let lines =
            BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(crate) async fn line(&mut self) -> Option<String> {
        timeout(LIMIT, self.lines.next_line())
            .await
            .expect("a line in time")
            .unwrap()
    }

    /// The lines before this one.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            if line.trim_end() == last {
                return lines;
            }
            lines.push(line);
        }
        panic!("no line {last:?} after {lines:?}")
    }

    /// The next events that have an id.
    pub(crate) async fn ids(&mut self, count: usize) -> Events {
        let mut events = Events::default();
        while events.ids.len() < count {
            let line = self.line().await.expect("the stream goes on");
            let field =
                |name| line.strip_prefix(name).map(str::to_owned);
            events.data.extend(field("data: ").map(|data| {
                serde_json::from_str::<Value>(&data).unwrap()
            }));
            events.ids.extend(
                field("id: ").map(|id| id.parse::<u64>().unwrap()),
            );
            events.lines.push(line);
        }
        events
    }

    /// SIGKILL: it cannot say goodbye.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
