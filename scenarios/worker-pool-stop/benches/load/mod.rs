//! A side as a real service in a process of its own, and `hey` in front of it.
//!
//! Twenty `hey` begin one after the other within a second, for one alone lets all its connections ask at the same moment. Each
//! connection asks once a second, and hangs up when a second has passed: so a slow answer never delays the next question, and
//! the percentiles have no coordinated omission.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const HEYS: usize = 20;
/// Live tasks are counted this often.
const SAMPLE: Duration = Duration::from_millis(200);
/// Nothing but a load takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// A program that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Service {
    program: Running,
    url: String,
}

/// What one load brought.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) sent: usize,
    /// Fares: when they came, in seconds since the first `hey` began, and after how many milliseconds.
    pub(crate) fares: Vec<(f64, f64)>,
    /// Answers that said no.
    pub(crate) refused: usize,
    /// Live tasks, each 200 ms.
    pub(crate) tasks: Vec<usize>,
    seconds: usize,
}

impl Service {
    pub(crate) fn start(program: &str) -> Self {
        Self::start_with(program, 20)
    }

    /// Its workers bring their fares to the audit log this often.
    pub(crate) fn start_with(program: &str, flush_ms: u64) -> Self {
        let mut child = Command::new(program)
            .arg("serve")
            .env("FARES_FLUSH_MS", flush_ms.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let program = Running(child);
        let mut url = String::new();
        said.read_line(&mut url).unwrap();
        Self { program, url: url.trim().to_owned() }
    }

    /// New lists of prices, many at a time: beside thousands of workers that tick, each waits long for its turn.
    pub(crate) fn new_lists(&self, count: usize) {
        if count > 0 {
            let put = ["-m", "PUT", "-d", "700", "-t", "20"];
            let url = format!("{}/prices", self.url);
            // hey sends whole rounds only.
            let at_once =
                if count.is_multiple_of(25) { "25" } else { "1" };
            let count = count.to_string();
            let (n, c) = (["-n", &count], ["-c", at_once]);
            let text = finish(hey(&n, &c, &put, &url));
            assert_eq!(rows(&text).count(), count.parse().unwrap());
        }
    }

    /// Live tasks, without the connection that asks.
    pub(crate) fn tasks(&self) -> usize {
        let address = self.url.trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let ask = format!(
            "GET /tasks HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        );
        socket.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let count = answer.rsplit("\r\n\r\n").next().unwrap();
        count.parse::<usize>().unwrap() - 1
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        let path = format!("/proc/{}/status", self.program.0.id());
        let text = fs::read_to_string(path).unwrap();
        let line =
            text.lines().find(|line| line.starts_with("VmRSS:"));
        let kb = line.and_then(|line| line.split_whitespace().nth(1));
        kb.unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Processor time so far, in ticks of 10 ms.
    pub(crate) fn processor(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.program.0.id());
        let text = fs::read_to_string(path).unwrap();
        let (_, rest) = text.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        ticks(11) + ticks(12)
    }

    /// So many questions each second, for so many seconds.
    pub(crate) fn load(&self, rate: usize, seconds: usize) -> Load {
        let each = rate / HEYS;
        let n = (each * seconds).to_string();
        let c = each.to_string();
        let url = format!("{}/fares/7", self.url);
        let mut load = Load {
            sent: each * seconds * HEYS,
            seconds,
            ..Load::default()
        };
        let began = Instant::now();
        let heys: Vec<_> = (0..HEYS)
            .map(|turn| {
                let at = Duration::from_secs(1) * turn as u32
                    / HEYS as u32;
                thread::sleep(at.saturating_sub(began.elapsed()));
                let once = ["-q", "1", "-t", "1"];
                let started = began.elapsed().as_secs_f64();
                let hey = hey(&["-n", &n], &["-c", &c], &once, &url);
                (started, hey)
            })
            .collect();
        // The first and the last second are not whole.
        let end = Duration::from_secs(seconds as u64);
        let mut next = Duration::from_secs(2);
        while next < end {
            thread::sleep(next.saturating_sub(began.elapsed()));
            load.tasks.push(self.tasks());
            // A service that is late with its answer is asked less.
            next = began.elapsed().max(next + SAMPLE);
        }
        for (started, hey) in heys {
            for (took, status, offset) in rows(&finish(hey)) {
                if status == 200 {
                    let came = started + offset + took;
                    load.fares.push((came, took * 1_000.0));
                } else {
                    load.refused += 1;
                }
            }
        }
        load
    }
}

impl Load {
    pub(crate) fn tasks_mean(&self) -> f64 {
        self.tasks.iter().sum::<usize>() as f64
            / self.tasks.len() as f64
    }

    /// Answers in each whole second.
    fn seconds(&self) -> Vec<f64> {
        let mut count = vec![0.0; self.seconds];
        for (came, _) in &self.fares {
            if let Some(second) = count.get_mut(*came as usize) {
                *second += 1.0;
            }
        }
        count.split_off(2)
    }

    /// The standard deviation of the answers in a second.
    pub(crate) fn deviation(&self) -> f64 {
        let seconds = self.seconds();
        let count = seconds.len() as f64;
        let mean = seconds.iter().sum::<f64>() / count;
        let squares =
            seconds.iter().map(|answers| (answers - mean).powi(2));
        (squares.sum::<f64>() / count).sqrt()
    }

    /// Questions that got no answer within their second.
    pub(crate) fn late(&self) -> usize {
        self.sent - self.fares.len() - self.refused
    }

    /// Of all questions that were not refused; none when it is more than the second that a passenger waits.
    pub(crate) fn p99(&self) -> Option<f64> {
        let mut times: Vec<f64> =
            self.fares.iter().map(|fare| fare.1).collect();
        times.sort_by(f64::total_cmp);
        let admitted = self.sent - self.refused;
        times.get((admitted * 99).div_ceil(100) - 1).copied()
    }
}

fn hey(n: &[&str], c: &[&str], rest: &[&str], url: &str) -> Running {
    let child = Command::new("hey")
        .args(["-o", "csv"])
        .args(n)
        .args(c)
        .args(rest)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap_or_else(|error| {
        panic!(
            "hey does not start ({error}): run `sudo apt install hey`"
        )
    }))
}

/// Reads to the end: `hey` ends by itself, for it has a number of requests and each has a limit.
fn finish(mut hey: Running) -> String {
    let mut text = String::new();
    let mut said = hey.0.stdout.take().unwrap();
    said.read_to_string(&mut text).unwrap();
    assert!(hey.0.wait().unwrap().success(), "hey failed: {text}");
    text
}

/// Seconds it took, status, and when it was sent. A request that failed is no row.
fn rows(text: &str) -> impl Iterator<Item = (f64, u16, f64)> {
    text.lines().skip(1).filter(|line| !line.is_empty()).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        (number(0), fields[6].parse().unwrap(), number(7))
    })
}
