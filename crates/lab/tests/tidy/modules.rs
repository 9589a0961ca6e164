//! Walls between modules: no circle, nothing pure touches a file or a clock, and only `lab` runs programs. What may use what among the crates
//! `evidence`, `book` and `lab` is held by their manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{fail_on, read, tracked};

/// Crates whose modules are looked at.
const CRATES: [&str; 8] = ["book", "claims", "evidence", "exercise", "lab", "leakcheck", "leakcheck-macros", "stage"];
/// Crates that start nothing and wait for nothing.
const QUIET: [&str; 2] = ["book", "evidence"];
/// What they must not name.
const LOUD: [&str; 10] =
    ["axum", "console_api", "hyper", "net", "process", "rustix", "thread", "tokio", "tokio_util", "tonic"];
/// The modules of `evidence` that read files. All others are pure.
const READS: [&str; 7] = ["catalogue", "exercise", "exhibit", "made_by", "recording", "root", "scenario"];
/// What a pure module must not name besides.
const IMPURE: [&str; 5] = ["env", "fs", "io", "Instant", "SystemTime"];

/// A path of names, as `use` or an expression writes it: `crate::book::html`.
type Names = Vec<String>;
/// Which modules each module names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Every path in a file that begins with `crate`, `super` or `self`, with groups spelled out.
fn paths(tokens: TokenStream) -> Vec<Names> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if ["crate", "super", "self"].contains(&ident.to_string().as_str()) => {
                let (names, end) = path(&tokens, at);
                found.extend(names);
                at = end;
            }
            TokenTree::Group(group) => {
                found.extend(paths(group.stream()));
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// The paths that begin at a token, and where they end.
fn path(tokens: &[TokenTree], start: usize) -> (Vec<Names>, usize) {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let (mut names, mut at) = (Vec::new(), start);
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => names.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace && !names.is_empty() => {
                return (grouped(&names, group.stream()), at + 1);
            }
            // `super::*`
            _ if at > start => {
                names.push("*".to_owned());
                return (vec![names], at + 1);
            }
            _ => return (vec![names], start + 1),
        }
        if !(is_colon(at + 1) && is_colon(at + 2)) {
            return (vec![names], at + 1);
        }
        at += 3;
    }
}

/// `a::{b, c::{d, e}}` → `a::b`, `a::c::d`, `a::c::e`.
fn grouped(prefix: &[String], stream: TokenStream) -> Vec<Names> {
    let tokens: Vec<_> = stream.into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let parts = tokens.split(is_comma).filter(|part| !part.is_empty());
    parts.flat_map(|part| path(part, 0).0).map(|names| [prefix, &names].concat()).collect()
}

/// The modules of a crate by name, with their files. `src/a/b.rs` is `a::b`; roots of crates are no modules.
fn modules(krate: &str) -> BTreeMap<String, String> {
    let source = format!("crates/{krate}/src/");
    let name = |file: &str| {
        let path = Path::new(file.strip_prefix(&source)?).with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            // Roots name everything, and tests stand beside what they test and see all of it.
            ["lib" | "main"] | [.., "main" | "tests"] => None,
            [folder @ .., "mod"] => Some(folder.join("::")),
            parts => Some(parts.join("::")),
        }
    };
    tracked().into_iter().filter(|file| file.ends_with(".rs")).filter_map(|file| Some((name(&file)?, file))).collect()
}

/// A file's text without its unit tests: those may look anywhere.
pub(crate) fn without_tests(text: &str) -> &str {
    let starts = ["\n#[cfg(test)]\nmod tests", "\n#[cfg(all(test, not(leakcheck_loom)))]\nmod tests"];
    let end = starts.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    &text[..end]
}

/// The module that a path leads to, from within `module`.
fn target(module: &str, names: &[String], known: &BTreeMap<String, String>) -> Option<String> {
    // `pub(crate)` and `pub(super)` lead nowhere.
    if names.len() < 2 {
        return None;
    }
    let mut at: Vec<&str> = if names[0] == "crate" { Vec::new() } else { module.split("::").collect() };
    for name in names.iter().skip_while(|name| ["crate", "self"].contains(&name.as_str())) {
        if name == "super" {
            at.pop();
        } else {
            at.push(name);
        }
    }
    // A binary in a folder of its own has its root there: `crate` is the folder.
    let folder = module.split("::").next().filter(|folder| !known.contains_key(*folder));
    if names[0] == "crate" && folder.is_some() && !known.contains_key(at.first().copied().unwrap_or_default()) {
        at.insert(0, folder.unwrap_or_default());
    }
    // The longest prefix that is a module: an item of a module belongs to it.
    while !at.is_empty() && !known.contains_key(&at.join("::")) {
        at.pop();
    }
    Some(at.join("::")).filter(|found| !found.is_empty() && found != module)
}

fn graph(krate: &str) -> Graph {
    let known = modules(krate);
    let edges = known.iter().map(|(module, file)| {
        let text = read(file);
        let tokens: TokenStream = without_tests(&text).parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let targets = paths(tokens).into_iter().filter_map(|names| target(module, &names, &known));
        (module.clone(), targets.collect())
    });
    edges.collect()
}

/// The modules that are part of a circle.
fn circles(mut graph: Graph) -> Vec<String> {
    loop {
        let before = graph.len();
        // What leads nowhere is no part of a circle, and neither is what nothing leads to.
        let names: BTreeSet<_> = graph.keys().cloned().collect();
        graph.retain(|_, to| to.iter().any(|to| names.contains(to)));
        let named: BTreeSet<_> = graph.values().flatten().cloned().collect();
        graph.retain(|name, _| named.contains(name));
        if graph.len() == before {
            return graph.into_keys().collect();
        }
    }
}

#[test]
fn a_circle_is_found_and_what_leads_to_it_is_not_blamed() {
    let check = |edges: &[(&str, &str)], expected: &[&str]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        assert_eq!(circles(graph), expected);
    };
    check(&[("a", "b"), ("b", "c")], &[]);
    check(&[("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")], &["a", "b"]);
}

#[test]
fn a_path_is_read_with_its_groups() {
    let tokens = "use crate::{a::b, c::{d, self}, e}; fn f() { super::g::h(); other::i() }".parse().unwrap();
    let found: Vec<_> = paths(tokens).into_iter().map(|names| names.join("::")).collect();
    assert_eq!(found, ["crate::a::b", "crate::c::d", "crate::c::self", "crate::e", "super::g::h"]);
}

#[test]
fn no_module_stands_on_itself() {
    let problems = CRATES.iter().filter_map(|krate| {
        let graph = graph(krate);
        assert!(!graph.is_empty(), "crates/{krate} has no module: mend CRATES");
        let circle = circles(graph);
        (!circle.is_empty())
            .then(|| format!("crates/{krate}: {} name each other: move what they share", circle.join(", ")))
    });
    fail_on(problems.collect());
}

/// Every name in the code; comments are none.
fn names(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) => vec![ident.to_string()],
            TokenTree::Group(group) => names(group.stream()),
            _ => Vec::new(),
        })
        .collect()
}

/// Which of these a program names, outside its unit tests.
fn named(text: &str, refused: &[&str]) -> BTreeSet<String> {
    let tokens = without_tests(text).parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    names(tokens).into_iter().filter(|name| refused.contains(&name.as_str())).collect()
}

#[test]
fn a_name_is_found_in_groups_and_paths_and_not_in_words() {
    for text in [
        "use std::{fs, process::{Child, Command}};",
        "fn f() { std::process::abort() }",
        "use tokio::process;",
        "use std as s; fn f() { g!(s::process::id()) }",
    ] {
        assert!(named(text, &LOUD).contains("process"), "{text}");
    }
    for text in ["use std::net::TcpListener;", "fn f() { tokio::spawn(g()); }", "fn f() { std::thread::sleep(g()) }"] {
        assert_eq!(named(text, &LOUD).len(), 1, "{text}");
    }
    let words = "// a process\n/// of tokio\nfn preprocess() -> &'static str { \"tokio::net\" }\n#[cfg(test)]\nmod tests { use std::net; }";
    assert_eq!(named(words, &LOUD), BTreeSet::new());
}

#[test]
fn only_the_lab_starts_programs_listens_and_waits() {
    let mut problems = Vec::new();
    for krate in QUIET {
        let source = format!("crates/{krate}/src/");
        let files: Vec<_> =
            tracked().into_iter().filter(|file| file.starts_with(&source) && file.ends_with(".rs")).collect();
        assert!(files.contains(&format!("{source}lib.rs")), "{source} has no lib.rs: mend QUIET");
        for file in files.iter().filter(|file| !file.ends_with("/tests.rs")) {
            let named = named(&read(file), &LOUD).into_iter();
            problems
                .extend(named.map(|name| format!("{file} names `{name}`: what runs, listens or waits is the lab's")));
        }
    }
    fail_on(problems);
}

#[test]
fn what_is_pure_names_no_file_and_no_clock() {
    let modules = modules("evidence");
    let gone: Vec<_> = READS.iter().filter(|module| !modules.contains_key(**module)).collect();
    assert!(gone.is_empty(), "evidence has no {gone:?}: mend READS");
    let pure = modules.iter().filter(|(module, _)| !READS.contains(&module.as_str()));
    let problems = pure.flat_map(|(_, file)| {
        let named = named(&read(file), &IMPURE).into_iter();
        named.map(move |name| format!("{file} names `{name}`: what judges and draws takes values, and touches nothing"))
    });
    fail_on(problems.collect());
}
