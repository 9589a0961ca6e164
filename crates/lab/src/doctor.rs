//! Says what is wrong with the reader's machine, and the exact repair.

use std::{
    collections::BTreeSet,
    fs,
    io::IsTerminal,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cargo::{self, Flags},
    plan::{self, Layout},
};

/// A pair holds some hundred descriptors.
const FDS_MIN: u64 = 1024;

/// How one thing is.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Fine(String),
    /// Something works less well; what, and how to mend it.
    Note(String),
    /// Something does not work; how to mend it.
    Wrong(String),
}

use Finding::{Fine, Note, Wrong};

/// Looks at everything, in the order in which a reader meets it.
pub fn examine(root: anyhow::Result<PathBuf>, port: u16) -> Vec<Finding> {
    let (root, folder) = match root {
        Ok(root) => (Some(root), Fine("inside the workbook".into())),
        Err(error) => (None, Wrong(format!("wrong directory: {error:#}"))),
    };
    let mut findings = vec![folder, environment_flags(&cargo::flags(cargo::variable)), compiled_flags()];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    findings.extend(global_flags(home.as_deref(), root.as_deref()));
    findings.push(port_free(port, "the book", "pass `--port 0` to `cargo lab` for any free one"));
    findings.push(port_free(6669, "tokio-console's default", "pass `--console 127.0.0.1:0` to a scenario"));
    findings.extend(root.as_deref().map(crates_offline));
    findings.push(tokio_console(root.as_deref()));
    findings.push(tmux());
    let is_terminal = std::io::stdout().is_terminal();
    findings.push(terminal(crossterm::terminal::size().ok().filter(|_| is_terminal)));
    findings.extend(descriptors());
    findings
}

fn environment_flags(flags: &Flags) -> Finding {
    match flags {
        Flags::Unset => Fine("RUSTFLAGS is not set".into()),
        Flags::Kept(name) => {
            Note(format!("{name} is set and hides .cargo/config.toml, but has `--cfg tokio_unstable` itself"))
        }
        Flags::Hidden(name) => Wrong(cargo::hidden(name)),
    }
}

/// The lab is compiled with the flags that tokio is compiled with.
fn compiled_flags() -> Finding {
    if cfg!(tokio_unstable) {
        Fine("`--cfg tokio_unstable` reached tokio".into())
    } else {
        Wrong("`--cfg tokio_unstable` did not reach tokio: start with `cargo lab` inside the workbook, with RUSTFLAGS unset".into())
    }
}

/// Flags of the reader's own configuration: those of a target are added to ours, those of `[build]` are replaced by ours.
fn global_flags(home: Option<&Path>, root: Option<&Path>) -> Vec<Finding> {
    let above = root.into_iter().flat_map(|root| root.ancestors().skip(1)).map(|dir| dir.join(".cargo"));
    // A set: below the reader's home the last folder above is cargo's home, by another way or by a link.
    let folders = above.chain(home.map(Path::to_owned)).map(|dir| dir.canonicalize().unwrap_or(dir));
    let folders: BTreeSet<_> = folders.collect();
    let files = folders.iter().flat_map(|dir| [dir.join("config.toml"), dir.join("config")]);
    let mut findings: Vec<_> = files.filter_map(|file| flags_in(&file)).collect();
    if findings.is_empty() {
        findings.push(Fine("no rustflags in a global cargo configuration".into()));
    }
    findings
}

fn flags_in(file: &Path) -> Option<Finding> {
    let config: toml::Table = fs::read_to_string(file).ok()?.parse().ok()?;
    let has_flags = |table: &toml::Value| table.get("rustflags").is_some();
    let targets = config.get("target").and_then(toml::Value::as_table);
    if let Some((name, _)) = targets.into_iter().flatten().find(|(_, table)| has_flags(table)) {
        return Some(Note(format!(
            "global target rustflags: {} sets them for `{name}`; cargo adds ours to them, so nothing is lost",
            file.display()
        )));
    }
    config.get("build").filter(|build| has_flags(build))?;
    Some(Note(format!(
        "global build rustflags: {} sets them, and this project's replace them here: move them to `[target.<triple>]` to keep both",
        file.display()
    )))
}

fn port_free(port: u16, whose: &str, repair: &str) -> Finding {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Fine(format!("port {port} is free ({whose})")),
        Err(_) => Wrong(format!("port {port} is taken ({whose}): end the program that holds it, or {repair}")),
    }
}

fn crates_offline(root: &Path) -> Finding {
    let Ok(host) = Command::new("rustc").args(["--print", "host-tuple"]).output() else {
        return Wrong("rustc cannot be started: install Rust with rustup".into());
    };
    let host = String::from_utf8_lossy(&host.stdout).trim().to_owned();
    // Other systems' crates are of no use here.
    let arguments = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", &host];
    match Command::new("cargo").args(arguments).current_dir(root).output() {
        Ok(output) if output.status.success() => Fine("every crate is downloaded: builds work offline".into()),
        Ok(_) => Note("not every crate is downloaded: run `cargo fetch` while online".into()),
        Err(_) => Wrong("cargo cannot be started: install Rust with rustup".into()),
    }
}

fn tokio_console(root: Option<&Path>) -> Finding {
    let target = root.map_or_else(|| PathBuf::from("target"), cargo::target_directory);
    let (own, install) = plan::console_install(&target);
    let wanted = plan::console_version();
    // scripts/pair takes its own, whatever else is installed; by hand a reader starts the one in the path.
    if version_of(&own).is_some_and(|version| version == wanted) {
        return Fine(format!("tokio-console {wanted} in {}", target.join("tools").display()));
    }
    match version_of(Path::new("tokio-console")) {
        Some(version) if version == wanted => {
            Fine(format!("tokio-console {wanted}; scripts/pair installs its own at its first use"))
        }
        Some(other) => Note(format!(
            "tokio-console is {other}, the workbook is made for {wanted}: run `{install}` (about 4 minutes)"
        )),
        None => Note(format!(
            "tokio-console is missing: scripts/pair installs it at its first use, or run `{install}` (about 4 minutes)"
        )),
    }
}

/// `tokio-console 0.1.14 (…)` → `0.1.14`.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1).map(str::to_owned)
}

fn tmux() -> Finding {
    match Command::new("tmux").arg("-V").output() {
        Ok(output) => Fine(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Err(_) => Note(
            "tmux is missing, which scripts/pair needs: run `apt install tmux` or `brew install tmux`; `cargo lab pair` works without"
                .into(),
        ),
    }
}

fn terminal(size: Option<(u16, u16)>) -> Finding {
    let Some((columns, rows)) = size else {
        return Note("no terminal: `cargo lab pair` prints lines instead of its live view".into());
    };
    let here = format!("terminal of {columns} × {rows}");
    match plan::layout(columns, rows) {
        Layout::SideBySide => Fine(here),
        Layout::Stacked => Note(format!(
            "{here}: scripts/pair puts the consoles one above the other; side by side needs {} columns",
            plan::columns_wide()
        )),
        Layout::TooSmall { columns, rows } => Note(format!(
            "{here}: scripts/pair needs {columns} × {rows} and refuses; `cargo lab pair` shows both sides in less"
        )),
    }
}

#[cfg(unix)]
fn descriptors() -> Option<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    Some(match limit {
        Some(limit) if limit < FDS_MIN => {
            Wrong(format!("at most {limit} open files: run `ulimit -n {FDS_MIN}` in this shell"))
        }
        Some(limit) => Fine(format!("up to {limit} open files")),
        None => Fine("any number of open files".into()),
    })
}

#[cfg(not(unix))]
fn descriptors() -> Option<Finding> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(finding: &Finding) -> &str {
        match finding {
            Fine(text) | Note(text) | Wrong(text) => text,
        }
    }

    #[test]
    fn a_variable_that_hides_the_cfg_is_wrong() {
        let hidden = environment_flags(&Flags::Hidden("RUSTFLAGS"));
        assert!(matches!(hidden, Wrong(text) if text.contains("unset RUSTFLAGS")));
        assert!(matches!(environment_flags(&Flags::Kept("RUSTFLAGS")), Note(_)));
        assert!(matches!(environment_flags(&Flags::Unset), Fine(_)));
    }

    #[test]
    fn a_configuration_is_told_once_however_it_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let (home, root) = (folder.path().join(".cargo"), folder.path().join("code/workbook"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("config.toml"), "[build]\nrustflags = []\n").unwrap();
        let told = |home: &Path| global_flags(Some(home), Some(&root)).len();
        assert_eq!(told(&home), 1);
        assert_eq!(told(&folder.path().join("code/../.cargo")), 1);
    }

    #[test]
    fn global_flags_are_named_with_their_file() {
        let home = std::env::temp_dir().join(format!("lab-doctor-{}", std::process::id()));
        fs::create_dir_all(&home).unwrap();
        let check = |config: &str, expected: &str| {
            fs::write(home.join("config.toml"), config).unwrap();
            let findings = global_flags(Some(&home), None);
            assert!(text(&findings[0]).starts_with(expected), "{findings:?}");
        };
        check(
            "[target.x86_64-unknown-linux-gnu]\nrustflags = ['-C', 'link-arg=-fuse-ld=mold']",
            "global target rustflags",
        );
        check("[build]\nrustflags = ['-C', 'debuginfo=0']", "global build rustflags");
        check("[build]\njobs = 2", "no rustflags");
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_taken_port_is_wrong_and_a_free_one_fine() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        assert!(matches!(port_free(port, "x", "y"), Wrong(_)));
        drop(holder);
        assert!(matches!(port_free(port, "x", "y"), Fine(_)));
    }

    #[test]
    fn a_terminal_is_judged_as_scripts_pair_judges_it() {
        let check = |columns, rows, expected: &str| {
            let finding = terminal(Some((columns, rows)));
            assert!(text(&finding).contains(expected), "{finding:?}");
        };
        let needs = |columns, rows| match plan::layout(columns, rows) {
            Layout::TooSmall { columns, rows } => format!("scripts/pair needs {columns} × {rows} and refuses"),
            fits => panic!("{columns} × {rows} fits: {fits:?}"),
        };
        let wide = plan::columns_wide();
        check(80, 24, &needs(80, 24));
        check(wide - 1, 100, &format!("one above the other; side by side needs {wide} columns"));
        check(wide, 10, &needs(wide, 10));
        assert!(matches!(terminal(Some((wide, 100))), Fine(_)));
        assert!(matches!(terminal(None), Note(_)));
    }

    #[test]
    fn outside_the_workbook_the_folder_is_wrong() {
        let findings = examine(Err(anyhow::anyhow!("not inside the workbook")), 0);
        assert!(matches!(&findings[0], Wrong(text) if text.starts_with("wrong directory")));
    }
}
