//! `{{#symptoms}}`, `{{#moved}}`, `{{#waits}}`, `{{#late}}` and `{{#movement}}`: the ways from what is seen to a chapter.
//!
//! A scenario is found by its remarks in `Cargo.toml` and by its recording. What belongs to no scenario is in `book/symptoms.toml`.
//! No row has more than five chapters: a longer one leads nobody.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use evidence::{
    catalogue::{Scenario, title_of},
    series::Group,
    side::capital,
    topic::Topic,
};
use stage::gauge::Gauge;

use super::{
    html,
    source::Source,
    symptoms::{Entry, Lead, WAYS_MAX},
    telltale::{self, Beside, NO_TASK, Polls, Telltale, wait},
};

/// What the table of movements looks at, and the gauges behind each column.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("tasks", &["tasks"]),
    ("threads", &["threads", "blocking_threads"]),
    ("sockets", &["sockets"]),
    ("descriptors", &["fds"]),
];
/// The page of the index: its sections need no title before them.
const HERE: &str = "symptoms.md";
/// The last column: a number that only this service has.
const OWN: &str = "own gauge";

/// The columns of the table of movements.
pub(super) fn columns() -> Vec<&'static str> {
    COLUMNS.iter().map(|(title, _)| *title).chain([OWN]).collect()
}

/// What people say first, and where to go: a table for each topic.
pub(super) fn symptoms(source: &Source) -> anyhow::Result<String> {
    let mut rows: BTreeMap<Topic, Vec<Vec<String>>> = BTreeMap::new();
    for entry in &source.symptoms().remark {
        let lead = leads(source, entry);
        let row = vec![html::prose(&entry.notice), html::prose(&entry.ask), lead];
        entry.topic.into_iter().for_each(|topic| rows.entry(topic).or_default().push(row.clone()));
    }
    for one in source.scenarios()? {
        let card = source.card(one)?;
        for (topic, remark) in card.symptoms.iter().flat_map(|(topic, all)| all.iter().map(move |one| (topic, one))) {
            let row = vec![html::prose(remark), html::prose(&card.question), html::chapter(one)];
            rows.entry(*topic).or_default().push(row);
        }
    }
    let head = ["You notice", "Ask first", "Chapter or next step"];
    let part = |topic: Topic| {
        let rows = rows.get(&topic)?;
        let table = html::table("wb-index", &format!("{}: what you notice", topic.title()), &head, rows);
        Some(format!("### {}\n\n{table}\n", topic.title()))
    };
    Ok(Topic::ALL.into_iter().filter_map(part).collect::<Vec<_>>().join("\n"))
}

/// Which gauges move in which leak. The count of tasks moves in nearly all, so what moves beside it leads on.
pub(super) fn moved(source: &Source) -> anyhow::Result<String> {
    let mut found: BTreeMap<(bool, Beside, Polls), Vec<String>> = BTreeMap::new();
    for leak in &telltale::all(source)? {
        let by = leak.moved.iter().map(|(gauge, by)| html::text(&amount(gauge, by)));
        let by = by.collect::<Vec<_>>().join(", ");
        let line = format!("{} ({by} per {})", way(source, leak.one)?, html::text(&leak.recording.unit));
        let tasks_stay = leak.moves(&["tasks"]);
        let polls = if tasks_stay { leak.polls() } else { Polls::Still };
        found.entry((!tasks_stay, leak.beside(), polls)).or_default().push(line);
    }
    let title = |flat, beside, polls: Polls| match (flat, beside) {
        (false, beside) => format!("live tasks {}; {}", with(beside), polls.words()),
        (true, Beside::Nothing) => "no gauge at all".to_owned(),
        (true, beside) => format!("{}; live tasks are flat", alone(beside)),
    };
    let mut rows: Vec<_> = found
        .into_iter()
        .map(|((flat, beside, polls), lines)| vec![capital(&title(flat, beside, polls)), list(&lines)])
        .collect();
    rows.extend(source.symptoms().gauge.iter().map(|entry| asked(source, entry)));
    Ok(html::table("wb-index", "From the gauge that moves", &["It moves", "Ask, and where it leads"], &rows))
}

/// What the console says the leaked tasks wait on. Where that says little, it is told with what else can be seen.
pub(super) fn waits(source: &Source) -> anyhow::Result<String> {
    let leaks = telltale::all(source)?;
    let mut by_wait: BTreeMap<String, BTreeSet<(&str, String)>> = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for leak in &leaks {
        lines.insert(leak.one.name.as_str(), way(source, leak.one)?);
        for (words, more) in shown(leak) {
            by_wait.entry(words).or_default().insert((&leak.one.name, more));
        }
    }
    let mut rows = Vec::new();
    for (words, mut leaks) in by_wait {
        let mut parts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let names: BTreeSet<_> = leaks.iter().map(|(name, _)| *name).collect();
        if names.len() <= WAYS_MAX {
            parts.insert(words, names);
        } else {
            while let Some((name, more)) = leaks.pop_first() {
                parts.entry(format!("{words}; {more}")).or_default().insert(name);
            }
        }
        let in_order = |names: &BTreeSet<&str>| {
            let all = source.scenarios().into_iter().flatten().filter(|one| names.contains(one.name.as_str()));
            list(&all.map(|one| lines[one.name.as_str()].clone()).collect::<Vec<_>>())
        };
        rows.extend(parts.iter().map(|(words, names)| vec![html::text(&capital(words)), in_order(names)]));
    }
    rows.extend(source.symptoms().console.iter().map(|entry| asked(source, entry)));
    let head = ["It shows", "Ask, and where it leads"];
    Ok(html::table("wb-index", "From what tokio-console shows", &head, &rows))
}

/// What ends by itself, when, and how to know.
pub(super) fn late(source: &Source) -> String {
    let rows = source.symptoms().late.iter();
    let rows: Vec<_> = rows
        .map(|late| [&late.looks, &late.ends, &late.tell].map(|words| html::linked_prose(words)).to_vec())
        .collect();
    let head = ["It looks like a leak", "What ends it, and when", "How to tell"];
    html::table("wb-index", "Late, not leaked", &head, &rows)
}

/// Which gauges move in which leaks, and which one tells: leaks that move alike stand in one row.
pub(super) fn movement(source: &Source) -> anyhow::Result<String> {
    let mut found: BTreeMap<(Vec<bool>, Polls, String), Vec<String>> = BTreeMap::new();
    for leak in &telltale::all(source)? {
        let flat = COLUMNS.iter().map(|(_, names)| !leak.moves(names)).chain([!leak.moves_own()]).collect();
        let tells = html::text(&leak.one.statement.gauge(&leak.recording.gauge).title());
        found.entry((flat, leak.polls(), tells)).or_default().push(html::chapter(leak.one));
    }
    let mut rows: Vec<_> = found
        .into_iter()
        .map(|((flat, polls, tells), leaks)| {
            let tells = if flat[0] { tells } else { format!("{tells}; {}", polls.words()) };
            movement_row(leaks.join(", "), &flat, tells)
        })
        .collect();
    let (mut chapters, mut without) = (rows.len(), 0);
    for leak in &source.symptoms().leak {
        let Ok(to) = leak.lead() else { continue };
        let flat: Vec<_> = columns().into_iter().map(|column| !leak.up.contains(column)).collect();
        let name = html::prose(&leak.leak);
        rows.push(match to {
            Lead::Chapter(_) => {
                chapters += 1;
                movement_row(format!("{name}: {}", lead(source, to)), &flat, html::prose(&leak.tells))
            }
            Lead::Next(_) => {
                without += 1;
                movement_row(name, &flat, format!("{}. {}", html::prose(&leak.tells), lead(source, to)))
            }
        });
    }
    let mut head = vec!["Leak"];
    head.extend(columns());
    head.push("What tells it");
    let caption =
        format!("Which gauge moves for which leak: {chapters} rows with a chapter, {without} without one yet");
    Ok(html::table("wb-index wb-movement", &caption, &head, &rows))
}

fn movement_row(leak: String, flat: &[bool], tells: String) -> Vec<String> {
    let cells = flat.iter().map(|flat| if *flat { "flat".to_owned() } else { "<strong>up</strong>".to_owned() });
    std::iter::once(leak).chain(cells).chain([tells]).collect()
}

/// Every kind of task that is left: what it waits on, and what else tells it from others that wait alike.
fn shown(leak: &Telltale<'_>) -> Vec<(String, String)> {
    let words = |group: &Group| {
        let beside = match leak.beside() {
            Beside::Nothing => "live tasks move alone".to_owned(),
            beside => format!("{} move too", alone(beside)).replace("own move", "own moves"),
        };
        (format!("{}, {}", group.state, wait(group)), format!("{}; {beside}", Polls::of(group).words()))
    };
    match leak.left().as_slice() {
        [] if leak.beside() == Beside::Nothing => vec![(NO_TASK.to_owned(), "no gauge rises".to_owned())],
        [] => vec![(NO_TASK.to_owned(), format!("{} rises", alone(leak.beside())))],
        left => left.iter().map(|group| words(group)).collect(),
    }
}

fn with(beside: Beside) -> String {
    match beside {
        Beside::Nothing => "alone".to_owned(),
        beside => format!("and {}", alone(beside)),
    }
}

fn alone(beside: Beside) -> &'static str {
    match beside {
        Beside::SocketsAndOwn => "a gauge of the service's own, and open sockets",
        Beside::Sockets => "open sockets",
        Beside::Descriptors => "descriptors that are no sockets",
        Beside::Threads => "OS threads",
        Beside::Own => "a gauge of the service's own",
        Beside::OwnSum => "a count of what happened, such as items lost",
        Beside::Nothing => "nothing",
    }
}

/// `live tasks +6`, `exit +2,001 ms`.
fn amount(gauge: &Gauge, by: &str) -> String {
    match gauge.title().strip_suffix(", ms") {
        Some(title) => format!("{title} {by} ms"),
        None => format!("{} {by}", gauge.title()),
    }
}

/// A chapter with the question that leads to it.
fn way(source: &Source, one: &Scenario) -> anyhow::Result<String> {
    Ok(format!("<em>{}</em> {}", html::prose(&source.card(one)?.question), html::chapter(one)))
}

/// A row of two cells.
fn asked(source: &Source, entry: &Entry) -> Vec<String> {
    vec![html::prose(&entry.notice), format!("<em>{}</em> {}", html::prose(&entry.ask), leads(source, entry))]
}

/// Where an entry leads: one place, or one for each of its causes.
fn leads(source: &Source, entry: &Entry) -> String {
    let way = |(when, to): (Option<&str>, _)| match when {
        Some(when) => format!("{}: {}", html::prose(when), lead(source, to)),
        None => lead(source, to),
    };
    list(&entry.leads().into_iter().flatten().map(way).collect::<Vec<_>>())
}

fn lead(source: &Source, lead: Lead<'_>) -> String {
    match lead {
        Lead::Chapter(to) => {
            let (page, anchor) = to.split_once('#').unwrap_or((to, ""));
            let title = source.title(page.trim_end_matches(".md"));
            let words = match anchor {
                "" => title,
                section if page == HERE => title_of(section),
                section => format!("{title}: {}", title_of(section)),
            };
            format!("<a href=\"{}\">{}</a>", html::text(&html::address(to)), html::text(&words))
        }
        Lead::Next(words) => format!("No chapter yet. {}", html::linked_prose(words)),
    }
}

/// Several under each other.
fn list(lines: &[String]) -> String {
    match lines {
        [one] => one.clone(),
        several => format!("<ul>{}</ul>", several.iter().map(|line| format!("<li>{line}</li>")).collect::<String>()),
    }
}
