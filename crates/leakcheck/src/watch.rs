//! Checks inside a running program.

use std::{
    collections::HashMap,
    panic::Location,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::runtime::{Handle, Id};

use crate::{
    limits::Limits,
    lock::lock,
    pool::busy,
    registry::Registry,
    report::{Body, Report},
    settle::settle,
    subject::Subject,
    suite::{Suite, Test},
    threads::with_daemon,
};

/// A runtime under watch: what [`attach`](crate::attach) gives.
///
/// Guarantee: [`report`](Self::report) tells of every task that is alive on the runtime. Any thread may ask, in any runtime
/// or none. A watch is cheap to clone, and may outlive the runtime; then it tells of nothing.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let watch = leakcheck::attach(builder.enable_all()).install();
/// let service = builder.build()?;
///
/// let (close, closed) = tokio::sync::oneshot::channel::<()>();
/// let session = service.spawn(closed);
/// // A metrics page on a thread of its own asks without waiting.
/// let page = watch.clone();
/// let json = std::thread::spawn(move || page.report().to_json()).join().unwrap();
/// assert!(json.contains(r#""tasks":1"#));
///
/// // A verdict waits, and is asked for on the runtime itself.
/// drop(close);
/// service.block_on(async {
///     let _closed = session.await;
///     watch.assert().await;
/// });
/// # Ok(())
/// # }
/// ```
///
/// Gap: what the blocking pool does is known only on the runtime itself. Elsewhere a report has no busy threads, even where
/// a closure runs for ever:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let mut builder = tokio::runtime::Builder::new_multi_thread();
/// # let watch = leakcheck::attach(builder.enable_all()).install();
/// # let service = builder.build()?;
/// let (stop, stopped) = std::sync::mpsc::channel::<()>();
/// let (begun, begin) = tokio::sync::oneshot::channel();
/// service.spawn_blocking(move || {
///     begun.send(()).unwrap();
///     stopped.recv()
/// });
/// let inside = service.block_on(async {
///     begin.await.unwrap();
///     watch.report().blocking
/// });
/// assert_eq!((inside, watch.report().blocking), (1, 0));
/// drop(stop);
/// # Ok(())
/// # }
/// ```
///
/// Rival: goleak's `Find` looks at all goroutines of the process, and takes a stack dump of them.
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

    /// What is alive at this moment, without waiting: for a metrics page or a signal handler. Any thread may call this,
    /// also one of another runtime.
    ///
    /// Tasks that are about to end are counted too, so the report is no verdict; and one look tells no states. Blocking closures, and with the feature
    /// `count-only` tasks, are known only on the watched runtime.
    pub fn report(&self) -> Report {
        match Handle::try_current() {
            // A runtime that has neither started a thread nor polled a task runs no blocking closure. Without the hooks of
            // polls, the id of a current_thread runtime may stay unknown; then the caller is believed.
            Ok(handle) if self.is_on(&handle).unwrap_or(cfg!(not(tokio_unstable))) => {
                self.subject(handle).report(None, Body::Returned)
            }
            _ => Report::take(&self.registry, 0, None, Body::Returned),
        }
    }

    /// Waits until nothing is left, up to 200 ms of wall time, and up to 2.5 s while threads work or timers are pending;
    /// then reports what is left.
    ///
    /// Guarantee: returns at once where only allowed tasks are alive, however many. Gap: a task that calls this method is
    /// alive too. Call the method from `block_on`, or use a [`scope`](Self::scope) begun in that task.
    ///
    /// # Panics
    ///
    /// Outside of the runtime that is watched.
    pub async fn find(&self) -> Report {
        find(&self.subject(self.current()), Limits::default()).await
    }

    /// As [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// With the report, if anything is left.
    #[track_caller]
    pub fn assert(&self) -> impl Future<Output = ()> {
        Asserted { found: Box::pin(self.find()), caller: Location::caller() }
    }

    /// Begins a scope, which sees only what is spawned from now on.
    ///
    /// # Panics
    ///
    /// Outside of the runtime that is watched.
    #[track_caller]
    pub fn scope(&self) -> Scope {
        Scope::new(self.registry.clone(), self.current(), false)
    }

    fn subject(&self, handle: Handle) -> Subject {
        let registry = self.registry.clone();
        Subject { registry, handle, since: 0, blocking_before: 0, blocking_allowed: 0, alive_before: 0, own: false }
    }

    /// The current runtime, for a verdict. In another runtime than the watched one, a verdict would count that runtime's
    /// tasks and threads, and find nothing left where something is.
    #[track_caller]
    fn current(&self) -> Handle {
        let handle = Handle::current();
        assert!(
            self.is_on(&handle).unwrap_or(true),
            "this is not the runtime that is watched: call it on the runtime whose builder attach() was given, or use \
             Watch::report, which any thread may call"
        );
        handle
    }

    /// Whether the watched runtime is this one; `None` as long as it has neither started a thread nor polled a task.
    fn is_on(&self, handle: &Handle) -> Option<bool> {
        self.registry.threads.runtime().map(|id| id == handle.id())
    }
}

/// Begins a scope on the checked runtime that runs the caller. The scope sees only what is spawned from now on.
///
/// # Panics
///
/// If the caller is not inside `#[leakcheck::test]` or a [`Checker`](crate::Checker). On a runtime of your own, use
/// [`Watch::scope`].
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
    Scope::new(registry, handle, true)
}

/// A part of a running program: the tasks that were spawned since the scope began.
///
/// Guarantee: a task that was alive before is not counted, whether or not it ends in the scope.
///
/// ```
/// # leakcheck::Checker::current_thread().assert(|| async {
/// let pool = tokio::spawn(std::future::pending::<()>());
/// let request = leakcheck::scope();
/// let answer = tokio::spawn(async { "pong" });
/// assert_eq!(answer.await.unwrap(), "pong");
/// // The pool is older than the scope.
/// request.assert().await;
/// # pool.abort();
/// # });
/// ```
///
/// Gap: a scope counts whatever the runtime spawned since, by whichever request. And the cost of a check grows with the
/// number of tasks that are alive, by some nanoseconds for each.
///
/// ```
/// # use std::time::Duration;
/// # leakcheck::Checker::current_thread().assert(|| async {
/// let request = leakcheck::scope().settle(Duration::from_millis(50));
/// // Another request, which begins and is still at work.
/// let other = tokio::spawn(std::future::pending::<()>());
/// assert_eq!(request.find().await.tasks(), 1);
/// other.abort();
/// request.assert().await;
/// # });
/// ```
///
/// Rival: goleak's `IgnoreCurrent` takes a stack dump of every goroutine.
#[must_use = "a scope says nothing by itself: call `find` or `assert`"]
pub struct Scope {
    subject: Subject,
    limits: Limits,
}

impl Scope {
    fn new(registry: Arc<Registry>, handle: Handle, own: bool) -> Self {
        let (blocking_before, alive_before) = (busy(&handle), handle.metrics().num_alive_tasks());
        let since = registry.next_generation();
        let subject = Subject { registry, handle, since, blocking_before, blocking_allowed: 0, alive_before, own };
        Self { subject, limits: Limits::default() }
    }

    /// Limits how long [`find`](Self::find) may wait; the default is that of [`Watch::find`].
    pub fn settle(mut self, limit: Duration) -> Self {
        self.limits = self.limits.settle(limit);
        self
    }

    /// Lets this much virtual time pass on a `current_thread` runtime, at no cost in wall time, while no socket is open and
    /// nothing else outside may act. The clock that the test lives by is moved, which no scope does unless asked: with a
    /// paused clock, a scope lets as much virtual time pass as [`settle`](Self::settle) says of wall time, as any await does.
    pub fn horizon(mut self, limit: Duration) -> Self {
        self.limits.horizon = Some(limit);
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
        Asserted { found: Box::pin(self.find()), caller: Location::caller() }
    }
}

/// What `assert` returns. A panic is at the line of the `.await`.
struct Asserted<F> {
    found: Pin<Box<F>>,
    caller: &'static Location<'static>,
}

impl<F: Future<Output = Report>> Future for Asserted<F> {
    type Output = ();

    /// An `.await` is a call of this method at its own line, which the attribute takes over; an `async fn` has no such line.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let report = ready!(self.found.as_mut().poll(cx));
        // In a closure, the panic would not be at the caller's line.
        match judge(&report, self.caller) {
            Ok(()) => Poll::Ready(()),
            Err(why) => panic!("{why}"),
        }
    }
}

/// Whether the report fails its test: if so, with the text, which names the line of `assert` too.
fn judge(report: &Report, caller: &Location<'_>) -> Result<(), String> {
    let (test, inside) = Test::of_this_runtime(caller);
    // The verdict at the end of a checked body comes later.
    Suite::current().judge(&test, report, !inside).map_err(|why| format!("{why}  checked at {caller}\n"))
}

async fn find(subject: &Subject, limits: Limits) -> Report {
    let left = settle(subject, limits).await;
    subject.verdict(left.as_ref(), Body::Returned)
}

/// Marks what the closure spawns, on this thread, as meant to stay: a daemon. The report says how many each name covers.
///
/// On a runtime that is not checked, `daemon` only calls the closure.
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
