//! Programs as lists of tasks, each with its birth and its end, and the ledgers that would be read of them. No clock runs.

use std::time::{Duration, SystemTime};

use leakcheck::{Ledger, Line, Older, Oldest, Watch};

/// Seconds since the program began; a task without an end stays.
pub(crate) type Task = (f64, Option<f64>);

/// The readings of a program with one line, every so many seconds, from one moment to another.
pub(crate) fn readings(tasks: &[Task], from: f64, to: f64, every: f64) -> Vec<Ledger> {
    let count = ((to - from) / every).round() as usize;
    (0..=count).map(|reading| ledger(tasks, every.mul_add(reading as f64, from), 0)).collect()
}

/// What a ledger says of the program at one moment. Processes that begin at different times have different zeros.
pub(crate) fn ledger(tasks: &[Task], now: f64, zero: u64) -> Ledger {
    let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + zero);
    let mut line = Line::default();
    line.location = "src/service.rs:17:5".to_owned();
    let mut alive = Vec::new();
    for (birth, end) in tasks.iter().filter(|task| task.0 <= now) {
        line.spawned += 1;
        match end {
            Some(end) if *end <= now => line.ended += 1,
            _ => alive.push(*birth),
        }
    }
    line.alive = alive.len() as u64;
    let older = |than: Duration| alive.iter().filter(|birth| now - **birth > than.as_secs_f64()).count() as u64;
    line.older = Watch::AGES.iter().map(|than| Older { than: *than, tasks: older(*than) }).collect();
    // As exact as the registry's clock: 50 ms.
    let at = |seconds: f64| Duration::from_millis((seconds * 20.0).floor() as u64 * 50);
    line.oldest = alive
        .iter()
        .copied()
        .min_by(f64::total_cmp)
        .map(|birth| Oldest { birth: begun + at(birth), age: at(now).saturating_sub(at(birth)) });
    let mut ledger = Ledger::new(begun, begun + Duration::from_secs_f64(now));
    ledger.lines.push(line);
    ledger
}

/// Numbers that look random and are the same in each run, between 0 and 1.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Until the next of events that come at random, so many a second.
    fn pause(&mut self, rate: f64) -> f64 {
        -(1.0 - self.roll()).ln() / rate
    }
}

/// Arrivals at random, at a rate that may change, each with a life of its own.
pub(crate) fn arrivals(
    seed: u64,
    until: f64,
    rate: impl Fn(f64) -> f64,
    life: impl Fn(&mut Dice, f64) -> Option<f64>,
) -> Vec<Task> {
    let (mut dice, mut now, mut tasks) = (Dice::new(seed), 0.0, Vec::new());
    loop {
        now += dice.pause(rate(now).max(1e-6));
        if now > until {
            return tasks;
        }
        tasks.push((now, life(&mut dice, now).map(|life| now + life)));
    }
}

/// Arrivals at one server that takes a time for each, the first come first.
pub(crate) fn queue(seed: u64, until: f64, rate: impl Fn(f64) -> f64, serve: impl Fn(f64) -> Option<f64>) -> Vec<Task> {
    let mut tasks = arrivals(seed, until, rate, |_, _| None);
    let mut free = Some(0.0_f64);
    for (birth, end) in &mut tasks {
        let begins = free.map(|free| free.max(*birth));
        // A server that is stuck serves nobody any more.
        free = begins.and_then(|begins| serve(begins).map(|takes| begins + takes));
        *end = free;
    }
    tasks
}

/// One life in so many never ends; the others take some 20 ms to a second.
pub(crate) fn one_in(leaks: f64) -> impl Fn(&mut Dice, f64) -> Option<f64> {
    move |dice, _| {
        let life = dice.roll().mul_add(0.98, 0.02);
        (dice.roll() >= 1.0 / leaks).then_some(life)
    }
}
