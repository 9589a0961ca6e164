//! What this process holds, read from tokio and, on Linux, from `/proc/self`.

use std::fs;

use tokio::runtime::RuntimeMetrics;

use crate::{panics, wire::Gauges};

/// Reads every gauge of the stage. On systems without `/proc` only tokio's own are there.
pub(crate) fn read(metrics: &RuntimeMetrics) -> Gauges {
    let mut gauges =
        Gauges::from([("tasks".to_owned(), metrics.num_alive_tasks() as u64), ("panics".to_owned(), panics::count())]);
    #[cfg(tokio_unstable)]
    gauges.insert("blocking_threads".to_owned(), metrics.num_blocking_threads() as u64);
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        gauges.extend(field(&status, "Threads:").map(|n| ("threads".to_owned(), n)));
        gauges.extend(field(&status, "VmRSS:").map(|n| ("rss_kib".to_owned(), n)));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let targets: Vec<_> = open.flatten().map(|entry| fs::read_link(entry.path()).unwrap_or_default()).collect();
        let sockets = targets.iter().filter(|target| target.to_string_lossy().starts_with("socket:")).count();
        // One of them is the directory that is being read here.
        gauges.insert("fds".to_owned(), targets.len().saturating_sub(1) as u64);
        gauges.insert("sockets".to_owned(), sockets as u64);
    }
    gauges
}

/// Resident memory; none on a system without `/proc`.
pub(crate) fn resident_kib() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_there_is_none() {
        assert_eq!(field("Threads:\t12\n", "VmRSS:"), None);
        assert_eq!(field("Threads:\t12\nVmRSS:\t  34 kB\n", "VmRSS:"), Some(34));
    }

    #[leakcheck::test]
    async fn a_socket_and_a_task_are_counted() {
        let before = read(&tokio::runtime::Handle::current().metrics());
        let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        let after = read(&tokio::runtime::Handle::current().metrics());
        task.abort();
        assert_eq!(after["tasks"], before["tasks"] + 1);
        if cfg!(target_os = "linux") {
            assert!(after["sockets"] > before["sockets"]);
        }
    }
}
