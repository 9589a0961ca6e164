//! Runs programs under the checker, many at a time.

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use leakcheck::{Checker, Findings};

use crate::programs::{Body, Flavor};

/// As many tests at once as a developer's machine would run.
pub(crate) const THREADS: usize = 8;

/// How often to repeat, from the environment.
pub(crate) fn repeats(variable: &str, default: usize) -> usize {
    match env::var(variable) {
        Ok(number) => number.parse().unwrap_or_else(|_| panic!("{variable}={number} is not a number")),
        Err(_) => default,
    }
}

/// Runs a body under the checker.
pub(crate) fn find(flavor: Flavor, allow: &[&str], run: fn() -> Body) -> Findings<()> {
    let checker = match flavor {
        Flavor::CurrentThread => Checker::current_thread(),
        Flavor::Paused => Checker::current_thread().start_paused(true),
        Flavor::MultiThread => Checker::multi_thread(2),
    };
    allow.iter().fold(checker, |checker, place| checker.allow(place)).find(run)
}

/// The faults of a verdict that should find nothing left.
pub(crate) fn noise(found: &Findings<()>) -> Option<String> {
    let (quiet, returned) = (found.report.is_clean(), found.value.is_ok());
    (!quiet || !returned).then(|| format!("body returned: {returned}\n{}", found.report))
}

/// Does the jobs on eight threads, in their order, and collects what is wrong.
pub(crate) fn in_parallel<J: Sync>(jobs: &[J], check: impl Fn(&J) -> Option<String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(problem) = check(job) {
                        wrong.lock().unwrap().push(problem);
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// Fails with what is wrong: the first few in full, of the others what they were.
pub(crate) fn assert_none(wrong: &[String], of: usize) {
    let (full, others) = wrong.split_at(wrong.len().min(20));
    let others: Vec<_> = others.iter().filter_map(|problem| problem.lines().next()).collect();
    let (full, others) = (full.join("\n\n"), others.join("\n"));
    assert!(wrong.is_empty(), "{} of {of} runs went wrong:\n\n{full}\n\n{others}", wrong.len());
}

/// Two threads that leave the processors no rest while it lives.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Load {
    /// With `LEAKCHECK_LOAD=1` in the environment.
    pub(crate) fn if_asked() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let busy = |stop: Arc<AtomicBool>| {
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        let threads = 2 * repeats("LEAKCHECK_LOAD", 0).min(1);
        Self { threads: (0..threads).map(|_| thread::spawn(busy(stop.clone()))).collect(), stop }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}
