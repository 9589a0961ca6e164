//! The attribute of `leakcheck`.

mod args;
mod attrs;
mod expand;

use proc_macro::TokenStream;

/// Runs an `async fn` as a test on a runtime of its own. The test fails if it leaves tasks behind.
///
/// The attribute replaces `#[tokio::test]`. The test needs no other change:
///
/// ```ignore
/// #[leakcheck::test]
/// async fn the_server_stops() {
///     let server = Server::start().await;
///     server.stop().await;
/// }
/// ```
///
/// # Arguments
///
/// | Argument | Value | Default | Meaning |
/// |---|---|---|---|
/// | `flavor` | `"current_thread"`, `"multi_thread"`, `"local"` | `"current_thread"` | the runtime, as in `#[tokio::test]` |
/// | `worker_threads` | a whole number from 1 | one per core | workers of a `multi_thread` runtime |
/// | `start_paused` | `true`, `false` | `false` | begin with the clock paused; not for `multi_thread` |
/// | `settle` | a duration | see below | how long tasks may take to end after the body |
/// | `horizon` | a duration | `"10s"` | how much virtual time may pass after the body; not for `multi_thread` |
/// | `deadline` | a duration above zero | `"30s"` | how long the body itself may take, in wall time |
/// | `allow` | `"…"`, `("…", at_most = 1)` or `["…", "…"]` | nothing | spawn locations whose tasks may stay |
/// | `allow_blocking` | a whole number | `0` | closures of `spawn_blocking` that may still run |
/// | `await_lines` | `true`, `false` | `false` | name the line that each task left over awaits |
/// | `panics` | `"note"`, `"fail"` | `"note"` | what a task's panic is, whoever joined the task |
/// | `children` | `"note"`, `"fail"` | `"note"` | what a child process is that still runs |
/// | `crate` | a path as a string | `"::leakcheck"` | where leakcheck is, if you renamed it |
///
/// A duration is a whole number and a unit: `"200ms"`, `"2s"` or `"1m"`; a day at most.
///
/// An allowance is a file (`"src/metrics.rs"`), a line of it (`"src/metrics.rs:17"`) or a crate (`"hyper-util"`). The
/// attribute does not read allowances: one that cannot be read makes the test panic, with what to write. With a number, as in
/// `allow = ["src/metrics.rs", ("hyper-util", at_most = 1)]`, it covers so many tasks, and what is left beyond that fails.
///
/// `await_lines` needs the feature `await-lines` of leakcheck, and Linux. Without them the report says why there are no
/// lines.
///
/// Without `settle`, tasks may take 200 ms of wall time to end where nothing can change any more, 2.5 s while threads work or
/// a timer is pending, and 6 s while something outside of the runtime may still act: a socket's peer, a child process, a
/// blocking closure, a plain thread. `settle` is one limit instead of the three. On a `current_thread` or `local` runtime
/// virtual time passes too, up to the `horizon`, while nothing outside may act.
///
/// ```ignore
/// #[leakcheck::test(flavor = "multi_thread", worker_threads = 2, allow = ["src/metrics.rs", "hyper-util"])]
/// async fn a_request_is_answered() -> Result<(), Error> {
///     // …
/// }
/// ```
///
/// # The function
///
/// An `async fn` without parameters. It may return what a `#[test]` may return: anything that implements
/// [`Termination`](std::process::Termination); `#[should_panic]` works, as everywhere, on a function that returns nothing.
///
/// On a runtime of the flavor `local`, `spawn_local` needs no `LocalSet`, and what it spawns is seen.
///
/// # Attributes below
///
/// The function becomes the body of a test that has its name. The body runs on a thread of its own. What stands below
/// `#[leakcheck::test]` goes to one of the two:
///
/// | Attribute below | Goes to | So |
/// |---|---|---|
/// | the compiler's: `ignore`, `should_panic`, `cfg`, lints, docs; those of tools, `rustfmt::skip` | the test | they work as usual |
/// | `serial`, `parallel`, `file_serial`, `file_parallel` (serial_test), `timeout` (ntest) | the test | the lock is held, and the time is taken, until the verdict |
/// | `cfg_attr` | where each of its attributes goes | `cfg_attr(miri, ignore)` and `cfg_attr(unix, traced_test)` work |
/// | those that make tests: `rstest`, `test_case`, `test_context`, `gtest`, a second `test` | nowhere | they are refused, with what to write |
/// | every other: `traced_test`, `instrument`, your own | the body | they see the `async fn` as written, and run on its thread |
///
/// An attribute above sees the `async fn` and `#[leakcheck::test]`, as with `#[tokio::test]`. What has to see a `#[test]` that is
/// not async, and is not in the table, goes to a function of its own that calls `leakcheck::Checker`.
///
/// # Guarantee, gap, rival
///
/// Guarantee: the test fails if a task on its runtime, neither allowed nor a daemon, outlives the body by more than the
/// settle time. A body that panics or returns an error fails with its own panic or error, and what is left is a note
/// beside it. A body that never ends fails at the deadline.
///
/// Gap: only the runtime of the test is seen. A runtime that the body builds is not; attach a watch to its builder.
/// `name` and `unhandled_panic` of `#[tokio::test]` are refused; use a runtime of your own with `leakcheck::attach` for
/// these. `#[test]` above the attribute is refused by rustc, in its own words.
///
/// Rival: `#[tokio::test]` drops the runtime at the end of the body, and the leak with it. The test is green.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(args.into(), item.into()).into()
}
