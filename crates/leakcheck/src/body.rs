//! The body's side of a check: its polls are noted, and it is cancelled or traced when the caller asks.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::runtime::Handle;

use crate::{
    dump::{self, Lines},
    lock::lock,
    registry::Registry,
};

/// The polls of a body so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polls {
    pub(crate) count: u64,
    /// When the last of them began; before the first, when the body's closure was called.
    pub(crate) last: Instant,
    /// Whether that poll, or that call, still goes on.
    pub(crate) in_progress: bool,
}

/// Lets the caller see what a body does, and ask something of it. The body's future is polled, traced and dropped on its own
/// thread.
#[derive(Clone)]
pub(crate) struct BodyControl(Arc<Mutex<Control>>);

struct Control {
    polls: Polls,
    request: Request,
    waker: Option<Waker>,
    dumped: bool,
}

enum Request {
    None,
    /// Sends the lines that the body and its tasks await. The channel closes without lines if the body ends first.
    Trace(Sender<Lines>),
    Cancel,
}

/// What a poll of the body led to.
enum Step<T> {
    Returned(T),
    Cancelled,
    Trace(Sender<Lines>),
}

impl BodyControl {
    pub(crate) fn new() -> Self {
        let polls = Polls { count: 0, last: Instant::now(), in_progress: true };
        Self(Arc::new(Mutex::new(Control { polls, request: Request::None, waker: None, dumped: false })))
    }

    pub(crate) fn polls(&self) -> Polls {
        lock(&self.0).polls
    }

    /// Cancels a body that waits.
    pub(crate) fn cancel(&self) {
        self.ask(Request::Cancel);
    }

    /// Asks a body that waits for the lines that it and its tasks await.
    pub(crate) fn trace(&self) -> Receiver<Lines> {
        let (sender, lines) = mpsc::channel();
        self.ask(Request::Trace(sender));
        lines
    }

    fn ask(&self, request: Request) {
        let waker = {
            let mut control = lock(&self.0);
            control.request = request;
            control.waker.take()
        };
        // Outside of the lock, since a waker may poll at once.
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether a dump was taken of the runtime, which must then never be used again.
    pub(crate) fn dumped(&self) -> bool {
        lock(&self.0).dumped
    }

    /// The body's value, or `None` if it was cancelled first.
    pub(crate) async fn run<T>(&self, registry: &Registry, body: impl Future<Output = T>) -> Option<T> {
        let mut body = pin!(dump::rooted(body));
        loop {
            match poll_fn(|cx| self.poll(cx, body.as_mut())).await {
                Step::Returned(value) => return Some(value),
                Step::Cancelled => return None,
                Step::Trace(lines) => {
                    lock(&self.0).dumped = true;
                    if let Some(value) = self.answer(registry, body.as_mut(), lines).await {
                        return Some(value);
                    }
                }
            }
        }
    }

    fn poll<T>(&self, cx: &mut Context<'_>, body: Pin<&mut impl Future<Output = T>>) -> Poll<Step<T>> {
        {
            let mut control = lock(&self.0);
            match std::mem::replace(&mut control.request, Request::None) {
                Request::None => {}
                Request::Trace(lines) => return Poll::Ready(Step::Trace(lines)),
                Request::Cancel => return Poll::Ready(Step::Cancelled),
            }
            if !control.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                control.waker = Some(cx.waker().clone());
            }
            control.polls = Polls { count: control.polls.count + 1, last: Instant::now(), in_progress: true };
        }
        let polled = body.poll(cx);
        lock(&self.0).polls.in_progress = false;
        polled.map(Step::Returned)
    }

    /// Sends the lines, unless the caller cancels while the runtime takes its dump: a dump may hang. Returns the body's value
    /// if the body ends when it is polled for its own line.
    async fn answer<T>(
        &self,
        registry: &Registry,
        body: Pin<&mut impl Future<Output = T>>,
        lines: Sender<Lines>,
    ) -> Option<T> {
        let own = match dump::body_lines(body).await {
            Ok(own) => own,
            Err(value) => return Some(value),
        };
        let handle = Handle::current();
        let mut tasks = pin!(dump::task_lines(&handle, registry));
        let taken = poll_fn(|cx| {
            let mut control = lock(&self.0);
            if matches!(control.request, Request::Cancel) {
                return Poll::Ready(None);
            }
            control.waker = Some(cx.waker().clone());
            drop(control);
            tasks.as_mut().poll(cx).map(Some)
        })
        .await;
        if let Some(mut all) = taken {
            all.body = own;
            // A caller that has given up has dropped the receiver.
            drop(lines.send(all));
        }
        None
    }
}
