//! The end of the service at the end of a run, and what is said of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::block_in_place, time::timeout};

use crate::World;

/// A service that has not ended after this long is not waited for. The stage gives the whole program 5 seconds.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(4);

/// The last line of `--json`, after the report: how the service ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "closing")]
pub struct Closing {
    /// False when it had not ended within [`CLOSE_LIMIT`].
    pub ended: bool,
    /// What went wrong as it ended; none when nothing did.
    pub error: Option<String>,
    /// Milliseconds until it had ended.
    pub took_ms: u64,
    /// Work that was accepted before the end, and neither finished nor refused.
    pub unfinished: u64,
    /// Work that was finished more than once, over the whole run.
    pub repeated: u64,
    /// The median time of a unit of work, in microseconds; none without units.
    pub median_us: Option<u64>,
}

/// A world whose service runs. Dropped by the stage when the run is over: at SIGTERM, or at once where nobody holds it.
pub(crate) struct Open<W: World> {
    world: Arc<W>,
    median: Option<Duration>,
    json: bool,
}

impl<W: World> Open<W> {
    pub(crate) fn new(world: Arc<W>, median: Option<Duration>, json: bool) -> Self {
        Self { world, median, json }
    }

    fn close(&self) -> Closing {
        let since = Instant::now();
        // The stage drops this in its main future, whose thread may wait: the service runs on two others.
        let close = timeout(CLOSE_LIMIT, self.world.close());
        let result = block_in_place(|| Handle::current().block_on(close));
        let ledger = self.world.ledger();
        Closing {
            ended: result.is_ok(),
            error: result.ok().and_then(Result::err).map(|error| format!("{error:#}")),
            took_ms: since.elapsed().as_millis() as u64,
            unfinished: ledger.unfinished(),
            repeated: ledger.repeated(),
            median_us: self.median.map(|median| median.as_micros() as u64),
        }
    }
}

impl<W: World> Drop for Open<W> {
    fn drop(&mut self) {
        let closing = self.close();
        if self.json {
            println!("{}", serde_json::to_string(&closing).unwrap_or_default());
        } else {
            println!("the service {}", in_words(&closing));
        }
    }
}

fn in_words(closing: &Closing) -> String {
    match closing {
        Closing { ended: false, .. } => format!("had not ended {} s after it was told to", CLOSE_LIMIT.as_secs()),
        Closing { error: Some(error), .. } => format!("did not end well: {error}"),
        Closing { took_ms, unfinished: 0, .. } => format!("ended within {took_ms} ms, and left no work unfinished"),
        Closing { took_ms, unfinished, .. } => {
            format!("ended within {took_ms} ms, with {unfinished} accepted and not finished")
        }
    }
}
