//! What a candidate's service needs of `stage` and `exercise`: their sources without tests and comments, and without the words of the
//! workbook. Pure.

use anyhow::ensure;

use super::{
    ingredients::{Files, Ingredients},
    rust,
};

/// Where it is in a kit.
pub(super) const FOLDER: &str = "harness/";

/// What a program says, and says otherwise in a kit: the file, the words, and those in their place. Each must be there: a change of the
/// stage is not to pass unseen.
const SAID: [(&str, &str, &str); 13] = [
    ("stage/src/lib.rs", "macro_rules! scenario", "macro_rules! service"),
    ("stage/src/args.rs", "the scenario's", "the service's"),
    (
        "stage/src/args.rs",
        "the run did what this side states, 1 it did not, 2 wrong arguments",
        "everything is as it must be, 1 it is not, 2 unknown arguments",
    ),
    ("stage/src/args.rs", "3 it did not and this machine", "3 it is not, and this machine"),
    ("stage/src/print.rs", "LEAKS, as this side states", "GREEN: as it must be"),
    ("stage/src/print.rs", "RETURNS TO WHERE IT STARTED, as this side states", "GREEN: everything is as it must be"),
    ("stage/src/print.rs", "NOT WHAT THIS SIDE STATES", "RED"),
    ("stage/src/print.rs", "let leaks = ", "let stays = "),
    ("stage/src/print.rs", "[] if leaks", "[] if stays"),
    ("stage/src/print.rs", "more stated)", "more allowed)"),
    ("stage/src/print.rs", "(stated {})", "(must be {})"),
    ("stage/src/wire.rs", "LEAK_SHARE_MIN", "SHARE_MIN"),
    ("exercise/src/closing.rs", "            println!(\"the service {}\", in_words(&closing));\n", END),
];
/// Without `--json` nobody judges the end of a service but its program itself.
const END: &str =
    "            let is_bad = !closing.ended || closing.error.is_some() || closing.unfinished + closing.repeated > 0;
            println!(\"{}the service {}\", if is_bad { \"RED: \" } else { \"\" }, in_words(&closing));
            if is_bad {
                std::process::exit(1);
            }
";
/// The same, everywhere in the harness: `0.10 left per unit, stated 0.00`.
const EVERYWHERE: [(&str, &str); 3] = [
    (" stated {expected:.2}", " must be {expected:.2}"),
    ("at most {at_most} stated", "at most {at_most} allowed"),
    (" scenario", " service"),
];

/// The files of the harness, by their paths in the kit; those of `exercise` where the service is one.
///
/// # Errors
/// When the stage has changed so that its words are not found.
pub(super) fn files(of: &Ingredients) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for (path, text) in of.harness.iter().filter(|(path, _)| path.ends_with(".rs")) {
        // Which side of an exercise a program is does not matter here: there is one, and it states its goal itself.
        if path == "exercise/src/side.rs" || (path.starts_with("exercise/") && of.exercise.is_none()) {
            continue;
        }
        files.insert(format!("{FOLDER}{path}"), neutral(path, text)?);
    }
    Ok(files)
}

fn neutral(path: &str, text: &str) -> anyhow::Result<String> {
    let mut text = rust::without_tests(text);
    for (file, from, to) in SAID.into_iter().filter(|(file, ..)| *file == path) {
        ensure!(text.contains(from), "crates/{file} has no `{from}` any more: mend book::kit::harness");
        text = text.replace(from, to);
    }
    for (from, to) in EVERYWHERE {
        text = text.replace(from, to);
    }
    text = text.replace("#![warn(missing_docs)]\n", "");
    if path == "exercise/src/lib.rs" {
        text = without_sides(&text);
    }
    // What stands above an argument is its help.
    let is_help = |comment: &str| path == "stage/src/args.rs" && comment.starts_with("///");
    Ok(rust::without_comments(&text, is_help))
}

/// The crate's root without the module that tells sides apart.
fn without_sides(text: &str) -> String {
    let (start, end) = (text.find("/// Says which side"), text.find("/// What lies around a service"));
    let text = match (start, end) {
        (Some(start), Some(end)) if start < end => text[..start].to_owned() + &text[end..],
        _ => text.to_owned(),
    };
    text.replace("mod side;\n", "").replace("pub use side::side;\n", "")
}
