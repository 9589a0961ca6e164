//! HTTP in front of the pool, the same on all sides: passengers ask for a fare, and the line sends a new list of prices.

use std::{
    mem::replace,
    sync::{Arc, RwLock},
};

use axum::{
    Extension, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, put},
};
use tokio_util::sync::DropGuard;

use crate::{
    Pool,
    world::{Office, prices},
};

/// The price of the first list.
const CENTS: u64 = 500;

/// On a request: the answer shall have no hint.
#[derive(Clone)]
pub(crate) struct Plain;

pub(crate) struct Desk {
    pub(crate) office: Office,
    pool: RwLock<Pool>,
    _closing: DropGuard,
}

impl Desk {
    /// Starts the first pool.
    pub(crate) fn open() -> Arc<Self> {
        let office = Office::default();
        let pool = Pool::start(prices(CENTS), &office);
        let _closing = office.closing().clone().drop_guard();
        let pool = RwLock::new(pool);
        Arc::new(Self { office, pool, _closing })
    }

    pub(crate) async fn ask(
        &self,
        to: usize,
        plain: bool,
    ) -> Option<String> {
        let fare = self.pool.read().unwrap().ask(to, plain)?;
        fare.await.ok()
    }

    /// First the new pool takes over, then the old one is stopped.
    pub(crate) async fn new_prices(&self, cents: u64) {
        let new = Pool::start(prices(cents), &self.office);
        let old = replace(&mut *self.pool.write().unwrap(), new);
        old.stop().await;
    }
}

pub(crate) fn app(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/fares/{to}", get(fare))
        .route("/prices", put(new_prices))
        .with_state(desk)
}

async fn fare(
    State(desk): State<Arc<Desk>>,
    Path(to): Path<usize>,
    plain: Option<Extension<Plain>>,
) -> Result<String, StatusCode> {
    let fare = desk.ask(to, plain.is_some()).await;
    fare.ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

async fn new_prices(
    State(desk): State<Arc<Desk>>,
    cents: String,
) -> StatusCode {
    let Ok(cents) = cents.trim().parse() else {
        return StatusCode::BAD_REQUEST;
    };
    desk.new_prices(cents).await;
    StatusCode::NO_CONTENT
}
