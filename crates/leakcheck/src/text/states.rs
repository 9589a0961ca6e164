//! The words for what left tasks do, and for what is not known of it.

use std::fmt::{self, Formatter};

use super::{counted, tasks};
use crate::{
    overdue::rough,
    report::{Report, Survivors},
};

/// The states of a group, with their counts if there are several.
pub(super) fn words(group: &Survivors) -> String {
    let states: Vec<_> = group.states().collect();
    match states[..] {
        [(_, only)] => only.to_owned(),
        _ => states.iter().map(|(count, state)| format!("{count} {state}")).collect::<Vec<_>>().join(", "),
    }
}

/// What parked tasks may be beside parked.
pub(super) fn write_doubts(f: &mut Formatter<'_>, report: &Report) -> fmt::Result {
    let sum = |of: fn(&Survivors) -> usize| report.survivors.iter().map(of).sum::<usize>();
    let (parked, timer) = (sum(|group| group.parked), sum(|group| group.timer));
    match (report.queued, parked) {
        (0, _) => {}
        (queued, parked) if queued >= parked => writeln!(f, "  queued: {} parked, woken but starved", tasks(queued))?,
        (1, _) => writeln!(f, "  queued: 1 of the parked tasks, woken but starved")?,
        (queued, _) => writeln!(f, "  queued: {queued} of the parked tasks, woken but starved")?,
    }
    let Some(next) = report.next_timer else { return Ok(()) };
    let next = match next.as_secs() {
        0 => "a timer of this runtime is pending".to_owned(),
        _ => format!("the next timer of this runtime fires in {} or later", rough(next)),
    };
    match (timer, parked) {
        (_, 0) => writeln!(f, "  {next}"),
        // What is polled again and again is most often a ticker.
        (0, _) if sum(|group| group.live) > 0 => writeln!(f, "  {next}: a live task or a parked one may wait for it"),
        (0, 1) => writeln!(f, "  {next}: the parked task may wait for it"),
        (0, _) => writeln!(f, "  {next}: one of the parked tasks may wait for it"),
        _ => writeln!(f, "  {next}: {} may wait for it too", counted(parked, "parked task")),
    }
}
