//! Reads a built site back: every link leads somewhere, every picture is there, and nothing is loaded from another host. No
//! network: whether a page outside exists, the reader's click tells; here the form of its address is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::Context;
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::api;

/// Attributes that hold an address.
const ADDRESSES: [&str; 4] = ["href", "src", "poster", "data"];
/// All chapters once more, as one page: what is wrong there is wrong in a chapter.
const PRINT: &str = "print.html";

/// Where a link may lead besides issues and documentation: each page of these is kept by those who make what it is about.
const OTHERS: [&str; 3] =
    ["https://doc.rust-lang.org/", "https://tokio.rs/", "https://google.github.io/comprehensive-rust/"];
const ELSEWHERE: &str = "leads out to none of: https://github.com/OWNER/REPO/issues/N (pull/N, commit/HASH), \
    https://docs.rs/CRATE/LOCKED-VERSION/CRATE/…, doc.rust-lang.org, tokio.rs, comprehensive-rust";

/// Crates and their locked versions.
pub type Locked = BTreeSet<(String, String)>;

/// One thing that is wrong with a built site.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// From the site's folder.
    pub file: String,
    /// `a`, `img`; none in a stylesheet.
    pub tag: Option<String>,
    /// Where it leads.
    pub address: String,
    /// What is wrong.
    pub why: &'static str,
}

/// What one page has and wants.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: Vec<(String, String)>,
    base: bool,
}

struct Site<'a> {
    locked: &'a Locked,
    files: BTreeSet<PathBuf>,
    pages: BTreeMap<PathBuf, Page>,
}

impl Problem {
    /// In one line. `chapters` is where the pages were written: there the line is named.
    pub fn said(&self, chapters: &Path) -> String {
        let Self { file, tag, address, why } = self;
        let Some(tag) = tag else { return format!("{file}: {why}") };
        let page = Path::new(file).with_extension("md");
        let page = if file == "index.html" { PathBuf::from("README.md") } else { page };
        let line = fs::read_to_string(chapters.join(&page)).ok().and_then(|text| line_of(&text, address));
        let place = line.map_or_else(|| file.clone(), |line| format!("{}:{line}", page.display()));
        format!("{place}: <{tag}> {address}: {why}")
    }
}

/// The line where an address stands, as it is or as it was before mdBook made `.html` of `.md`.
fn line_of(text: &str, address: &str) -> Option<usize> {
    let written = [address.to_owned(), address.replacen(".html", ".md", 1)];
    let at = |line: &str| written.iter().any(|address| line.contains(address.as_str()));
    text.lines().position(at).map(|before| before + 1)
}

/// Everything that is wrong with the site in `root`, whose links to documentation lead to the locked versions.
///
/// # Errors
/// When a file of it cannot be read.
pub fn problems(root: &Path, locked: &Locked) -> anyhow::Result<Vec<Problem>> {
    let files = files(root)?;
    let has = |file: &Path, ext: &str| file.extension().is_some_and(|found| found == ext);
    let mut pages = BTreeMap::new();
    for file in files.iter().filter(|file| has(file, "html")) {
        pages.insert(file.clone(), read(&text(root, file)?));
    }
    let site = Site { locked, files, pages };
    let mut problems = Vec::new();
    for (file, page) in &site.pages {
        for (tag, address) in &page.links {
            if let Some(why) = site.objection(file, tag, address) {
                let (file, tag, address) = (file.display().to_string(), Some(tag.clone()), address.clone());
                problems.push(Problem { file, tag, address, why });
            }
        }
    }
    if problems.iter().any(|problem| problem.file != PRINT) {
        problems.retain(|problem| problem.file != PRINT);
    }
    for file in site.files.iter().filter(|file| has(file, "css")) {
        let css = text(root, file)?;
        if ["url(http", "url(\"http", "url('http", "url(//", "@import"].iter().any(|part| css.contains(part)) {
            let (file, why) = (file.display().to_string(), "loads from elsewhere");
            problems.push(Problem { file, tag: None, address: String::new(), why });
        }
    }
    Ok(problems)
}

impl Site<'_> {
    fn objection(&self, from: &Path, tag: &str, address: &str) -> Option<&'static str> {
        if address.contains("://") || address.starts_with("//") {
            // A link is followed when the reader wants it; anything else is loaded at once.
            let why = if tag == "a" { ELSEWHERE } else { "loaded from another host" };
            return (tag != "a" || !leads_well(address, self.locked)).then_some(why);
        }
        if address.starts_with("mailto:") || address.starts_with("data:") {
            return None;
        }
        let (path, fragment) = address.split_once('#').unwrap_or((address, ""));
        let path = path.split('?').next().unwrap_or("");
        let target = match path {
            "" => from.to_owned(),
            path if self.pages[from].base || path.starts_with('/') => PathBuf::from(path.trim_start_matches('/')),
            path => resolve(from, path),
        };
        let is_folder = target.as_os_str().is_empty() || path.ends_with('/');
        let target = if is_folder { target.join("index.html") } else { target };
        if !self.files.contains(&target) {
            return Some("no such file");
        }
        let known = |page: &Page| fragment.is_empty() || page.ids.contains(fragment);
        self.pages.get(&target).is_some_and(|page| !known(page)).then_some("no such fragment")
    }
}

/// Whether a link outside has the form of one that we mean.
fn leads_well(address: &str, locked: &Locked) -> bool {
    if OTHERS.iter().any(|other| address.starts_with(other)) {
        return true;
    }
    let (address, _) = address.split_once('#').unwrap_or((address, ""));
    if let Some(path) = address.strip_prefix("https://github.com/") {
        let [owner, repository, kind, id] = path.split('/').collect::<Vec<_>>()[..] else { return false };
        let is_id = match kind {
            "issues" | "pull" => id.parse::<u32>().is_ok_and(|id| id > 0),
            "commit" => (7..=40).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_hexdigit()),
            _ => false,
        };
        return is_id && !owner.is_empty() && !repository.is_empty();
    }
    let Some(path) = address.strip_prefix(api::DOCS) else { return false };
    let mut parts = path.splitn(4, '/').map(str::to_owned);
    let (krate, version, below, page) = (parts.next(), parts.next(), parts.next(), parts.next());
    let Some((krate, version)) = krate.zip(version) else { return false };
    below == Some(krate.replace('-', "_"))
        && page.is_some_and(|page| page.ends_with(".html"))
        && locked.contains(&(krate, version))
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

fn read(html: &str) -> Page {
    let mut emitter = DefaultEmitter::default();
    // What looks like a tag inside a script is none.
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
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

fn text(root: &Path, file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))
}

/// Every file below `root`, relative to it.
fn files(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(file) = path.strip_prefix(root) {
                found.insert(file.to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found_and_what_is_well_is_not() {
        let page = "<base href='/'><a href='none.html'>a</a><a href='#none'>b</a><img src='https://example.org/x.png'>\
            <a href='https://example.org/'>out</a><a href='https://github.com/a/b/issues/1'>fine</a><a href='/'>fine</a><script>'<a href=\"no\">'</script>\
            <img src='gone.svg'><i id='x'></i><a href='#x'>fine</a>";
        let site = tempfile::tempdir().unwrap();
        fs::write(site.path().join("index.html"), page).unwrap();
        fs::write(site.path().join("x.css"), "a { background: url(https://example.org/x.png) }").unwrap();
        let chapters = tempfile::tempdir().unwrap();
        fs::write(chapters.path().join("README.md"), "# A\n\n[a](none.md)\n").unwrap();
        let said: Vec<_> =
            problems(site.path(), &Locked::new()).unwrap().iter().map(|one| one.said(chapters.path())).collect();
        assert_eq!(
            said,
            [
                "README.md:3: <a> none.html: no such file",
                "index.html: <a> #none: no such fragment",
                "index.html: <img> https://example.org/x.png: loaded from another host",
                &format!("index.html: <a> https://example.org/: {ELSEWHERE}"),
                "index.html: <img> gone.svg: no such file",
                "x.css: loads from elsewhere",
            ]
        );
    }

    #[test]
    fn a_link_out_has_the_form_of_an_issue_or_of_a_locked_version() {
        let locked = Locked::from([("tokio".into(), "1.2.3".into()), ("tokio-util".into(), "0.7.1".into())]);
        for well in [
            "https://github.com/a/b.c/issues/12",
            "https://github.com/a/b/pull/3#issuecomment-1",
            "https://github.com/a/b/commit/5f26981",
            "https://docs.rs/tokio/1.2.3/tokio/task/struct.JoinSet.html#method.len",
            "https://docs.rs/tokio-util/0.7.1/tokio_util/index.html",
            "https://doc.rust-lang.org/std/sync/struct.Arc.html",
        ] {
            assert!(leads_well(well, &locked), "{well}");
        }
        for wrong in [
            "https://github.com/a/b/issues/x",
            "https://github.com/a/b/issues/0",
            "https://github.com/a/b",
            "https://github.com/a/b/commit/5f2",
            "https://github.com//b/issues/1",
            "http://github.com/a/b/issues/1",
            "https://docs.rs/tokio/1.2.4/tokio/task/struct.JoinSet.html",
            "https://docs.rs/tokio/latest/tokio/task/struct.JoinSet.html",
            "https://docs.rs/tokio/1.2.3/tokio_util/task/struct.JoinSet.html",
            "https://docs.rs/tokio/1.2.3/tokio/task",
            "https://docs.rs/hyper/1.2.3/hyper/index.html",
            "https://example.org/",
            "//example.org/",
        ] {
            assert!(!leads_well(wrong, &locked), "{wrong}");
        }
    }

    #[test]
    fn the_print_page_repeats_no_chapter() {
        let site = tempfile::tempdir().unwrap();
        for file in ["a.html", PRINT] {
            fs::write(site.path().join(file), "<a href='none.html'>a</a>").unwrap();
        }
        assert_eq!(problems(site.path(), &Locked::new()).unwrap().len(), 1);
        fs::write(site.path().join("a.html"), "").unwrap();
        assert_eq!(problems(site.path(), &Locked::new()).unwrap()[0].file, PRINT);
    }
}
