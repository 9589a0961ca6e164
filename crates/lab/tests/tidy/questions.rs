//! The questions of the book: whole, balanced, and each with a reason for every option.

use std::collections::BTreeSet;

use book::{
    deck,
    questions::{self, OPTIONS, Question},
    quiz::Quiz,
};

use crate::{fail_on, read, root, scenarios};

/// Four for each of the first seventeen chapters.
const ITEMS_MIN: usize = 68;
/// A letter that has more or fewer of all keys would be a hint.
const SHARE: std::ops::RangeInclusive<f64> = 0.20..=0.30;
/// Questions of a chapter besides the one to predict.
const OTHERS_MIN: usize = 3;
/// Words of the reasons of a page. They are folded, and read one at a time.
const REASON_WORDS_MAX: usize = 600;

/// The pages of the book, in its order.
fn pages() -> Vec<String> {
    let summary = read("book/src/SUMMARY.md");
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split_once(".md)"));
    links.map(|(page, _)| page.to_owned()).collect()
}

fn seed() -> u64 {
    let config: toml::Table = read("book.toml").parse().unwrap();
    u64::try_from(config["preprocessor"]["lab"]["seed"].as_integer().unwrap()).unwrap()
}

fn quiz(seed: u64) -> Quiz {
    Quiz::read(&root(), &pages(), seed)
}

/// The places of the keys, page by page.
fn keys(quiz: &Quiz) -> Vec<Vec<usize>> {
    let of = |page: &String| Some(quiz.of(page)?.iter().filter_map(Question::key).collect());
    pages().iter().filter_map(of).collect()
}

#[test]
fn every_question_has_one_key_four_options_and_a_reason_for_each() {
    fail_on(quiz(seed()).faults().to_vec());
}

#[test]
fn every_chapter_has_a_question_to_predict_and_three_others() {
    let (quiz, mut problems) = (quiz(seed()), Vec::new());
    for one in scenarios() {
        let file = questions::file(&one.name);
        let Some(all) = quiz.of(&one.name) else {
            problems.push(format!("{file} is missing or cannot be shown: see scripts/template/questions.toml"));
            continue;
        };
        if !all.first().is_some_and(|first| first.predict) {
            problems.push(format!("{file}: the first question must be `predict = true`"));
        }
        let others = all.iter().filter(|question| !question.predict).count();
        if others < OTHERS_MIN {
            problems.push(format!("{file}: {others} questions besides the one to predict instead of {OTHERS_MIN}"));
        }
    }
    fail_on(problems);
}

#[test]
fn questions_are_shown_on_their_page() {
    let mut problems = Vec::new();
    for page in questions::pages(&root()) {
        let text = read(format!("book/src/{page}.md"));
        let shown = |directive: &str| text.contains(&format!("{{{{#{directive} {page}}}}}"));
        if shown("exercise") {
            continue;
        }
        let quiz = quiz(seed());
        let all = quiz.of(&page).unwrap_or_default();
        for (directive, is_needed) in
            [("predict", all.iter().any(|one| one.predict)), ("questions", all.iter().any(|one| !one.predict))]
        {
            if is_needed && !shown(directive) {
                problems.push(format!("book/src/{page}.md: `{{{{#{directive} {page}}}}}` is missing"));
            }
        }
    }
    fail_on(problems);
}

#[test]
fn reasons_are_no_essay() {
    let quiz = quiz(seed());
    let reasons = |question: &Question| -> usize {
        question.options.iter().map(|one| one.reason.split_whitespace().count()).sum()
    };
    let words = |page: &&str| -> usize { quiz.of(page).unwrap_or_default().iter().map(reasons).sum() };
    let long = quiz.pages().into_iter().filter(|page| words(page) > REASON_WORDS_MAX);
    let said = |page: &str| {
        let file = questions::place(&root(), page);
        format!("{file}: {} words in its reasons, at most {REASON_WORDS_MAX}", words(&page))
    };
    fail_on(long.map(said).collect());
}

#[test]
fn keys_are_balanced_over_the_book_whatever_the_seed() {
    for seed in [seed(), deck::SEED].into_iter().chain(0..100) {
        let keys = keys(&quiz(seed));
        let all = keys.concat();
        assert!(all.len() >= ITEMS_MIN, "{} questions in the book, at least {ITEMS_MIN}", all.len());
        for letter in 0..OPTIONS {
            let share = all.iter().filter(|key| **key == letter).count() as f64 / all.len() as f64;
            assert!(SHARE.contains(&share), "seed {seed}: {share:.2} of all keys are at place {letter}");
        }
        let uniform = keys.iter().find(|page| page.len() > 1 && page.iter().collect::<BTreeSet<_>>().len() == 1);
        assert_eq!(uniform, None, "seed {seed}: a page with one letter throughout");
    }
}

#[test]
fn the_same_seed_gives_the_same_book_and_another_seed_another() {
    let texts = |seed| -> Vec<String> {
        let quiz = quiz(seed);
        let questions = quiz.pages().into_iter().flat_map(|page| quiz.of(page).unwrap().to_vec());
        questions.flat_map(|question| question.options).map(|one| one.text).collect()
    };
    assert_eq!(texts(seed()), texts(seed()));
    assert_ne!(texts(seed()), texts(seed() + 1));
    assert_ne!(keys(&quiz(seed())), keys(&quiz(seed() + 1)));
}
