//! A load that never ends by itself: a signal ends it at any moment, and memory stays within what the run says.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Lab, await_gone, lab};

const PAIR: &str = "unconsumed-send";
/// On an idle machine it takes less than a second, which is what is promised; tests run on busy ones.
const END_MAX: Duration = Duration::from_secs(5);
/// The console is being waited for when the programs have said nothing for so long: they sample every 250 ms.
const SILENCE: Duration = Duration::from_millis(350);
/// Now and then the verdict is there before the signal.
const TRIES: usize = 5;

/// When the signal is sent.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The programs have started.
    Start,
    /// So many units are done.
    Done(u64),
    /// The load is over, and the counts come to rest.
    Quiet,
    /// The report is there, and the console comes to the program's count.
    Agreeing,
}

/// Runs a pair with a large load, and sends the signal at the moment.
fn ends(signal: Signal, code: i32, moment: Moment, load: &[&str]) {
    assert!((0..TRIES).any(|_| ended(signal, code, moment, load)), "{moment:?} never came before the verdict");
}

/// False when the verdict was there first.
fn ended(signal: Signal, code: i32, moment: Moment, load: &[&str]) -> bool {
    let mut lab = Lab::start(lab(&[&["pair", PAIR, "--json", "--"], load].concat()));
    // The reader sends, the test receives; it ends with the lab.
    let (tx, lines) = mpsc::channel();
    let reader = std::mem::replace(&mut lab.lines, Lab::no_lines());
    let reading = std::thread::spawn(move || reader.map_while(Result::ok).try_for_each(|line| tx.send(line)));
    let mut over = false;
    loop {
        match lines.recv_timeout(if over { SILENCE } else { Duration::from_secs(120) }) {
            Ok(line) => {
                let event: Value = serde_json::from_str(&line).unwrap();
                assert_ne!(event["event"], "error", "{line}");
                if event["event"] == "verdict" {
                    return false;
                }
                over |= event["sample"]["phase"] == "quiet";
                let done = event["sample"]["units_done"].as_u64().unwrap_or(0);
                let is_now = match moment {
                    Moment::Start => event["event"] == "started",
                    Moment::Done(units) => done >= units,
                    Moment::Quiet => over,
                    Moment::Agreeing => false,
                };
                if is_now {
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) if over => break,
            Err(error) => panic!("nothing was said: {error}"),
        }
    }
    let programs = lab.children(PAIR);
    let memory = lab.memory_max_kib() / 1024;
    let (sent, _) = (Instant::now(), lab.signal(signal));
    let (ended_with, words) = lab.end();
    await_gone(&programs);
    let took = sent.elapsed();
    reading.join().unwrap().ok();
    println!("{signal:?} at {moment:?}: over after {took:?}; the lab took {memory} MiB at most");
    assert_eq!(ended_with, code, "{words}");
    assert!(took < END_MAX, "{signal:?} at {moment:?}: {took:?}");
    true
}

#[test]
fn a_signal_ends_a_large_load_at_any_moment() {
    let endless = ["--units", "1000000", "--rate", "max"];
    for moment in [Moment::Start, Moment::Done(20), Moment::Done(500)] {
        ends(Signal::INT, 130, moment, &endless);
        ends(Signal::TERM, 143, moment, &endless);
    }
}

#[test]
fn a_signal_ends_a_load_that_is_over_before_the_verdict() {
    let large = ["--units", "1000000", "--rate", "max", "--memory", "150"];
    ends(Signal::INT, 130, Moment::Quiet, &large);
    ends(Signal::TERM, 143, Moment::Agreeing, &large);
    ends(Signal::HUP, 129, Moment::Agreeing, &large);
}

#[test]
fn a_load_that_reaches_its_limit_of_memory_ends_and_is_judged_by_what_it_did() {
    let mut lab =
        Lab::start(lab(&["pair", PAIR, "--json", "--", "--units", "1000000", "--rate", "max", "--memory", "150"]));
    let started: Value = serde_json::from_str(&lab.line_with(r#""event":"started""#)).unwrap();
    assert_eq!(started["memory_max_mib"], 150);
    let limit = started["lab_memory_max_mib"].as_u64().unwrap();
    let verdict: Value = serde_json::from_str(&lab.line_with(r#""event":"verdict""#)).unwrap();
    let leak = &verdict["sides"]["leak"];
    assert!(leak["stopped"].as_str().unwrap().contains("150 MiB"), "{leak}");
    let lab_took = lab.memory_max_kib() / 1024;
    println!("the lab took {lab_took} MiB at most, {limit} MiB for each program is stated");
    assert!(lab_took <= 2 * limit);
    lab.end();
}
