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
    let source = include_str!("wrong_orders.rs").lines().zip(1..);
    let expected: Vec<_> = source.filter_map(|(line, number)| Some((number, line.split_once("// ERROR: ")?.1))).collect();
    assert!(expected.len() > 10);
    assert_eq!(errors, expected, "{}", said.text());
}

/// The line and the message, if this is an error of the file.
fn error(line: &str) -> Option<(usize, &str)> {
    let rest = line.strip_prefix("tests/wrong_orders.rs:")?;
    let (place, message) = rest.split_once(": error")?;
    // A message of the compiler's own has a code: `error[E0425]: `.
    let (_, message) = message.split_once(": ")?;
    Some((place.split(':').next()?.parse().ok()?, message))
}
