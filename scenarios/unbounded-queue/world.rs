//! The outside world: a control room whose disk is full, and readings that know whether they were told.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Bytes of a reading.
const SAMPLES: usize = 4096;

/// The control room. It has answered the call, and stores nothing: so it confirms nothing either.
pub(crate) struct ControlRoom {
    _line: TcpStream,
    books: Arc<Books>,
}

#[derive(Debug, Default)]
struct Books {
    held: AtomicU64,
    lost: AtomicU64,
}

impl ControlRoom {
    /// The control room, and the hall's end of the line.
    pub(crate) async fn call() -> Result<(Arc<Self>, TcpStream)> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let line = TcpStream::connect(listener.local_addr()?).await?;
        let (_line, _) = listener.accept().await?;
        Ok((Arc::new(Self { _line, books: Arc::default() }), line))
    }

    /// What a sensor measures.
    pub(crate) fn reading(&self) -> Reading {
        self.books.held.fetch_add(1, Ordering::Relaxed);
        Reading {
            samples: vec![0; SAMPLES],
            is_told: AtomicBool::new(false),
            books: self.books.clone(),
        }
    }

    /// Readings in memory, wherever they are.
    pub(crate) fn held(&self) -> u64 {
        self.books.held.load(Ordering::Relaxed)
    }

    pub(crate) fn show(self: &Arc<Self>, stage: &stage::Stage) {
        let (room, books) = (self.clone(), self.books.clone());
        stage.gauge("held", move || room.held());
        stage.gauge("lost", move || {
            books.lost.load(Ordering::Relaxed)
        });
    }
}

/// A reading that is dropped before it was told is lost.
#[derive(Debug)]
pub(crate) struct Reading {
    samples: Vec<u8>,
    is_told: AtomicBool,
    books: Arc<Books>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.books.held.fetch_sub(1, Ordering::Relaxed);
        let lost = u64::from(!*self.is_told.get_mut());
        self.books.lost.fetch_add(lost, Ordering::Relaxed);
    }
}

/// Returns when the control room has confirmed it. A real one would wait for so long only, and then call anew.
pub(crate) async fn tell(
    line: &mut TcpStream,
    reading: &Reading,
) -> Result<()> {
    line.write_all(&reading.samples).await?;
    line.read_u8().await?;
    reading.is_told.store(true, Ordering::Relaxed);
    Ok(())
}
