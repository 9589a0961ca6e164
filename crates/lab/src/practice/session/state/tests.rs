use std::path::Path;

use evidence::{catalogue::Catalogue, contract::Fault, series::Phase};

use super::*;
use crate::practice::progress::Answered;

fn exercise() -> Exercise {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Catalogue::read(&root).unwrap().find_exercise("upload-scan").unwrap().clone()
}

fn verdict(outcome: Outcome, faults: &[(&str, &str)]) -> Checked {
    Checked::Judged(Box::new(Verdict {
        exercise: "upload-scan".into(),
        side: "mine".into(),
        outcome,
        faults: faults.iter().map(|(key, sentence)| Fault::new(key, *sentence)).collect(),
        spawned_at: Vec::new(),
        per_unit: 0.0,
        said: vec!["error[E0425]: cannot find it".into()],
        runs: BTreeMap::new(),
    }))
}

fn text(state: &State<'_>, width: usize) -> String {
    let lines: Vec<_> = state.lines(width).into_iter().map(|(_, line)| line).collect();
    assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
    lines.join("\n")
}

#[test]
fn a_verdict_reads_as_what_was_seen_and_what_is_missing() {
    let exercise = exercise();
    let mut state = State::new(&exercise, Entry::default());
    assert_eq!(text(&state, 80), "", "nothing was checked yet");
    state.checked = Some(verdict(Outcome::Failed, &[("tasks", "live tasks: 20 more"), ("heap_kib", "heap: 958")]));
    state.took = Duration::from_millis(5_730);
    assert_eq!(
        text(&state, 80),
        "your copy does not pass (5.7 s)\n  live tasks: 20 more\n  heap: 958\n\
         missing: answer (a), fix (edit mine.rs), guard (write guard.rs, then g)"
    );
    state.entry.passed = Some("2026-11-28".into());
    state.entry.answered =
        Some(Answered { line: true, waits: true, holder: true, per_unit: true, date: String::new() });
    state.entry.guarded = state.entry.passed.clone();
    state.checked = Some(verdict(Outcome::Passed, &[]));
    assert_eq!(text(&state, 80), "your copy passes (5.7 s)\nmissing: nothing; n opens the next exercise");
    assert_eq!(state.heading(), "upload-scan, level 1, answers 4/4, passed, guarded");
}

#[test]
fn while_something_runs_no_old_verdict_stands_there() {
    let exercise = exercise();
    let mut state = State::new(&exercise, Entry::default());
    state.checked = Some(verdict(Outcome::Failed, &[("tasks", "live tasks: 20 more")]));
    state.doing = Doing::Running;
    state.note = "hint 1 of 3: look".into();
    assert_eq!(text(&state, 60), "your copy runs beside a solution\nhint 1 of 3: look");
    state.mine_gone = true;
    state.doing = Doing::Waiting;
    assert!(
        text(&state, 60).starts_with("exercises/upload-scan/mine.rs is missing: r brings it back"),
        "{}",
        text(&state, 60)
    );
}

#[test]
fn the_compilers_words_are_shown_where_it_did_not_compile() {
    let exercise = exercise();
    let mut state = State::new(&exercise, Entry::default());
    state.checked = Some(verdict(Outcome::Failed, &[("build", "it did not compile")]));
    assert!(text(&state, 60).contains("\nerror[E0425]: cannot find it\n"), "{}", text(&state, 60));
    state.checked = Some(verdict(Outcome::Failed, &[("tasks", "20 more")]));
    assert!(!text(&state, 60).contains("E0425"));
}

#[test]
fn hints_come_one_at_a_time_and_those_of_a_blind_one_after_the_answer() {
    let mut exercise = exercise();
    exercise.facts.level = 3;
    let mut state = State::new(&exercise, Entry::default());
    assert!(state.no_hint().is_some());
    state.entry.answered = Some(Answered::default());
    assert_eq!(state.no_hint(), None, "a wrong answer opens them, too");
    assert_eq!(state.hint(), "no hint was taken yet");
    for taken in 1..=HINTS {
        state.entry.hints = taken;
        assert_eq!(state.hint(), format!("hint {taken} of 3: {}", exercise.facts.hints[taken - 1]));
    }
}

#[test]
fn of_a_sample_only_what_the_exercise_is_judged_by_is_kept() {
    let exercise = exercise();
    let mut state = State::new(&exercise, Entry::default());
    let gauges =
        [("tasks", 7), ("rss_kib", 9_000), ("heap_kib", 3)].map(|(name, value)| (name.to_owned(), value)).into();
    state.sample("mine".into(), Sample { elapsed_ms: 1, phase: Phase::Load, units_done: 1, gauges });
    let kept: Vec<_> = state.series["mine"].gauges.keys().cloned().collect();
    assert_eq!(kept, ["heap_kib", "tasks"]);
}

#[test]
fn the_keys_fit_the_smallest_terminal() {
    assert!([50, 72, 120].iter().all(|&width| keys(width).chars().count() <= width));
}
