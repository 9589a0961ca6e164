//! The alerts of a price comparison site: whoever watches a product sees its low prices on the page, and gets a message on the phone.
//!
//! Run it: `cargo run --bin price-alerts-trap-table`

mod world;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
    pages: Arc<Pages>,
}

impl Alerts {
    pub(crate) async fn open(feed: SocketAddr, gateway: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let stream = TcpStream::connect(feed).await.context("cannot connect to the feed")?;
        let (sender, closing, tasks) =
            (broadcast::Sender::new(BEHIND_MAX), CancellationToken::new(), TaskTracker::new());
        let (prices, seen) = (sender.downgrade(), sender.subscribe());
        tasks.spawn(closing.clone().run_until_cancelled_owned(read_feed(stream, sender)));
        let messages = Messages { gateway, lines: Arc::new(Semaphore::new(MESSAGES_MAX)) };
        let pages = Arc::<Pages>::default();
        tasks.spawn(tell(seen, pages.clone(), messages.clone()));
        Ok(Arc::new(Self { prices, closing, tasks, messages, pages }))
    }

    /// Opens a customer's page at a product.
    pub(crate) fn watch(&self, wish: Wish) -> anyhow::Result<Watch> {
        ensure!(self.prices.strong_count() > 0, "the service is closed");
        let (tx, shown) = mpsc::channel(SHOWN_MAX);
        self.pages.open().push(Page { wish, shown: tx });
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

/// The pages that are open.
#[derive(Default)]
struct Pages(Mutex<Vec<Page>>);

struct Page {
    wish: Wish,
    shown: mpsc::Sender<Price>,
}

impl Pages {
    fn open(&self) -> MutexGuard<'_, Vec<Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a price on the pages that it is for, and returns the phones. A page that was closed is taken off.
    fn show(&self, price: Price) -> Vec<String> {
        let mut phones = Vec::new();
        self.open().retain(|page| {
            if price.product != page.wish.product || price.cents >= page.wish.below {
                return true;
            }
            phones.push(page.wish.phone.clone());
            // A page that shows nothing new for so long is in the background, and asks again when it comes back.
            !matches!(page.shown.try_send(price), Err(TrySendError::Closed(_)))
        });
        phones
    }
}

/// Shows all customers the low prices of their products, and sends a message for each: one task for all pages.
async fn tell(mut prices: broadcast::Receiver<Price>, pages: Arc<Pages>, messages: Messages) -> anyhow::Result<()> {
    loop {
        let price = match prices.recv().await {
            Ok(price) => price,
            Err(RecvError::Lagged(missed)) => {
                eprintln!("the pages missed {missed} prices");
                continue;
            }
            Err(RecvError::Closed) => {
                pages.open().clear();
                return Ok(());
            }
        };
        for phone in pages.show(price) {
            let line = messages.line().await?;
            let messages = messages.clone();
            // A page does not wait for a phone.
            tokio::spawn(async move {
                if let Err(error) = messages.send(&phone, price).await {
                    eprintln!("no message about product {}: {error:#}", price.product);
                }
                drop(line);
            });
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
