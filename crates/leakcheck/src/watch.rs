//! Checks inside a running program.

use std::{
    collections::HashMap,
    panic::Location,
    sync::{Arc, LazyLock, Mutex, Weak},
    time::Duration,
};

use tokio::runtime::{Handle, Id};

use crate::{
    lock::lock,
    registry::Registry,
    report::{Body, Report},
    settle::{Limits, Subject, busy},
    threads::with_daemon,
};

/// A runtime under watch: what [`attach`](crate::attach) gives.
///
/// Cheap to clone, and usable from any thread. After the runtime is gone it tells of nothing.
#[derive(Clone)]
pub struct Watch {
    registry: Arc<Registry>,
}

impl Watch {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What is alive at this moment, without waiting: for a metrics page or a signal handler. Any thread may call it.
    ///
    /// Tasks that are about to end are counted too, so this is no verdict. Blocking closures are known only on the runtime.
    pub fn report(&self) -> Report {
        match Handle::try_current() {
            Ok(_) => self.subject().report(None, Body::Returned),
            Err(_) => Report::take(&self.registry, 0, None, Body::Returned),
        }
    }

    /// Waits until all is quiet, up to 200 ms of wall time, and up to 2.5 s while threads work or timers are pending; then
    /// reports what is left.
    ///
    /// Guarantee: returns at once where only allowed tasks live, however many. Gap: the task that calls is alive too; call it
    /// from `block_on`, or use a [`scope`](Self::scope) begun in that task.
    ///
    /// # Panics
    ///
    /// Outside of a runtime. Call it on the runtime that is watched.
    pub async fn find(&self) -> Report {
        find(&self.subject(), Limits::default()).await
    }

    /// As [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// With the report, if anything is left.
    #[track_caller]
    pub fn assert(&self) -> impl Future<Output = ()> {
        assert_clean(self.find(), Location::caller())
    }

    /// Forgets what lives now: the scope sees only what is spawned later.
    ///
    /// # Panics
    ///
    /// Outside of a runtime. Call it on the runtime that is watched.
    pub fn scope(&self) -> Scope {
        Scope::new(self.registry.clone(), false)
    }

    fn subject(&self) -> Subject {
        let (registry, handle) = (self.registry.clone(), Handle::current());
        Subject { registry, handle, since: 0, blocking_before: 0, blocking_allowed: 0, alive_before: 0, own: false }
    }
}

/// Begins a scope on the checked runtime that runs the caller: tasks that live already are forgotten.
///
/// # Panics
///
/// If the caller is not inside `#[leakcheck::test]` or a [`Checker`](crate::Checker). On a runtime of your own, use [`Watch::scope`].
///
/// ```
/// # leakcheck::Checker::current_thread().allow(file!()).assert(|| async {
/// let _server = tokio::spawn(std::future::pending::<()>());
/// let scope = leakcheck::scope();
/// // … one request …
/// scope.assert().await;
/// # });
/// ```
#[track_caller]
pub fn scope() -> Scope {
    let handle = Handle::current();
    let registry = lock(&CHECKED).get(&handle.id()).and_then(Weak::upgrade);
    let Some(registry) = registry else {
        panic!(
            "this runtime is not checked: use #[leakcheck::test], leakcheck::Checker, or the Watch that attach() gave"
        );
    };
    Scope::new(registry, true)
}

/// A part of a running program: what was spawned since it began.
///
/// Guarantee: nothing that lived before is counted, also if it has ended since. Gap: it counts whatever the runtime spawned
/// since, in other scopes too; and the cost of a check grows with the tasks alive, some nanoseconds for each. Rival: goleak's
/// `IgnoreCurrent` takes a stack dump of every goroutine.
#[must_use = "a scope says nothing by itself: call `find` or `assert`"]
pub struct Scope {
    subject: Subject,
    limits: Limits,
}

impl Scope {
    fn new(registry: Arc<Registry>, own: bool) -> Self {
        let handle = Handle::current();
        let (blocking_before, alive_before) = (busy(&handle), handle.metrics().num_alive_tasks());
        let since = registry.next_generation();
        let subject = Subject { registry, handle, since, blocking_before, blocking_allowed: 0, alive_before, own };
        Self { subject, limits: Limits::default() }
    }

    /// Limits how long [`find`](Self::find) may wait; the default is that of [`Watch::find`].
    pub fn settle(mut self, limit: Duration) -> Self {
        self.limits = Limits::all(limit);
        self
    }

    /// Waits until what was spawned in the scope has ended, and reports what has not.
    pub async fn find(&self) -> Report {
        find(&self.subject, self.limits).await
    }

    /// As [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// With the report, if anything is left.
    #[track_caller]
    pub fn assert(&self) -> impl Future<Output = ()> {
        assert_clean(self.find(), Location::caller())
    }
}

/// An `async fn` does not know its caller's line; the report says it.
async fn assert_clean(found: impl Future<Output = Report>, caller: &Location<'_>) {
    let report = found.await;
    assert!(report.is_clean(), "{report}  checked at {caller}\n");
}

async fn find(subject: &Subject, limits: Limits) -> Report {
    let polls = subject.settle(limits).await;
    subject.verdict(polls.as_ref(), Body::Returned)
}

/// Marks what the closure spawns, on this thread, as meant to stay: a daemon. The report says how many each name covers.
///
/// On a runtime that is not checked it only calls the closure.
///
/// ```
/// leakcheck::Checker::current_thread().assert(|| async {
///     leakcheck::daemon("metrics", || tokio::spawn(std::future::pending::<()>()));
/// });
/// ```
pub fn daemon<T>(name: &'static str, spawn: impl FnOnce() -> T) -> T {
    with_daemon(name, spawn)
}

/// The runtimes of checkers that are running, so that [`scope`] needs no argument.
static CHECKED: LazyLock<Mutex<HashMap<Id, Weak<Registry>>>> = LazyLock::new(Mutex::default);

/// Keeps a runtime in `CHECKED` for as long as the guard lives.
pub(crate) struct Registration(Id);

impl Registration {
    pub(crate) fn new(handle: &Handle, registry: &Arc<Registry>) -> Self {
        lock(&CHECKED).insert(handle.id(), Arc::downgrade(registry));
        Self(handle.id())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&CHECKED).remove(&self.0);
    }
}
