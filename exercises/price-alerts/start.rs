//! The alerts of a price comparison site: whoever watches a product sees its low prices on the page, and gets a message on the phone.
//!
//! Run it: `cargo run --bin price-alerts-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
        mpsc::{self, error::TrySendError},
    },
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// Prices that a slow watch may fall behind; it misses the older ones, and sees the latest.
const BEHIND_MAX: usize = 1_024;
/// Prices that a page may fall behind. It shows the latest few.
const SHOWN_MAX: usize = 16;
/// The gateway takes a message sooner than this, or not at all.
const MESSAGE_MAX: Duration = Duration::from_secs(2);
/// Messages that are under way at the same time; the gateway allows no more lines.
const MESSAGES_MAX: usize = 128;

/// A price of a shop, as it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) product: u64,
    pub(crate) cents: u64,
}

/// What a customer wants to know.
pub(crate) struct Wish {
    pub(crate) product: u64,
    /// Prices below this are of interest.
    pub(crate) below: u64,
    /// The phone's address and keys, as the gateway wants them.
    pub(crate) phone: String,
}

/// A customer's page, open at a product. Dropped when the customer closes it.
pub(crate) struct Watch {
    /// The watch's task sends, the page receives; closed by the page, or when the feed ends.
    shown: mpsc::Receiver<Price>,
}

impl Watch {
    /// The next low price; none when the service ends.
    pub(crate) async fn next(&mut self) -> Option<Price> {
        self.shown.recv().await
    }
}

/// Reads the feed of all shops, and tells customers.
pub(crate) struct Alerts {
    /// The reader of the feed sends, every watch receives. The reader has the one sender: its end closes the channel.
    prices: broadcast::WeakSender<Price>,
    closing: CancellationToken,
    tasks: TaskTracker,
    messages: Messages,
}

impl Alerts {
    pub(crate) async fn open(feed: SocketAddr, gateway: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let stream = TcpStream::connect(feed).await.context("cannot connect to the feed")?;
        let (sender, closing, tasks) =
            (broadcast::Sender::new(BEHIND_MAX), CancellationToken::new(), TaskTracker::new());
        let prices = sender.downgrade();
        tasks.spawn(closing.clone().run_until_cancelled_owned(read_feed(stream, sender)));
        let messages = Messages { gateway, lines: Arc::new(Semaphore::new(MESSAGES_MAX)) };
        Ok(Arc::new(Self { prices, closing, tasks, messages }))
    }

    /// Opens a customer's page at a product.
    pub(crate) fn watch(&self, wish: Wish) -> anyhow::Result<Watch> {
        let prices = self.prices.upgrade().context("the service is closed")?.subscribe();
        let (tx, shown) = mpsc::channel(SHOWN_MAX);
        self.tasks.spawn(follow(prices, wish, tx, self.messages.clone()));
        Ok(Watch { shown })
    }

    /// Takes no more prices, and waits until what came before is told, on pages and phones.
    pub(crate) async fn stop(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.messages.stop().await;
    }
}

/// Passes the feed on, a line a price.
async fn read_feed(stream: TcpStream, prices: broadcast::Sender<Price>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match parse(&line) {
            // An error means that nobody watches anything.
            Some(price) => drop(prices.send(price)),
            None => eprintln!("the feed said {line:?}"),
        }
    }
}

fn parse(line: &str) -> Option<Price> {
    let (product, cents) = line.strip_prefix("PRICE ")?.split_once(' ')?;
    Some(Price { product: product.parse().ok()?, cents: cents.parse().ok()? })
}

/// Shows a customer the low prices of one product, and sends a message for each.
async fn follow(
    mut prices: broadcast::Receiver<Price>,
    wish: Wish,
    shown: mpsc::Sender<Price>,
    messages: Messages,
) -> anyhow::Result<()> {
    loop {
        let price = match prices.recv().await {
            Ok(price) => price,
            Err(RecvError::Lagged(missed)) => {
                eprintln!("a watch of product {} missed {missed} prices", wish.product);
                continue;
            }
            Err(RecvError::Closed) => return Ok(()),
        };
        if price.product != wish.product || price.cents >= wish.below {
            continue;
        }
        let line = messages.line().await?;
        let (messages, phone) = (messages.clone(), wish.phone.clone());
        // A page does not wait for a phone.
        tokio::spawn(async move {
            if let Err(error) = messages.send(&phone, price).await {
                eprintln!("no message about product {}: {error:#}", price.product);
            }
            drop(line);
        });
        match shown.try_send(price) {
            // A page that shows nothing new for so long is in the background, and asks again when it comes back.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Closed(_)) => return Ok(()),
        }
    }
}

/// Messages to phones, through a gateway.
#[derive(Clone)]
struct Messages {
    gateway: SocketAddr,
    lines: Arc<Semaphore>,
}

impl Messages {
    /// Waits for a free line to the gateway.
    async fn line(&self) -> anyhow::Result<OwnedSemaphorePermit> {
        self.lines.clone().acquire_owned().await.context("the service is closed")
    }

    async fn send(&self, phone: &str, price: Price) -> anyhow::Result<()> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.gateway).await.context("cannot connect")?;
            stream.write_all(format!("SEND {} {} {phone}\n", price.product, price.cents).as_bytes()).await?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).await?;
            ensure!(answer == "SENT\n", "the gateway said {answer:?}");
            anyhow::Ok(())
        };
        timeout(MESSAGE_MAX, exchange).await.context("the gateway is too slow")?
    }

    /// Waits for the messages under way.
    async fn stop(&self) {
        if let Ok(all) = self.lines.acquire_many(MESSAGES_MAX as u32).await {
            self.lines.close();
            drop(all);
        }
    }
}
