//! What the judge says of programs whose course is known: five that leak, and the healthy ones that look like it.

use std::time::{Duration, SystemTime};

use leakcheck::{Convergence, Course, Ledger, LineCourse};

use crate::programs::{Task, arrivals, ledger, one_in, queue, readings};

const SEEDS: std::ops::Range<u64> = 1..7;

/// The one line's course, judged from these readings.
fn judge(readings: &[Ledger]) -> LineCourse {
    let judged = Convergence::of(&readings.iter().collect::<Vec<_>>());
    assert_eq!(judged.lines.len(), 1, "{judged}");
    judged.lines[0].clone()
}

/// Ten minutes, read every thirty seconds, from this moment on: the course in each of some runs.
fn courses(name: &str, from: f64, program: impl Fn(u64) -> Vec<Task>) -> Vec<LineCourse> {
    let judged = SEEDS.map(|seed| judge(&readings(&program(seed), from, from + 600.0, 30.0)));
    judged.inspect(|line| println!("{name}: {line}")).collect()
}

#[track_caller]
fn all(name: &str, course: Course, from: f64, program: impl Fn(u64) -> Vec<Task>) {
    for line in courses(name, from, program) {
        assert_eq!(line.course, course, "{name}: {line}");
    }
}

const UNTIL: f64 = 1_800.0;

fn steady(_: f64) -> f64 {
    10.0
}

#[test]
fn every_leak_is_told_and_how_much_each_spawn_leaves() {
    for (leaks, tolerance) in [(1.0, 0.05), (10.0, 0.02), (50.0, 0.01)] {
        let lines = courses("leak", 300.0, |seed| arrivals(seed, UNTIL, steady, one_in(leaks)));
        for line in lines {
            assert_eq!(line.course, Course::Leaks, "{line}");
            let error = (line.per_spawn - 1.0 / leaks).abs();
            assert!(error <= tolerance, "one in {leaks}: {line}");
        }
    }
    all("slow leak", Course::Leaks, 300.0, |seed| arrivals(seed, UNTIL, |_| 0.4, one_in(4.0)));
    // By night a fortieth of the load.
    let night = |now: f64| if now < 400.0 { 10.0 } else { 0.25 };
    all("leak by night", Course::Leaks, 500.0, |seed| arrivals(seed, UNTIL, night, one_in(2.0)));
    let lost = |now: f64| (now < 400.0).then_some(0.004);
    all("lost lock", Course::Leaks, 500.0, |seed| queue(seed, 1_200.0, |_| 15.0, lost));
    // A leak that has gone on for a day is still one.
    all("old leak", Course::Leaks, 86_400.0, |seed| arrivals(seed, 87_000.0, |_| 0.5, one_in(4.0)));
}

/// Left per spawn does not depend on the load: at five times the load, five times as much is left of five times the spawns.
#[test]
fn a_leak_leaves_the_same_per_spawn_at_any_load() {
    for rate in [2.0, 6.0, 20.0] {
        let lines = courses("load", 300.0, |seed| arrivals(seed, 900.0, |_| rate, one_in(4.0)));
        let mean = lines.iter().map(|line| line.per_spawn).sum::<f64>() / lines.len() as f64;
        assert!((mean - 0.25).abs() < 0.02, "{mean} at {rate} a second");
    }
    let rising = |now: f64| 2.0 + now / 60.0;
    for line in courses("leak under a ramp", 300.0, |seed| arrivals(seed, 900.0, rising, one_in(4.0))) {
        assert!((line.per_spawn - 0.25).abs() < 0.06 && line.course == Course::Leaks, "{line}");
    }
}

#[test]
fn what_comes_back_is_no_leak() {
    let healthy = one_in(f64::INFINITY);
    all("fix", Course::Returns, 0.0, |seed| arrivals(seed, UNTIL, steady, &healthy));
    // Twelve times the load and twenty times the latency, for a minute, at any place of the window.
    for spike in [0.0, 100.0, 270.0, 400.0] {
        let during = move |now: f64| now >= 600.0 + spike && now < 660.0 + spike;
        let rate = move |now| if during(now) { 120.0 } else { 10.0 };
        let life = move |dice: &mut _, now| {
            one_in(f64::INFINITY)(dice, now).map(|life| if during(now) { life * 20.0 } else { life })
        };
        all("spike", Course::Returns, 600.0, |seed| arrivals(seed, UNTIL, rate, life));
    }
    let ramp = |now: f64| 2.0 + now / 60.0;
    all("ramp", Course::Returns, 300.0, |seed| arrivals(seed, UNTIL, ramp, &healthy));
    // Steady sessions of 20 to 60 s, and of up to three minutes: a third of the window.
    for longest in [60.0, 180.0] {
        let session =
            |dice: &mut crate::programs::Dice, _: f64| Some(longest / 3.0 + dice.roll() * longest * 2.0 / 3.0);
        all("sessions", Course::Returns, 400.0, |seed| arrivals(seed, UNTIL, |_| 0.5, session));
    }
    // Slow for a minute, and the queue is served afterwards.
    let slow = |now: f64| Some(if (900.0..960.0).contains(&now) { 0.5 } else { 0.02 });
    all("slow lock, over", Course::Returns, 600.0, |seed| queue(seed, 1_300.0, steady, slow));
}

/// The queue grows as a leak does. But the oldest goes: the birth moves as fast as the service serves what came.
#[test]
fn a_queue_that_grows_falls_behind_and_does_not_leak() {
    for line in courses("overload", 300.0, |seed| queue(seed, 1_000.0, |_| 25.0, |_| Some(1.0 / 14.0))) {
        assert_eq!(line.course, Course::FallsBehind, "{line}");
        assert!((line.oldest_moves.unwrap() - 0.56).abs() < 0.05, "served 14 of 25: {line}");
    }
    let slow = |now: f64| Some(if now < 500.0 { 0.02 } else { 0.2 });
    all("slow lock, still slow", Course::FallsBehind, 400.0, |seed| queue(seed, 1_100.0, steady, slow));
    // A twentieth of what comes is served: nearly lost, and not lost.
    all("hardly served", Course::FallsBehind, 300.0, |seed| queue(seed, 1_000.0, |_| 20.0, |_| Some(1.0)));
}

#[test]
fn too_few_spawns_are_too_little_to_say() {
    all("nothing", Course::TooLittle, 300.0, |_| (0..5).map(|task| (f64::from(task) * 100.0, None)).collect());
    // Nineteen all stay, or none: neither can be said.
    for stays in [true, false] {
        let task = |task: i32| (300.0 + f64::from(task) * 30.0, (!stays).then_some(301.0 + f64::from(task) * 30.0));
        let line = judge(&readings(&(0..19).map(task).collect::<Vec<_>>(), 300.0, 900.0, 30.0));
        assert_ne!(line.course, Course::Returns, "{line}");
    }
    // The bound is stated where something is said.
    for line in courses("fix", 300.0, |seed| arrivals(seed, UNTIL, steady, one_in(f64::INFINITY))) {
        assert!(line.at_most > 0.0 && line.at_most < 0.01, "{line:?}");
    }
}

/// A warm-up is a leak until it stops: no count tells the two apart. Nor are the first long sessions told from tasks that stay.
#[test]
fn what_the_judge_cannot_tell() {
    // Six hundred daemons within ten minutes, beside requests.
    let warm_up = |seed| {
        let mut tasks = arrivals(seed, UNTIL, steady, one_in(f64::INFINITY));
        tasks.extend((0..600).map(|daemon| (f64::from(daemon), None)));
        tasks
    };
    all("warm-up", Course::Leaks, 0.0, warm_up);
    all("warm-up, over", Course::Returns, 700.0, warm_up);
    // Sessions as long as the window, from the first one on.
    let session = |_: &mut _, _: f64| Some(900.0);
    all("first sessions", Course::Leaks, 0.0, |seed| arrivals(seed, UNTIL, steady, session));
    // One task that stays, in a line whose queue grows.
    let keeper = |seed| {
        let mut tasks = queue(seed, 1_000.0, |_| 25.0, |_| Some(1.0 / 14.0));
        tasks.push((0.0, None));
        tasks
    };
    all("overload beside a daemon", Course::Leaks, 300.0, keeper);
}

#[test]
fn two_readings_tell_a_leak_that_was_there_at_the_first() {
    for seed in SEEDS {
        let leak = arrivals(seed, 900.0, steady, one_in(10.0));
        let [first, second, third] = [0.0, 300.0, 900.0].map(|now| ledger(&leak, now, 0));
        let judged = third.since(&second);
        assert_eq!(judged.leaks().count(), 1, "{judged}");
        // Nothing lived at the first of these, so the oldest tells nothing yet.
        assert_eq!(second.since(&first).lines[0].course, Course::Grows);
        let healthy = arrivals(seed, 900.0, steady, one_in(f64::INFINITY));
        let line = judge(&[ledger(&healthy, 300.0, 0), ledger(&healthy, 900.0, 0)]);
        assert_eq!(line.course, Course::Returns, "{line}");
    }
}

/// A service that is restarted begins at zero. Counts before it are of other tasks.
#[test]
fn readings_from_before_a_restart_do_not_count() {
    for seed in SEEDS {
        let leak = arrivals(seed, 900.0, steady, one_in(2.0));
        let healthy = arrivals(seed + 100, 900.0, steady, one_in(f64::INFINITY));
        let before: Vec<_> = readings(&leak, 0.0, 600.0, 30.0);
        let after: Vec<_> = (0..=20).map(|reading| ledger(&healthy, f64::from(reading) * 30.0, 600)).collect();
        let both: Vec<_> = before.iter().chain(&after).collect();
        let judged = Convergence::of(&both);
        assert!(judged.restarted, "{judged}");
        assert_eq!((judged.lines[0].course, judged.window), (Course::Returns, Duration::from_secs(600)), "{judged}");
        // One reading after it is none to compare.
        let judged = Convergence::of(&both[..=before.len()]);
        assert!(judged.restarted && judged.lines.is_empty(), "{judged}");
        assert!(judged.to_string().contains("the service was restarted between the readings"), "{judged}");
    }
    // The same beginning, and counters that fall: whoever kept the numbers knew nothing of a beginning.
    let tasks: Vec<Task> = (0..100).map(|task| (f64::from(task), None)).collect();
    let fallen = ledger(&tasks[50..], 200.0, 0).since(&ledger(&tasks, 150.0, 0));
    assert!(fallen.restarted, "{fallen}");
}

#[test]
fn no_reading_and_one_reading_are_no_window() {
    let nothing = Convergence::of(&[]);
    assert!(nothing.lines.is_empty() && !nothing.restarted);
    let one = ledger(&[(0.0, None)], 10.0, 0);
    assert!(Convergence::of(&[&one]).lines.is_empty());
    // Twice the same.
    let same = one.since(&one);
    assert_eq!(same.lines[0].course, Course::TooLittle, "{same}");
    let empty = Ledger::new(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    assert!(empty.since(&empty).to_string().contains("nothing to compare"), "{}", empty.since(&empty));
}

/// A line that appears between two readings began at zero; one that nobody has seen spawn is not judged.
#[test]
fn a_new_line_is_judged_from_its_first_spawn_on() {
    let leak = arrivals(1, 900.0, steady, one_in(1.0));
    let mut before = ledger(&leak, 0.0, 0);
    before.lines.clear();
    let judged = ledger(&leak, 600.0, 0).since(&before);
    assert_eq!(judged.lines[0].course, Course::Grows, "{judged}");
    assert!((judged.lines[0].per_spawn - 1.0).abs() < 0.02, "{judged}");
}

#[test]
fn the_text_names_leaks_first_and_says_what_it_compared() {
    let of = |course: &str, tasks: &[Task]| {
        let rename = |mut ledger: Ledger| {
            ledger.lines[0].location = format!("src/{course}.rs:1:1");
            ledger.lines.remove(0)
        };
        [600.0, 900.0, 1_200.0].map(|now| rename(ledger(tasks, now, 0)))
    };
    let lines = [
        of("fine", &arrivals(1, 1_200.0, steady, one_in(f64::INFINITY))),
        of("few", &[(0.0, None)]),
        of("leaks", &arrivals(2, 1_200.0, steady, one_in(2.0))),
        of("late", &queue(3, 1_200.0, |_| 25.0, |_| Some(1.0 / 14.0))),
    ];
    let ledgers = [600.0, 900.0, 1_200.0].map(|now| ledger(&[], now, 0));
    let ledgers = ledgers.into_iter().enumerate().map(|(at, mut ledger)| {
        ledger.lines = lines.iter().map(|line| line[at].clone()).collect();
        ledger
    });
    let ledgers: Vec<_> = ledgers.collect();
    let text = Convergence::of(&ledgers.iter().collect::<Vec<_>>()).to_string();
    let begins: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        begins[..4],
        ["within 600 s, tasks older than 60 s", "  src/leaks.rs", "  src/late.rs", "  src/fine.rs"],
        "{text}"
    );
    assert!(text.contains(":1:1 leaks: 0.") && text.contains("and the oldest is still the same\n"), "{text}");
    assert!(text.ends_with("  1 line spawned too little to say\n"), "{text}");
}

/// Too few to judge are still named: of a line that spawns rarely, each task that stays may be the leak that is looked for.
#[test]
fn a_rare_line_that_leaves_all_it_spawned_is_named() {
    let tasks: Vec<Task> = (0..15).map(|task| (f64::from(task) * 60.0, None)).collect();
    let ledgers: Vec<_> = (0..=15).map(|minute| ledger(&tasks, f64::from(minute) * 60.0, 0)).collect();
    let judged = Convergence::of(&ledgers.iter().collect::<Vec<_>>());
    let line = &judged.lines[0];
    assert_eq!(line.course, Course::TooLittle, "{judged}");
    assert!(line.left > 0 && line.left as u64 <= line.could_be_left && line.could_be_left < line.spawned, "{judged}");
    assert!(
        judged.to_string().contains(&format!(": {} more left of {} that could be", line.left, line.could_be_left)),
        "{judged}"
    );
}

#[test]
fn what_is_left_is_told_of_what_could_be_left() {
    let leak = arrivals(1, 1_200.0, steady, one_in(4.0));
    let judged = Convergence::of(&readings(&leak, 0.0, 1_200.0, 30.0).iter().collect::<Vec<_>>());
    let line = &judged.lines[0];
    assert_eq!(line.per_spawn, line.left as f64 / line.could_be_left as f64, "{judged}");
    assert!(line.could_be_left < line.spawned && (line.per_spawn - 0.25).abs() < 0.1, "{judged}");
}
