//! `book/symptoms.toml`: what the index knows and no scenario has.
//!
//! Each fault is a line of its own, and takes its entry out: the others are shown where somebody writes.

use std::{collections::BTreeSet, fs, path::Path};

use evidence::topic::Topic;
use serde::Deserialize;

use super::html;

const FILE: &str = "book/symptoms.toml";
/// What fits into a row.
const NOTICE_MAX: usize = 90;
const ASK_MAX: usize = 100;
/// Whoever has more ways than these has none.
pub(super) const WAYS_MAX: usize = 5;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Symptoms {
    /// What somebody says.
    pub(super) remark: Vec<Entry>,
    /// How a gauge moves.
    pub(super) gauge: Vec<Entry>,
    /// What tokio-console shows.
    pub(super) console: Vec<Entry>,
    /// Kinds of leaks for the table of movements.
    pub(super) leak: Vec<Leak>,
    /// Late, not leaked.
    pub(super) late: Vec<Late>,
    /// Rows of the card that have no scenario.
    pub(super) card: Vec<Written>,
}

/// What is noticed, and where it leads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Under which heading; for a remark, and for nothing else.
    pub(super) topic: Option<Topic>,
    pub(super) notice: String,
    pub(super) ask: String,
    chapter: Option<String>,
    next: Option<String>,
    #[serde(default)]
    branch: Vec<Branch>,
}

/// A kind of leak that has no scenario, or another name than its scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leak {
    pub(super) leak: String,
    /// The columns that move.
    pub(super) up: BTreeSet<String>,
    /// The gauge that tells it.
    pub(super) tells: String,
    chapter: Option<String>,
    next: Option<String>,
}

/// Late, not leaked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Late {
    pub(super) looks: String,
    /// What ends it, and when.
    pub(super) ends: String,
    /// How to know it from a leak.
    pub(super) tell: String,
}

/// A row of the card that has no scenario yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// The title of the part on whose sheet it stands.
    pub(super) part: String,
    pub(super) mistake: String,
    pub(super) why: String,
    pub(super) tell: String,
    pub(super) ask: String,
    pub(super) fix: String,
    pub(super) guard: String,
    /// What shows it: `NAME FIELD` of recorded claims.
    pub(super) claims: Vec<String>,
}

/// One of several causes, by what tells it from the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Branch {
    when: String,
    chapter: Option<String>,
    next: Option<String>,
}

/// Where something leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead<'a> {
    /// `page.md` or `page.md#anchor`.
    Chapter(&'a str),
    /// What to do, for there is no chapter.
    Next(&'a str),
}

/// What tells this way from others, where there are several, and where it leads.
pub(super) type Way<'a> = (Option<&'a str>, Lead<'a>);

impl Branch {
    fn lead(&self) -> Result<Way<'_>, String> {
        Ok((Some(&self.when), lead(self.chapter.as_deref(), self.next.as_deref())?))
    }
}

impl Entry {
    /// Every way from here, with what tells it where there are several.
    ///
    /// # Errors
    /// When there is none, or one is said twice.
    pub(super) fn leads(&self) -> Result<Vec<Way<'_>>, String> {
        match (&self.chapter, &self.next, self.branch.as_slice()) {
            (chapter, next, []) => Ok(vec![(None, lead(chapter.as_deref(), next.as_deref())?)]),
            (None, None, [_, _, ..]) if self.branch.len() <= WAYS_MAX => self.branch.iter().map(Branch::lead).collect(),
            _ => Err(format!("an entry with `branch` has 2 to {WAYS_MAX} of them, and no `chapter` or `next` beside")),
        }
    }

    fn faults(&self, is_remark: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if self.topic.is_some() != is_remark {
            faults.push("a remark has a `topic`, and nothing else has one".to_owned());
        }
        if !self.notice.ends_with('.') || self.notice.chars().count() > NOTICE_MAX {
            faults.push(format!("`notice` is a sentence of at most {NOTICE_MAX} characters"));
        }
        if !self.ask.ends_with('?') || self.ask.chars().count() > ASK_MAX {
            faults.push(format!("`ask` is a question of at most {ASK_MAX} characters"));
        }
        match self.leads() {
            Ok(leads) => faults.extend(leads.into_iter().flat_map(|(_, lead)| lead.faults())),
            Err(fault) => faults.push(fault),
        }
        faults
    }
}

impl Leak {
    /// Where it leads.
    ///
    /// # Errors
    /// When it leads nowhere, or is said twice.
    pub(super) fn lead(&self) -> Result<Lead<'_>, String> {
        lead(self.chapter.as_deref(), self.next.as_deref())
    }

    fn faults(&self, columns: &[&str]) -> Vec<String> {
        let unknown = self.up.iter().find(|column| !columns.contains(&column.as_str()));
        let unknown = unknown.map(|column| format!("`up` has no column `{column}`, only {}", columns.join(", ")));
        unknown.into_iter().chain(self.lead().map_or_else(|fault| vec![fault], Lead::faults)).collect()
    }
}

impl Lead<'_> {
    fn faults(self) -> Vec<String> {
        match self {
            Self::Chapter(page) if page.split_once('#').map_or(page, |(page, _)| page).ends_with(".md") => Vec::new(),
            Self::Chapter(page) => vec![format!("`chapter` is `page.md` or `page.md#anchor`, not `{page}`")],
            Self::Next(words) if words.ends_with('.') => Vec::new(),
            Self::Next(_) => vec!["`next` is a sentence or two".to_owned()],
        }
    }

    /// The pages that it names, in whatever way.
    fn pages(&self) -> Vec<&str> {
        let links = match self {
            Self::Chapter(page) => vec![*page],
            Self::Next(words) => html::links(words),
        };
        links
            .into_iter()
            .filter(|link| !link.contains("://"))
            .map(|link| link.split_once('#').map_or(link, |(page, _)| page))
            .collect()
    }
}

fn lead<'a>(chapter: Option<&'a str>, next: Option<&'a str>) -> Result<Lead<'a>, String> {
    match (chapter, next) {
        (Some(chapter), None) => Ok(Lead::Chapter(chapter)),
        (None, Some(next)) => Ok(Lead::Next(next)),
        _ => Err("write `chapter` or `next`, and only one of them".to_owned()),
    }
}

impl Symptoms {
    /// Reads the file of the workbook in `root`. Returns what is well, and every fault in one line. `columns` are those of the table of
    /// movements, `taken` the remarks that the scenarios make, `src` is where the chapters are.
    pub(super) fn read(root: &Path, src: &Path, columns: &[&str], taken: &[String]) -> (Self, Vec<String>) {
        match fs::read_to_string(root.join(FILE)) {
            Ok(text) => Self::parse(&text, columns, taken, &|page| src.join(page).is_file()),
            Err(error) => (Self::default(), vec![format!("{FILE}: cannot read it: {error}")]),
        }
    }

    fn parse(text: &str, columns: &[&str], taken: &[String], is_page: &dyn Fn(&str) -> bool) -> (Self, Vec<String>) {
        let mut all: Self = match toml::from_str(text) {
            Ok(all) => all,
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                return (Self::default(), vec![format!("{FILE}:{line}: {}", error.message().replace('\n', " "))]);
            }
        };
        let mut faults = Vec::new();
        let mut seen: BTreeSet<String> = taken.iter().cloned().collect();
        let mut is_well = |name: &str, mut found: Vec<String>, leads: Vec<Lead<'_>>| {
            if !seen.insert(name.to_owned()) {
                found.push("it is here or in a scenario already".to_owned());
            }
            let pages = leads.iter().flat_map(Lead::pages).filter(|page| !is_page(page));
            found.extend(pages.map(|page| format!("there is no page `{page}`")));
            faults.extend(found.iter().map(|fault| format!("{FILE}: “{name}”: {fault}")));
            found.is_empty()
        };
        for (is_remark, entries) in [(true, &mut all.remark), (false, &mut all.gauge), (false, &mut all.console)] {
            entries.retain(|entry| {
                let leads = entry.leads().unwrap_or_default().into_iter().map(|(_, lead)| lead).collect();
                is_well(&entry.notice, entry.faults(is_remark), leads)
            });
        }
        all.leak.retain(|leak| is_well(&leak.leak, leak.faults(columns), leak.lead().into_iter().collect()));
        (all, faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMARK: &str =
        "[[remark]]\ntopic = \"errors\"\nnotice = \"It is slow.\"\nask = \"Since when?\"\nnext = \"Look.\"\n";

    fn faults(text: &str) -> Vec<String> {
        let (_, faults) = Symptoms::parse(text, &["tasks"], &["A scenario has it.".to_owned()], &|page| page == "a.md");
        assert!(faults.iter().all(|fault| !fault.contains('\n')), "{faults:?}");
        faults
    }

    #[test]
    fn every_fault_of_an_entry_is_a_line_with_its_name() {
        assert_eq!(faults(REMARK), [] as [&str; 0]);
        for (from, to, why) in [
            ("topic = \"errors\"\n", "", "a remark has a `topic`"),
            ("[[remark]]", "[[gauge]]", "a remark has a `topic`"),
            ("slow.", "slow", "`notice` is a sentence of at most 90"),
            ("slow.", &format!("{}.", "slow ".repeat(20)), "`notice` is a sentence of at most 90"),
            ("when?", "when.", "`ask` is a question of at most 100"),
            ("next = \"Look.\"", "", "write `chapter` or `next`"),
            ("next", "chapter = \"a.md\"\nnext", "write `chapter` or `next`"),
            ("Look.", "Look", "`next` is a sentence"),
            ("next = \"Look.\"", "chapter = \"a\"", "`chapter` is `page.md`"),
            ("next = \"Look.\"", "chapter = \"b.md#c\"", "there is no page `b.md`"),
            ("Look.", "Look [there](b.md).", "there is no page `b.md`"),
            ("It is slow.", "A scenario has it.", "in a scenario already"),
            ("next", "branch = [{ when = \"so\", next = \"Go.\" }]\nnext", "2 to 5 of them"),
            ("next = \"Look.\"", "branch = [{ when = \"so\", next = \"Go.\" }]", "2 to 5 of them"),
            (
                "next = \"Look.\"",
                "branch = [{ when = \"so\" }, { when = \"or\", next = \"Go.\" }]",
                "write `chapter` or",
            ),
        ] {
            let found = faults(&REMARK.replacen(from, to, 1));
            assert!(found.iter().any(|fault| fault.contains(why)), "{from} → {to}: {found:?}");
            assert!(found[0].starts_with("book/symptoms.toml: “"), "{found:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_line_with_its_number() {
        assert!(faults("\n[[remark]]\nnotes = \"x\"\n")[0].starts_with("book/symptoms.toml:3: unknown field `notes`"));
        assert!(faults("[[remark]\n")[0].starts_with("book/symptoms.toml:1: "));
        let leak = "[[leak]]\nleak = \"Permits\"\nup = [\"task\"]\ntells = \"x\"\nnext = \"Look.\"\n";
        assert_eq!(faults(leak), ["book/symptoms.toml: “Permits”: `up` has no column `task`, only tasks"]);
    }

    #[test]
    fn an_entry_with_a_fault_is_out_and_the_others_stay() {
        let text = REMARK.to_owned() + &REMARK.replace("It is slow.", "It is slower") + REMARK;
        let (read, faults) = Symptoms::parse(&text, &[], &[], &|_| true);
        assert_eq!((read.remark.len(), faults.len()), (1, 2), "{faults:?}");
    }

    #[test]
    fn several_causes_lead_to_each_of_their_chapters() {
        let text = REMARK.replace(
            "next = \"Look.\"",
            "branch = [{ when = \"so\", chapter = \"a.md#b\" }, { when = \"or\", next = \"Look.\" }]",
        );
        let (read, faults) = Symptoms::parse(&text, &[], &[], &|page| page == "a.md");
        assert_eq!(faults, [] as [&str; 0]);
        let leads = read.remark[0].leads().unwrap();
        assert_eq!(leads, [(Some("so"), Lead::Chapter("a.md#b")), (Some("or"), Lead::Next("Look."))]);
    }
}
