//! `{{#card}}`: every leak of the book, a sheet for each part.
//!
//! All rows are found: scenarios by their folders, their order by `SUMMARY.md`, mistakes and fixes by their marked lines,
//! guards by their tests, tell-tales by the recordings. Only what nobody can measure is written, in `[package.metadata.card]`.

use anyhow::{Context, bail};
use evidence::side::{Side, capital};
use stage::gauge::Gauge;

use super::{
    html,
    source::Source,
    symptoms::Written,
    telltale::{self, LEAK, NO_TASK, Telltale, wait},
};

/// One row for each scenario, under the title of its part, and nothing that does not fit on a sheet.
pub(super) fn card(source: &Source) -> anyhow::Result<String> {
    let head = ["The mistake", "Tell-tale", "First question", "The fix", "The guard"];
    let leaks = telltale::all(source)?;
    let parts = parts(source, &leaks);
    let is_part = |written: &&Written| parts.iter().any(|(title, _)| *title == written.part);
    if let Some(lost) = source.symptoms().card.iter().find(|written| !is_part(written)) {
        bail!(
            "book/symptoms.toml: the card's row “{}”: no part with a chapter is called “{}”",
            lost.mistake,
            lost.part
        );
    }
    let mut sheets = String::new();
    for (title, names) in parts {
        let own = leaks.iter().filter(|leak| names.contains(&leak.one.name.as_str()));
        let mut rows = own.map(|leak| row(source, leak)).collect::<anyhow::Result<Vec<_>>>()?;
        for written in source.symptoms().card.iter().filter(|written| written.part == title) {
            rows.push(by_hand(source, written)?);
        }
        let (table, name) = (html::table("wb-card-table", &title, &head, &rows), html::text(&title));
        sheets += &format!("<section class=\"wb-card\" aria-label=\"The card: {name}\">{table}</section>");
    }
    Ok(sheets)
}

/// The parts of the book that have a scenario, with the names of theirs.
fn parts<'a>(source: &'a Source, leaks: &[Telltale<'a>]) -> Vec<(String, Vec<&'a str>)> {
    let is_listed = |name: &str| source.parts.iter().any(|part| part.chapters.iter().any(|one| one.page == name));
    let mut parts: Vec<(String, Vec<&str>)> = Vec::new();
    for part in &source.parts {
        let own = leaks.iter().map(|leak| leak.one.name.as_str());
        let names: Vec<_> = own.filter(|name| part.chapters.iter().any(|one| one.page == *name)).collect();
        if !names.is_empty() {
            parts.push((part.title.clone(), names));
        }
    }
    let others: Vec<_> = leaks.iter().map(|leak| leak.one.name.as_str()).filter(|name| !is_listed(name)).collect();
    if !others.is_empty() {
        parts.push(("Each leak of this workbook".to_owned(), others));
    }
    parts
}

/// A leak that has no scenario here, and claims that show it.
fn by_hand(source: &Source, written: &Written) -> anyhow::Result<Vec<String>> {
    let Written { mistake, why, tell, ask, fix, guard, claims, .. } = written;
    for claim in claims {
        let (name, field) = claim.split_once(' ').context("a claim of a card is `NAME FIELD`")?;
        source.claim(name, field)?;
    }
    let first = format!("<b>{}</b><br><span class=\"wb-why\">{}</span>", html::text(mistake), html::prose(why));
    Ok([vec![first], [tell, ask, fix, guard].map(|cell| html::prose(cell)).to_vec()].concat())
}

fn row(source: &Source, leak: &Telltale<'_>) -> anyhow::Result<Vec<String>> {
    let one = leak.one;
    let side = |name: &str| one.side(name).with_context(|| format!("{} has no side `{name}`", one.name));
    let (mistake, fix) = (side(LEAK)?, side("fix")?);
    let marked = |side: &Side| {
        let sentence = side.marked.as_ref().with_context(|| format!("{}: {} has no mark", one.name, side.name));
        sentence.map(|(_, words)| html::prose(&capital(words)))
    };
    let guard = fix.guard.as_ref().with_context(|| format!("{}: fix.rs has no guard with a test", one.name))?;
    Ok(vec![
        format!("{}<br><span class=\"wb-why\">{}</span>", html::chapter(one), marked(mistake)?),
        telltale(leak),
        html::prose(&source.card(one)?.question),
        marked(fix)?,
        html::text(guard),
    ])
}

/// The gauges that a leak moves, then what the console says of the tasks that are left.
fn telltale(leak: &Telltale<'_>) -> String {
    let short = |(gauge, by): &(Gauge, String)| format!("{} {by}", gauge.name.replace('_', " "));
    let moved: Vec<_> = leak.moved.iter().map(short).collect();
    let unit = html::text(&leak.recording.unit);
    let gauges = if moved.is_empty() { "no gauge".to_owned() } else { html::text(&moved.join(", ")) };
    format!("<b>{gauges}</b> per {unit}.<br>Console: {}", console(leak))
}

fn console(leak: &Telltale<'_>) -> String {
    let most = leak.left().into_iter().max_by_key(|group| group.count);
    let words = most.map(|group| {
        let polls = match group.polls {
            (1, 1) => "1 poll".to_owned(),
            (fewest, most) if fewest == most => format!("{most} polls"),
            (fewest, most) => format!("{fewest}–{most} polls"),
        };
        html::text(&format!("{}, {polls}, {}", group.state, wait(group)))
    });
    words.unwrap_or_else(|| NO_TASK.to_owned())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn check(table: &str, part: &str) {
        assert!(table.contains(part), "{part}\nis not in\n{table}");
    }

    #[test]
    fn a_row_is_made_of_marks_test_recording_and_question() {
        let table = card(&Source::fixture()).unwrap();
        check(&table, "<a href=\"unconsumed-send.html\">Unconsumed send</a>");
        check(
            &table,
            "<b>tasks +6, offers held +1</b> per search.<br>Console: idle, 2 polls, waits on Semaphore of a channel<",
        );
        check(&table, "Who receives after the first answer?");
        check(&table, "A search leaves no task behind.");
    }

    #[test]
    fn what_returned_to_rest_and_what_is_few_is_no_tell_tale() {
        let source = Source::fixture();
        let mut recording = (*source.recording("unconsumed-send").unwrap()).clone();
        let leak = recording.sides.get_mut(LEAK).unwrap();
        leak.report.survivors.values_mut().for_each(|left| *left = 0.0);
        leak.console.groups.iter_mut().for_each(|group| group.count = 1);
        let one = source.scenario("unconsumed-send").unwrap();
        assert_eq!(
            telltale(&Telltale::new(one, Rc::new(recording)).unwrap()),
            "<b>no gauge</b> per search.<br>Console: no task of the work is left"
        );
    }
}
