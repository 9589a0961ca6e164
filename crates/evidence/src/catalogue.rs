//! Which scenarios there are and what each says of itself, read once: the order from `SUMMARY.md`, the statement and the
//! card from the manifest, what a side is from its source. Whoever lists, runs, judges, draws or checks scenarios takes these values.
//!
//! A scenario that cannot be read does not hide the others: it stands among [`Catalogue::broken`], with its file and the reason.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use mdbook_summary::{Summary, SummaryItem};

pub use crate::scenario::{CONTROL, Card, Control, Scenario};
use crate::{exercise::Exercise, scenario::CONTROLS, side::capital};

/// Where the scenarios are, from the root.
const SCENARIOS: &str = "scenarios";
/// Where the exercises are, from the root.
const EXERCISES: &str = "exercises";
/// Where the chapters are, from the root.
const CHAPTERS: &str = "book/src";

/// Every scenario, control and exercise of the workbook.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// In the order of the book; those without a chapter last.
    pub scenarios: Vec<Scenario>,
    /// Every control, by name: services that look like a leak and are none. They share one page.
    pub controls: Vec<Scenario>,
    /// Every exercise, in the order of the book; those without a page last.
    pub exercises: Vec<Exercise>,
    /// Those that cannot be read.
    pub broken: Vec<Broken>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A scenario.
    Scenario(&'a Scenario),
    /// An exercise.
    Exercise(&'a Exercise),
}

/// A scenario that cannot be read.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its folder's name.
    pub name: String,
    /// The file and what is wrong with it, in one line.
    pub why: String,
}

/// A chapter as the book lists it: its page without `.md`, and its title.
pub type Listed = (String, String);

impl Catalogue {
    /// Reads the workbook in `root`, in the order of its `SUMMARY.md`.
    ///
    /// # Errors
    /// When there is no `SUMMARY.md` or no folder `scenarios`.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let file = root.join(CHAPTERS).join("SUMMARY.md");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {CHAPTERS}/SUMMARY.md"))?;
        let summary = mdbook_summary::parse_summary(&text).with_context(|| format!("{CHAPTERS}/SUMMARY.md"))?;
        Self::read_in_order(root, &chapters(&summary))
    }

    /// Reads the workbook in `root`, in the order and with the titles of a book that is loaded already.
    ///
    /// # Errors
    /// When there is no folder `scenarios`.
    pub fn read_in_order(root: &Path, order: &[Listed]) -> anyhow::Result<Self> {
        let mut catalogue = Self::default();
        let broken = |name: String, error: anyhow::Error| Broken { name, why: format!("{error:#}").replace('\n', " ") };
        for (name, dir) in folders(root, SCENARIOS)? {
            match Scenario::read(SCENARIOS, &name, &dir) {
                Ok(scenario) => catalogue.scenarios.push(scenario),
                Err(error) => catalogue.broken.push(broken(name, error)),
            }
        }
        for (name, dir) in folders(root, CONTROLS).unwrap_or_default() {
            match Scenario::read(CONTROLS, &name, &dir) {
                Ok(control) => catalogue.controls.push(control),
                Err(error) => catalogue.broken.push(broken(name, error)),
            }
        }
        for (name, dir) in folders(root, EXERCISES).unwrap_or_default() {
            match Scenario::read(EXERCISES, &name, &dir).and_then(Exercise::of) {
                Ok(exercise) => catalogue.exercises.push(exercise),
                Err(error) => catalogue.broken.push(broken(name, error)),
            }
        }
        catalogue.order(order);
        Ok(catalogue)
    }

    /// Gives each its title, and brings all into the order of the book.
    fn order(&mut self, order: &[Listed]) {
        let place = |name: &str| order.iter().position(|(page, _)| page == name);
        let exercises = self.exercises.iter_mut().map(|one| &mut one.scenario);
        for one in self.scenarios.iter_mut().chain(exercises) {
            one.title = place(&one.name).map(|at| order[at].1.clone());
        }
        let key = |one: &Scenario| (place(&one.name).unwrap_or(usize::MAX), one.name.clone());
        self.scenarios.sort_by_key(key);
        self.exercises.sort_by_key(|one| key(&one.scenario));
    }

    /// The exercise called `name`.
    ///
    /// # Errors
    /// When there is none, with the nearest name, where one is near; or when it cannot be read.
    pub fn find_exercise(&self, name: &str) -> anyhow::Result<&Exercise> {
        if let Some(broken) = self.broken.iter().find(|broken| broken.name == name) {
            bail!("{}", broken.why);
        }
        let names: Vec<_> = self.exercises.iter().map(Exercise::name).collect();
        self.exercises.iter().find(|one| one.name() == name).with_context(|| unknown("exercise", name, &names))
    }

    /// Scenarios and controls: whatever `cargo lab pair` runs.
    pub fn pairs(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().chain(&self.controls)
    }

    /// The scenario or the control called `name`.
    ///
    /// # Errors
    /// When there is none, with the nearest name, where one is near; or when it cannot be read.
    pub fn find(&self, name: &str) -> anyhow::Result<&Scenario> {
        if let Some(broken) = self.broken.iter().find(|broken| broken.name == name) {
            bail!("{}", broken.why);
        }
        let names: Vec<_> = self.pairs().map(|one| one.name.as_str()).collect();
        self.pairs().find(|one| one.name == name).with_context(|| unknown("scenario", name, &names))
    }

    /// The scenario, the control or the exercise called `name`.
    ///
    /// # Errors
    /// When there is neither, with the nearest name, where one is near; or when it cannot be read.
    pub fn find_any(&self, name: &str) -> anyhow::Result<Found<'_>> {
        let pairs = self.pairs().map(|one| one.name.as_str());
        let names: Vec<_> = pairs.chain(self.exercises.iter().map(Exercise::name)).collect();
        let is_known = names.contains(&name) || self.broken.iter().any(|broken| broken.name == name);
        ensure!(is_known, "{}", unknown("scenario or exercise", name, &names));
        match self.exercises.iter().find(|one| one.name() == name) {
            Some(exercise) => Ok(Found::Exercise(exercise)),
            None => self.find(name).map(Found::Scenario),
        }
    }

    /// All scenarios, for what is made of all of them.
    ///
    /// # Errors
    /// Names every scenario that cannot be read or has no line in `SUMMARY.md`.
    pub fn whole(&self) -> anyhow::Result<&[Scenario]> {
        let unlisted = self.scenarios.iter().filter(|one| one.title.is_none());
        let unlisted = unlisted.map(|one| format!("SUMMARY.md has no line for {}: add one", one.name));
        let problems: Vec<_> = self.broken.iter().map(|broken| broken.why.clone()).chain(unlisted).collect();
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(&self.scenarios)
    }
}

/// The chapters of a summary, in order.
fn chapters(summary: &Summary) -> Vec<Listed> {
    fn walk(items: &[SummaryItem], chapters: &mut Vec<Listed>) {
        for item in items {
            let SummaryItem::Link(link) = item else { continue };
            if let Some(page) = link.location.as_deref().and_then(page) {
                chapters.push((page, link.name.clone()));
            }
            walk(&link.nested_items, chapters);
        }
    }
    let mut all = Vec::new();
    [&summary.prefix_chapters, &summary.numbered_chapters, &summary.suffix_chapters]
        .into_iter()
        .for_each(|items| walk(items, &mut all));
    all
}

/// `unclosed-pipe.md` → `unclosed-pipe`.
pub fn page(file: &Path) -> Option<String> {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// Every package under `within`, by name.
fn folders(root: &Path, within: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let entries = fs::read_dir(root.join(within)).with_context(|| format!("cannot list {within}/"))?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {within}/"))?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

/// `there is no scenario`, with the nearest name or the whole list.
fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    let best = names.iter().map(|other| likeness(other)).fold(0.5, f64::max);
    let near = |other: &&&str| likeness(other) > best - 0.1 || (!name.is_empty() && other.contains(name));
    match names.iter().filter(near).collect::<Vec<_>>().as_slice() {
        [] => format!("there is no {what} `{name}`: there are {}", names.join(", ")),
        [one] => format!("there is no {what} `{name}`: did you mean `{one}`?"),
        several => {
            let list: Vec<_> = several.iter().map(|name| format!("`{name}`")).collect();
            format!("there is no {what} `{name}`: did you mean {}?", list.join(" or "))
        }
    }
}

/// The title that a page has where its summary gives it none.
pub fn title_of(name: &str) -> String {
    capital(&name.replace('-', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"NAME\"\ndescription = \"A post office\"\n\
        [[bin]]\nname = \"NAME-leak\"\npath = \"leak.rs\"\n[[bin]]\nname = \"NAME-drain\"\npath = \"leak.rs\"\n\
        [[bin]]\nname = \"NAME-fix\"\npath = \"leak.rs\"\n\
        [package.metadata.lab]\nunit = \"letter\"\nunits = 10\nrate = 5\ngauge = \"tasks\"\nsurvivors = {}\n";

    fn workbook(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(CHAPTERS)).unwrap();
        fs::write(
            root.path().join(CHAPTERS).join("SUMMARY.md"),
            "# Summary\n[Start](README.md)\n# Part\n- [Second](b-leak.md)\n  - [First](a-leak.md)\n",
        )
        .unwrap();
        for name in names {
            let dir = root.path().join("scenarios").join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("Cargo.toml"), MANIFEST.replace("NAME", name)).unwrap();
            fs::write(dir.join("leak.rs"), "//! Keeps a letter.\nfn main() {} // LEAK: kept\n").unwrap();
        }
        root
    }

    fn spoil(root: &tempfile::TempDir, name: &str, from: &str, to: &str) -> Catalogue {
        let file = root.path().join("scenarios").join(name).join("Cargo.toml");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace(from, to)).unwrap();
        Catalogue::read(root.path()).unwrap()
    }

    #[test]
    fn a_scenario_that_cannot_be_read_is_named_with_its_file_and_hides_no_other() {
        for (from, to, why) in [
            ("rate = 5", "rate = \"fast\"", "rate"),
            ("units = 10", "units = -1", "units"),
            ("name = \"b-leak\"", "name = \"c-leak\"", "must be called b-leak"),
            ("path = \"leak.rs\"", "path = \"gone.rs\"", "cannot read scenarios/b-leak/gone.rs"),
            ("[package]", "[package", "Cargo.toml"),
        ] {
            let catalogue = spoil(&workbook(&["a-leak", "b-leak"]), "b-leak", from, to);
            assert_eq!(catalogue.scenarios.len(), 1, "{from} → {to}");
            let error = format!("{:#}", catalogue.find("b-leak").unwrap_err());
            assert!(error.contains("scenarios/b-leak/") && error.contains(why), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(catalogue.find("a-leak").is_ok());
            assert!(catalogue.whole().is_err());
        }
    }

    #[test]
    fn scenarios_stand_in_the_order_of_the_summary_and_one_without_a_line_is_told() {
        let root = workbook(&["a-leak", "b-leak", "c-leak"]);
        let catalogue = Catalogue::read(root.path()).unwrap();
        let titles: Vec<_> = catalogue.scenarios.iter().map(Scenario::title).collect();
        assert_eq!(titles, ["Second", "First", "c-leak"]);
        assert_eq!(catalogue.whole().unwrap_err().to_string(), "SUMMARY.md has no line for c-leak: add one");
    }

    #[test]
    fn a_control_is_found_has_no_line_in_the_summary_and_says_what_decides() {
        let root = workbook(&["a-leak", "b-leak"]);
        let dir = root.path().join(CONTROLS).join("tea-pool");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("leak.rs"), "//! Fills.\n").unwrap();
        let bare = MANIFEST.replace("NAME", "tea-pool");
        let facts =
            "[package.metadata.control]\nlooks = 'a pool'\nmeasure = 'tasks'\nwait = 'a day'\ndecides = 'size'\n";
        fs::write(dir.join("Cargo.toml"), format!("{bare}{facts}")).unwrap();
        let catalogue = Catalogue::read(root.path()).unwrap();
        assert!(catalogue.find("tea-pool").is_ok_and(Scenario::is_control) && catalogue.whole().is_ok());
        assert_eq!(catalogue.pairs().count(), 3);
        fs::write(dir.join("Cargo.toml"), bare).unwrap();
        let error = Catalogue::read(root.path()).unwrap().find("tea-pool").unwrap_err().to_string();
        assert!(error.starts_with("controls/tea-pool/Cargo.toml: [package.metadata.control] belongs to"), "{error}");
    }

    #[test]
    fn an_unknown_side_and_one_asked_for_twice_are_refused() {
        let catalogue = Catalogue::read(workbook(&["a-leak"]).path()).unwrap();
        let check = |asked: &[&str]| {
            let asked: Vec<_> = asked.iter().map(|&side| side.to_owned()).collect();
            catalogue.scenarios[0].check_sides(&asked).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["fixx"]).unwrap_err(), "a-leak has no side `fixx`: it has leak, fix, drain");
        assert_eq!(check(&["leak", "leak"]).unwrap_err(), "the side `leak` is named twice: name each side once");
        assert!(check(&[]).is_err());
        assert_eq!(check(&["drain", "leak"]), Ok(()));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one_or_the_list() {
        let check = |name: &str, expected: &str| {
            let said = unknown("scenario", name, &["late-letter", "open-door", "open-drawer"]);
            assert!(said.ends_with(expected), "{said}");
        };
        check("late-lettre", "did you mean `late-letter`?");
        check("open", "did you mean `open-door` or `open-drawer`?");
        check("zebra", "there are late-letter, open-door, open-drawer");
        check("", "there are late-letter, open-door, open-drawer");
    }
}
