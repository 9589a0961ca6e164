//! How a question may be worded. The build gives options their letters, so no text may name one or lean on the order, and a reason
//! must be understood without the other reasons.

use super::syntax;

const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];
/// A reason is a sentence, and a sentence has at least so many words.
const REASON_MIN: usize = 6;
/// Directives that stand within a sentence.
const INLINE: [&str; 3] = ["value", "claim", "const"];
/// Behind a letter at the beginning of a sentence, these say that it is no article.
const NOT_BEHIND_AN_ARTICLE: [&str; 19] = [
    "to",
    "and",
    "or",
    "is",
    "was",
    "are",
    "would",
    "will",
    "has",
    "had",
    "does",
    "did",
    "says",
    "claims",
    "describes",
    "ends",
    "leaves",
    "needs",
    "holds",
];
/// What leans on other options or on their order.
const LEANING: [&str; 9] = [
    "of the above",
    "none of the others",
    "all of the others",
    "none of these",
    "the other options",
    "the other option",
    "the other answers",
    "option above",
    "option below",
];

/// What is wrong with a text of a question, whatever it is.
pub(super) fn of_text(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    let read = without_code(text);
    if read.contains("TODO") {
        return Some("still says `TODO`".to_owned());
    }
    if let Some(directive) = syntax::all(text).into_iter().map(|range| &text[range]).find(|one| !is_inline(one)) {
        return Some(format!("has `{directive}`: only {} stand in a sentence", INLINE.join(", ")));
    }
    if let Some(letter) = letter(&read) {
        return Some(format!(
            "names the option {letter}: letters are given by the build, so repeat what the option claims"
        ));
    }
    let lower = read.to_lowercase();
    let leaning = LEANING.iter().find(|phrase| lower.contains(*phrase))?;
    Some(format!("says \"{leaning}\": options are shuffled, so each stands on its own"))
}

/// What is wrong with a reason.
pub(super) fn of_reason(text: &str) -> Option<String> {
    of_text(text).or_else(|| {
        let words = without_code(text).split_whitespace().count();
        let end = text.trim_end().trim_end_matches([')', '"', '*', '_', '”', '’']);
        if words < REASON_MIN {
            Some(format!("has {words} words: write a full sentence of at least {REASON_MIN}"))
        } else if !end.ends_with(['.', '?', '!']) {
            Some("ends without a full stop: write a full sentence".to_owned())
        } else {
            None
        }
    })
}

fn is_inline(directive: &str) -> bool {
    syntax::words(directive).first().is_some_and(|name| INLINE.contains(name))
}

/// The text with one word in the place of each code span and directive.
fn without_code(text: &str) -> String {
    let mut cut = syntax::all(text);
    cut.extend(syntax::code(text));
    cut.sort_by_key(|range| range.start);
    let (mut read, mut end) = (String::new(), 0);
    for range in cut.into_iter().filter(|range| range.end <= text.len()) {
        if range.start >= end {
            read += &text[end..range.start];
            read.push('x');
            end = range.end;
        }
    }
    read + &text[end..]
}

/// The first letter of an option that is named. "A task" at the beginning of a sentence names none, nor does a text "in C".
fn letter(text: &str) -> Option<char> {
    let joined = |c: char| c.is_alphanumeric() || "-_/'’+#&".contains(c);
    text.char_indices().filter(|(_, c)| LETTERS.contains(c)).find_map(|(at, letter)| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let stands_alone = !before.ends_with(joined) && !after.starts_with(joined);
        (stands_alone && names_an_option(before, letter, after)).then_some(letter)
    })
}

fn names_an_option(before: &str, letter: char, after: &str) -> bool {
    let next = after.strip_prefix([' ', '\n']).map(|rest| rest.split_whitespace().next().unwrap_or("").to_lowercase());
    let last = before.split_whitespace().next_back().unwrap_or("").to_lowercase();
    if letter == 'C' && ["in", "from"].contains(&last.as_str()) {
        return false;
    }
    let opened = before.trim_end_matches(['*', '"', '“', '‘', '(', '[']).trim_end();
    let begins = opened.is_empty() || opened.ends_with(['.', '?', '!', ':', ';', '…']);
    match next {
        // "A: …", "(A)", "A, because", "… as A."
        None => true,
        Some(next) if begins && letter == 'A' => {
            NOT_BEHIND_AN_ARTICLE.contains(&next.trim_matches(|c: char| !c.is_alphanumeric()))
        }
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_an_option_is_seen_and_an_article_is_none() {
        for named in [
            "A: the buffer is full.",
            "A and B would wait.",
            "This is what option C claims.",
            "A is right, since nobody reads.",
            "It fails as B does.",
            "A to C need a step that nobody joins.",
            "It waits as A.",
            "Nobody reads (A).",
            "Nobody reads. **D** is wrong.",
            "B leaves nobody behind.",
            "Unlike A, this ends.",
        ] {
            assert!(letter(named).is_some(), "{named}");
        }
        for free in [
            "A task waits. A second one waits too: A third does not.",
            "(A task that waits is parked.)",
            "\"A task\" is what it says.",
            "An A/B test and a type-A pilot.",
            "A `Sender` is dropped.",
            "It was written in C.",
            "A `send` is no receive.",
            "Vitamins are no options.",
        ] {
            assert_eq!(letter(&without_code(free)), None, "{free}");
        }
        assert_eq!(of_text("`A: B` is code, and `Option<C>` too."), None);
    }

    #[test]
    fn a_reason_is_a_sentence_that_stands_on_its_own() {
        assert_eq!(of_reason("The session owns the receiver, so `send` waits."), None);
        assert_eq!(of_reason("It left {{#value a leak per-unit.tasks}} tasks in the run (of nine)."), None);
        for (reason, why) in [
            ("TODO", "still says `TODO`"),
            (" ", "is empty"),
            ("Nobody reads it.", "has 3 words"),
            ("Nobody reads it, so the sender waits", "without a full stop"),
            ("As none of the others does, this ends the task.", "\"none of the others\""),
            ("It left {{#chart a}} in the run that was made.", "has `{{#chart a}}`"),
            ("It left {{#value a leak after.tasks}} tasks.", "has 4 words"),
        ] {
            assert!(of_reason(reason).is_some_and(|said| said.contains(why)), "{reason}: {:?}", of_reason(reason));
        }
    }
}
