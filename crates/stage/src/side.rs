//! Which program this is: one side of one scenario, read from the `Cargo.toml` that was compiled in.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Statement, gauge::Gauge, wire::Stated};

/// One side of one scenario, as the program knows itself.
#[derive(Clone, Debug)]
pub struct Side {
    /// `unconsumed-send-leak`: the scenario's name and the side, as `cargo run --bin` takes it.
    pub bin: &'static str,
    /// The side alone: `leak`, `fix`, or another that the scenario offers.
    pub name: String,
    /// One sentence: what the service does.
    pub about: String,
    /// What the scenario states: its load, its gauges, and what each side leaves.
    pub statement: Statement,
    /// What this side states, for each gauge it speaks of; `panics` is always among them.
    pub stated: BTreeMap<String, Stated>,
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
    lab: Statement,
}

impl Side {
    /// Reads the facts of the binary `bin` from the text of its package's `Cargo.toml`.
    ///
    /// # Errors
    /// When the manifest does not say what a scenario must say: one line that names the place in it.
    pub fn parse(bin: &'static str, manifest: &str) -> Result<Self, String> {
        let read: Manifest = toml::from_str(manifest).map_err(|error| {
            format!("Cargo.toml of {bin}, {}{}", place(manifest, &error), one_line(error.message()))
        })?;
        Self::of(bin, read.package).map_err(|error| format!("Cargo.toml of {bin}: {error}"))
    }

    fn of(bin: &'static str, package: Package) -> Result<Self, String> {
        let Package { name, description, metadata: Metadata { lab: statement } } = package;
        let side = bin
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('-'))
            .ok_or_else(|| format!("the binary must be called {name}-<side>"))?;
        let mut stated = statement
            .survivors
            .get(side)
            .cloned()
            .ok_or_else(|| format!("[package.metadata.lab.survivors] says nothing of `{side}`"))?;
        // A count and not a share: one panic in 200 units of work is one too many.
        stated.entry("panics".to_owned()).or_insert(Stated::AtMost { at_most: 0 });
        Ok(Self { bin, name: side.to_owned(), about: description, statement, stated })
    }

    /// What is known of a gauge.
    pub(crate) fn gauge(&self, name: &str) -> Gauge {
        self.statement.gauge(name)
    }
}

/// The line that an error is about, as it is written.
fn place(manifest: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| manifest.get(..span.start)) else { return String::new() };
    let number = before.matches('\n').count();
    let line = manifest.lines().nth(number).unwrap_or_default().trim();
    format!("line {}, `{line}`: ", number + 1)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        pool = { tasks = { at_most = 10 }, panics = 0.25 }
    "#;

    fn error(bin: &'static str, from: &str, to: &str) -> String {
        let error = Side::parse(bin, &MANIFEST.replace(from, to)).unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }

    #[test]
    fn a_side_that_the_manifest_does_not_know_is_refused() {
        assert!(error("unread-mail-fix", "", "").contains("says nothing of `fix`"));
    }

    #[test]
    fn a_binary_of_another_name_is_refused() {
        assert!(error("mail-leak", "", "").contains("must be called unread-mail-<side>"));
    }

    #[test]
    fn a_wrong_manifest_is_one_line_with_the_place() {
        let said = error("unread-mail-leak", "rate = 5", "rate = 'fast'");
        assert!(said.starts_with("Cargo.toml of unread-mail-leak, line 8, `rate = 'fast'`: invalid type"), "{said}");
        let said = error("unread-mail-leak", "rate = 5", "rate = 1e300");
        assert!(said.contains("rate: a number above 0, from 0.000001 to 1000000"), "{said}");
        assert!(error("unread-mail-leak", "rate = 5", "rate = ").contains("line 8"));
    }

    #[test]
    fn a_side_knows_what_it_states_and_states_no_panic_unless_it_says_so() {
        let [leak, pool] = ["unread-mail-leak", "unread-mail-pool"].map(|bin| Side::parse(bin, MANIFEST).unwrap());
        assert_eq!((leak.name.as_str(), leak.stated["tasks"]), ("leak", Stated::PerUnit(1.0)));
        assert_eq!(leak.stated["panics"], Stated::AtMost { at_most: 0 });
        assert_eq!(pool.stated["tasks"], Stated::AtMost { at_most: 10 });
        assert_eq!(pool.stated["panics"], Stated::PerUnit(0.25));
    }
}
