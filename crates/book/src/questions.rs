//! The questions of a page, as `book/questions/PAGE.toml` has them, or `exercises/PAGE/questions.toml`: data, so that the build can shuffle the options, and so that each
//! key that a run decides is held against what was recorded.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::wording;

/// Where they are, from the root.
pub const FOLDER: &str = "book/questions";
/// Where those of an exercise are: in its own folder, for its kit takes them too.
const EXERCISES: &str = "exercises";
const OF_EXERCISE: &str = "questions.toml";
/// So many options has a question, of which one is right.
pub const OPTIONS: usize = 4;

/// One question with its options.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// It stands under *Predict*: a run answers it.
    #[serde(default)]
    pub predict: bool,
    /// In an exercise: it is part of the diagnosis, and which part.
    #[serde(default)]
    pub diagnosis: Option<Part>,
    /// Markdown.
    pub ask: String,
    /// What the key rests on, each held against the recordings at build.
    #[serde(default)]
    pub proof: Vec<String>,
    /// In the order of the file, or, once dealt, in that of the page.
    #[serde(rename = "option")]
    pub options: Vec<Choice>,
}

/// What a question of the diagnosis asks. The spawn line and the count are asked too, and a run answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What it waits for.
    Waits,
    /// Who holds the other end.
    Holder,
}

/// One option.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// It is the key.
    #[serde(default)]
    pub right: bool,
    /// What it claims, in Markdown.
    pub text: String,
    /// Why that is so, or not so.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    question: Vec<Question>,
}

/// The questions of a page, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Read {
    /// None where there is no way to show them.
    pub questions: Option<Vec<Question>>,
    /// Each in one line, with the file and the question's number.
    pub faults: Vec<String>,
}

impl Question {
    /// The place of the right option; none in a question that has no key.
    pub fn key(&self) -> Option<usize> {
        self.options.iter().position(|one| one.right)
    }
}

/// Where a chapter's questions are, from the root.
pub fn file(page: &str) -> String {
    format!("{FOLDER}/{page}.toml")
}

/// Where an exercise's questions are, from the root.
pub fn exercise_file(name: &str) -> String {
    format!("{EXERCISES}/{name}/{OF_EXERCISE}")
}

/// Where a page's questions are, from the root, whatever the page is.
pub fn place(root: &Path, page: &str) -> String {
    let own = exercise_file(page);
    if root.join(&own).is_file() { own } else { file(page) }
}

/// The pages that have questions: chapters by the names of the files, exercises by those of the folders.
pub fn pages(root: &Path) -> BTreeSet<String> {
    let within = |folder: &str| root.join(folder).read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let tomls = within(FOLDER).filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let exercises = within(EXERCISES).filter(|path| path.join(OF_EXERCISE).is_file());
    tomls.chain(exercises).filter_map(stem).collect()
}

/// Reads the questions of a page.
pub fn read(root: &Path, page: &str) -> Read {
    let file = place(root, page);
    match fs::read_to_string(root.join(&file)) {
        Ok(text) => parse(&file, &text),
        Err(error) => Read { questions: None, faults: vec![format!("{file} cannot be read: {error}")] },
    }
}

fn parse(file: &str, text: &str) -> Read {
    let questions = match toml::from_str::<File>(text) {
        Ok(file) => file.question,
        Err(error) => {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let why = error.message().replace(char::is_control, " ");
            return Read { questions: None, faults: vec![format!("{file}:{line}: {why}")] };
        }
    };
    let mut faults = Vec::new();
    if questions.is_empty() {
        faults.push(format!("{file}: it has no question: add one, or delete the file"));
    }
    let mut is_whole = true;
    for (at, question) in questions.iter().enumerate() {
        let (broken, told) = (broken(question), of_question(at, question));
        is_whole &= broken.is_none();
        let said = |why: String| format!("{file}: question {}: {why}", at + 1);
        faults.extend(broken.into_iter().chain(told).map(said));
    }
    Read { questions: is_whole.then_some(questions), faults }
}

/// Why a question cannot be shown.
fn broken(question: &Question) -> Option<String> {
    let right = question.options.iter().filter(|one| one.right).count();
    if question.options.len() != OPTIONS {
        return Some(format!("it has {} options instead of {OPTIONS}", question.options.len()));
    }
    (right != 1).then(|| format!("{right} options are `right = true` instead of one"))
}

/// What else is wrong with a question.
fn of_question(at: usize, question: &Question) -> Vec<String> {
    let mut faults = Vec::new();
    if question.predict && at > 0 {
        faults.push("`predict = true` is for the first question only".to_owned());
    }
    if question.predict && question.proof.is_empty() {
        faults.push(
            "a question to predict needs a `proof`, such as `value NAME SIDE per-unit.tasks = 3`: what the run must have said"
                .to_owned(),
        );
    }
    faults.extend(wording::of_text(&question.ask).map(|why| format!("`ask` {why}")));
    let mut seen = BTreeSet::new();
    for (at, one) in question.options.iter().enumerate() {
        let option = format!("option {} of the file", at + 1);
        if !seen.insert(one.text.trim()) {
            faults.push(format!("{option}: another option has the same `text`"));
        }
        faults.extend(wording::of_text(&one.text).map(|why| format!("{option}: `text` {why}")));
        faults.extend(wording::of_reason(&one.reason).map(|why| format!("{option}: `reason` {why}")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: &str = "That is so because the run has shown it.";

    /// A file with one good question.
    fn good() -> String {
        let option =
            |right: &str, text: &str| format!("[[question.option]]\n{right}text = \"{text}\"\nreason = \"{REASON}\"\n");
        let options = [option("", "One."), option("right = true\n", "Two."), option("", "Three."), option("", "Four.")];
        format!(
            "[[question]]\npredict = true\nask = \"How many?\"\nproof = [\"value a leak units = 2\"]\n{}",
            options.concat()
        )
    }

    fn faults(text: &str) -> String {
        parse("q.toml", text).faults.join(" | ")
    }

    #[test]
    fn a_good_question_is_read() {
        let read = parse("q.toml", &good());
        assert_eq!(read.faults, [] as [&str; 0]);
        let questions = read.questions.unwrap();
        assert_eq!((questions.len(), questions[0].key()), (1, Some(1)));
    }

    #[test]
    fn every_fault_is_one_line_with_file_and_question() {
        for (from, to, why) in [
            ("right = true\n", "", "question 1: 0 options are `right = true` instead of one"),
            ("text = \"One.\"", "right = true\ntext = \"One.\"", "question 1: 2 options are"),
            ("\"Four.\"", "\"One.\"", "question 1: option 4 of the file: another option has the same `text`"),
            ("\"Four.\"", "\"As B.\"", "option 4 of the file: `text` names the option B"),
            ("proof = [\"value a leak units = 2\"]\n", "", "question 1: a question to predict needs a `proof`"),
            ("\"How many?\"", "\"TODO\"", "question 1: `ask` still says `TODO`"),
            (REASON, "Too short.", "`reason` has 2 words"),
            ("ask = ", "asks = ", "q.toml:3: unknown field `asks`, expected one of"),
            ("ask = ", "ask ", "q.toml:3: "),
        ] {
            let changed = good().replacen(from, to, 1);
            assert_ne!(changed, good(), "{from}");
            let said = faults(&changed);
            assert!(said.starts_with("q.toml") && said.contains(why) && !said.contains('\n'), "{from}: {said}");
        }
        assert_eq!(faults("question = []"), "q.toml: it has no question: add one, or delete the file");
        let third = good().replace("predict = true\n", "") + &good();
        assert_eq!(faults(&third), "q.toml: question 2: `predict = true` is for the first question only");
        let fifth = good() + &format!("[[question.option]]\ntext = \"Five.\"\nreason = \"{REASON}\"\n");
        assert_eq!(faults(&fifth), "q.toml: question 1: it has 5 options instead of 4");
    }
}
