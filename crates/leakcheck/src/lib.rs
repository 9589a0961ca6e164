//! Fails a test that leaves Tokio tasks behind, and says where they were spawned.
//!
//! Three calls. In a test:
//!
//! ```
//! # use std::time::Duration;
//! # async fn handle() {}
//! #[leakcheck::test]
//! async fn a_request_leaves_no_task_behind() {
//!     handle().await;
//! }
//! # fn main() {}
//! ```
//!
//! Around anything else:
//!
//! ```should_panic
//! leakcheck::Checker::multi_thread(2).assert(|| async {
//!     tokio::spawn(std::future::pending::<()>());
//! });
//! // leak: 1 task left
//! //   1 task spawned at src/main.rs:2:5: parked; under 1 s old
//! ```
//!
//! Inside a running program:
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let mut builder = tokio::runtime::Builder::new_multi_thread();
//! let watch = leakcheck::attach(builder.enable_all()).install();
//! let runtime = builder.build()?;
//! runtime.block_on(async {
//!     let scope = watch.scope();
//!     // … one request …
//!     scope.assert().await;
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # What it needs
//!
//! Tokio's task hooks, which are unstable. In `.cargo/config.toml`:
//!
//! ```toml
//! [target."cfg(all())"]
//! rustflags = ["--cfg", "tokio_unstable"]
//! ```
//!
//! Without these lines the build stops and says so. With the feature `count-only` the build succeeds, and leakcheck works
//! with the number of living tasks, which stable Tokio tells: then there are no spawn lines, no allowances and no blocking
//! closures, and a scope knows only how many tasks were alive before.
//!
//! # What it promises
//!
//! - **It finds what outlives the body.** A task that is alive when the settle time is over is reported, whatever it waits for:
//!   a channel, a lock, a token, a timer, a socket, nothing. So are `spawn_blocking` closures, and a body that never returns.
//! - **It blames the right test.** Every test has a runtime of its own, and the hooks belong to that runtime. Tests run in
//!   parallel as ever.
//! - **It names the spawn line**, through `JoinSet`, `TaskTracker`, `JoinMap`, and wrappers marked `#[track_caller]`.
//! - **It does not hang.** The verdict is made from outside the body's thread, within the settle time and the deadline.
//! - **It does not wait where nothing is left.**
//!
//! # When a task is left over
//!
//! A task is left over when it has not ended within the settle time after the body:
//!
//! | runtime | wall time | beyond it |
//! |---|---|---|
//! | `current_thread` | 200 ms | then the clock is paused, and 10 s of virtual time pass |
//! | `current_thread`, `start_paused` | none, unless sockets are open or blocking closures run: then 200 ms | 10 s of virtual time |
//! | `multi_thread`, attached runtimes | 200 ms | up to 2.5 s while a thread of the runtime works or waits for a timer |
//!
//! On every runtime a task that works without a pause gets up to 2.5 s, and time for which the system lets a thread of the
//! runtime wait for a processor does not count. So a task that sleeps or works for two seconds and then ends is no leak on
//! any runtime, and a task that waits for nothing is reported after a fifth of a second. On Linux, leakcheck reads from
//! `/proc` whether a timer is pending; on other systems the 2.5 s always pass. [`settle`](Checker::settle) sets one limit
//! for all.
//!
//! # A whole suite that adopts it
//!
//! Swap the attribute everywhere, and let the leaks of today be told instead of failing:
//!
//! ```sh
//! cargo install leakcheck --features cli
//! cargo leakcheck test --workspace     # or: cargo leakcheck nextest run
//! ```
//!
//! ```text
//! 4 of 70 tests left something behind: 9 tasks from 2 spawn lines
//!
//! tests  tasks  states            spawned at
//!     3      8  6 parked, 2 live  src/pool.rs:17
//!     1      1  1 parked          hyper-util-0.1.21/src/rt/tokio.rs:127
//! ```
//!
//! Then keep what there is in a *baseline* that may only shrink, and check it in:
//!
//! ```sh
//! cargo leakcheck baseline > leakcheck-baseline.txt
//! ```
//!
//! ```toml
//! # .cargo/config.toml: from now on, each `cargo test` holds the tests against it
//! [env]
//! LEAKCHECK_BASELINE = { value = "leakcheck-baseline.txt", relative = true }
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `LEAKCHECK=report` | no leak fails a test: it is a note, and a row of the table |
//! | `LEAKCHECK_BASELINE=path` | a test may leave what the file lists for it, and no more; what it no longer needs is told |
//! | `LEAKCHECK=shrink` | what the baseline no longer needs is removed from it, when its test ends |
//! | `LEAKCHECK_REPORT=path` | where the run is written; the default is `leakcheck/run.txt` in the target folder |
//! | `LEAKCHECK_BACKTRACE=1` | names the line of yours that called a dependency which spawned: see [`Caller`] |
//!
//! A line of the baseline is `test file | test name | spawn line | tasks`, and no program ever adds one. Guarantee: the table
//! and the baseline are the same whether one process runs all tests (`cargo test`) or each has its own (nextest). Gaps: a test
//! that should panic with its leak does not panic where leaks are told only; a body that does not return by its deadline fails
//! in each mode, for there is no value to go on with; a spawn line that moves is a new line; and a crate that lies outside of
//! the workspace, as a path dependency, has a path of your machine. Rival: goleak has neither a sum nor a baseline.
//!
//! # What it cannot see
//!
//! - Tasks of a `LocalSet`: Tokio calls no hook for them. Tasks of a `LocalRuntime` are seen, if you attach.
//! - Other executors, plain threads, and runtimes that a library builds for itself.
//! - Leaks inside one task: a `FuturesUnordered` that only grows is one task.
//! - Paths that the test does not take. Force the error, the timeout, the cancellation.
//! - Who holds the other end. The spawn line of a task does not say why the task waits; await lines are for that.
//! - The line behind `collect::<JoinSet<_>>()` or a `tokio::spawn` that is passed as a function: Tokio reports a line of
//!   its own.
//! - The name that `tokio::task::Builder::name` gave: Tokio hands it to `tracing`, and no hook has it.
//! - Whether somebody joined a task that panicked: see [`Panicked`].
//! - Children of plain threads, and of other systems than Linux: see [`Child`].
//! - With a paused clock: that a plain thread would have woken the task a little later.
//!
//! Each of these but the name is a test: in `tests/blind.rs`, and in `tests/told` for panics and children.
//!
//! # What it costs
//!
//! One record for each living task, made when the task is spawned and removed when it ends, and two stores for each poll. The
//! benchmarks tell how many nanoseconds and bytes that is on your machine, and how long a check and a verdict take: see
//! `benches/README.md`.
//!
//! # If you come from goleak
//!
//! | goleak | here |
//! |---|---|
//! | `defer goleak.VerifyNone(t)` | `#[leakcheck::test]` |
//! | `goleak.VerifyTestMain(m)` | nothing: each test is judged by itself, in parallel too |
//! | `goleak.Find()` | [`Checker::find`], [`Watch::find`], [`Scope::find`] |
//! | `IgnoreCurrent()` | [`scope`] or [`Watch::scope`] |
//! | `IgnoreCreatedBy(f)`, `IgnoreTopFunction(f)`, `IgnoreAnyFunction(f)` | `allow = "src/file.rs:17"`, `allow = ("a-crate", at_most = 1)`, or [`daemon`] at the spawn |
//! | `Cleanup(f)` | code after [`Checker::find`] |
//! | `RunOnFailure()` | always: a failing body keeps its own failure, and what is left is a note |
//! | retries for 431 ms | [`Checker::settle`] |
//! | a test that hangs: nothing | the same report, at the [`deadline`](Checker::deadline) |
//!
//! One difference matters: a goroutine of an earlier test is still there in the next one. A task is not, since its runtime is
//! gone. So nothing must be ignored because an earlier test was careless.
//!
//! That is the entire API.

#![warn(missing_docs)]
#![cfg_attr(not(tokio_unstable), expect(dead_code, reason = "without hooks nobody calls the registry"))]

// rustdoc has flags of its own, but the crates that it reads were built with the right ones.
#[cfg(not(any(tokio_unstable, feature = "count-only", doc, doctest)))]
compile_error!(
    "leakcheck needs Tokio's task hooks. Add these two lines to .cargo/config.toml:

    [target.\"cfg(all())\"]
    rustflags = [\"--cfg\", \"tokio_unstable\"]

If they are there already, a RUSTFLAGS variable replaces them: unset it, or add `--cfg tokio_unstable` to it. \
Or ask for leakcheck's feature `count-only`: it counts what is left, and cannot say where it was spawned, allow daemons or \
forget what lived before a scope."
);

mod allow;
mod callers;
mod checker;
mod children;
mod clock;
mod dump;
mod growth;
mod hash;
mod hooks;
mod lock;
mod panics;
mod probe;
mod registry;
mod report;
mod settle;
mod sites;
mod suite;
mod supervise;
mod tally;
mod text;
mod threads;
mod watch;

pub use allow::{Allow, AllowError};
pub use checker::{Checker, Findings};
pub use growth::{Found, Growth, Trend};
pub use hooks::{Attach, attach};
pub use leakcheck_macros::test;
pub use report::{Allowed, Await, Body, BodyError, Caller, Child, Panicked, Parent, Report, Survivors};
pub use watch::{Scope, Watch, daemon, scope};

/// What `#[leakcheck::test]` expands to.
#[doc(hidden)]
pub mod __private;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// The two crates can be taken to another repository, so their documentation names nothing else of this one.
    #[test]
    fn the_documentation_names_nothing_else_of_this_repository() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut comments = 0;
        for folder in
            [here.join("src"), here.join("src/registry"), here.join("src/suite"), here.join("../leakcheck-macros/src")]
        {
            for file in fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
                let text = if file.is_file() { fs::read_to_string(&file).unwrap() } else { continue };
                for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("//")) {
                    comments += 1;
                    for word in ["workbook", "scenario", "the lab", "lab's", "cargo lab", "the book", "chapter"] {
                        assert!(!line.contains(word), "{}: {line}", file.display());
                    }
                }
            }
        }
        assert!(comments > 300, "only {comments} comments were read");
    }
}
