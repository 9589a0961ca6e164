//! Admission control in front of the desk.

use std::{
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::RETRY_AFTER},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::{runtime::Handle, time::interval};
use tokio_util::task::AbortOnDropHandle;

use crate::desk::Plain;

// ANCHOR: admission
/// Live tasks are counted this often.
const SAMPLE: Duration = Duration::from_millis(200);
/// With more live tasks than this, fares come without the hint.
const TASKS_MAX: usize = 600;
/// Fares per second. Without hints, eight workers and 5 ms make 1,600
/// at best, and fewer in fact: a timer counts whole milliseconds.
const RATE: NonZero<u32> = NonZero::new(900).unwrap();
/// Fares at once, after a pause.
const BURST: NonZero<u32> = NonZero::new(50).unwrap();

pub(crate) struct Admission {
    /// 50 tokens, and 900 more every second.
    bucket: DefaultDirectRateLimiter,
    is_crowded: Arc<AtomicBool>,
    _sampler: AbortOnDropHandle<()>,
}

/// An admitted request, with the hint or without.
pub(crate) enum Admitted {
    Whole,
    Plain,
}

impl Admission {
    pub(crate) fn start() -> Arc<Self> {
        let quota = Quota::per_second(RATE).allow_burst(BURST);
        let is_crowded = Arc::new(AtomicBool::new(false));
        let sampler = tokio::spawn(sample(is_crowded.clone()));
        Arc::new(Self {
            bucket: RateLimiter::direct(quota),
            is_crowded,
            _sampler: AbortOnDropHandle::new(sampler),
        })
    }

    /// None when the bucket is empty.
    pub(crate) fn admit(&self) -> Option<Admitted> {
        self.bucket.check().ok()?;
        let is_crowded = self.is_crowded.load(Ordering::Relaxed);
        Some(if is_crowded {
            Admitted::Plain
        } else {
            Admitted::Whole
        })
    }
}

async fn sample(is_crowded: Arc<AtomicBool>) {
    let mut sample = interval(SAMPLE);
    loop {
        sample.tick().await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        is_crowded.store(tasks > TASKS_MAX, Ordering::Relaxed);
    }
}

async fn door(
    State(admission): State<Arc<Admission>>,
    mut request: Request,
    next: Next,
) -> Response {
    match admission.admit() {
        // Said at once, and without work: that is what it is for.
        None => {
            let busy = StatusCode::SERVICE_UNAVAILABLE;
            return (busy, [(RETRY_AFTER, "1")]).into_response();
        }
        Some(Admitted::Plain) => {
            request.extensions_mut().insert(Plain);
        }
        Some(Admitted::Whole) => {}
    }
    next.run(request).await
}
// ANCHOR_END: admission

/// The same service with a door.
pub(crate) fn behind_a_door(
    app: Router,
    admission: Arc<Admission>,
) -> Router {
    app.layer(from_fn_with_state(admission, door))
}
