//! Which side of which exercise a program is.

use std::collections::BTreeMap;

use serde::Deserialize;
use stage::{Side, Statement};

/// The side whose statement is everybody's goal.
const GOAL: &str = "solution";

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

/// Reads the facts of the binary `bin` from its package's `Cargo.toml`. Whatever its side, it states what `solution` states.
///
/// # Errors
/// When the manifest does not say what it must: one line that names the place in it.
pub fn side(bin: &'static str, manifest: &str) -> Result<Side, String> {
    let read: Manifest =
        toml::from_str(manifest).map_err(|error| format!("Cargo.toml of {bin}: {}", error.message()))?;
    let name = read.package.name;
    let side = bin.strip_prefix(&name).and_then(|rest| rest.strip_prefix('-'));
    let side = side.ok_or_else(|| format!("the binary must be called {name}-<side>"))?;
    // The stage asks for the side by the binary's name. There are few binaries in a process: one.
    let goal = Side::parse(String::leak(format!("{name}-{GOAL}")), manifest)?;
    let survivors = BTreeMap::from([(side.to_owned(), goal.statement.survivors[GOAL].clone())]);
    Ok(Side { bin, name: side.to_owned(), statement: Statement { survivors, ..goal.statement }, ..goal })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = 'post'\ndescription = 'a post office'\n[package.metadata.lab]\nunit = 'letter'\n\
        units = 10\nrate = 5\ngauge = 'tasks'\nsurvivors = { solution = { tasks = 0 } }";

    #[test]
    fn every_side_states_what_the_solution_states() {
        for bin in ["post-mine", "post-start", "post-trap-sleep", "post-solution"] {
            let side = side(bin, MANIFEST).unwrap();
            assert_eq!((side.bin, side.stated["tasks"].per_unit()), (bin, 0.0));
        }
    }

    #[test]
    fn a_manifest_without_a_goal_is_refused() {
        let error = side("post-mine", &MANIFEST.replace("solution", "fix")).unwrap_err();
        assert!(error.contains("says nothing of `solution`"), "{error}");
        assert!(side("mail-mine", MANIFEST).unwrap_err().contains("must be called post-<side>"));
    }
}
