//! Called by the expansion of `#[leakcheck::test]`, and by nobody else.

use std::{
    num::NonZero,
    process::{ExitCode, Termination},
    thread,
};

use crate::checker::Checker;

/// A test without a return type.
#[track_caller]
pub fn run_unit<F: Future<Output = ()>>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) {
    checker.assert(body);
}

/// A test with a return type. The body's thread judges the value, so an error need not be `Send`.
#[track_caller]
pub fn run<F>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) -> ExitCode
where
    F: Future,
    F::Output: Termination,
{
    checker.assert_unless(|code| *code != ExitCode::SUCCESS, || async { body().await.report() })
}

/// As many workers as `#[tokio::test(flavor = "multi_thread")]` has: one for each core.
pub fn multi_thread() -> Checker {
    Checker::multi_thread(thread::available_parallelism().map_or(1, NonZero::get))
}

/// The command `cargo leakcheck`.
pub fn command() -> ExitCode {
    crate::suite::command::main()
}
