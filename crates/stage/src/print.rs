//! What a run says: lines for people, or one JSON object per line for programs.

use std::io::Write;

use crate::{
    Scenario,
    wire::{Hello, Line, Phase, Report, Sample},
};

/// People get one line a second: every fourth sample.
const SAMPLES_PER_LINE: u64 = 4;
/// Spawn locations shown in the report; the rest is one line with a count.
const SITES_MAX: usize = 6;
/// The stage's columns, and what they are called above a column.
const COLUMNS: [(&str, &str); 6] = [
    ("tasks", "tasks"),
    ("blocking_threads", "blocking"),
    ("threads", "threads"),
    ("fds", "fds"),
    ("sockets", "sockets"),
    ("rss_kib", "RSS"),
];

pub(crate) struct Printer {
    scenario: Scenario,
    json: bool,
    samples: u64,
    header: bool,
    closed: bool,
}

impl Printer {
    pub(crate) fn new(scenario: &Scenario, json: bool) -> Self {
        Self { scenario: scenario.clone(), json, samples: 0, header: false, closed: false }
    }

    pub(crate) fn hello(&mut self, hello: &Hello) {
        if self.json {
            return self.line(&Line::Hello(hello.clone()));
        }
        let console = match &hello.console {
            Some(addr) => format!("watch it: tokio-console http://{addr}"),
            None => "no console".to_owned(),
        };
        say(&format!("{}: {}", hello.bin, self.scenario.about));
        say(&format!("{} {} to come · process {} · {console}\n", hello.units, self.scenario.units_name, hello.pid));
    }

    pub(crate) fn sample(&mut self, sample: &Sample) {
        if self.closed {
            return;
        }
        self.samples += 1;
        if self.json {
            return self.line(&Line::Sample(sample.clone()));
        }
        if self.samples % SAMPLES_PER_LINE == 1 {
            self.row(sample);
        }
    }

    pub(crate) fn report(&mut self, last: &Sample, report: &Report) {
        self.closed = true;
        if self.json {
            self.line(&Line::Sample(last.clone()));
            return self.line(&Line::Report(report.clone()));
        }
        self.row(last);
        say("");
        let unit = &self.scenario.unit;
        for (gauge, stated) in &report.stated {
            let (Some(before), Some(after)) = (report.before.get(gauge), report.after.get(gauge)) else { continue };
            let left = report.survivors.get(gauge).copied().unwrap_or(0.0);
            say(&format!(
                "{gauge}: {before} before the load, {after} after it: {left:.2} left per {unit} (stated {stated:.2})"
            ));
        }
        for site in report.spawned_at.iter().take(SITES_MAX) {
            say(&format!("{:>7} alive, spawned at {}", site.alive, site.location));
        }
        let rest: u64 = report.spawned_at.iter().skip(SITES_MAX).map(|site| site.alive).sum();
        if rest > 0 {
            say(&format!("{rest:>7} alive, spawned elsewhere"));
        }
        if report.interrupted {
            say(&format!("stopped early, after {} {}", report.units_done, self.scenario.units_name));
        }
        if !report.settled {
            say("the counts had not come to rest when the settle limit was reached");
        }
        say(&self.verdict(report));
    }

    fn verdict(&self, report: &Report) -> String {
        let leaks = report.stated.get(&self.scenario.gauge).is_some_and(|&stated| stated > 0.0);
        match report.problems.as_slice() {
            [] if leaks => "LEAKS, as this side states".to_owned(),
            [] => "RETURNS TO WHERE IT STARTED, as this side states".to_owned(),
            problems => format!("NOT WHAT THIS SIDE STATES: {}", problems.join("; ")),
        }
    }

    fn row(&mut self, sample: &Sample) {
        let units = &self.scenario.units_name;
        let own = || sample.gauges.keys().filter(|name| COLUMNS.iter().all(|(known, _)| known != name));
        if !self.header {
            self.header = true;
            let mut line = format!("{:>6}  {:<5}  {units:>8}", "time", "phase");
            COLUMNS.iter().for_each(|(_, title)| line += &format!("  {title:>8}"));
            own().for_each(|name| line += &format!("  {name:>8}"));
            say(&line);
        }
        let phase = match sample.phase {
            Phase::Start => "start",
            Phase::Load => "load",
            Phase::Quiet => "quiet",
        };
        let mut line = format!(
            "{:>5.1}s  {phase:<5}  {:>width$}",
            sample.elapsed_ms as f64 / 1000.0,
            sample.units_done,
            width = units.len().max(8)
        );
        for (name, _) in COLUMNS {
            line += &match sample.gauges.get(name) {
                Some(kib) if name == "rss_kib" => format!("  {:>5} MB", kib / 1024),
                Some(n) => format!("  {n:>8}"),
                None => format!("  {:>8}", "-"),
            };
        }
        own().for_each(|name| line += &format!("  {:>width$}", sample.gauges[name], width = name.len().max(8)));
        say(&line);
    }

    fn line(&self, line: &Line) {
        say(&serde_json::to_string(line).unwrap_or_default());
    }
}

/// Prints a line. A reader that went away (`| head`) is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
