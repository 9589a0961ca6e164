//! Words that would tell a candidate what to look for, or where the kit is from. Pure.

use super::words::{is_word, split};

/// Whatever begins with one of these tells, as a word of its own or as a part of a name.
const STEMS: [&str; 8] = ["leak", "wrong", "trap", "solution", "workbook", "chapter", "anchor", "lesson"];
/// These tell as they stand: `fixture` and `prefix` do not.
const WHOLE: [&str; 5] = ["fix", "fixes", "fixed", "fixing", "fixer"];

/// Every telling word in a text; `names` are those of scenarios and exercises, as `late-letter`.
pub fn words(text: &str, names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for run in text.split(|c: char| !is_word(c)).filter(|run| !run.is_empty()) {
        let tells = |word: &&str| is_telling(&word.to_lowercase());
        found.extend(split(run).into_iter().filter(tells).map(str::to_owned));
    }
    let low = text.to_lowercase();
    for name in names {
        let forms = [name.clone(), name.replace('-', "_")];
        // In the middle of a longer word it is another one.
        let stands = |form: &String| low.match_indices(form.as_str()).any(|(at, _)| !low[..at].ends_with(is_word));
        found.extend(forms.into_iter().filter(stands));
    }
    found.sort();
    found.dedup();
    found
}

/// True for a single word, in small letters.
pub fn is_telling(word: &str) -> bool {
    WHOLE.contains(&word) || STEMS.iter().any(|stem| word.starts_with(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_alone_and_in_a_name_and_not_inside_another() {
        let names = ["late-letter".to_owned()];
        let said = |text| words(text, &names);
        assert_eq!(said("LEAKS, as stated: fn wrong_side() { BigTrap::fix(2) }"), ["LEAKS", "Trap", "fix", "wrong"]);
        assert_eq!(said("strip_prefix suffix fixture straps unleash fixtures"), [] as [&str; 0]);
        assert_eq!(said("Late-Letter late_letter late letter"), ["late-letter", "late_letter"]);
        assert_eq!(said("chronolate-letter"), [] as [&str; 0], "another name");
    }
}
