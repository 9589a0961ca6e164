//! The world around the line: a radio gateway on a real socket, lamps of which some are dark, and people who look at pages.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

use crate::Line;

/// The radio takes this long to a lamp and back.
const RADIO: Duration = Duration::from_millis(10);
/// The numbers of the protocol. Each of them can be used when the line is at rest.
const NUMBERS: u64 = 256;
/// A page has this many lamps; the last digit of a lamp's number says how it is.
const LAMPS: u64 = 10;
/// It answers.
const WELL: u64 = 0;
/// It never answers.
const DARK: u64 = 5;
/// Its answer is on its way, and comes when the page asks a lamp that is well.
const LATE: u64 = 7;
/// The pages before the load and after it have other numbers.
const FIRST: u64 = 1_000_000;
const LAST: u64 = 2_000_000;

pub(crate) struct World {
    pub(crate) line: Arc<Line>,
    gateway: Arc<Gateway>,
    ledger: Ledger,
    asked: AtomicU64,
    /// Dropped with the world: the gateway ends with it.
    _peer: AbortOnDropHandle<()>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let gateway = Arc::<Gateway>::default();
        let (addr, peer) = gateway.clone().listen().await?;
        let (line, ledger, asked) = (Line::open(addr).await?, Ledger::default(), AtomicU64::new(0));
        let world = Self { line, gateway, ledger, asked, _peer: peer };
        // A connection may wait for the gateway to take it: with an answer it has.
        world.ask(FIRST * LAMPS + WELL).await.context("the first lamp")?;
        Ok(world)
    }

    /// A page asks a lamp that is well, one that is not, and another one that is well.
    async fn unit(&self, page: u64) -> anyhow::Result<()> {
        let lamp = |kind| page * LAMPS + kind;
        self.ask(lamp(WELL)).await?;
        match page % 4 {
            // Somebody waits, for as long as it takes.
            0 => {
                let (dark, late) = tokio::join!(self.line.ask(lamp(DARK)), self.line.ask(lamp(LATE)));
                ensure!(
                    dark.is_err() && late.is_err(),
                    "page {page}: {dark:?} and {late:?} of lamps that do not answer"
                );
            }
            2 => self.ask_and_leave(lamp(LATE)).await?,
            _ => self.ask_and_leave(lamp(DARK)).await?,
        }
        self.ask(lamp(WELL)).await
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = exercise::all((0..NUMBERS).map(|n| self.ask((LAST + n) * LAMPS + WELL)));
        // The questions are polled first, and so are under way when the line is closed.
        let (last, ()) = tokio::join!(last, self.line.stop());
        last.context("each number is used at the end")?;
        ensure!(self.line.ask(WELL).await.is_err(), "a question was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("numbers", move || world.line.in_use() as u64);
        let gateway = self.gateway.clone();
        stage.gauge("questions", move || gateway.questions.load(Ordering::Relaxed));
        let gateway = self.gateway.clone();
        stage.gauge("connects", move || gateway.connects.load(Ordering::Relaxed));
    }
}

impl World {
    /// A lamp that is well says so, and each such question has an answer.
    async fn ask(&self, lamp: u64) -> anyhow::Result<()> {
        let entry = self.asked.fetch_add(1, Ordering::Relaxed);
        self.ledger.accept(entry);
        let said = self.line.ask(lamp).await?;
        ensure!(said == says(lamp), "lamp {lamp} says {said:?}, and it should be {:?}", says(lamp));
        self.ledger.finish(entry);
        Ok(())
    }

    /// Somebody asks, and closes the page when the gateway has the question: the server drops the request, as it does for every
    /// browser that hangs up.
    async fn ask_and_leave(&self, lamp: u64) -> anyhow::Result<()> {
        let heard = self.gateway.heard(lamp);
        tokio::select! {
            answer = self.line.ask(lamp) => bail!("lamp {lamp}, which does not answer: {answer:?}"),
            () = heard.notified() => Ok(()),
        }
    }
}

fn says(lamp: u64) -> String {
    format!("lamp {lamp} burns {} hours", lamp * 7 % 997)
}

#[derive(Default)]
struct Gateway {
    connects: AtomicU64,
    /// Those on which the gateway has not said its last word.
    questions: AtomicU64,
    /// Who wants to know that the gateway has a question.
    heard: Mutex<HashMap<u64, Arc<Notify>>>,
}

/// A question that the gateway has.
struct Asked {
    number: String,
    lamp: u64,
}

impl Gateway {
    fn heard(&self, lamp: u64) -> Arc<Notify> {
        self.heard.lock().unwrap().entry(lamp).or_default().clone()
    }

    /// All connections are one task, so that the tasks which are counted are the service's.
    async fn listen(self: Arc<Self>) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let all = async move {
            let mut lines = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => lines.push(self.serve(stream)),
                    // A city that has hung up is no concern of the gateway.
                    Some(_) = lines.next() => {}
                }
            }
        };
        Ok((addr, AbortOnDropHandle::new(tokio::spawn(all))))
    }

    /// `number ASK lamp` and `number RECALL`. On each question the gateway says one last word, `number word`.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let (lines, mut answers) = stream.into_split();
        let (mut lines, mut radio) = (BufReader::new(lines).lines(), FuturesUnordered::new());
        // Questions to lamps that are dark, and those whose answer is on its way.
        let (mut dark, mut late) = (Vec::<Asked>::new(), Vec::<Asked>::new());
        loop {
            let mut words = Vec::new();
            tokio::select! {
                line = lines.next_line() => {
                    let Some(line) = line? else { break };
                    match line.split(' ').collect::<Vec<_>>()[..] {
                        [number, "ASK", lamp] => {
                            let asked = self.take(number, lamp)?;
                            match asked.lamp % LAMPS {
                                DARK => dark.push(asked),
                                LATE => late.push(asked),
                                _ => {
                                    let of_page = |other: &mut Asked| other.lamp / LAMPS == asked.lamp / LAMPS;
                                    words.extend(late.extract_if(.., of_page).map(answer));
                                    radio.push(by_radio(asked));
                                }
                            }
                        }
                        // What is on its way cannot be recalled.
                        [number, "RECALL"] => {
                            let is_it = |asked: &mut Asked| asked.number == number;
                            words.extend(dark.extract_if(.., is_it).map(|_| format!("{number} RECALLED\n")));
                        }
                        _ => bail!("what is {line:?}?"),
                    }
                }
                Some(asked) = radio.next() => words.push(answer(asked)),
            }
            for word in words {
                self.questions.fetch_sub(1, Ordering::Relaxed);
                answers.write_all(word.as_bytes()).await?;
            }
        }
        // Nobody is there to hear of these.
        let left = dark.len() + late.len() + radio.len();
        self.questions.fetch_sub(left as u64, Ordering::Relaxed);
        Ok(())
    }

    fn take(&self, number: &str, lamp: &str) -> anyhow::Result<Asked> {
        let asked = Asked { number: number.to_owned(), lamp: lamp.parse()? };
        ensure!(number.parse::<u64>()? < NUMBERS, "a number is one byte");
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.heard(asked.lamp).notify_one();
        Ok(asked)
    }
}

fn answer(asked: Asked) -> String {
    format!("{} {}\n", asked.number, says(asked.lamp))
}

async fn by_radio(asked: Asked) -> Asked {
    sleep(RADIO).await;
    asked
}
