//! Reads a built site back: every link leads somewhere, and nothing is loaded from another host. No network.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// Attributes that hold an address.
const ADDRESSES: [&str; 4] = ["href", "src", "poster", "data"];

/// What one page has and wants.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: Vec<(String, String)>,
    base: bool,
}

/// Everything that is wrong with the site in `root`, one sentence each.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let files = files(root);
    let is_page = |file: &&PathBuf| file.extension().is_some_and(|ext| ext == "html");
    let pages: BTreeMap<_, _> =
        files.iter().filter(is_page).map(|file| (file.clone(), read(&root.join(file)))).collect();
    assert!(!pages.is_empty(), "no page in {}", root.display());
    let mut problems = Vec::new();
    for (file, page) in &pages {
        for (tag, address) in &page.links {
            if let Some(problem) = problem(&files, &pages, file, tag, address) {
                problems.push(format!("{}: <{tag}> {address}: {problem}", file.display()));
            }
        }
    }
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "css")) {
        let css = fs::read_to_string(root.join(file)).unwrap();
        if css.contains("url(http") || css.contains("url(\"http") || css.contains("url(//") || css.contains("@import") {
            problems.push(format!("{}: loads from elsewhere", file.display()));
        }
    }
    problems
}

fn problem(
    files: &BTreeSet<PathBuf>,
    pages: &BTreeMap<PathBuf, Page>,
    from: &Path,
    tag: &str,
    address: &str,
) -> Option<&'static str> {
    if address.contains("://") || address.starts_with("//") {
        // A link is followed when the reader wants it; anything else is loaded at once.
        return (tag != "a").then_some("loaded from another host");
    }
    if address.starts_with("mailto:") || address.starts_with("data:") {
        return None;
    }
    let (path, fragment) = address.split_once('#').unwrap_or((address, ""));
    let path = path.split('?').next().unwrap_or("");
    let target = match path {
        "" => from.to_owned(),
        path if pages[from].base || path.starts_with('/') => PathBuf::from(path.trim_start_matches('/')),
        path => resolve(from, path),
    };
    let target = if target.as_os_str().is_empty() || path.ends_with('/') { target.join("index.html") } else { target };
    if !files.contains(&target) {
        return Some("no such file");
    }
    let known = |page: &Page| fragment.is_empty() || page.ids.contains(fragment);
    pages.get(&target).is_some_and(|page| !known(page)).then_some("no such fragment")
}

fn resolve(from: &Path, path: &str) -> PathBuf {
    let mut out = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::Normal(name) => out.push(name),
            _ => {}
        }
    }
    out
}

fn read(file: &Path) -> Page {
    let html = fs::read_to_string(file).unwrap();
    let mut emitter = DefaultEmitter::default();
    // What looks like a tag inside a script is none.
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    for Ok(token) in Tokenizer::new_with_emitter(&html, emitter) {
        if let Token::StartTag(tag) = token {
            page.add(&tag);
        }
    }
    page
}

impl Page {
    fn add(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        self.base |= name == "base";
        for (key, value) in &tag.attributes {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value).into_owned());
            if key == "id" {
                self.ids.insert(value);
            } else if ADDRESSES.contains(&&*key) && name != "base" {
                self.links.push((name.clone(), value));
            }
        }
    }
}

/// Every file below `root`, relative to it.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found
}
