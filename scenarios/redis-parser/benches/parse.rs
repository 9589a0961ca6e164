//! What one command costs: parsed from the slice, parsed by a task, and parsed by the crate `redis-protocol`.
//!
//! `cargo bench --bench redis-parser` measures and holds the bars; `cargo lab record redis-parser` keeps the table for the
//! chapter, from the folder that `SHOWN` names. With `-- --criterion` criterion measures the same functions, with its own statistics. What is allocated,
//! `tests/allocations.rs` counts: an allocator that counts is slower.

mod ways;

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

/// A round measures every way once. Each figure is the tenth part from below: what disturbs a round only makes it longer.
const ROUNDS: usize = 200;
/// A round measures each way for so long.
const ROUND: Duration = Duration::from_millis(2);
/// What the chapter says of both: a task costs many times the parse, and our parser keeps up with another.
const TASK_COST_MIN: f64 = 20.0;
const OTHER_COST_MAX: f64 = 2.0;

fn main() -> ExitCode {
    let asked = |flag: &str| {
        std::env::args().any(|argument| argument == flag)
    };
    if asked("--criterion") {
        criterion();
        return ExitCode::SUCCESS;
    }
    let [borrowed, owned, theirs, alone, workers] = times();
    let mut table = "| one `SET` is parsed | nanoseconds | times the fix |\n|---|--:|--:|\n".to_owned();
    for ((name, _), time) in ways::all()
        .iter()
        .zip([borrowed, owned, theirs, alone, workers])
    {
        table += &format!(
            "| {name} | {time:.0} | {:.1} |\n",
            time / borrowed
        );
    }
    print!("{table}");
    // The scenario's runtime has two workers, as most services' has several.
    let (task, other) = (workers / borrowed, owned / theirs);
    println!(
        "\nthe task is {task:.1} times the fix, on one thread {:.1} times",
        alone / borrowed
    );
    println!(
        "the owned parse is {other:.2} times that of redis-protocol"
    );
    if let Some(folder) = std::env::var_os("SHOWN") {
        let file = Path::new(&folder).join("cost.md");
        std::fs::write(file, table).expect("cost.md can be written");
    }
    let holds = task >= TASK_COST_MIN && other <= OTHER_COST_MAX;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn times() -> [f64; 5] {
    let mut ways = ways::all();
    let batches: Vec<u32> =
        ways.iter_mut().map(|(_, run)| batch(run)).collect();
    let mut rounds = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        for turn in 0..ways.len() {
            let way = (round + turn) % ways.len();
            let started = Instant::now();
            (ways[way].1)(batches[way]);
            rounds[way].push(
                started.elapsed().as_nanos() as f64
                    / f64::from(batches[way]),
            );
        }
    }
    rounds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 10]
    })
}

/// So many that they take one round.
fn batch(run: &mut Box<dyn FnMut(u32)>) -> u32 {
    let mut times = 64;
    loop {
        let started = Instant::now();
        run(times);
        if started.elapsed() >= ROUND {
            return times;
        }
        times *= 2;
    }
}

fn criterion() {
    let mut criterion =
        criterion::Criterion::default().without_plots();
    for (name, mut run) in ways::all() {
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let started = Instant::now();
                run(times as u32);
                started.elapsed()
            })
        });
    }
}
