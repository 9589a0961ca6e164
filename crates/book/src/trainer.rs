//! What a trainer needs: `book/trainer/PAGE.toml` says of a page how long it takes and what to ask, `book/plans.toml` which pages make a
//! plan. `{{#trainer PAGE}}` shows the one, folded, and `{{#plan NAME}}` the other, with the times of day added up.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{html, source::Source};

/// Where the notes are, from the root.
const NOTES: &str = "book/trainer";
/// Where the plans are, from the root.
const PLANS: &str = "book/plans.toml";
/// A page that takes longer in a class should be two.
const MINUTES_MAX: u32 = 60;

/// What is to be known of one page before a class.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// How long the page takes in a class, with its run and the talk about it.
    pub minutes: u32,
    /// What to ask before the run.
    pub ask: Vec<String>,
    /// What is usually answered, and is not so.
    #[serde(rename = "wrong")]
    pub answers: Vec<Answer>,
    /// What to show when time is short.
    pub short: String,
}

/// An answer that many give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// As they say it.
    pub says: String,
    /// What to reply.
    pub reply: String,
}

/// A class: what is done, in order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    name: String,
    title: String,
    /// The whole, breaks included.
    minutes: u32,
    /// Pages, exercises and breaks.
    step: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// A page or an exercise, by name; none is a break.
    page: Option<String>,
    /// Of a break, or where a page is shown in part.
    minutes: Option<u32>,
    /// What is done with it.
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plans {
    plan: Vec<Plan>,
}

/// The notes of a page.
///
/// # Errors
/// One line, with the file.
pub fn notes(root: &Path, page: &str) -> anyhow::Result<Notes> {
    let file = format!("{NOTES}/{page}.toml");
    let text = fs::read_to_string(root.join(&file))
        .with_context(|| format!("{file} is missing: it says how long the page takes in a class, and what to ask"))?;
    let notes: Notes = toml::from_str(&text).with_context(|| file.clone())?;
    ensure!((1..=MINUTES_MAX).contains(&notes.minutes), "{file}: minutes: from 1 to {MINUTES_MAX}");
    ensure!(
        !notes.ask.is_empty() && !notes.short.trim().is_empty(),
        "{file}: it has nothing to ask, or nothing to show when time is short"
    );
    Ok(notes)
}

/// The pages that have notes.
pub fn pages(root: &Path) -> BTreeSet<String> {
    let entries = root.join(NOTES).read_dir().into_iter().flatten().flatten();
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    entries.filter_map(|entry| stem(entry.path())).collect()
}

/// Every page and exercise that a plan uses, each once.
///
/// # Errors
/// When the plans cannot be read.
pub fn planned(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    Ok(read(root)?.into_iter().flat_map(|plan| plan.step).filter_map(|step| step.page).collect())
}

/// The folded notes of a page. A chapter has a hand-out, another page has none.
pub(super) fn trainer(root: &Path, page: &str, is_chapter: bool) -> anyhow::Result<String> {
    let Notes { minutes, ask, answers, short } = notes(root, page)?;
    let asked: String = ask.iter().map(|one| format!("- {}\n", one.trim())).collect();
    let replies: String = answers.iter().map(|one| format!("- *{}* {}\n", one.says.trim(), one.reply.trim())).collect();
    let handout = format!(
        "<a class=\"wb-handout\" href=\"{page}.html?handout\">The hand-out of this chapter</a> prints its story, its chart, the lines that \
         change and the questions, without answers.\n\n"
    );
    Ok(format!(
        "\n<details class=\"wb-trainer\"><summary>For the trainer: {minutes} minutes</summary>\n\n**Ask before the run**\n\n{asked}\n\
         **What is often answered**\n\n{replies}\n**When time is short.** {}\n\n{}</details>\n\n",
        short.trim(),
        if is_chapter { &handout } else { "" }
    ))
}

/// A plan as a table: when, how long, what.
pub(super) fn plan(source: &Source, root: &Path, name: &str) -> anyhow::Result<String> {
    let plans = read(root)?;
    let names: Vec<_> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let known = || format!("there is no plan `{name}`: there are {}", names.join(", "));
    let plan = plans.iter().find(|plan| plan.name == name).with_context(known)?;
    let (mut at, mut rows) = (0, Vec::new());
    for step in &plan.step {
        let minutes = minutes(source, root, step)?;
        let what = match &step.page {
            Some(page) => format!(
                "<a href=\"{}\">{}</a>: {}",
                // The first page is the book's index.
                html::address(&format!("{}.md", if page == "README" { "index" } else { page })),
                html::inline(&source.title(page)),
                html::inline_prose(&step.what)
            ),
            None => html::inline_prose(&step.what),
        };
        rows.push(vec![clock(at), minutes.to_string(), what]);
        at += minutes;
    }
    ensure!(at <= plan.minutes, "{PLANS}: plan `{name}` takes {at} minutes, and has {}", plan.minutes);
    let spare = plan.minutes - at;
    rows.push(vec![clock(at), spare.to_string(), "questions, and what took longer".to_owned()]);
    rows.push(vec![
        clock(plan.minutes),
        plan.minutes.to_string(),
        "<strong>the end; minutes in all</strong>".to_owned(),
    ]);
    let caption = format!("{}: {} minutes", plan.title, plan.minutes);
    Ok(html::table("wb-plan", &caption, &["at", "minutes", "what"], &rows))
}

/// Stated for this step, by the exercise, or by the notes of the page.
fn minutes(source: &Source, root: &Path, step: &Step) -> anyhow::Result<u32> {
    match (&step.page, step.minutes) {
        (_, Some(minutes)) => Ok(minutes),
        (None, None) => anyhow::bail!("{PLANS}: a break has no `minutes`"),
        (Some(page), None) => match source.exercise(page) {
            Ok(exercise) => Ok(exercise.facts.minutes),
            Err(_) => Ok(notes(root, page)?.minutes),
        },
    }
}

fn clock(minutes: u32) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

fn read(root: &Path) -> anyhow::Result<Vec<Plan>> {
    let text = fs::read_to_string(root.join(PLANS)).with_context(|| format!("cannot read {PLANS}"))?;
    Ok(toml::from_str::<Plans>(&text).context(PLANS)?.plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(plan: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(NOTES)).unwrap();
        let notes =
            "minutes = 20\nask = ['How many?']\nshort = 'The chart.'\n[[wrong]]\nsays = 'None.'\nreply = 'One each.'\n";
        fs::write(root.path().join(NOTES).join("unconsumed-send.toml"), notes).unwrap();
        fs::write(root.path().join(PLANS), plan).unwrap();
        root
    }

    const PLAN: &str = "[[plan]]\nname = 'short'\ntitle = 'Short'\nminutes = 90\n[[plan.step]]\npage = 'unconsumed-send'\nwhat = 'all'\n\
        [[plan.step]]\nminutes = 10\nwhat = 'a break'\n[[plan.step]]\npage = 'unconsumed-send'\nminutes = 45\nwhat = 'again'\n";

    #[test]
    fn a_plan_adds_up_and_says_what_is_left() {
        let root = folder(PLAN);
        let table = plan(&Source::fixture(), root.path(), "short").unwrap();
        for cell in ["0:00", "0:20", "0:30", "1:15", "1:30", ">15<"] {
            assert!(table.contains(cell), "{cell} in {table}");
        }
        assert!(table.contains("Short: 90 minutes") && table.contains("a break"), "{table}");
    }

    #[test]
    fn a_plan_that_takes_longer_than_it_has_is_refused() {
        let root = folder(&PLAN.replace("minutes = 45", "minutes = 65"));
        let error = plan(&Source::fixture(), root.path(), "short").unwrap_err().to_string();
        assert_eq!(error, "book/plans.toml: plan `short` takes 95 minutes, and has 90");
        let error = plan(&Source::fixture(), root.path(), "day").unwrap_err().to_string();
        assert_eq!(error, "there is no plan `day`: there are short");
    }

    #[test]
    fn the_notes_of_a_page_are_folded_and_missing_ones_are_named_with_their_file() {
        let root = folder(PLAN);
        let shown = trainer(root.path(), "unconsumed-send", true).unwrap();
        assert!(shown.contains("<summary>For the trainer: 20 minutes</summary>"), "{shown}");
        assert!(
            shown.contains("- How many?") && shown.contains("- *None.* One each.") && shown.contains("The chart."),
            "{shown}"
        );
        let error = trainer(root.path(), "other", true).unwrap_err().to_string();
        assert!(error.starts_with("book/trainer/other.toml is missing"), "{error}");
    }
}
