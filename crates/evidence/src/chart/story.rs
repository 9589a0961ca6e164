//! What a drawing shows, in a sentence: for those who do not see it, and below it for all.

use stage::gauge::Gauge;

use super::course::{Course, text, title};
use crate::side::capital;

/// A line that ends within this share of its peak, as seen from its start, has not come down.
const STAYS_SHARE: f64 = 0.9;
/// A line that ends within this share of its start has come back.
const BACK_SHARE: f64 = 0.05;

/// What the drawing of these sides shows, in one sentence. Each side begins with the value before the load.
pub fn story(gauge: &Gauge, courses: &[Course<'_>]) -> String {
    let longest = courses.iter().filter_map(|course| course.series.elapsed_ms.last()).max().copied().unwrap_or(0);
    let clauses: Vec<_> = courses.iter().map(|course| format!("{} {}", course.side, clause(gauge, course))).collect();
    format!("{} over {:.1} seconds: {}.", capital(&title(gauge)), longest as f64 / 1000.0, clauses.join("; "))
}

/// The course of one line: where it starts, how high it gets, where it ends.
fn clause(gauge: &Gauge, course: &Course<'_>) -> String {
    let values = course.values(gauge);
    let (Some(&seen), Some(&last)) = (values.first(), values.last()) else { return "has no sample".to_owned() };
    let text = |value| text(gauge, value);
    let Some(first) = course.start(gauge) else {
        // Nobody looked before the load, and the program tells it at the end.
        return format!("is at {}", text(last));
    };
    if course.running {
        return format!("from {} to {} so far", text(first), text(last));
    }
    let peak = values.iter().copied().max().unwrap_or(seen).max(first);
    let low = values.iter().copied().min().unwrap_or(seen).min(first);
    let (rise, left) = (peak as f64 - first as f64, last as f64 - first as f64);
    if text(peak) == text(first) && text(low) == text(first) {
        format!("stays at {}", text(first))
    } else if left < 0.0 {
        format!("falls from {} to {}", text(first), text(last))
    } else if text(peak) == text(first) {
        format!("never exceeds {}, and ends at {}", text(first), text(last))
    } else if left <= rise * BACK_SHARE {
        let back = if text(last) == text(first) { "comes back to" } else { "ends at" };
        format!("rises from {} to {} at most and {back} {}", text(first), text(peak), text(last))
    } else if left >= rise * STAYS_SHARE {
        format!("climbs from {} to {} and stays there after the load ends", text(first), text(last))
    } else {
        format!("climbs from {} to {} and ends at {}", text(first), text(peak), text(last))
    }
}
