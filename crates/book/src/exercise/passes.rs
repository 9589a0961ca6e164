//! What a side must do to pass, in words: made from what the exercise states, so that the page says what the check looks at.

use evidence::{
    exercise::Exercise,
    side::capital,
    words::{grouped, title},
};
use stage::{gauge::Kind, wire::Stated};

use super::super::html;

/// A check runs so many times the units of the exercise.
const TIMES: u64 = 4;

/// What an exercise keeps in memory, in every exercise.
const HEAP: &str = "heap_kib";

/// A list of what the check looks at. Of a blind exercise it names no gauge.
pub(super) fn list(exercise: &Exercise) -> String {
    let statement = &exercise.scenario.statement;
    let units = html::inline(&statement.units_name());
    let (few, many) = (grouped(statement.units), grouped(statement.units * TIMES));
    let mut items = vec![
        "Every answer is right, and whatever the service accepts is done once, or refused in words.".to_owned(),
        format!("{} after {few} {units}, and still so after {many}.", returned(exercise)),
    ];
    items.extend(limits(exercise));
    items.push(format!(
        "It is not slow: half of the {units} take at most {} times what they take in a solution beside it.",
        exercise.facts.latency
    ));
    items.push(format!(
        "It ends within {} ms of SIGTERM, with the work that it has accepted.",
        grouped(exercise.facts.close_ms)
    ));
    items.into_iter().map(|item| format!("- {item}\n")).collect()
}

fn returned(exercise: &Exercise) -> String {
    if exercise.is_blind() {
        return "What the service holds is back, or within what it may keep,".to_owned();
    }
    let goal = exercise.goal().iter().filter(|(name, _)| *name != "unfinished");
    let named = goal.map(|(name, stated)| {
        let title = html::inline(&title(&exercise.scenario.statement.gauge(name)));
        match stated {
            Stated::AtMost { at_most } if *at_most > 0 => format!("{title} (but for {at_most})"),
            _ => title,
        }
    });
    let named: Vec<_> = named.collect();
    let all = match named.as_slice() {
        [] => "All gauges".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    };
    format!("{} are back", capital(&all))
}

fn limits(exercise: &Exercise) -> Vec<String> {
    let (heap, others): (Vec<_>, Vec<_>) = exercise.facts.limits.iter().partition(|(name, _)| *name == HEAP);
    let heap = heap.into_iter().map(|(_, most)| format!("It keeps at most {} KiB more than before.", grouped(*most)));
    let other = |(name, most): (&String, &u64)| {
        let (gauge, most) = (exercise.scenario.statement.gauge(name), grouped(*most));
        let title = html::inline(&capital(&title(&gauge)));
        match gauge.kind {
            Kind::Maximum => format!("{title}: at most {most} at any time."),
            Kind::Level | Kind::Sum => format!("{title}: at most {most} more than before."),
        }
    };
    if !exercise.is_blind() {
        return heap.chain(others.into_iter().map(other)).collect();
    }
    // Their names would tell where to look.
    let unnamed =
        (!others.is_empty()).then(|| "Some peaks have limits: the check names one that is exceeded.".to_owned());
    heap.chain(unnamed).collect()
}
