//! The diagnosis, graded: the spawn line and the count by a run of the given service, the other two by the reasons of the options. Pure.

use book::questions::Question;
use evidence::{key::Key, words};
use serde::Serialize;

use super::progress::Answered;

/// Counts that differ by less are the same: readers round.
const ROUNDING: f64 = 0.02;
/// Or by this share.
const SHARE: f64 = 0.05;

/// What a reader says. What is none was not answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Lines of `start.rs` that add what stays; empty for `none`.
    pub lines: Option<Vec<usize>>,
    /// The place of the chosen option.
    pub waits: Option<usize>,
    /// The place of the chosen option.
    pub holder: Option<usize>,
    /// What is left per unit of work: in all, or one number for each line.
    pub per_unit: Option<Vec<f64>>,
}

/// One answer's grade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grade {
    /// Whether it is right.
    pub right: bool,
    /// Why.
    pub why: String,
    /// The right answer, where it was asked for and not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// The grades; none where a question was not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Grades {
    /// Which line spawns what stays.
    pub line: Option<Grade>,
    /// What it waits for.
    pub waits: Option<Grade>,
    /// Who holds the other end.
    pub holder: Option<Grade>,
    /// How many are left per unit of work.
    pub per_unit: Option<Grade>,
}

impl Grades {
    /// True when all four questions were answered, and right.
    pub fn are_right(&self) -> bool {
        self.all().iter().all(|(_, grade)| grade.is_some_and(|grade| grade.right))
    }

    /// In the order in which they are asked.
    pub fn all(&self) -> [(&'static str, Option<&Grade>); 4] {
        [
            ("line", self.line.as_ref()),
            ("waits", self.waits.as_ref()),
            ("holder", self.holder.as_ref()),
            ("per unit", self.per_unit.as_ref()),
        ]
    }

    /// What was right once stays right.
    pub fn note(&self, before: Option<Answered>, date: String) -> Answered {
        let before = before.unwrap_or_default();
        let is_right = |grade: &Option<Grade>| grade.as_ref().is_some_and(|grade| grade.right);
        Answered {
            line: before.line || is_right(&self.line),
            waits: before.waits || is_right(&self.waits),
            holder: before.holder || is_right(&self.holder),
            per_unit: before.per_unit || is_right(&self.per_unit),
            date,
        }
    }
}

/// The two questions that have options, as the page shows them.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a> {
    /// What it waits for.
    pub waits: &'a Question,
    /// Who holds the other end.
    pub holder: &'a Question,
}

/// Grades what was given. With `show` every question that was not answered right has its answer.
pub fn grade(key: &Key, choices: Choices<'_>, given: &Given, show: bool) -> Grades {
    let silent =
        |shown: String| show.then(|| Grade { right: false, why: "not answered".to_owned(), shown: Some(shown) });
    let choice = |question: &Question, place: Option<usize>| {
        let key = question.key().map_or_else(String::new, |at| named(question, at));
        let Some(taken) = place.and_then(|place| question.options.get(place)) else { return silent(key) };
        let shown = Some(key).filter(|_| show && !taken.right);
        Some(Grade { right: taken.right, why: taken.reason.clone(), shown })
    };
    let lines = given.lines.as_ref().map(|lines| line(key, lines, show));
    let counts = given.per_unit.as_ref().map(|counts| per_unit(key, counts, given.lines.as_deref(), show));
    Grades {
        line: lines.or_else(|| silent(lines_of(&key.line_numbers()))),
        waits: choice(choices.waits, given.waits),
        holder: choice(choices.holder, given.holder),
        per_unit: counts.or_else(|| silent(words::per_unit(key.per_unit))),
    }
}

/// An option under its letter, with its reason.
fn named(question: &Question, at: usize) -> String {
    let option = &question.options[at];
    format!("{}: {} {}", book::quiz::letter(at), option.text, option.reason)
}

fn line(key: &Key, given: &[usize], show: bool) -> Grade {
    let found = key.lines.iter().filter(|known| given.contains(&known.line)).count();
    let innocent = given.iter().find(|line| key.lines.iter().all(|known| known.line != **line));
    let right = found == key.lines.len() && innocent.is_none();
    let why = match (innocent, found) {
        _ if right && key.lines.is_empty() => key.seen.clone(),
        _ if right => key.lines.iter().map(|known| known.seen.clone()).collect::<Vec<_>>().join("; "),
        (Some(line), _) if key.lines.is_empty() => format!("nothing stays that was added at start.rs:{line}"),
        (Some(line), _) => format!("nothing of what stays was added at start.rs:{line}"),
        (None, 0) => "something stays: name the line that adds it".to_owned(),
        (None, _) => format!("{} right, and not all: what stays is added at one more line", lines_of(given)),
    };
    Grade { right, why, shown: (show && !right).then(|| lines_of(&key.line_numbers())) }
}

/// `start.rs:76 and start.rs:90`, or `none`.
fn lines_of(lines: &[usize]) -> String {
    if lines.is_empty() {
        return "none".to_owned();
    }
    lines.iter().map(|line| format!("start.rs:{line}")).collect::<Vec<_>>().join(" and ")
}

fn per_unit(key: &Key, given: &[f64], lines: Option<&[usize]>, show: bool) -> Grade {
    let own = |line: &usize| key.lines.iter().find(|known| known.line == *line).map(|known| known.per_unit);
    let by_line: Option<Vec<f64>> = lines.and_then(|lines| lines.iter().map(own).collect());
    let each = by_line.as_ref().is_some_and(|known| {
        known.len() == key.lines.len()
            && known.len() == given.len()
            && known.iter().zip(given).all(|(a, b)| is_same(*a, *b))
    });
    let sum: f64 = given.iter().sum();
    let of_lines: f64 = key.lines.iter().map(|known| known.per_unit).sum();
    let in_all = given.len() == 1 && (is_same(key.per_unit, sum) || is_same(of_lines, sum));
    let right = each || in_all;
    let said: Vec<_> = given.iter().map(|count| words::per_unit(*count)).collect();
    let why = if right {
        key.seen.clone()
    } else if given.len() == 1 && sum > key.per_unit.max(of_lines) {
        format!("{} is too many", said[0])
    } else if given.len() == 1 {
        format!("{} is too few", said.join(" and "))
    } else {
        format!("{} are not what is left of each line", said.join(" and "))
    };
    Grade { right, why, shown: (show && !right).then(|| words::per_unit(key.per_unit)) }
}

fn is_same(known: f64, given: f64) -> bool {
    (known - given).abs() <= (known.abs() * SHARE).max(ROUNDING)
}

/// `B`, `b` or `2` → the second option.
///
/// # Errors
/// When it is neither a letter nor a number of an option.
pub fn option(text: &str) -> Result<usize, String> {
    let options = book::questions::OPTIONS;
    let text = text.trim().to_ascii_uppercase();
    let by_letter = (0..options).find(|at| text == book::quiz::letter(*at).to_string());
    let by_number = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|at| *at < options);
    by_letter.or(by_number).ok_or_else(|| {
        format!("`{text}` is no option: say A to {}, or 1 to {options}", book::quiz::letter(options - 1))
    })
}

/// `0.75`, `3/4`, `2` or `none` → how many.
///
/// # Errors
/// When it is no number, or a negative one.
pub fn count(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let count = match text.split_once('/') {
        Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| a / b),
        None if text.eq_ignore_ascii_case("none") => Some(0.0),
        None => number(&text.replace(',', ".")),
    };
    count
        .filter(|count| count.is_finite() && *count >= 0.0)
        .ok_or_else(|| format!("`{text}` is no count: say `2`, `0.25`, `1/4` or `none`"))
}

/// `76`, `start.rs:76`, `mine.rs:76`, `exercises/x/start.rs:76:13` or `none` → the line of `start.rs`; none for `none`. A line of the reader's copy
/// stands for the same text in `start.rs`.
///
/// # Errors
/// When it names no line, or one that is not there.
pub fn line_of(text: &str, start: &str, mine: &str) -> Result<Option<usize>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") || text == "0" {
        return Ok(None);
    }
    let (file, rest) = ["start.rs:", "mine.rs:"]
        .iter()
        .find_map(|file| Some((*file, text.rsplit_once(file)?.1)))
        .unwrap_or(("start.rs:", text.trim_start_matches("line ")));
    let number = rest.split(':').next().and_then(|line| line.trim().parse::<usize>().ok()).filter(|line| *line > 0);
    let number = number.ok_or_else(|| format!("`{text}` names no line: say `start.rs:76`, `76` or `none`"))?;
    let lines: Vec<_> = if file == "mine.rs:" { mine } else { start }.lines().collect();
    let missing = || format!("{file} has {} lines, and no line {number}", lines.len()).replace(": has", " has");
    let named = lines.get(number - 1).ok_or_else(missing)?;
    if file == "start.rs:" {
        return Ok(Some(number));
    }
    // The same text may stand there several times: the third one here is the third one there.
    let nth = lines[..number].iter().filter(|line| *line == named).count();
    let same = start.lines().enumerate().filter(|(_, line)| line == named).nth(nth - 1);
    same.map(|(at, _)| Some(at + 1))
        .ok_or_else(|| format!("mine.rs:{number} is not in start.rs: name the line of start.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use book::questions::Choice;
    use evidence::key::Line;

    fn key(lines: &[(usize, f64)], per_unit: f64) -> Key {
        let line =
            |&(line, per_unit): &(usize, f64)| Line { line, per_unit, seen: format!("start.rs:{line}: {per_unit}") };
        Key { lines: lines.iter().map(line).collect(), per_unit, seen: format!("{per_unit} per upload") }
    }

    fn question(right: usize) -> Question {
        let option = |at| Choice { right: at == right, text: format!("text {at}."), reason: format!("reason {at}.") };
        Question {
            predict: false,
            diagnosis: None,
            ask: "?".into(),
            proof: Vec::new(),
            options: (0..4).map(option).collect(),
        }
    }

    fn graded(key: &Key, given: Given, show: bool) -> Grades {
        grade(key, Choices { waits: &question(1), holder: &question(2) }, &given, show)
    }

    fn lines_and_counts(key: &Key, lines: &[usize], counts: &[f64]) -> (bool, bool) {
        let given = Given { lines: Some(lines.to_vec()), per_unit: Some(counts.to_vec()), ..Given::default() };
        let grades = graded(key, given, false);
        (grades.line.unwrap().right, grades.per_unit.unwrap().right)
    }

    #[test]
    fn each_question_is_graded_by_itself_with_the_reason_of_what_was_taken() {
        let key = key(&[(76, 0.75)], 0.75);
        let given = Given { lines: Some(vec![80]), waits: Some(1), holder: Some(0), per_unit: None };
        let grades = graded(&key, given, false);
        assert!(!grades.are_right() && grades.per_unit.is_none());
        let (line, waits, holder) =
            (grades.line.clone().unwrap(), grades.waits.clone().unwrap(), grades.holder.clone().unwrap());
        assert_eq!((line.right, line.why.as_str()), (false, "nothing of what stays was added at start.rs:80"));
        assert_eq!((waits.right, waits.why.as_str(), waits.shown), (true, "reason 1.", None));
        assert_eq!((holder.right, holder.why.as_str(), holder.shown), (false, "reason 0.", None));
        let noted = grades.note(Some(Answered { line: true, ..Answered::default() }), "d".into());
        assert_eq!(noted, Answered { line: true, waits: true, holder: false, per_unit: false, date: "d".into() });
    }

    #[test]
    fn the_right_answer_is_said_only_where_it_was_asked_for() {
        let given = Given { lines: Some(vec![80]), waits: Some(0), holder: Some(2), per_unit: Some(vec![3.0]) };
        let grades = graded(&key(&[(76, 0.75)], 0.75), given.clone(), true);
        let shown = grades.all().map(|(_, grade)| grade.unwrap().shown.clone());
        assert_eq!(shown, [Some("start.rs:76".into()), Some("B: text 1. reason 1.".into()), None, Some("0.75".into())]);
        let hidden = format!("{:?}", graded(&key(&[(76, 0.75)], 0.75), given, false));
        assert!(!hidden.contains("76") && !hidden.contains("reason 1") && !hidden.contains("0.75"), "{hidden}");
    }

    #[test]
    fn counts_may_be_rounded_and_stand_for_all_or_for_each_line() {
        let one = key(&[(76, 0.75)], 0.75);
        for (count, right) in [(0.75, true), (0.76, true), (0.8, false), (1.0, false), (0.0, false)] {
            assert_eq!(lines_and_counts(&one, &[76], &[count]), (true, right), "{count}");
        }
        let two = key(&[(76, 1.0), (90, 0.25)], 2.5);
        assert_eq!(lines_and_counts(&two, &[90, 76], &[0.25, 1.0]), (true, true));
        assert_eq!(lines_and_counts(&two, &[90, 76], &[1.0, 0.25]), (true, false), "each with its own line");
        assert_eq!(lines_and_counts(&two, &[76, 90], &[1.25]), (true, true), "in all");
        assert_eq!(lines_and_counts(&two, &[76, 90], &[2.5]), (true, true), "in all, with what stays of the world");
        assert_eq!(lines_and_counts(&two, &[76], &[1.0]), (false, false), "one of two");
        assert_eq!(lines_and_counts(&two, &[76, 80], &[1.0, 0.25]), (false, false));
    }

    #[test]
    fn where_nothing_stays_none_is_the_answer() {
        let none = key(&[], 0.0);
        assert_eq!(lines_and_counts(&none, &[], &[0.0]), (true, true));
        assert_eq!(lines_and_counts(&none, &[76], &[0.5]), (false, false));
        assert_eq!(lines_and_counts(&key(&[(76, 1.0)], 1.0), &[], &[0.0]), (false, false));
    }

    #[test]
    fn options_counts_and_lines_are_read_as_readers_write_them() {
        assert_eq!(["B", " d ", "1", "4"].map(|text| option(text).unwrap()), [1, 3, 0, 3]);
        assert!(["E", "0", "5", "", "BB"].iter().all(|text| option(text).is_err()));
        assert_eq!(["2", "3/4", "0,5", "none"].map(|text| count(text).unwrap()), [2.0, 0.75, 0.5, 0.0]);
        assert!(["", "x", "-1", "1/0", "NaN"].iter().all(|text| count(text).is_err()));
        let (start, mine) = ("a\nspawn\nb\nspawn\n", "a\nnew\nspawn\nb\nspawn\n");
        let check = |text: &str| line_of(text, start, mine);
        for text in ["4", "start.rs:4", "exercises/x/start.rs:4:13", "mine.rs:5", "line 4"] {
            assert_eq!(check(text), Ok(Some(4)), "{text}");
        }
        assert_eq!(check("None"), Ok(None));
        assert_eq!(check("start.rs:5"), Err("start.rs has 4 lines, and no line 5".into()));
        assert_eq!(check("mine.rs:2"), Err("mine.rs:2 is not in start.rs: name the line of start.rs".into()));
        assert!(check("the spawn").unwrap_err().starts_with("`the spawn` names no line"));
    }
}
