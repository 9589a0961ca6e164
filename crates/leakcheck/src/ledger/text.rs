//! A ledger as a table and as JSON.

use std::fmt::{self, Display, Formatter};

use super::data::{Ledger, Line, Older, unix};
use crate::text::json::{list, string};

/// The lines with the most living tasks come first.
impl Display for Ledger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by(|a, b| b.alive.cmp(&a.alive).then(b.spawned.cmp(&a.spawned)));
        writeln!(f, "   alive    spawned      ended panicked  oldest  spawned at")?;
        for Line { location, spawned, ended, alive, panicked, oldest, .. } in lines {
            let oldest = oldest.map_or("-".to_owned(), |oldest| format!("{} s", oldest.age.as_secs()));
            writeln!(f, "{alive:>8} {spawned:>10} {ended:>10} {panicked:>8} {oldest:>7}  {location}")?;
        }
        Ok(())
    }
}

impl Ledger {
    /// The ledger as one JSON object. Its fields are those of [`Ledger`] and [`Line`]; instants are seconds since 1970.
    ///
    /// ```
    /// # let mut builder = tokio::runtime::Builder::new_current_thread();
    /// # let watch = leakcheck::attach(&mut builder).install();
    /// # let service = builder.build().unwrap();
    /// service.block_on(async { tokio::spawn(std::future::pending::<()>()) });
    /// let json = watch.ledger().to_json();
    /// assert!(json.contains(r#""spawned":1,"ended":0,"alive":1,"allowed":0,"panicked":0,"oldest_birth_seconds":1"#));
    /// ```
    pub fn to_json(&self) -> String {
        let (begun, taken) = (seconds(unix(self.begun)), seconds(unix(self.taken)));
        let lines = list(self.lines.iter().map(line_json));
        format!("{{\"begun_seconds\":{begun},\"taken_seconds\":{taken},\"lines\":{lines}}}")
    }
}

fn line_json(line: &Line) -> String {
    let Line { spawned, ended, alive, allowed, panicked, oldest, .. } = line;
    let location = string(&line.location);
    let null = || "null".to_owned();
    let birth = oldest.map_or_else(null, |oldest| seconds(unix(oldest.birth)));
    let age = oldest.map_or_else(null, |oldest| seconds(oldest.age));
    let older = |Older { than, tasks }: &Older| format!("{{\"seconds\":{},\"tasks\":{tasks}}}", seconds(*than));
    let older = list(line.older.iter().map(older));
    format!(
        "{{\"location\":{location},\"spawned\":{spawned},\"ended\":{ended},\"alive\":{alive},\"allowed\":{allowed},\
         \"panicked\":{panicked},\"oldest_birth_seconds\":{birth},\"oldest_age_seconds\":{age},\"older_than\":{older}}}"
    )
}

/// Milliseconds are exact in this form.
fn seconds(time: std::time::Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}
