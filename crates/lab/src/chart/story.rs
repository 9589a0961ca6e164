//! What a drawing shows, in a sentence.

use crate::{
    series::{Recording, Run},
    words::{gauge_title, grouped},
};

/// A line that ends within this share of its peak, as seen from its start, has not come down.
const STAYS_SHARE: f64 = 0.9;
/// A line that ends within this share of its start has come back.
const BACK_SHARE: f64 = 0.05;

/// What the drawing of these sides shows, in one sentence.
///
/// # Errors
///
/// When a side was not recorded.
pub fn story(recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    let mut longest = 0;
    let mut clauses = Vec::new();
    for side in sides {
        let run = recording.run(side)?;
        longest = longest.max(run.series.elapsed_ms.last().copied().unwrap_or(0));
        clauses.push(format!("{side} {}", course(run, &recording.gauge)));
    }
    let title = gauge_title(&recording.gauge);
    let title = title[..1].to_uppercase() + &title[1..];
    Ok(format!("{title} over {:.1} seconds: {}.", longest as f64 / 1000.0, clauses.join("; ")))
}

/// The course of one line: where it starts, how high it gets, where it ends.
fn course(run: &Run, gauge: &str) -> String {
    let values = run.series.gauge(gauge);
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return "has no sample".to_owned() };
    let (peak, low) = (run.series.peak(gauge), values.iter().min().copied().unwrap_or(0));
    let text = grouped;
    let (rise, left) = (peak as f64 - first as f64, last as f64 - first as f64);
    if peak == first && low == first {
        format!("stays at {}", text(first))
    } else if left < 0.0 {
        format!("falls from {} to {}", text(first), text(last))
    } else if left <= rise * BACK_SHARE {
        format!("never exceeds {} and ends at {}", text(peak), text(last))
    } else if left >= rise * STAYS_SHARE {
        format!("climbs from {} to {} and stays there after the load ends", text(first), text(last))
    } else {
        format!("climbs from {} to {} and ends at {}", text(first), text(peak), text(last))
    }
}
