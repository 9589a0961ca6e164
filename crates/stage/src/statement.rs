//! What a scenario states about itself: the table `[package.metadata.lab]` in its `Cargo.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    gauge::{self, Gauge, Kind, Unit},
    wire::Stated,
};

/// A unit of work is offered at least this often, in units per second: once in 11 days.
pub const RATE_MIN: f64 = 0.000_001;
/// A timer cannot do more than this, in units per second.
pub const RATE_MAX: f64 = 1_000_000.0;

/// The table `[package.metadata.lab]`. One that was read is also right: see [`Statement::check`].
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Table")]
pub struct Statement {
    /// What one unit of work is called.
    pub unit: String,
    /// Its plural, where adding an `s` is not enough.
    pub units_name: Option<String>,
    /// How many units a run offers.
    pub units: u64,
    /// Units per second.
    pub rate: f64,
    /// The gauge that tells the leak: `tasks`, `fds`, …
    pub gauge: String,
    /// The scenario's own gauges that are not levels of things.
    pub gauges: BTreeMap<String, Shape>,
    /// For every side, and every gauge it speaks of: what is left.
    pub survivors: BTreeMap<String, BTreeMap<String, Stated>>,
}

/// Kind and unit of a scenario's own gauge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// How it moves.
    pub kind: Kind,
    /// In what it is counted.
    pub unit: Unit,
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    unit: String,
    #[serde(default)]
    units_name: Option<String>,
    units: u64,
    rate: f64,
    gauge: String,
    #[serde(default)]
    gauges: BTreeMap<String, Shape>,
    survivors: BTreeMap<String, BTreeMap<String, Stated>>,
}

impl TryFrom<Table> for Statement {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { unit, units_name, units, rate, gauge, gauges, survivors } = table;
        let statement = Self { unit, units_name, units, rate, gauge, gauges, survivors };
        statement.check()?;
        Ok(statement)
    }
}

impl Statement {
    /// The plural of the unit's name.
    pub fn units_name(&self) -> String {
        self.units_name.clone().unwrap_or_else(|| format!("{}s", self.unit))
    }

    /// What is known of a gauge, the stage's or the scenario's own.
    pub fn gauge(&self, name: &str) -> Gauge {
        let known = Gauge::named(name);
        match self.gauges.get(name) {
            Some(&Shape { kind, unit }) => Gauge { kind, unit, ..known },
            None => known,
        }
    }

    /// Every gauge that the table names, which is every gauge that a run must report.
    pub fn gauge_names(&self) -> BTreeSet<&str> {
        let own = self.gauges.keys().map(String::as_str);
        own.chain([self.gauge.as_str()]).collect()
    }

    /// What the types of the table do not say. An error names the key.
    fn check(&self) -> Result<(), String> {
        if self.unit.trim().is_empty() {
            return Err("unit: what one unit of work is called is missing".into());
        }
        if self.units == 0 {
            return Err("units: a number above 0".into());
        }
        rate(self.rate).map_err(|range| format!("rate: {range}"))?;
        if let Some(name) = self.gauges.keys().find(|name| gauge::STAGE.contains(&name.as_str())) {
            return Err(format!("gauges.{name}: this gauge is the stage's, and known"));
        }
        for (side, stated) in &self.survivors {
            self.check_side(side, stated)?;
        }
        Ok(())
    }

    fn check_side(&self, side: &str, stated: &BTreeMap<String, Stated>) -> Result<(), String> {
        if !stated.contains_key(&self.gauge) {
            return Err(format!("survivors.{side} says nothing of `{}`, the scenario's gauge", self.gauge));
        }
        for (name, stated) in stated {
            match *stated {
                Stated::PerUnit(left) if !left.is_finite() || left < 0.0 => {
                    return Err(format!("survivors.{side}.{name}: a number of 0 or more, or `{{ at_most = N }}`"));
                }
                Stated::PerUnit(_) if self.gauge(name).kind == Kind::Maximum => {
                    return Err(format!(
                        "survivors.{side}.{name}: a maximum is not left per unit of work; state `at_most`"
                    ));
                }
                Stated::PerUnit(_) | Stated::AtMost { .. } => {}
            }
        }
        Ok(())
    }
}

/// Lets a rate pass that a timer can keep.
pub(crate) fn rate(rate: f64) -> Result<f64, String> {
    match rate {
        rate if (RATE_MIN..=RATE_MAX).contains(&rate) => Ok(rate),
        _ => Err(format!("a number above 0, from {RATE_MIN} to {RATE_MAX} per second")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "unit = 'letter'\nunits = 10\nrate = 5\ngauge = 'tasks'\n\
        gauges = { silence_ms = { kind = 'maximum', unit = 'ms' } }\nsurvivors = { leak = { tasks = 1, sockets = 0 } }";

    fn error(from: &str, to: &str) -> String {
        let changed = TABLE.replace(from, to);
        assert_ne!(changed, TABLE);
        toml::from_str::<Statement>(&changed).unwrap_err().message().to_owned()
    }

    #[test]
    fn a_gauge_is_a_level_of_things_unless_it_is_said() {
        let statement: Statement = toml::from_str(TABLE).unwrap();
        assert_eq!(statement.gauge("letters_held"), Gauge::named("letters_held"));
        let silence = statement.gauge("silence_ms");
        assert_eq!((silence.kind, silence.unit), (Kind::Maximum, Unit::Milliseconds));
        assert_eq!(statement.units_name(), "letters");
    }

    #[test]
    fn numbers_that_no_run_can_have_are_refused_by_key_and_range() {
        for rate in ["0", "-1", "nan", "inf", "1e10", "1e-20"] {
            let said = error("rate = 5", &format!("rate = {rate}"));
            assert_eq!(said, "rate: a number above 0, from 0.000001 to 1000000 per second", "{rate}");
        }
        assert_eq!(error("units = 10", "units = 0"), "units: a number above 0");
        for left in ["nan", "-1", "inf"] {
            let said = error("sockets = 0", &format!("sockets = {left}"));
            assert!(said.starts_with("survivors.leak.sockets: a number of 0 or more"), "{said}");
        }
    }

    #[test]
    fn statements_that_contradict_each_other_are_refused() {
        assert!(error("gauge = 'tasks'", "gauge = 'fds'").contains("survivors.leak says nothing of `fds`"));
        assert!(error("silence_ms", "tasks").starts_with("gauges.tasks: this gauge is the stage's"));
        assert!(error("sockets = 0", "silence_ms = 1").contains("a maximum is not left per unit"));
        assert!(error("'maximum'", "'highest'").contains("unknown variant"));
        assert!(error("sockets = 0", "sockets = 'few'").contains("at_most"));
    }
}
