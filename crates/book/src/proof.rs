//! What the key of a question rests on, held against what was recorded: `value a leak per-unit.tasks = 3`.

use anyhow::{Context, bail, ensure};

use super::{html, source::Source, value};

const FORMS: &str = "write `value NAME SIDE PATH = X`, `claim NAME FIELD = X`, the same with `<` or `>` and a number, value or claim, or \
                     `shown NAME FILE has TEXT`";

/// Checks one proof.
///
/// # Errors
/// When it is none, or false: one line with what was claimed and what the recording says. What nobody recorded is told elsewhere.
pub(super) fn check(source: &Source, proof: &str) -> anyhow::Result<()> {
    let words: Vec<_> = proof.split_whitespace().collect();
    match words.as_slice() {
        ["shown", name, file, "has", text @ ..] if !text.is_empty() => {
            let text = text.join(" ");
            let shown = source.shown(name, file)?;
            let shown: Vec<_> = shown.split_whitespace().collect();
            ensure!(shown.join(" ").contains(&text), "claimed was `{proof}`, and {file} of {name} has no `{text}`");
            Ok(())
        }
        ["value", _, _, _, sign @ ("=" | "<" | ">"), right @ ..] if !right.is_empty() => {
            compare(source, proof, &words[..4], sign, right)
        }
        ["claim", _, _, sign @ ("=" | "<" | ">"), right @ ..] if !right.is_empty() => {
            compare(source, proof, &words[..3], sign, right)
        }
        _ => bail!("the proof `{proof}` is none: {FORMS}"),
    }
}

fn compare(source: &Source, proof: &str, left: &[&str], sign: &str, right: &[&str]) -> anyhow::Result<()> {
    let printed = printed(source, left)?.context(FORMS)?;
    let (wanted, is_typed) = match self::printed(source, right)? {
        Some(other) => (other, false),
        None => (right.join(" "), true),
    };
    let holds = match sign {
        // What a claim saw is written so that Markdown leaves it alone.
        "=" => printed == wanted || (is_typed && printed == html::inline(&wanted)),
        "<" => number(&printed)? < number(&wanted)?,
        _ => number(&printed)? > number(&wanted)?,
    };
    let other = if is_typed { String::new() } else { format!(" and `{}` is {wanted}", right.join(" ")) };
    ensure!(holds, "claimed was `{proof}`, recorded is {printed}{other}");
    Ok(())
}

/// What a page would print for these words; none where they are neither a value nor a claim.
fn printed(source: &Source, words: &[&str]) -> anyhow::Result<Option<String>> {
    match words {
        ["value", name, side, path] => {
            let recording = source.recorded(name, &[side])?;
            value::value(source.scenario(name)?, &recording, side, path).map(Some)
        }
        ["claim", name, field] => source.claim(name, field).map(Some),
        _ => Ok(None),
    }
}

fn number(printed: &str) -> anyhow::Result<f64> {
    printed.replace(',', "").parse().ok().with_context(|| format!("`{printed}` is no number to compare"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Told;

    fn said(proof: &str) -> String {
        check(&Source::fixture(), proof).map_or_else(|error| format!("{error:#}"), |()| "holds".to_owned())
    }

    #[test]
    fn what_was_recorded_holds() {
        for proof in [
            "value unconsumed-send leak per-unit.tasks = 6",
            "value unconsumed-send leak after.tasks = 1,200",
            "value unconsumed-send leak after.tasks > 1,000",
            "value unconsumed-send fix after.tasks < 0.5",
            "value unconsumed-send fix after.tasks < value unconsumed-send leak after.tasks",
            "value unconsumed-send leak after.tasks = value unconsumed-send leak peak.tasks",
            "shown unconsumed-send ways.md has | drop | 6 |",
        ] {
            assert_eq!(said(proof), "holds", "{proof}");
        }
    }

    #[test]
    fn what_was_not_is_said_with_the_recording() {
        for (proof, why) in [
            (
                "value unconsumed-send leak per-unit.tasks = 3",
                "`value unconsumed-send leak per-unit.tasks = 3`, recorded is 6",
            ),
            ("value unconsumed-send leak after.tasks < 1,200", "recorded is 1,200"),
            (
                "value unconsumed-send fix after.tasks > value unconsumed-send leak after.tasks",
                "recorded is 0 and `value unconsumed-send leak after.tasks` is 1,200",
            ),
            ("value unconsumed-send leak after.tasks > many", "`many` is no number to compare"),
            ("shown unconsumed-send ways.md has | drop | 7 |", "ways.md of unconsumed-send has no `| drop | 7 |`"),
            ("value unconsumed-send leak after.task = 1", "no gauge `task` there"),
            ("value unconsumed-send leak = 6", "is none: write `value NAME SIDE PATH = X`"),
            ("value unconsumed-send leak after.tasks", "is none"),
            ("shown unconsumed-send ways.md", "is none"),
            ("", "is none"),
        ] {
            assert!(said(proof).contains(why), "{proof}: {}", said(proof));
            assert!(!said(proof).contains('\n'));
        }
    }

    #[test]
    fn what_nobody_recorded_is_told_and_proves_nothing() {
        let error = check(&Source::fixture(), "claim x y = 1").unwrap_err();
        assert!(error.downcast_ref::<Told>().is_some(), "{error:#}");
    }
}
