//! `{{#card}}`, the catalogue of every leak on one sheet, and `{{#symptoms}}`, `{{#moved}}`, `{{#movement}}` and `{{#waits}}`, the ways into it.
//!
//! All rows are found: scenarios by their folders, their order by `SUMMARY.md`, mistakes and fixes by their marked lines,
//! guards by their tests, tell-tales by the recordings. Only what nobody can measure is written, in `[package.metadata.card]`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use stage::gauge::{self, Gauge};

use super::{html, source::Source, tables};
use crate::{
    catalogue::Scenario,
    series::{Group, Recording},
    side::{Side, capital},
    words::left as in_words,
};

/// The leaking side is what the card is about.
const LEAK: &str = "leak";
/// A group of tasks is the leak's when there is at least this much of it per unit of work.
const PER_UNIT_MIN: f64 = 0.5;
/// Less than this per unit is what a run happens to leave, and not what its work leaves.
const TELLING_MIN: f64 = 0.1;
/// What the table of movements looks at, and the gauges behind each column.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("tasks", &["tasks"]),
    ("threads", &["threads", "blocking_threads"]),
    ("sockets", &["sockets"]),
    ("descriptors", &["fds"]),
];
/// Where nothing of the work is left to see.
const NO_TASK: &str = "no task of the work is left";

/// One row for each scenario, and nothing that does not fit on a sheet.
pub(super) fn card(source: &Source) -> anyhow::Result<String> {
    let head = ["The mistake", "Tell-tale", "First question", "The fix", "The guard"];
    let rows = source.scenarios()?.iter().map(|one| card_row(source, one)).collect::<anyhow::Result<Vec<_>>>()?;
    let table = html::table("wb-card-table", "Each leak of this workbook", &head, &rows);
    Ok(format!("<section class=\"wb-card\" aria-label=\"The card\">{table}</section>"))
}

fn card_row(source: &Source, one: &Scenario) -> anyhow::Result<Vec<String>> {
    let side = |name: &str| one.side(name).with_context(|| format!("{} has no side `{name}`", one.name));
    let (leak, fix) = (side(LEAK)?, side("fix")?);
    let marked = |side: &Side| {
        let sentence = side.marked.as_ref().with_context(|| format!("{}: {} has no mark", one.name, side.name));
        sentence.map(|(_, words)| html::prose(&capital(words)))
    };
    let guard = fix.guard.as_ref().with_context(|| format!("{}: fix.rs has no guard with a test", one.name))?;
    Ok(vec![
        format!("{}<br><span class=\"wb-why\">{}</span>", link(one), marked(leak)?),
        telltale(one, &*source.recording(&one.name)?)?,
        html::prose(&source.card(one)?.question),
        marked(fix)?,
        html::text(guard),
    ])
}

/// The gauges that a leak moves, then what the console says of the tasks that are left.
fn telltale(one: &Scenario, recording: &Recording) -> anyhow::Result<String> {
    let short = |(gauge, by): (Gauge, String)| format!("{} {by}", gauge.name.replace('_', " "));
    let moved: Vec<_> = moved(one, recording)?.into_iter().map(short).collect();
    let unit = html::text(&recording.unit);
    let gauges = if moved.is_empty() { "no gauge".to_owned() } else { html::text(&moved.join(", ")) };
    Ok(format!("<b>{gauges}</b> per {unit}.<br>Console: {}", console(recording)?))
}

fn console(recording: &Recording) -> anyhow::Result<String> {
    let most = left(recording)?.into_iter().max_by_key(|group| group.count);
    let words = most.map(|group| {
        let polls = match group.polls {
            (1, 1) => "1 poll".to_owned(),
            (fewest, most) if fewest == most => format!("{most} polls"),
            (fewest, most) => format!("{fewest}–{most} polls"),
        };
        html::text(&format!("{}, {polls}, {}", group.state, wait(group)))
    });
    Ok(words.unwrap_or_else(|| NO_TASK.to_owned()))
}

/// What people say first, and where to go.
pub(super) fn symptoms(source: &Source) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for one in source.scenarios()? {
        let card = source.card(one)?;
        for symptom in &card.symptoms {
            rows.push(vec![html::prose(symptom), html::prose(&card.question), link(one)]);
        }
    }
    Ok(html::table("wb-index", "From what you notice", &["You notice", "Ask first", "Chapter"], &rows))
}

/// Which gauge moves in which leak.
pub(super) fn gauges(source: &Source) -> anyhow::Result<String> {
    let mut found: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
    for one in source.scenarios()? {
        let recording = source.recording(&one.name)?;
        for (gauge, by) in moved(one, &recording)? {
            let (rank, _) = gauge::rank(&gauge.name);
            let title = html::text(&gauge.title());
            let (title, own) = match gauge.is_of_stage() {
                true => (title, String::new()),
                false => ("a gauge of the service's own".to_owned(), format!("{title} ")),
            };
            let words = format!("{} ({own}{by} per {})", link(one), html::text(&recording.unit));
            found.entry((rank, title)).or_default().push(words);
        }
    }
    let rows: Vec<_> = found.into_iter().map(|((_, title), leaks)| vec![title, leaks.join(", ")]).collect();
    Ok(html::table("wb-index", "From the gauge that moves", &["It rises and stays", "In"], &rows))
}

/// What the console says the leaked tasks wait on.
pub(super) fn waits(source: &Source) -> anyhow::Result<String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in source.scenarios()? {
        let recording = source.recording(&one.name)?;
        let mut words: BTreeSet<_> =
            left(&recording)?.into_iter().map(|group| format!("{}, {}", group.state, wait(group))).collect();
        if words.is_empty() {
            words.insert(NO_TASK.to_owned());
        }
        words.into_iter().for_each(|words| found.entry(words).or_default().push(link(one)));
    }
    let rows: Vec<_> = found.into_iter().map(|(words, leaks)| vec![html::text(&words), leaks.join(", ")]).collect();
    Ok(html::table("wb-index", "From what tokio-console shows", &["The tasks that are left", "In"], &rows))
}

fn link(one: &Scenario) -> String {
    format!("<a href=\"{}.html\">{}</a>", html::text(&one.name), html::text(one.title()))
}

/// The gauges that tell leak and fix apart, with how much stays per unit, the headline first. Work done rises in both, and
/// memory in all: neither is a tell-tale.
fn moved(one: &Scenario, recording: &Recording) -> anyhow::Result<Vec<(Gauge, String)>> {
    let [leak, fix] = [recording.run(LEAK)?, recording.run("fix")?].map(|run| &run.report.survivors);
    let in_fix = |name: &String| fix.get(name).copied().unwrap_or_default();
    let telling = leak
        .iter()
        .filter(|(name, left)| *name != tables::MEMORY && **left >= TELLING_MIN)
        .filter(|(name, left)| in_fix(name) < **left / 2.0);
    let mut moved: Vec<_> = telling
        .filter_map(|(name, left)| {
            let gauge = one.statement.gauge(name);
            let by = format!("+{}", in_words(&gauge, *left)?);
            Some((gauge, by))
        })
        .collect();
    moved.sort_by_key(|(gauge, _)| (gauge.name != recording.gauge, gauge::rank(&gauge.name).0));
    Ok(moved)
}

/// Which of the stage's gauges moves in which leaks, and which one tells: leaks that move alike stand in one row.
pub(super) fn movement(source: &Source) -> anyhow::Result<String> {
    let mut found: BTreeMap<(Vec<bool>, String), Vec<String>> = BTreeMap::new();
    for one in source.scenarios()? {
        let recording = source.recording(&one.name)?;
        let moved: Vec<_> = moved(one, &recording)?.into_iter().map(|(gauge, _)| gauge.name).collect();
        let moves = COLUMNS.iter().map(|(_, names)| !names.iter().any(|name| moved.iter().any(|one| one == name)));
        let tells = html::text(&one.statement.gauge(&recording.gauge).title());
        found.entry((moves.collect(), tells)).or_default().push(link(one));
    }
    let rows = found.into_iter().map(|((flat, tells), leaks)| {
        let cells = flat.iter().map(|flat| if *flat { "flat".to_owned() } else { "<strong>up</strong>".to_owned() });
        std::iter::once(leaks.join(", ")).chain(cells).chain([tells]).collect::<Vec<_>>()
    });
    let mut head = vec!["Leak"];
    head.extend(COLUMNS.iter().map(|(title, _)| *title));
    head.push("What tells it");
    Ok(html::table("wb-index", "Which gauge moves for which leak", &head, &rows.collect::<Vec<_>>()))
}

/// The console's groups of tasks that the leak's work left.
fn left(recording: &Recording) -> anyhow::Result<Vec<&Group>> {
    let run = recording.run(LEAK)?;
    let least = run.report.units_done as f64 * PER_UNIT_MIN;
    Ok(run.console.groups.iter().filter(|group| group.count as f64 >= least).collect())
}

/// What they wait on, without its place and details: those are in the chapter.
fn wait(group: &Group) -> String {
    let kind = |words: &str| [" made at ", ",", " ("].iter().fold(words, |words, end| before(words, end)).to_owned();
    match group.waits_on.as_deref().map(kind) {
        Some(kind) => format!("waits on {kind}"),
        None => "wait unseen".to_owned(),
    }
}

fn before<'a>(words: &'a str, end: &str) -> &'a str {
    words.split_once(end).map_or(words, |(before, _)| before)
}

#[cfg(test)]
mod tests {
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
    fn each_index_leads_from_what_is_seen_to_the_chapter() {
        let source = Source::fixture();
        check(&symptoms(&source).unwrap(), ">Memory grows with every search.</th>");
        check(&gauges(&source).unwrap(), ">live tasks</th><td data-label=\"In\"><a href=\"unconsumed-send.html\">");
        check(&waits(&source).unwrap(), "idle, ");
        check(
            &movement(&source).unwrap(),
            "Unconsumed send</a></th><td data-label=\"tasks\"><strong>up</strong></td><td data-label=\"threads\">flat<",
        );
    }

    #[test]
    fn what_returned_to_rest_and_what_is_few_is_no_tell_tale() {
        let source = Source::fixture();
        let mut recording = (*source.recording("unconsumed-send").unwrap()).clone();
        let leak = recording.sides.get_mut(LEAK).unwrap();
        leak.report.survivors.values_mut().for_each(|left| *left = 0.0);
        leak.console.groups.iter_mut().for_each(|group| group.count = 1);
        assert_eq!(
            telltale(source.scenario("unconsumed-send").unwrap(), &recording).unwrap(),
            "<b>no gauge</b> per search.<br>Console: no task of the work is left"
        );
    }
}
