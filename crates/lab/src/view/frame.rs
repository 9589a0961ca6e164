//! One picture of a run: a plot of the gauge that tells the leak, and a column of gauges for each side. Pure.

use std::collections::BTreeMap;

use evidence::{
    plot::Plot,
    series::{Phase, Series},
};
use stage::gauge::rank;

use super::layout::Layout;

/// Room for the numbers left of the plot.
const AXIS: usize = 8;

/// What is drawn.
pub(crate) struct Frame<'a> {
    /// The scenario's name.
    pub(crate) title: &'a str,
    /// The gauge that tells the leak.
    pub(crate) gauge: &'a str,
    /// What several units of work are called.
    pub(crate) units: &'a str,
    /// In the order asked for.
    pub(crate) sides: &'a [String],
    pub(crate) series: &'a BTreeMap<String, Series>,
    /// Lines of text below the plot.
    pub(crate) notes: Vec<String>,
    /// The console counts, too.
    pub(crate) console: bool,
}

/// A line: pieces of text, each in the colour of a side or in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<(Option<usize>, String)>);

impl Row {
    fn plain(text: String) -> Self {
        Self(vec![(None, text)])
    }
}

impl Frame<'_> {
    /// The lines of the picture in a terminal of this size; fewer than it has rows.
    pub(crate) fn rows(&self, room: (usize, usize)) -> Vec<Row> {
        let names = self.gauge_names();
        let layout = Layout::fit(room, self.sides.len(), names.len(), self.notes.len(), self.console);
        let x_max = self.series.values().flat_map(|s| s.elapsed_ms.last()).max().map_or(1.0, |&ms| ms as f64);
        let mut rows = vec![Row::plain(format!("{}: {} over {:.1} s", self.title, self.gauge, x_max / 1000.0))];
        rows.extend(self.plot(room.0, layout.plot, x_max));
        rows.extend(self.notes.iter().cloned().map(Row::plain));
        let shown: Vec<_> = (0..self.sides.len()).collect();
        for band in shown.chunks(layout.columns).take(layout.bands) {
            rows.extend(self.band(band, &layout, &names));
        }
        rows.extend(layout.left_out(self.sides.len(), names.len()).map(Row::plain));
        rows.iter_mut().for_each(|row| row.cut(room.0));
        rows
    }

    /// The gauge that tells the leak first: it is shown also where there is no room for others.
    fn gauge_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.series.values().flat_map(|s| s.gauges.keys()).map(String::as_str).collect();
        names.sort_by_key(|name| (*name != self.gauge, rank(name)));
        names.dedup();
        names
    }

    fn plot(&self, width: usize, height: usize, x_max: f64) -> Vec<Row> {
        let y_max = self.series.values().map(|s| s.peak(self.gauge)).max().unwrap_or(0).max(10) as f64;
        let mut plot = Plot::new(width.saturating_sub(AXIS + 1), height);
        // The fix is drawn first, so that the leak stays on top where both begin.
        for (i, side) in self.sides.iter().enumerate().rev() {
            let Some(series) = self.series.get(side) else { continue };
            let xs = series.elapsed_ms.iter().map(|&ms| ms as f64);
            let points: Vec<_> = xs.zip(series.gauge(self.gauge).iter().map(|&n| n as f64)).collect();
            plot.line(i, &points, x_max, y_max);
        }
        let label = |row| match row {
            0 => format!("{y_max:.0}"),
            _ if row == height - 1 => "0".to_owned(),
            _ => String::new(),
        };
        let row = |(row, pieces): (usize, Vec<_>)| {
            let mut row = Row::plain(format!("{:>AXIS$} ", label(row)));
            row.0.extend(pieces);
            row
        };
        plot.rows().enumerate().map(row).collect()
    }

    /// Some sides beside each other.
    fn band(&self, sides: &[usize], layout: &Layout, names: &[&str]) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for &i in sides {
            for (row, (coloured, text)) in self.column(i, &names[..layout.gauges]).into_iter().enumerate() {
                // One column is kept free, so that a long text does not touch its neighbour.
                let text: String = text.chars().take(layout.cell - 1).collect();
                if rows.len() <= row {
                    rows.push(Row::default());
                }
                rows[row].0.push((coloured.then_some(i), format!("{text:<width$}", width = layout.cell)));
            }
        }
        rows
    }

    fn column(&self, i: usize, names: &[&str]) -> Vec<(bool, String)> {
        let (side, empty) = (&self.sides[i], Series::default());
        let series = self.series.get(side).unwrap_or(&empty);
        let now = series.phase.last().map_or("starting", |&now| phase(now));
        let done = series.units_done.last().unwrap_or(&0);
        let mut lines = vec![(true, side.clone()), (false, format!("{now}, {done} {}", self.units))];
        if self.console {
            lines.push((false, format!("{:<17}{:>7}", "console: tasks", series.console_tasks.last().unwrap_or(&0))));
        }
        lines.extend(names.iter().map(|name| {
            let value = series.gauge(name).last().map_or("-".to_owned(), u64::to_string);
            (*name == self.gauge, format!("{name:<17}{value:>7}"))
        }));
        lines
    }
}

/// A phase in one word.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Start => "start",
        Phase::Load => "load",
        Phase::Quiet => "quiet",
    }
}

impl Row {
    fn cut(&mut self, width: usize) {
        let mut left = width;
        for (_, text) in &mut self.0 {
            *text = text.chars().take(left).collect();
            left -= text.chars().count();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::series::Sample;

    /// The lines of a run of so many sides and gauges, without colours.
    fn drawn(room: (usize, usize), sides: usize, gauges: usize, notes: usize) -> Vec<String> {
        let sides: Vec<_> = (0..sides).map(|i| format!("side-{i}")).collect();
        let gauges = (0..gauges).map(|i| (if i == 0 { "tasks".to_owned() } else { format!("gauge_{i}") }, 7)).collect();
        let sample = Sample { elapsed_ms: 250, phase: Phase::Load, units_done: 3, gauges };
        let mut series = BTreeMap::<_, Series>::new();
        for side in &sides {
            series.entry(side.clone()).or_default().push(&sample, 7);
        }
        let notes = vec!["no search has ended for 5 s".to_owned(); notes];
        let frame = Frame {
            title: "x",
            gauge: "tasks",
            units: "searches",
            sides: &sides,
            series: &series,
            notes,
            console: true,
        };
        let rows = frame.rows(room);
        let lines: Vec<String> =
            rows.into_iter().map(|row| row.0.into_iter().map(|(_, text)| text).collect()).collect();
        assert!(lines.iter().all(|line| line.chars().count() <= room.0), "{room:?}");
        lines
    }

    #[test]
    fn a_frame_fits_every_terminal_and_every_side_is_shown_or_counted() {
        for (width, height) in [(50, 10), (50, 20), (80, 12), (80, 24), (110, 40), (110, 15)] {
            for sides in 1..=8 {
                for gauges in 1..=14 {
                    for notes in [0, 2] {
                        let lines = drawn((width, height), sides, gauges, notes);
                        let what = format!("{sides} sides, {gauges} gauges at {width}×{height}");
                        assert!(lines.len() < height, "{what}: {} lines", lines.len());
                        let text = lines.join("\n");
                        let shown = (0..sides).filter(|i| text.contains(&format!("side-{i}"))).count();
                        let counted = format!("and {} more sides", sides - shown);
                        assert!(shown == sides || text.contains(&counted), "{what}:\n{text}");
                        assert!(shown > 0, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn seven_sides_at_80_columns_are_all_shown_with_the_gauge_that_tells_the_leak() {
        let text = drawn((80, 24), 7, 9, 0).join("\n");
        assert!((0..7).all(|i| text.contains(&format!("side-{i}"))), "{text}");
        assert_eq!(text.matches("tasks                  7").count(), 7, "{text}");
        assert!(text.contains("more gauges"), "{text}");
    }

    #[test]
    fn where_there_is_room_all_gauges_are_shown() {
        let lines = drawn((110, 40), 2, 9, 0);
        assert_eq!(lines.len(), 1 + 8 + 3 + 9);
        assert!(!lines.join("\n").contains("more"));
    }
}
