//! All questions of the book with their options dealt: the letter of an option is its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    deck::{self, Card},
    questions::{self, Choice, OPTIONS, Question},
};

/// The questions of all pages, as they are shown.
#[derive(Debug, Default)]
pub struct Quiz {
    pages: BTreeMap<String, Vec<Question>>,
    faults: Vec<String>,
}

impl Quiz {
    /// Reads the questions of the book's pages, in the order of the book, and deals the options. What is wrong with them is in
    /// [`Quiz::faults`].
    pub fn read(root: &Path, book: &[String], seed: u64) -> Self {
        let mut files = questions::pages(root);
        let mut quiz = Self::default();
        let mut whole = Vec::new();
        for page in book.iter().filter(|page| files.remove(page.as_str())) {
            let read = questions::read(root, page);
            quiz.faults.extend(read.faults);
            whole.extend(read.questions.map(|questions| (page.clone(), questions)));
        }
        let none = |page: &String| {
            let file = questions::place(root, page);
            format!("{file} belongs to no page: list {page}.md in SUMMARY.md, or delete the file")
        };
        quiz.faults.extend(files.iter().map(none));
        let counts: Vec<_> = whole.iter().map(|(_, questions)| questions.len()).collect();
        for ((page, questions), orders) in whole.into_iter().zip(deck::deal(seed, &counts)) {
            let dealt = questions.into_iter().zip(orders).map(|(question, order)| dealt(question, &order)).collect();
            quiz.pages.insert(page, dealt);
        }
        quiz
    }

    /// What is wrong with the files, each in one line.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The pages with questions that can be shown.
    pub fn pages(&self) -> BTreeSet<&str> {
        self.pages.keys().map(String::as_str).collect()
    }

    /// The questions of a page, options in the order of their letters.
    pub fn of(&self, page: &str) -> Option<&[Question]> {
        self.pages.get(page).map(Vec::as_slice)
    }
}

/// The letter of an option, by its place.
pub fn letter(place: usize) -> char {
    (b'A'..=b'Z').nth(place).map_or('?', char::from)
}

fn dealt(mut question: Question, order: &[Card; OPTIONS]) -> Question {
    let (key, wrong): (Vec<Choice>, Vec<Choice>) = question.options.into_iter().partition(|one| one.right);
    let card = |card: &Card| match card {
        Card::Key => key[0].clone(),
        Card::Wrong(at) => wrong[*at].clone(),
    };
    question.options = order.iter().map(card).collect();
    question
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiz(seed: u64, book: &[&str]) -> Quiz {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/fixture");
        Quiz::read(&root, &book.iter().map(|page| (*page).to_owned()).collect::<Vec<_>>(), seed)
    }

    #[test]
    fn a_dealt_question_has_the_options_of_its_file_in_the_order_of_the_seed() {
        let texts = |seed| -> Vec<Vec<String>> {
            let quiz = quiz(seed, &["README", "unconsumed-send"]);
            assert_eq!(quiz.faults(), [] as [&str; 0]);
            let questions = quiz.of("unconsumed-send").unwrap();
            questions.iter().map(|one| one.options.iter().map(|option| option.text.clone()).collect()).collect()
        };
        assert_eq!(texts(1), texts(1));
        let orders: BTreeSet<_> = (0..20).map(texts).collect();
        assert!(orders.len() > 10, "{} orders", orders.len());
        let sorted = |seed| {
            texts(seed)
                .into_iter()
                .map(|mut one| {
                    one.sort();
                    one
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(sorted(1), sorted(2));
    }

    #[test]
    fn questions_without_a_page_are_a_fault_with_its_repair() {
        let faults = quiz(1, &["README"]).faults().join("\n");
        assert_eq!(
            faults,
            "book/questions/unconsumed-send.toml belongs to no page: list unconsumed-send.md in SUMMARY.md, or delete the file"
        );
    }
}
