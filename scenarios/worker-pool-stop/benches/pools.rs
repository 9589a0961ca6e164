//! What stopped pools cost a service that is asked 500 times a second, and what keeps it alive when it is asked 2,000 times.
//!
//! `cargo bench --bench worker-pool-stop` measures and holds the bars; `cargo lab record worker-pool-stop` keeps both tables
//! for the chapter, from the folder that `SHOWN` names. It needs `hey`, and about two minutes during which nothing else runs.

mod load;

use std::{ffi::OsStr, path::Path, process::ExitCode};

use load::{Load, Service};

const LISTS: usize = 1_250;
/// Questions each second, as in the article that the chapter names.
const RATE: usize = 500;
const OVERLOAD: usize = 2_000;
const SECONDS: usize = 20;
const OVERLOAD_SECONDS: usize = 10;

fn main() -> ExitCode {
    let (cost, cost_holds) = cost();
    let (overload, overload_holds) = overload();
    println!("{cost}\n{overload}");
    if let Some(folder) = std::env::var_os("SHOWN") {
        write(&folder, "cost.md", cost);
        write(&folder, "overload.md", overload);
    }
    let holds = cost_holds && overload_holds;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(folder: &OsStr, name: &str, table: String) {
    let file = Path::new(folder).join(name);
    std::fs::write(file, table).expect("it can be written");
}

struct Cost {
    load: Load,
    cores: f64,
    resident_mb: f64,
}

impl Cost {
    fn of((program, flush_ms): (&str, u64)) -> Self {
        let service = Service::start_with(program, flush_ms);
        service.new_lists(LISTS);
        let before = service.processor();
        let load = service.load(RATE, SECONDS);
        let ticks = service.processor() - before;
        let cores = ticks as f64 / 100.0 / SECONDS as f64;
        Self { load, cores, resident_mb: service.resident_mb() }
    }
}

/// The article's three rows, and two that it does not have.
fn cost() -> (String, bool) {
    let [most, often, leak, parked, fix] = [
        (env!("CARGO_BIN_EXE_worker-pool-stop-leak"), 2),
        (env!("CARGO_BIN_EXE_worker-pool-stop-leak"), 5),
        (env!("CARGO_BIN_EXE_worker-pool-stop-leak"), 20),
        (env!("CARGO_BIN_EXE_worker-pool-stop-parked"), 20),
        (env!("CARGO_BIN_EXE_worker-pool-stop-fix"), 2),
    ]
    .map(Cost::of);
    let mut table = format!(
        "| after {LISTS} lists, at {RATE} requests a second | leak, a tick every 2 ms | leak, every 5 ms | leak, every 20 ms | leak, no tick | fix, every 2 ms |\n|---|--:|--:|--:|--:|--:|\n"
    );
    let mut row = |name: &str, read: &dyn Fn(&Cost) -> String| {
        let cells = [&most, &often, &leak, &parked, &fix]
            .map(read)
            .join(" | ");
        table += &format!("| {name} | {cells} |\n");
    };
    row("live tasks, mean", &|cost| {
        format!("{:.0}", cost.load.tasks_mean())
    });
    row("deviation of the answers per second", &|cost| {
        format!("±{:.1}", cost.load.deviation())
    });
    row("p99, ms", &|cost| p99(&cost.load));
    row("given up after a second", &|cost| {
        share(cost.load.late(), &cost.load)
    });
    row("processors at work", &|cost| format!("{:.2}", cost.cores));
    row("resident memory, MB", &|cost| {
        format!("{:.0}", cost.resident_mb)
    });
    // No bar on p99: whether it moves is what the table is there to show.
    let holds = [&most, &often, &leak, &parked].iter().all(|one| {
        one.load.tasks_mean() > fix.load.tasks_mean() * 10.0
    }) && leak.cores > fix.cores * 5.0
        && parked.cores < leak.cores / 5.0;
    (table, holds)
}

fn share(part: usize, load: &Load) -> String {
    format!("{:.1} %", 100.0 * part as f64 / load.sent as f64)
}

fn p99(load: &Load) -> String {
    let over = || "more than 1000".to_owned();
    load.p99().map_or_else(over, |ms| format!("{ms:.0}"))
}

fn overload() -> (String, bool) {
    let [fix, protected] = [
        env!("CARGO_BIN_EXE_worker-pool-stop-fix"),
        env!("CARGO_BIN_EXE_worker-pool-stop-admission"),
    ]
    .map(|program| {
        Service::start(program).load(OVERLOAD, OVERLOAD_SECONDS)
    });
    let mut table = format!(
        "| {OVERLOAD} requests a second, for {OVERLOAD_SECONDS} seconds | fix alone | with admission control |\n|---|--:|--:|\n"
    );
    type Row<'a> = (&'a str, &'a dyn Fn(&Load) -> String);
    let rows: [Row; 5] = [
        ("sent", &|load| load.sent.to_string()),
        ("answered within a second", &|load| {
            share(load.fares.len(), load)
        }),
        ("refused at once, with 503", &|load| {
            share(load.refused, load)
        }),
        ("given up after a second", &|load| share(load.late(), load)),
        ("p99 of all that were not refused, ms", &p99),
    ];
    for (name, read) in rows {
        table += &format!(
            "| {name} | {} | {} |\n",
            read(&fix),
            read(&protected)
        );
    }
    let holds = fix.fares.len() * 2 < fix.sent
        && fix.p99().is_none()
        && protected.p99().is_some_and(|ms| ms < 500.0);
    (table, holds)
}
