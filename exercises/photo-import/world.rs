//! The world around the import: a scaler on a real socket that keeps thumbnails, and phones that send albums and a late photo.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Importer, Photo};

/// The scaler takes this long for the last photo of an album, and longer for those before it.
const SCALE: Duration = Duration::from_millis(12);
const LONGER: Duration = Duration::from_millis(4);
/// Photos of an album; one more comes late.
const PHOTOS: u64 = 4;
/// After this long a phone that was offline sends its photo.
const LATE: Duration = Duration::from_millis(30);
/// Nobody looks at a page that stands still for longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a photo.
const PIXELS: usize = 4 * 1024;
/// Albums that are under way when the service is told to end.
const AT_THE_END: u64 = 6;

pub(crate) struct World {
    importer: Arc<Importer>,
    shelf: Arc<Shelf>,
    /// It ends with the world, as a machine does that is switched off.
    _scaler: AbortOnDropHandle<()>,
}

/// What the scaler keeps.
#[derive(Default)]
struct Shelf {
    ledger: Ledger,
    /// The last photo of each album.
    last: Mutex<HashMap<u64, u64>>,
    out_of_order: AtomicU64,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let shelf = Arc::<Shelf>::default();
        let (addr, scaler) = scaler(shelf.clone()).await?;
        Ok(Self { importer: Importer::new(addr), shelf, _scaler: scaler })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let photos: Vec<_> = (0..PHOTOS).map(|photo| self.photo(n, photo)).collect();
        self.importer.import(n, photos).await?;
        self.until_done(n, PHOTOS as usize).await?;
        sleep(LATE).await;
        self.importer.add(n, self.photo(n, PHOTOS)).await?;
        self.until_done(n, PHOTOS as usize + 1).await
    }

    async fn close(&self) -> anyhow::Result<()> {
        for album in 0..AT_THE_END {
            let album = 1_000_000 + album;
            let photos = (0..PHOTOS).map(|photo| self.photo(album, photo)).collect();
            self.importer.import(album, photos).await?;
        }
        self.importer.stop().await;
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.shelf.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let shelf = self.shelf.clone();
        stage.gauge("out_of_order", move || shelf.out_of_order.load(Ordering::Relaxed));
    }
}

impl World {
    fn photo(&self, album: u64, photo: u64) -> Photo {
        let id = album * 100 + photo;
        self.shelf.ledger.accept(id);
        Photo { id, pixels: "p".repeat(PIXELS) }
    }

    /// Looks at the page of an album until so many photos are done.
    async fn until_done(&self, album: u64, photos: usize) -> anyhow::Result<()> {
        let done = async {
            loop {
                let (done, expected) = self.importer.progress(album).context("the album has no page")?;
                ensure!(expected == photos, "the page says that {expected} photos are expected, not {photos}");
                if done == photos {
                    return Ok(());
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, done).await.with_context(|| format!("album {album} stands still"))?
    }
}

/// The scaler: one photo per connection. What it keeps is done.
async fn scaler(shelf: Arc<Shelf>) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let scaler = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shelf = shelf.clone();
            tokio::spawn(async move {
                // A client that has gone is no concern of the scaler.
                let _ = keep(stream, &shelf).await;
            });
        }
    });
    Ok((addr, AbortOnDropHandle::new(scaler)))
}

async fn keep(stream: TcpStream, shelf: &Shelf) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    stream.read_line(&mut question).await?;
    let id: u64 = question.split(' ').nth(1).context("no photo")?.parse()?;
    let (album, photo) = (id / 100, id % 100);
    sleep(SCALE + LONGER * PHOTOS.saturating_sub(photo) as u32).await;
    shelf.ledger.finish(id);
    if shelf.last.lock().unwrap().insert(album, photo).is_some_and(|last| last > photo) {
        shelf.out_of_order.fetch_add(1, Ordering::Relaxed);
    }
    stream.write_all(b"OK\n").await?;
    Ok(())
}
