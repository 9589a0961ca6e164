//! The drawing itself.
//!
//! It takes the size that the page gives it: lines stretch, letters do not. Its outer box is the plane between the axes, and what
//! stands around it is in the padding. Colours are CSS variables, so it follows the page's theme; each line also
//! differs by dash and by the label at its end, so it reads without colour. It says in words what it shows.

use std::fmt::Write as _;

use anyhow::ensure;
use stage::gauge::Gauge;

use super::{
    course::{Course, shown, title},
    scale::{Scale, simplify, spread},
    story::story,
};
use crate::{
    exercise::{SOLUTION, START},
    series::{Phase, Recording},
    side::Role,
    words::grouped,
};

/// The plane as the points count it; a page stretches it.
const WIDTH: f64 = 528.0;
const HEIGHT: f64 = 232.0;
/// What stands around the plane in a file of its own; pages have it as padding.
const LEFT: f64 = 72.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 34.0;
/// End labels closer than this are pushed apart: a line of text where a phone or paper makes the plane half as high.
const LABEL_HEIGHT: f64 = 25.0;
/// A phase narrower than its name stays without.
const PHASE_WIDTH_MIN: f64 = 60.0;
/// Moments whose values are told under the pointer.
const MOMENTS: u32 = 24;
/// The colours of the book's light theme.
const STANDALONE_STYLE: &str = "<style>\
svg{font:13px system-ui,sans-serif;background:#fff}text{fill:#333}.wb-grid{stroke:#333;opacity:.15;fill:none}.wb-load{fill:#333;opacity:.05}\
polyline{fill:none;stroke-width:2.5}path,polyline{vector-effect:non-scaling-stroke}\
polyline.wb-leak{stroke:#b34700}polyline.wb-fix{stroke:#005f9e;stroke-dasharray:8 5}\
text.wb-leak,circle.wb-leak{fill:#b34700}text.wb-fix,circle.wb-fix{fill:#005f9e}text.wb-leak,text.wb-fix{font-weight:700}\
</style>";

/// Draws a gauge for a page. The axes have room for `expected` too, so that a live run grows into the recorded one's place.
///
/// # Errors
///
/// When no side has a sample of the gauge.
pub fn svg(gauge: &Gauge, courses: &[Course<'_>], expected: &[Course<'_>]) -> anyhow::Result<String> {
    let pointed = if courses.iter().all(|course| !course.running) { Pointed::Yes } else { Pointed::No };
    let (label, drawn) = (escaped(&story(gauge, courses)), drawn(gauge, courses, expected, pointed)?);
    Ok(format!(r#"<svg class="wb-chart-svg" role="img" aria-label="{label}">{drawn}</svg>"#))
}

/// Leak and fix of a recording, or start and solution of an exercise's, as a file of its own: for the README, where no stylesheet of the book is.
///
/// # Errors
/// When the recording lacks one of the two.
pub fn divergence(recording: &Recording) -> anyhow::Result<String> {
    let sides = if recording.sides.contains_key(START) { [START, SOLUTION] } else { ["leak", "fix"] };
    let (gauge, courses) = (Gauge::named(&recording.gauge), Course::recorded(recording, &sides)?);
    let (label, drawn) = (escaped(&story(&gauge, &courses)), drawn(&gauge, &courses, &[], Pointed::No)?);
    let (width, height) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\" xmlns=\"http://www.w3.org/2000/svg\">\
         {STANDALONE_STYLE}<svg x=\"{LEFT}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" overflow=\"visible\">{drawn}</svg></svg>\n"
    ))
}

/// Whether a pointer is told values: not in a picture, nor in what changes four times in a second.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pointed {
    Yes,
    No,
}

/// What is in the outer element: the stretched plane with the lines, then the letters around it.
fn drawn(gauge: &Gauge, courses: &[Course<'_>], expected: &[Course<'_>], pointed: Pointed) -> anyhow::Result<String> {
    let lines: Vec<_> = courses.iter().filter_map(|course| Line::of(gauge, course)).collect();
    ensure!(!lines.is_empty(), "no side has a sample of `{}`", gauge.name);
    let room: Vec<_> = expected.iter().filter_map(|course| Line::of(gauge, course)).collect();
    let plane = Plane::around(lines.iter().chain(&room));
    let mut out = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" overflow="visible">"#);
    out += &plane.load(&lines);
    out += &plane.grid();
    out.extend(lines.iter().map(|line| plane.line(line)));
    if pointed == Pointed::Yes {
        out += &plane.moments(&lines);
    }
    out += "</svg>";
    out += &plane.letters(&title(gauge), &lines);
    let labels = spread(lines.iter().map(|line| plane.y(line.last())).collect(), LABEL_HEIGHT);
    out.extend(lines.iter().zip(labels).map(|(line, label_y)| plane.end(line, label_y)));
    Ok(out)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// One side's values, ready to draw.
struct Line<'a> {
    side: &'a str,
    points: Vec<(f64, f64)>,
    load_ends: f64,
    /// True when the load is over.
    quiet: bool,
}

impl<'a> Line<'a> {
    fn of(gauge: &Gauge, course: &Course<'a>) -> Option<Self> {
        let seconds = |ms: &u64| *ms as f64 / 1000.0;
        let values = course.values(gauge).iter().map(|value| shown(gauge, *value));
        let points: Vec<_> = course.series.elapsed_ms.iter().map(seconds).zip(values).collect();
        let quiet = course.series.phase.iter().position(|phase| *phase == Phase::Quiet);
        let load_ends = points.get(quiet.unwrap_or(points.len().saturating_sub(1)))?.0;
        Some(Self { side: course.side, points, load_ends, quiet: quiet.is_some() || !course.running })
    }

    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.1)
    }

    /// The value at a moment: that of the last sample until then.
    fn at(&self, seconds: f64) -> f64 {
        let later = self.points.partition_point(|point| point.0 <= seconds);
        self.points.get(later.saturating_sub(1)).map_or(0.0, |point| point.1)
    }
}

/// Where values are on the plane.
struct Plane {
    seconds: Scale,
    values: Scale,
}

impl Plane {
    fn around<'l, 'a: 'l>(lines: impl Iterator<Item = &'l Line<'a>>) -> Self {
        let (mut longest, mut highest) = (0.1_f64, 1.0_f64);
        for point in lines.flat_map(|line| &line.points) {
            (longest, highest) = (longest.max(point.0), highest.max(point.1));
        }
        Self { seconds: Scale::exactly(longest), values: Scale::up_to(highest) }
    }

    fn x(&self, seconds: f64) -> f64 {
        seconds / self.seconds.max * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - value / self.values.max * HEIGHT
    }

    fn load_end(&self, lines: &[Line<'_>]) -> f64 {
        self.x(lines.iter().map(|line| line.load_ends).fold(0.0, f64::max))
    }

    /// The time under load is shaded: to its right, whatever does not come down is what the load left behind.
    fn load(&self, lines: &[Line<'_>]) -> String {
        format!(r#"<rect class="wb-load" width="{:.0}" height="{HEIGHT}"/>"#, self.load_end(lines))
    }

    fn grid(&self) -> String {
        let lines: String = self.values.steps().map(|value| format!("M0 {:.0}H{WIDTH}", self.y(value))).collect();
        format!(r#"<path class="wb-grid" d="{lines}"/>"#)
    }

    fn line(&self, line: &Line<'_>) -> String {
        let on_plane: Vec<_> = line.points.iter().map(|point| (self.x(point.0), self.y(point.1))).collect();
        let points: Vec<_> = simplify(&on_plane).iter().map(|(x, y)| format!("{x:.0},{y:.1}")).collect();
        format!(r#"<polyline class="{}" points="{}"/>"#, Role::of(line.side).class(), points.join(" "))
    }

    /// The values of all sides under the pointer, a strip for each moment.
    fn moments(&self, lines: &[Line<'_>]) -> String {
        let width = WIDTH / f64::from(MOMENTS);
        let mut out = r#"<g class="wb-moments" fill="none" pointer-events="visibleFill">"#.to_owned();
        for moment in 0..MOMENTS {
            let seconds = (f64::from(moment) + 0.5) / f64::from(MOMENTS) * self.seconds.max;
            let values =
                lines.iter().map(|line| format!("{} {}", escaped(line.side), grouped(line.at(seconds) as u64)));
            let (x, values) = (f64::from(moment) * width, values.collect::<Vec<_>>().join(", "));
            let _ = write!(
                out,
                r#"<rect x="{x}" width="{width}" height="{HEIGHT}"><title>{seconds:.1} s: {values}</title></rect>"#
            );
        }
        out + "</g>"
    }

    /// What is written around the plane. Percentages, for letters keep their size while the plane is stretched.
    fn letters(&self, title: &str, lines: &[Line<'_>]) -> String {
        let mut out = format!(r#"<text x="-46" y="-20">{}</text>"#, escaped(title));
        let (end, all_quiet) = (self.load_end(lines), lines.iter().all(|line| line.quiet));
        for (name, from, to, is_there) in [("load", 0.0, end, true), ("quiet", end, WIDTH, all_quiet)] {
            if is_there && to - from > PHASE_WIDTH_MIN {
                let x = across(f64::midpoint(from, to));
                let _ = write!(out, r#"<text class="wb-phase" x="{x}%" y="-7" text-anchor="middle">{name}</text>"#);
            }
        }
        for value in self.values.steps() {
            let (y, value) = (down(self.y(value)), grouped(value as u64));
            let _ = write!(out, r#"<text x="-8" y="{y}%" dy="4" text-anchor="end">{value}</text>"#);
        }
        for seconds in self.seconds.steps() {
            let (x, seconds) = (across(self.x(seconds)), (seconds * 100.0).round() / 100.0);
            let _ = write!(out, r#"<text x="{x}%" y="100%" dy="20" text-anchor="middle">{seconds} s</text>"#);
        }
        out
    }

    /// A dot where the load ended, and at the end of the line its side's name and last value.
    fn end(&self, line: &Line<'_>, label_y: f64) -> String {
        let (class, side) = (Role::of(line.side).class(), escaped(line.side));
        let (dot_x, dot_y) = (across(self.x(line.load_ends)), down(self.y(line.at(line.load_ends))));
        let x = line.points.last().map_or(0.0, |point| across(self.x(point.0)));
        let (y, last) = (down(label_y), grouped(line.last() as u64));
        format!(
            "<circle class=\"{class}\" cx=\"{dot_x}%\" cy=\"{dot_y}%\" r=\"3.5\"/>\
             <text class=\"{class}\" x=\"{x}%\" dx=\"8\" y=\"{y}%\" dy=\"4\">{side} {last}</text>"
        )
    }
}

/// Per cent of the plane's width, with one decimal.
fn across(x: f64) -> f64 {
    (x / WIDTH * 1000.0).round() / 10.0
}

fn down(y: f64) -> f64 {
    (y / HEIGHT * 1000.0).round() / 10.0
}
