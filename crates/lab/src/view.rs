//! The live view of a pair in a terminal, or its lines where there is none.

pub(crate) mod frame;
mod layout;

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crossterm::{
    cursor, queue,
    style::{Color, Stylize},
    terminal::{self, ClearType},
};
use evidence::{
    catalogue::Scenario,
    series::{Phase, Series},
    side::Role,
    words,
};

use crate::pair::{Event, SideVerdict};
use frame::{Frame, Row, phase};

/// In a smaller terminal lines are printed instead.
pub(crate) const ROOM_MIN: (usize, usize) = (50, 10);
pub(crate) const WIDTH_MAX: usize = 110;

/// Draws events in place on a terminal, or prints them as lines.
pub struct View<'a> {
    scenario: &'a Scenario,
    sides: &'a [String],
    series: BTreeMap<String, Series>,
    /// For how many seconds a side has made no progress, where that was told.
    stalled: BTreeMap<String, u64>,
    /// The last line on limits, so that it is said once for all sides.
    limits: String,
    live: bool,
    /// The terminal's size at the last frame, while the view has a screen of its own.
    screen: Option<(usize, usize)>,
    /// A line on the build stands there, without an end.
    building: bool,
    last_line_s: BTreeMap<String, u64>,
    last_build: u32,
}

impl<'a> View<'a> {
    /// A view for the terminal at standard output; plain lines when it is none, or too small.
    pub fn new(scenario: &'a Scenario, sides: &'a [String]) -> Self {
        let (width, height) = room();
        let live = io::IsTerminal::is_terminal(&io::stdout()) && width >= ROOM_MIN.0 && height >= ROOM_MIN.1;
        Self {
            scenario,
            sides,
            series: BTreeMap::new(),
            stalled: BTreeMap::new(),
            limits: String::new(),
            live,
            screen: None,
            building: false,
            last_line_s: BTreeMap::new(),
            last_build: u32::MAX,
        }
    }

    /// Shows one event. A terminal that went away is no reason to fail.
    pub fn show(&mut self, event: &Event) {
        let _ = match event {
            Event::Build { text, done, total } => self.build(text, *done, *total),
            Event::Started { memory_max_mib, lab_memory_max_mib, .. } => {
                self.limits(*memory_max_mib, *lab_memory_max_mib)
            }
            Event::Sample { side, sample, console_tasks } => {
                let series = self.series.entry(side.clone()).or_default();
                if series.units_done.last() != Some(&sample.units_done) || sample.phase == Phase::Quiet {
                    self.stalled.remove(side);
                }
                series.push(sample, *console_tasks);
                if self.live { self.redraw() } else { self.line(side, *console_tasks) }
            }
            Event::Stalled { side, seconds } => self.stalled(side, *seconds),
            Event::Verdict { sides, .. } => self.verdict(sides),
            // The command's own error line says it.
            Event::Error { .. } => self.leave(),
        };
    }

    fn build(&mut self, text: &str, done: u32, total: u32) -> io::Result<()> {
        let line = words::building(text, done, total);
        if self.live {
            self.building = true;
            let mut out = io::stdout().lock();
            queue!(out, cursor::MoveToColumn(0), terminal::Clear(ClearType::UntilNewLine))?;
            // One column is left free: at the edge some terminals go on below.
            write!(out, "{}", line.chars().take(room().0 - 1).collect::<String>())?;
            return out.flush();
        }
        // Ten lines for a whole build are enough in a log.
        let tenth = (done * 10).checked_div(total).unwrap_or(0);
        if total == 0 || tenth != self.last_build {
            self.last_build = tenth;
            return writeln!(io::stdout(), "{line}");
        }
        Ok(())
    }

    fn limits(&mut self, program: u64, lab: u64) -> io::Result<()> {
        let line =
            format!("memory: a program's load ends at {program} MiB; the lab takes at most {lab} MiB to follow it");
        if program == 0 || line == self.limits || self.screen.is_some() {
            return Ok(());
        }
        self.end_build()?;
        self.limits = line;
        writeln!(io::stdout(), "{}", self.limits)
    }

    fn stalled(&mut self, side: &str, seconds: u64) -> io::Result<()> {
        self.stalled.insert(side.to_owned(), seconds);
        if self.live { self.redraw() } else { writeln!(io::stdout(), "{}", self.no_progress(side, seconds)) }
    }

    fn no_progress(&self, side: &str, seconds: u64) -> String {
        format!("{side}: no {} has ended for {seconds} s", self.scenario.statement.unit)
    }

    fn line(&mut self, side: &str, console_tasks: u64) -> io::Result<()> {
        let Some(series) = self.series.get(side) else { return Ok(()) };
        let last = series.len() - 1;
        let second = series.elapsed_ms[last] / 1000;
        if self.last_line_s.insert(side.to_owned(), second) == Some(second) {
            return Ok(());
        }
        let gauge = &self.scenario.statement.gauge;
        writeln!(
            io::stdout(),
            "{second:>3} s  {side:<10} {:<5} {:>6} {}  {gauge} {:>6}  console {console_tasks:>6}",
            phase(series.phase[last]),
            series.units_done[last],
            self.scenario.statement.units_name(),
            series.gauge(gauge).last().unwrap_or(&0),
        )
    }

    fn end_build(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.building) {
            queue!(io::stdout(), cursor::MoveToColumn(0), terminal::Clear(ClearType::UntilNewLine))?;
        }
        Ok(())
    }

    /// Draws on a screen of its own, as editors do: whatever a reader does to the window, nothing of it is left behind.
    fn redraw(&mut self) -> io::Result<()> {
        self.end_build()?;
        let (mut frame, room) = (Vec::new(), room());
        if self.screen.is_none() {
            queue!(frame, terminal::EnterAlternateScreen)?;
        }
        if self.screen.replace(room) != Some(room) {
            queue!(frame, terminal::Clear(ClearType::All))?;
        }
        queue!(frame, cursor::MoveTo(0, 0))?;
        for line in self.lines(room) {
            queue!(frame, terminal::Clear(ClearType::UntilNewLine))?;
            writeln!(frame, "{line}")?;
        }
        queue!(frame, terminal::Clear(ClearType::FromCursorDown))?;
        let mut out = io::stdout().lock();
        out.write_all(&frame).and_then(|()| out.flush())
    }

    /// Goes back to the reader's screen, and leaves the last picture there.
    fn leave(&mut self) -> io::Result<()> {
        self.end_build()?;
        if self.screen.take().is_some() {
            // Wiped first: tmux puts what no longer fits, after the window has changed, into the reader's history.
            let mut out = io::stdout();
            queue!(out, terminal::Clear(ClearType::All), cursor::MoveTo(0, 0), terminal::LeaveAlternateScreen)?;
            self.lines(room()).iter().try_for_each(|line| writeln!(io::stdout(), "{line}"))?;
        }
        Ok(())
    }

    /// The picture of this moment, in colours.
    fn lines(&self, (width, height): (usize, usize)) -> Vec<String> {
        let frame = Frame {
            title: &self.scenario.name,
            gauge: &self.scenario.statement.gauge,
            units: &self.scenario.statement.units_name(),
            sides: self.sides,
            series: &self.series,
            notes: self.stalled.iter().map(|(side, seconds)| self.no_progress(side, *seconds)).collect(),
            console: true,
        };
        let rows = frame.rows((width.min(WIDTH_MAX), height));
        let line = |row: Row| row.0.into_iter().map(|(side, text)| self.paint(side, &text)).collect();
        rows.into_iter().map(line).collect()
    }

    /// Text in the colour of a side.
    fn paint(&self, side: Option<usize>, text: &str) -> String {
        match side.and_then(|i| self.sides.get(i)) {
            // crossterm leaves colour out where NO_COLOR is set.
            Some(side) if self.live => text.with(Color::from(Role::of(side).colour())).to_string(),
            _ => text.to_owned(),
        }
    }

    fn verdict(&mut self, sides: &BTreeMap<String, SideVerdict>) -> io::Result<()> {
        self.leave()?;
        let mut out = io::stdout().lock();
        writeln!(out)?;
        for (i, side) in self.sides.iter().enumerate() {
            let Some(verdict) = sides.get(side) else { continue };
            let line = format!("{}-{side} {}", self.scenario.name, verdict.text);
            writeln!(out, "{}", self.paint(Some(i), &line))?;
            details(verdict).iter().try_for_each(|line| writeln!(out, "    {line}"))?;
        }
        writeln!(out, "look deeper: scripts/pair {}   (two real tokio-consoles)", self.scenario.name)
    }
}

impl Drop for View<'_> {
    /// After Ctrl-C too, the reader's own screen is there again.
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

/// Where the survivors come from, what they wait on, who says so, and what the program said.
fn details(verdict: &SideVerdict) -> Vec<String> {
    let mut lines = Vec::new();
    let (tasks, there, waiting) = (verdict.program_tasks, verdict.spawned_there, verdict.waiting_there);
    if let Some(place) = verdict.spawned_at.as_ref().filter(|_| tasks > 0) {
        let how_many = if there == tasks { format!("all {tasks}") } else { format!("{there} of the {tasks}") };
        lines.push(format!("{how_many} tasks left were spawned at {place}"));
        let who = if waiting == there { "they wait on".to_owned() } else { format!("of these, {waiting} wait on") };
        lines.push(format!("{who}: {}", waits(verdict.waits_on.as_deref())));
    }
    let (console, lost) = (verdict.console_tasks, verdict.dropped_events);
    lines.push(format!("witnesses: program {tasks} tasks, console {console} tasks, {lost} events lost"));
    lines.extend(verdict.stopped.iter().map(|reason| format!("the load ended early: {reason}")));
    if !verdict.said.is_empty() {
        lines.push("it said on standard error:".to_owned());
        lines.extend(verdict.said.iter().map(|line| format!("  {line}")));
    }
    lines
}

/// What to say of a wait.
pub fn waits(waits_on: Option<&str>) -> &str {
    waits_on.unwrap_or("nothing the console can see (it sees locks, bounded sends, oneshots, intervals)")
}

/// Columns and rows of the terminal, as they are now: readers change them in the middle of a run.
pub(crate) fn room() -> (usize, usize) {
    terminal::size().map_or((80, 24), |(width, height)| (width.into(), height.into()))
}

/// How wide text may be: as wide as the terminal. Where there is none a sentence is a line.
pub(crate) fn text_width() -> usize {
    if io::IsTerminal::is_terminal(&io::stdout()) { room().0.min(WIDTH_MAX) } else { usize::MAX }
}

#[cfg(test)]
mod tests;
