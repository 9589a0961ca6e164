//! A recording that somebody or something damaged: one line that says which, and what to run; never a panic, never markup.

use std::{cell::Cell, fs};

use book::For;
use evidence::recording;
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Value, json};

use crate::small::{RECORDING, SmallBook};

const NAME: &str = "unconsumed-send";

impl SmallBook {
    /// What a damaged recording makes of the build: nothing, or an error.
    fn damaged(&self, contents: &[u8]) -> Result<(), String> {
        fs::write(self.root().join(RECORDING), contents).unwrap();
        book::build(self.root(), None, For::Readers).map(drop).map_err(|error| format!("{error:#}"))
    }

    fn with(&self, pointer: &str, value: Value) -> String {
        let mut recording = SmallBook::new().recording();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        recording.pointer_mut(parent).unwrap()[key] = value;
        self.damaged(recording.to_string().as_bytes()).unwrap_err()
    }
}

fn is_one_line(error: &str) -> bool {
    let said: Vec<_> = error.lines().filter(|line| line.contains(RECORDING)).collect();
    error.lines().count() <= 2 && said.len() == 1 && said[0].ends_with("run `cargo lab record unconsumed-send`")
}

#[test]
fn every_kind_of_damage_is_one_line_with_the_file_and_the_command() {
    let book = SmallBook::new();
    let series = "/sides/leak/series";
    let columns: Vec<_> = ["elapsed_ms", "phase", "units_done", "console_tasks", "gauges/tasks"].into();
    for column in columns {
        let pointer = format!("{series}/{column}");
        let mut short = SmallBook::new().recording().pointer(&pointer).unwrap().clone();
        short.as_array_mut().unwrap().truncate(3);
        let error = book.with(&pointer, short);
        assert!(is_one_line(&error) && error.contains(" values, not "), "{error}");
    }
    for (pointer, value, reason) in [
        ("/scenario", json!("sse-push"), "it is of `sse-push`"),
        ("/recorded", json!("yesterday"), "`yesterday`, which is no day"),
        ("/recorded", json!("2026-02-30"), "which is no day"),
        ("/rate", json!(0.0), "offers nothing"),
        ("/unit", json!(""), "is empty"),
        ("/gauge", json!("offers"), "the gauge `offers` is not in it"),
        ("/sides", json!({}), "it has no side"),
        ("/surprise", json!(1), "unknown field `surprise`"),
        ("/sides/leak/report/surprise", json!(1), "unknown field `sides.leak.report.surprise`"),
        ("/sides/leak/report/units_done", json!(0), "no unit of work was done"),
        ("/sides/leak/series/units_done/23", json!(999), "more units than its report"),
        ("/sides/leak/report/after/tasks", json!(-5), "invalid value"),
        ("/sides/leak/report/after/tasks", json!(u64::MAX), "is no number of a run"),
        ("/sides/leak/report/survivors/tasks", json!(-5.0), "does not follow from before and after"),
        ("/sides/leak/series/elapsed_ms/3", json!(9_999_999), "time runs backwards"),
        ("/sides/leak/series/units_done/3", json!(150), "undoes units"),
        ("/sides/leak/console/tasks", json!(7), "the console's groups have"),
    ] {
        let mut recording = SmallBook::new().recording();
        match recording.pointer_mut(pointer) {
            Some(there) => *there = value.clone(),
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                recording.pointer_mut(parent).unwrap()[key] = value.clone();
            }
        }
        let error = book.damaged(recording.to_string().as_bytes()).unwrap_err();
        assert!(is_one_line(&error) && error.contains(reason), "{pointer} = {value}: {error}");
    }
    for contents in [&b"\xff\xfe\x00"[..], b"", b"{", b"[]", b"null", b"{\"scenario\": \"a\\nb\"}"] {
        let error = book.damaged(contents).unwrap_err();
        assert!(is_one_line(&error), "{contents:?}: {error}");
    }
    fs::remove_file(book.root().join(RECORDING)).unwrap();
    fs::create_dir(book.root().join(RECORDING)).unwrap();
    assert!(is_one_line(&book.error()), "{}", book.error());
}

#[test]
fn a_damaged_recording_does_not_keep_the_lab_from_showing_the_page() {
    let book = SmallBook::new().replace(RECORDING, "\"sides\"", "\"pages\"");
    let out = book::build(book.root(), None, For::Lab).unwrap();
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    assert!(page.contains("Not recorded yet") && page.contains("<h2 id=\"the-fix\">"), "{page}");
}

/// Every text of a recording that a page may show, made hostile.
fn poison(value: &mut Value, key: &str) {
    const HOSTILE: &str =
        "</script><!--<script>alert(1)</script><img src=x onerror=alert(1)> \"'`{{#chart x}}|*_[a](javascript:b)";
    match value {
        Value::String(text)
            if ["unit", "units_name", "machine", "state", "kind", "name", "waits_on", "spawned_at"].contains(&key) =>
        {
            HOSTILE.clone_into(text);
        }
        Value::Array(all) => all.iter_mut().for_each(|one| poison(one, key)),
        Value::Object(all) => {
            // A gauge's name is a text too.
            if ["gauges", "before", "after", "survivors", "stated"].contains(&key)
                && let Some(value) = all.get("fds").cloned()
            {
                all.insert(HOSTILE.to_owned(), value);
            }
            all.iter_mut().for_each(|(key, one)| poison(one, key));
        }
        _ => {}
    }
}

#[test]
fn a_text_of_a_recording_is_never_markup() {
    let (book, clean) = (SmallBook::new(), SmallBook::new());
    let mut recording = book.recording();
    poison(&mut recording, "");
    // The console counts what is called a task, and now nothing is.
    for side in ["leak", "fix"] {
        recording["sides"][side]["console"]["tasks"] = 0.into();
    }
    book.damaged(recording.to_string().as_bytes()).unwrap();
    book::build(clean.root(), None, For::Readers).unwrap();
    let elements = |book: &SmallBook| {
        let page = fs::read_to_string(book.root().join("target/book/unconsumed-send.html")).unwrap();
        let mut emitter = html5gum::DefaultEmitter::default();
        emitter.naively_switch_states(true);
        let mut found = std::collections::BTreeMap::<String, usize>::new();
        for Ok(token) in html5gum::Tokenizer::new_with_emitter(&page, emitter) {
            if let html5gum::Token::StartTag(tag) = token {
                let names = tag.attributes.keys().map(|name| String::from_utf8_lossy(name).into_owned());
                assert!(names.clone().all(|name| name != "onerror"), "{tag:?}");
                *found.entry(String::from_utf8_lossy(&tag.name).into_owned()).or_default() += 1;
            }
        }
        // Inside a script, these would make its end no end.
        assert!(!page.contains("<!--<script"), "a script that does not end");
        found
    };
    let (poisoned, clean) = (elements(&book), elements(&clean));
    for tag in ["script", "img", "a", "em", "code"] {
        assert_eq!(poisoned.get(tag), clean.get(tag), "<{tag}>");
    }
}

/// A change somewhere in the recording: other bytes, or another value at any place.
#[derive(Clone, Debug)]
enum Change {
    Bytes { at: prop::sample::Index, cut: usize, with: Vec<u8> },
    Value { at: prop::sample::Index, with: usize },
    Gone { at: prop::sample::Index },
}

fn changes() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 0..40usize, prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(at, cut, with)| Change::Bytes {
            at,
            cut,
            with
        }),
        (at(), 0..VALUES.len()).prop_map(|(at, with)| Change::Value { at, with }),
        at().prop_map(|at| Change::Gone { at }),
    ]
}

const VALUES: [&str; 12] =
    ["null", "-1", "0", "1", "18446744073709551615", "1e308", "0.5", "\"\"", "\"</script>\"", "[]", "{}", "[0,0,0]"];

/// Every place in a value, by its pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(all) => all.iter().for_each(|(key, one)| {
            let at = format!("{at}/{}", escaped(key));
            found.push(at.clone());
            places(one, &at, found);
        }),
        Value::Array(all) => all.iter().enumerate().for_each(|(i, one)| {
            let at = format!("{at}/{i}");
            found.push(at.clone());
            places(one, &at, found);
        }),
        _ => {}
    }
}

fn changed(recording: &Value, change: &Change) -> Vec<u8> {
    let mut places_found = Vec::new();
    places(recording, "", &mut places_found);
    let mut changed = recording.clone();
    match change {
        Change::Bytes { at, cut, with } => {
            let mut bytes = recording.to_string().into_bytes();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, with.iter().copied());
            return bytes;
        }
        Change::Value { at, with } => {
            let place = at.get(&places_found);
            *changed.pointer_mut(place).unwrap() = serde_json::from_str(VALUES[*with]).unwrap();
        }
        Change::Gone { at } => {
            let (parent, key) = at.get(&places_found).rsplit_once('/').unwrap();
            match changed.pointer_mut(parent).unwrap() {
                Value::Object(all) => drop(all.remove(&key.replace("~1", "/").replace("~0", "~"))),
                Value::Array(all) => drop(all.remove(key.parse().unwrap())),
                _ => unreachable!("a place has a parent"),
            }
        }
    }
    changed.to_string().into_bytes()
}

/// The build is seconds long, and reading is not: so many changes are read, and some of them are built.
const READ: u32 = 2_000;
const BUILT: u32 = 40;

fn config(cases: u32) -> ProptestConfig {
    // What fails is printed, and kept as a test above.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn any_change_of_a_recording_is_read_or_refused_in_one_line() {
    let book = SmallBook::new();
    let recording = book.recording();
    let (refused, read) = (Cell::new(0), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(config(READ));
    let result = runner.run(&changes(), |change| {
        fs::write(book.root().join(RECORDING), changed(&recording, &change)).unwrap();
        match recording::load(book.root(), NAME) {
            Ok(_) => read.set(read.get() + 1),
            Err(error) => {
                let said = format!("{error:#}");
                if said.lines().count() != 1 || !is_one_line(&said) {
                    return Err(TestCaseError::fail(said));
                }
                refused.set(refused.get() + 1);
            }
        }
        Ok(())
    });
    result.unwrap();
    let (refused, read) = (refused.get(), read.get());
    // A test of nothing but refusals, or of none, would show little.
    assert!(refused > READ / 10 && read > READ / 100, "{refused} refused, {read} read");
}

#[test]
fn any_change_of_a_recording_builds_or_fails_in_one_line() {
    let book = SmallBook::new();
    let recording = book.recording();
    let mut runner = proptest::test_runner::TestRunner::new(config(BUILT));
    let result = runner.run(&changes(), |change| match book.damaged(&changed(&recording, &change)) {
        Ok(()) => Ok(()),
        // A side or a gauge that is gone is missed by its directives, each of which names the command.
        Err(error) if error.contains("cargo lab record unconsumed-send") || error.contains("{{#") => Ok(()),
        Err(error) => Err(TestCaseError::fail(error)),
    });
    result.unwrap();
}
