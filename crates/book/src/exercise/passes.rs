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
        return "What the service holds comes back".to_owned();
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
    let limits = exercise.facts.limits.iter();
    let said = limits.map(|(name, most)| {
        let (gauge, most) = (exercise.scenario.statement.gauge(name), grouped(*most));
        match (name.as_str(), gauge.kind) {
            ("heap_kib", _) => format!("It keeps at most {most} KiB more than before."),
            (_, _) if exercise.is_blind() => format!("Another number has a limit of {most}."),
            (_, Kind::Maximum) => format!("{}: at most {most} at any time.", html::inline(&title(&gauge))),
            (_, Kind::Level | Kind::Sum) => {
                format!("{}: at most {most} more than before.", html::inline(&title(&gauge)))
            }
        }
    });
    said.collect()
}
