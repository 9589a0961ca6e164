//! The checkout of a shop: it asks a payment provider for the money, and answers the customer when the provider has called back.
//!
//! Run it: `cargo run --bin payment-callbacks-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A customer waits this long for the bank; then the shop promises a mail. Short here, half a minute in a shop.
const PATIENCE: Duration = Duration::from_secs(1);
/// The provider and the books answer sooner, or not at all.
const PEER_MAX: Duration = Duration::from_secs(2);
/// Payments that are under way at the same time; the others wait.
const PAYMENTS_MAX: usize = 256;

/// What a customer buys.
pub(crate) struct Order {
    pub(crate) cents: u64,
    pub(crate) items: Vec<String>,
}

/// What the customer is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The money has come; with the text of the receipt.
    Paid(String),
    /// The bank says no.
    Declined,
    /// Nobody knows yet. The books write a mail when the money comes.
    Open,
}

/// A payment that the provider was asked for.
struct Pending {
    /// The callback sends one answer, the customer's request receives it.
    customer: oneshot::Sender<Answer>,
    /// The receipt is made of it.
    order: Order,
}

/// Takes payments. The provider calls back, over a connection of its own, when the customer has been at the bank.
pub(crate) struct Checkout {
    provider: SocketAddr,
    books: SocketAddr,
    /// Where the provider calls back.
    callbacks: SocketAddr,
    room: Semaphore,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, Pending>>,
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Checkout {
    pub(crate) async fn open(provider: SocketAddr, books: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for callbacks")?;
        let checkout = Arc::new(Self {
            provider,
            books,
            callbacks: listener.local_addr()?,
            room: Semaphore::new(PAYMENTS_MAX),
            next: AtomicU64::new(1),
            pending: Mutex::default(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        checkout.tasks.spawn(checkout.clone().listen(listener));
        Ok(checkout)
    }

    /// Asks for the money, and answers when the provider has called back, or after `PATIENCE`.
    pub(crate) async fn pay(&self, order: Order) -> anyhow::Result<Answer> {
        let _place = self.room.acquire().await.context("the checkout is closed")?;
        let payment = self.next.fetch_add(1, Ordering::Relaxed);
        let request = format!("PAY {payment} {} {}", order.cents, self.callbacks);
        let (customer, answer) = oneshot::channel();
        // Before the provider is asked: its callback may be here sooner than its reply.
        self.pending().insert(payment, Pending { customer, order });
        let reply = ask(self.provider, &request).await.context("the provider does not answer")?;
        ensure!(reply == "ACCEPTED", "the provider said {reply:?} to payment {payment}");
        match timeout(PATIENCE, answer).await {
            Ok(answer) => answer.context("nobody will answer this payment"),
            Err(_) => Ok(Answer::Open),
        }
    }

    /// Payments that wait for their callback, for the status page.
    pub(crate) fn waiting(&self) -> usize {
        self.pending().len()
    }

    /// Lets the payments under way have their answer, and takes no new one.
    pub(crate) async fn stop(&self) {
        if let Ok(all) = self.room.acquire_many(PAYMENTS_MAX as u32).await {
            self.room.close();
            drop(all);
        }
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Takes callbacks until the checkout is stopped; each has a task, which ends with its connection.
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopped.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let checkout = self.clone();
                    self.tasks.spawn(async move {
                        let taken = timeout(PEER_MAX * 2, checkout.callback(stream)).await;
                        if !matches!(taken, Ok(Ok(()))) {
                            eprintln!("a callback was cut off: {taken:?}");
                        }
                    });
                }
                Err(error) => eprintln!("cannot take a callback: {error}"),
            }
        }
    }

    /// One callback: a line, and a reply that tells the provider whether to call again.
    async fn callback(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut said = String::new();
        stream.read_line(&mut said).await?;
        let reply = match self.settle(said.trim_end()).await {
            Ok(()) => "OK\n",
            Err(error) => {
                eprintln!("the provider has to call again: {error:#}");
                "AGAIN\n"
            }
        };
        stream.write_all(reply.as_bytes()).await?;
        Ok(())
    }

    /// Books what has come, and tells the customer who waits for it. Most callbacks are fast, but the money counts whenever it comes.
    async fn settle(&self, said: &str) -> anyhow::Result<()> {
        let fields: Vec<_> = said.split(' ').collect();
        let (payment, is_paid) = match fields[..] {
            ["PAID", payment, cents] => {
                let reply = ask(self.books, &format!("BOOK {payment} {cents}")).await.context("the books are shut")?;
                ensure!(reply == "BOOKED", "the books said {reply:?}");
                (payment.parse()?, true)
            }
            ["DECLINED", payment] => (payment.parse()?, false),
            _ => bail!("this is no callback: {said:?}"),
        };
        if let Some(Pending { customer, order }) = self.pending().remove(&payment) {
            let answer = if is_paid { Answer::Paid(receipt(&order)) } else { Answer::Declined };
            // A customer who has left reads of it in the mail.
            let _ = customer.send(answer);
        }
        Ok(())
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn receipt(order: &Order) -> String {
    format!("{} items, {}.{:02}", order.items.len(), order.cents / 100, order.cents % 100)
}

/// One line to a peer and one line back, over a connection of its own.
async fn ask(peer: SocketAddr, line: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(peer).await.context("cannot connect")?;
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).await?;
        Ok(reply.trim_end().to_owned())
    };
    timeout(PEER_MAX, exchange).await.context("the peer is too slow")?
}
