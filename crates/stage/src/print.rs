//! What a run says: lines for people, or one JSON object per line for programs.

use std::io::Write;

use crate::{
    Side,
    gauge::{Gauge, STAGE},
    wire::{Hello, Lateness, Line, Phase, Report, Sample, Stated},
};

/// People get one line a second: every fourth sample.
const SAMPLES_PER_LINE: u64 = 4;
/// Spawn locations shown in the report; the rest is one line with a count.
const SITES_MAX: usize = 6;

pub(crate) struct Printer {
    side: Side,
    json: bool,
    samples: u64,
    header: bool,
    closed: bool,
}

impl Printer {
    pub(crate) fn new(side: &Side, json: bool) -> Self {
        Self { side: side.clone(), json, samples: 0, header: false, closed: false }
    }

    pub(crate) fn hello(&mut self, hello: &Hello) {
        if self.json {
            return self.line(&Line::Hello(hello.clone()));
        }
        let console = match &hello.console {
            Some(addr) => format!("watch it: tokio-console http://{addr}"),
            None => "no console".to_owned(),
        };
        say(&format!("{}: {}", hello.bin, self.side.about));
        let (units, memory) = (self.side.statement.units_name(), hello.memory_max_mib);
        say(&format!("{} {units} to come · process {} · at most {memory} MiB · {console}\n", hello.units, hello.pid));
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
        let units = self.side.statement.units_name();
        // That nothing panicked is what everybody expects.
        let told = |(name, _): &(&String, &Stated)| *name != "panics" || report.panics > 0;
        for (name, &stated) in report.stated.iter().filter(told) {
            if let (Some(&before), Some(&after)) = (report.before.get(name), report.after.get(name)) {
                say(&self.left(&self.side.gauge(name), before, after, stated, report));
            }
        }
        for site in report.spawned_at.iter().take(SITES_MAX) {
            say(&format!("{:>7} alive, spawned at {}", site.alive, site.location));
        }
        let rest: u64 = report.spawned_at.iter().skip(SITES_MAX).map(|site| site.alive).sum();
        if rest > 0 {
            say(&format!("{rest:>7} alive, spawned elsewhere"));
        }
        if report.units_cut_off > 0 {
            say(&format!("{} {units} had not ended after the load, and were cut off", report.units_cut_off));
        }
        if !report.settled && !report.interrupted {
            say("the counts had not come to rest when the settle limit was reached");
        }
        if let Some(why) = &report.stopped {
            say(&format!("stopped early, after {} {units}: {why}", report.units_done));
        }
        say(&self.verdict(report));
    }

    fn verdict(&self, report: &Report) -> String {
        let leaks = report.stated.get(&self.side.statement.gauge).is_some_and(|stated| stated.grows());
        let Lateness { timer_late_ms_max, waited_ms, share, .. } = report.lateness;
        let too_busy = report.lateness.forbids_verdict(!report.problems.is_empty());
        match report.problems.as_slice() {
            _ if report.interrupted => "STOPPED EARLY: no verdict".to_owned(),
            problems if too_busy => format!(
                "CANNOT TELL: this machine was too busy for {:.0} % of the time (threads waited {waited_ms} ms for a processor, a \
                 timer came {timer_late_ms_max} ms late){}{}. End other programs, and run it again",
                share * 100.0,
                if problems.is_empty() { "" } else { ": " },
                problems.join("; ")
            ),
            [] if leaks => "LEAKS, as this side states".to_owned(),
            [] => "RETURNS TO WHERE IT STARTED, as this side states".to_owned(),
            problems => format!("NOT WHAT THIS SIDE STATES: {}", problems.join("; ")),
        }
    }

    /// What is left of one gauge, beside what is stated of it.
    fn left(&self, gauge: &Gauge, before: u64, after: u64, stated: Stated, report: &Report) -> String {
        let course =
            format!("{}: {} before the load, {} after it", gauge.name, gauge.value(before), gauge.value(after));
        let per_unit = |left: f64| gauge.per_unit(left).unwrap_or_default();
        match stated {
            Stated::AtMost { at_most } => format!("{course} (at most {} more stated)", gauge.value(at_most)),
            Stated::PerUnit(expected) => {
                let left = report.survivors.get(&gauge.name).copied().unwrap_or(0.0);
                let unit = &self.side.statement.unit;
                format!("{course}: {} left per {unit} (stated {})", per_unit(left), per_unit(expected))
            }
        }
    }

    fn row(&mut self, sample: &Sample) {
        let units = self.side.statement.units_name();
        let own = sample.gauges.keys().map(String::as_str).filter(|name| !STAGE.contains(name));
        let gauges: Vec<_> = STAGE.into_iter().chain(own).map(|name| self.side.gauge(name)).collect();
        let width = |gauge: &Gauge| gauge.column().len().max(8);
        if !self.header {
            self.header = true;
            let mut line = format!("{:>6}  {:<5}  {units:>8}", "time", "phase");
            gauges.iter().for_each(|gauge| line += &format!("  {:>1$}", gauge.column(), width(gauge)));
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
        for gauge in &gauges {
            let value = sample.gauges.get(&gauge.name).map_or_else(|| "-".to_owned(), |&n| gauge.value(n));
            line += &format!("  {value:>0$}", width(gauge));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = 'mail'\ndescription = ''\n[package.metadata.lab]\nunit = 'letter'\nunits = 1\n\
        rate = 1\ngauge = 'tasks'\nsurvivors = { leak = { tasks = 1 } }";
    const REPORT: &str = r#"{"elapsed_ms":1,"units_done":1,"units_failed":0,"interrupted":false,"settled":true,"before":{},
        "after":{},"survivors":{},"stated":{"tasks":1.0},"spawned_at":[],"problems":[]}"#;

    /// What is said of a report that was changed by `spoil`.
    fn verdict(spoil: impl FnOnce(&mut Report)) -> String {
        let side = Side::parse("mail-leak", MANIFEST).unwrap();
        let mut report = serde_json::from_str(REPORT).unwrap();
        spoil(&mut report);
        Printer::new(&side, false).verdict(&report)
    }

    fn differs(report: &mut Report) {
        report.problems = vec!["31 units failed".into()];
    }

    #[test]
    fn a_machine_that_is_too_busy_gets_no_verdict_and_a_busy_one_none_on_what_differs() {
        let busy = |report: &mut Report| {
            report.lateness =
                Lateness { share: 0.5, waited_ms: 90, timer_late_ms_max: 7, too_busy: true, ..Lateness::default() };
        };
        assert_eq!(verdict(differs), "NOT WHAT THIS SIDE STATES: 31 units failed");
        assert!(verdict(busy).starts_with("CANNOT TELL: this machine was too busy for 50 %"), "{}", verdict(busy));
        let somewhat = |report: &mut Report| report.lateness.share = 0.1;
        assert_eq!(verdict(somewhat), "LEAKS, as this side states");
        let both = verdict(|report| {
            differs(report);
            somewhat(report);
        });
        assert!(both.starts_with("CANNOT TELL: this machine was too busy for 10 %"), "{both}");
        let said = verdict(|report| {
            differs(report);
            busy(report);
        });
        assert!(
            said.starts_with("CANNOT TELL: this machine was too busy for 50 % of the time (threads waited 90 ms"),
            "{said}"
        );
        assert!(said.contains("7 ms late): 31 units failed. End other programs"), "{said}");
    }

    #[test]
    fn who_interrupts_a_run_gets_no_verdict() {
        assert_eq!(verdict(|report| report.interrupted = true), "STOPPED EARLY: no verdict");
    }

    #[test]
    fn units_are_said_and_a_bound_is_no_share() {
        let printer = Printer::new(&Side::parse("mail-leak", MANIFEST).unwrap(), false);
        let report: Report = serde_json::from_str(REPORT).unwrap();
        let memory = printer.left(&Gauge::named("rss_kib"), 1_024, 4_096, Stated::AtMost { at_most: 2_048 }, &report);
        assert_eq!(memory, "rss_kib: 1 MiB before the load, 4 MiB after it (at most 2 MiB more stated)");
        let tasks = printer.left(&Gauge::named("tasks"), 0, 1, Stated::PerUnit(1.0), &report);
        assert_eq!(tasks, "tasks: 0 before the load, 1 after it: 0.00 left per letter (stated 1.00)");
    }
}
