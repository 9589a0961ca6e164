//! Numbers and drawings in words.

use crate::{
    chart::run,
    series::{Recording, Run},
};

/// A line that ends within this share of its peak, as seen from its start, has not come down.
const STAYS_SHARE: f64 = 0.9;
/// A line that ends within this share of its start has come back.
const BACK_SHARE: f64 = 0.05;

/// A gauge as a reader says it.
pub fn gauge_title(name: &str) -> String {
    match name {
        "tasks" => "live tasks".to_owned(),
        "console_tasks" => "live tasks, counted by the console".to_owned(),
        "threads" => "OS threads".to_owned(),
        "blocking_threads" => "blocking threads".to_owned(),
        "fds" => "open file descriptors".to_owned(),
        "sockets" => "open sockets".to_owned(),
        "rss_kib" => "resident memory, KiB".to_owned(),
        own => own.replace('_', " "),
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What is left per unit: at most two decimals, none that say nothing, never `-0`.
pub fn per_unit(value: f64) -> String {
    let hundredths = (value.abs() * 100.0).round() as u64;
    let sign = if value < 0.0 && hundredths > 0 { "−" } else { "" };
    let decimals = format!("{:02}", hundredths % 100);
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{decimals}", grouped(hundredths / 100))
}

/// What the drawing of these sides shows, in one sentence.
///
/// # Errors
///
/// When a side was not recorded.
pub fn story(recording: &Recording, sides: &[&str]) -> anyhow::Result<String> {
    let mut longest = 0;
    let mut clauses = Vec::new();
    for side in sides {
        let run = run(recording, side)?;
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
