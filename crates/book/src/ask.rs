//! `{{#predict PAGE}}` and `{{#questions PAGE}}`: the questions as Markdown, with the answer folded. Directives in their texts are filled
//! in by whoever asks for them.

use anyhow::{Context, ensure};

use super::{
    proof,
    questions::{self, Choice, Question},
    quiz::letter,
    source::{Source, Told},
};

/// The question that a run answers.
pub(super) fn predict(source: &Source, page: &str) -> anyhow::Result<String> {
    let first = of(source, page)?.first().filter(|one| one.predict);
    let first = first.with_context(|| {
        format!("no question to predict: put `predict = true` to the first of {}", questions::file(page))
    })?;
    prove(source, page, 0, first)?;
    Ok(markdown(&first.ask, first, "Answer, from the run"))
}

/// All others, with their numbers.
pub(super) fn others(source: &Source, page: &str) -> anyhow::Result<String> {
    let all = of(source, page)?;
    let others: Vec<_> = all.iter().enumerate().filter(|(_, one)| !one.predict).collect();
    ensure!(!others.is_empty(), "no question but that to predict: add some to {}", questions::file(page));
    let mut text = String::new();
    for (number, (at, question)) in others.into_iter().enumerate() {
        prove(source, page, at, question)?;
        text += &markdown(&format!("**{}.** {}", number + 1, question.ask), question, "Answer");
    }
    Ok(text)
}

/// The questions of an exercise that are part of its diagnosis, or those that are not, with their numbers from `first` on.
pub(super) fn of_exercise(source: &Source, name: &str, diagnosis: bool, first: usize) -> anyhow::Result<String> {
    let all =
        source.quiz.of(name).with_context(|| format!("{} cannot be shown: mend it", questions::exercise_file(name)))?;
    let wanted = all.iter().filter(|one| one.diagnosis.is_some() == diagnosis).zip(first..);
    Ok(wanted.map(|(one, number)| markdown(&format!("**{number}.** {}", one.ask), one, "Answer")).collect())
}

fn of<'a>(source: &'a Source, page: &str) -> anyhow::Result<&'a [Question]> {
    let file = questions::file(page);
    source
        .quiz
        .of(page)
        .with_context(|| format!("there is no {file} to show: write it, or mend it; CONTRIBUTING.md has the form"))
}

/// A key that a run decides is what the run said. Nothing is proven where nothing is recorded, which is told already.
fn prove(source: &Source, page: &str, at: usize, question: &Question) -> anyhow::Result<()> {
    for proof in &question.proof {
        match proof::check(source, proof) {
            Err(error) if error.downcast_ref::<Told>().is_some() => {}
            other => other.with_context(|| format!("{}: question {}", questions::file(page), at + 1))?,
        }
    }
    Ok(())
}

fn markdown(ask: &str, question: &Question, summary: &str) -> String {
    let all = || question.options.iter().enumerate();
    let options: String = all().map(|(at, one)| format!("- {}. {}\n", letter(at), within_item(&one.text))).collect();
    // Tags, for a text may have stars of its own.
    let answer = |(at, one): (usize, &Choice), tag: &str| {
        format!("<{tag}>{}. {}</{tag}> {}", letter(at), within_item(&one.text), within_item(&one.reason))
    };
    let key: String = all().filter(|(_, one)| one.right).map(|one| answer(one, "strong")).collect();
    let wrong: String = all().filter(|(_, one)| !one.right).map(|one| format!("- {}\n", answer(one, "em"))).collect();
    format!(
        "\n{}\n\n{options}\n<details class=\"wb-answer\"><summary>{summary}</summary>\n\n{key}\n\n{wrong}\n</details>\n\n",
        ask.trim()
    )
}

/// Lines after the first belong to the item still.
fn within_item(text: &str) -> String {
    text.trim().replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_comes_first_and_each_other_option_with_its_reason() {
        let source = Source::fixture();
        let shown = predict(&source, "unconsumed-send").unwrap();
        let question = &source.quiz.of("unconsumed-send").unwrap()[0];
        let key = question.key().unwrap();
        let right = &question.options[key];
        assert!(
            shown.contains(&format!("<strong>{}. {}</strong> {}\n", letter(key), right.text, right.reason)),
            "{shown}"
        );
        for (at, one) in question.options.iter().enumerate() {
            assert!(shown.contains(&format!("\n- {}. {}\n", letter(at), one.text)), "{shown}");
            let wrong = format!("\n- <em>{}. {}</em> {}\n", letter(at), one.text, one.reason);
            assert_eq!(shown.contains(&wrong), !one.right, "{shown}");
        }
        assert!(shown.contains("<summary>Answer, from the run</summary>\n\n<strong>"), "{shown}");
    }

    #[test]
    fn the_others_are_numbered_from_one() {
        let shown = others(&Source::fixture(), "unconsumed-send").unwrap();
        let asked: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("**")?.split_once(".**")).collect();
        let numbers: Vec<_> = asked.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=numbers.len()).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(shown.matches("<summary>Answer</summary>").count(), numbers.len());
    }

    #[test]
    fn a_page_without_questions_is_named_with_the_file_to_write() {
        let error = predict(&Source::fixture(), "README").unwrap_err().to_string();
        assert!(error.starts_with("there is no book/questions/README.toml to show: write it"), "{error}");
    }
}
