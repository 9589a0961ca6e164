//! The book machinery, tried on a small book with this book's own `book.toml` and theme, and then on the book itself.

mod site;

use std::{
    fs,
    path::{Path, PathBuf},
};

use lab::book::{self, For};
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the small book, to be broken at will.
struct SmallBook(TempDir);

impl SmallBook {
    fn new() -> Self {
        let book = Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"), book.root());
        copy(&repository().join("book/theme"), &book.root().join("book/theme"));
        fs::copy(repository().join("book.toml"), book.root().join("book.toml")).unwrap();
        book.add_unrecorded();
        book
    }

    /// A scenario that nobody recorded.
    fn add_unrecorded(&self) {
        let scenarios = self.root().join("scenarios");
        copy(&scenarios.join("unconsumed-send"), &scenarios.join("not-recorded"));
        let manifest = scenarios.join("not-recorded/Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap().replace("unconsumed-send", "not-recorded");
        fs::write(manifest, text).unwrap();
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    /// Puts a line at the end of the chapter.
    fn with_line(self, line: &str) -> Self {
        let chapter = self.root().join("book/src/unconsumed-send.md");
        let text = fs::read_to_string(&chapter).unwrap();
        fs::write(chapter, format!("{text}\n{line}\n")).unwrap();
        self
    }

    fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let file = self.root().join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replace(from, to)).unwrap();
        self
    }

    /// The error of a build that must fail.
    fn error(&self) -> String {
        match book::build(self.root(), None, For::Readers) {
            Ok(_) => panic!("the book was built"),
            Err(error) => format!("{error:#}"),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_build_folder_is_below_target_for_the_default_would_delete_the_sources() {
    let toml: toml::Table = fs::read_to_string(repository().join("book.toml")).unwrap().parse().unwrap();
    let dir = toml["build"]["build-dir"].as_str().unwrap();
    assert!(Path::new(dir).starts_with("target"), "build-dir is {dir}");
}

#[test]
fn a_build_folder_that_holds_the_sources_is_refused_and_the_sources_stay() {
    let book = SmallBook::new().replace("book.toml", "build-dir = \"target/book\"", "build-dir = \"book\"");
    assert!(book.error().contains("would delete the sources"));
    assert!(book.root().join("book/src/SUMMARY.md").is_file());
}

#[test]
fn a_directive_that_cannot_be_filled_in_names_chapter_directive_and_repair() {
    for (directive, reason) in [
        ("{{#chart not-recorded}}", "run `cargo lab record not-recorded`"),
        ("{{#gauges not-recorded}}", "run `cargo lab record not-recorded`"),
        ("{{#screen not-recorded}}", "run `cargo lab record not-recorded`"),
        ("{{#chart unconsumed-sent}}", "there is no scenario `unconsumed-sent`: did you mean `unconsumed-send`?"),
        ("{{#survivors unconsumed-send wrong}}", "run `cargo lab record unconsumed-send`"),
        ("{{#value unconsumed-send leak after.task}}", "no gauge `task` there"),
        ("{{#value unconsumed-send leak tasks}}", "unknown value `tasks`"),
        ("{{#diff unconsumed-send nothing}}", "leak.rs: no `// ANCHOR: nothing` there"),
        ("{{#diff unconsumed-send open}}", "no `// ANCHOR_END: open` closes the anchor"),
        ("{{#graph unconsumed-send}}", "unknown directive"),
    ] {
        let error = SmallBook::new().with_line(directive).error();
        let place = format!("chapter `Unconsumed send` (unconsumed-send.md): {directive}: ");
        assert!(error.contains(&place) && error.contains(reason), "{directive} failed with: {error}");
    }
}

#[test]
fn an_include_that_mdbook_lets_pass_fails() {
    for (include, reason) in [
        ("{{#include ../../scenarios/nothing/fix.rs:service}}", "cannot read ../../scenarios/nothing/fix.rs"),
        ("{{#include ../../scenarios/unconsumed-send/fix.rs:server}}", "no `// ANCHOR: server` there"),
        ("{{#include ../../scenarios/unconsumed-send/leak.rs:empty}}", "the anchor `empty` is empty"),
        ("{{#include ../../scenarios/unconsumed-send/leak.rs:open}}", "no `// ANCHOR_END: open` closes"),
    ] {
        let error = SmallBook::new().with_line(&format!("```rust,ignore\n{include}\n```")).error();
        let place = format!("chapter `Unconsumed send` (unconsumed-send.md): {include}: ");
        assert!(error.contains(&place) && error.contains(reason), "{include} failed with: {error}");
    }
}

#[test]
fn what_mdbook_only_logs_fails() {
    let unknown_key = SmallBook::new().replace("book.toml", "[output.html]", "[output.html]\nunknown-key = 1");
    assert!(unknown_key.error().contains("unknown-key"), "{}", unknown_key.error());
    let unclosed = SmallBook::new().with_line("<div>\n\n<span>");
    assert!(unclosed.error().contains("problem(s)"), "{}", unclosed.error());
}

#[test]
fn a_broken_recording_fails_with_the_command_that_renews_it() {
    let book = SmallBook::new().replace("book/recordings/unconsumed-send.json", "\"sides\"", "\"pages\"");
    assert!(book.error().contains("run `cargo lab record unconsumed-send`"), "{}", book.error());
}

#[test]
fn a_recording_that_is_older_than_its_scenario_fails_and_only_warns_where_somebody_writes() {
    let stale = [
        (
            "scenarios/unconsumed-send/leak.rs",
            "channel::<Offer>(1)",
            "channel::<Offer>(2)",
            "is older than its sources",
        ),
        ("Cargo.lock", "1.54.1", "1.54.2", "was made with tokio 1.54.1, locked is 1.54.2"),
    ];
    for (file, from, to, reason) in stale {
        let book = SmallBook::new().replace(file, from, to);
        let error = book.error();
        assert!(error.contains(reason) && error.contains("run `cargo lab record unconsumed-send`"), "{error}");
        book::build(book.root(), None, For::Lab).unwrap();
    }
}

#[test]
fn only_a_page_that_the_lab_serves_looks_for_the_lab() {
    let book = SmallBook::new();
    for (whom, served) in [(For::Readers, false), (For::Lab, true)] {
        let out = book::build(book.root(), None, whom).unwrap();
        for page in ["index.html", "unconsumed-send.html"] {
            assert_eq!(fs::read_to_string(out.join(page)).unwrap().contains("wb-served"), served, "{page}, {whom:?}");
        }
    }
}

#[test]
fn the_small_book_is_complete() {
    let book = SmallBook::new();
    let out = book::build(book.root(), None, For::Readers).unwrap();
    assert_eq!(out, book.root().join("target/book"));
    assert_eq!(site::problems(&out), [] as [&str; 0]);
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    for part in
        ["wb-chart", "wb-diff", "wb-sides", "wb-gauges", "wb-survivors", "wb-screen", "After 200 searches 1,200 tasks"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains("<code>{{#chart NAME}}</code>"), "a directive in code was filled in");
    assert!(page.contains("<p>This line follows"), "what follows a table is no longer Markdown");
}

#[test]
fn the_book_itself_builds_without_a_warning_and_every_link_of_it_leads_somewhere() {
    let elsewhere = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let out = book::build(&repository(), Some(elsewhere.path()), For::Readers).unwrap();
    assert_eq!(site::problems(&out), [] as [&str; 0]);
}

#[test]
fn a_book_is_built_where_the_caller_says() {
    let (book, elsewhere) = (SmallBook::new(), TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let out = book::build(book.root(), Some(&elsewhere.path().join("site")), For::Readers).unwrap();
    assert!(out.starts_with(elsewhere.path()) && out.join("index.html").is_file());
    assert!(!book.root().join("target").exists());
}

#[test]
fn the_site_check_finds_what_is_wrong() {
    let page = "<base href='/'><a href='none.html'>a</a><a href='#none'>b</a><img src='https://example.org/x.png'>\
        <a href='https://example.org/'>fine</a><a href='/'>fine</a><script>'<a href=\"no\">'</script><i id='x'></i><a href='#x'>fine</a>";
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(dir.path().join("index.html"), page).unwrap();
    fs::write(dir.path().join("x.css"), "a { background: url(https://example.org/x.png) }").unwrap();
    assert_eq!(
        site::problems(dir.path()),
        [
            "index.html: <a> none.html: no such file",
            "index.html: <a> #none: no such fragment",
            "index.html: <img> https://example.org/x.png: loaded from another host",
            "x.css: loads from elsewhere",
        ]
    );
}

#[test]
fn mdbook_can_ask_whether_a_renderer_is_supported() {
    assert!(book::preprocess(&["supports"]).is_err());
    assert!(book::preprocess(&["support", "html"]).is_err());
    let code = |renderer| format!("{:?}", book::preprocess(&["supports", renderer]).unwrap());
    assert_eq!(code("html"), format!("{:?}", std::process::ExitCode::SUCCESS));
    assert_eq!(code("not-supported"), format!("{:?}", std::process::ExitCode::FAILURE));
}
