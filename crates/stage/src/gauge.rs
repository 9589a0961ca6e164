//! What a gauge is: whether it counts what is held, adds up or keeps a maximum, and in which unit.

use serde::{Deserialize, Serialize};

/// The stage's own gauges, in the order a reader looks at them; a scenario's own come after these.
pub const STAGE: [&str; 7] = ["tasks", "blocking_threads", "threads", "fds", "sockets", "rss_kib", "panics"];

/// Of these, the ones that are read from `/proc`: a system without it cannot tell them.
pub const FROM_PROC: [&str; 4] = ["threads", "fds", "sockets", "rss_kib"];

/// How a gauge moves, and so what may be done with its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What is held now: it goes up and down.
    #[default]
    Level,
    /// Counts up over the whole run.
    Sum,
    /// The highest value seen so far. Divided by units of work it means nothing.
    Maximum,
}

/// In what a gauge is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Things: tasks, sockets, offers.
    #[default]
    #[serde(rename = "count")]
    Count,
    /// Whole milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Units of 1,024 bytes.
    #[serde(rename = "KiB")]
    Kibibytes,
}

/// One gauge, by its name in samples and statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// `tasks`, `rss_kib`, `offers_held`.
    pub name: String,
    /// How it moves.
    pub kind: Kind,
    /// In what it is counted.
    pub unit: Unit,
}

impl Gauge {
    /// A gauge of which nothing was said: one of the stage's, or a level of things.
    pub fn named(name: &str) -> Self {
        let (kind, unit) = match name {
            "rss_kib" => (Kind::Level, Unit::Kibibytes),
            "panics" => (Kind::Sum, Unit::Count),
            _ => (Kind::Level, Unit::Count),
        };
        Self { name: name.to_owned(), kind, unit }
    }

    /// The gauge as a reader says it: `live tasks`, `check, ms`.
    pub fn title(&self) -> String {
        match self.name.as_str() {
            "tasks" => "live tasks".to_owned(),
            "console_tasks" => "live tasks, counted by the console".to_owned(),
            "threads" => "OS threads".to_owned(),
            "blocking_threads" => "blocking threads".to_owned(),
            "fds" => "open file descriptors".to_owned(),
            "sockets" => "open sockets".to_owned(),
            "rss_kib" => "resident memory, KiB".to_owned(),
            own => match self.unit {
                Unit::Count => own.replace('_', " "),
                Unit::Milliseconds => format!("{}, ms", own.trim_end_matches("_ms").replace('_', " ")),
                Unit::Kibibytes => format!("{}, KiB", own.trim_end_matches("_kib").replace('_', " ")),
            },
        }
    }

    /// The head of a narrow column.
    pub fn column(&self) -> &str {
        match self.name.as_str() {
            "blocking_threads" => "blocking",
            "rss_kib" => "RSS",
            name => name,
        }
    }

    /// True for a gauge of the stage, which every scenario has.
    pub fn is_of_stage(&self) -> bool {
        STAGE.contains(&self.name.as_str())
    }

    /// A value as people read it, with its unit where it has one: `34 MiB`, `120 ms`.
    pub fn value(&self, value: u64) -> String {
        match self.unit {
            Unit::Count => value.to_string(),
            Unit::Milliseconds => format!("{value} ms"),
            Unit::Kibibytes => format!("{} MiB", value / 1024),
        }
    }

    /// What is left per unit of work, as people read it; none for a maximum, which cannot be divided.
    pub fn per_unit(&self, left: f64) -> Option<String> {
        match (self.kind, self.unit) {
            (Kind::Maximum, _) => None,
            (_, Unit::Count) => Some(format!("{left:.2}")),
            (_, Unit::Milliseconds) => Some(format!("{left:.0} ms")),
            (_, Unit::Kibibytes) => Some(format!("{left:.0} KiB")),
        }
    }
}

/// Sorts names as readers see them: the stage's in their order, then the others by name.
pub fn rank(name: &str) -> (usize, &str) {
    (STAGE.iter().position(|known| *known == name).unwrap_or(STAGE.len()), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(kind: Kind, unit: Unit) -> Gauge {
        Gauge { name: "silence_ms".into(), kind, unit }
    }

    #[test]
    fn a_maximum_is_not_divided_and_whole_milliseconds_have_no_decimals() {
        assert_eq!(own(Kind::Maximum, Unit::Milliseconds).per_unit(12.5), None);
        assert_eq!(own(Kind::Sum, Unit::Milliseconds).per_unit(12.4).as_deref(), Some("12 ms"));
        assert_eq!(Gauge::named("tasks").per_unit(6.0).as_deref(), Some("6.00"));
    }

    #[test]
    fn a_unit_is_said_once() {
        assert_eq!(own(Kind::Maximum, Unit::Milliseconds).title(), "silence, ms");
        assert_eq!(own(Kind::Level, Unit::Milliseconds).value(7), "7 ms");
        assert_eq!(Gauge::named("rss_kib").value(34 * 1024 + 5), "34 MiB");
    }

    #[test]
    fn the_stages_gauges_come_first_and_in_order() {
        let mut names = ["zoo", "rss_kib", "alms", "tasks"];
        names.sort_by_key(|name| rank(name));
        assert_eq!(names, ["tasks", "rss_kib", "alms", "zoo"]);
    }
}
