//! The import of a photo service: albums come as batches of photos, and every photo gets a thumbnail.
//!
//! Run it: `cargo run --bin photo-import-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_util::task::TaskTracker;

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// Photos of an album that wait for their thumbnail.
const QUEUE: usize = 4;
/// The scaler may take no longer for one photo.
const SCALE_MAX: Duration = Duration::from_secs(2);
/// When the service stops, albums under way get this long.
const STOP_MAX: Duration = Duration::from_secs(3);

/// A photo, as the phone sends it.
#[derive(Clone, Debug)]
pub(crate) struct Photo {
    pub(crate) id: u64,
    pub(crate) pixels: String,
}

/// An album, for its page; kept for as long as the album is.
struct Album {
    /// Phones send, this album's worker receives; the last sender's end closes it.
    photos: mpsc::Sender<Photo>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    expected: AtomicUsize,
    done: AtomicUsize,
}

/// Takes albums in, and answers for how far they are.
pub(crate) struct Importer {
    scaler: SocketAddr,
    albums: Mutex<HashMap<u64, Album>>,
    workers: TaskTracker,
}

impl Importer {
    pub(crate) fn new(scaler: SocketAddr) -> Arc<Self> {
        Arc::new(Self { scaler, albums: Mutex::default(), workers: TaskTracker::new() })
    }

    /// Imports an album. Returns when all of its photos are on their way to the scaler.
    pub(crate) async fn import(&self, album: u64, photos: Vec<Photo>) -> anyhow::Result<()> {
        ensure!(!self.workers.is_closed(), "the service is closing");
        let sender = self.open(album);
        self.progress_of(album).context("the album was deleted")?.expected.fetch_add(photos.len(), Ordering::Relaxed);
        for photo in photos {
            sender.send(photo).await.context("the album's worker has ended")?;
        }
        Ok(())
    }

    /// A late photo, from a phone that was offline.
    pub(crate) async fn add(&self, album: u64, photo: Photo) -> anyhow::Result<()> {
        self.import(album, vec![photo]).await
    }

    /// Photos that are done, and those that are expected.
    pub(crate) fn progress(&self, album: u64) -> Option<(usize, usize)> {
        let progress = self.progress_of(album)?;
        Some((progress.done.load(Ordering::Relaxed), progress.expected.load(Ordering::Relaxed)))
    }

    /// Takes nothing new, and waits for the albums that are under way.
    pub(crate) async fn stop(&self) {
        self.workers.close();
        self.albums().clear();
        if timeout(STOP_MAX, self.workers.wait()).await.is_err() {
            eprintln!("{} albums were cut off", self.workers.len());
        }
    }

    /// The queue of an album; its first photo brings a worker.
    fn open(&self, album: u64) -> mpsc::Sender<Photo> {
        let mut albums = self.albums();
        if let Some(known) = albums.get(&album) {
            return known.photos.clone();
        }
        let (sender, photos) = mpsc::channel(QUEUE);
        let progress = Arc::<Progress>::default();
        self.workers.spawn(work(self.scaler, photos, progress.clone()));
        albums.insert(album, Album { photos: sender.clone(), progress });
        sender
    }

    fn progress_of(&self, album: u64) -> Option<Arc<Progress>> {
        self.albums().get(&album).map(|album| album.progress.clone())
    }

    fn albums(&self) -> MutexGuard<'_, HashMap<u64, Album>> {
        self.albums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the thumbnails of one album, in the order of its photos.
async fn work(scaler: SocketAddr, mut photos: mpsc::Receiver<Photo>, progress: Arc<Progress>) {
    while let Some(photo) = photos.recv().await {
        match timeout(SCALE_MAX, scale(scaler, &photo)).await {
            Ok(Ok(())) => drop(progress.done.fetch_add(1, Ordering::Relaxed)),
            Ok(Err(error)) => eprintln!("photo {}: {error:#}", photo.id),
            Err(_) => eprintln!("photo {}: the scaler is too slow", photo.id),
        }
    }
}

/// One photo to the scaler, which keeps the thumbnail.
async fn scale(scaler: SocketAddr, photo: &Photo) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(scaler).await.context("cannot connect")?;
    stream.write_all(format!("SCALE {} {}\n", photo.id, photo.pixels).as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    ensure!(answer == "OK\n", "the scaler said {answer:?}");
    Ok(())
}
