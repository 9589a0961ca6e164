//! Runs a body on a runtime of its own and judges, from outside, what the body leaves.
//!
//! The body has a thread of its own. The caller's thread waits for messages from that thread, so that a body that hangs, or
//! a task that blocks its thread, is reported instead of waited for.

use std::{
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use crate::{
    allow::Allow,
    body::BodyControl,
    children, dump,
    hooks::{Attach, attach},
    limits::Limits,
    own::{Flavor, OwnRuntime},
    report::{Body, BodyError, Report},
    settle::settle,
    subject::Subject,
    suite::{Running, Suite, Test},
    supervise::{Message, supervise},
    text::LEAK,
    threads::{self, Supervising},
    watch::{Registration, Watch},
};

/// How long a body may run.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a body on a checked runtime of its own: what `#[leakcheck::test]` does, for everything else.
///
/// Guarantee: [`find`](Self::find) and [`assert`](Self::assert) return. A body that does not return is reported at the
/// deadline, and a task that never yields at the end of the settle time. Gap: the thread of such a body cannot be ended and
/// stays. Rival: goleak runs inside the test, and says nothing where the test hangs.
#[derive(Clone, Debug)]
#[must_use = "a checker checks nothing before `find` or `assert`"]
pub struct Checker {
    flavor: Flavor,
    start_paused: bool,
    limits: Limits,
    deadline: Duration,
    allow: Vec<Allow>,
    allow_blocking: usize,
    await_lines: bool,
    fail_on_panic: bool,
    fail_on_children: bool,
}

/// What a body left, and what it returned.
#[derive(Debug)]
#[non_exhaustive]
pub struct Findings<T> {
    /// What was left.
    pub report: Report,
    /// What the body returned.
    pub value: Result<T, BodyError>,
}

impl Checker {
    /// A checker with a `current_thread` runtime, all drivers enabled.
    pub fn current_thread() -> Self {
        Self {
            flavor: Flavor::CurrentThread,
            start_paused: false,
            limits: Limits::at_the_end(),
            deadline: DEADLINE,
            allow: Vec::new(),
            allow_blocking: 0,
            await_lines: false,
            fail_on_panic: false,
            fail_on_children: false,
        }
    }

    /// A checker with a `multi_thread` runtime of this many workers, all drivers enabled.
    ///
    /// # Panics
    ///
    /// If `workers` is 0.
    #[track_caller]
    pub fn multi_thread(workers: usize) -> Self {
        assert!(workers > 0, "a multi_thread runtime needs a worker: say multi_thread(1) or more");
        Self { flavor: Flavor::MultiThread(workers), ..Self::current_thread() }
    }

    /// A checker with a `LocalRuntime`, all drivers enabled: a `current_thread` runtime on which `spawn_local` needs no
    /// `LocalSet`, as code on actix needs it.
    ///
    /// Guarantee: what the body spawns with `tokio::task::spawn_local` is seen, also inside of `LocalSet::run_until`. Gap: what
    /// it spawns with the method of a `LocalSet` is not. Needs tokio's hooks, so it is not there with `count-only` alone.
    ///
    /// ```
    /// let found = leakcheck::Checker::local().find(|| async {
    ///     tokio::task::spawn_local(std::future::pending::<()>());
    /// });
    /// assert_eq!(found.report.tasks(), 1);
    /// ```
    #[cfg(tokio_unstable)]
    pub fn local() -> Self {
        Self { flavor: Flavor::Local, ..Self::current_thread() }
    }

    /// Begins with the clock paused, as `#[tokio::test(start_paused = true)]` does.
    ///
    /// # Panics
    ///
    /// On a `multi_thread` runtime, whose clock tokio cannot pause.
    #[track_caller]
    pub fn start_paused(mut self, paused: bool) -> Self {
        assert!(!paused || self.flavor.has_one_thread(), "only a current_thread runtime can start paused");
        self.start_paused = paused;
        self
    }

    /// How long tasks may take to end after the body, in wall time.
    ///
    /// The default is 200 ms where nothing can change any more, 2.5 s while threads work or a timer is pending, and 6 s while
    /// something outside of the runtime may still act: a socket's peer, a child process, a blocking closure, a plain thread.
    /// With this call there is one limit, whatever may still act.
    pub fn settle(mut self, limit: Duration) -> Self {
        self.limits = self.limits.settle(limit);
        self
    }

    /// How much virtual time may pass after the body, on a `current_thread` runtime: the default is 10 s. It takes no wall
    /// time, and passes only while no socket is open and nothing else outside may act.
    pub fn horizon(mut self, limit: Duration) -> Self {
        self.limits.horizon = Some(limit);
        self
    }

    /// How long the body itself may take, in wall time. The default is 30 s.
    /// A body that takes longer is overdue: the check fails, and the report says what the body was doing, and not that it
    /// leaks.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Allows a spawn site: see [`Allow`] for the forms.
    ///
    /// # Panics
    ///
    /// If the allowance cannot be read; the message says what to write.
    #[track_caller]
    pub fn allow(mut self, allowance: &str) -> Self {
        // In a closure, the panic would not be at the caller's line.
        match Allow::parse(allowance) {
            Ok(allowance) => self.allow.push(allowance),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Allows a spawn site as [`allow`](Self::allow) does, for this many tasks at most. What is left beyond that is reported,
    /// the youngest tasks first.
    ///
    /// ```should_panic
    /// let checker = leakcheck::Checker::current_thread().allow_at_most(file!(), 1);
    /// checker.assert(|| async {
    ///     tokio::spawn(std::future::pending::<()>());
    ///     tokio::spawn(std::future::pending::<()>());
    /// });
    /// // leak: 1 task left
    /// //   1 task spawned at src/main.rs:4:5: parked; under 1 s old
    /// //   allowed: 1 task by src/main.rs, at most 1: 1 too many
    /// ```
    ///
    /// # Panics
    ///
    /// If the allowance cannot be read, or the number is 0.
    #[track_caller]
    pub fn allow_at_most(mut self, allowance: &str, tasks: usize) -> Self {
        match Allow::parse(allowance).and_then(|allowance| allowance.at_most(tasks)) {
            Ok(allowance) => self.allow.push(allowance),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Allows this many closures of `spawn_blocking` to be running still, such as the reader behind `tokio::io::stdin`.
    /// Tokio does not tell where such closures were spawned, so an allowance for them is a number.
    pub fn allow_blocking(mut self, closures: usize) -> Self {
        self.allow_blocking = closures;
        self
    }

    /// Takes a task dump of what is left, for the lines that the tasks await.
    ///
    /// The dump is taken last, under a time limit, and the runtime is never used or dropped after the dump: at tokio 1.54.1
    /// both can hang. The runtime's tasks and threads stay until the process ends. Await lines need Linux and the feature
    /// `await-lines`; elsewhere the report says why there are no lines. Optimised builds lose the lines.
    pub fn await_lines(mut self, wanted: bool) -> Self {
        self.await_lines = wanted;
        self
    }

    /// Whether [`assert`](Self::assert) fails if a task panicked, also where nothing is left. Otherwise that is a note.
    ///
    /// ```should_panic
    /// leakcheck::Checker::current_thread().fail_on_panic(true).assert(|| async {
    ///     tokio::spawn(async { panic!("no such user") });
    /// });
    /// // panic in a task:
    /// //   1 task spawned at src/main.rs:2:5 panicked at src/main.rs:2:26: no such user
    /// ```
    ///
    /// Gap: whether somebody joined the task cannot be told, so a panic that the test expects and joins fails it too. See
    /// [`Panicked`](crate::Panicked).
    pub fn fail_on_panic(mut self, wanted: bool) -> Self {
        self.fail_on_panic = wanted;
        self
    }

    /// Whether [`assert`](Self::assert) fails if a child process still runs. Otherwise that is a note. See
    /// [`Child`](crate::Child) for what is seen.
    pub fn fail_on_children(mut self, wanted: bool) -> Self {
        self.fail_on_children = wanted;
        self
    }

    /// Runs the body, and returns what it left and what it returned.
    ///
    /// The body is a closure, so that its future need not be `Send`: the thread that runs the future makes it.
    ///
    /// # Panics
    ///
    /// If the system gives no thread or no runtime.
    #[track_caller]
    pub fn find<F, T>(self, body: impl FnOnce() -> F + Send + 'static) -> Findings<T>
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        let test = Test::on_this_thread(Location::caller());
        // Before the body's thread begins, whose check looks at the threads that work.
        let _supervising = Supervising::begin();
        // The body's thread sends, the caller's receives. The channel closes when the body's thread ends.
        let (sender, messages) = mpsc::channel();
        let name = thread::current().name().unwrap_or("leakcheck").to_owned();
        let (checker, control) = (self.clone(), BodyControl::new());
        let controlled = control.clone();
        let started = thread::Builder::new().name(name).spawn(move || checker.drive(body, test, &sender, &controlled));
        if let Err(error) = started {
            panic!("the system gives no thread for the body: {error}");
        }
        let (report, value) = supervise(&messages, self.deadline, self.limits, &control, self.await_lines);
        Findings { report, value }
    }

    /// Runs the body and returns its value.
    ///
    /// # Panics
    ///
    /// With the body's own panic if the body panicked; what was left is then a note on standard error. Otherwise with the
    /// report, if anything was left or the body did not return. Where the environment says `LEAKCHECK=report`, what was left
    /// is a note too.
    #[track_caller]
    pub fn assert<F, T>(self, body: impl FnOnce() -> F + Send + 'static) -> T
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        self.assert_unless(|_| false, body)
    }

    /// As [`assert`](Self::assert); what is left is a note only if the body's value says that it failed.
    #[track_caller]
    pub(crate) fn assert_unless<F, T>(self, failed: impl Fn(&T) -> bool, body: impl FnOnce() -> F + Send + 'static) -> T
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        let (suite, test) = (Suite::current(), Test::on_this_thread(Location::caller()));
        let (fail_on_panic, fail_on_children) = (self.fail_on_panic, self.fail_on_children);
        let Findings { report, value } = self.find(body);
        let note = |what| {
            if !report.is_clean() {
                eprint!("note: besides the {what}, {}", report.styled(&std::io::stderr()));
            }
        };
        match value {
            Err(BodyError::Panicked(payload)) => {
                // The panic of `Scope::assert` holds the report already.
                if !payload.downcast_ref::<String>().is_some_and(|text| text.starts_with(LEAK)) {
                    note("panic");
                    suite.failed(&test);
                }
                resume_unwind(payload)
            }
            Ok(value) if failed(&value) => {
                note("error");
                suite.failed(&test);
                value
            }
            value => match (suite.judge(&test, &report, true), value) {
                (Ok(()), Ok(value)) => {
                    report
                        .unused_allowances()
                        .for_each(|name| eprintln!("note: unused allowance: {name} covered no task"));
                    match report.beside_leaks(fail_on_panic, fail_on_children) {
                        Ok(()) => value,
                        Err(why) => panic!("{why}"),
                    }
                }
                (Err(why), _) => panic!("{why}"),
                (Ok(()), Err(_)) => panic!("{report}"),
            },
        }
    }

    /// Runs the body, passes its panic on, and drops its value after the verdict.
    #[track_caller]
    pub(crate) fn report_of<F: Future>(self, body: impl FnOnce() -> F + Send + 'static) -> Report
    where
        F::Output: Send + 'static,
    {
        match self.find(body) {
            Findings { value: Err(BodyError::Panicked(payload)), .. } => resume_unwind(payload),
            Findings { report, .. } => report,
        }
    }

    /// Runs the body and judges what it leaves, on the body's thread.
    fn drive<F: Future>(
        self,
        body: impl FnOnce() -> F,
        test: Test,
        sender: &Sender<Message<F::Output>>,
        control: &BodyControl,
    ) {
        // A caller that has given up has dropped the receiver, and the message is dropped.
        let send = |message| drop(sender.send(message));
        let (runtime, watch) = self.build();
        let (registry, handle) = (watch.registry().clone(), runtime.handle().clone());
        let (_registration, _running) = (Registration::new(&handle, &registry), Running::new(&handle, test));
        let blocking_allowed = self.allow_blocking;
        let subject =
            Subject { registry, handle, since: 0, blocking_before: 0, blocking_allowed, alive_before: 0, own: true };
        send(Message::Started(subject.clone()));
        // From the first task on, so that a task that was never polled is known.
        let _observation = subject.registry.observe_from_start();
        let begun = Instant::now();
        let run = || runtime.block_on(control.run(&subject.registry, body()));
        let ended = catch_unwind(AssertUnwindSafe(run));
        if control.dumped() {
            // The caller has given up before, and a runtime is never used after a dump.
            return std::mem::forget(runtime);
        }
        let (value, ended) = match ended {
            Ok(Some(value)) => (Ok(value), Body::Returned),
            Ok(None) => return runtime.shutdown_background(),
            Err(payload) => (Err(BodyError::Panicked(payload)), Body::Panicked),
        };
        let limits = self.limits.after(begun.elapsed());
        send(Message::BodyEnded(value));
        let left = if subject.is_empty() { None } else { runtime.block_on(settle(&subject, limits)) };
        let mut report = subject.verdict(left.as_ref(), ended);
        // This thread drives the body, and is none of a multi_thread runtime's.
        report.children = children::of(subject.registry.threads.numbers().into_iter().chain(threads::own_number()));
        if self.await_lines && !report.is_clean() {
            match dump::refusal(&report, subject.is_current_thread()) {
                Some(why) => report.no_await_lines = Some(why.to_owned()),
                None => {
                    send(Message::VerdictBeforeDump(report.clone()));
                    return send(Message::Verdict(dump::with_await_lines(runtime, &subject.registry, report)));
                }
            }
        }
        send(Message::Verdict(report));
        runtime.shutdown_background();
    }

    fn build(&self) -> (OwnRuntime, Watch) {
        let mut builder = self.flavor.builder();
        builder.enable_all().start_paused(self.start_paused);
        let watch = self.allow.iter().cloned().fold(attach(&mut builder), Attach::allowing).marking().install();
        if self.flavor.has_one_thread() {
            // This thread drives the runtime, and the caller looks at this thread from outside.
            watch.registry().threads.set_driving();
            let registry = watch.registry().clone();
            builder.on_thread_park(move || registry.clock_guard.before_park(&registry.threads));
        }
        watch.registry().threads.mark_current();
        let runtime = self.flavor.build(&mut builder);
        (runtime.unwrap_or_else(|error| panic!("the system gives no runtime: {error}")), watch)
    }
}
