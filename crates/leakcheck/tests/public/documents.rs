//! What lies beside the code, and what the code says of itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn crates() -> [PathBuf; 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    [here.to_owned(), here.join("../leakcheck-macros")]
}

/// All sources of both crates, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<_> = crates().map(|krate| krate.join("src")).to_vec();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let text = fs::read_to_string(&entry).unwrap();
                sources.push((entry, text));
            }
        }
    }
    sources
}

/// The two crates can be taken to another repository, so what they say names nothing else of this one.
#[test]
fn what_the_crates_say_names_nothing_else_of_this_repository() {
    let is_comment = |line: &&str| line.starts_with("//");
    let comments = sources().into_iter().flat_map(|(file, text)| {
        let lines: Vec<_> = text.lines().map(str::trim_start).filter(is_comment).map(str::to_owned).collect();
        lines.into_iter().map(move |line| (file.clone(), line))
    });
    let documents = crates().into_iter().flat_map(|krate| ["README.md", "CHANGELOG.md"].map(|name| krate.join(name)));
    let written = documents.flat_map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        text.lines().map(|line| (file.clone(), line.to_owned())).collect::<Vec<_>>()
    });
    let lines: Vec<_> = comments.chain(written).collect();
    assert!(lines.len() > 500, "only {} lines were read", lines.len());
    for (file, line) in &lines {
        for word in ["workbook", "scenario", "the lab", "lab's", "cargo lab", "the book", "chapter"] {
            assert!(!line.contains(word), "{}: {line}", file.display());
        }
    }
}

/// `rust-version` of a manifest.
fn rust_version(krate: &Path) -> String {
    let manifest = fs::read_to_string(krate.join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    version.expect("the manifest states a rust-version of its own").to_owned()
}

/// Whoever has a registry needs the version of the client that the collector is for.
#[test]
fn the_collector_names_the_version_of_its_client() {
    let [here, _] = crates();
    let workspace = fs::read_to_string(here.join("../../Cargo.toml")).unwrap();
    let version =
        workspace.lines().find_map(|line| line.strip_prefix("prometheus-client = \"")?.strip_suffix('"')).unwrap();
    let text = fs::read_to_string(here.join("src/ledger/metrics.rs")).unwrap();
    assert!(text.contains(&format!("a registry of `prometheus-client` {version}:")), "it is {version}");
}

/// Clippy's `incompatible_msrv` looks at what the standard library gives, and not at the language. Of the language, two things came
/// after the 2024 edition that code is tempted by: `if let … && …` with Rust 1.88, and `if let` in the guard of an arm with 1.95.
#[test]
fn no_source_needs_a_newer_language_than_the_manifest_says() {
    assert_eq!(crates().map(|krate| rust_version(&krate)), ["1.85", "1.85"], "then mend this test");
    let sources = sources();
    assert!(sources.len() > 20, "only {} sources were read", sources.len());
    for (file, text) in &sources {
        let is_newer = |line: &str| is_let_guard(line) || is_let_chain(line);
        let newer = text.lines().enumerate().filter(|(_, line)| is_newer(line));
        let lines: Vec<_> = newer.map(|(at, _)| (at + 1).to_string()).collect();
        assert!(
            lines.is_empty(),
            "{}: a newer Rust than the manifest says, on line {}",
            file.display(),
            lines.join(", ")
        );
    }
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Formatted code has the second condition of a chain on a line of its own, or behind the first. An `&&` in a closure is another one.
fn is_let_chain(line: &str) -> bool {
    let code = code(line);
    let opens = ["if let ", "while let "].iter().any(|word| code.contains(word));
    code.contains("&& let ") || (opens && code.contains(" && ") && !code.contains('|'))
}

/// A pattern, `if let` and an arrow; an arm that begins with `if let` has its arrow before.
fn is_let_guard(line: &str) -> bool {
    code(line).split_once(" if let ").is_some_and(|(before, after)| !before.contains("=>") && after.contains(" => "))
}

#[test]
fn a_chain_and_a_guard_are_seen_and_other_conditions_are_not() {
    assert!(is_let_chain("        && let Some(a) = b"));
    assert!(is_let_chain("    if let Some(a) = b && a > 0 {"));
    assert!(!is_let_chain("    if a && b {") && !is_let_chain("    if let Some(a) = b {"));
    assert!(!is_let_chain("    if let Some(a) = b.filter(|b| b.c && b.d) {"));
    assert!(!is_let_chain("    // if let Some(a) = b && a > 0"));
    assert!(is_let_guard("        Some(a) if let Some(b) = c => a + b,"));
    assert!(!is_let_guard("        Some(a) => if let Some(b) = c { a } else { b },"));
    assert!(!is_let_guard("    } else if let Some(a) = b {") && !is_let_guard("    if let Some(a) = b { c }"));
}

/// The version stands in three places, which are published together.
#[test]
fn both_crates_have_one_version_and_the_changelog_tells_of_it() {
    let [here, macros] = crates();
    let version = env!("CARGO_PKG_VERSION");
    let manifest = fs::read_to_string(macros.join("Cargo.toml")).unwrap();
    assert!(
        manifest.contains(&format!("\nversion = \"{version}\"\n")),
        "leakcheck-macros has another version: {manifest}"
    );
    let changes = fs::read_to_string(here.join("CHANGELOG.md")).unwrap();
    assert!(changes.contains(&format!("\n## {version}, ")), "CHANGELOG.md does not tell of {version}");
}
