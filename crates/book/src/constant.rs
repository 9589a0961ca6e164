//! `{{#const NAME FILE CONST}}`: a constant of a scenario's source in words, so that a page cannot say another limit than the code has.

use anyhow::{Context, bail, ensure};
use evidence::words::grouped;

/// So deep may a constant name another one.
const DEPTH_MAX: usize = 4;
/// What makes a duration of a number, and what its unit is called: one, and many.
const UNITS: [(&str, &str, &str); 5] = [
    ("from_micros", "µs", "µs"),
    ("from_millis", "ms", "ms"),
    ("from_secs", "second", "seconds"),
    ("from_mins", "minute", "minutes"),
    ("from_hours", "hour", "hours"),
];

/// A constant of a file's text, as a page says it.
pub(super) fn words(text: &str, name: &str) -> anyhow::Result<String> {
    let value = value_of(text, name)?;
    for (unit, one, many) in UNITS {
        let Some(rest) = value.strip_prefix("Duration::").and_then(|rest| rest.strip_prefix(unit)) else { continue };
        let inside = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let count = number(text, inside.with_context(|| not_simple(name, value))?, DEPTH_MAX)?;
        return Ok(format!("{} {}", grouped(count), if count == 1 { one } else { many }));
    }
    number(text, value, DEPTH_MAX).map(grouped).with_context(|| not_simple(name, value))
}

fn not_simple(name: &str, value: &str) -> String {
    format!(
        "`{name}` is `{value}`: only an integer, a product of such, and `Duration::from_…` of one can be said in words"
    )
}

/// What stands between `=` and `;`.
fn value_of<'a>(text: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let declared = |line: &'a str| {
        let rest =
            line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("const ")?;
        let (found, rest) = rest.split_once(':')?;
        Some((found.trim(), rest))
    };
    let all: Vec<_> = text.lines().filter_map(declared).collect();
    let found: Vec<_> = all.iter().filter(|(found, _)| *found == name).collect();
    let rest = match found.as_slice() {
        [(_, rest)] => rest,
        [] => {
            let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            bail!("no constant `{name}` there, only {}", if names.is_empty() { "none" } else { &names })
        }
        _ => bail!("`{name}` is declared {} times there", found.len()),
    };
    let value = rest.split_once('=').and_then(|(_, rest)| rest.split_once(';'));
    value.map(|(value, _)| value.trim()).with_context(|| format!("`{name}` is longer than its line"))
}

/// An integer, a constant of the same file, or a product of those.
fn number(text: &str, value: &str, depth: usize) -> anyhow::Result<u64> {
    ensure!(depth > 0, "its constants name each other too deeply");
    let factor = |part: &str| {
        let part = part.trim();
        let is_name = part.starts_with(|c: char| c.is_ascii_uppercase());
        if is_name && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            return number(text, value_of(text, part)?, depth - 1);
        }
        let digits: String = part.chars().filter(|c| *c != '_').collect();
        digits.parse().with_context(|| format!("`{part}` is no integer"))
    };
    value
        .split('*')
        .map(factor)
        .try_fold(1_u64, |product, factor| product.checked_mul(factor?).context("it is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "const WATCH_MAX: Duration = Duration::from_secs(2);\npub(crate) const SEND_MAX: Duration = Duration::from_millis(1_250);\n\
        const ONE: Duration = Duration::from_secs(1);\n    const ROOM: usize = 8;\nconst LINE: usize = 64 * 1024;\n\
        const ALL: Duration = Duration::from_mins(2 * ROOM);\nconst NAME: &str = \"x\";\nconst LOOP: u8 = LOOP;\n\
        const TWICE: u8 = 1;\nconst TWICE: u8 = 2;\nconst LONG: [u8; 2] = [\n    1, 2];\nconst LESS: Duration = ONE.mul_f64(0.5);\n";

    #[test]
    fn durations_integers_and_products_are_said_in_words() {
        for (name, said) in [
            ("WATCH_MAX", "2 seconds"),
            ("SEND_MAX", "1,250 ms"),
            ("ONE", "1 second"),
            ("ROOM", "8"),
            ("LINE", "65,536"),
            ("ALL", "16 minutes"),
        ] {
            assert_eq!(words(FILE, name).unwrap(), said);
        }
    }

    #[test]
    fn what_cannot_be_said_is_told_with_the_reason() {
        for (name, said) in [
            ("NONE", "no constant `NONE` there, only WATCH_MAX, SEND_MAX, ONE, ROOM"),
            ("NAME", "`NAME` is `\"x\"`: only an integer"),
            ("LESS", "`LESS` is `ONE.mul_f64(0.5)`: only an integer"),
            ("LOOP", "too deeply"),
            ("TWICE", "declared 2 times"),
            ("LONG", "longer than its line"),
        ] {
            let error = format!("{:#}", words(FILE, name).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
