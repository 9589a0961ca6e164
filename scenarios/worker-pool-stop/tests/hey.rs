//! The sides as real services, with `hey` in front of them. Counts and shares are asserted, and no times: those are the benchmark's.

#[expect(
    dead_code,
    reason = "the benchmark measures more than a test can hold"
)]
#[path = "../benches/load/mod.rs"]
mod load;

use std::{
    thread,
    time::{Duration, Instant},
};

use load::Service;

/// Workers of one pool.
const WORKERS: usize = 8;
const LISTS: usize = 60;
/// A connection that was closed is a task for a moment more.
const EVENT_MAX: Duration = Duration::from_secs(60);

fn tasks_come_to(service: &Service, expected: usize) {
    let began = Instant::now();
    loop {
        let tasks = service.tasks();
        if tasks == expected {
            return;
        }
        assert!(
            began.elapsed() < EVENT_MAX,
            "{tasks} tasks live, and not {expected}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Processor time in two seconds in which nobody asks, in ticks of 10 ms.
fn idle_cost(service: &Service) -> u64 {
    let before = service.processor();
    thread::sleep(Duration::from_secs(2));
    service.processor() - before
}

/// One test, so that no load stands beside another.
#[test]
fn lists_leave_workers_that_cost_and_overload_needs_a_door() {
    let sides = [
        (env!("CARGO_BIN_EXE_worker-pool-stop-leak"), LISTS + 1),
        (env!("CARGO_BIN_EXE_worker-pool-stop-parked"), LISTS + 1),
        (env!("CARGO_BIN_EXE_worker-pool-stop-fix"), 1),
    ];
    let [ticking, parked, fixed] = sides.map(|(program, pools)| {
        let service = Service::start(program);
        service.new_lists(LISTS);
        tasks_come_to(&service, pools * WORKERS);
        idle_cost(&service)
    });
    println!("ticks of 10 ms: {ticking}, {parked}, {fixed}");
    assert!(ticking >= 10, "they tick: {ticking}");
    assert!(ticking >= parked.max(1) * 3, "{ticking}, {parked}");
    assert!(ticking >= fixed.max(1) * 3, "{ticking}, {fixed}");

    let [alone, protected] = [
        env!("CARGO_BIN_EXE_worker-pool-stop-fix"),
        env!("CARGO_BIN_EXE_worker-pool-stop-admission"),
    ]
    .map(|program| Service::start(program).load(2_000, 6));
    println!(
        "alone: {} of {}, {} refused, {} late; protected: {}, {} refused, {} late",
        alone.fares.len(),
        alone.sent,
        alone.refused,
        alone.late(),
        protected.fares.len(),
        protected.refused,
        protected.late()
    );
    // Alone it answers some, at first. Then all that it has taken in is late.
    assert!(alone.fares.len() * 2 < alone.sent);
    assert!(alone.late() * 2 > alone.sent - alone.refused);
    // Behind the door few are late, and more get a fare.
    assert!(protected.refused > 0);
    assert!(
        protected.late() * 10 < protected.sent - protected.refused
    );
    assert!(protected.fares.len() > alone.fares.len());
}

#[test]
fn a_taken_port_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let output = std::process::Command::new(env!(
        "CARGO_BIN_EXE_worker-pool-stop-fix"
    ))
    .args(["serve", &at])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("cannot listen at {at}: ")));
    assert_eq!(said.lines().count(), 1);
}

/// What the first question of the chapter says.
#[tokio::test]
#[should_panic(expected = "all branches are disabled")]
async fn a_select_without_a_branch_left_panics() {
    let (jobs, queue) = async_channel::bounded::<()>(1);
    jobs.close();
    tokio::select! {
        Ok(()) = queue.recv() => {}
    }
}
