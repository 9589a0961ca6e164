//! The world around the box office: a hall, a bank and a journal on real sockets, and customers.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::{BoxOffice, Sale};

/// The hall looks for seats.
const LOOKS: Duration = Duration::from_millis(200);
/// A customer takes the phone and confirms.
const CONFIRMS: Duration = Duration::from_millis(100);
/// One customer of a run looks for the phone first.
const SLOW: u64 = 2;
const CONFIRMS_LATE: Duration = Duration::from_millis(900);
/// Orders that are under way when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    office: Arc<BoxOffice>,
    bank: Arc<Bank>,
    books: Arc<Books>,
    /// Dropped with the world: the peers end with it.
    _peers: JoinSet<()>,
}

/// Every fourth order is for a show without a free seat.
fn is_sold_out(order: u64) -> bool {
    order % 4 == 3
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (bank, books, mut peers) = (Arc::<Bank>::default(), Arc::<Books>::default(), JoinSet::new());
        let (its_bank, its_books) = (bank.clone(), books.clone());
        let hall = peer(&mut peers, seats).await?;
        let bank_addr = peer(&mut peers, move |question| its_bank.clone().answer(question)).await?;
        let journal = peer(&mut peers, move |question| its_books.clone().answer(question)).await?;
        Ok(Self { office: BoxOffice::new(hall, bank_addr, journal), bank, books, _peers: peers })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let show = if is_sold_out(n) { "premiere" } else { "matinee" };
        self.books.ledger.accept(n);
        match self.office.sell(n, show).await.with_context(|| format!("order {n}"))? {
            Sale::Sold { seats } if !is_sold_out(n) => {
                ensure!(seats == format!("{n}a,{n}b"), "order {n} got the seats {seats}");
                ensure!(self.bank.charges(n) == 1, "order {n} was charged {} times", self.bank.charges(n));
            }
            Sale::SoldOut if is_sold_out(n) => {
                self.bank.told(n);
                ensure!(self.bank.charges(n) == 0, "order {n} is sold out, and was charged");
            }
            sale => bail!("order {n} for the {show} is {sale:?}"),
        }
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_000 + n));
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // The hall looks for seats.
            sleep(LOOKS / 2).await;
            self.office.stop().await;
        });
        last
    }

    fn ledger(&self) -> &Ledger {
        &self.books.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let [asked, asked_ms] = [self.bank.clone(), self.bank.clone()];
        stage.gauge("asked", move || asked.questions().len() as u64);
        stage.gauge("asked_ms", move || asked_ms.asked_ms());
    }
}

/// The bank of all customers.
#[derive(Default)]
struct Bank {
    /// Orders whose customers are asked to confirm.
    asked: Mutex<HashSet<u64>>,
    charges: Mutex<HashMap<u64, u64>>,
    /// When customers were told "sold out".
    told: Mutex<HashMap<u64, Instant>>,
    /// The longest for which a customer was still asked afterwards.
    asked_max: Mutex<Duration>,
}

impl Bank {
    async fn answer(self: Arc<Self>, question: String) -> Option<String> {
        let mut words = question.split(' ');
        let (verb, order) = (words.next()?, words.next()?.parse().ok()?);
        match verb {
            "APPROVE" => {
                let _question = Question::new(self, order);
                sleep(if order == SLOW { CONFIRMS_LATE } else { CONFIRMS }).await;
                if is_sold_out(order) {
                    // Who sees "sold out" does not confirm.
                    std::future::pending::<()>().await;
                }
                Some(format!("APPROVED c{order}"))
            }
            "CHARGE" if words.next()? == format!("c{order}") => {
                *self.charges.lock().unwrap().entry(order).or_default() += 1;
                Some("PAID".to_owned())
            }
            _ => None,
        }
    }

    fn charges(&self, order: u64) -> u64 {
        self.charges.lock().unwrap().get(&order).copied().unwrap_or(0)
    }

    fn told(&self, order: u64) {
        self.told.lock().unwrap().insert(order, Instant::now());
    }

    fn questions(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().copied().collect()
    }

    /// The longest for which a customer was, or is, asked about an order that is sold out.
    fn asked_ms(&self) -> u64 {
        self.questions().into_iter().for_each(|order| self.still_asked(order));
        self.asked_max.lock().unwrap().as_millis() as u64
    }

    fn still_asked(&self, order: u64) {
        let since = self.told.lock().unwrap().get(&order).map(Instant::elapsed);
        let mut max = self.asked_max.lock().unwrap();
        *max = since.unwrap_or_default().max(*max);
    }
}

/// A customer who is asked; not any more when the bank's line is closed.
struct Question {
    bank: Arc<Bank>,
    order: u64,
}

impl Question {
    fn new(bank: Arc<Bank>, order: u64) -> Self {
        bank.asked.lock().unwrap().insert(order);
        Self { bank, order }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.bank.still_asked(self.order);
        self.bank.asked.lock().unwrap().remove(&self.order);
    }
}

/// The accountants' books: an order is done when all its steps are in them.
#[derive(Default)]
struct Books {
    steps: Mutex<HashMap<u64, Vec<String>>>,
    ledger: Ledger,
}

impl Books {
    async fn answer(self: Arc<Self>, line: String) -> Option<String> {
        let mut words = line.splitn(3, ' ').skip(1);
        let (order, steps) = (words.next()?.parse().ok()?, words.next()?);
        let last = if is_sold_out(order) { "sold out" } else { "sold" };
        let mut books = self.steps.lock().unwrap();
        let written = books.entry(order).or_default();
        for step in steps.split(',') {
            written.push(step.to_owned());
            if step == last && written[0] == "ordered" {
                self.ledger.finish(order);
            }
        }
        Some("OK".to_owned())
    }
}

async fn seats(question: String) -> Option<String> {
    sleep(LOOKS).await;
    let mut words = question.split(' ').skip(1);
    let (order, show) = (words.next()?, words.next()?);
    Some(if show == "premiere" { "SOLD OUT".to_owned() } else { format!("SEATS {order}a,{order}b") })
}

/// A peer that answers one question per connection, or hangs up. All its connections are one task, and none of the service's.
async fn peer<A>(
    peers: &mut JoinSet<()>,
    answer: impl Fn(String) -> A + Send + Sync + 'static,
) -> anyhow::Result<SocketAddr>
where
    A: Future<Output = Option<String>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    peers.spawn(async move {
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => calls.extend(accepted.ok().map(|(stream, _)| serve(stream, &answer))),
                // A client that has gone is no concern of a peer.
                Some(_gone) = calls.next() => {}
            }
        }
    });
    Ok(addr)
}

async fn serve<A>(stream: TcpStream, answer: impl Fn(String) -> A) -> anyhow::Result<()>
where
    A: Future<Output = Option<String>>,
{
    let (mut stream, mut question) = (BufReader::new(stream), String::new());
    stream.read_line(&mut question).await?;
    let answer = tokio::select! {
        answer = answer(question.trim_end().to_owned()) => answer.context("no answer")?,
        _ = stream.read_u8() => bail!("the client hung up"),
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}
