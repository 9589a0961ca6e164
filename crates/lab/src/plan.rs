//! What `scripts/pair` opens: which programs, in which arrangement, with which console. The script keeps what is tmux's; what can
//! be wrong with a name, a terminal or a version is decided here, and the doctor says the same of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use evidence::catalogue::Catalogue;

/// For each console: with fewer columns tokio-console cuts the line number off the longest place that a leak or its fix shows.
pub const COLUMNS_MIN: u16 = CONSOLE_COLUMNS + 45;
/// Left and right of the place in tokio-console's list, with ids of five digits; seen in tmux at widths from 100 to 150.
const CONSOLE_COLUMNS: u16 = 71;
/// For each console: in fewer rows no task of the service is in sight.
pub const ROWS_MIN: u16 = 16;
/// tmux's status line, and the title above each console.
const STATUS_ROWS: u16 = 1;
/// A terminal that nobody looks at, for a picture.
const CAPTURE: (u16, u16) = (120, 50);

/// How two consoles stand in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Where each gets enough columns.
    SideBySide,
    /// Where the columns are enough for one, and the rows for two.
    Stacked,
    /// Not at all; what it would need to stack them, or, where it is wide enough, to put them side by side.
    TooSmall {
        /// At least so many.
        columns: u16,
        /// At least so many.
        rows: u16,
    },
}

/// What was asked of `scripts/pair`.
pub struct Asked<'a> {
    /// The scenario.
    pub name: &'a str,
    /// Two of its sides; none for the pair that every scenario has.
    pub sides: &'a [String],
    /// Where a picture goes, if one is asked for.
    pub capture: Option<PathBuf>,
    /// Columns and rows of the reader's terminal, if there is one.
    pub terminal: Option<(u16, u16)>,
}

/// The tokio-console that fits console-subscriber's protocol, as the root manifest pins it.
pub fn console_version() -> &'static str {
    let line = include_str!("../../../Cargo.toml").lines().find_map(|line| line.strip_prefix("tokio-console = \""));
    line.and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

/// Where `scripts/pair` installs tokio-console, and the command that does it.
pub fn console_install(target: &Path) -> (PathBuf, String) {
    let tools = target.join("tools");
    let version = console_version();
    let root = tools.display();
    (tools.join("bin/tokio-console"), format!("cargo install tokio-console --version {version} --locked --root {root}"))
}

/// The narrowest terminal in which the consoles stand side by side.
pub const fn columns_wide() -> u16 {
    // A line between them.
    2 * COLUMNS_MIN + 1
}

/// How two consoles stand in so many columns and rows.
pub fn layout(columns: u16, rows: u16) -> Layout {
    let (layout, needed_columns, needed_rows) = if columns >= columns_wide() {
        (Layout::SideBySide, columns_wide(), ROWS_MIN + 1 + STATUS_ROWS)
    } else {
        (Layout::Stacked, COLUMNS_MIN, 2 * (ROWS_MIN + 1) + STATUS_ROWS)
    };
    let fits = columns >= needed_columns && rows >= needed_rows;
    if fits { layout } else { Layout::TooSmall { columns: needed_columns, rows: needed_rows } }
}

/// The plan, in the lines that the script reads: the name; the sides; how to split, columns and rows; the console's version; where a
/// picture goes.
///
/// # Errors
/// When a name is wrong, or the terminal: what there is, and what to do.
pub fn plan(root: &Path, asked: &Asked) -> anyhow::Result<String> {
    let Asked { name, sides, capture, terminal } = asked;
    let catalogue = Catalogue::read(root)?;
    let scenario = catalogue.find(name)?;
    let usual = scenario.pair().map(str::to_owned);
    let sides = if sides.is_empty() { &usual } else { *sides };
    scenario.check_sides(sides)?;
    let (layout, (columns, rows)) = match capture {
        Some(_) => (Layout::Stacked, CAPTURE),
        None => {
            let (columns, rows) = terminal
                .with_context(|| format!("no terminal: use `--capture DIR` or `cargo lab pair {}`", scenario.name))?;
            (layout(columns, rows), (columns, rows))
        }
    };
    let split = match layout {
        Layout::SideBySide => "-h",
        Layout::Stacked => "-v",
        Layout::TooSmall { columns: needed, rows: needed_rows } => bail!(
            "the terminal has {columns} columns and {rows} rows, and needs {needed} and {needed_rows}: enlarge it, or see \
             `cargo lab pair {}`",
            scenario.name
        ),
    };
    let capture = capture.as_deref().map(Path::display).map(|path| path.to_string()).unwrap_or_default();
    ensure!(!capture.contains('\n'), "a folder whose name has a line break is no good for a picture");
    let (sides, version) = (sides.join(" "), console_version());
    Ok(format!("{}\n{sides}\n{split} {columns} {rows}\n{version}\n{capture}", scenario.name))
}

/// `24 80`, as `stty size` says it, in columns and rows.
pub fn terminal(size: &str) -> Option<(u16, u16)> {
    let (rows, columns) = size.split_once(' ')?;
    Some((columns.trim().parse().ok()?, rows.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_consoles_stand_side_by_side_above_each_other_or_not_at_all() {
        let check = |columns, rows, expected| assert_eq!(layout(columns, rows), expected, "{columns} × {rows}");
        let (wide, low) = (columns_wide(), ROWS_MIN + 2);
        let stacked_rows = 2 * ROWS_MIN + 3;
        check(wide, low, Layout::SideBySide);
        check(wide, low - 1, Layout::TooSmall { columns: wide, rows: low });
        check(wide - 1, stacked_rows, Layout::Stacked);
        check(COLUMNS_MIN, stacked_rows, Layout::Stacked);
        check(COLUMNS_MIN, stacked_rows - 1, Layout::TooSmall { columns: COLUMNS_MIN, rows: stacked_rows });
        check(COLUMNS_MIN - 1, 100, Layout::TooSmall { columns: COLUMNS_MIN, rows: stacked_rows });
    }

    #[test]
    fn without_sides_it_is_the_pair_that_every_scenario_and_control_has() {
        let root = evidence::root::find().unwrap();
        for (name, sides) in [("unclosed-pipe", "leak fix"), ("warm-pool", "leak control")] {
            let asked = Asked { name, sides: &[], capture: None, terminal: Some((u16::MAX, u16::MAX)) };
            assert_eq!(plan(&root, &asked).unwrap().lines().nth(1), Some(sides), "{name}");
        }
    }

    #[test]
    fn the_consoles_version_is_pinned_in_the_root_manifest() {
        let version = console_version();
        assert_eq!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{version}");
    }

    #[test]
    fn the_line_number_of_every_place_that_a_page_shows_is_in_sight() {
        let root = evidence::root::find().unwrap();
        for screen in std::fs::read_dir(root.join("book/src/screens")).unwrap() {
            let path = screen.unwrap().path();
            let text = if path.extension().is_some_and(|end| end == "txt") {
                std::fs::read_to_string(&path)
            } else {
                continue;
            };
            for place in text.unwrap().split_whitespace().filter(|word| word.starts_with("scenarios/")) {
                let line = place.split(':').take(2).collect::<Vec<_>>().join(":");
                let needed = usize::from(CONSOLE_COLUMNS) + line.len();
                assert!(needed <= usize::from(COLUMNS_MIN), "{line} needs {needed} columns: raise COLUMNS_MIN");
            }
        }
    }

    #[test]
    fn a_size_is_read_as_stty_says_it() {
        assert_eq!(terminal("24 80"), Some((80, 24)));
        assert_eq!(terminal(""), None);
    }
}
