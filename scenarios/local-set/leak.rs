//! Starts an autosave for each session, and leaves it alone.
//!
//! An editor runs its sessions on one thread, in a `LocalSet`, for a text is not `Send`.
//!
//! Run it: `cargo run --bin local-set-leak`
//!
//! You will see no live task, and one local task more after every session.

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
    task::{self, JoinHandle, LocalSet},
};
use world::{Text, edit};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let (desk, addr, stop) = Desk::open()?;
        let Desk { local, saved } = desk;
        stage.gauge("local_tasks", move || local.load(Relaxed));
        stage.gauge("edits_saved", move || saved.load(Relaxed));
        stage.load(async |_| edit(addr).await).await;
        Ok(stop)
    })
}

// ANCHOR: service
#[derive(Clone, Default)]
struct Desk {
    /// Local tasks that live: Tokio does not count them.
    local: Arc<AtomicU64>,
    saved: Arc<AtomicU64>,
}

impl Desk {
    async fn sessions(self, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            self.spawn(self.clone().session(stream));
        }
    }

    async fn session(self, mut stream: TcpStream) -> Result<()> {
        let text = Rc::new(Text::new(&self.saved));
        // LEAK: the session ends, and nobody tells this task.
        self.spawn(autosave(text.clone()));
        let (from, mut to) = stream.split();
        let mut edits = BufReader::new(from).lines();
        while let Some(edit) = edits.next_line().await? {
            text.append(&edit);
            to.write_all(b"taken\n").await?;
        }
        Ok(())
    }

    /// Starts a local task, and counts it to its end.
    #[track_caller]
    fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        let counted = Counted::new(&self.local);
        task::spawn_local(async move {
            let _counted = counted;
            work.await
        })
    }
}

/// Saves what is new, whenever there is something new.
async fn autosave(text: Rc<Text>) {
    loop {
        text.changed().await;
        text.save();
    }
}

/// Counts one, also when its task is aborted or panics.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
// ANCHOR_END: service

type Opened = (Desk, SocketAddr, oneshot::Sender<()>);

impl Desk {
    /// On a thread of its own, which ends when the sender is dropped.
    fn open() -> Result<Opened> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (desk, (stop, stopped)) =
            (Self::default(), oneshot::channel());
        let served = desk.clone();
        thread::spawn(move || {
            LocalSet::new().block_on(&runtime, async {
                let listener = TcpListener::from_std(listener)?;
                tokio::select! {
                    ended = served.sessions(listener) => ended,
                    _ = stopped => Ok(()),
                }
            })
        });
        Ok((desk, addr, stop))
    }
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test(flavor = "local")]
    #[should_panic(
        expected = "5 tasks spawned at scenarios/local-set/leak.rs"
    )]
    async fn a_session_leaves_no_task_behind() {
        let any = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = any.local_addr().unwrap();
        let desk = task::spawn_local(Desk::default().sessions(any));
        let sessions = leakcheck::scope();
        for _ in 0..5 {
            edit(addr).await.unwrap();
        }
        // The desk lives on, and only the sessions are over.
        sessions.assert().await;
        desk.abort();
    }
    // ANCHOR_END: guard
}
