//! The picture cache of a shop: every thumbnail is rendered once, and again when its original changes.
//!
//! Run it: `cargo run --bin image-cache-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    sync::{Semaphore, mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// The front page and the albums of a morning; more would not fit into the memory of the smallest machine.
const PICTURES_MAX: usize = 80;
/// The renderer has eight cores.
const CONNECTIONS_MAX: usize = 8;
/// No picture may take longer than this.
const RENDER_MAX: Duration = Duration::from_secs(2);
/// No thumbnail is larger.
const CONTENT_MAX: usize = 64 * 1024;
/// A renderer that restarts is back after about this long.
const FEED_RETRY: Duration = Duration::from_millis(200);

/// The rendered picture of a product.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Of the original.
    pub(crate) version: u64,
    pub(crate) content: Vec<u8>,
}

/// Keeps the pictures that were asked for last.
pub(crate) struct Cache {
    renderer: Arc<Renderer>,
    entries: Arc<Mutex<Entries>>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

#[derive(Default)]
struct Entries {
    by_product: HashMap<u64, Entry>,
    /// Counts requests, and so orders them.
    requests: u64,
    is_closed: bool,
}

struct Entry {
    /// The keeper sends each version, requests receive; closed when the keeper ends.
    picture: watch::Receiver<Option<Arc<Picture>>>,
    /// The feed sends, the keeper receives; closed with the entry. One notice is enough: a keeper asks for the latest version.
    changed: mpsc::Sender<()>,
    last_asked: u64,
}

impl Cache {
    /// Follows the renderer's feed of changes from the beginning, so that no picture can be older than the feed says.
    pub(crate) async fn open(renderer: SocketAddr) -> anyhow::Result<Self> {
        let feed = subscribe(renderer).await?;
        let connections = Renderer { addr: renderer, room: Semaphore::new(CONNECTIONS_MAX), idle: Mutex::default() };
        let cache = Self {
            renderer: Arc::new(connections),
            entries: Arc::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let follow = follow(renderer, feed, cache.entries.clone());
        cache.tasks.spawn(cache.closing.clone().run_until_cancelled_owned(follow));
        Ok(cache)
    }

    /// The picture, from memory or from the renderer. However many ask for a new one, it is rendered once.
    pub(crate) async fn get(&self, product: u64) -> anyhow::Result<Arc<Picture>> {
        let mut picture = self.entry(product)?;
        let rendered = picture.wait_for(Option::is_some).await.ok().and_then(|picture| picture.clone());
        rendered.with_context(|| format!("product {product} cannot be rendered"))
    }

    /// Pictures that are in memory, or on their way.
    pub(crate) fn pictures(&self) -> usize {
        lock(&self.entries).by_product.len()
    }

    /// Takes no new request, and lets what is being rendered reach those who wait for it.
    pub(crate) async fn stop(&self) {
        *lock(&self.entries) = Entries { is_closed: true, ..Entries::default() };
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        lock(&self.renderer.idle).clear();
    }

    /// The entry's end of the picture. What is not there yet is put there, with a keeper of its own.
    fn entry(&self, product: u64) -> anyhow::Result<watch::Receiver<Option<Arc<Picture>>>> {
        let mut entries = lock(&self.entries);
        ensure!(!entries.is_closed, "the cache is closed");
        entries.requests += 1;
        let last_asked = entries.requests;
        // A keeper ends when it cannot render: then this request tries again, with another one.
        if let Some(entry) = entries.by_product.get_mut(&product)
            && entry.picture.has_changed().is_ok()
        {
            entry.last_asked = last_asked;
            return Ok(entry.picture.clone());
        }
        let (send, picture) = watch::channel(None);
        let (changed, notices) = mpsc::channel(1);
        self.tasks.spawn(keep(self.renderer.clone(), product, send, notices));
        entries.by_product.insert(product, Entry { picture: picture.clone(), changed, last_asked });
        entries.make_room();
        Ok(picture)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Entries {
    /// What was asked for the longest ago goes first.
    fn make_room(&mut self) {
        while self.by_product.len() > PICTURES_MAX
            && let Some(oldest) =
                self.by_product.iter().min_by_key(|(_, entry)| entry.last_asked).map(|(&product, _)| product)
        {
            self.by_product.remove(&oldest);
        }
    }

    fn has_changed(&self, product: u64) {
        if let Some(entry) = self.by_product.get(&product) {
            // When there is no room, a notice lies there already.
            let _ = entry.changed.try_send(());
        }
    }
}

/// Keeps one picture up to date, so that no visitor waits for a change to be rendered.
async fn keep(
    renderer: Arc<Renderer>,
    product: u64,
    picture: watch::Sender<Option<Arc<Picture>>>,
    mut notices: mpsc::Receiver<()>,
) {
    loop {
        match renderer.render(product).await {
            Ok(rendered) => picture.send_replace(Some(Arc::new(rendered))),
            Err(error) => return eprintln!("product {product}: {error:#}"),
        };
        if notices.recv().await.is_none() {
            return;
        }
    }
}

/// Tells keepers what has changed, for as long as the cache is open.
async fn follow(renderer: SocketAddr, feed: Lines<BufReader<TcpStream>>, entries: Arc<Mutex<Entries>>) {
    let mut feed = Some(feed);
    loop {
        if let Some(mut lines) = feed.take() {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(("CHANGED", product)) = line.split_once(' ')
                    && let Ok(product) = product.parse()
                {
                    lock(&entries).has_changed(product);
                }
            }
            eprintln!("the feed of changes has ended");
        }
        sleep(FEED_RETRY).await;
        feed = subscribe(renderer).await.ok();
        // Changes have passed unseen: everything is rendered anew.
        lock(&entries).by_product.clear();
    }
}

async fn subscribe(renderer: SocketAddr) -> anyhow::Result<Lines<BufReader<TcpStream>>> {
    let exchange = async {
        let mut stream = BufReader::new(TcpStream::connect(renderer).await.context("cannot connect")?);
        stream.write_all(b"FEED\n").await?;
        let mut lines = stream.lines();
        ensure!(lines.next_line().await?.as_deref() == Some("READY"), "the renderer has no feed");
        Ok(lines)
    };
    timeout(RENDER_MAX, exchange).await.context("the renderer is too slow")?
}

/// The connections to the renderer. Each is kept for the next picture: a new one costs a handshake.
struct Renderer {
    addr: SocketAddr,
    room: Semaphore,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

impl Renderer {
    async fn render(&self, product: u64) -> anyhow::Result<Picture> {
        let _place = self.room.acquire().await.context("the renderer's connections are closed")?;
        let exchange = async {
            let kept = lock(&self.idle).pop();
            let mut stream = match kept {
                Some(stream) => stream,
                None => BufReader::new(TcpStream::connect(self.addr).await.context("cannot connect")?),
            };
            let picture = ask(&mut stream, product).await?;
            // Only after a whole answer: what is cut off in the middle is not used again.
            lock(&self.idle).push(stream);
            Ok(picture)
        };
        timeout(RENDER_MAX, exchange).await.context("the renderer is too slow")?
    }
}

/// One question and its answer: a line with version and length, then the content.
async fn ask(stream: &mut BufReader<TcpStream>, product: u64) -> anyhow::Result<Picture> {
    stream.write_all(format!("RENDER {product}\n").as_bytes()).await?;
    let mut head = String::new();
    stream.read_line(&mut head).await?;
    let ["PICTURE", version, length] = head.split_whitespace().collect::<Vec<_>>()[..] else {
        bail!("the renderer said {head:?}");
    };
    let (version, length) = (version.parse()?, length.parse()?);
    ensure!(length <= CONTENT_MAX, "a thumbnail of {length} bytes");
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await?;
    Ok(Picture { version, content })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
