use std::collections::BTreeMap;

use stage::{Statement, gauge::Gauge};

use super::*;
use crate::series::{Phase, Recording, Sample, Series};

fn stored() -> Recording {
    serde_json::from_str(include_str!("../../tests/fixture/book/recordings/unconsumed-send.json")).unwrap()
}

fn statement() -> Statement {
    let manifest: toml::Table =
        include_str!("../../tests/fixture/scenarios/unconsumed-send/Cargo.toml").parse().unwrap();
    manifest["package"]["metadata"]["lab"].clone().try_into().unwrap()
}

fn tasks() -> Gauge {
    Gauge::named("tasks")
}

fn sample(elapsed_ms: u64, phase: Phase, tasks: u64) -> Sample {
    Sample { elapsed_ms, phase, units_done: 0, gauges: BTreeMap::from([("tasks".to_owned(), tasks)]) }
}

/// A recording of one side with these values of the headline gauge, a second apart, and `before` of them before the load.
fn with_leak(before: u64, values: &[u64]) -> Recording {
    let mut series = Series::default();
    for (i, value) in values.iter().enumerate() {
        let phase = if i + 1 < values.len() { Phase::Load } else { Phase::Quiet };
        series.push(&sample(1000 * i as u64, phase, *value), *value);
    }
    let mut recording = stored();
    let run = recording.sides.get_mut("leak").unwrap();
    run.series = series;
    run.report.before.insert("tasks".to_owned(), before);
    recording
}

fn drawn(recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    svg(&tasks(), &Course::recorded(recording, sides)?, &[])
}

/// What stands between `from` and `to`, for each time it does.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

#[test]
fn an_empty_record_is_an_error_and_not_an_empty_picture() {
    let error = drawn(&with_leak(0, &[]), &["leak", "fix"]).unwrap_err();
    assert_eq!(error.to_string(), "the side `leak` has no sample of `tasks`");
    assert_eq!(drawn(&stored(), &[]).unwrap_err().to_string(), "no side to draw");
    let (recording, nothing) = (stored(), Gauge::named("nothing"));
    let error = svg(&nothing, &Course::recorded(&recording, &["leak"]).unwrap(), &[]).unwrap_err();
    assert_eq!(error.to_string(), "no side has a sample of `nothing`");
}

#[test]
fn a_side_that_was_not_recorded_is_an_error_that_names_the_sides_there_are() {
    let error = drawn(&stored(), &["leak", "wrong"]).unwrap_err();
    assert_eq!(error.to_string(), "no side `wrong` is recorded, only fix, leak");
}

#[test]
fn one_sample_and_all_zero_are_drawn_inside_the_plane() {
    for values in [&[0][..], &[7], &[0, 0, 0], &[0, 0]] {
        let drawing = drawn(&with_leak(0, values), &["leak"]).unwrap();
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
        for point in between(&drawing, " points=\"", "\"")[0].split(' ') {
            let (x, y) = point.split_once(',').unwrap();
            assert!((0.0..=528.0).contains(&x.parse().unwrap()), "{point} of {values:?}");
            assert!((0.0..=232.0).contains(&y.parse().unwrap()), "{point} of {values:?}");
        }
    }
}

#[test]
fn a_recorded_pair_is_drawn_in_five_kilobytes_with_both_ends_labelled() {
    let drawing = drawn(&stored(), &["leak", "fix"]).unwrap();
    assert!(drawing.contains(">leak 1,200</text>") && drawing.contains(">fix 0</text>"), "{drawing}");
    assert!(drawing.contains("role=\"img\"") && drawing.contains(">quiet</text>"));
    assert!(drawing.len() <= 5 * 1024, "{} bytes", drawing.len());
    assert!(!drawing.contains('\n'), "an empty line would end mdBook's HTML block");
}

#[test]
fn the_values_under_the_pointer_are_those_of_all_sides_at_that_time() {
    let drawing = drawn(&with_leak(0, &[0, 600, 1200, 1200, 1200]), &["leak", "fix"]).unwrap();
    let said = between(&drawing, "<title>", "</title>");
    assert!(said.len() == 24 && said[0].contains("leak 0, fix "), "{said:?}");
    assert!(said[23].contains("leak 1,200, fix 0"), "{said:?}");
}

#[test]
fn a_hundred_thousand_samples_stay_small() {
    let jagged: Vec<u64> = (0..100_000).map(|i| i * 37 % 1_000).collect();
    assert!(drawn(&with_leak(0, &jagged), &["leak"]).unwrap().len() < 16 * 1024);
}

#[test]
fn the_file_of_its_own_needs_no_stylesheet() {
    let file = divergence(&stored()).unwrap();
    assert!(file.starts_with("<svg viewBox=") && file.contains("xmlns=") && file.contains("<style>"), "{file}");
    assert!(!file.contains("<title>"), "nobody points at a picture");
    assert_eq!(file.matches("<svg").count(), file.matches("</svg>").count());
}

#[test]
fn the_words_begin_with_the_value_before_the_load() {
    let said = |before, values: &[u64]| {
        let recording = with_leak(before, values);
        let run = recording.run("leak").unwrap();
        let told = story(&tasks(), &[Course::ended("leak", run)]);
        told.split_once("leak ").unwrap().1.to_owned()
    };
    assert_eq!(said(0, &[0, 0]), "stays at 0.");
    assert_eq!(said(3, &[3, 9, 3]), "rises from 3 to 9 at most and comes back to 3.");
    assert_eq!(said(0, &[9, 100, 2]), "rises from 0 to 100 at most and ends at 2.");
    // The first look was under load: 8 were there by then.
    assert_eq!(said(0, &[8, 900, 1200]), "climbs from 0 to 1,200 and stays there after the load ends.");
    assert_eq!(said(0, &[0, 8, 4]), "climbs from 0 to 8 and ends at 4.");
    assert_eq!(said(8, &[8, 1]), "falls from 8 to 1.");
    // Seen before the service had come up.
    assert_eq!(said(4, &[1, 3, 4]), "never exceeds 4, and ends at 4.");
    assert_eq!(said(0, &[]), "has no sample.");
}

#[test]
fn the_headline_comes_first_then_the_scenarios_own_then_the_stages_then_the_console() {
    let recording = stored();
    let courses = Course::recorded(&recording, &["leak", "fix"]).unwrap();
    let names: Vec<_> = gauges(&statement(), &courses).into_iter().map(|gauge| gauge.name).collect();
    assert_eq!(names[0], "tasks");
    let place =
        |name: &str| names.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name}: {names:?}"));
    assert!(place("offers_held") < place("threads") && place("threads") < place("fds"), "{names:?}");
    assert_eq!(names.last().unwrap(), "console_tasks");
    assert!(courses.iter().all(|course| svg(&tasks(), &[*course], &[]).is_ok()));
}

#[test]
fn memory_is_drawn_in_mebibytes() {
    let recording = stored();
    let courses = Course::recorded(&recording, &["leak"]).unwrap();
    let drawing = svg(&Gauge::named("rss_kib"), &courses, &[]).unwrap();
    let last = recording.run("leak").unwrap().series.gauge("rss_kib").last().unwrap() / 1024;
    assert!(drawing.contains("MiB") && drawing.contains(&format!(">leak {last}")), "{drawing}");
}

fn both() -> Vec<String> {
    vec!["leak".to_owned(), "fix".to_owned()]
}

fn live(recorded: Option<Recording>) -> (Vec<Drawing>, Vec<Drawing>) {
    let mut live = Live::new(statement(), both(), recorded);
    let first = live.push("leak", &sample(3, Phase::Start, 5), 4);
    assert!(live.push("fix", &sample(4, Phase::Load, 7), 7).is_empty(), "both sides of one tick are one drawing");
    (first, live.push("leak", &sample(253, Phase::Load, 90), 88))
}

#[test]
fn a_live_run_is_drawn_once_a_tick_with_every_gauge_seen_so_far() {
    let (first, second) = live(None);
    for drawings in [&first, &second] {
        assert_eq!(drawings.iter().map(|one| one.gauge.as_str()).collect::<Vec<_>>(), ["tasks", "console_tasks"]);
    }
    assert!(first[0].svg.contains("leak from 5 to 5 so far.\""), "{}", first[0].svg);
    assert!(second[0].svg.contains("leak from 5 to 90 so far; fix is at 7.\""), "{}", second[0].svg);
    assert!(!second[0].svg.contains(">quiet<"), "{}", second[0].svg);
    assert!(!second[0].svg.contains("<title>"), "what changes four times in a second is not pointed at");
}

#[test]
fn a_live_run_grows_into_the_place_of_the_recorded_one() {
    let (_, alone) = live(None);
    let (_, expected) = live(Some(stored()));
    let steps = |drawing: &str| between(drawing, "text-anchor=\"end\">", "<").last().unwrap().replace(',', "");
    assert!(steps(&alone[0].svg).parse::<u64>().unwrap() <= 100);
    assert!(steps(&expected[0].svg).parse::<u64>().unwrap() >= 1_000);
}

#[test]
fn the_end_of_a_live_run_is_drawn_as_a_recorded_one() {
    let recorded = stored();
    let drawings = Live::new(statement(), both(), None).end(&recorded.sides);
    assert_eq!(drawings[0].svg, drawn(&recorded, &["leak", "fix"]).unwrap());
}
