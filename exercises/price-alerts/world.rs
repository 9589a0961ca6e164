//! The world around the alerts: the shops' feed and the phones' gateway on real sockets, and customers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, future::try_join_all, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Alerts, Price, Watch, Wish};

/// A shop lowers its price this long after the customer has opened the page.
const LOWERS: Duration = Duration::from_millis(100);
/// One customer of a run is patient, and so is the shop.
const PATIENT: u64 = 3;
const LOWERS_LATE: Duration = Duration::from_millis(2_100);
/// The gateway takes this long for a message.
const SENDS: Duration = Duration::from_millis(150);
/// A price is on the page within this time.
const SHOWN_MAX: Duration = Duration::from_secs(1);
/// What customers wish for: less than this.
const BELOW: u64 = 1_000;
/// The prices that each product gets, one after the other. The customer wants to know of the second and the fourth.
const PRICES: [u64; 4] = [1_200, 900, 1_000, 800];
/// The address and keys of a phone have this many bytes.
const PHONE: usize = 4 * 1024;
/// Customers who have seen a price when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    alerts: Arc<Alerts>,
    feed: Mutex<TcpStream>,
    ledger: Arc<Ledger>,
    sent: Arc<AtomicU64>,
    /// Dropped with the world: the peers end with it.
    _peers: JoinSet<()>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (ledger, sent, mut peers) = (Arc::<Ledger>::default(), Arc::default(), JoinSet::new());
        let gateway = gateway(&mut peers, &ledger, &sent).await?;
        let shops = TcpListener::bind("127.0.0.1:0").await?;
        let (alerts, feed) = tokio::join!(Alerts::open(shops.local_addr()?, gateway), shops.accept());
        Ok(Self { alerts: alerts?, feed: Mutex::new(feed?.0), ledger, sent, _peers: peers })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        // The page is closed when this returns.
        self.two_alerts(n).await.map(drop)
    }

    async fn close(&self) -> anyhow::Result<()> {
        // The pages are open, they have shown the prices, and the messages are under way.
        let open = try_join_all((0..AT_THE_END).map(|n| self.two_alerts(1_000_000 + n))).await?;
        self.alerts.stop().await;
        for mut watch in open {
            ensure!(watch.next().await.is_none(), "a page shows prices after the end");
        }
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let sent = self.sent.clone();
        stage.gauge("sent", move || sent.load(Ordering::Relaxed));
    }
}

impl World {
    /// A customer watches a product, and sees two low prices of it.
    async fn two_alerts(&self, n: u64) -> anyhow::Result<Watch> {
        let phone = format!("phone-{n}-{}", "k".repeat(PHONE));
        let mut watch = self.alerts.watch(Wish { product: n, below: BELOW, phone })?;
        sleep(if n == PATIENT { LOWERS_LATE } else { LOWERS }).await;
        for cents in PRICES {
            let is_low = cents < BELOW;
            if is_low {
                self.ledger.accept(message(n, cents));
            }
            self.offer(n, cents).await?;
            if is_low {
                let shown = timeout(SHOWN_MAX, watch.next()).await.context("no price on the page")?;
                ensure!(shown == Some(Price { product: n, cents }), "product {n} at {cents}: the page shows {shown:?}");
            }
        }
        Ok(watch)
    }

    async fn offer(&self, product: u64, cents: u64) -> anyhow::Result<()> {
        let line = format!("PRICE {product} {cents}\n");
        self.feed.lock().await.write_all(line.as_bytes()).await.context("the feed is closed")
    }
}

/// The number of a message in the ledger.
fn message(product: u64, cents: u64) -> u64 {
    product * 10_000 + cents
}

/// The phones' gateway: it takes one message per connection. All its connections are one task, and none of the service's.
async fn gateway(peers: &mut JoinSet<()>, ledger: &Arc<Ledger>, sent: &Arc<AtomicU64>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (addr, ledger, sent) = (listener.local_addr()?, ledger.clone(), sent.clone());
    peers.spawn(async move {
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    calls.extend(accepted.ok().map(|(stream, _)| take(stream, &ledger, &sent)));
                }
                // A client that has gone is no concern of a gateway.
                Some(_gone) = calls.next() => {}
            }
        }
    });
    Ok(addr)
}

async fn take(stream: TcpStream, ledger: &Ledger, sent: &AtomicU64) -> anyhow::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await?;
    let words: Vec<_> = line.trim_end().split(' ').collect();
    let ["SEND", product, cents, phone] = words[..] else { bail!("not a message") };
    ensure!(phone.starts_with(&format!("phone-{product}-")), "the message is for another phone");
    tokio::select! {
        () = sleep(SENDS) => {}
        _ = stream.fill_buf() => bail!("the client hung up"),
    }
    ledger.finish(message(product.parse()?, cents.parse()?));
    sent.fetch_add(1, Ordering::Relaxed);
    stream.write_all(b"SENT\n").await?;
    Ok(())
}
