//! The solutions of an exercise beside the service as it is given, their prices, and the traps with the sentences that they fail with.

use anyhow::Context;
use evidence::{
    contract,
    exercise::{Exercise, SOLUTION, START, TRAP},
    series::Recording,
    side::capital,
    words::grouped,
};

use super::super::{diff, html, lines, source::Source};

/// What only the reader's file has.
const GUARD: &str = "#[cfg(test)]\nmod guard;\n\n";
const HEAP: &str = "heap_kib";

/// What each solution changes.
pub(super) fn compared(source: &Source, exercise: &Exercise) -> anyhow::Result<String> {
    exercise.solutions().map(|side| Ok(changed(source, exercise, side)? + "\n\n")).collect()
}

/// What the recorded runs say of solutions and traps.
pub(super) fn measured(exercise: &Exercise, recording: &Recording) -> anyhow::Result<String> {
    Ok(format!("{}\n\n{}\n", prices(exercise, recording)?, fails(exercise, recording)?))
}

/// What each trap changes, folded.
pub(super) fn traps(source: &Source, exercise: &Exercise) -> anyhow::Result<String> {
    let traps: String = exercise.traps().map(|side| changed(source, exercise, side)).collect::<anyhow::Result<_>>()?;
    Ok(html::fold("wb-changes", "What each trap changes", &traps))
}

/// The lines that a side changes, with the sentence that its file begins with.
fn changed(source: &Source, exercise: &Exercise, side: &str) -> anyhow::Result<String> {
    let text = |side: &str| Ok::<_, anyhow::Error>(comparable(&source.exercise_file(exercise, &format!("{side}.rs"))?));
    let changes = lines::changes(&text(START)?, &text(side)?);
    let file = format!("<code>exercises/{}/{side}.rs</code>", html::text(exercise.name()));
    let sentence = sentence(exercise, side).map(|said| format!(" {}", html::prose(said))).unwrap_or_default();
    if changes.iter().all(|change| change.tag == similar::ChangeTag::Equal) {
        return Ok(format!("<p>{file}: the same text.{sentence}</p>"));
    }
    let label = format!("What {side} changes");
    Ok(format!(
        "<figure class=\"wb-diff\"><figcaption>{file}: {}.{sentence}</figcaption><div class=\"wb-hunks\">{}</div></figure>",
        diff::counted(&changes),
        lines::block(&label, &diff::hunks(&changes))
    ))
}

/// The first sentence of a side's file, where it is not that of the service as it is given.
fn sentence<'a>(exercise: &'a Exercise, side: &str) -> Option<&'a str> {
    let of = |side: &str| exercise.scenario.side(side)?.sentence.as_deref();
    of(side).filter(|said| of(START) != Some(said))
}

/// A side's text without what says which side it is: no change of the service.
fn comparable(text: &str) -> String {
    let text = text.replacen(GUARD, "", 1);
    text.split_inclusive('\n').skip_while(|line| line.starts_with("//!")).collect()
}

/// What each solution costs, beside the service as it is given.
fn prices(exercise: &Exercise, recording: &Recording) -> anyhow::Result<String> {
    let unit = html::text(&exercise.scenario.statement.unit);
    let head =
        ["Side", &format!("Median of one {unit}, ms"), "Most heap, KiB", "Most tasks", "From SIGTERM to the end, ms"];
    let row = |side: &str| {
        let run = recording.run(side)?;
        let closing = run.closing.as_ref();
        let ms = |us: u64| grouped(us.div_ceil(1000));
        anyhow::Ok(vec![
            html::text(side),
            closing.and_then(|closing| closing.median_us).map_or_else(absent, ms),
            grouped(run.series.peak(HEAP)),
            grouped(run.series.peak("tasks")),
            closing.map_or_else(absent, |closing| grouped(closing.took_ms)),
        ])
    };
    let rows = std::iter::once(START).chain(exercise.solutions()).map(row).collect::<anyhow::Result<Vec<_>>>()?;
    let done = grouped(recording.run(SOLUTION)?.report.units_done);
    let units = html::text(&exercise.scenario.statement.units_name());
    Ok(html::table("wb-prices", &format!("What each side took for {done} {units}, recorded"), &head, &rows))
}

fn absent() -> String {
    "–".to_owned()
}

/// The traps: what people do instead, and what the check says to it.
fn fails(exercise: &Exercise, recording: &Recording) -> anyhow::Result<String> {
    // Where no trap says what it does, the fold below does.
    let says = exercise.traps().any(|side| sentence(exercise, side).is_some());
    let row = |side: &str| {
        let name = capital(&side.trim_start_matches(TRAP).replace('-', " "));
        let what = says.then(|| sentence(exercise, side).map_or_else(absent, html::prose));
        anyhow::Ok(
            [Some(name), what, Some(html::text(&fault(exercise, recording, side)?))].into_iter().flatten().collect(),
        )
    };
    let head: &[&str] =
        if says { &["Trap", "What it does", "What the check says"] } else { &["Trap", "What the check says"] };
    let rows = exercise.traps().map(row).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html::table("wb-traps", "What looks like a solution, and does not pass", head, &rows))
}

/// The sentence that a trap fails with, by its own key.
fn fault(exercise: &Exercise, recording: &Recording, side: &str) -> anyhow::Result<String> {
    let faults = contract::judge(exercise, recording.run(side)?, recording.run(SOLUTION)?);
    let key = exercise.facts.fails.get(side);
    let own = faults.iter().find(|fault| Some(&fault.key) == key).or(faults.first());
    let own = own.with_context(|| {
        format!("the recorded run of {side} passes: mend it, and run `cargo lab record {}`", exercise.name())
    })?;
    Ok(capital(&own.sentence) + ".")
}
