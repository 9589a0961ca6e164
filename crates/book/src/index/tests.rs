use std::collections::HashSet;

use serde::Deserialize;

use super::*;

/// So many remarks under one heading are read to the end.
const REMARKS_MAX: usize = 18;
/// Between tasks that stand still and tasks that are polled for ever: no recording has a group that a run could move across the line.
const GAP: std::ops::Range<u64> = 10..14;

/// What a reporter saw, and where the index must lead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    issue: String,
    /// For whoever rewords the entry.
    #[serde(rename = "symptom")]
    _symptom: String,
    #[serde(rename = "cause")]
    _cause: String,
    entry: String,
    leads: Option<String>,
    says: Option<String>,
}

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

fn check(table: &str, part: &str) {
    assert!(table.contains(part), "{part}\nis not in\n{table}");
}

/// The rows of one or more tables, without their heads.
fn rows(tables: &str) -> Vec<&str> {
    tables.split("<tr><th scope=\"row\">").skip(1).map(|row| row.split("</tr>").next().unwrap()).collect()
}

/// The scenarios that a row links to.
fn chapters<'a>(source: &'a Source, row: &str) -> BTreeSet<&'a str> {
    let all = source.scenarios().unwrap().iter().map(|one| one.name.as_str());
    all.filter(|name| row.contains(&format!("<a href=\"{name}.html\">"))).collect()
}

/// What is wrong with the entries. Recordings are told of elsewhere.
fn faults(source: &Source) -> Vec<String> {
    source.symptoms();
    source.told().into_iter().filter(|told| told.starts_with("book/symptoms.toml")).collect()
}

fn tables(source: &Source) -> [(&'static str, String); 4] {
    [
        ("symptoms", symptoms(source).unwrap()),
        ("moved", moved(source).unwrap()),
        ("waits", waits(source).unwrap()),
        ("movement", movement(source).unwrap()),
    ]
}

#[test]
fn each_table_leads_from_what_is_seen_to_the_chapter() {
    let source = Source::fixture();
    let remarks = symptoms(&source).unwrap();
    check(&remarks, "### Memory\n\n<div class=\"table-wrapper wb-table wb-index\">");
    check(&remarks, ">Memory grows with every search.</th>");
    check(
        &moved(&source).unwrap(),
        ">Live tasks and a gauge of the service's own; polls stand still</th><td data-label=\"Ask, and where it leads\">\
         <em>Who receives after the first answer?</em> <a href=\"unconsumed-send.html\">",
    );
    check(&waits(&source).unwrap(), ">Idle, waits on Semaphore of a channel</th>");
    check(
        &movement(&source).unwrap(),
        "Unconsumed send</a></th><td data-label=\"tasks\"><strong>up</strong></td><td data-label=\"threads\">flat<",
    );
}

#[test]
fn what_belongs_to_no_scenario_stands_beside_them() {
    let source = Source::fixture();
    let remarks = symptoms(&source).unwrap();
    check(
        &remarks,
        "No chapter yet. Chart <code>available_permits()</code>; see <a href=\"unconsumed-send.html#guard\">the",
    );
    check(
        &remarks,
        "<ul><li>It is kept, and nobody receives: <a href=\"unconsumed-send.html\">Unconsumed send</a></li>\
         <li>It is slow: No chapter yet. Bound what comes in.</li></ul>",
    );
    check(&moved(&source).unwrap(), ">OS threads rise.</th>");
    check(&waits(&source).unwrap(), "<a href=\"unconsumed-send.html#guard\">Unconsumed send: Guard</a>");
    check(&late(&source), ">A socket stays.</th><td data-label=\"What ends it, and when\">The idle limit.</td>");
    let movement = movement(&source).unwrap();
    check(&movement, ": 2 rows with a chapter, 1 without one yet</caption>");
    check(&movement, "<code>available_permits()</code>. No chapter yet. Make the guard first.</td>");
    assert_eq!(faults(&source), [] as [&str; 0]);
}

#[test]
fn a_wait_of_many_chapters_is_told_with_what_else_can_be_seen() {
    let group = |polls| Group {
        count: 1,
        spawned_at: String::new(),
        name: String::new(),
        kind: "task".to_owned(),
        state: "idle".to_owned(),
        waits_on: None,
        polls,
    };
    assert_eq!(Polls::of(&group((1, 7))), Polls::Still);
    assert_eq!(Polls::of(&group((1, 12))), Polls::Rising);
    let ticks = Group { waits_on: Some("Interval made at a.rs:1".to_owned()), ..group((1, 1)) };
    assert_eq!(Polls::of(&ticks), Polls::Rising);
}

#[test]
fn no_row_of_the_book_lists_more_than_five_chapters() {
    let source = Source::workbook();
    for (name, table) in tables(&source) {
        let rows = rows(&table);
        assert!(rows.len() > 5, "{name}");
        for row in rows {
            assert!(chapters(&source, row).len() <= WAYS_MAX, "{name}: {row}");
            assert!(row.contains("<a href=") || row.contains("No chapter yet. "), "{name}: {row}");
        }
    }
}

#[test]
fn every_scenario_is_reached_by_a_remark_a_gauge_a_screen_and_its_movement() {
    let source = Source::workbook();
    let all: BTreeSet<_> = source.scenarios().unwrap().iter().map(|one| one.name.as_str()).collect();
    for (name, table) in tables(&source) {
        let reached: BTreeSet<_> = rows(&table).into_iter().flat_map(|row| chapters(&source, row)).collect();
        assert_eq!(reached, all, "{name}");
    }
}

#[test]
fn each_remark_is_made_once_and_a_heading_has_few_of_them() {
    let source = Source::workbook();
    let remarks = symptoms(&source).unwrap();
    let mut seen = HashSet::new();
    for row in rows(&remarks) {
        let notice = row.split("</th>").next().unwrap();
        assert!(seen.insert(notice), "twice: {notice}");
    }
    for topic in Topic::ALL {
        let (_, part) = remarks.split_once(&format!("### {}\n", topic.title())).unwrap();
        let count = rows(part.split("### ").next().unwrap()).len();
        assert!((3..=REMARKS_MAX).contains(&count), "{}: {count}", topic.title());
    }
}

#[test]
fn the_books_own_entries_have_no_fault() {
    let source = Source::workbook();
    assert!(source.symptoms().remark.len() > 20);
    assert_eq!(faults(&source), [] as [&str; 0]);
}

#[test]
fn whoever_comes_to_an_index_is_told_what_looks_like_a_leak_and_is_not() {
    const LINK: &str = "](looks-like-a-leak.md)";
    let pages = std::fs::read_dir(&Source::workbook().book_src).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    let with_index: Vec<_> = pages
        .map(|page| (std::fs::read_to_string(&page).unwrap(), page))
        .filter(|(text, _)| ["{{#symptoms}}", "{{#card}}", "{{#movement}}"].iter().any(|index| text.contains(index)))
        .collect();
    assert_eq!(with_index.len(), 3);
    let without: Vec<_> = with_index.iter().filter(|(text, _)| !text.contains(LINK)).map(|(_, page)| page).collect();
    assert!(without.is_empty(), "{without:?} does not link to what looks like a leak and is not");
}

#[test]
fn tasks_that_tick_are_told_from_those_that_stand_still() {
    let source = Source::workbook();
    let leaks = telltale::all(&source).unwrap();
    let groups: Vec<_> = leaks.iter().flat_map(Telltale::left).collect();
    let (rising, still): (Vec<&Group>, Vec<&Group>) =
        groups.iter().partition(|group| Polls::of(group) == Polls::Rising);
    assert!(rising.len() >= 3 && still.len() >= 10, "{} rise, {} stand still", rising.len(), still.len());
    let unclear: Vec<_> =
        groups.iter().filter(|group| group.waits_on.is_none() && GAP.contains(&group.polls.1)).collect();
    assert!(unclear.is_empty(), "{unclear:?}");
    // The chapter says so of itself: one of its tasks wakes up for ever.
    let ticks = leaks.iter().find(|leak| leak.one.name == "missing-cancel").unwrap();
    assert_eq!(ticks.polls(), Polls::Rising);
}

/// What reporters saw leads to the cause that was found, or to an honest next step.
#[test]
fn public_reports_are_led_to_their_cause() {
    let source = Source::workbook();
    let remarks = symptoms(&source).unwrap();
    let reports: Reports = toml::from_str(include_str!("../../tests/data/reports.toml")).unwrap();
    assert!(reports.report.len() >= 12);
    for Report { issue, entry, leads, says, .. } in reports.report {
        let head = format!("{}</th>", html::prose(&entry));
        let row = rows(&remarks).into_iter().find(|row| row.starts_with(&head));
        let row = row.unwrap_or_else(|| panic!("{issue}: no remark says “{entry}”"));
        let wanted = match (leads, says) {
            (Some(page), None) => page,
            (None, Some(words)) => {
                check(row, "No chapter yet. ");
                words
            }
            _ => panic!("{issue}: write `leads` or `says`"),
        };
        assert!(row.contains(&wanted), "{issue}: “{entry}” does not lead to {wanted}: {row}");
    }
}
