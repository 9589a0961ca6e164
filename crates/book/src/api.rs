//! `book/api.toml`: which code span names which item of a crate. The first use on a page leads to docs.rs, at the locked version.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::Path,
};

use anyhow::{Context, ensure};
use evidence::made_by;
use serde::Deserialize;

use super::running;

/// From the root.
const FILE: &str = "book/api.toml";
/// Where the documentation of every crate is.
pub(super) const DOCS: &str = "https://docs.rs/";

/// A code span, as it stands between its backticks, and the page below the crate's own.
type Names = BTreeMap<String, String>;

/// What the file says.
#[derive(Debug, Default, Deserialize)]
struct Written {
    /// What a span means on one page only, before what it means elsewhere.
    #[serde(default)]
    page: BTreeMap<String, BTreeMap<String, Names>>,
    #[serde(flatten)]
    everywhere: BTreeMap<String, Names>,
}

/// All names that are known, with their addresses.
#[derive(Debug, Default)]
pub struct Api {
    everywhere: Names,
    page: BTreeMap<String, Names>,
}

impl Api {
    /// Reads the names; none where a book has no such file.
    ///
    /// # Errors
    /// When the file has a fault, or a crate is not locked.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(root.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context(FILE),
        };
        let written = parse(&text).with_context(|| FILE.to_owned())?;
        let crates: BTreeSet<_> =
            written.page.values().flat_map(BTreeMap::keys).chain(written.everywhere.keys()).collect();
        let versions =
            made_by::locked(root, crates.into_iter().map(String::as_str)).with_context(|| FILE.to_owned())?;
        let everywhere = addresses(&written.everywhere, &versions)?;
        let pages = written.page.iter().map(|(page, names)| Ok((page.clone(), addresses(names, &versions)?)));
        Ok(Self { everywhere, page: pages.collect::<anyhow::Result<_>>()? })
    }

    /// A chapter in which the first use of each name is a link. `page` is the chapter's path without its ending.
    pub(super) fn link(&self, page: &str, text: &str) -> String {
        let linked = self.uses(page, text).into_iter().map(|(range, address)| {
            let span = &text[range.clone()];
            (range, format!("<a class=\"wb-api\" href=\"{address}\">{span}</a>"))
        });
        running::replaced(text, linked.collect())
    }

    /// Where a page names each item for the first time, and where that is explained.
    pub fn uses(&self, page: &str, text: &str) -> Vec<(Range<usize>, &str)> {
        let mut seen = BTreeSet::new();
        let spans = running::of(text).code.into_iter();
        let all = spans.filter_map(|range| {
            let name = text[range.clone()].trim_matches('`').trim();
            let address = self.page.get(page).and_then(|here| here.get(name)).or_else(|| self.everywhere.get(name))?;
            seen.insert(address).then_some((range, address.as_str()))
        });
        all.collect()
    }

    /// Every name: the page it is for, if it is for one, and the span.
    pub fn names(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let here = self.page.iter().flat_map(|(page, names)| names.keys().map(move |name| (Some(page.as_str()), name)));
        self.everywhere.keys().map(|name| (None, name)).chain(here).map(|(page, name)| (page, name.as_str()))
    }

    /// Whether a page has this name as a code span, and takes its address from here: from its own names, or from those of all pages.
    pub fn is_used(&self, own: Option<&str>, name: &str, page: &str, text: &str) -> bool {
        let from_own = self.page.get(page).is_some_and(|here| here.contains_key(name));
        let is_here = own.map_or(!from_own, |own| own == page);
        is_here && running::of(text).code.into_iter().any(|range| text[range].trim_matches('`').trim() == name)
    }
}

fn parse(text: &str) -> anyhow::Result<Written> {
    let written: Written = toml::from_str(text)?;
    for names in written.page.values().chain([&written.everywhere]) {
        let mut seen = BTreeMap::new();
        for (krate, names) in names {
            for (name, path) in names {
                let other = seen.insert(name, krate);
                ensure!(
                    other.is_none(),
                    "`{name}` is of {} and of {krate}: say which on each page",
                    other.unwrap_or(krate)
                );
                ensure!(!name.is_empty() && !name.contains('`'), "`{name}` is no code span");
                let page = path.split('#').next().unwrap_or_default();
                let is_page = page.ends_with(".html") && !page.starts_with('/') && !page.contains("..");
                ensure!(
                    is_page,
                    "`{name}` leads to {path}, which is no page below {krate}: write `task/struct.JoinSet.html`"
                );
            }
        }
    }
    Ok(written)
}

fn addresses(all: &BTreeMap<String, Names>, versions: &BTreeMap<String, String>) -> anyhow::Result<Names> {
    let mut found = Names::new();
    for (krate, names) in all {
        let version = versions.get(krate).with_context(|| format!("{krate} is not locked"))?;
        let base = format!("{DOCS}{krate}/{version}/{}/", krate.replace('-', "_"));
        found.extend(names.iter().map(|(name, path)| (name.clone(), format!("{base}{path}"))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "[[package]]\nname = \"tokio\"\nversion = \"1.2.3\"\n[[package]]\nname = \"tokio-util\"\nversion = \"0.7.1\"\n";

    fn api(text: &str) -> anyhow::Result<Api> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("book")).unwrap();
        fs::write(root.path().join("Cargo.lock"), LOCK).unwrap();
        fs::write(root.path().join(FILE), text).unwrap();
        Api::read(root.path())
    }

    const NAMES: &str = "[tokio]\n\"JoinSet\" = \"task/struct.JoinSet.html\"\n\"set\" = \"task/struct.JoinSet.html\"\n\
        [page.b.tokio-util]\n\"JoinSet\" = \"task/struct.JoinMap.html\"\n";

    #[test]
    fn the_first_use_is_a_link_to_the_locked_version_and_a_page_may_mean_something_else() {
        let api = api(NAMES).unwrap();
        let to = |address: &str| {
            format!("a <a class=\"wb-api\" href=\"https://docs.rs/{address}\">`JoinSet`</a>, `JoinSet`, `x`")
        };
        let text = "a `JoinSet`, `JoinSet`, `x`";
        assert_eq!(api.link("a", text), to("tokio/1.2.3/tokio/task/struct.JoinSet.html"));
        assert_eq!(api.link("b", text), to("tokio-util/0.7.1/tokio_util/task/struct.JoinMap.html"));
        // Two names of one item are one item.
        assert_eq!(api.uses("a", "`JoinSet` `set`").len(), 1);
    }

    #[test]
    fn headings_links_html_blocks_and_parts_of_a_span_stay() {
        let api = api(NAMES).unwrap();
        for text in [
            "# `JoinSet`",
            "[`JoinSet`](x.md)",
            "<p>`JoinSet`</p>",
            "```text\n`JoinSet`\n```",
            "`JoinSet::new`",
            "JoinSet",
        ] {
            assert_eq!(api.link("a", text), text);
        }
    }

    #[test]
    fn a_name_that_stands_on_no_page_is_found() {
        let api = api(NAMES).unwrap();
        assert_eq!(api.names().collect::<Vec<_>>(), [(None, "JoinSet"), (None, "set"), (Some("b"), "JoinSet")]);
        assert!(api.is_used(None, "JoinSet", "a", "`JoinSet`") && !api.is_used(None, "JoinSet", "b", "`JoinSet`"));
        assert!(
            api.is_used(Some("b"), "JoinSet", "b", "`JoinSet`") && !api.is_used(Some("b"), "JoinSet", "b", "JoinSet")
        );
    }

    #[test]
    fn a_fault_of_the_file_is_said() {
        for (text, said) in [
            ("[tokio]\n\"a\" = \"/x.html\"", "`a` leads to /x.html, which is no page below tokio"),
            ("[tokio]\n\"a\" = \"x\"", "`a` leads to x, which is no page"),
            ("[tokio]\n\"a`b\" = \"x.html\"", "is no code span"),
            ("[tokio]\n\"a\" = \"x.html\"\n[tokio-util]\n\"a\" = \"y.html\"", "`a` is of tokio and of tokio-util"),
            ("[hyper]\n\"a\" = \"x.html\"", "Cargo.lock has not exactly one hyper"),
            ("tokio = 1", "book/api.toml: "),
        ] {
            let error = format!("{:#}", api(text).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
