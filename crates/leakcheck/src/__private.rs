//! Called by the expansion of `#[leakcheck::test]`, and by nobody else.

use std::{
    fmt,
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

/// As [`run`], for wrappers such as serial_test's, which take what a test returns for a `Result`.
///
/// # Errors
///
/// If the body returned an error. It has been printed already.
#[track_caller]
pub fn run_wrapped<F>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) -> Result<(), Printed>
where
    F: Future,
    F::Output: Termination,
{
    if run(checker, body) == ExitCode::SUCCESS { Ok(()) } else { Err(Printed) }
}

/// An error that has been printed on the body's thread, since it need not be `Send`.
pub struct Printed;

impl fmt::Debug for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is printed above")
    }
}

/// As many workers as `#[tokio::test(flavor = "multi_thread")]` has: one for each core.
pub fn multi_thread() -> Checker {
    Checker::multi_thread(thread::available_parallelism().map_or(1, NonZero::get))
}

/// The command `cargo leakcheck`.
pub fn command() -> ExitCode {
    crate::suite::command::main()
}
