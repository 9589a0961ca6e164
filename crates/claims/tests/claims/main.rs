//! Goal: no statement of the opening chapters is wrong. Method: run
//! each claim and hold what it saw against what the book says, with
//! the counter-example beside it; then, in `kept`, against the
//! record.

mod kept;

use std::process::Command;

use serde_json::{Value, json};

#[track_caller]
fn check(name: &str, expected: Value) {
    assert_eq!(run(name), expected, "{name}");
}

#[test]
fn a_parked_send_ends_with_its_receiver_and_not_before() {
    check(
        "send-receiver-alive",
        json!({ "buffered": 1, "tasks_left": 9 }),
    );
    check(
        "send-receiver-dropped",
        json!({ "parked": 10, "returned": "Err", "tasks_left": 0 }),
    );
}

#[test]
fn a_receive_ends_with_the_last_sender_and_not_before() {
    check(
        "recv-clone-forgotten",
        json!({ "reader_ended": false, "tasks_left": 1, "tasks_left_after_drop": 0 }),
    );
    check(
        "recv-senders-dropped",
        json!({ "last_recv": "None", "tasks_left": 0 }),
    );
    check(
        "recv-after-close",
        json!({ "last_recv": "None", "send_returned": "Err" }),
    );
}

#[test]
fn a_producer_on_a_quiet_upstream_stays_unless_it_watches_its_consumer()
 {
    check(
        "quiet-upstream",
        json!({ "tasks_left": 10, "tasks_left_after_event": 0 }),
    );
    check("quiet-upstream-watched", json!({ "tasks_left": 0 }));
}

#[test]
fn a_lock_is_lost_with_a_guard_that_is_kept_or_a_holder_that_asks_again()
 {
    check(
        "lock-guard-kept",
        json!({ "waiting": 10, "after_drop": 0 }),
    );
    check("lock-guard-dropped", json!({ "waiting": 0 }));
    check(
        "lock-reentered",
        json!({ "waiting": 11, "after_abort": 0 }),
    );
}

#[test]
fn closing_keeps_the_buffer_and_aborting_loses_it() {
    check(
        "abort-before-drain",
        json!({ "sent": 8, "arrived": 3, "lost": 5 }),
    );
    check(
        "drain-before-end",
        json!({ "sent": 8, "arrived": 8, "lost": 0 }),
    );
    check(
        "close-twice",
        json!({ "send_refused": true, "items_read": 8 }),
    );
}

#[test]
fn a_future_is_cancelled_by_dropping_it_and_a_task_is_not() {
    let detached = json!({ "cleaned_up": false, "tasks_left": 1 });
    let cancelled = json!({ "cleaned_up": true, "tasks_left": 0 });
    check("handle-dropped", detached.clone());
    check("future-dropped", cancelled.clone());
    check("select-handles", detached);
    check("select-futures", cancelled);
}

#[test]
fn a_timeout_takes_the_task_along_only_through_an_owning_handle() {
    check(
        "timeout-handle",
        json!({ "gave_up": 10, "tasks_left": 10 }),
    );
    check(
        "timeout-abort-on-drop",
        json!({ "gave_up": 10, "tasks_left": 0 }),
    );
}

#[test]
fn abort_stops_a_blocking_closure_only_before_it_starts() {
    check(
        "abort-started-blocking",
        json!({ "finished_after_abort": false, "completed": true }),
    );
    check("abort-queued-blocking", json!({ "cancelled": true }));
}

#[test]
fn the_first_error_ends_a_set_and_detaches_joined_handles() {
    check(
        "join-all-first-error",
        json!({ "returned": "Err", "tasks_left": 9 }),
    );
    check(
        "join-all-many",
        json!({ "error_seen_of_30": true, "error_seen_of_31": false }),
    );
    check(
        "join-all-size-hint",
        json!({ "futures": 3, "at_most": 100, "from_filter": "never seen", "from_array": "seen" }),
    );
    check(
        "join-set-first-error",
        json!({ "returned": "Err", "tasks_left": 0 }),
    );
}

#[test]
fn a_connection_ends_with_its_last_handle_and_not_before() {
    check(
        "connection-kept",
        json!({ "still_open": true, "peer_saw_end_after_drop": true }),
    );
    check(
        "connection-dropped",
        json!({ "peer_read": 0, "peer_saw_end": true }),
    );
}

#[test]
fn a_hang_up_ends_the_handler_and_not_what_it_spawned() {
    check(
        "handler-hung-up",
        json!({ "handler_dropped": true, "tasks_left": 1 }),
    );
}

#[test]
fn a_hang_up_is_seen_only_while_the_server_reads_on() {
    check(
        "hang-ups",
        json!({
            "get": "dropped",
            "body_unread": "dropped",
            "half_body": "still alive",
            "large_body": "still alive",
            "pipelined": "still alive",
            "write_half_shut": "dropped",
            "body_read_first": "dropped",
        }),
    );
}

#[test]
fn a_silent_peer_stays_unless_reading_its_header_has_a_limit() {
    check(
        "silent-peer",
        json!({
            "axum_serve_open_after": "24 hours",
            "header_limit_closed": true,
            "header_limit_closed_after_s": 10,
        }),
    );
}

#[test]
fn a_last_word_for_each_reader_ends_all_and_loses_the_rest() {
    check(
        "last-word-for-each",
        json!({ "row_before_the_end": "Ok", "row_after_the_end": "Err", "rows_stored": 0, "tasks_left": 0 }),
    );
}

#[test]
fn a_panic_stays_in_its_task_and_its_signal_never_comes() {
    check("panicked-peer", json!({ "started": 4, "tasks_left": 3 }));
    check(
        "panic-at-boundary",
        json!({ "is_panic": true, "other_task_returned": 7 }),
    );
}

#[test]
fn what_the_last_lines_give_back_is_lost_on_three_exits_of_four() {
    let all = |left: [u32; 4]| {
        let exits = ["answer", "error", "deadline", "panic"]
            .into_iter()
            .zip(left);
        let gauges = exits.flat_map(|(exit, left)| {
            ["tasks", "permits", "rows"]
                .map(|gauge| (format!("{exit}_{gauge}"), json!(left)))
        });
        gauges
            .chain([("requests".to_owned(), json!(4))])
            .collect::<serde_json::Map<_, _>>()
    };
    check("exits-by-hand", all([0, 4, 4, 4]).into());
    check("exits-by-guard", all([0; 4]).into());
}

#[test]
fn the_count_counts_spawned_tasks_only() {
    check(
        "count-excludes",
        json!({ "block_on": 0, "spawn_blocking": 0, "spawn_local": 0, "spawn": 1, "local_runtime": 1 }),
    );
    check(
        "count-blind-spots",
        json!({ "tasks_left": 0, "handles_kept": 10, "permits_free": 0 }),
    );
}

#[test]
fn a_pattern_that_fails_waits_for_the_others_and_else_for_all() {
    check(
        "select-pattern",
        json!({ "tasks_left": 10, "tasks_left_after_events": 10, "tasks_left_after_both": 0 }),
    );
    check(
        "select-else",
        json!({ "ran_beside_a_wait": false, "ran_alone": true }),
    );
    check("select-no-else", json!({ "is_panic": true }));
    check(
        "select-spins",
        json!({ "turns": 100_000, "seconds_waited": 0 }),
    );
}

#[test]
fn biased_decides_between_the_token_and_the_queue() {
    check(
        "select-token-first",
        json!({ "handled": 0, "not_handled": 8 }),
    );
    check(
        "select-token-last",
        json!({ "handled": 8, "not_handled": 0 }),
    );
}

#[test]
fn a_branch_that_is_absent_waits_and_does_not_spin() {
    // Born, the end of the second, ten items: and no turn more.
    check("absent-receiver", json!({ "polls": 12, "ended": true }));
}

#[test]
fn a_reader_ends_with_its_stream_and_not_with_a_kept_receiver() {
    check(
        "go-select",
        json!({ "readers_left": 0, "entries_left": 20, "readers_left_watching_closed": 20 }),
    );
}

#[test]
fn a_wait_that_was_dropped_has_arrived_once() {
    check(
        "barrier-dropped-wait",
        json!({ "released": true, "next_released": false }),
    );
}

#[test]
fn the_error_that_a_task_returns_needs_a_question_mark_of_its_own() {
    check(
        "joined-error",
        json!({ "ends_in_time": "Ok", "late": "Err", "panics": "Err", "returns_an_error": "Ok", "with_a_third": "Err" }),
    );
}

#[test]
fn what_must_be_awaited_is_not_done_by_drop() {
    check(
        "clean-up-awaits",
        json!({ "rows_saved_by_drop": 0, "rows_saved_by_close": 10, "tasks_left": 10 }),
    );
}

#[test]
fn an_owner_in_a_cycle_ends_nothing_and_a_weak_one_does() {
    check(
        "handle-in-cycle",
        json!({ "owners_dropped": 10, "tasks_left": 10, "tasks_left_with_weak": 0 }),
    );
}

#[test]
fn a_deadline_ends_all_layers_and_their_own_budgets_add_up() {
    check(
        "deadline-passed-on",
        json!({ "calls_given_up": 10, "deadline_ms": 100, "tasks_left": 0, "budgets_added_ms": 260, "tasks_left_with_budgets": 10 }),
    );
}

#[test]
fn a_waker_makes_a_task_run_and_the_budget_makes_it_stop() {
    check(
        "waker",
        json!({ "polls_parked": 1, "polls_after_wake": 2 }),
    );
    check(
        "cooperative-budget",
        json!({ "turns_before_yield": 128, "turns_unconstrained": 1000 }),
    );
}

#[test]
fn blocked_workers_hold_up_tasks_and_timers_until_they_are_free() {
    let seen = run("blocked-worker");
    let blocked = number(&seen, "blocked_ms");
    for late in ["empty_task_late_ms", "timer_late_ms"] {
        assert!(2 * number(&seen, late) > blocked, "{seen}");
    }
}

#[test]
fn dropping_a_runtime_waits_for_its_closure_and_a_limit_does_not() {
    let seen = run("runtime-drop-waits");
    let closure = number(&seen, "closure_ms");
    assert!(2 * number(&seen, "drop_waited_ms") > closure, "{seen}");
    let limited = number(&seen, "shutdown_timeout_waited_ms");
    assert!(0 < limited && limited < closure, "{seen}");
}

#[test]
fn a_full_pipe_stops_its_writer_and_a_fifo_its_opener() {
    let seen = run("full-pipe");
    assert_eq!(seen["writer_blocked"], true);
    assert_eq!(seen["fifo_open_waits"], true);
    // A page at least; how many, the system decides.
    assert!(number(&seen, "bytes_until_full") >= 4096, "{seen}");
}

/// In a process of its own: what is counted there is the process's.
#[test]
fn a_child_token_holds_memory_while_it_is_kept_and_not_after() {
    let seen = run_alone("child-tokens");
    assert_eq!(seen["bytes_per_dropped_child"], 0);
    assert!(number(&seen, "bytes_per_kept_child") > 8, "{seen}");
}

fn run(name: &str) -> Value {
    let claim = claims::all().find(|claim| claim.name == name);
    (claim.expect("a claim of this name").run)().unwrap()
}

fn run_alone(name: &str) -> Value {
    let bin = env!("CARGO_BIN_EXE_claims");
    let out = Command::new(bin).args([name, "--json"]).output();
    let seen: Value =
        serde_json::from_slice(&out.unwrap().stdout).unwrap();
    seen[name].clone()
}

fn number(seen: &Value, field: &str) -> u64 {
    seen[field].as_u64().unwrap()
}

#[test]
fn reading_the_count_takes_less_than_a_microsecond() {
    let claim =
        claims::all().find(|c| c.name == "count-cost").unwrap();
    let seen = (claim.run)().unwrap();
    assert_eq!(seen["tasks"], 100_000);
    assert!(seen["nanoseconds_crowded"].as_u64().unwrap() < 1000);
}
