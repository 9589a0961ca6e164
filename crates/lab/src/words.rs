//! Numbers and gauges in words, the same on pages, in the terminal and in drawings. Pure.

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
}
