//! What a page is told of a run, as lines of JSON while it goes on: the events of [`pair`] or of [`check`], and drawings of them.

use std::{collections::VecDeque, sync::Mutex};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use evidence::chart::Drawing;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{check, pair};

/// Samples and drawings that wait for a slow page; beyond that they are left out.
const EVENTS_MAX: usize = 256;

/// One line to the page.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Run(pair::Event),
    Check(check::Event),
    Drawing(Drawn),
}

/// A gauge of all sides, as it is now.
#[derive(Serialize)]
#[serde(tag = "event", rename = "drawing")]
pub(super) struct Drawn {
    #[serde(flatten)]
    drawing: Drawing,
}

impl From<pair::Event> for Told {
    fn from(event: pair::Event) -> Self {
        Self::Run(event)
    }
}

impl From<check::Event> for Told {
    fn from(event: check::Event) -> Self {
        Self::Check(event)
    }
}

impl From<Drawing> for Told {
    fn from(drawing: Drawing) -> Self {
        Self::Drawing(Drawn { drawing })
    }
}

impl Told {
    /// True for the last word of a run, which no page may miss.
    fn is_last(&self) -> bool {
        use {check::Event as Check, pair::Event as Run};
        matches!(
            self,
            Self::Run(Run::Verdict { .. } | Run::Error { .. }) | Self::Check(Check::Verdict(_) | Check::Error { .. })
        )
    }
}

/// The answer to a page that asked for a run.
pub(super) fn answer<R: Future<Output = ()> + Send + 'static>(run: impl FnOnce(Teller) -> R + 'static) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines_of(run))).into_response()
}

/// The lines of one run. The stream owns the run: when the page closes, the stream is dropped, the run with it, and with that its
/// programs. The run does not wait for the page: what a slow page has no room for is left out, but never the end. A page
/// that takes nothing at all loses its connection, and so its run.
fn lines_of<R: Future<Output = ()> + Send + 'static>(
    run: impl FnOnce(Teller) -> R,
) -> impl Stream<Item = serde_json::Result<String>> {
    // The run sends, the response body receives; the run's end closes both.
    let (tx, rx) = mpsc::channel(EVENTS_MAX);
    let (end, last) = oneshot::channel();
    let mut owner = JoinSet::new();
    owner.spawn(run(Teller { tx, verdict: Mutex::default(), end }));
    let page = Page { rx, last: Some(last), rest: VecDeque::new() };
    stream::unfold((page, owner), |(mut page, owner)| async move {
        let told = page.next().await?;
        Some((serde_json::to_string(&told).map(|line| line + "\n"), (page, owner)))
    })
}

/// The run's end of the line to its page.
pub(super) struct Teller {
    tx: mpsc::Sender<Told>,
    /// Told last.
    verdict: Mutex<Option<Told>>,
    end: oneshot::Sender<VecDeque<Told>>,
}

impl Teller {
    pub(super) fn tell(&self, event: impl Into<Told>) {
        let told = event.into();
        if !told.is_last() {
            let _ = self.tx.try_send(told);
        } else if let Ok(mut verdict) = self.verdict.lock() {
            *verdict = Some(told);
        }
    }

    pub(super) fn draw(&self, drawings: Vec<Drawing>) {
        for drawing in drawings {
            let _ = self.tx.try_send(drawing.into());
        }
    }

    /// The last drawings and the verdict wait for the page outside of the queue.
    pub(super) fn end(self, drawings: Vec<Drawing>) {
        let verdict = self.verdict.into_inner().ok().flatten();
        // A page that closed wants no verdict.
        let _ = self.end.send(drawings.into_iter().map(Told::from).chain(verdict).collect());
    }
}

/// What a page is told, in order.
struct Page {
    rx: mpsc::Receiver<Told>,
    last: Option<oneshot::Receiver<VecDeque<Told>>>,
    rest: VecDeque<Told>,
}

impl Page {
    async fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.rx.recv().await {
            return Some(told);
        }
        if let Some(last) = self.last.take() {
            self.rest = last.await.unwrap_or_default();
        }
        self.rest.pop_front()
    }
}

#[cfg(test)]
mod tests;
