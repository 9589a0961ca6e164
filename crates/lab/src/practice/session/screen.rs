//! The live picture of a practice: on a screen of its own, as editors have it, so that the reader's is as it was.

use std::io::{self, Write};

use crossterm::{
    cursor, queue,
    style::{Attribute, Color, Stylize},
    terminal::{self, ClearType},
};
use evidence::{
    exercise::{MINE, SOLUTION},
    side::Role,
};

use super::state::{State, Text, Tone, keys};
use crate::view::{
    self,
    frame::{Frame, Row},
};

/// A chart that is lower than this says nothing.
const CHART_MIN: usize = 8;

/// The screen, where it is the reader's own or this one's.
#[derive(Default)]
pub(crate) struct Screen {
    /// The size at the last picture; none while the reader's own screen is there.
    size: Option<(usize, usize)>,
}

impl Screen {
    /// True where a live picture has room.
    pub(crate) fn fits() -> bool {
        let (width, height) = view::room();
        width >= view::ROOM_MIN.0 && height >= view::ROOM_MIN.1
    }

    /// Draws what is known. A terminal that went away is no reason to fail.
    pub(crate) fn draw(&mut self, state: &State<'_>) {
        let _ = self.try_draw(state);
    }

    fn try_draw(&mut self, state: &State<'_>) -> io::Result<()> {
        let (mut picture, room) = (Vec::new(), view::room());
        if self.size.is_none() {
            queue!(picture, terminal::EnterAlternateScreen, cursor::Hide)?;
        }
        if self.size.replace(room) != Some(room) {
            queue!(picture, terminal::Clear(ClearType::All))?;
        }
        for (row, line) in lines(state, room).iter().enumerate() {
            queue!(picture, cursor::MoveTo(0, row as u16), terminal::Clear(ClearType::UntilNewLine))?;
            write!(picture, "{line}")?;
        }
        let mut out = io::stdout().lock();
        out.write_all(&picture).and_then(|()| out.flush())
    }

    /// Goes back to the reader's own screen.
    pub(crate) fn leave(&mut self) {
        if self.size.take().is_some() {
            let mut out = io::stdout();
            let _ = queue!(
                out,
                terminal::Clear(ClearType::All),
                cursor::MoveTo(0, 0),
                terminal::LeaveAlternateScreen,
                cursor::Show
            )
            .and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    /// After Ctrl-C too, the reader's own screen is there again.
    fn drop(&mut self) {
        self.leave();
    }
}

/// The whole picture: as many lines as there are rows, the keys in the last.
fn lines(state: &State<'_>, (width, height): (usize, usize)) -> Vec<String> {
    let width = width.min(view::WIDTH_MAX);
    let text = state.lines(width.saturating_sub(1));
    let inner = height.saturating_sub(2);
    let mut lines = vec![paint(&(Tone::Plain, cut(&state.heading(), width))).bold().to_string()];
    let chart = inner.saturating_sub(text.len() + 1);
    if chart >= CHART_MIN && !state.series.is_empty() {
        lines.extend(chart_rows(state, (width, chart)));
        lines.push(String::new());
    }
    let left = height.saturating_sub(1 + lines.len());
    lines.extend(text.iter().take(left).map(paint));
    if text.len() > left && left > 0 {
        lines.pop();
        lines.push(format!("… `cargo lab check {}` says all", state.exercise.name()));
    }
    lines.resize(height.saturating_sub(1), String::new());
    lines.push(paint(&(Tone::Faint, cut(keys(width), width))));
    lines
}

fn chart_rows(state: &State<'_>, room: (usize, usize)) -> Vec<String> {
    let statement = &state.exercise.scenario.statement;
    let sides = [MINE, SOLUTION].map(str::to_owned);
    let frame = Frame {
        title: "your copy beside a solution",
        gauge: state.exercise.gauge(),
        units: &statement.units_name(),
        sides: &sides,
        series: &state.series,
        notes: Vec::new(),
        console: false,
    };
    let line = |row: Row| {
        let piece = |(side, text): (Option<usize>, String)| match side.and_then(|at| sides.get(at)) {
            Some(side) => text.with(Color::from(Role::of(side).colour())).to_string(),
            None => text,
        };
        row.0.into_iter().map(piece).collect()
    };
    frame.rows(room).into_iter().map(line).collect()
}

fn paint((tone, text): &Text) -> String {
    // crossterm leaves colour out where NO_COLOR is set.
    match tone {
        Tone::Plain => text.clone(),
        Tone::Good => text.clone().with(Color::from(Role::Fix.colour())).attribute(Attribute::Bold).to_string(),
        Tone::Bad => text.clone().with(Color::from(Role::Leak.colour())).attribute(Attribute::Bold).to_string(),
        Tone::Faint => text.clone().attribute(Attribute::Dim).to_string(),
    }
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}
