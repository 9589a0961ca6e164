//! The outside world: the text that an editor's library keeps, and somebody who edits it and closes the window.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Notify,
};

/// Edits in a session.
const EDITS: usize = 3;

/// Makes some edits, waits until each is taken, and hangs up.
pub(crate) async fn edit(desk: SocketAddr) -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(desk).await?);
    for n in 0..EDITS {
        stream.write_all(format!("line {n}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        ensure!(answer == "taken\n", "{answer}");
    }
    Ok(())
}

/// A text, as a library that knows of one thread only has it. It saves what is new when it is dropped.
pub(crate) struct Text {
    lines: RefCell<Vec<String>>,
    is_saved_to: Cell<usize>,
    /// The session tells the autosave that there is something new; nobody else waits.
    changed: Notify,
    /// Where it is saved. A real store would take the lines, and might fail.
    store: Arc<AtomicU64>,
}

impl Text {
    pub(crate) fn new(store: &Arc<AtomicU64>) -> Self {
        Self {
            lines: RefCell::default(),
            is_saved_to: Cell::default(),
            changed: Notify::default(),
            store: store.clone(),
        }
    }

    pub(crate) fn append(&self, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
        self.changed.notify_one();
    }

    /// Waits until there is something to save.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn save(&self) {
        let lines = self.lines.borrow().len();
        let new = lines - self.is_saved_to.replace(lines);
        self.store.fetch_add(new as u64, Ordering::Relaxed);
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.save();
    }
}
