//! The attribute of `leakcheck`.

mod args;
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
/// | `flavor` | `"current_thread"`, `"multi_thread"` | `"current_thread"` | the runtime, as in `#[tokio::test]` |
/// | `worker_threads` | a whole number from 1 | one per core | workers of a `multi_thread` runtime |
/// | `start_paused` | `true`, `false` | `false` | begin with the clock paused; for `current_thread` only |
/// | `settle` | a duration | see below | how long tasks may take to end after the body |
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
/// Without `settle`, tasks may take 200 ms of wall time to end. On a `current_thread` runtime they also get 10 s of
/// virtual time. On a `multi_thread` runtime, whose clock cannot be paused, tasks that visibly work or wait for a timer
/// get up to 2.5 s of wall time. `settle` replaces all three.
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
/// [`Termination`](std::process::Termination). The other attributes stay, so `#[ignore]` and `#[cfg]` work as usual;
/// `#[should_panic]` works, as everywhere, on a function that returns nothing.
///
/// # Guarantee, gap, rival
///
/// Guarantee: the test fails if a task on its runtime, neither allowed nor a daemon, outlives the body by more than the
/// settle time. A body that panics or returns an error fails with its own panic or error, and what is left is a note
/// beside it. A body that never ends fails at the deadline.
///
/// Gap: only the runtime of the test is seen. A runtime that the body builds is not; attach a watch to its builder.
/// `name`, `unhandled_panic` and the flavor `local` of `#[tokio::test]` are refused; use a runtime of your own with
/// `leakcheck::attach` for these. `#[test]` above the attribute is refused by rustc, in its own words.
///
/// Rival: `#[tokio::test]` drops the runtime at the end of the body, and the leak with it. The test is green.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(args.into(), item.into()).into()
}
