#![doc = include_str!("../README.md")]
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

mod ahead;
mod allow;
mod atomic;
mod body;
mod callers;
mod checker;
mod children;
mod clock;
mod dump;
mod growth;
mod hash;
mod hooks;
mod ledger;
mod limits;
mod lock;
mod outside;
mod overdue;
mod own;
mod panics;
mod pool;
mod probe;
mod registry;
mod report;
mod settle;
mod sites;
mod subject;
mod suite;
mod supervise;
mod tally;
mod text;
mod threads;
mod timers;
mod turn;
mod watch;

pub use allow::{Allow, AllowError};
pub use checker::{Checker, Findings};
pub use growth::{Found, Growth, Trend};
pub use hooks::{Attach, attach};
pub use leakcheck_macros::test;
#[cfg(feature = "metrics")]
pub use ledger::TaskCollector;
pub use ledger::{Convergence, Course, Ledger, Line, LineCourse, Older, Oldest};
pub use overdue::{Doing, Overdue};
pub use report::{Allowed, Await, Body, BodyError, Caller, Child, Panicked, Parent, Report, Survivors, Waited};
pub use watch::{Scope, Watch, daemon, scope};

/// What `#[leakcheck::test]` expands to.
#[doc(hidden)]
pub mod __private;
