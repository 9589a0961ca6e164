use std::ffi::OsString;

use super::{data::Group, *};
use crate::report::Survivors;

fn from_env(variables: &[(&str, &str)]) -> Result<Suite, String> {
    Suite::from_env(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
}

#[test]
fn a_value_that_is_no_mode_is_refused_with_what_to_write() {
    for (variables, part) in [
        (&[("LEAKCHECK", "reprot")][..], "write LEAKCHECK=report"),
        (&[("LEAKCHECK", "shrink")], "set LEAKCHECK_BASELINE="),
        (&[("LEAKCHECK_BASELINE", "/no/such/file")], "cargo leakcheck baseline /no/such/file"),
    ] {
        let why = from_env(variables).unwrap_err();
        assert!(why.contains(part) && !why.contains('\n'), "{why}");
    }
}

#[test]
fn an_empty_variable_is_as_none() {
    let suite = from_env(&[("LEAKCHECK", ""), ("LEAKCHECK_BASELINE", ""), ("LEAKCHECK_REPORT", "")]).unwrap();
    assert_eq!((suite.mode, suite.baseline.is_none(), suite.run.is_none()), (Mode::Fail, true, true));
}

#[test]
fn what_is_left_is_counted_by_line_without_columns() {
    let at = |column, count| Survivors {
        file: "a\\b.rs".into(),
        line: 3,
        column,
        count,
        parked: count,
        ..Survivors::default()
    };
    let report = Report { survivors: vec![at(5, 2), at(9, 1)], blocking: 1, ..Report::default() };
    let group = |tasks, state: &str| Group { tasks, states: vec![(tasks, state.to_owned())] };
    let lines = [("a/b.rs:3", group(3, "parked")), ("blocking threads", group(1, "busy"))];
    assert_eq!(left(&report), lines.map(|(line, group)| (line.to_owned(), group)).into());
}
