//! The live view of a pair in a terminal: a plot of the gauge that tells the leak, and a column of gauges for each side.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crossterm::{
    cursor, queue,
    style::{Color, Stylize},
    terminal::{self, ClearType},
};

use crate::{
    catalogue::Scenario,
    pair::{Event, SideVerdict},
    plot::Plot,
    series::{Phase, Series},
    words,
};

/// Below this the view does not fit, and lines are printed instead.
const WIDTH_MIN: u16 = 50;
/// The plot and the gauges need this many rows.
const HEIGHT_MIN: u16 = 20;
const WIDTH_MAX: usize = 110;
const PLOT_ROWS: usize = 8;
/// Room for the numbers left of the plot.
const AXIS: usize = 8;
/// Leak and fix as on the pages (after Okabe and Ito: told apart by colour-blind readers), then the others.
const COLOURS: [Color; 4] = [
    Color::Rgb { r: 213, g: 94, b: 0 },
    Color::Rgb { r: 64, g: 156, b: 222 },
    Color::Rgb { r: 204, g: 121, b: 167 },
    Color::Rgb { r: 0, g: 158, b: 115 },
];

/// Draws events in place on a terminal, or prints them as lines.
pub struct View<'a> {
    scenario: &'a Scenario,
    sides: &'a [String],
    series: BTreeMap<String, Series>,
    live: bool,
    drawn: u16,
    last_line_s: BTreeMap<String, u64>,
    last_build: u32,
}

impl<'a> View<'a> {
    /// A view for the terminal at standard output; plain lines when it is none, or too small.
    pub fn new(scenario: &'a Scenario, sides: &'a [String]) -> Self {
        let fits = terminal::size().is_ok_and(|(width, height)| width >= WIDTH_MIN && height >= HEIGHT_MIN);
        let live = io::IsTerminal::is_terminal(&io::stdout()) && fits;
        Self {
            scenario,
            sides,
            series: BTreeMap::new(),
            live,
            drawn: 0,
            last_line_s: BTreeMap::new(),
            last_build: u32::MAX,
        }
    }

    /// Shows one event. A terminal that went away is no reason to fail.
    pub fn show(&mut self, event: &Event) {
        let _ = match event {
            Event::Build { text, done, total } => self.build(text, *done, *total),
            Event::Sample { side, sample, console_tasks } => {
                self.series.entry(side.clone()).or_default().push(sample, *console_tasks);
                if self.live { self.redraw() } else { self.line(side, *console_tasks) }
            }
            Event::Verdict { sides, .. } => self.verdict(sides),
            // The command's own error line says it.
            Event::Error { .. } => Ok(()),
        };
    }

    fn build(&mut self, text: &str, done: u32, total: u32) -> io::Result<()> {
        if self.live {
            let mut out = self.start_frame()?;
            let line: String = words::building(text, done, total).chars().take(self.width()).collect();
            writeln!(out, "{line}")?;
            self.drawn = 1;
            return out.flush();
        }
        // Ten lines for a whole build are enough in a log.
        let tenth = (done * 10).checked_div(total).unwrap_or(0);
        if total == 0 || tenth != self.last_build {
            self.last_build = tenth;
            return writeln!(io::stdout(), "{}", words::building(text, done, total));
        }
        Ok(())
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

    fn width(&self) -> usize {
        terminal::size().map_or(80, |(width, _)| usize::from(width)).min(WIDTH_MAX)
    }

    fn start_frame(&mut self) -> io::Result<io::StdoutLock<'static>> {
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            queue!(out, cursor::MoveToPreviousLine(self.drawn), terminal::Clear(ClearType::FromCursorDown))?;
        }
        self.drawn = 0;
        Ok(out)
    }

    fn redraw(&mut self) -> io::Result<()> {
        let frame = self.frame();
        let mut out = self.start_frame()?;
        for line in &frame {
            writeln!(out, "{line}")?;
        }
        self.drawn = frame.len() as u16;
        out.flush()
    }

    fn frame(&self) -> Vec<String> {
        let gauge = &self.scenario.statement.gauge;
        let x_max = self.series.values().flat_map(|s| s.elapsed_ms.last()).max().map_or(1.0, |&ms| ms as f64);
        let y_max = self.series.values().map(|s| s.peak(gauge)).max().unwrap_or(0).max(10) as f64;
        let width = self.width();
        let mut plot = Plot::new(width - AXIS - 1, PLOT_ROWS);
        // The fix is drawn first, so that the leak stays on top where both begin.
        for (i, side) in self.sides.iter().enumerate().rev() {
            let Some(series) = self.series.get(side) else { continue };
            let xs = series.elapsed_ms.iter().map(|&ms| ms as f64);
            let points: Vec<_> = xs.zip(series.gauge(gauge).iter().map(|&n| n as f64)).collect();
            plot.line(i, &points, x_max, y_max);
        }
        let mut lines =
            vec![format!("{}: {gauge} over {:.1} s", self.scenario.name, x_max / 1000.0).bold().to_string()];
        for (row, pieces) in plot.rows().enumerate() {
            let label = match row {
                0 => format!("{y_max:.0}"),
                _ if row == PLOT_ROWS - 1 => "0".to_owned(),
                _ => String::new(),
            };
            let drawn: String = pieces.into_iter().map(|(series, text)| paint(series, &text)).collect();
            lines.push(format!("{label:>AXIS$} {drawn}"));
        }
        lines.extend(self.columns(width));
        lines
    }

    fn columns(&self, width: usize) -> Vec<String> {
        // Sides that find no room in a row are left out of the live view; the verdict names them all.
        let shown = self.sides.len().min(width / 25).max(1);
        let cell = width / shown;
        let mut names: Vec<_> = self.series.values().flat_map(|s| s.gauges.keys()).collect();
        names.sort();
        names.dedup();
        let mut rows = vec![String::new(); names.len() + 3];
        for (i, side) in self.sides.iter().take(shown).enumerate() {
            let empty = Series::default();
            let series = self.series.get(side).unwrap_or(&empty);
            let mut put = |row: usize, text: String, colour: bool| {
                let text: String = format!("{text:<cell$}").chars().take(cell).collect();
                rows[row] += &if colour { paint(Some(i), &text) } else { text };
            };
            put(0, side.clone(), true);
            let now = series.phase.last().map_or("starting", |&now| phase(now));
            let done = series.units_done.last().unwrap_or(&0);
            put(1, format!("{now}, {done} {}", self.scenario.statement.units_name()), false);
            put(2, format!("{:<17}{:>7}", "console: tasks", series.console_tasks.last().unwrap_or(&0)), false);
            for (row, name) in names.iter().enumerate() {
                let value = series.gauge(name).last().map_or("-".to_owned(), u64::to_string);
                put(row + 3, format!("{name:<17}{value:>7}"), *name == &self.scenario.statement.gauge);
            }
        }
        rows
    }

    fn verdict(&mut self, sides: &BTreeMap<String, SideVerdict>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out)?;
        for (i, side) in self.sides.iter().enumerate() {
            let Some(verdict) = sides.get(side) else { continue };
            writeln!(
                out,
                "{}",
                paint(self.live.then_some(i), &format!("{}-{side} {}", self.scenario.name, verdict.text))
            )?;
            let survivors = verdict.program_tasks;
            if let Some(place) = verdict.spawned_at.as_ref().filter(|_| survivors > 0) {
                writeln!(out, "    {} of the {survivors} tasks left were spawned at {place}", verdict.spawned_there)?;
                writeln!(out, "    they wait on: {}", waits(verdict.waits_on.as_deref()))?;
            }
            writeln!(
                out,
                "    witnesses: program {survivors} tasks, console {} tasks, {} events lost",
                verdict.console_tasks, verdict.dropped_events
            )?;
        }
        writeln!(out, "look deeper: scripts/pair {}   (two real tokio-consoles)", self.scenario.name)
    }
}

/// What to say of a wait.
pub fn waits(waits_on: Option<&str>) -> &str {
    waits_on.unwrap_or("nothing the console can see (it sees locks, bounded sends, oneshots, intervals)")
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Start => "start",
        Phase::Load => "load",
        Phase::Quiet => "quiet",
    }
}

fn paint(series: Option<usize>, text: &str) -> String {
    match series {
        // crossterm leaves colour out where NO_COLOR is set.
        Some(i) => text.with(COLOURS[i % COLOURS.len()]).to_string(),
        None => text.to_owned(),
    }
}
