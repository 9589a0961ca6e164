//! The four questions of a diagnosis, asked in a terminal, and the grades in words.

use book::{questions::Question, quiz};
use evidence::exercise::Exercise;

use super::{
    answer::{self, Choices, Given, Grades},
    keyboard::Keyboard,
    layout::wrapped,
};

/// A question is asked again so many times when its answer cannot be read.
const TRIES: u32 = 5;

/// What is asked, and of which code.
pub struct Asked<'a> {
    /// The exercise.
    pub exercise: &'a Exercise,
    /// The questions with options.
    pub choices: Choices<'a>,
    /// `start.rs`.
    pub start: &'a str,
    /// `mine.rs`, for line numbers in it.
    pub mine: &'a str,
}

impl Asked<'_> {
    /// Asks all four; none when the reader gave up. `say` prints a line.
    pub async fn ask(&self, keyboard: &Keyboard, width: usize, say: &dyn Fn(&str)) -> Option<Given> {
        let print = |lines: Vec<String>| lines.iter().for_each(|line| say(line));
        let unit = &self.exercise.scenario.statement.unit;
        let line = "Which line of start.rs adds what stays? Such as `start.rs:76`; two with a comma; `none` where nothing stays.";
        print(wrapped("1. ", line, width));
        let lines = read(keyboard, "line: ", say, |text| self.lines(text)).await?;
        print(question("2. ", self.choices.waits, width));
        let waits = read(keyboard, "option: ", say, answer::option).await?;
        print(question("3. ", self.choices.holder, width));
        let holder = read(keyboard, "option: ", say, answer::option).await?;
        print(wrapped(
            "4. ",
            &format!("How many are left for each {unit}? Such as `2`, `0.25`, `1/4` or `none`."),
            width,
        ));
        let mut counts = Vec::new();
        if lines.len() > 1 {
            for line in &lines {
                counts.push(read(keyboard, &format!("from start.rs:{line}: "), say, answer::count).await?);
            }
        } else {
            counts.push(read(keyboard, "count: ", say, answer::count).await?);
        }
        Some(Given { lines: Some(lines), waits: Some(waits), holder: Some(holder), per_unit: Some(counts) })
    }

    /// `76, mine.rs:90` → the lines of `start.rs`; none for `none`.
    ///
    /// # Errors
    /// When one of them is no line.
    pub fn lines(&self, text: &str) -> Result<Vec<usize>, String> {
        let lines: Result<Vec<_>, _> = text.split(',').map(|one| answer::line_of(one, self.start, self.mine)).collect();
        let mut lines: Vec<_> = lines?.into_iter().flatten().collect();
        lines.dedup();
        Ok(lines)
    }
}

/// Asks until the answer can be read; none when the reader gave up.
async fn read<T>(
    keyboard: &Keyboard,
    prompt: &str,
    say: &dyn Fn(&str),
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    for _ in 0..TRIES {
        match parse(&keyboard.line(prompt).await?) {
            Ok(read) => {
                say("");
                return Some(read);
            }
            Err(why) => say(&why),
        }
    }
    None
}

/// A question with its options under their letters, as the page shows them.
fn question(head: &str, question: &Question, width: usize) -> Vec<String> {
    let mut lines = wrapped(head, &question.ask, width);
    for (at, option) in question.options.iter().enumerate() {
        lines.extend(wrapped(&format!("   {}: ", quiz::letter(at)), &option.text, width));
    }
    lines
}

/// The grades, each with its reason.
pub fn graded(grades: &Grades, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, grade) in grades.all() {
        let Some(grade) = grade else { continue };
        let word = if grade.right { "right" } else { "wrong" };
        lines.extend(wrapped(&format!("{name:<9}{word}  "), &grade.why, width));
        if let Some(shown) = &grade.shown {
            lines.extend(wrapped(&format!("{:<9}it is  ", ""), shown, width));
        }
    }
    lines
}
