//! What is said once is said once, nothing is too long to read, and everything was written for this repository.

use std::{fs, path::Path};

use crate::{fail_on, read, root, scenarios, tracked};

/// A file that is longer is split.
const FILE_LINES_MAX: usize = 400;
/// A function that is longer is split.
const FUNCTION_LINES_MAX: usize = 70;
/// A script or stylesheet with a longer line was made by a machine.
const LINE_LENGTH_MAX: usize = 2_000;

#[test]
fn versions_are_said_once_in_the_root_manifest() {
    let mut problems = Vec::new();
    for file in tracked().iter().filter(|file| file.ends_with("Cargo.toml") && file.contains('/')) {
        if file.contains("/fixture/") || file.contains("/fixtures/") || file.contains("/template/") {
            continue;
        }
        let manifest: toml::Table = read(file).parse().unwrap();
        if manifest.contains_key("workspace") {
            // A workspace of its own, whose crates are for nobody else, has nobody to inherit from.
            continue;
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = manifest.get(table).and_then(toml::Value::as_table);
            for (name, dependency) in dependencies.into_iter().flatten() {
                // A published library asks for the oldest Tokio that it works with, and for no feature that it does not call.
                let is_published =
                    file == "crates/leakcheck/Cargo.toml" && (table, name.as_str()) == ("dependencies", "tokio");
                if !is_published && dependency.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    problems.push(format!("{file}: `{name}` must be `{name}.workspace = true`"));
                }
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none() {
            problems.push(format!("{file}: needs [lints] workspace = true"));
        }
    }
    fail_on(problems);
}

#[test]
fn the_leak_checker_needs_nothing_of_this_workbook() {
    for one in ["leakcheck", "leakcheck-macros"] {
        let manifest: toml::Table = read(format!("crates/{one}/Cargo.toml")).parse().unwrap();
        for table in ["dependencies", "dev-dependencies"] {
            let needed = manifest.get(table).and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys());
            let ours: Vec<_> =
                needed.filter(|name| ["stage", "evidence", "book", "lab", "claims"].contains(&name.as_str())).collect();
            assert!(ours.is_empty(), "crates/{one} needs {ours:?}: then nobody can take it elsewhere");
        }
    }
}

fn rust_files() -> Vec<String> {
    tracked().into_iter().filter(|file| file.ends_with(".rs")).collect()
}

#[test]
fn files_are_short_enough_to_read() {
    let problems = rust_files().into_iter().filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{file}: {lines} lines, at most {FILE_LINES_MAX}: split it"))
    });
    fail_on(problems.collect());
}

/// The name of each function that is too long. Formatted code closes a function with a brace at the column where it began.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let long = lines.iter().enumerate().filter_map(|(start, line)| {
        let code = line.trim_start();
        let name = code.split(|c: char| !c.is_alphanumeric() && c != '_').skip_while(|word| *word != "fn").nth(1)?;
        if name.is_empty() || code.starts_with("//") || code.contains('"') {
            return None;
        }
        let indent = &line[..line.len() - code.len()];
        // A function that is quoted in another one has no such brace before the other one goes on.
        let inside = |line: &&&str| line.trim().is_empty() || line.starts_with(indent);
        let length = lines[start..].iter().take_while(inside).position(|line| *line == format!("{indent}}}"))? + 1;
        (length > FUNCTION_LINES_MAX).then(|| name.to_owned())
    });
    long.collect()
}

#[test]
fn functions_are_short_enough_to_read() {
    let body = "    one();\n".repeat(FUNCTION_LINES_MAX);
    assert_eq!(long_functions(&format!("pub async fn long(a: u8) {{\n{body}}}\nfn short() {{\n}}\n")), ["long"]);
    let problems = rust_files().into_iter().flat_map(|file| {
        let said = |name| format!("{file}: fn {name} has more than {FUNCTION_LINES_MAX} lines: split it");
        long_functions(&read(&file)).into_iter().map(said).collect::<Vec<_>>()
    });
    fail_on(problems.collect());
}

/// What somebody else wrote, or a machine made of it, as far as a file shows that.
fn is_foreign(file: &str, text: &str) -> bool {
    let is_page_code = [".js", ".mjs", ".css", ".html"].iter().any(|ending| file.ends_with(ending));
    let minified = file.contains(".min.") || (is_page_code && text.lines().any(|line| line.len() > LINE_LENGTH_MAX));
    let notices = ["@license", "Copyright (c)", "/*!"];
    let is_licence = Path::new(file).file_name().is_some_and(|name| name.to_string_lossy().starts_with("LICENSE"));
    let is_ours = is_licence || file.ends_with(file!().rsplit('/').next().unwrap_or_default());
    minified || (!is_ours && notices.iter().any(|notice| text.contains(notice)))
}

#[test]
fn no_source_lies_beside_the_packages() {
    let is_stray = |file: &String| !file.contains('/') && file.ends_with(".rs");
    let problems = tracked().into_iter().filter(is_stray);
    fail_on(problems.map(|file| format!("{file} belongs to no package: move or delete it")).collect());
}

#[test]
fn everything_was_written_for_this_repository() {
    assert!(is_foreign("a/b.min.js", "") && is_foreign("a.js", &"x".repeat(LINE_LENGTH_MAX + 1)));
    assert!(is_foreign("a.css", "/*! normalize.css */") && !is_foreign("a.css", "/* ours */"));
    let problems = tracked().into_iter().filter_map(|file| {
        let text = fs::read_to_string(root().join(&file)).ok()?;
        let folders = ["vendor", "third_party", "node_modules"];
        let is_vendored = Path::new(&file).iter().any(|part| folders.iter().any(|folder| part == *folder));
        (is_vendored || is_foreign(&file, &text))
            .then(|| format!("{file} was not written here: depend on it, and do not copy it"))
    });
    fail_on(problems.collect());
}

/// What a page lists, or what the rows of its tables begin with. A row that says something and then leads on is no list.
fn listed(page: &str) -> String {
    let is_link = |part: &str| part.split_once(')').map(|(target, _)| format!("{target}\n"));
    let entry = |line: &'_ str| {
        let line = line.trim_start();
        let first = line.strip_prefix("| ").map(|row| row.split('|').next().unwrap_or(row).to_owned());
        first.or_else(|| ["- ", "* ", "1. "].iter().any(|mark| line.starts_with(mark)).then(|| line.to_owned()))
    };
    let links = |entry: String| entry.split("](").skip(1).filter_map(is_link).collect::<String>();
    page.lines().filter_map(entry).map(links).collect()
}

#[test]
fn no_list_of_scenarios_exists_outside_the_summary() {
    assert_eq!(
        listed("[a](a.md)\n- [b](b.md): and [c](c.md)\n| [d](d.md) | {{#value e x}} |\n| e | [f](f.md) |\n"),
        "b.md\nc.md\nd.md\n"
    );
    let names: Vec<_> = scenarios().into_iter().map(|one| one.name).collect();
    let is_code = |file: &String| {
        (file.starts_with("crates/") || file.starts_with("scripts/") || file.starts_with(".ci/"))
            && !file.contains("/tests/")
    };
    let is_page =
        |file: &String| file.starts_with("book/src/") && file.ends_with(".md") && !file.ends_with("SUMMARY.md");
    let problems = tracked().into_iter().filter(|file| is_code(file) || is_page(file)).filter_map(|file| {
        let text = fs::read_to_string(root().join(&file)).ok()?;
        // A page may compare many leaks; a list names them one below the other.
        let list: String = if is_page(&file) { listed(&text) } else { text };
        let named: Vec<_> = names.iter().filter(|name| list.contains(*name)).collect();
        // One or two serve as examples in a comment or a unit test.
        (named.len() > 3).then(|| format!("{file} names {named:?}: take them from the catalogue"))
    });
    fail_on(problems.collect());
}

#[test]
fn the_book_is_built_outside_its_sources() {
    let config: toml::Table = read("book.toml").parse().unwrap();
    let folder = config["build"]["build-dir"].as_str().unwrap();
    assert!(folder.starts_with("target/"), "mdBook empties {folder} before it writes");
}
