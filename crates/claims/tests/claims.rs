//! Goal: no statement of the opening chapters is wrong. Method: run
//! each claim and hold what it saw against what the book says, with
//! the counter-example beside it; then against the record.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use claims::record::{self, Entry, MadeBy, Record};
use serde_json::{Value, json};

#[track_caller]
fn check(name: &str, expected: Value) {
    let claim = claims::all().find(|claim| claim.name == name);
    let seen = (claim.expect("a claim of this name").run)().unwrap();
    assert_eq!(seen, expected, "{name}");
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
fn the_count_counts_spawned_tasks_only() {
    check(
        "count-excludes",
        json!({ "block_on": 0, "spawn_blocking": 0, "spawn_local": 0, "spawn": 1 }),
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
fn reading_the_count_takes_less_than_a_microsecond() {
    let claim =
        claims::all().find(|c| c.name == "count-cost").unwrap();
    let seen = (claim.run)().unwrap();
    assert_eq!(seen["tasks"], 100_000);
    assert!(seen["nanoseconds_crowded"].as_u64().unwrap() < 1000);
}

#[test]
fn the_record_says_what_runs_now() {
    let recorded = recorded();
    for claim in claims::all().filter(|claim| !claim.noisy) {
        let name = claim.name;
        let seen = (claim.run)().unwrap();
        assert_eq!(
            seen, recorded[name].seen,
            "{name}: run `cargo run --bin claims -- {name} --record`"
        );
    }
}

#[test]
fn the_record_has_every_claim_made_by_its_own_module_and_no_other() {
    let recorded = recorded();
    for claim in claims::all() {
        record::check_fresh(&record::root(), claim.name)
            .unwrap_or_else(|stale| panic!("{stale:#}"));
        let made_by = &recorded[claim.name].made_by;
        let now =
            MadeBy::now(&record::root(), "claims", claim).unwrap();
        let parts = |made: &MadeBy| {
            (made.program.clone(), made.files.clone())
        };
        assert_eq!(parts(made_by), parts(&now), "{}", claim.name);
    }
    let names: Vec<_> = claims::all().map(|c| c.name).collect();
    for (name, claim) in &recorded {
        assert!(
            claim.made_by.program != "claims"
                || names.contains(&name.as_str()),
            "no claim has the name {name} any more: run `cargo run --bin claims -- --record`"
        );
    }
}

fn recorded() -> BTreeMap<String, Entry> {
    Record::read(&record::root()).unwrap().claims
}

#[test]
fn every_anchor_is_a_claim_and_every_claim_an_anchor() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut anchors = BTreeSet::new();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("// ANCHOR: ") {
                assert!(
                    anchors.insert(name.to_owned()),
                    "{name} twice"
                );
                assert!(
                    text.contains(&format!("ANCHOR_END: {name}\n"))
                );
            }
        }
    }
    let names: BTreeSet<_> =
        claims::all().map(|claim| claim.name.to_owned()).collect();
    assert_eq!(anchors, names);
}

#[test]
fn an_unknown_claim_ends_with_code_2_and_a_known_one_with_0() {
    let claims = |args: &[&str]| {
        let bin = env!("CARGO_BIN_EXE_claims");
        Command::new(bin).args(args).output().unwrap()
    };
    let unknown = claims(&["timeout-handel"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(unknown.stderr).unwrap(),
        "no claim `timeout-handel`: did you mean `timeout-handle`?\n"
    );
    let known = claims(&["timeout-handle", "--json"]);
    assert_eq!(known.status.code(), Some(0));
    let seen: Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(seen["timeout-handle"]["tasks_left"], 10);
}
