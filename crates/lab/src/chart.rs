//! Draws a recording: one gauge, a line for each side, as a small SVG that needs no script. Pure.
//!
//! Colours are CSS variables, so a drawing follows the page's theme; each line also differs by dash and by the label
//! at its end, so it reads without colour. The drawing says in words what it shows.

mod story;

use std::fmt::Write as _;

use anyhow::ensure;

pub use story::story;

use crate::{
    series::{Phase, Recording},
    side::Role,
    words::{gauge_title, grouped},
};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 34.0;
/// A point closer than this to the line between its neighbours is not drawn.
const TOLERANCE: f64 = 0.5;
/// End labels closer than this are pushed apart.
const LABEL_HEIGHT: f64 = 18.0;
/// About this many steps on an axis.
const STEPS: f64 = 5.0;
/// The colours of the book's light and dark themes.
const STANDALONE_STYLE: &str = "<style>\
svg{font:13px system-ui,sans-serif;background:#fff}text{fill:#333}.wb-grid{stroke:#333;opacity:.15}.wb-load{fill:#333;opacity:.05}\
polyline{fill:none;stroke-width:2.5}polyline.wb-leak{stroke:#b34700}polyline.wb-fix{stroke:#005f9e;stroke-dasharray:8 5}\
text.wb-leak,circle.wb-leak{fill:#b34700}text.wb-fix,circle.wb-fix{fill:#005f9e}text.wb-leak,text.wb-fix{font-weight:700}\
</style>";

/// Draws the headline gauge of the sides, in the order given.
///
/// # Errors
///
/// When a side was not recorded, or its record holds no sample of the gauge: there is nothing to draw then, and an empty
/// picture would look like a service without a leak.
pub fn svg(recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    let lines = sides.iter().map(|side| Line::of(recording, side)).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!lines.is_empty(), "no side to draw");
    let plane = Plane::around(&lines);
    let mut out = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        story(recording, sides)?.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
    );
    out += &plane.phases(&lines);
    out += &plane.axes(&gauge_title(&recording.gauge));
    let labels = spread(lines.iter().map(|line| plane.y(line.last())).collect());
    for (line, label_y) in lines.iter().zip(labels) {
        out += &plane.line(line, label_y);
    }
    Ok(out + "</svg>")
}

/// Leak and fix of a recording as a file of its own: for the README, where no stylesheet of the book is.
///
/// # Errors
/// When the recording lacks one of the two.
pub fn divergence(recording: &Recording) -> anyhow::Result<String> {
    let svg = svg(recording, &["leak", "fix"])?;
    let (tag, rest) = svg.split_once('>').unwrap_or((&svg, ""));
    let namespace = if tag.contains("xmlns=") { "" } else { " xmlns=\"http://www.w3.org/2000/svg\"" };
    Ok(format!("{tag}{namespace}>{STANDALONE_STYLE}{rest}\n"))
}

/// One side's values, ready to draw.
struct Line<'a> {
    side: &'a str,
    points: Vec<(f64, f64)>,
    load_ends: f64,
}

impl<'a> Line<'a> {
    fn of(recording: &Recording, side: &'a str) -> anyhow::Result<Self> {
        let series = &recording.run(side)?.series;
        let values = series.gauge(&recording.gauge);
        ensure!(!values.is_empty(), "the side `{side}` has no sample of `{}`", recording.gauge);
        let seconds = |ms: &u64| *ms as f64 / 1000.0;
        let points: Vec<_> = series.elapsed_ms.iter().map(seconds).zip(values.iter().map(|v| *v as f64)).collect();
        let quiet = series.phase.iter().position(|phase| *phase == Phase::Quiet);
        let load_ends = points[quiet.unwrap_or(points.len() - 1)].0;
        Ok(Self { side, points, load_ends })
    }

    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }

    /// The value at the moment the load ended.
    fn at_load_end(&self) -> f64 {
        self.points.iter().find(|point| point.0 >= self.load_ends).map_or(0.0, |point| point.1)
    }
}

/// Where values are on the paper.
struct Plane {
    x_max: f64,
    x_step: f64,
    y_max: f64,
    y_step: f64,
}

impl Plane {
    fn around(lines: &[Line<'_>]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let x_max = points().map(|point| point.0).fold(0.0, f64::max).max(0.1);
        let highest = points().map(|point| point.1).fold(1.0, f64::max);
        // Counts are whole, so half a step is no step.
        let y_step = round_step(highest / STEPS).max(1.0);
        Self { x_max, x_step: round_step(x_max / STEPS), y_max: (highest / y_step).ceil() * y_step, y_step }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.x_max * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.y_max * (HEIGHT - TOP - BOTTOM)
    }

    /// The time under load is shaded: to its right, whatever does not come down is what the load left behind.
    fn phases(&self, lines: &[Line<'_>]) -> String {
        let end = self.x(lines.iter().map(|line| line.load_ends).fold(0.0, f64::max));
        let (width, height) = (end - LEFT, HEIGHT - TOP - BOTTOM);
        let mut out = format!(r#"<rect class="wb-load" x="{LEFT}" y="{TOP}" width="{width:.0}" height="{height}"/>"#);
        let right = WIDTH - RIGHT;
        for (name, from, to) in [("load", LEFT, end), ("quiet", end, right)] {
            if to - from > 40.0 {
                let middle = f64::midpoint(from, to);
                let y = TOP - 7.0;
                let _ =
                    write!(out, r#"<text class="wb-phase" x="{middle:.0}" y="{y}" text-anchor="middle">{name}</text>"#);
            }
        }
        out
    }

    fn axes(&self, title: &str) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let (mut grid, mut labels) = (String::new(), format!(r#"<text x="{LEFT}" y="14">{title}</text>"#));
        for value in steps(self.y_max, self.y_step) {
            let y = self.y(value);
            let _ = write!(grid, "M{LEFT} {y:.0}H{right}");
            let (x, y, value) = (LEFT - 8.0, y + 4.0, grouped(value as u64));
            let _ = write!(labels, r#"<text x="{x}" y="{y:.0}" text-anchor="end">{value}</text>"#);
        }
        for seconds in steps(self.x_max, self.x_step) {
            let (x, y, value) = (self.x(seconds), bottom + 20.0, (seconds * 100.0).round() / 100.0);
            let _ = write!(labels, r#"<text x="{x:.0}" y="{y}" text-anchor="middle">{value} s</text>"#);
        }
        format!(r#"<path class="wb-grid" d="{grid}"/>{labels}"#)
    }

    fn line(&self, line: &Line<'_>, label_y: f64) -> String {
        let on_paper: Vec<_> = line.points.iter().map(|point| (self.x(point.0), self.y(point.1))).collect();
        let points: Vec<_> = simplify(&on_paper).iter().map(|(x, y)| format!("{x:.0},{y:.1}")).collect();
        let (class, side) = (Role::of(line.side).class(), line.side);
        let (dot_x, dot_y) = (self.x(line.load_ends), self.y(line.at_load_end()));
        let label_x = on_paper.last().map_or(LEFT, |point| point.0) + 8.0;
        format!(
            concat!(
                r#"<polyline class="{class}" points="{points}"/>"#,
                r#"<circle class="{class}" cx="{dot_x:.0}" cy="{dot_y:.1}" r="3.5"/>"#,
                r#"<text class="{class}" x="{label_x:.0}" y="{label_y:.0}">{side} {last}</text>"#
            ),
            class = class,
            points = points.join(" "),
            dot_x = dot_x,
            dot_y = dot_y,
            label_x = label_x,
            label_y = label_y + 4.0,
            side = side,
            last = grouped(line.last() as u64)
        )
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power)
}

fn steps(max: f64, step: f64) -> impl Iterator<Item = f64> {
    (0..=(max / step + 0.001) as u32).map(move |i| f64::from(i) * step)
}

/// Leaves out the points that lie on the line between others (Ramer, Douglas, Peucker).
fn simplify(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [first, inner @ .., last] = points else { return points.to_vec() };
    let off_line = |point: &(f64, f64)| {
        let (dx, dy) = (last.0 - first.0, last.1 - first.1);
        ((point.0 - first.0) * dy - (point.1 - first.1) * dx).abs() / dx.hypot(dy).max(f64::MIN_POSITIVE)
    };
    let farthest = inner.iter().map(off_line).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    match farthest {
        Some((i, distance)) if distance > TOLERANCE => {
            let mut left = simplify(&points[..=i + 1]);
            left.pop();
            left.extend(simplify(&points[i + 1..]));
            left
        }
        _ => vec![*first, *last],
    }
}

/// Moves labels apart, upwards, so that none covers another; the order of heights stays.
fn spread(heights: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<_> = (0..heights.len()).collect();
    // Ties: the first given is the higher one.
    order.sort_by(|a, b| heights[*b].total_cmp(&heights[*a]).then(b.cmp(a)));
    let mut spread = heights;
    for pair in order.windows(2) {
        spread[pair[1]] = spread[pair[1]].min(spread[pair[0]] - LABEL_HEIGHT);
    }
    spread
}

#[cfg(test)]
mod tests;
