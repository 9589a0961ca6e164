//! The outside world: the standard gRPC health service, which says what configuration a replica serves.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::health_reporter,
};

/// The configuration that every replica should serve, as a name of the health service.
pub(crate) const CONFIG: &str = "orders.config.v7";

/// Any free port. A real replica has an address that its peers find in DNS.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// No connection and no single answer may take longer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The health service of a replica that serves [`CONFIG`], with its reporter left out: nothing ever changes here.
pub(crate) async fn health_service() -> HealthServer<impl Health> {
    let (reporter, service) = health_reporter();
    reporter.set_service_status(CONFIG, ServingStatus::Serving).await;
    service
}

/// Adds up how long the rounds take; the gauge `check_ms` shows the sum, in milliseconds.
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn new(stage: &stage::Stage) -> Self {
        let sum = Arc::new(AtomicU64::new(0));
        let shown = sum.clone();
        stage.gauge("check_ms", move || {
            shown.load(Ordering::Relaxed) / 1000
        });
        Self(sum)
    }

    pub(crate) async fn time<F: Future>(
        &self,
        round: F,
    ) -> F::Output {
        let started = Instant::now();
        let output = round.await;
        let micros = started.elapsed().as_micros() as u64;
        self.0.fetch_add(micros, Ordering::Relaxed);
        output
    }
}
