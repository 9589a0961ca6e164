//! Numbers and gauges in words, the same on pages, in the terminal and in drawings. Pure.

use stage::gauge::{Gauge, Kind, Unit};

const KIB_PER_MIB: u64 = 1024;
/// A gauge of every exercise.
const HEAP: &str = "heap_kib";
/// So few milliseconds have a tenth.
const FEW_MS: f64 = 10.0;

/// A gauge as a reader says it.
pub fn gauge_title(name: &str) -> String {
    Gauge::named(name).title()
}

/// A gauge as a sentence has it. What an exercise allocates is counted in KiB also where other memory is said in MiB: those would hide what a
/// limit of some hundred KiB is about.
pub fn title(gauge: &Gauge) -> String {
    if gauge.name == HEAP { "allocated memory, KiB".to_owned() } else { gauge.title() }
}

/// A gauge as the title of a column or a row, with its unit: the numbers there have none. KiB would be too many digits for a
/// table on a phone.
pub fn column_title(gauge: &Gauge) -> String {
    let title = gauge.title();
    match gauge.unit {
        Unit::Kibibytes => title.replace("KiB", "MiB"),
        Unit::Count | Unit::Milliseconds => title,
    }
}

/// A gauge's number below such a title.
pub fn number(gauge: &Gauge, value: u64) -> String {
    match gauge.unit {
        Unit::Kibibytes => grouped(value.saturating_add(KIB_PER_MIB / 2) / KIB_PER_MIB),
        Unit::Count | Unit::Milliseconds => grouped(value),
    }
}

/// What is left per unit of work, below such a title; none for a maximum, which cannot be divided.
pub fn left(gauge: &Gauge, left: f64) -> Option<String> {
    match (gauge.kind, gauge.unit) {
        (Kind::Maximum, _) => None,
        (_, Unit::Kibibytes) => Some(per_unit(left / KIB_PER_MIB as f64)),
        // A gauge of milliseconds is cut off, so hundredths of one say nothing.
        (_, Unit::Milliseconds) if left.abs() < FEW_MS => Some(per_unit((left * 10.0).round() / 10.0)),
        (_, Unit::Milliseconds) => Some(per_unit(left.round())),
        (_, Unit::Count) => Some(per_unit(left)),
    }
}

/// How far a build is. Nothing is counted while cargo waits.
pub fn building(text: &str, done: u32, total: u32) -> String {
    if total == 0 { text.to_owned() } else { format!("building {done} of {total}: {text}") }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, -0.001, 6.0, 0.995, 267.72, -1.5].map(per_unit), ["0", "0", "6", "1", "267.72", "−1.5"]);
    }

    #[test]
    fn a_unit_stands_in_the_title_and_decides_the_digits() {
        let memory = Gauge::named("rss_kib");
        assert_eq!(column_title(&memory), "resident memory, MiB");
        assert_eq!((number(&memory, 34 * 1024 + 512), left(&memory, 256.0).unwrap()), ("35".into(), "0.25".into()));
        let sum = Gauge { name: "exit_ms".into(), kind: Kind::Sum, unit: Unit::Milliseconds };
        assert_eq!(column_title(&sum), "exit, ms");
        assert_eq!([1234.56, 4.56, 0.0].map(|ms| left(&sum, ms).unwrap()), ["1,235", "4.6", "0"]);
        let longest = Gauge { kind: Kind::Maximum, ..sum };
        assert_eq!((number(&longest, 5_004), left(&longest, 12.5)), ("5,004".into(), None));
    }
}
