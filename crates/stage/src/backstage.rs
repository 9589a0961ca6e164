//! The thread behind the stage: console server, signals and samples, on a runtime of its own, so that nothing it does is
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
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::{
    Side,
    args::Args,
    console::{Console, unwatched},
    gauges, panics,
    print::Printer,
    tasks::Registry,
    wire::{Gauges, Hello, Lateness, Phase, Report, Sample, differences},
};

/// Samples are taken this often; people see every fourth.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// `--await-console` waits this long.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);

type Read = Box<dyn Fn() -> u64 + Send>;

/// What stage and backstage share.
pub(crate) struct Backstage {
    started: Instant,
    runtime: tokio::runtime::Handle,
    registry: Registry,
    stop: CancellationToken,
    attached: CancellationToken,
    phase: Mutex<Phase>,
    before: OnceLock<Gauges>,
    units_done: AtomicU64,
    units_failed: AtomicU64,
    unsettled: AtomicBool,
    stated: Vec<String>,
    own: Mutex<Vec<(&'static str, Read)>>,
    printer: Mutex<Printer>,
}

impl Backstage {
    /// Says hello and starts the thread. It ends with the process.
    pub(crate) fn start(
        side: &Side,
        args: &Args,
        runtime: tokio::runtime::Handle,
        registry: Registry,
        console: Option<Console>,
    ) -> anyhow::Result<Arc<Self>> {
        let backstage = Arc::new(Self {
            started: Instant::now(),
            runtime,
            registry,
            stop: CancellationToken::new(),
            attached: CancellationToken::new(),
            phase: Mutex::new(Phase::Start),
            before: OnceLock::new(),
            units_done: AtomicU64::new(0),
            units_failed: AtomicU64::new(0),
            unsettled: AtomicBool::new(false),
            stated: side.stated.keys().cloned().collect(),
            own: Mutex::default(),
            printer: Mutex::new(Printer::new(side, args.json)),
        });
        lock(&backstage.printer).hello(&Hello {
            bin: side.bin.to_owned(),
            pid: std::process::id(),
            console: console.as_ref().map(|console| console.addr.to_string()),
            units: args.units(side),
            memory_max_mib: 0,
        });
        let (shared, hold, (ready, is_ready)) = (backstage.clone(), args.hold, mpsc::channel());
        std::thread::Builder::new()
            .name("backstage".into())
            .spawn(move || shared.run(console, hold, ready))
            .context("cannot start a thread")?;
        // What the backstage opens must not be counted as the service's.
        is_ready.recv().context("the backstage thread ended")?;
        Ok(backstage)
    }

    fn run(&self, console: Option<Console>, hold: bool, ready: mpsc::Sender<()>) {
        let says_ready = async move {
            tokio::task::yield_now().await;
            let _ = ready.send(());
        };
        unwatched(async {
            let serves = self.serve(console);
            // Polled in this order: all have opened what they need when the last one says so.
            tokio::join!(biased; self.watch_signals(), self.watch_stdin(hold), serves, self.sample_for_ever(), says_ready);
        });
    }

    async fn serve(&self, console: Option<Console>) {
        if let Some(console) = console
            && let Err(error) = console.serve(self.attached.clone()).await
        {
            eprintln!("{error:#}");
            self.stop.cancel();
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

    /// The first Ctrl-C or SIGTERM ends the load and brings the report; the second ends the process.
    async fn watch_signals(&self) {
        signal().await;
        self.stop.cancel();
        signal().await;
        std::process::exit(130);
    }

    /// Whoever started this program with `--hold` keeps its standard input open; when that ends, so does the run.
    async fn watch_stdin(&self, hold: bool) {
        if hold {
            let (mut stdin, mut rest) = (tokio::io::stdin(), [0; 64]);
            while matches!(stdin.read(&mut rest).await, Ok(n) if n > 0) {}
            self.stop.cancel();
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            elapsed_ms: self.started.elapsed().as_millis() as u64,
            phase: *lock(&self.phase),
            units_done: self.units_done.load(Ordering::Relaxed),
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
        }
        *lock(&self.phase) = phase;
    }

    pub(crate) fn unit_done(&self, result: anyhow::Result<()>) {
        self.units_done.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result
            && self.units_failed.fetch_add(1, Ordering::Relaxed) == 0
        {
            eprintln!("first failed unit: {error:#}");
        }
    }

    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits for the first console client, the end of the run or the limit, whichever is first.
    pub(crate) async fn attached(&self) {
        tokio::select! {
            () = self.attached.cancelled() => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(ATTACH_LIMIT) => eprintln!("no console came: starting the load without one"),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
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
        let units_failed = self.units_failed.load(Ordering::Relaxed);
        let mut problems = differences(&side.stated, &before, &last.gauges, &survivors);
        if last.units_done == 0 {
            problems = vec!["no unit of work was done: nothing was measured".to_owned()];
        }
        if units_failed > 0 {
            problems.push(format!("{units_failed} units failed"));
        }
        let report = Report {
            elapsed_ms: last.elapsed_ms,
            units_done: last.units_done,
            units_failed,
            units_late: 0,
            units_cut_off: 0,
            interrupted: self.is_stopped(),
            settled: !self.unsettled.load(Ordering::Relaxed),
            stopped: self.is_stopped().then(|| "interrupted".to_owned()),
            panics: panics::count(),
            lateness: Lateness::default(),
            before,
            plateau: None,
            after: last.gauges.clone(),
            survivors,
            stated: side.stated.clone(),
            spawned_at: self.registry.alive(),
            problems,
        };
        printer.report(&last, &report);
        report
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
