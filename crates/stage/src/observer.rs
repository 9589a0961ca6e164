//! What watches a run from beside it: threads for the console server, signals, samples and the clock, so that nothing they do is
//! counted as the service's.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::{
    Side,
    args::Args,
    clock::{Clock, Moment},
    console::{Console, unwatched},
    ending::{Ending, Reason},
    gauges, panics,
    print::Printer,
    tasks::Registry,
    wire::{Gauges, Hello, Phase, Plateau, Report, Sample, differences},
};

/// Samples are taken this often; people see every fourth.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// `--await-console` waits this long.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);

type Read = Box<dyn Fn() -> u64 + Send>;

/// The run as it is seen from beside it: its phase, its counts, and what ended it.
pub(crate) struct Observer {
    pub(crate) ending: Ending,
    pub(crate) clock: Clock,
    started: Instant,
    runtime: tokio::runtime::Handle,
    registry: Registry,
    attached: CancellationToken,
    phase: Mutex<Phase>,
    before: OnceLock<Gauges>,
    plateau: OnceLock<Plateau>,
    units: Units,
    unsettled: AtomicBool,
    stated: Vec<String>,
    own: Mutex<Vec<(&'static str, Read)>>,
    printer: Mutex<Printer>,
}

/// Units of work, by how they ended.
#[derive(Default)]
struct Units {
    done: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    cut_off: AtomicU64,
}

impl Observer {
    /// Says hello and starts the threads. They end with the process.
    pub(crate) fn start(
        side: &Side,
        args: &Args,
        runtime: tokio::runtime::Handle,
        registry: Registry,
        console: Option<Console>,
    ) -> anyhow::Result<Arc<Self>> {
        let observer = Arc::new(Self {
            ending: Ending::default(),
            clock: Clock::new(),
            started: Instant::now(),
            runtime,
            registry,
            attached: CancellationToken::new(),
            phase: Mutex::new(Phase::Start),
            before: OnceLock::new(),
            plateau: OnceLock::new(),
            units: Units::default(),
            unsettled: AtomicBool::new(false),
            stated: side.stated.keys().cloned().collect(),
            own: Mutex::default(),
            printer: Mutex::new(Printer::new(side, args.json)),
        });
        lock(&observer.printer).hello(&Hello {
            bin: side.bin.to_owned(),
            pid: std::process::id(),
            console: console.as_ref().map(|console| console.addr.to_string()),
            units: args.units(side),
            memory_max_mib: args.memory,
        });
        let (shared, memory_max_mib) = (observer.clone(), args.memory);
        thread("clock", move || shared.watch_clock_and_memory(memory_max_mib))?;
        let (shared, hold, (ready, is_ready)) = (observer.clone(), args.hold, mpsc::channel());
        thread("observer", move || shared.run(console, hold, ready))?;
        // What these threads open must not be counted as the service's.
        is_ready.recv().context("the observer's thread ended")?;
        Ok(observer)
    }

    fn run(&self, console: Option<Console>, hold: bool, ready: mpsc::Sender<()>) {
        let says_ready = async move {
            tokio::task::yield_now().await;
            let _ = ready.send(());
        };
        unwatched(async {
            let (serves, stdin) = (self.serve(console), self.ending.watch_stdin(hold));
            // Polled in this order: all have opened what they need when the last one says so.
            tokio::join!(biased; self.ending.watch_signals(), stdin, serves, self.sample_for_ever(), says_ready);
        });
    }

    async fn serve(&self, console: Option<Console>) {
        if let Some(console) = console
            && let Err(error) = console.serve(self.attached.clone()).await
        {
            eprintln!("{error:#}");
            self.ending.end_load(Reason::ConsoleFailed);
        }
    }

    /// On a thread of its own, with neither runtime nor lock: whatever else this process does, it does not make this late.
    fn watch_clock_and_memory(&self, memory_max_mib: u64) {
        loop {
            self.clock.tick();
            if gauges::resident_kib().is_some_and(|kib| kib / 1024 >= memory_max_mib) {
                self.ending.end_load(Reason::Memory(memory_max_mib));
            }
        }
    }

    async fn sample_for_ever(&self) {
        let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
        loop {
            tick.tick().await;
            // Held while reading, so that no sample can follow the report.
            let mut printer = lock(&self.printer);
            printer.sample(&self.sample());
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            elapsed_ms: self.started.elapsed().as_millis() as u64,
            phase: *lock(&self.phase),
            units_done: self.units.done.load(Ordering::Relaxed),
            gauges: self.gauges(),
        }
    }

    fn gauges(&self) -> Gauges {
        // Held while reading: two readers of /proc/self/fd would count each other's open directory.
        let own = lock(&self.own);
        let mut gauges = gauges::read(&self.runtime.metrics());
        gauges.extend(own.iter().map(|(name, read)| ((*name).to_owned(), read())));
        gauges
    }

    pub(crate) fn add_gauge(&self, name: &'static str, read: Read) {
        lock(&self.own).push((name, read));
    }

    pub(crate) fn enter(&self, phase: Phase) {
        if phase == Phase::Load {
            self.before.get_or_init(|| self.gauges());
            self.clock.begin();
        }
        *lock(&self.phase) = phase;
    }

    /// Counts a unit that has ended, and was begun at `since`.
    pub(crate) fn unit_done(&self, result: anyhow::Result<()>, since: Moment) {
        self.units.done.fetch_add(1, Ordering::Relaxed);
        let Err(error) = result else { return };
        let (count, what) = match self.clock.was_late_since(since) {
            true => (&self.units.late, "late"),
            false => (&self.units.failed, "failed"),
        };
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!("first {what} unit: {error:#}");
        }
    }

    pub(crate) fn units_cut_off(&self, units: usize) {
        self.units.cut_off.fetch_add(units as u64, Ordering::Relaxed);
    }

    /// Keeps what the gauges show at rest in the middle of the load.
    pub(crate) fn plateau(&self) {
        let Sample { units_done, gauges, .. } = self.sample();
        let _ = self.plateau.set(Plateau { units_done, gauges });
    }

    /// Waits for the first console client, the end of the run or the limit, whichever is first.
    pub(crate) async fn attached(&self) {
        tokio::select! {
            () = self.attached.cancelled() => {}
            () = self.ending.load_over() => {}
            () = tokio::time::sleep(ATTACH_LIMIT) => eprintln!("no console came: starting the load without one"),
        }
    }

    pub(crate) fn unsettled(&self) {
        self.unsettled.store(true, Ordering::Relaxed);
    }

    /// The gauges that the verdict rests on; the settling watches these.
    pub(crate) fn moving(&self) -> Gauges {
        self.of_interest(self.gauges())
    }

    /// True when these gauges are no higher than before the load.
    pub(crate) fn is_back(&self) -> bool {
        let now = self.moving();
        self.before.get().is_some_and(|before| now.iter().all(|(name, n)| before.get(name).is_some_and(|was| n <= was)))
    }

    fn of_interest(&self, mut gauges: Gauges) -> Gauges {
        gauges.retain(|name, _| self.stated.contains(name));
        gauges
    }

    /// Looks a last time, judges and prints.
    pub(crate) fn report(&self, side: &Side) -> Report {
        let mut printer = lock(&self.printer);
        let last = self.sample();
        let before = self.before.get().cloned().unwrap_or_else(|| last.gauges.clone());
        let units = last.units_done.max(1) as f64;
        let survivors = last
            .gauges
            .iter()
            .map(|(name, &after)| {
                let was = before.get(name).copied().unwrap_or(0);
                (name.clone(), (after as f64 - was as f64) / units)
            })
            .collect();
        let count = |units: &AtomicU64| units.load(Ordering::Relaxed);
        let Units { done: _, failed, late, cut_off } = &self.units;
        let (units_failed, units_late, units_cut_off) = (count(failed), count(late), count(cut_off));
        let mut report = Report {
            elapsed_ms: last.elapsed_ms,
            units_done: last.units_done,
            units_failed,
            units_late,
            units_cut_off,
            interrupted: self.ending.is_interrupted(),
            stopped: self.ending.reason().map(|reason| reason.to_string()),
            settled: !self.unsettled.load(Ordering::Relaxed),
            panics: panics::count(),
            lateness: self.clock.lateness(units_late),
            before,
            plateau: self.plateau.get().cloned(),
            after: last.gauges.clone(),
            survivors,
            stated: side.stated.clone(),
            spawned_at: self.registry.alive(),
            problems: Vec::new(),
        };
        report.problems = problems(&report);
        printer.report(&last, &report);
        report
    }
}

/// Each way in which a run is not what its side states.
fn problems(report: &Report) -> Vec<String> {
    let mut problems = differences(&report.stated, &report.before, &report.after, &report.survivors);
    if report.units_done == 0 {
        problems = vec!["no unit of work was done: nothing was measured".to_owned()];
    }
    let panics_before = report.before.get("panics").copied().unwrap_or(0);
    let counts = [
        (report.units_failed, "units failed"),
        (report.units_late, "units came too late"),
        (report.units_cut_off, "units did not end, and were cut off"),
        (panics_before, "panics before the load"),
    ];
    problems.extend(counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    problems
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop).context("cannot start a thread")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
