//! The world around the checkout: a payment provider that calls back, the shop's books, and customers, not all of whom stay.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{Answer, Checkout, Order};

/// What a customer needs at the bank.
const BANK: Duration = Duration::from_millis(60);
/// What a customer needs who looks for the card first: longer than the shop waits.
const SLOW: Duration = Duration::from_millis(1_600);
/// A customer who leaves does so after this time: the server drops the request, as it does for every client that hangs up.
const HANG_UP: Duration = Duration::from_millis(40);
/// A basket has this many items, each with a description of this many bytes.
const ITEMS: usize = 16;
const DESCRIPTION: usize = 1024;
/// Payments that are under way when the service is told to end.
const AT_THE_END: u64 = 8;
/// Added to the number of a unit, so that no amount is 0.
const CENTS: u64 = 1_000;
/// The callback is never this late.
const CALLBACK_MAX: Duration = Duration::from_secs(2);

pub(crate) struct World {
    pub(crate) checkout: Arc<Checkout>,
    ledger: Arc<Ledger>,
}

/// What becomes of a payment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The customer closes the bank's page, and looks at the shop's.
    GivesUp,
    /// The customer closes both pages.
    HangsUp,
    /// The customer pays at last, and was promised a mail by then.
    PaysLate,
    /// The customer closes the shop's page, and pays.
    PaysUnseen,
    /// The provider takes no such card.
    Refused,
    /// The bank says no.
    Declined,
    Pays,
}

impl Course {
    fn of(n: u64) -> Self {
        match n % 8 {
            0 => Self::GivesUp,
            1 => Self::HangsUp,
            2 => Self::PaysLate,
            3 => Self::PaysUnseen,
            4 => Self::Refused,
            5 => Self::Declined,
            _ => Self::Pays,
        }
    }
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let ledger = Arc::<Ledger>::default();
        let checkout = Checkout::open(provider(ledger.clone()).await?, books(ledger.clone()).await?).await?;
        Ok(Self { checkout, ledger })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let course = Course::of(n);
        let pay = self.checkout.pay(order(n));
        if matches!(course, Course::HangsUp | Course::PaysUnseen) {
            let answer = timeout(HANG_UP, pay).await;
            ensure!(answer.is_err(), "payment {n} was answered before anybody was at the bank");
            return Ok(());
        }
        let answer = match (pay.await, course) {
            (Err(_), Course::Refused) => return Ok(()),
            (answer, _) => answer?,
        };
        let right = match course {
            Course::GivesUp | Course::PaysLate => Answer::Open,
            Course::Declined => Answer::Declined,
            Course::Pays => Answer::Paid(format!("{ITEMS} items, {}.{:02}", (CENTS + n) / 100, (CENTS + n) % 100)),
            Course::HangsUp | Course::PaysUnseen | Course::Refused => bail!("payment {n} has an answer: {answer:?}"),
        };
        ensure!(answer == right, "payment {n} is {answer:?}, and it should be {right:?}");
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        // Each of them pays.
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_006 + 8 * n));
        // The payments are polled first, and so are under way when the checkout is stopped.
        let (last, ()) = tokio::join!(exercise::all(last), self.checkout.stop());
        last?;
        ensure!(self.checkout.pay(order(6)).await.is_err(), "a payment was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("waiting", move || world.checkout.waiting() as u64);
    }
}

fn order(n: u64) -> Order {
    let items = (0..ITEMS).map(|item| format!("item {item}: {}", "x".repeat(DESCRIPTION))).collect();
    Order { cents: CENTS + n, items }
}

/// Takes `PAY payment cents address`, replies at once, and calls that address when the customer has been at the bank.
async fn provider(ledger: Arc<Ledger>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                if let Err(error) = take(stream, &ledger).await {
                    eprintln!("provider: {error:#}");
                }
            });
        }
    });
    Ok(addr)
}

async fn take(stream: TcpStream, ledger: &Ledger) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let fields: Vec<_> = request.trim_end().split(' ').collect();
    let ["PAY", payment, cents, address] = fields[..] else { bail!("this is no request: {request:?}") };
    let n = cents.parse::<u64>()? - CENTS;
    let course = Course::of(n);
    let is_paid = matches!(course, Course::PaysLate | Course::PaysUnseen | Course::Pays);
    if is_paid {
        ledger.accept(n);
    }
    let reply = if course == Course::Refused { "REFUSED\n" } else { "ACCEPTED\n" };
    stream.write_all(reply.as_bytes()).await?;
    drop(stream);
    sleep(if matches!(course, Course::PaysLate | Course::PaysUnseen) { SLOW } else { BANK }).await;
    let callback = match course {
        Course::Declined => format!("DECLINED {payment}\n"),
        _ if is_paid => format!("PAID {payment} {cents}\n"),
        _ => return Ok(()),
    };
    timeout(CALLBACK_MAX, call(address, &callback)).await.context("the shop does not take the callback")?
}

async fn call(address: &str, callback: &str) -> anyhow::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.context("the shop does not listen")?);
    stream.write_all(callback.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_line(&mut reply).await?;
    ensure!(reply == "OK\n", "the shop said {reply:?} to {callback:?}");
    Ok(())
}

/// The books: each payment belongs there once.
async fn books(ledger: Arc<Ledger>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                // A client that has gone is no concern of the books.
                let _ = book(stream, &ledger).await;
            });
        }
    });
    Ok(addr)
}

async fn book(stream: TcpStream, ledger: &Ledger) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let fields: Vec<_> = line.trim_end().split(' ').collect();
    let ["BOOK", _, cents] = fields[..] else { bail!("this is no booking: {line:?}") };
    ledger.finish(cents.parse::<u64>()? - CENTS);
    stream.write_all(b"BOOKED\n").await?;
    Ok(())
}
