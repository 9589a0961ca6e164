//! The world around the label service: the carrier's numbers and its printer on real sockets, and packers.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::{Label, Labels};

/// The printer looks the address up, and takes this long for it.
const PRINTS: Duration = Duration::from_millis(1_000);
/// One label of a run takes longer.
const SLOW: &str = "0";
const PRINTS_LATE: Duration = Duration::from_millis(2_000);
/// A number that was not renewed for this long goes back. A busy machine keeps a thread waiting for almost as long.
const LENT_FOR: Duration = Duration::from_millis(800);
/// The carrier's clock is set this often…
const TICK: Duration = Duration::from_millis(10);
/// …and never by more than this: when the whole program was held up, no number lapses by it.
const TICK_MAX: Duration = Duration::from_millis(50);
/// Labels that are under way when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    labels: Arc<Labels>,
    range: Arc<Range>,
    /// Dropped with the world: the peers end with it.
    _peers: JoinSet<()>,
}

/// What a parcel meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Known,
    /// The printer knows no such place.
    Unknown,
    /// The printer hangs up.
    Cursed,
}

impl Address {
    fn of(parcel: u64) -> Self {
        match parcel % 4 {
            1 => Self::Unknown,
            3 => Self::Cursed,
            _ => Self::Known,
        }
    }
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let range = Arc::<Range>::default();
        let (shared, mut peers) = (range.clone(), JoinSet::new());
        let numbers = peer(&mut peers, move |question| shared.clone().answer(question)).await?;
        let printer = peer(&mut peers, print).await?;
        peers.spawn(range.clone().set_clock());
        Ok(Self { labels: Labels::new(numbers, printer), range, _peers: peers })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let address = Address::of(n);
        let street = match address {
            Address::Known => "1 High Street",
            Address::Unknown => "1 Nowhere Lane",
            Address::Cursed => "1 Curse Court",
        };
        self.range.ledger.accept(n);
        let label = self.labels.label(n, street).await;
        if address != Address::Known {
            self.range.given_up(n);
        }
        match (address, label) {
            (Address::Known, Ok(Label::Printed { number, code })) => {
                ensure!(code == format!("{n}/{number}"), "the label of parcel {n} says {code}");
                let assigned = self.range.assigned_to(number);
                ensure!(assigned == Some(n), "number {number} is on parcel {n}, and assigned to {assigned:?}");
            }
            (Address::Unknown, Ok(Label::Refused(reason))) => ensure!(reason == "no such street", "refused: {reason}"),
            (Address::Cursed, Err(_)) => {}
            (_, Err(error)) => return Err(error.context(format!("parcel {n} to {street}"))),
            (_, Ok(label)) => bail!("parcel {n} to {street} got {label:?}"),
        }
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_000 + n));
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // The printer looks up the addresses.
            sleep(PRINTS / 2).await;
            self.labels.stop().await;
        });
        last
    }

    fn ledger(&self) -> &Ledger {
        &self.range.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let [lent, idle] = [self.range.clone(), self.range.clone()];
        stage.gauge("lent", move || lent.lent());
        stage.gauge("idle_ms", move || idle.idle_ms());
    }
}

/// The carrier's numbers.
#[derive(Default)]
struct Range {
    /// Since the start, by the carrier's clock.
    now: Mutex<Duration>,
    numbers: Mutex<HashMap<u64, Number>>,
    /// Parcels without a label, and since when that is known.
    given_up: Mutex<HashMap<u64, Duration>>,
    ledger: Ledger,
}

enum Number {
    Lent { parcel: u64, until: Duration },
    Assigned { parcel: u64 },
}

impl Range {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    async fn set_clock(self: Arc<Self>) {
        let mut since = Instant::now();
        loop {
            sleep(TICK).await;
            *self.now.lock().unwrap() += since.elapsed().min(TICK_MAX);
            since = Instant::now();
        }
    }

    async fn answer(self: Arc<Self>, question: String) -> Option<String> {
        let words: Vec<_> = question.split(' ').collect();
        let arg = |n: usize| words.get(n)?.parse::<u64>().ok();
        let (now, mut numbers) = (self.now(), self.numbers.lock().unwrap());
        let until = now + LENT_FOR;
        match words[0] {
            "BORROW" => {
                let number = 7_000 + numbers.len() as u64;
                numbers.insert(number, Number::Lent { parcel: arg(1)?, until });
                Some(format!("NUMBER {number}"))
            }
            "RENEW" => Some(match numbers.get_mut(&arg(1)?)? {
                Number::Lent { until: lent, .. } if *lent < now => "LAPSED".to_owned(),
                Number::Lent { until: lent, .. } => {
                    *lent = until;
                    "OK".to_owned()
                }
                Number::Assigned { .. } => "OK".to_owned(),
            }),
            "ASSIGN" => {
                let (number, parcel) = (numbers.get_mut(&arg(1)?)?, arg(2)?);
                if matches!(number, Number::Lent { until, .. } if *until < now) {
                    return Some("LAPSED".to_owned());
                }
                *number = Number::Assigned { parcel };
                self.ledger.finish(parcel);
                Some("OK".to_owned())
            }
            _ => None,
        }
    }

    fn assigned_to(&self, number: u64) -> Option<u64> {
        match self.numbers.lock().unwrap().get(&number)? {
            Number::Assigned { parcel } => Some(*parcel),
            Number::Lent { .. } => None,
        }
    }

    fn given_up(&self, parcel: u64) {
        self.ledger.refuse(parcel);
        self.given_up.lock().unwrap().insert(parcel, self.now());
    }

    /// The longest for which a number was, or is, lent to a parcel that gets no label.
    fn idle_ms(&self) -> u64 {
        let (now, given_up) = (self.now(), self.given_up.lock().unwrap());
        let idle = |number: &Number| match number {
            Number::Lent { parcel, until } => (*until).min(now).checked_sub(*given_up.get(parcel)?),
            Number::Assigned { .. } => None,
        };
        self.numbers.lock().unwrap().values().filter_map(idle).max().unwrap_or_default().as_millis() as u64
    }

    /// Numbers that nobody else can have.
    fn lent(&self) -> u64 {
        let (now, numbers) = (self.now(), self.numbers.lock().unwrap());
        numbers.values().filter(|number| matches!(number, Number::Lent { until, .. } if *until >= now)).count() as u64
    }
}

async fn print(question: String) -> Option<String> {
    let mut words = question.splitn(4, ' ').skip(1);
    let (parcel, number, address) = (words.next()?, words.next()?, words.next()?);
    sleep(if parcel == SLOW { PRINTS_LATE } else { PRINTS }).await;
    match address {
        address if address.contains("Nowhere") => Some("REFUSED no such street".to_owned()),
        address if address.contains("Curse") => None,
        _ => Some(format!("LABEL {parcel}/{number}")),
    }
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
    let answer = answer(question.trim_end().to_owned()).await.context("no answer")?;
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}
