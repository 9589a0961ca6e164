//! What the checks of one run found, in a file that all of the run's processes write.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::{
    data::{Group, Left, Outcome, Test},
    exclusive::Exclusive,
};

/// The first word of the file, with the version of its form.
const FORM: &str = "leakcheck-run-1";

/// The file of the run that this process belongs to.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    /// The first line: what tells this run from the one before.
    head: String,
}

/// What the file says, each test with its last record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The baseline that the tests were held against.
    pub(super) baseline: Option<PathBuf>,
    pub(super) tests: BTreeMap<Test, (Outcome, Left)>,
    /// Lines that cannot be read.
    pub(super) damaged: usize,
}

impl Run {
    pub(super) fn new(path: PathBuf, baseline: Option<&Path>) -> Self {
        let baseline = baseline.map(|path| std::path::absolute(path).unwrap_or(path.to_owned()));
        let baseline = baseline.map_or(String::new(), |path| path.display().to_string());
        Self { path, head: format!("{FORM}\t{}\t{}\n", *RUN, one_line(&baseline)) }
    }

    /// Appends what a check found, after a first line if the file is of another run. Other threads and
    /// processes wait meanwhile.
    pub(super) fn append(&self, test: &Test, outcome: Outcome, left: &Left) -> Result<(), String> {
        let mut text = format!("test\t{}\t{}\t{}\n", outcome.word(), one_line(&test.file), one_line(&test.name));
        for (line, Group { tasks, states }) in left {
            let states: Vec<_> = states.iter().map(|(count, state)| format!("{count} {state}")).collect();
            text += &format!("left\t{tasks}\t{}\t{}\n", one_line(line), states.join(", "));
        }
        self.write(&text).map_err(|error| {
            let path = self.path.display();
            format!("cannot write what this run found to {path}: {error}; set LEAKCHECK_REPORT to a file that can be written")
        })
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let _exclusive = Exclusive::over(&self.path)?;
        let mut head = Vec::new();
        // A file that is not there is one of another run.
        let read = File::open(&self.path).and_then(|file| file.take(self.head.len() as u64).read_to_end(&mut head));
        match read {
            Ok(_) if head == self.head.as_bytes() => {
                OpenOptions::new().append(true).open(&self.path)?.write_all(text.as_bytes())
            }
            _ => fs::write(&self.path, format!("{}{text}", self.head)),
        }
    }
}

impl Record {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        fs::read_to_string(path).map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let (mut record, mut test) = (Self::default(), None);
        for line in text.lines() {
            let parts: Vec<_> = line.split('\t').collect();
            match parts[..] {
                [FORM, _, baseline] => {
                    record.baseline = (!baseline.is_empty()).then(|| PathBuf::from(baseline));
                    continue;
                }
                ["test", outcome, file, name] => {
                    if let Some(outcome) = Outcome::of(outcome) {
                        let new = Test { file: file.to_owned(), name: name.to_owned() };
                        record.tests.insert(new.clone(), (outcome, Left::new()));
                        test = Some(new);
                        continue;
                    }
                }
                ["left", tasks, line, states] => {
                    let left = test.as_ref().and_then(|test| record.tests.get_mut(test));
                    if let (Some((_, left)), Ok(tasks)) = (left, tasks.parse()) {
                        left.insert(line.to_owned(), Group { tasks, states: parse_states(states) });
                        continue;
                    }
                }
                _ => {}
            }
            record.damaged += 1;
        }
        record
    }
}

fn parse_states(text: &str) -> Vec<(usize, String)> {
    let state = |state: &str| {
        let (count, state) = state.split_once(' ')?;
        Some((count.parse().ok()?, state.to_owned()))
    };
    text.split(", ").filter_map(state).collect()
}

impl Outcome {
    const ALL: [(Self, &str); 4] =
        [(Self::Clean, "clean"), (Self::Leak, "leak"), (Self::Failed, "failed"), (Self::Hung, "hung")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(outcome, _)| *outcome)
    }
}

/// The text without what would end a line or a part of it.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}

/// What tells this run from others: the process that started this one, `cargo test` or nextest, is the same for all tests of a
/// run. Its number alone may be used again, so its start is added where the system tells it.
static RUN: LazyLock<String> = LazyLock::new(|| {
    if let Some(run) = env::var_os("NEXTEST_RUN_ID") {
        return one_line(&run.to_string_lossy());
    }
    #[cfg(unix)]
    let parent = std::os::unix::process::parent_id();
    // Then the file is of all runs, until somebody deletes it. Each test's last check counts.
    #[cfg(not(unix))]
    let parent = 0;
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).unwrap_or_default();
    // The name, in parentheses, may have blanks in it. The start is the twentieth field after that.
    let start = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19));
    format!("{parent}-{}", start.unwrap_or("0"))
});

/// Where the file is if nobody says so: in the target folder, which cargo marks with a tag.
pub(super) fn default_path() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists()).map(Path::to_owned);
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let target = tagged
        .or_else(|| variable("CARGO_TARGET_DIR"))
        .or_else(|| variable("CARGO_MANIFEST_DIR").map(|package| package.join("target")))
        .unwrap_or_else(|| PathBuf::from("target"));
    in_target(&target)
}

/// Where the file is in a target folder.
pub(super) fn in_target(target: &Path) -> PathBuf {
    target.join("leakcheck").join("run.txt")
}
