//! The checker never hangs and never crashes, whatever it is given, however often.
//!
//! `LEAKCHECK_ENDURANCE=10000` is the full measurement.

use std::{
    panic::catch_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::{
    blame::wrong_blame,
    harness::{Load, THREADS, assert_none, find, noise, repeats},
    leaks::{self, Leak},
    programs::{self, Clean, Flavor},
};

/// No program runs longer than three seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The same programs in the same order, every time.
const SEED: u64 = 20_261_121;

#[derive(Clone, Copy)]
enum Pick {
    Leaking(Leak),
    Quiet(Clean),
}

impl Pick {
    fn name(&self) -> &'static str {
        match self {
            Self::Leaking(leak) => leak.name,
            Self::Quiet(clean) => clean.name,
        }
    }

    /// What is wrong with the checker's verdict.
    fn check(&self, flavor: Flavor) -> Option<String> {
        match self {
            Self::Leaking(leak) => wrong_blame(leak, flavor, &[]),
            Self::Quiet(clean) => noise(&find(flavor, clean.allow, clean.run)),
        }
    }
}

/// SplitMix64: a few lines, and good enough to pick programs.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}

/// Picks any program, and a flavor it supports.
fn picks(count: usize) -> Vec<(Pick, Flavor)> {
    let leaks = leaks::all().into_iter().map(Pick::Leaking);
    let all: Vec<_> = leaks.chain(programs::all().into_iter().map(Pick::Quiet)).collect();
    let mut dice = Dice(SEED);
    let mut pick = || {
        let pick = all[dice.roll(all.len())];
        let flavors = match pick {
            Pick::Leaking(_) => programs::EVERYWHERE,
            Pick::Quiet(clean) => clean.flavors,
        };
        (pick, flavors[dice.roll(flavors.len())])
    };
    (0..count).map(|_| pick()).collect()
}

type Running = Arc<Mutex<Vec<(usize, &'static str, Flavor)>>>;

/// Works through the picks and reports each; a thread of its own, so that a hang stops only this one.
fn worker(
    picks: Arc<Vec<(Pick, Flavor)>>,
    next: Arc<AtomicUsize>,
    running: Running,
    done: mpsc::Sender<Option<String>>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some((pick, flavor)) = picks.get(number) else { break };
        running.lock().unwrap().push((number, pick.name(), *flavor));
        let outcome = catch_unwind(|| pick.check(*flavor));
        running.lock().unwrap().retain(|(other, ..)| *other != number);
        let problem = outcome.unwrap_or_else(|_| Some("the checker crashed".into()));
        // The watchdog has given up when nobody listens.
        let _ = done.send(problem.map(|problem| format!("{} on {flavor:?}, pick {number}: {problem}", pick.name())));
    }
}

/// The test's own thread is the watchdog: it waits for the workers and never runs a program itself.
#[test]
fn ten_thousand_runs_end() {
    let _load = Load::if_asked();
    let picks = Arc::new(picks(repeats("LEAKCHECK_ENDURANCE", 300)));
    let (next, running, (done, outcomes)) = (Arc::default(), Running::default(), mpsc::channel());
    for _ in 0..THREADS {
        let (picks, next, running, done) = (picks.clone(), Arc::clone(&next), running.clone(), done.clone());
        thread::spawn(move || worker(picks, next, running, done));
    }
    let mut wrong = Vec::new();
    for _ in 0..picks.len() {
        let outcome = outcomes.recv_timeout(LIMIT);
        wrong.extend(outcome.unwrap_or_else(|_| panic!("these hang: {:?}", running.lock().unwrap())));
    }
    println!("{} runs, {} wrong", picks.len(), wrong.len());
    assert_none(&wrong, picks.len());
}
