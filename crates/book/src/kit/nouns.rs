//! The nouns of a service, and others in their place: in names of every case, in plurals, and in prose. Pure.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::{
    rust::{self, Kind},
    telling,
    words::{is_word, split},
};

/// Names that the programs share with what drives them.
const OURS: [&str; 31] = [
    "unit",
    "units",
    "open",
    "close",
    "ledger",
    "gauge",
    "gauges",
    "stage",
    "world",
    "load",
    "run",
    "accept",
    "finish",
    "refuse",
    "unfinished",
    "repeated",
    "service",
    "exercise",
    "main",
    "task",
    "tasks",
    "socket",
    "sockets",
    "thread",
    "threads",
    "panics",
    "rss",
    "fds",
    "heap",
    "self",
    "kib",
];
/// Words of the language that could pass for nouns.
const RUST: [&str; 14] = [
    "box", "crate", "match", "move", "loop", "type", "use", "trait", "union", "static", "yield", "final", "override",
    "abstract",
];
/// Words whose first letter is not what is heard.
const HEARD_OTHERWISE: [(&str, bool); 6] =
    [("hour", true), ("honest", true), ("uni", false), ("use", false), ("one", false), ("eu", false)];

/// Which noun stands for which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nouns(Vec<(String, String)>);

impl Nouns {
    /// Picks one of each row by the seed. With 0 each row keeps its first word, which is the code's; but not one that tells.
    pub fn pick(rows: &[Vec<String>], seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let pick = |row: &Vec<String>| {
            let at = if row.len() < 2 { 0 } else { rng.usize(1..row.len()) };
            let keeps = seed == 0 && !row.first().is_some_and(|first| telling::is_telling(first));
            Some((row.first()?.clone(), row.get(if seed == 0 { 1 } else { at })?.clone()))
                .filter(|_| !keeps && row.len() > 1)
        };
        Self(rows.iter().filter_map(pick).collect())
    }

    /// Each noun of the code and the one in its place.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The same text about other things.
    pub fn apply(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while !rest.is_empty() {
            let start = rest.find(is_word).unwrap_or(rest.len());
            out += &rest[..start];
            rest = &rest[start..];
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (mut run, behind) = rest.split_at(end);
            rest = behind;
            // The `n` of `\n` is no letter of a word.
            if out.ends_with('\\') && !run.is_empty() {
                let first = run.chars().next().map_or(0, char::len_utf8);
                out += &run[..first];
                run = &run[first..];
            }
            for (at, word) in split(run).into_iter().enumerate() {
                match self.other(word) {
                    Some(other) => {
                        if at == 0 {
                            mend_article(&mut out, &other);
                        }
                        out += &other;
                    }
                    None => out += word,
                }
            }
        }
        out
    }

    /// What stands for a word, in its number and its case.
    fn other(&self, word: &str) -> Option<String> {
        let low = word.to_lowercase();
        let (_, other) = self
            .0
            .iter()
            .flat_map(|(old, new)| [(old.clone(), new.clone()), (plural(old), plural(new))])
            .find(|(old, _)| *old == low)?;
        let mut letters = word.chars();
        let (first, second) = (letters.next()?, letters.next());
        Some(match first.is_uppercase() {
            true if second.is_some_and(char::is_uppercase) => other.to_uppercase(),
            true => evidence::side::capital(&other),
            false => other,
        })
    }
}

/// `a` or `an` before a word that has changed.
fn mend_article(out: &mut String, next: &str) {
    let Some(before) = out.strip_suffix(' ') else { return };
    let words = before.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let article = &before[words.len()..];
    let low = next.to_lowercase();
    let heard = HEARD_OTHERWISE.iter().find(|(start, _)| low.starts_with(start)).map(|(_, vowel)| *vowel);
    let vowel = heard.unwrap_or_else(|| low.starts_with(['a', 'e', 'i', 'o', 'u']));
    let right = match article {
        "a" | "an" => {
            if vowel {
                "an"
            } else {
                "a"
            }
        }
        "A" | "An" => {
            if vowel {
                "An"
            } else {
                "A"
            }
        }
        _ => return,
    };
    let keep = words.len();
    out.truncate(keep);
    *out += right;
    out.push(' ');
}

/// `searches`, `entries`, `trays`, `letters`.
pub fn plural(noun: &str) -> String {
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u'])) {
        Some(stem) => format!("{stem}ies"),
        None if hisses => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

/// Why these rows cannot be used with these sources, each in one line.
pub fn faults(rows: &[Vec<String>], sources: &[&str]) -> Vec<String> {
    let there: BTreeSet<String> = sources.iter().flat_map(|text| words(text)).collect();
    let foreign: BTreeSet<String> = sources.iter().flat_map(|text| foreign(text)).collect();
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for row in rows {
        let [first, others @ ..] = row.as_slice() else {
            faults.push("a row of `nouns` is empty".to_owned());
            continue;
        };
        if others.is_empty() {
            faults.push(format!("`{first}`: a row needs another noun"));
        }
        if !there.contains(first) && !there.contains(&plural(first)) {
            faults.push(format!("`{first}` is no word of the code: the first of a row is"));
        }
        if OURS.contains(&first.as_str()) || foreign.contains(first) || foreign.contains(&plural(first)) {
            faults.push(format!("`{first}` is a name of another crate's too: it cannot be replaced"));
        }
        for noun in row {
            if !noun.chars().all(|c| c.is_ascii_lowercase()) || noun.len() < 3 {
                faults.push(format!("`{noun}`: a noun is one word of small letters"));
            }
            if RUST.contains(&noun.as_str()) {
                faults.push(format!("`{noun}` is a word of Rust"));
            }
            if !seen.insert(noun.clone()) {
                faults.push(format!("`{noun}` stands twice"));
            }
        }
        for other in others {
            if telling::is_telling(other) {
                faults.push(format!("`{other}` tells a candidate what to look for"));
            }
            if let Some(taken) = [other.clone(), plural(other)]
                .into_iter()
                .find(|form| there.contains(form) || OURS.contains(&form.as_str()))
            {
                faults.push(format!("`{taken}` is a word of the code already: two things would have one name"));
            }
        }
    }
    faults
}

/// Every word of a source, in small letters; of a name, each of its words.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let runs = text.split(|c: char| !is_word(c)).filter(|run| !run.is_empty());
    runs.flat_map(split).map(str::to_lowercase)
}

/// The words of what a source takes from other crates.
fn foreign(text: &str) -> Vec<String> {
    let code: String =
        rust::parts(text).into_iter().filter(|(kind, _)| *kind == Kind::Code).map(|(_, part)| part).collect();
    let own: BTreeSet<_> = code
        .lines()
        .filter_map(|line| Some(line.trim().strip_suffix(';')?.rsplit_once("mod ")?.1.to_owned()))
        .collect();
    let code = format!("\n{code}");
    let uses = code.split("\nuse ").skip(1).filter_map(|rest| rest.split(';').next());
    let is_foreign = |path: &&str| {
        let root = path.split(|c: char| !is_word(c)).next().unwrap_or_default();
        !["crate", "self", "super"].contains(&root) && !own.contains(root)
    };
    uses.filter(is_foreign).flat_map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|noun| (*noun).to_owned()).collect()).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Nouns {
        Nouns(pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect())
    }

    #[test]
    fn a_noun_is_replaced_in_every_case_and_number_and_nowhere_else() {
        let nouns = pairs(&[("upload", "parcel"), ("query", "box")]);
        for (old, new) in [
            ("by_upload: HashMap<UploadId, u64>", "by_parcel: HashMap<ParcelId, u64>"),
            ("const UPLOADS_MAX: usize", "const PARCELS_MAX: usize"),
            ("\"{upload}\\nupload's uploads\"", "\"{parcel}\\nparcel's parcels\""),
            ("uploaded uploading reupload", "uploaded uploading reupload"),
            ("// An upload, a query, and Queries.", "// A parcel, a box, and Boxes."),
        ] {
            assert_eq!(nouns.apply(old), new);
        }
        assert_eq!(pairs(&[("letter", "engine")]).apply("A letter or a letter_box"), "An engine or an engine_box");
        assert_eq!(Nouns::default().apply("upload"), "upload");
    }

    #[test]
    fn a_seed_picks_the_same_nouns_each_time_and_none_keeps_the_codes() {
        let rows =
            rows(&[&["upload", "parcel", "letter", "photo"], &["gateway", "office", "desk"], &["chapter", "section"]]);
        let kept = [("chapter".to_owned(), "section".to_owned())];
        assert_eq!(Nouns::pick(&rows, 0).pairs(), kept, "a word that tells is replaced without a seed");
        assert_eq!(Nouns::pick(&rows, 7), Nouns::pick(&rows, 7));
        let all: BTreeSet<_> = (1..40).map(|seed| format!("{:?}", Nouns::pick(&rows, seed))).collect();
        assert_eq!(all.len(), 6, "three nouns times two");
        assert!((1..40).all(|seed| Nouns::pick(&rows, seed).pairs().iter().all(|(old, new)| old != new)));
    }

    #[test]
    fn a_row_that_would_give_two_things_one_name_is_refused() {
        let code = "use tokio::sync::Semaphore;\nuse world::Desk;\nmod world;\nfn scan(upload: u64, max_photos: u64) { Gateway::new() }";
        let said = |one: &[&[&str]]| faults(&rows(one), &[code]).join(" | ");
        assert_eq!(said(&[&["upload", "parcel"], &["gateway", "office"]]), "");
        for (row, why) in [
            (&["upload", "photo"][..], "`photos` is a word of the code already"),
            (&["upload", "world"], "`world` is a word of the code already"),
            (&["upload", "trap"], "`trap` tells"),
            (&["upload"], "needs another noun"),
            (&["parcel", "letter"], "`parcel` is no word of the code"),
            (&["semaphore", "letter"], "`semaphore` is a name of another crate's"),
            (&["upload", "Big Box"], "one word of small letters"),
        ] {
            assert!(said(&[row]).contains(why), "{row:?}: {}", said(&[row]));
        }
        assert!(said(&[&["upload", "parcel"], &["gateway", "parcel"]]).contains("`parcel` stands twice"));
    }
}
