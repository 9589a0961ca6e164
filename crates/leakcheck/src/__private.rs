//! Called by the expansion of `#[leakcheck::test]`, and by nobody else.

use std::{
    fmt,
    num::NonZero,
    pin::Pin,
    process::{ExitCode, Termination},
    thread,
};

use crate::checker::Checker;

/// A body of which no type is left but that of its value. So what drives a body is compiled once, and not for each test.
type Body<T> = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = T>>> + Send>;

/// A test without a return type.
#[track_caller]
pub fn run_unit<F: Future<Output = ()> + 'static>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) {
    let body: Body<()> = Box::new(|| Box::pin(body()));
    checker.assert(body);
}

/// A test with a return type. The body's thread judges the value, so an error need not be `Send`.
#[track_caller]
pub fn run<F>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) -> ExitCode
where
    F: Future + 'static,
    F::Output: Termination,
{
    let body: Body<ExitCode> = Box::new(|| Box::pin(async { body().await.report() }));
    checker.assert_unless(|code| *code != ExitCode::SUCCESS, body)
}

/// As [`run`], for wrappers such as serial_test's, which take what a test returns for a `Result`.
///
/// # Errors
///
/// If the body returned an error. It has been printed already.
#[track_caller]
pub fn run_wrapped<F>(checker: Checker, body: impl FnOnce() -> F + Send + 'static) -> Result<(), Printed>
where
    F: Future + 'static,
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
