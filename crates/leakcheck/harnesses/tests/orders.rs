//! What the compiler says of attributes in a wrong order, with the real crates.

use std::{path::Path, process::Command};

use harnesses::Outcome;

#[test]
fn each_wrong_order_is_one_error_with_the_remedy() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--features", "wrong-orders", "--test", "wrong_orders", "--message-format", "short"])
        .args(["--color", "never", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = Outcome::of(&mut build);
    let mut errors: Vec<_> = said.text().lines().filter_map(error).collect();
    errors.sort();
    let errors: Vec<_> = errors.into_iter().map(|(line, message)| (module_at(line), message)).collect();
    let expected: Vec<_> = modules().map(|(_, module, message)| (module, message)).collect();
    assert!(expected.len() > 10);
    assert_eq!(errors, expected, "{}", said.text());
}

/// Each module with the number of its line, its name, and the comment above it.
fn modules() -> impl DoubleEndedIterator<Item = (usize, &'static str, &'static str)> {
    let lines: Vec<_> = include_str!("wrong_orders.rs").lines().collect();
    let found: Vec<_> = (1..lines.len())
        .filter_map(|index| {
            let name = lines[index].strip_prefix("mod ")?.trim_end_matches(" {");
            Some((index + 1, name, lines[index - 1].trim_start_matches("// ")))
        })
        .collect();
    found.into_iter()
}

fn module_at(line: usize) -> &'static str {
    modules().rfind(|(begin, ..)| *begin <= line).map_or("no module", |(_, name, _)| name)
}

/// The line and the message, if this is an error in the file.
fn error(line: &str) -> Option<(usize, &str)> {
    let rest = line.strip_prefix("tests/wrong_orders.rs:")?;
    let (place, message) = rest.split_once(": error")?;
    // A message of the compiler's own may have a code: `error[E0425]: `.
    let (_, message) = message.split_once(": ")?;
    Some((place.split(':').next()?.parse().ok()?, message))
}
