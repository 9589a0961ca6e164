//! The ledger in the form that Prometheus reads.

use std::{
    fmt::{self, Debug, Formatter},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::data::{Ledger, Line, unix};
use crate::watch::Watch;

/// A collector for a registry of `prometheus-client` 0.26: takes a ledger whenever somebody asks for the metrics. Needs the feature
/// `metrics`.
///
/// | metric | type | |
/// |---|---|---|
/// | `tokio_tasks_spawned_total{line="src/x.rs:17:5"}` | counter | tasks spawned |
/// | `tokio_tasks_ended_total{line}` | counter | tasks ended |
/// | `tokio_tasks_panicked_total{line}` | counter | tasks ended by a panic |
/// | `tokio_tasks_alive{line}` | gauge | tasks alive |
/// | `tokio_tasks_allowed{line}` | gauge | of these, under an allowance or marked as daemons |
/// | `tokio_tasks_older_than{line,seconds="60"}` | gauge | not allowed, and older than so many seconds |
/// | `tokio_tasks_oldest_birth_seconds{line}` | gauge | when the oldest that is not allowed was spawned, in seconds since 1970; absent if there is none |
///
/// Guarantee: nothing runs between two scrapes, and a line has the value it has at the scrape. The birth is the same number in every
/// scrape for as long as the task lives, so `changes(tokio_tasks_oldest_birth_seconds[10m]) == 0` means that the oldest is still the
/// same one. As fields, and what they leave out: see [`Line`](crate::Line).
///
/// Gap: a line is known by file, line and column, which change when the file is edited. Compare within one version of the program.
///
/// Cost: that of [`Watch::ledger`], and about a microsecond for each line and metric. The number of series is bounded as the ledger is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let watch = leakcheck::attach(builder.worker_threads(1)).install();
/// let service = builder.build()?;
///
/// // Beside the metrics that the service has anyway.
/// let mut registry = prometheus_client::registry::Registry::default();
/// registry.register_collector(Box::new(watch.collector()));
///
/// // The handler of `GET /metrics`, on the service's own runtime or on that of an admin port. The content type is
/// // `application/openmetrics-text; version=1.0.0; charset=utf-8`.
/// let page = || -> Result<String, std::fmt::Error> {
///     let mut body = String::new();
///     prometheus_client::encoding::text::encode(&mut body, &registry)?;
///     Ok(body)
/// };
///
/// service.spawn(std::future::pending::<()>());
/// let admin = tokio::runtime::Builder::new_current_thread().build()?;
/// let body = admin.block_on(async { page() })?;
/// assert!(body.contains("# TYPE tokio_tasks_spawned counter\n"), "{body}");
/// assert!(body.lines().any(|line| line.starts_with("tokio_tasks_spawned_total{line=") && line.ends_with("\"} 1")), "{body}");
/// assert!(body.contains("tokio_tasks_older_than{line="), "{body}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskCollector {
    watch: Watch,
    ages: Vec<Duration>,
}

impl Watch {
    /// A collector of this watch's ledgers.
    pub fn collector(&self) -> TaskCollector {
        TaskCollector { watch: self.clone(), ages: Self::AGES.to_vec() }
    }
}

impl TaskCollector {
    /// Other ages for `tokio_tasks_older_than` than [`Watch::AGES`]. Each age is a series more for each line.
    pub fn ages(mut self, ages: &[Duration]) -> Self {
        self.ages = ages.to_vec();
        self
    }
}

impl Debug for TaskCollector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCollector").field("ages", &self.ages).finish_non_exhaustive()
    }
}

impl Collector for TaskCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.watch.ledger_of_ages(&self.ages).encode(encoder)
    }
}

impl Collector for Ledger {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut encoder;
        self.counter(to, "tokio_tasks_spawned", "Tasks spawned, by spawn line", |line| line.spawned)?;
        self.counter(to, "tokio_tasks_ended", "Tasks ended, by spawn line", |line| line.ended)?;
        self.counter(to, "tokio_tasks_panicked", "Tasks ended by a panic, by spawn line", |line| line.panicked)?;
        self.gauge(to, "tokio_tasks_alive", "Tasks alive, by spawn line", |line| line.alive)?;
        self.gauge(to, "tokio_tasks_allowed", "Tasks alive that are meant to stay", |line| line.allowed)?;
        self.older(to)?;
        self.births(to)
    }
}

impl Ledger {
    /// The ledger as a whole page of OpenMetrics text, with the metrics of [`TaskCollector`]: for a program that has no registry. Needs
    /// the feature `metrics`.
    ///
    /// ```
    /// # let mut builder = tokio::runtime::Builder::new_current_thread();
    /// let watch = leakcheck::attach(&mut builder).install();
    /// # let service = builder.build().unwrap();
    /// assert!(watch.ledger().to_openmetrics().ends_with("# EOF\n"));
    /// ```
    pub fn to_openmetrics(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &registry);
        page
    }

    fn counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: fn(&Line) -> u64,
    ) -> fmt::Result {
        self.family(encoder, name, help, None, |line| Some(ConstCounter::new(value(line))))
    }

    fn gauge(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: fn(&Line) -> u64,
    ) -> fmt::Result {
        self.family(encoder, name, help, None, |line| Some(ConstGauge::new(value(line))))
    }

    /// As fractions: whole milliseconds since 1970 are exact in them.
    fn births(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let birth = |line: &Line| Some(ConstGauge::new(unix(line.oldest?.birth).as_millis() as f64 / 1e3));
        let help = "When the oldest task that is not meant to stay was spawned, in Unix time";
        self.family(encoder, "tokio_tasks_oldest_birth", help, Some(&Unit::Seconds), birth)
    }

    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        metric: impl Fn(&Line) -> Option<M>,
    ) -> fmt::Result {
        let metrics = || self.lines.iter().filter_map(|line| Some((line, metric(line)?)));
        // A name without a value says nothing.
        let Some((_, first)) = metrics().next() else { return Ok(()) };
        let mut family = encoder.encode_descriptor(name, help, unit, first.metric_type())?;
        for (line, metric) in metrics() {
            metric.encode(family.encode_family(&[("line", &*line.location)])?)?;
        }
        Ok(())
    }

    fn older(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.lines.iter().all(|line| line.older.is_empty()) {
            return Ok(());
        }
        let (name, help) = ("tokio_tasks_older_than", "Tasks alive that are older than so many seconds");
        let mut family = encoder.encode_descriptor(name, help, None, ConstGauge::new(0_u64).metric_type())?;
        for line in &self.lines {
            for older in &line.older {
                let seconds = older.than.as_secs_f64().to_string();
                let labels = [("line", &*line.location), ("seconds", &*seconds)];
                ConstGauge::new(older.tasks).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
