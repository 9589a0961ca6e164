//! Claims about pipes of the system: how much one takes, and what
//! opening a named one waits for.

use std::{
    fs::OpenOptions,
    io::ErrorKind::WouldBlock,
    path::PathBuf,
    process::Command,
    sync::mpsc::{RecvTimeoutError::Timeout, channel},
    thread,
    time::Duration,
};

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
};

use crate::claim::{Claim, paused, settle};

pub(crate) const CLAIMS: &[Claim] = &[Claim::noisy(
    "full-pipe",
    "a full pipe stops its writer until somebody reads, and opening a FIFO waits for the other end",
    || paused(full_pipe()),
)];

// ANCHOR: full-pipe
/// Writes into a pipe that nobody reads, until it takes no more; then
/// opens one end of a FIFO, and later the other.
async fn full_pipe() -> anyhow::Result<Value> {
    let (mut writer, mut reader) = pipe::pipe()?;
    writer.writable().await?;
    let mut taken = 0;
    loop {
        match writer.try_write(&[0; 1024]) {
            Ok(bytes) => taken += bytes,
            Err(error) if error.kind() == WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    let write =
        tokio::spawn(async move { writer.write_all(b"x").await });
    settle().await;
    let blocked = !write.is_finished();
    reader.read_exact(&mut vec![0; taken]).await?;
    write.await??; // It ends now.
    Ok(json!({
        "bytes_until_full": taken,
        "writer_blocked": blocked,
        "fifo_open_waits": fifo_open_waits()?,
    }))
}

/// True when a thread that opened a FIFO to write came back only
/// after the FIFO was opened to read.
fn fifo_open_waits() -> anyhow::Result<bool> {
    let fifo = Fifo::new()?;
    let ((begins, begun), (opens, opened)) = (channel(), channel());
    let path = fifo.0.clone();
    let writer = thread::spawn(move || {
        let _ = begins.send(());
        let file = OpenOptions::new().write(true).open(path);
        let _ = opens.send(file.is_ok());
    });
    begun.recv()?;
    // Nothing tells that it waits: it is given time not to.
    let early = opened.recv_timeout(Duration::from_millis(100));
    let reader = pipe::OpenOptions::new().open_receiver(&fifo.0)?;
    let waited = early == Err(Timeout) && opened.recv()?;
    writer.join().expect("it does not panic");
    drop(reader);
    Ok(waited)
}

/// A named pipe, which is gone at the end.
struct Fifo(PathBuf);

impl Fifo {
    fn new() -> anyhow::Result<Self> {
        let name = format!("claims-{}.fifo", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = Command::new("mkfifo").arg(&path).status()?;
        ensure!(made.success(), "`mkfifo` failed");
        Ok(Self(path))
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
// ANCHOR_END: full-pipe
