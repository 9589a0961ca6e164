//! A report as text.

use std::{
    fmt::{self, Display, Formatter},
    io::IsTerminal,
    time::Duration,
};

use crate::report::{Body, Caller, Child, Panicked, Parent, Report, Survivors, Waited};

pub(crate) mod json;
mod states;

/// How a report of a leak begins.
pub(crate) const LEAK: &str = "leak: ";
/// What to do about a task of a lazy static.
const LAZY: &str =
    "a static belongs to the process, not to this test; initialise it on a runtime of its own, or allow it";
/// Lines of parents, callers and awaits shown for each spawn location; the rest is a number.
const DETAILS_MAX: usize = 3;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, Paint { bold: "", red: "", plain: "" })
    }
}

impl Report {
    /// The report in colour if `stream` is a terminal and `NO_COLOR` is not set, plain otherwise.
    ///
    /// ```
    /// let found = leakcheck::Checker::current_thread().find(|| async {});
    /// eprint!("{}", found.report.styled(&std::io::stderr()));
    /// ```
    pub fn styled(&self, stream: &impl IsTerminal) -> impl Display {
        let colour = stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let paint = if colour { COLOURS } else { Paint { bold: "", red: "", plain: "" } };
        Painted(self, paint)
    }

    fn write(&self, f: &mut Formatter<'_>, paint: Paint) -> fmt::Result {
        self.write_head(f, paint)?;
        if let Body::Overdue(overdue) = self.body {
            writeln!(f, "  {overdue}")?;
            for line in self.body_awaits.iter().take(DETAILS_MAX) {
                writeln!(f, "    awaiting at {line}")?;
            }
        }
        for group in &self.survivors {
            write_group(f, group, paint)?;
        }
        states::write_doubts(f, self)?;
        if self.unnamed > 0 {
            writeln!(f, "  {} without a spawn line: build with --cfg tokio_unstable to see it", tasks(self.unnamed))?;
        }
        if self.blocking > 0 {
            let why = "running a closure of spawn_blocking, or standing in for a worker in block_in_place";
            writeln!(f, "  {} still busy: {why}", threads(self.blocking))?;
        }
        if let Some(waited) = self.waited.as_ref().filter(|_| !self.is_clean()) {
            writeln!(f, "  {waited}")?;
        }
        self.panics.iter().try_for_each(|panicked| writeln!(f, "  {panicked}"))?;
        self.children.iter().try_for_each(|child| writeln!(f, "  {child}"))?;
        if let Some(why) = &self.no_await_lines {
            writeln!(f, "  no await lines: {why}")?;
        }
        for allowed in self.allowed.iter().filter(|allowed| allowed.tasks > 0) {
            let too_many = match allowed.surplus {
                0 => String::new(),
                surplus => format!(": {surplus} too many"),
            };
            match &*allowed.allowance {
                "blocking threads" => writeln!(f, "  allowed: {} by allow_blocking{too_many}", threads(allowed.tasks))?,
                allowance => writeln!(f, "  allowed: {} by {allowance}{too_many}", tasks(allowed.tasks))?,
            }
        }
        for allowance in self.unused_allowances() {
            writeln!(f, "  unused allowance: {allowance} covered no task")?;
        }
        Ok(())
    }

    fn write_head(&self, f: &mut Formatter<'_>, Paint { red, plain, .. }: Paint) -> fmt::Result {
        let left = match (self.tasks(), self.blocking) {
            (0, 0) => String::new(),
            (0, blocking) => threads(blocking),
            (count, _) => tasks(count),
        };
        match self.body {
            // A limit is not a leak: the body may need what is alive.
            Body::Overdue(overdue) if left.is_empty() => writeln!(f, "{red}overdue{plain}: {}", overdue.head()),
            Body::Overdue(overdue) => writeln!(f, "{red}overdue{plain}: {}, {left} alive", overdue.head()),
            _ if left.is_empty() => writeln!(f, "no task left"),
            _ => writeln!(f, "{red}leak{plain}: {left} left"),
        }
    }
}

impl Display for Waited {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let limit = seconds(self.limit);
        let passed = match self.virtual_time {
            Duration::ZERO => String::new(),
            time => format!("; {} of the runtime's time passed at once: `horizon` gives more", seconds(time)),
        };
        match &self.outside[..] {
            _ if self.limit.is_zero() => write!(f, "waited for no wall time: nothing outside could act{passed}"),
            [] if self.active => {
                write!(f, "waited {limit} while threads worked or timers were pending: `settle` gives more{passed}")
            }
            [] => write!(f, "waited {limit}, until nothing could change: `settle` gives more{passed}"),
            [one] => write!(f, "waited {limit} for {one}: `settle` gives more{passed}"),
            [one, rest @ ..] => {
                write!(f, "waited {limit} for {one} and {} more: `settle` gives more{passed}", rest.len())
            }
        }
    }
}

/// A limit as its setting would be written. Virtual time passes in steps, so a limit of it may be exceeded by a little.
fn seconds(time: Duration) -> String {
    match (time.as_millis() + 5) / 10 * 10 {
        ms if ms < 1_000 => format!("{ms} ms"),
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{:.1} s", ms as f64 / 1_000.0),
    }
}

impl Display for Panicked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { spawned_at, panicked_at, message, count } = self;
        let at = panicked_at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
        // A message of several lines would look like lines of the report.
        let message = message.replace('\n', " ");
        write!(f, "{} spawned at {spawned_at} panicked{at}: {message}", tasks(*count))
    }
}

impl Display for Child {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "child process {} still runs: {}", self.pid, self.command)
    }
}

fn write_group(f: &mut Formatter<'_>, group: &Survivors, Paint { bold, plain, .. }: Paint) -> fmt::Result {
    // One caller of all stands beside the spawn line, several below it.
    let called = |caller: &Caller| caller.location.as_ref().map(|line| (caller.count, format!("called from {line}")));
    let callers: Vec<_> = group.callers.iter().filter_map(called).collect();
    let (beside, callers) = match &callers[..] {
        [(count, called)] if *count == group.count => (format!(", {bold}{called}{plain}"), Vec::new()),
        _ => (String::new(), callers),
    };
    let (count, location, age) = (tasks(group.count), group.location(), age(group.oldest));
    let states = states::words(group);
    writeln!(f, "  {count} spawned at {bold}{location}{plain}{beside}: {states}; {age}")?;
    for (count, called) in callers.iter().take(DETAILS_MAX) {
        writeln!(f, "    {count} {called}")?;
    }
    // A parent without a location has no line: it is the body, `block_on` or another thread.
    let located = |parent: &Parent| parent.location.clone().map(|location| (parent.count, location));
    let parents: Vec<_> = group.parents.iter().filter_map(located).collect();
    for (count, location) in parents.iter().take(DETAILS_MAX) {
        writeln!(f, "    {count} by the task spawned at {location}")?;
    }
    for line in group.awaits.iter().take(DETAILS_MAX) {
        writeln!(f, "    {} awaiting at {}", line.count, line.location)?;
    }
    let in_lazy: usize = group.callers.iter().filter(|caller| caller.in_lazy).map(|caller| caller.count).sum();
    if in_lazy > 0 {
        writeln!(f, "    {in_lazy} while a lazy value was initialised: {LAZY}")?;
    }
    let hidden = [parents.len(), callers.len(), group.awaits.len()].map(|lines| lines.saturating_sub(DETAILS_MAX));
    match hidden.iter().sum() {
        0 => Ok(()),
        more => writeln!(f, "    and {}", counted(more, "more line")),
    }
}

/// Whole seconds, so that the text is the same on a fast and on a slow machine.
fn age(oldest: Duration) -> String {
    match oldest.as_secs() {
        0 => "under 1 s old".to_owned(),
        seconds => format!("oldest {seconds} s"),
    }
}

fn tasks(count: usize) -> String {
    counted(count, "task")
}

fn threads(count: usize) -> String {
    counted(count, "blocking thread")
}

/// The count with its noun, in the plural unless the count is 1.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// In the place of `std::fmt::from_fn`, which came with Rust 1.93.
struct Painted<'r>(&'r Report, Paint);

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write(f, self.1)
    }
}

#[derive(Clone, Copy)]
struct Paint {
    bold: &'static str,
    red: &'static str,
    plain: &'static str,
}

const COLOURS: Paint = Paint { bold: "\x1b[1m", red: "\x1b[1;31m", plain: "\x1b[0m" };

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        overdue::{Doing, Overdue},
        report::{Allowed, Await},
    };

    pub(super) fn sample() -> Report {
        let parents = vec![Parent { location: Some("src/main.rs:5:9".into()), count: 2 }];
        let awaits = vec![Await { location: "src/pool \"a\".rs:21:30".into(), count: 2 }];
        let mixed = Survivors { parked: 2, live: 1, count: 3, parents, awaits, ..group("src/pool.rs", 17, 3) };
        let stuck = Survivors { never_yields: 1, oldest: Duration::from_millis(2_900), ..group("src/spin.rs", 8, 1) };
        let allowed = |allowance: &str, tasks| Allowed { allowance: allowance.into(), tasks, given: true, surplus: 0 };
        Report {
            survivors: vec![mixed, stuck],
            blocking: 1,
            allowed: vec![allowed("src/metrics.rs", 4), allowed("hyper-util", 0)],
            ..Report::default()
        }
    }

    fn group(file: &str, line: u32, count: usize) -> Survivors {
        Survivors { file: file.into(), line, column: 5, count, ..Survivors::default() }
    }

    #[test]
    fn the_text_says_what_is_left_and_where_it_came_from() {
        let text = "\
leak: 4 tasks left
  3 tasks spawned at src/pool.rs:17:5: 2 parked, 1 live; under 1 s old
    2 by the task spawned at src/main.rs:5:9
    2 awaiting at src/pool \"a\".rs:21:30
  1 task spawned at src/spin.rs:8:5: never yields; oldest 2 s
  1 blocking thread still busy: running a closure of spawn_blocking, or standing in for a worker in block_in_place
  allowed: 4 tasks by src/metrics.rs
  unused allowance: hyper-util covered no task
";
        assert_eq!(sample().to_string(), text);
    }

    /// The lines below the group's own line, for so many parents and awaits. One parent more may be the body, which has no
    /// line.
    fn details(parents: usize, body: bool, awaits: usize) -> Vec<String> {
        let location = |index: usize| format!("src/main.rs:{index}:9");
        let mut all: Vec<_> = (0..parents).map(|at| Parent { location: Some(location(at)), count: 2 }).collect();
        if body {
            // The most tasks come first, and here that is the body.
            all.insert(0, Parent { location: None, count: 3 });
        }
        let awaits = (0..awaits).map(|at| Await { location: location(at), count: 2 }).collect();
        let survivors = vec![Survivors { parked: 9, parents: all, awaits, ..group("src/pool.rs", 17, 9) }];
        let text = Report { survivors, ..Report::default() }.to_string();
        text.lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_not_shown_is_counted_without_parents_that_have_no_line() {
        for (parents, awaits, shown, last) in [
            (0, 0, 0, None),
            (1, 0, 1, None),
            (2, 0, 2, None),
            (3, 0, 3, None),
            (4, 0, 3, Some("    and 1 more line")),
            (5, 0, 3, Some("    and 2 more lines")),
            (1_003, 0, 3, Some("    and 1000 more lines")),
            (0, 4, 3, Some("    and 1 more line")),
            (3, 3, 6, None),
            (4, 4, 6, Some("    and 2 more lines")),
        ] {
            for body in [false, true] {
                let lines = details(parents, body, awaits);
                let more: Vec<_> = lines.iter().filter(|line| line.contains("more line")).map(String::as_str).collect();
                assert_eq!(more, last.into_iter().collect::<Vec<_>>(), "{lines:#?}");
                assert_eq!(lines.len() - more.len(), shown, "{lines:#?}");
            }
        }
    }

    #[test]
    fn one_of_a_kind_is_no_plural() {
        let one = |unnamed, blocking| Report { unnamed, blocking, ..Report::default() }.to_string();
        assert!(one(1, 0).starts_with("leak: 1 task left\n  1 task without a spawn line"), "{}", one(1, 0));
        assert!(one(0, 1).starts_with("leak: 1 blocking thread left\n  1 blocking thread still"), "{}", one(0, 1));
        assert!(one(2, 0).starts_with("leak: 2 tasks left\n  2 tasks without a spawn line"), "{}", one(2, 0));
        assert!(one(0, 2).starts_with("leak: 2 blocking threads left\n  2 blocking threads still"), "{}", one(0, 2));
    }

    #[test]
    fn a_clean_report_has_one_line_and_a_limit_is_called_a_limit() {
        assert_eq!(Report::default().to_string(), "no task left\n");
        let (deadline, last_poll) = (Duration::from_secs(30), Duration::from_secs(2));
        let overdue = Overdue { deadline, doing: Doing::Waits, polls: 9, last_poll, in_poll: Duration::ZERO };
        let body_awaits = vec!["src/main.rs:3:9".to_owned()];
        let hung = Report { body: Body::Overdue(overdue), body_awaits, ..Report::default() };
        let text = "\
overdue: the test's body had not returned after 30 s (`deadline` gives more)
  the body waits: it was polled 9 times, last after 2 s
    awaiting at src/main.rs:3:9
";
        assert_eq!(hung.to_string(), text);
        assert!(!hung.is_clean());
        let json = r#""overdue":{"deadline_ms":30000,"doing":"waits","polls":9,"last_poll_ms":2000,"in_poll_ms":0,"awaits":["src/main.rs:3:9"]}"#;
        assert!(hung.to_json().contains(json), "{}", hung.to_json());
        let held = Report { unnamed: 2, ..hung };
        assert!(held.to_string().starts_with(&text.replace("more)\n", "more), 2 tasks alive\n")), "{held}");
    }

    #[test]
    fn a_report_of_a_leak_begins_as_the_checker_expects() {
        assert!(sample().to_string().starts_with(LEAK));
    }

    #[test]
    fn colour_is_for_terminals() {
        assert_eq!(sample().styled(&std::fs::File::open("/dev/null").unwrap()).to_string(), sample().to_string());
        let painted = Painted(&sample(), COLOURS).to_string();
        assert!(painted.starts_with("\x1b[1;31mleak\x1b[0m: 4 tasks left"), "{painted}");
    }
}
