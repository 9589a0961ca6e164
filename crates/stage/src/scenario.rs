//! What a scenario states about itself, read from `[package.metadata.lab]` in its `Cargo.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One side of one scenario: which program this is, what load it expects and what it states will be left.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `unconsumed-send-leak`: the scenario's name and the side, as `cargo run --bin` takes it.
    pub bin: &'static str,
    /// The side alone: `leak`, `fix`, or another that the scenario offers.
    pub side: String,
    /// One sentence: what the service does.
    pub about: String,
    /// What one unit of work is called: `search`, `upload`.
    pub unit: String,
    /// The plural of it.
    pub units_name: String,
    /// How many units a run offers unless told otherwise.
    pub units: u64,
    /// Units per second.
    pub rate: f64,
    /// The gauge that tells the leak.
    pub gauge: String,
    /// What this side states: for each gauge it speaks of, how much is left per unit of work.
    pub stated: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    lab: Lab,
}

/// The table `[package.metadata.lab]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// What one unit of work is called.
    pub unit: String,
    /// Its plural, where adding an `s` is not enough.
    #[serde(default)]
    pub units_name: Option<String>,
    /// How many units a run offers.
    pub units: u64,
    /// Units per second.
    pub rate: f64,
    /// The gauge that tells the leak: `tasks`, `fds`, …
    pub gauge: String,
    /// For every side, and every gauge it speaks of: how much is left per unit of work.
    pub survivors: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Lab {
    /// The plural of the unit's name.
    pub fn units_name(&self) -> String {
        self.units_name.clone().unwrap_or_else(|| format!("{}s", self.unit))
    }
}

impl Scenario {
    /// Reads the facts of the binary `bin` from the text of its package's `Cargo.toml`.
    ///
    /// # Panics
    /// When the manifest does not say what a scenario must say: that is a mistake of its author, met at the first run.
    pub fn parse(bin: &'static str, manifest: &str) -> Self {
        Self::try_parse(bin, manifest).unwrap_or_else(|error| panic!("Cargo.toml of {bin}: {error}"))
    }

    fn try_parse(bin: &'static str, manifest: &str) -> Result<Self, String> {
        let Package { name, description, metadata: Metadata { lab } } =
            toml::from_str::<Manifest>(manifest).map_err(|error| error.to_string())?.package;
        let side = bin
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('-'))
            .ok_or_else(|| format!("the binary must be called {name}-<side>"))?;
        let stated = lab
            .survivors
            .get(side)
            .ok_or_else(|| format!("[package.metadata.lab.survivors] says nothing of `{side}`"))?;
        if !stated.contains_key(&lab.gauge) {
            return Err(format!("survivors.{side} says nothing of `{}`, the scenario's gauge", lab.gauge));
        }
        Ok(Self {
            bin,
            side: side.to_owned(),
            about: description,
            units_name: lab.units_name(),
            unit: lab.unit,
            units: lab.units,
            rate: lab.rate,
            gauge: lab.gauge,
            stated: stated.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Scenario;

    const MANIFEST: &str = r#"
        [package]
        name = "unread-mail"
        description = "A post office"
        [package.metadata.lab]
        unit = "letter"
        units = 10
        rate = 5
        gauge = "tasks"
        [package.metadata.lab.survivors]
        leak = { tasks = 1.0, sockets = 0 }
        lost = { sockets = 1 }
    "#;

    #[test]
    fn a_side_that_the_manifest_does_not_know_is_refused() {
        let error = Scenario::try_parse("unread-mail-fix", MANIFEST).unwrap_err();
        assert!(error.contains("says nothing of `fix`"), "{error}");
    }

    #[test]
    fn a_side_that_is_silent_on_the_gauge_is_refused() {
        let error = Scenario::try_parse("unread-mail-lost", MANIFEST).unwrap_err();
        assert!(error.contains("says nothing of `tasks`"), "{error}");
    }

    #[test]
    fn a_binary_of_another_name_is_refused() {
        assert!(Scenario::try_parse("mail-leak", MANIFEST).is_err());
    }

    #[test]
    fn a_side_knows_what_it_states() {
        let scenario = Scenario::try_parse("unread-mail-leak", MANIFEST).unwrap();
        assert_eq!(scenario.side, "leak");
        assert_eq!(scenario.units_name, "letters");
        assert_eq!(scenario.stated["tasks"], 1.0);
        assert_eq!(scenario.stated["sockets"], 0.0);
    }
}
