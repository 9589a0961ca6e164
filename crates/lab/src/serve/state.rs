//! What the handlers of live runs share: where the workbook is, and how many programs may run.

use std::{path::Path, sync::Arc};

use axum::{http::StatusCode, response::Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::no_descriptor;
use crate::same_site::{Form, Refusal};

/// Runs at the same time: each is two programs, on what may be two cores. A run of more than two sides takes the place of
/// [`RUNS_MAX`] runs, and a check that of one.
const RUNS_MAX: u32 = 2;
const SIDES_OF_ONE_RUN: usize = 2;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Lab {
    pub(super) root: Arc<Path>,
    runs: Arc<Semaphore>,
}

impl Lab {
    pub(super) fn new(root: Arc<Path>) -> Self {
        Self { root, runs: Arc::new(Semaphore::new(RUNS_MAX as usize)) }
    }

    /// A place for a run of so many sides, as long as it is held; or why there is none.
    pub(super) fn place(&self, sides: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = self.runs.clone().try_acquire_many_owned(places(sides));
        place.map_err(|_| Refusal::new(StatusCode::TOO_MANY_REQUESTS, no_place(sides)))
    }
}

/// Two runs of up to two sides, or one of more.
fn places(sides: usize) -> u32 {
    if sides > SIDES_OF_ONE_RUN { RUNS_MAX } else { 1 }
}

fn no_place(sides: usize) -> String {
    let why = if sides > SIDES_OF_ONE_RUN {
        format!("a run of {sides} sides needs the lab for itself")
    } else {
        "the lab is busy, with two runs or with one of more than two sides".to_owned()
    };
    format!("{why}: wait for the others to end, press Stop in their pages, or close these")
}

/// What could not be looked at is not "not found".
pub(super) fn status_of(error: &anyhow::Error, otherwise: StatusCode) -> StatusCode {
    let starved = error.chain().filter_map(|cause| cause.downcast_ref()).any(no_descriptor);
    if starved { StatusCode::SERVICE_UNAVAILABLE } else { otherwise }
}

pub(super) fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    Refusal::new(status, message).response(Form::Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_two_sides_or_one_of_more() {
        let lab = Lab::new(Path::new("/").into());
        let ask = |sides: usize| lab.place(sides).ok();
        let (first, second) = (ask(2), ask(1));
        assert!(first.is_some() && second.is_some());
        assert!(ask(1).is_none());
        drop(first);
        assert!(ask(3).is_none(), "a run of three beside another");
        drop(second);
        let alone = ask(8);
        assert!(alone.is_some() && ask(1).is_none());
    }
}
