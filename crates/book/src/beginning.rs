//! A line that begins with a number which nobody sees: `{{#value …}}. ` may yield `1. `, which Markdown takes for a list.

use std::{fs, path::Path};

use anyhow::Context;

use super::syntax::{self, Problem};

/// Directives that stand for a few words.
const IN_A_SENTENCE: [&str; 3] = ["value", "claim", "const"];
const WHY: &str = "if it yields a number, the line becomes a list: begin the line with another word";

/// What is wrong with the lines of a chapter.
pub(super) fn problems(text: &str) -> Vec<Problem> {
    let code = syntax::code(text);
    let all = syntax::all(text).into_iter().filter(|found| !code.iter().any(|code| code.contains(&found.start)));
    let begins = all.filter(|found| {
        let before = text[..found.start].rsplit('\n').next().unwrap_or("");
        let after = &text[found.end..];
        let is_first = before.chars().all(|c| " \t>-*+".contains(c));
        let name = syntax::words(&text[found.clone()]).first().copied().unwrap_or_default();
        is_first
            && IN_A_SENTENCE.contains(&name)
            && [". ", ") ", ".\n", ")\n"].iter().any(|end| (after.to_owned() + "\n").starts_with(end))
    });
    begins.map(|found| Problem { at: Some(found.start), text: text[found].to_owned(), why: WHY.to_owned() }).collect()
}

/// The same for every text of the questions. The first line of an option and of a reason has a letter before it.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn in_questions(root: &Path) -> anyhow::Result<Vec<String>> {
    let Ok(files) = root.join("book/questions").read_dir() else { return Ok(Vec::new()) };
    let mut said = Vec::new();
    for file in files {
        let path = file?.path();
        let name = format!("book/questions/{}", path.file_name().unwrap_or_default().to_string_lossy());
        let text = fs::read_to_string(&path).with_context(|| name.clone())?;
        let questions: toml::Table = text.parse().with_context(|| name.clone())?;
        let mut texts = Vec::new();
        questions.iter().for_each(|(key, value)| strings(key, value, &mut texts));
        let found = texts.into_iter().flat_map(|(key, text)| {
            let begins = move |one: &Problem| key == "ask" || one.at.is_some_and(|at| text[..at].contains('\n'));
            problems(text).into_iter().filter(begins)
        });
        said.extend(found.map(|Problem { text, why, .. }| format!("{name}: {text}: {why}")));
    }
    Ok(said)
}

/// Every text with the key that it stands behind.
fn strings<'a>(key: &'a str, value: &'a toml::Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        toml::Value::String(text) => found.push((key, text)),
        toml::Value::Array(all) => all.iter().for_each(|one| strings(key, one, found)),
        toml::Value::Table(all) => all.iter().for_each(|(key, one)| strings(key, one, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_may_become_a_list_is_refused_and_others_are_not() {
        for text in [
            "{{#value a b c}}. More",
            "x\n{{#claim a b}}) more",
            "- {{#const a b c}}. More",
            "> {{#value a b c}}.\nx",
            "{{#value a b c}}.",
        ] {
            assert_eq!(problems(text).len(), 1, "{text}");
        }
        for text in [
            "{{#value a b c}} tasks. More",
            "Left: {{#value a b c}}. More",
            "`{{#value a b c}}. `",
            "{{#chart a}}. x",
            "{{#value a b c}}.5",
        ] {
            assert!(problems(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn questions_are_looked_through_too() {
        let root = tempfile::tempdir().unwrap();
        assert!(in_questions(root.path()).unwrap().is_empty());
        fs::create_dir_all(root.path().join("book/questions")).unwrap();
        let text = "[[question]]\nask = \"{{#value a}}. So.\"\n[[question.option]]\ntext = \"{{#value b}}.\"\nreason = \"So\\n{{#value c}}. So.\"\n";
        fs::write(root.path().join("book/questions/a.toml"), text).unwrap();
        let said = |value| format!("book/questions/a.toml: {{{{#value {value}}}}}: {WHY}");
        assert_eq!(in_questions(root.path()).unwrap(), [said("a"), said("c")]);
    }
}
