use super::*;
use crate::quiz::Quiz;

/// The workbook, with the questions of the first exercise.
fn workbook() -> Source {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Source::workbook().asking(Quiz::read(&root, &["upload-scan".to_owned()], 1))
}

/// Its page, as one of that level, and what of it stands outside every fold.
fn shown(level: u8) -> (String, String) {
    let source = workbook();
    let mut exercise = source.exercise("upload-scan").unwrap().clone();
    exercise.facts.level = level;
    let page = page_of(&source, "id", &exercise).unwrap();
    let outside = outside(&page);
    (page, outside)
}

fn outside(page: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0);
    for part in page.split('<') {
        depth += usize::from(part.starts_with("details"));
        depth -= usize::from(part.starts_with("/details>"));
        if depth == 0 {
            out += part;
        }
    }
    assert_eq!(depth, 0, "every fold is closed");
    out
}

#[test]
fn what_tells_the_answer_stands_in_folds() {
    let (page, outside) = shown(1);
    let exercise = workbook().exercise("upload-scan").unwrap().clone();
    let hidden =
        exercise.facts.hints.iter().map(String::as_str).chain(["trap-buffer.rs", "solution.rs", "self.engines.len()"]);
    for part in hidden.map(html::prose) {
        assert!(page.contains(&part) && !outside.contains(&part), "{part}");
    }
    assert!(
        outside.contains("unconsumed-send.html") && outside.contains("cargo lab check upload-scan"),
        "{outside:.2000}"
    );
    assert!(outside.contains("**2.** What does a task that stays wait for?"), "{outside:.2000}");
}

#[test]
fn a_blind_exercise_names_no_page_no_gauge_and_no_hint_before_the_answer() {
    let (page, outside) = shown(3);
    for part in ["unconsumed-send", "Hint", "live tasks are back"] {
        assert!(!outside.contains(part), "{part}");
    }
    assert!(outside.contains("- What the service holds is back, or within what it may keep, after 40 uploads"));
    let (before, fold) = page.split_once("<details class=\"wb-solutions\">").unwrap();
    assert!(
        !before.contains("wb-hint") && fold.contains("wb-hint") && fold.contains("unconsumed-send.html"),
        "{page:.2000}"
    );
}

#[test]
fn each_step_of_the_ladder_is_in_the_fold_of_the_one_before() {
    let ladder = hints(workbook().exercise("upload-scan").unwrap());
    let at = |step: usize| ladder.find(&format!("Hint {step}: {}", STEPS[step - 1])).unwrap();
    assert!(at(1) < at(2) && at(2) < at(3) && ladder.ends_with("</details></details></details>"), "{ladder}");
}

#[test]
fn a_solution_differs_by_its_lines_and_not_by_its_name() {
    let source = workbook();
    let exercise = source.exercise("upload-scan").unwrap();
    let compared = solved::compared(&source, exercise).unwrap();
    assert_eq!(compared.matches("<figure").count(), exercise.solutions().count());
    assert!(!compared.contains("Run it:") && !compared.contains("mod guard"), "{compared}");
}

#[test]
fn what_passes_is_what_the_exercise_states() {
    let list = passes::list(workbook().exercise("upload-scan").unwrap());
    for part in [
        "Open sockets and live tasks are back after 40 uploads, and still so after 160",
        "512 KiB",
        "2 times",
        "1,000 ms",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
}
