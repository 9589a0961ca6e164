use std::time::Duration;

use quote::{ToTokens, quote};

use super::{ARGUMENTS, Args, DURATION_MAX, Flavor, duration};

fn read(text: &str) -> Args {
    Args::parse(text.parse().unwrap()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Checks the one error message for each refused text.
fn refused(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let Err(error) = Args::parse(text.parse().unwrap()) else { panic!("{text}: accepted") };
        let errors: Vec<_> = error.into_iter().map(|error| error.to_string()).collect();
        assert_eq!(errors, [*message], "{text}");
    }
}

#[test]
fn without_arguments_everything_is_left_to_the_checker() {
    let args = read("");
    assert!(matches!(args.flavor, Flavor::CurrentThread));
    assert!(args.start_paused.is_none() && args.await_lines.is_none() && args.crate_path.is_none());
    assert!(args.settle.is_none() && args.horizon.is_none() && args.deadline.is_none() && args.allow.is_empty());
}

#[test]
fn every_argument_is_read() {
    let args = read(
        r#"flavor = "current_thread", start_paused = true, settle = "200ms", horizon = "31s", deadline = "1m",
           allow = "src/a.rs", await_lines = false, crate = "crate::renamed","#,
    );
    assert!(matches!(args.flavor, Flavor::CurrentThread));
    assert_eq!(args.start_paused, Some(true));
    assert_eq!(args.settle, Some(Duration::from_millis(200)));
    assert_eq!(args.horizon, Some(Duration::from_secs(31)));
    assert_eq!(args.deadline, Some(Duration::from_secs(60)));
    assert_eq!(args.allow[0].text.value(), "src/a.rs");
    assert_eq!(args.await_lines, Some(false));
    assert_eq!(args.crate_path.unwrap().to_token_stream().to_string(), quote!(crate::renamed).to_string());
}

#[test]
fn workers_and_flavor_come_in_any_order() {
    for text in [r#"flavor = "multi_thread", worker_threads = 3"#, r#"worker_threads = 3, flavor = "multi_thread""#] {
        assert!(matches!(read(text).flavor, Flavor::MultiThread(Some(3))), "{text}");
    }
    assert!(matches!(read(r#"flavor = "multi_thread""#).flavor, Flavor::MultiThread(None)));
}

#[test]
fn a_local_runtime_can_start_paused_and_has_a_horizon() {
    let args = read(r#"flavor = "local", start_paused = true, horizon = "0s""#);
    assert!(matches!(args.flavor, Flavor::Local));
    assert_eq!((args.start_paused, args.horizon), (Some(true), Some(Duration::ZERO)));
}

#[test]
fn an_allowance_may_have_a_number() {
    let args = read(r#"allow = ["src/a.rs:17", ("hyper-util", at_most = 2)]"#);
    let numbers: Vec<_> = args.allow.iter().map(|allowance| (allowance.text.value(), allowance.at_most)).collect();
    assert_eq!(numbers, [("src/a.rs:17".to_owned(), None), ("hyper-util".to_owned(), Some(2))]);
}

#[test]
fn several_allowances_are_an_array() {
    let args = read(r#"allow = ["src/a.rs:17", "hyper-util"]"#);
    let texts: Vec<_> = args.allow.iter().map(|allowance| allowance.text.value()).collect();
    assert_eq!(texts, ["src/a.rs:17", "hyper-util"]);
}

#[test]
fn every_example_in_a_message_is_accepted() {
    for (name, example) in ARGUMENTS {
        let before = if name == "worker_threads" { r#"flavor = "multi_thread", "# } else { "" };
        read(&format!("{before}{example}"));
    }
}

#[test]
fn a_value_from_a_macro_variable_is_read_in_its_group() {
    let value = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!("2s"));
    let args = Args::parse(quote!(settle = #value)).unwrap();
    assert_eq!(args.settle, Some(Duration::from_secs(2)));
}

#[test]
fn a_duration_is_a_whole_number_and_a_unit() {
    for (text, millis) in [("0s", 0), ("200ms", 200), ("2s", 2_000), ("1m", 60_000), ("1440m", 86_400_000)] {
        assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "s", "2", "2 s", "1.5s", "-1s", "+1s", "2sec", "2S", "1h", "1m30s", "99999999999999999999s"] {
        assert_eq!(duration(text), None, "{text}");
    }
    assert!(duration("18446744073709551615m").unwrap() > DURATION_MAX);
}

#[test]
fn what_is_no_argument_is_answered_with_what_is() {
    refused(&[
        (
            r#"timeout = "1s""#,
            "unknown argument `timeout`: write one of `flavor`, `worker_threads`, `start_paused`, `settle`, \
             `horizon`, `deadline`, `allow`, `allow_blocking`, `await_lines`, `panics`, `children`, `crate`",
        ),
        ("multi_thread", "the flavor needs its name: write `flavor = \"multi_thread\"`"),
        ("current_thread", "the flavor needs its name: write `flavor = \"current_thread\"`"),
        ("core_threads = 2", "`core_threads` is called `worker_threads`"),
        (
            r#"unhandled_panic = "ignore""#,
            "`unhandled_panic` is an argument of `#[tokio::test]` only: remove it, or build the runtime yourself with \
             `leakcheck::attach`",
        ),
        (r#""multi_thread""#, "an argument has a name and a value: write `flavor = \"multi_thread\"`"),
        ("start_paused", "`start_paused` needs a value: write `start_paused = true`"),
        ("settle =", "`settle` needs a value: write `settle = \"2s\"`"),
        ("deadline = , await_lines = true", "`deadline` needs a value: write `deadline = \"30s\"`"),
        (r#"allow("src/a.rs")"#, "`allow` needs a value: write `allow = \"src/metrics.rs\"`"),
        (r#"settle = "1s" deadline = "1s""#, "expected `,`"),
    ]);
}

#[test]
fn an_argument_is_given_once() {
    refused(&[
        (r#"settle = "1s", await_lines = true, settle = "2s""#, "`settle` is given twice: keep one"),
        (r#"allow = "src/a.rs", allow = "src/b.rs""#, "`allow` is given twice: write `allow = [\"…\", \"…\"]`"),
    ]);
}

#[test]
fn a_value_of_the_wrong_kind_is_answered_with_an_example() {
    refused(&[
        ("flavor = 1", "`flavor` takes a string: write `flavor = \"multi_thread\"`"),
        ("worker_threads = \"2\"", "`worker_threads` takes a whole number: write `worker_threads = 2`"),
        ("worker_threads = -1", "`worker_threads` takes a whole number: write `worker_threads = 2`"),
        (
            "worker_threads = 99999999999999999999999",
            "`worker_threads` takes a whole number: write `worker_threads = 2`",
        ),
        ("start_paused = 1", "`start_paused` takes `true` or `false`: write `start_paused = true`"),
        ("await_lines = \"yes\"", "`await_lines` takes `true` or `false`: write `await_lines = true`"),
        ("settle = 2", "`settle` takes a string: write `settle = \"2s\"`"),
        ("panics = true", "`panics` takes a string: write `panics = \"fail\"`"),
        ("children = \"no\"", "`children` takes `\"fail\"` or `\"note\"`: write `children = \"fail\"`"),
        ("allow = (\"hyper-util\", 1)", "an allowance with a number is written `(\"hyper-util\", at_most = 1)`"),
        (
            "allow = [(\"hyper-util\", most = 1)]",
            "an allowance with a number is written `(\"hyper-util\", at_most = 1)`",
        ),
        ("allow = (\"a\", at_most = 0)", "`at_most` is a whole number from 1: write `at_most = 1`"),
        ("allow = 1", "`allow` takes a string or an array of strings: write `allow = \"src/metrics.rs\"`"),
        ("allow = [\"src/a.rs\", 1]", "an allowance is a string: write `\"src/metrics.rs\"`"),
        ("crate = \"a b\"", "`crate` takes a path in a string: write `crate = \"renamed\"`"),
    ]);
}

#[test]
fn a_flavor_that_is_not_is_answered_with_those_that_are() {
    refused(&[
        (
            r#"flavor = "many""#,
            "no flavor is called `many`: write `\"current_thread\"`, `\"multi_thread\"` or `\"local\"`",
        ),
        (r#"flavor = "single_thread""#, "this flavor is called `current_thread`"),
        (r#"flavor = "threaded_scheduler""#, "this flavor is called `multi_thread`"),
    ]);
}

#[test]
fn what_a_flavor_cannot_do_is_refused() {
    let workers = "`worker_threads` needs `flavor = \"multi_thread\"`: a `current_thread` runtime has one thread";
    let paused =
        "`start_paused` needs `flavor = \"current_thread\"`: tokio cannot pause the clock of a `multi_thread` runtime";
    refused(&[
        ("worker_threads = 2", workers),
        (r#"flavor = "current_thread", worker_threads = 2"#, workers),
        (r#"flavor = "multi_thread", start_paused = true"#, paused),
        (
            r#"flavor = "local", worker_threads = 2"#,
            "`worker_threads` needs `flavor = \"multi_thread\"`: a `local` runtime has one thread",
        ),
        (
            r#"flavor = "multi_thread", horizon = "31s""#,
            "`horizon` needs `flavor = \"current_thread\"`: tokio cannot pause the clock of a `multi_thread` runtime",
        ),
        // Refused even with `false`, as in tokio: the argument would have no meaning.
        (r#"start_paused = false, flavor = "multi_thread""#, paused),
        (r#"flavor = "multi_thread", worker_threads = 0"#, "`worker_threads` cannot be 0: write 1 or more"),
    ]);
}

#[test]
fn a_duration_that_cannot_be_meant_is_refused() {
    refused(&[
        (r#"settle = "1.5s""#, "`1.5s` is no duration: write a whole number and `ms`, `s` or `m`, as in `2s`"),
        (r#"deadline = """#, "`` is no duration: write a whole number and `ms`, `s` or `m`, as in `2s`"),
        (r#"deadline = "0s""#, "a `deadline` of 0 fails every test: write `\"1s\"` or more"),
        (r#"deadline = "1441m""#, "`deadline` is too long: write a day or less"),
        (r#"settle = "18446744073709551615m""#, "`settle` is too long: write a day or less"),
    ]);
}
