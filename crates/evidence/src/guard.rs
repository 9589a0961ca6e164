//! What a guard reports, found among other words: that of the leak checker, or, where what is lost is not a task, the guard's own
//! assertion that begins with `lost: `. Pure.

/// The first report in what a test printed, without the folder of cargo's registry, which differs from machine to machine.
pub fn report_in(words: &str) -> Option<String> {
    let is_head = |line: &&str| line.starts_with("leak: ") || line.starts_with("lost: ");
    let mut lines = words.lines().skip_while(|line| !is_head(line));
    let head = lines.next()?;
    let rest = lines.take_while(|line| line.starts_with("  "));
    Some(std::iter::once(head).chain(rest).map(|line| shorten(line) + "\n").collect())
}

/// A report without what depends on how busy the machine is: the tasks' ages, each of which stands last on its line, and how long the
/// check waited, for which limit.
pub fn without_times(report: &str) -> String {
    let lines = report.lines().filter(|line| !line.starts_with("  waited "));
    lines.map(|line| line.rsplit_once("; ").map_or(line, |(rest, _)| rest).to_owned() + "\n").collect()
}

fn shorten(line: &str) -> String {
    line.split(' ').map(stage::wire::shorten).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_among_other_words_and_loses_the_registrys_folder() {
        let words = "\nthread 'guard::a' (7) panicked at a.rs:1:2:\nleak: 1 task left\n  \
            1 task spawned at /home/me/.cargo/registry/src/index-1/tonic-0.14.9/src/a.rs:3:4: parked; under 1 s old\n\n\
            note: run with `RUST_BACKTRACE=1`\ntest guard::a - should panic ... ok\n";
        let report = "leak: 1 task left\n  1 task spawned at tonic-0.14.9/src/a.rs:3:4: parked; under 1 s old\n";
        assert_eq!(report_in(words).as_deref(), Some(report));
        assert_eq!(
            report_in("thread 'guard::a' (7) panicked at a.rs:1:2:\nlost: 3 of 8\nnote: x\n").as_deref(),
            Some("lost: 3 of 8\n")
        );
        assert_eq!(report_in("running 1 test\ntest a ... ok\n"), None);
        let waited = format!("{report}  waited 200 ms, until nothing could change: `settle` gives more\n");
        assert_eq!(
            without_times(&waited),
            "leak: 1 task left\n  1 task spawned at tonic-0.14.9/src/a.rs:3:4: parked\n"
        );
    }
}
