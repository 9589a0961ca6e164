//! A report as JSON.

use std::{fmt::Write, time::Duration};

use crate::{
    overdue::Overdue,
    report::{Allowed, Body, Caller, Report, Survivors, Waited},
};

impl Report {
    /// The report as one JSON object. Its fields are those of [`Report`]; ages and limits are in milliseconds. `overdue` has
    /// what [`Body::Overdue`] holds, and the lines that the body awaits.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        let survivors = list(self.survivors.iter().map(survivors_json));
        let allowed = list(self.allowed.iter().map(|allowed| {
            let Allowed { tasks, given, surplus, .. } = allowed;
            let name = string(&allowed.allowance);
            format!("{{\"allowance\":{name},\"tasks\":{tasks},\"given\":{given},\"surplus\":{surplus}}}")
        }));
        let (body, overdue) = match self.body {
            Body::Returned => ("returned", "null".to_owned()),
            Body::Panicked => ("panicked", "null".to_owned()),
            Body::Overdue(overdue) => ("overdue", overdue_json(&overdue, &self.body_awaits)),
        };
        let panics = list(self.panics.iter().map(|panicked| {
            let at = panicked.panicked_at.as_deref().map_or("null".to_owned(), string);
            let (spawned_at, message) = (string(&panicked.spawned_at), string(&panicked.message));
            let count = panicked.count;
            format!("{{\"spawned_at\":{spawned_at},\"panicked_at\":{at},\"message\":{message},\"count\":{count}}}")
        }));
        let children = list(
            self.children
                .iter()
                .map(|child| format!("{{\"pid\":{},\"command\":{}}}", child.pid, string(&child.command))),
        );
        let (clean, tasks, blocking, unnamed) = (self.is_clean(), self.tasks(), self.blocking, self.unnamed);
        let (queued, next_timer) =
            (self.queued, self.next_timer.map_or("null".to_owned(), |next| next.as_millis().to_string()));
        let waited = self.waited.as_ref().map_or("null".to_owned(), waited_json);
        let why = self.no_await_lines.as_deref().map_or("null".to_owned(), string);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{{\"clean\":{clean},\"body\":\"{body}\",\"tasks\":{tasks},\"survivors\":{survivors},\"blocking\":{blocking},\
             \"unnamed\":{unnamed},\"queued\":{queued},\"next_timer_ms\":{next_timer},\"overdue\":{overdue},\"allowed\":{allowed},\
             \"panics\":{panics},\"children\":{children},\"waited\":{waited},\"no_await_lines\":{why}}}"
        );
        out
    }
}

fn waited_json(Waited { wall, limit, virtual_time, active, outside }: &Waited) -> String {
    let [wall, limit, virtual_time] = [wall, limit, virtual_time].map(Duration::as_millis);
    let outside = list(outside.iter().map(|open| string(open)));
    format!(
        "{{\"wall_ms\":{wall},\"limit_ms\":{limit},\"virtual_ms\":{virtual_time},\"active\":{active},\"outside\":{outside}}}"
    )
}

fn survivors_json(group: &Survivors) -> String {
    let file = string(&group.file);
    let Survivors { line, column, count, parked, timer, live, never_yields, starved, unknown, oldest, .. } = group;
    let parents = list(group.parents.iter().map(|parent| {
        let location = parent.location.as_deref().map_or("null".to_owned(), string);
        format!("{{\"location\":{location},\"count\":{}}}", parent.count)
    }));
    let awaits = group.awaits.iter();
    let awaits =
        list(awaits.map(|line| format!("{{\"location\":{},\"count\":{}}}", string(&line.location), line.count)));
    let callers = list(group.callers.iter().map(|Caller { location, in_lazy, count }| {
        let location = location.as_deref().map_or("null".to_owned(), string);
        format!("{{\"location\":{location},\"in_lazy\":{in_lazy},\"count\":{count}}}")
    }));
    let oldest = oldest.as_millis();
    format!(
        "{{\"file\":{file},\"line\":{line},\"column\":{column},\"count\":{count},\"parked\":{parked},\"timer\":{timer},\
         \"live\":{live},\"never_yields\":{never_yields},\"starved\":{starved},\"unknown\":{unknown},\
         \"oldest_ms\":{oldest},\"parents\":{parents},\"callers\":{callers},\"awaits\":{awaits}}}"
    )
}

pub(crate) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A JSON string, as RFC 8259 §7 escapes it.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter < ' ' => out.push_str(&format!("\\u{:04x}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out + "\""
}

fn overdue_json(overdue: &Overdue, awaits: &[String]) -> String {
    let Overdue { deadline, polls, last_poll, in_poll, .. } = overdue;
    let (deadline, doing) = (deadline.as_millis(), overdue.word());
    let (last_poll, in_poll) = (last_poll.as_millis(), in_poll.as_millis());
    let awaits = list(awaits.iter().map(|line| string(line)));
    format!(
        "{{\"deadline_ms\":{deadline},\"doing\":\"{doing}\",\"polls\":{polls},\"last_poll_ms\":{last_poll},\"in_poll_ms\":{in_poll},\"awaits\":{awaits}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn json_has_every_field_and_escapes_names() {
        let json = sample().to_json();
        for part in [
            r#""clean":false,"body":"returned","tasks":4"#,
            r#""file":"src/pool.rs","line":17,"column":5,"count":3,"parked":2,"timer":0,"live":1"#,
            r#""never_yields":0,"starved":0,"unknown":0,"oldest_ms":0"#,
            r#""queued":0,"next_timer_ms":null"#,
            r#""awaits":[{"location":"src/pool \"a\".rs:21:30","count":2}]"#,
            r#""allowed":[{"allowance":"src/metrics.rs","tasks":4,"given":true,"surplus":0}"#,
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
        assert_eq!(string("a\n\"\\\u{1}"), r#""a\u000a\"\\\u0001""#);
    }

    #[test]
    fn a_wait_has_its_numbers_and_what_it_was_for() {
        let waited = Waited {
            wall: Duration::from_millis(6_012),
            limit: Duration::from_secs(6),
            outside: vec!["a blocking closure".into()],
            ..Waited::default()
        };
        let json = Report { waited: Some(waited), ..Report::default() }.to_json();
        let wanted = r#""waited":{"wall_ms":6012,"limit_ms":6000,"virtual_ms":0,"active":false,"outside":["a blocking closure"]}"#;
        assert!(json.contains(wanted), "{json}");
    }
}
