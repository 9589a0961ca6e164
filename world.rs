//! The world around the converter: a provider of rates on a real socket, customers who look at prices, and the provider's restart.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::Converter;

/// The provider takes this long for a rate of the first line; those of the second it gathers by telephone.
const QUOTE: Duration = Duration::from_millis(40);
const COMMON: [&str; 6] = ["USD", "JPY", "GBP", "CHF", "SEK", "PLN"];
const RARE: [&str; 2] = ["ISK", "MGA"];
/// The telephone takes as long as it takes a client to say so often that it is still there.
const HERE: u32 = 2;
/// What the shop's goods are sold in.
const FROM: [&str; 7] = ["EUR", "DKK", "NOK", "CZK", "HUF", "RON", "BGN"];
/// 10,000 of a currency, so that every digit of a rate is in the price.
const CENTS: u64 = 1_000_000;
/// The rates of two currencies differ by this, in millionths, and no two rates are the same.
const APART: u64 = 10_000_000;
/// Conversions that are under way when the service is told to end.
const AT_THE_END: u64 = 8;
/// A customer looks again for this long, while the provider comes back.
const AGAIN_MAX: Duration = Duration::from_secs(2);

pub(crate) struct World {
    converter: Converter,
    provider: Arc<Provider>,
    /// The provider's machine is switched off with the world.
    _machine: AbortOnDropHandle<()>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (addr, provider) = (listener.local_addr()?, Arc::<Provider>::default());
        let machine = AbortOnDropHandle::new(tokio::spawn(provider.clone().serve(listener)));
        Ok(Self { converter: Converter::start(addr).await?, provider, _machine: machine })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let from = FROM[n as usize % FROM.len()];
        match n % 4 {
            1 => self.price(n, from, RARE[n as usize / 4 % RARE.len()]).await,
            3 => self.no_price(from).await,
            _ => self.price(n, from, COMMON[n as usize / 2 % COMMON.len()]).await,
        }
    }

    async fn close(&self) -> anyhow::Result<()> {
        self.restart().await.context("after a restart of the provider")?;
        let before = *self.provider.asked.borrow();
        let mut asked = self.provider.asked.subscribe();
        let last = (0..AT_THE_END).map(|n| self.unit(n));
        let (last, ()) = tokio::join!(exercise::all(last), async {
            // All of them wait for the provider; a converter that does not ask it has answered already.
            let _ = timeout(AGAIN_MAX / 2, asked.wait_for(|&asked| asked >= before + AT_THE_END)).await;
            self.converter.stop().await;
        });
        last?;
        ensure!(self.converter.convert(CENTS, "EUR", "USD").await.is_err(), "a service that has ended converts");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.provider.ledger
    }
}

impl World {
    /// A customer looks at a price, which is made of a rate that was given for it and for no other.
    async fn price(&self, n: u64, from: &str, to: &str) -> anyhow::Result<()> {
        let times = n % 3 + 1;
        let price = self.converter.convert(times * CENTS, from, to).await?;
        let rate = price / times;
        let quote = rate.checked_sub(first_rate(to)).filter(|quote| *quote < APART);
        let quote = quote.with_context(|| format!("{price} is no price in {to}"))?;
        self.provider.ledger.finish(quote);
        let quoted = self.provider.quoted.lock().unwrap().get(&quote).cloned().unwrap_or_default();
        ensure!(quoted == format!("{from} {to}"), "a price in {to} for {from} was made of the rate of {quoted:?}");
        ensure!(price % times == 0, "{price} is not {times} times {rate}");
        Ok(())
    }

    /// A customer asks for a currency that does not exist, and is told so.
    async fn no_price(&self, from: &str) -> anyhow::Result<()> {
        let error = self.converter.convert(CENTS, from, "XXX").await.err().context("there is a price in XXX")?;
        ensure!(format!("{error:#}").contains("unknown currency"), "a price in XXX: {error:#}");
        Ok(())
    }

    /// The provider cuts off all sessions; a moment later there are prices again.
    async fn restart(&self) -> anyhow::Result<()> {
        self.provider.restarts.send_modify(|restarts| *restarts += 1);
        let again = async {
            while self.price(0, "EUR", "USD").await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(AGAIN_MAX, again).await.context("there are no prices any more")
    }
}

fn first_rate(to: &str) -> u64 {
    let at = COMMON.iter().chain(&RARE).position(|currency| *currency == to).unwrap_or(COMMON.len() + RARE.len());
    (at as u64 + 1) * APART
}

/// The provider: it gives each rate once, and changes it at once.
#[derive(Default)]
struct Provider {
    ledger: Ledger,
    /// The two currencies of each rate that was given.
    quoted: Mutex<HashMap<u64, String>>,
    /// Questions that have come in; each session adds, the world looks.
    asked: watch::Sender<u64>,
    /// The world adds, each session looks, and ends.
    restarts: watch::Sender<u64>,
}

impl Provider {
    /// All sessions in one task, which ends with the world.
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut sessions = FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => sessions.push(self.until_restart(stream)),
                Some(()) = sessions.next() => {}
            }
        }
    }

    async fn until_restart(&self, stream: TcpStream) {
        let mut restarts = self.restarts.subscribe();
        tokio::select! {
            _ = restarts.changed() => {}
            // A client that has gone is no concern of the provider.
            _ = self.session(stream) => {}
        }
    }

    async fn session(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let (mut lines, mut soon) = (BufReader::new(reader).lines(), FuturesUnordered::new());
        // Questions that are asked by telephone, and how often the client has still to say that it is there.
        let mut calls: Vec<(String, u32)> = Vec::new();
        loop {
            let ready = tokio::select! {
                line = lines.next_line() => match line?.as_deref() {
                    None | Some("QUIT") => return Ok(()),
                    Some("HERE") => {
                        calls.iter_mut().for_each(|(_, left)| *left -= 1);
                        calls.extract_if(.., |(_, left)| *left == 0).map(|(question, _)| question).collect()
                    }
                    Some(question) => {
                        self.asked.send_modify(|asked| *asked += 1);
                        match RARE.iter().any(|rare| question.ends_with(rare)) {
                            true => calls.push((question.to_owned(), HERE)),
                            false => soon.push(after(QUOTE, question.to_owned())),
                        }
                        Vec::new()
                    }
                },
                Some(question) = soon.next() => vec![question],
            };
            for question in ready {
                writer.write_all(self.answer(&question)?.as_bytes()).await?;
            }
        }
    }

    fn answer(&self, question: &str) -> anyhow::Result<String> {
        let words: Vec<_> = question.split(' ').collect();
        let ["RATE", number, from, to] = words[..] else { return Ok("0 what do you mean\n".to_owned()) };
        if from == to {
            return Ok(format!("{number} 1000000\n"));
        }
        if !COMMON.contains(&to) && !RARE.contains(&to) {
            return Ok(format!("{number} unknown currency {to}\n"));
        }
        let mut quoted = self.quoted.lock().unwrap();
        let quote = quoted.len() as u64;
        quoted.insert(quote, format!("{from} {to}"));
        self.ledger.accept(quote);
        Ok(format!("{number} {}\n", first_rate(to) + quote))
    }
}

async fn after(delay: Duration, question: String) -> String {
    sleep(delay).await;
    question
}
