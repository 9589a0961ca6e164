//! The world around the cache: a renderer on real sockets, visitors who look at pictures, and editors who replace originals.

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
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{Cache, Picture};

/// A picture takes the renderer this long.
const RENDER: Duration = Duration::from_millis(40);
/// A thumbnail of this many bytes.
const SIZE: usize = 8 * 1024;
/// How many products ago those are that a visitor looks at beside the new one.
const ALBUM: [u64; 3] = [5, 15, 30];
/// Of every three visitors who are the first to ask, one has left after this long.
const HASTE: Duration = Duration::from_millis(10);
/// A visitor who is not in haste waits this long.
const PATIENCE: Duration = Duration::from_secs(4);
/// This long after an original was replaced, visitors see the new one.
const NEWS_MAX: Duration = Duration::from_secs(2);
/// Pictures that are on their way when the service is told to end.
const AT_THE_END: u64 = 8;
/// After its end, the service has hung up within this time.
const HANG_UP_MAX: Duration = Duration::from_secs(1);

pub(crate) struct World {
    cache: Arc<Cache>,
    renderer: Arc<Peer>,
    _serving: AbortOnDropHandle<()>,
    ledger: Ledger,
    /// The latest version of each product that a visitor was shown.
    shown: Mutex<HashMap<u64, u64>>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (addr, renderer, _serving) = Peer::start().await?;
        let cache = Arc::new(Cache::open(addr).await?);
        Ok(Self { cache, renderer, _serving, ledger: Ledger::default(), shown: Mutex::default() })
    }

    /// A product comes into the shop; its first visitors look at it, and at three of the products before it.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        self.ledger.accept(n);
        let patience = if n.is_multiple_of(3) { HASTE } else { PATIENCE };
        let (_, second) = tokio::join!(timeout(patience, self.look(n)), timeout(PATIENCE, self.look(n)));
        second.with_context(|| format!("product {n} is not shown"))??;
        self.ledger.finish(n);
        for product in ALBUM.iter().filter_map(|ago| n.checked_sub(*ago)) {
            self.look(product).await?;
        }
        match n.checked_sub(10) {
            Some(product) if n % 5 == 4 => self.replace(product).await,
            _ => Ok(()),
        }
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| async move {
            let n = 1_000_000 + n;
            self.ledger.accept(n);
            self.look(n).await?;
            self.ledger.finish(n);
            Ok(())
        });
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // All of them have reached the renderer, none is rendered.
            sleep(RENDER / 2).await;
            self.cache.stop().await;
        });
        last?;
        ensure!(self.look(0).await.is_err(), "the service has ended, and serves a picture");
        timeout(HANG_UP_MAX, self.renderer.quiet()).await.context("the service has ended, and has not hung up")
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let [cache, connects, renders] = [self.clone(), self.clone(), self.clone()];
        stage.gauge("pictures", move || cache.cache.pictures() as u64);
        stage.gauge("connects", move || connects.renderer.connects.load(Ordering::Relaxed));
        stage.gauge("renders", move || renders.renderer.renders.load(Ordering::Relaxed));
    }
}

impl World {
    /// A visitor looks at a product, and sees no older version than the one before.
    async fn look(&self, product: u64) -> anyhow::Result<u64> {
        let before = self.shown.lock().unwrap().get(&product).copied().unwrap_or(1);
        let picture = self.cache.get(product).await?;
        let Picture { version, content } = &*picture;
        ensure!(*content == painted(product, *version), "the picture of product {product} shows something else");
        ensure!(*version >= before, "product {product} is shown in version {version}, after version {before}");
        let mut shown = self.shown.lock().unwrap();
        let latest = shown.entry(product).or_default();
        *latest = (*latest).max(*version);
        Ok(*version)
    }

    /// An editor replaces the original, and looks until the shop shows the new one.
    async fn replace(&self, product: u64) -> anyhow::Result<()> {
        let version = self.renderer.replace(product);
        let seen = async {
            while self.look(product).await? < version {
                sleep(Duration::from_millis(10)).await;
            }
            anyhow::Ok(())
        };
        timeout(NEWS_MAX, seen).await.with_context(|| format!("product {product} is still shown in an old version"))?
    }
}

/// What a version of a picture looks like.
fn painted(product: u64, version: u64) -> Vec<u8> {
    vec![(product * 31 + version) as u8; SIZE]
}

/// The renderer. One task serves all connections, so that the tasks which are counted are the service's.
struct Peer {
    versions: Mutex<HashMap<u64, u64>>,
    /// Editors send, the connections with a feed receive; never closed.
    changes: broadcast::Sender<u64>,
    connects: AtomicU64,
    renders: AtomicU64,
    open: AtomicU64,
}

impl Peer {
    async fn start() -> anyhow::Result<(SocketAddr, Arc<Self>, AbortOnDropHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let peer = Arc::new(Self {
            versions: Mutex::default(),
            changes: broadcast::channel(1_024).0,
            connects: AtomicU64::default(),
            renders: AtomicU64::default(),
            open: AtomicU64::default(),
        });
        let addr = listener.local_addr()?;
        let serving = AbortOnDropHandle::new(tokio::spawn(peer.clone().serve(listener)));
        Ok((addr, peer, serving))
    }

    fn replace(&self, product: u64) -> u64 {
        let mut versions = self.versions.lock().unwrap();
        let version = versions.entry(product).or_insert(1);
        *version += 1;
        // Without a cache nobody listens.
        let _ = self.changes.send(product);
        *version
    }

    /// Waits until nobody is connected.
    async fn quiet(&self) {
        while self.open.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => connections.push(self.connection(stream)),
                Some(()) = connections.next(), if !connections.is_empty() => {}
            }
        }
    }

    async fn connection(&self, stream: TcpStream) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        // A client that has gone is no concern of the renderer.
        let _ = self.answer(stream).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    async fn answer(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            if line == "FEED\n" {
                return self.feed(stream).await;
            }
            let question = line.trim_end().split_once(' ').filter(|(what, _)| *what == "RENDER");
            let product = question.context("what is this question?")?.1.parse()?;
            self.renders.fetch_add(1, Ordering::Relaxed);
            // The original is read before the work begins.
            let version = self.versions.lock().unwrap().get(&product).copied().unwrap_or(1);
            sleep(RENDER).await;
            // In one piece: the second of two small writes waits until the first one was acknowledged.
            let answer = [format!("PICTURE {version} {SIZE}\n").as_bytes(), &painted(product, version)].concat();
            stream.write_all(&answer).await?;
            line.clear();
        }
        Ok(())
    }

    async fn feed(&self, mut stream: BufReader<TcpStream>) -> anyhow::Result<()> {
        let mut changes = self.changes.subscribe();
        stream.write_all(b"READY\n").await?;
        let mut end = String::new();
        loop {
            tokio::select! {
                product = changes.recv() => {
                    stream.write_all(format!("CHANGED {}\n", product?).as_bytes()).await?;
                }
                _ = stream.read_line(&mut end) => return Ok(()),
            }
        }
    }
}
