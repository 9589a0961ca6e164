//! The book machinery, tried on a small book with this book's own `book.toml` and theme, and then on the book itself.

mod damage;
mod record;
mod small;

use std::{fs, path::Path};

use book::{For, links};
use evidence::made_by;
use small::{SmallBook, repository};
use tempfile::TempDir;

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
        ("{{#chart unconsumed-sent}}", "there is no scenario `unconsumed-sent`: did you mean `unconsumed-send`?"),
        ("{{#survivors unconsumed-send wrong}}", "run `cargo lab record unconsumed-send`"),
        ("{{#value unconsumed-send leak after.task}}", "no gauge `task` there"),
        ("{{#value unconsumed-send leak tasks}}", "unknown value `tasks`"),
        ("{{#diff unconsumed-send nothing}}", "leak.rs: no `// ANCHOR: nothing` there"),
        ("{{#diff unconsumed-send open}}", "no `// ANCHOR_END: open` closes the anchor"),
        ("{{#const unconsumed-send leak.rs NONE}}", "no constant `NONE` there, only PAGE_MAX"),
        ("{{#const unconsumed-send none.rs PAGE_MAX}}", "cannot read scenarios/unconsumed-send/none.rs"),
        ("{{#graph unconsumed-send}}", "unknown directive"),
        ("{{#shown unconsumed-send none.md}}", "it shows guard.txt, ways.md"),
        ("{{#chart unconsumed-send", "no `}}` closes it on its line"),
        ("{{chart unconsumed-send}}", "a directive begins with `{{#`"),
    ] {
        let book = SmallBook::new().with_line(directive);
        let error = book.error();
        let place = format!("chapter `Unconsumed send` (unconsumed-send.md:{}): {directive}: ", book.lines());
        assert!(error.contains(&place) && error.contains(reason), "{directive} failed with: {error}");
    }
}

#[test]
fn a_number_that_would_make_a_list_of_its_line_is_refused() {
    let book = SmallBook::new().with_line("Left are\n{{#value unconsumed-send leak per-unit.tasks}}. More");
    let (error, line) = (book.error(), book.lines());
    let place =
        format!("(unconsumed-send.md:{line}): {{{{#value unconsumed-send leak per-unit.tasks}}}}: if it yields");
    assert!(error.contains(&place), "{error}");
}

#[test]
fn an_include_that_mdbook_lets_pass_fails() {
    for (include, reason) in [
        ("{{#include ../../scenarios/nothing/fix.rs:service}}", "cannot read ../../scenarios/nothing/fix.rs"),
        ("{{#include ../../scenarios/unconsumed-send/fix.rs:server}}", "no `// ANCHOR: server` there"),
        ("{{#include ../../scenarios/unconsumed-send/leak.rs:empty}}", "the anchor `empty` is empty"),
        ("{{#include ../../scenarios/unconsumed-send/leak.rs:open}}", "no `// ANCHOR_END: open` closes"),
        ("{{#include ../../scenarios/unconsumed-send/guard.txt}}", "shown with `{{#shown NAME FILE}}`"),
    ] {
        let book = SmallBook::new().with_line(&format!("```rust,ignore\n{include}\n```"));
        let error = book.error();
        let place = format!("chapter `Unconsumed send` (unconsumed-send.md:{}): {include}: ", book.lines() - 1);
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
fn what_nobody_recorded_fails_once_and_has_a_placeholder_where_somebody_writes() {
    let all = "{{#chart not-recorded}}\n\n{{#gauges not-recorded}}\n\nIt left {{#value not-recorded leak after.tasks}}.\n\n\
        {{#screen not-recorded}}\n\n{{#shown not-recorded guard.txt}}";
    let book = SmallBook::new().with_line(all);
    let error = book.error();
    let renew = "run `cargo lab record not-recorded`";
    for file in
        ["book/recordings/not-recorded.json", "book/src/screens/not-recorded.svg", "scenarios/not-recorded/guard.txt"]
    {
        assert_eq!(error.matches(&format!("{file} is missing: {renew}")).count(), 1, "{file}: {error}");
    }
    let out = book::build(book.root(), None, For::Lab).unwrap();
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    assert_eq!(page.matches("Not recorded yet: run <code>cargo lab record not-recorded</code>").count(), 4);
    assert!(page.contains("It left <em title=\"run cargo lab record not-recorded\">not recorded yet</em>."));
}

#[test]
fn a_fault_of_the_index_fails_once_however_many_tables_it_has_and_only_warns_where_somebody_writes() {
    const ENTRIES: &str = "book/symptoms.toml";
    let all = "{{#symptoms}}\n\n{{#moved}}\n\n{{#waits}}\n\n{{#movement}}\n\n{{#late}}\n\n## Guard";
    let book = || {
        let book = SmallBook::new().with_line(all);
        // The index is made of all scenarios, and this one has no chapter.
        fs::remove_dir_all(book.root().join("scenarios/not-recorded")).unwrap();
        book
    };
    book::build(book().root(), None, For::Readers).unwrap();
    for (from, to, line) in [
        ("next = \"Take the stacks.\"", "", "“OS threads rise.”: write `chapter` or `next`"),
        ("chapter = \"unconsumed-send.md#guard\"", "chapter = \"gone.md\"", "”: there is no page `gone.md`"),
        ("[[late]]", "[[lait]]", ":38: unknown field `lait`"),
    ] {
        let book = book().replace(ENTRIES, from, to);
        let error = book.error();
        let told: Vec<_> = error.lines().filter(|told| told.contains(ENTRIES) && told.contains(line)).collect();
        assert_eq!(told.len(), 1, "{line}: {error}");
        let out = book::build(book.root(), None, For::Lab).unwrap();
        let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
        assert!(page.contains("From what tokio-console shows"), "what is well is not shown");
    }
    let dead = book().replace(ENTRIES, "unconsumed-send.md#guard", "unconsumed-send.md#gone");
    assert!(dead.error().contains("dead or strange link"), "{}", dead.error());
}

#[test]
fn a_side_that_is_new_has_a_placeholder_until_it_is_recorded() {
    let new = "{{#survivors unconsumed-send drain}}\n\n{{#chart unconsumed-send leak drain}}\n\n\
        Left: {{#value unconsumed-send drain after.tasks}}.";
    let bin = "[[bin]]\nname = \"unconsumed-send-drain\"\npath = \"leak.rs\"\n\n[dependencies]";
    let book = SmallBook::new().with_line(new).replace("scenarios/unconsumed-send/Cargo.toml", "[dependencies]", bin);
    let line = "book/recordings/unconsumed-send.json has other sides than the scenario: run `cargo lab record unconsumed-send`";
    assert_eq!(book.error().matches(line).count(), 1, "{}", book.error());
    let out = book::build(book.root(), None, For::Lab).unwrap();
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    assert_eq!(page.matches("ot recorded yet").count(), 3);
}

#[test]
fn a_stale_exhibit_fails_in_one_line_and_only_warns_where_somebody_writes() {
    let (ways, guard) = ("scenarios/unconsumed-send/ways.md", "scenarios/unconsumed-send/guard.txt");
    let (run, screen) = ("book/recordings/unconsumed-send.json", "book/src/screens/unconsumed-send.txt");
    for (file, from, to, reason, stale) in [
        (
            "scenarios/unconsumed-send/leak.rs",
            "(1)",
            "(2)",
            "is older than its sources",
            &[ways, guard, run, screen][..],
        ),
        ("crates/stage/src/lib.rs", "real", "whole", "is older than its sources", &[ways, guard, run, screen]),
        ("crates/leakcheck/src/lib.rs", "real", "whole", "is older than its sources", &[guard]),
        ("Cargo.lock", "1.54.1", "1.54.2", "was made with tokio 1.54.1, locked is 1.54.2", &[ways, guard, run, screen]),
        (
            "Cargo.lock",
            "0.30.0",
            "0.31.0",
            "was made with tungstenite 0.30.0, locked is 0.31.0",
            &[ways, guard, run, screen],
        ),
        (ways, "drop", "drip", "was changed after it was made", &[ways]),
        (screen, "a", "b", "was changed after it was made", &[screen]),
    ] {
        let book = SmallBook::new().replace(file, from, to);
        let error = book.error();
        for one in [ways, guard, run, screen] {
            let line = format!("{one} {reason}: run `cargo lab record unconsumed-send`");
            assert_eq!(
                error.lines().filter(|said| said.ends_with(&line)).count(),
                usize::from(stale.contains(&one)),
                "{error}"
            );
        }
        book::build(book.root(), None, For::Lab).unwrap();
    }
}

#[test]
fn a_dead_link_and_a_missing_picture_are_named_with_chapter_and_line() {
    for (line, reason) in [
        ("[a](none.md)", "<a> none.html: no such file"),
        ("[a](unconsumed-send.md#none)", "<a> unconsumed-send.html#none: no such fragment"),
        ("![a](none.svg)", "<img> none.svg: no such file"),
        ("[a](https://example.org/)", "<a> https://example.org/: leads out to none of"),
        ("[a](https://docs.rs/tokio/latest/tokio/)", "<a> https://docs.rs/tokio/latest/tokio/: leads out to none of"),
        ("![a](https://example.org/a.svg)", "<img> https://example.org/a.svg: loaded from another host"),
    ] {
        let book = SmallBook::new().with_line(line);
        let error = book.error();
        let said = format!("unconsumed-send.md:{}: {reason}", book.lines());
        assert!(error.contains("1 dead or strange link(s)") && error.contains(&said), "{line}: {error}");
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
    assert_eq!(links::problems(&out, &made_by::all_locked(book.root()).unwrap()).unwrap(), []);
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    for part in
        ["wb-chart", "wb-diff", "wb-sides", "wb-gauges", "wb-survivors", "wb-screen", "After 200 searches 1,200 tasks"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains("<code>{{#chart NAME}}</code>"), "a directive in code was filled in");
    assert!(page.contains("<p>This line follows"), "what follows a table is no longer Markdown");
    assert!(page.contains("<td>drop</td>"), "a table that a program made is no table");
    assert!(page.contains("<code class=\"language-text\">leak: 6 tasks left\n"), "a report is not shown as it is");
    let first = fs::read_to_string(out.join("index.html")).unwrap();
    let map = "<strong>The leaks</strong></p>\n<ul>\n<li><a href=\"unconsumed-send.html\">Unconsumed send</a>: a price search";
    assert!(first.contains(map), "{first}");
    assert!(
        first.contains("<a href=\"https://github.com/rust-lang/rust/issues/1234\">rust-lang/rust #1234</a>"),
        "{first}"
    );
}

const QUESTIONS: &str = "book/questions/unconsumed-send.toml";

/// The letters of the options that stand first in the answers of the chapter: the keys.
fn keys(page: &str) -> Vec<char> {
    let answers = page.split("<details class=\"wb-answer\">").skip(1);
    answers.filter_map(|answer| answer.split_once("<strong>")?.1.chars().next()).collect()
}

/// The chapter, built with another seed.
fn with_seed(seed: u64) -> String {
    let book = SmallBook::new().replace("book.toml", "seed = 2026", &format!("seed = {seed}"));
    let out = book::build(book.root(), None, For::Readers).unwrap();
    fs::read_to_string(out.join("unconsumed-send.html")).unwrap()
}

#[test]
fn questions_are_shuffled_by_the_seed_of_the_book_and_their_texts_are_filled_in() {
    let page = with_seed(1);
    assert_eq!(page, with_seed(1));
    assert_eq!(keys(&page).len(), 2);
    let others: Vec<_> = (2..8).map(with_seed).filter(|other| keys(other) != keys(&page)).collect();
    assert!(!others.is_empty(), "seven seeds give the same letters");
    for shown in [
        "One search leaves 6 tasks behind. How many do 200 searches leave?",
        ". 1,200.</strong> Each search keeps its <code>Receiver&lt;Offer&gt;</code>, so 6 senders",
        "<a href=\"https://github.com/rust-lang/rust/issues/1234\">rust-lang/rust #1234</a>.</p>",
        ". None: the searches have <em>all</em> ended.</em> A search that ends",
        "and <a href=\"#why\">nobody reads it</a>.</li>",
        "<strong>1.</strong> What ends a sender that waits for room?</p>",
        "<summary>Answer, from the run</summary>",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
}

#[test]
fn mdbook_alone_deals_the_same_letters() {
    let book = SmallBook::new().replace("book.toml", "seed = 2026", "seed = 5");
    let config = fs::read_to_string(book.root().join("book.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let chapter = |name: &str, file: &str| {
        let content = fs::read_to_string(book.root().join("book/src").join(file)).unwrap();
        serde_json::json!({ "Chapter": { "name": name, "content": content, "number": null, "sub_items": [], "path": file,
            "source_path": file, "parent_names": [] } })
    };
    let items = [chapter("A small book", "README.md"), chapter("Unconsumed send", "unconsumed-send.md")];
    let context =
        serde_json::json!({ "root": book.root(), "config": config, "renderer": "html", "mdbook_version": "0.5.4" });
    let mut out = Vec::new();
    let input = serde_json::json!([context, { "items": items }]).to_string();
    book::preprocess_stream(input.as_bytes(), &mut out).unwrap();
    let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let filled = out["items"][1]["Chapter"]["content"].as_str().unwrap();
    assert_eq!(keys(filled), keys(&with_seed(5)));
}

#[test]
fn a_question_that_is_wrong_fails_in_one_line_with_its_file() {
    for (from, to, reason) in [
        (
            "after.tasks = 1,200",
            "after.tasks = 1,300",
            "question 1: claimed was `value unconsumed-send leak after.tasks = 1,300`, recorded is 1,200",
        ),
        (
            "| way | left |",
            "| way | lost |",
            "question 1: claimed was `shown unconsumed-send ways.md has | way | lost |`, and ways.md",
        ),
        (
            "reason = \"Each search has",
            "reason = \"TODO\" #",
            "question 1: option 3 of the file: `reason` still says `TODO`",
        ),
        ("ask = \"What ends", "ask = \"As B says, what ends", "question 2: `ask` names the option B"),
        (
            "ask = \"What ends",
            "ask = \"{{#value unconsumed-send leak none}} What ends",
            "{{#value unconsumed-send leak none}}: unknown value",
        ),
    ] {
        let error = SmallBook::new().replace(QUESTIONS, from, to).error();
        let said = error.lines().filter(|line| line.contains(QUESTIONS) && line.contains(reason)).count();
        assert_eq!(said, 1, "{reason}: {error}");
    }
}

#[test]
fn a_page_and_its_questions_belong_together() {
    let book = SmallBook::new();
    let (here, there) = (book.root().join(QUESTIONS), book.root().join("book/questions/nobody.toml"));
    fs::copy(&here, &there).unwrap();
    assert!(book.error().contains("book/questions/nobody.toml belongs to no page: list nobody.md in SUMMARY.md"));
    fs::rename(&there, &here).unwrap();
    fs::remove_file(&here).unwrap();
    let error = book.error();
    assert_eq!(
        error.matches("there is no book/questions/unconsumed-send.toml to show: write it").count(),
        2,
        "{error}"
    );
    for directive in ["{{#questions README}}", "{{#predict}}", "{{#code unconsumed-send}}"] {
        let error = SmallBook::new().with_line(directive).error();
        assert!(error.contains(&format!("{directive}: write `{{{{#")), "{error}");
    }
}

#[test]
fn the_first_use_of_a_term_and_of_a_name_leads_to_what_it_means() {
    let book = SmallBook::new();
    let out = book::build(book.root(), None, For::Readers).unwrap();
    let page = fs::read_to_string(out.join("unconsumed-send.html")).unwrap();
    let term = "<a class=\"wb-term\" href=\"glossary.html#parked\" title=\"A task is parked when it waits and nobody polls it.\">Parked</a>, a task waits for ";
    let name = "<a class=\"wb-api\" href=\"https://docs.rs/tokio/1.54.1/tokio/sync/mpsc/struct.Receiver.html#method.recv\"><code>recv()</code></a>";
    assert!(
        page.contains(&format!("{term}{name} for 2 seconds; parked again, for the next <code>recv()</code>.")),
        "{page}"
    );
    assert!(page.contains("A half-open one"), "a page where the word means something else has a link");
    let first = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(first.contains("glossary.html#half-open") && first.contains("tokio/task/struct.JoinSet.html"), "{first}");
    assert!(first.contains("<code>recv()</code> is"), "a name of another page has a link");
    let words = fs::read_to_string(out.join("glossary.html")).unwrap();
    assert!(words.contains("<dt id=\"half-open\">half-open</dt>") && words.contains("wb-glossary"), "{words}");
}

#[test]
fn a_fault_of_the_terms_or_of_the_names_fails_the_build() {
    for (file, from, to, reason) in [
        ("book/glossary.toml", "means = \"A task", "mean = \"A task", "unknown field `mean`"),
        ("book/api.toml", "[tokio]", "[no-such]", "Cargo.lock has not exactly one no-such"),
        ("book/src/SUMMARY.md", "- [Glossary](glossary.md)", "", "glossary.html#parked: no such file"),
    ] {
        let error = SmallBook::new().replace(file, from, to).error();
        assert!(error.contains(reason), "{file}: {error}");
    }
}

#[test]
fn the_book_itself_builds_without_a_warning_and_every_link_of_it_leads_somewhere() {
    let elsewhere = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    book::build(&repository(), Some(elsewhere.path()), For::Readers).unwrap();
}

#[test]
fn a_book_is_built_where_the_caller_says() {
    let (book, elsewhere) = (SmallBook::new(), TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let out = book::build(book.root(), Some(&elsewhere.path().join("site")), For::Readers).unwrap();
    assert!(out.starts_with(elsewhere.path()) && out.join("index.html").is_file());
    assert!(!book.root().join("target").exists());
}

#[test]
fn mdbook_can_ask_whether_a_renderer_is_supported() {
    assert!(book::preprocess(&["supports"]).is_err());
    assert!(book::preprocess(&["support", "html"]).is_err());
    assert!(book::preprocess(&["supports", "html"]).unwrap());
    assert!(!book::preprocess(&["supports", "not-supported"]).unwrap());
}
