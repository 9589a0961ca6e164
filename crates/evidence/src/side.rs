//! The sides of a scenario and the roles they play. A role gives order, class, colour and marker; nothing else does.

use std::fmt;

/// What a side is in its scenario. In the order in which sides are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The program with the mistake.
    Leak,
    /// What a senior engineer would write instead; of a control, the service that looks like a leak and is none.
    Fix,
    /// What one would try first, and that does not help.
    Wrong,
    /// Another fix, with another price.
    Other,
}

/// The mark of the one line that makes a side what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `// LEAK:`
    Leak,
    /// `// FIX:`
    Fix,
    /// `// BOUND:`, of a control: what keeps it from growing.
    Bound,
}

/// One side of a scenario: a binary of its package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// `leak`, `fix`, or another; the binary is `<scenario>-<name>`.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The first sentence of its file: what this side does.
    pub sentence: Option<String>,
    /// The sentence behind its mark: what is wrong, or what mends it.
    pub marked: Option<(Mark, String)>,
    /// The name of the first leak test between `ANCHOR: guard` and its end, as a sentence.
    pub guard: Option<String>,
    /// True when the file has a test of its own.
    pub has_test: bool,
}

impl Role {
    /// The role that a side's name gives it.
    pub fn of(side: &str) -> Self {
        match side {
            "leak" | "start" => Self::Leak,
            "fix" | "solution" | "control" => Self::Fix,
            wrong if wrong.starts_with("wrong") || wrong.starts_with("trap-") => Self::Wrong,
            _ => Self::Other,
        }
    }

    /// The class that gives a side its colour and dash on pages.
    pub fn class(self) -> &'static str {
        match self {
            Self::Leak => "wb-leak",
            Self::Fix => "wb-fix",
            Self::Wrong => "wb-wrong",
            Self::Other => "wb-alt",
        }
    }

    /// Red, green and blue on a dark terminal; after Okabe and Ito, told apart by colour-blind readers.
    pub fn colour(self) -> (u8, u8, u8) {
        match self {
            Self::Leak => (213, 94, 0),
            Self::Fix => (64, 156, 222),
            Self::Wrong => (204, 121, 167),
            Self::Other => (0, 158, 115),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leak => "LEAK",
            Self::Fix => "FIX",
            Self::Bound => "BOUND",
        })
    }
}

impl Side {
    /// Reads a side from the text of its file.
    pub fn read(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: Role::of(name),
            sentence: first_sentence(text),
            marked: marked_sentence(text),
            guard: guard(text).and_then(test_name),
            has_test: text.contains("#[cfg(test)]"),
        }
    }
}

/// Names of sides in the order of their roles, then by name.
pub fn ordered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(|name| (Role::of(name), *name));
    names
}

/// What a chapter shows of a side's test: the text between `ANCHOR: guard` and its end.
pub fn guard(text: &str) -> Option<&str> {
    let (_, guard) = text.split_once("// ANCHOR: guard\n")?;
    guard.split_once("// ANCHOR_END: guard").map(|(guard, _)| guard)
}

/// The mark that a line carries, and what follows it.
pub fn marker(line: &str) -> Option<(Mark, &str)> {
    let mark = |mark: Mark| line.split_once(&format!("// {mark}:")).map(|(_, rest)| (mark, rest.trim()));
    [Mark::Leak, Mark::Fix, Mark::Bound].into_iter().find_map(mark)
}

/// A word or sentence that begins with a capital.
pub fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The first sentence of a file's `//!` comment.
fn first_sentence(file: &str) -> Option<String> {
    let doc = file.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph = doc.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    match paragraph.split_once(". ") {
        _ if paragraph.is_empty() => None,
        Some((sentence, _)) => Some(sentence.to_owned() + "."),
        None => Some(paragraph),
    }
}

/// The sentence behind the first mark, with the comment lines that continue it.
fn marked_sentence(file: &str) -> Option<(Mark, String)> {
    let mut lines = file.lines().map(str::trim).skip_while(|line| marker(line).is_none());
    let (mark, first) = lines.next().and_then(marker)?;
    let more = lines.map_while(|line| line.strip_prefix("// ")).filter(|line| !line.contains("ANCHOR"));
    Some((mark, std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")))
}

/// The name of the first test in a guard, as a sentence.
fn test_name(guard: &str) -> Option<String> {
    let (name, _) = guard.split_once("fn ")?.1.split_once('(')?;
    Some(capital(&name.replace('_', " ")) + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_at_its_full_stop() {
        assert_eq!(first_sentence("use std;\n//! Late."), None);
        assert_eq!(first_sentence("//! One, in\n//! two lines. Two.\n//!\n//! Three.").unwrap(), "One, in two lines.");
        assert_eq!(first_sentence("//! Without an end\n\nfn main() {}").unwrap(), "Without an end");
    }

    #[test]
    fn a_marked_sentence_goes_on_over_comment_lines() {
        assert_eq!(marked_sentence("fn main() {}"), None);
        assert_eq!(
            marked_sentence("x();\n  // FIX: the receiver\n  // ends here.\n  drop(rx);\n  // Other."),
            Some((Mark::Fix, "the receiver ends here.".to_owned()))
        );
    }

    #[test]
    fn a_guard_is_named_by_its_first_test() {
        let text = "x\n// ANCHOR: guard\n#[test]\nasync fn no_task_stays() {}\n// ANCHOR_END: guard\n";
        assert_eq!(Side::read("fix", text).guard.as_deref(), Some("No task stays."));
        assert_eq!(Side::read("fix", "fn main() {}").guard, None);
        assert_eq!(Side::read("fix", "// ANCHOR: guard\nfn unclosed() {}").guard, None);
    }

    #[test]
    fn sides_come_leak_first_and_wrong_turns_before_other_fixes() {
        let names = ["drain", "wrong", "fix", "abort", "leak", "wrong-buffer"];
        assert_eq!(ordered(names.into_iter()), ["leak", "fix", "wrong", "wrong-buffer", "abort", "drain"]);
    }
}
