//! Guards of `tests/data/guards`, good ones and bad ones, each with what must be said of it in its first line: `// WORTH: PART OF THE SENTENCE`.

use std::{collections::BTreeMap, fs, path::Path, sync::Mutex};

use lab::practice::guard::{self, Judged};

use crate::scratch::{NAME, Scratch};

/// Each guard by name: its text, and what is expected.
fn guards() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/guards");
    let read = |entry: fs::DirEntry| {
        let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

fn worth(judged: &Judged) -> String {
    serde_json::to_value(judged.worth).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn good_guards_and_bad_ones_are_told_apart_each_for_its_own_reason() {
    let (scratch, guards) = (Scratch::new(), guards());
    let (exercise, key) = (scratch.exercise(), Mutex::new(None));
    scratch.save_mine_as("solution");
    let mut wrong = Vec::new();
    for (name, text) in &guards {
        let (expected, part) = text.lines().next().unwrap().trim_start_matches("// ").split_once(": ").unwrap();
        scratch.save("guard.rs", text);
        let judged = guard::try_on_both(scratch.root(), &exercise, &key, &|_| {}).await.unwrap();
        assert_eq!(name.starts_with("good-"), expected == "guards", "{name}: its first line and its name differ");
        let is_right =
            worth(&judged) == expected && judged.sentence.contains(part) && judged.sentence.lines().count() == 1;
        println!("{name}: {}: {}", worth(&judged), judged.sentence);
        if !is_right {
            wrong.push(format!("{name} should be {expected} ({part}) and is {}: {}", worth(&judged), judged.sentence));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let good = guards.keys().filter(|name| name.starts_with("good-")).count();
    assert!(good >= 10 && guards.len() - good >= 10, "{good} good guards of {}", guards.len());
    assert_eq!(scratch.running(), [] as [u32; 0], "a guard that hung still runs");
}

#[test]
fn a_guard_that_is_missing_is_told_with_what_brings_it_back() {
    let scratch = Scratch::new();
    fs::remove_file(scratch.file("guard.rs")).unwrap();
    let (code, out, err) = scratch.run(&["guard", NAME]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "error: exercises/upload-scan/guard.rs is missing: `git checkout -- exercises/upload-scan/guard.rs` brings it back\n"
    );
}
