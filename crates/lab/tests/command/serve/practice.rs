//! Checks of a reader's copy for the page that asks, what the reader has done, and a server that only reads.

use rustix::process::Signal;
use serde_json::Value;

use super::{Answer, PAIR, Site};
use crate::common::{Fixture, await_gone, await_that};

/// A side that says the lines of an exercise's program, and leaves so many tasks after each of its two loads. It ends at SIGTERM.
const PROGRAM: &str = r###"
use std::sync::atomic::{AtomicBool, Ordering};
static ENDS: AtomicBool = AtomicBool::new(false);
extern "C" fn end(_: i32) { ENDS.store(true, Ordering::SeqCst); }
unsafe extern "C" { fn signal(number: i32, handler: extern "C" fn(i32)) -> usize; }
fn main() {
    const LEFT: [u64; 2] = [EARLY, LATE];
    unsafe { signal(15, end) };
    println!("{}", r##"{"type":"hello","bin":"lamp","pid":1,"console":null,"units":20}"##);
    for (at, phase, done, tasks) in [(0, "start", 0, 1), (250, "load", 3, 3), (500, "quiet", 5, LEFT[0] + 1), (900, "quiet", 20, LEFT[1] + 1)] {
        println!(r##"{{"type":"sample","elapsed_ms":{at},"phase":"{phase}","units_done":{done},"gauges":{{"tasks":{tasks}}}}}"##);
    }
    println!(r##"{{"type":"report","elapsed_ms":1000,"units_done":20,"units_failed":0,"interrupted":false,"settled":true,"before":{{"tasks":1}},"plateau":{{"units_done":5,"gauges":{{"tasks":{}}}}},"after":{{"tasks":{}}},"survivors":{{"tasks":{}}},"stated":{{}},"spawned_at":[],"problems":[]}}"##, LEFT[0] + 1, LEFT[1] + 1, LEFT[1] as f64 / 20.0);
    while !ENDS.load(Ordering::SeqCst) { std::thread::sleep(std::time::Duration::from_millis(5)); }
    println!("{}", r##"{"type":"closing","ended":true,"error":null,"took_ms":3,"unfinished":0,"repeated":0,"median_us":900}"##);
}
"###;

fn program(left: [u64; 2]) -> String {
    PROGRAM.replace("EARLY", &left[0].to_string()).replace("LATE", &left[1].to_string())
}

/// A workbook with one exercise, whose copy is what the reader was given.
fn workbook() -> Fixture {
    let book = Fixture::book();
    book.write("Cargo.toml", "[workspace]\nresolver = '3'\nmembers = ['exercises/*', 'scenarios/*']\n");
    let sides = ["start", "mine", "solution"];
    let bins = sides.map(|side| format!("[[bin]]\nname = 'lamp-{side}'\npath = '{side}.rs'\n"));
    let lab = "unit = 'call'\nunits = 5\nrate = 5\ngauge = 'tasks'\nsurvivors = { solution = { tasks = 0 } }";
    let exercise = "level = 1\nminutes = 10\nchapters = []\nhints = ['a', 'b', 'c']\nlatency = 2.0\nclose_ms = 1000\nfails = { start = 'tasks' }";
    book.write(
        "exercises/lamp/Cargo.toml",
        &format!("[package]\nname = 'lamp'\nedition = '2024'\n{}\n[package.metadata.lab]\n{lab}\n[package.metadata.exercise]\n{exercise}\n", bins.concat()),
    );
    book.write("exercises/lamp/world.rs", "");
    for (side, left) in sides.into_iter().zip([[5, 20], [5, 20], [0, 0]]) {
        book.write(&format!("exercises/lamp/{side}.rs"), &program(left));
    }
    book
}

fn check(site: &Site, name: &str) -> Answer {
    site.ask("POST", &format!("/api/check/{name}"), &[("sec-fetch-site", "same-origin"), ("content-length", "0")], "")
}

fn verdict(site: &Site) -> Value {
    let events = check(site, "lamp").events();
    assert!(events.iter().any(|event| event["event"] == "drawing" && event["gauge"] == "tasks"), "{events:?}");
    events.last().unwrap().clone()
}

#[test]
fn a_copy_fails_with_its_sentence_passes_when_it_is_mended_and_that_is_kept() {
    let book = workbook();
    let site = Site::of(&book);
    let failed = verdict(&site);
    assert_eq!((failed["event"].as_str(), failed["outcome"].as_str()), (Some("verdict"), Some("failed")), "{failed}");
    let sentence = failed["faults"][0]["sentence"].as_str().unwrap();
    assert!(sentence.contains("5 more than before after 5 calls, 20 more after 20"), "{sentence}");
    assert_eq!(site.get("/api/progress"), (200, "{}".to_owned()));

    book.write("exercises/lamp/mine.rs", &program([0, 0]));
    let passed = verdict(&site);
    assert_eq!(
        (passed["outcome"].as_str(), passed["faults"].as_array().map(Vec::len)),
        (Some("passed"), Some(0)),
        "{passed}"
    );
    let (_, progress) = site.get("/api/progress");
    assert!(progress.starts_with(r#"{"lamp":"passed on 20"#), "{progress}");
    // The terminal reads the same file. What fails later takes nothing away.
    let kept = std::fs::read_to_string(book.path("progress.toml")).unwrap();
    assert!(kept.contains("[lamp]"), "{kept}");
    book.write("exercises/lamp/mine.rs", "fn main() { there is no such thing }");
    let events = check(&site, "lamp").events();
    let broken = events.last().unwrap();
    assert_eq!(broken["faults"][0]["key"], "build", "{broken}");
    assert_eq!(site.get("/api/progress").1, progress);
    await_that("nothing runs", || book.running().is_empty());
}

#[test]
fn an_unknown_exercise_a_foreign_site_and_a_scenario_are_refused() {
    let book = workbook();
    let site = Site::of(&book);
    for name in ["lapm", "on-fire", "..%2f..%2fcrates"] {
        let refused = check(&site, name);
        assert_eq!(refused.status, 404, "{name}");
        assert!(serde_json::from_str::<Value>(&refused.text()).unwrap()["message"].is_string());
    }
    assert!(check(&site, "lapm").text().contains("did you mean `lamp`?"));
    for headers in [[("sec-fetch-site", "cross-site")], [("origin", "http://evil.example")]] {
        assert_eq!(site.ask("POST", "/api/check/lamp", &headers, "").status, 403);
        assert_eq!(site.ask("GET", "/api/progress", &headers, "").status, 403);
    }
    assert_eq!(site.ask("GET", "/api/check/lamp", &[], "").status, 405);
    assert!(site.get("/api/lab").1.contains(r#""exercises":["lamp"]"#));
    assert!(book.running().is_empty());
}

#[test]
fn a_check_takes_the_place_of_one_run() {
    let site = Site::open();
    let mut pages = [site.run(&[]), site.run(&[])];
    for page in &mut pages {
        page.await_line(r#""event":"sample""#);
    }
    let refused = check(&site, "upload-scan");
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("press Stop"));
    let programs = site.lab.children(PAIR);
    drop(pages);
    await_gone(&programs);
    // A page that closes ends what it started.
    await_that("there is room again", || check(&site, "upload-scan").status == 200);
    let mut page = check(&site, "upload-scan");
    page.await_line(r#""event":"sample""#);
    let programs = site.lab.children("upload-scan");
    assert!(!programs.is_empty());
    drop(page);
    await_gone(&programs);
}

#[test]
fn a_server_for_reading_has_every_page_and_starts_nothing() {
    let book = workbook();
    let site = Site::start(book.lab(&[
        "serve",
        "--port",
        "0",
        "--no-open",
        "--read-only",
        "--bind",
        "0.0.0.0",
        "--host",
        "class.example",
    ]));
    let page = site.ask("GET", "/index.html", &[("host", "class.example")], "");
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(page.contains("A little book") && page.contains("wb-served wb-reading"), "{page}");
    assert_eq!(site.get("/api/build").0, 200, "a rebuilt book shows in every page");
    for (method, path) in [
        ("POST", "/api/run/on-fire"),
        ("POST", "/api/check/lamp"),
        ("GET", "/api/lab"),
        ("GET", "/api/progress"),
        ("POST", "/api/progress"),
    ] {
        let refused = site.ask(
            method,
            path,
            &[("sec-fetch-site", "same-origin")],
            if method == "POST" { r#"{"sides":["leak"]}"# } else { "" },
        );
        assert_eq!(refused.status, 403, "{method} {path}");
        let said: Value = serde_json::from_str(&refused.text()).unwrap();
        let said = said["message"].as_str().unwrap();
        assert!(said.contains("for reading, and starts nothing") && said.lines().count() == 1, "{said}");
    }
    assert!(book.running().is_empty() && !book.path("progress.toml").exists());
    let (_, words) = site.lab.end_by(Signal::TERM);
    let warnings: Vec<_> = words.lines().filter(|line| line.starts_with("warning: whoever reaches 0.0.0.0")).collect();
    assert_eq!(
        warnings,
        ["warning: whoever reaches 0.0.0.0 of this machine can read the book; nobody can start anything"]
    );
}
