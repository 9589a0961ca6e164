//! The world around the converter: the bank's rates server on a real socket, whose rates never stand still, and shoppers.

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
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, interval_at, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::Converter;

/// The server thinks so long about an answer.
const THINKS: Duration = Duration::from_millis(40);
/// It looks after a quiet client this often, and hangs up on one that does not answer.
const PING: Duration = Duration::from_millis(250);
const PONG_MAX: Duration = Duration::from_secs(2);
/// A price, in cents; so large that the rate can be read from the answer.
const CENTS: u64 = 1_000_000;
/// Prices that are asked for when the service is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    converter: Arc<Converter>,
    ledger: Ledger,
    /// The rate goes up with every shopper: 1 plus so many thousandths.
    rate: Arc<AtomicU64>,
    /// It ends with the world, as a machine does that is switched off.
    _bank: AbortOnDropHandle<()>,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let rate = Arc::<AtomicU64>::default();
        let (addr, bank) = bank(rate.clone()).await?;
        Ok(Self { converter: Converter::new(addr), ledger: Ledger::default(), rate, _bank: bank })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        self.ledger.accept(n);
        let oldest = self.rate.fetch_add(1, Ordering::SeqCst) + 1;
        // Every fifth shopper asks for a currency that the bank does not have.
        if n % 5 == 4 {
            let answer = self.converter.convert(CENTS, "EUR", "ZZZ").await;
            let error = answer.err().context("a currency that does not exist has a rate")?;
            ensure!(format!("{error:#}").contains("no rate"), "{error:#}");
        } else {
            let cents = self.converter.convert(CENTS, "EUR", "USD").await?;
            let rate = (cents * 1000 / CENTS).checked_sub(1000).context("too cheap")?;
            let newest = self.rate.load(Ordering::SeqCst);
            ensure!((oldest..=newest).contains(&rate), "a rate of {rate}, which was right before {oldest}");
        }
        self.ledger.finish(n);
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(|n| self.unit(1_000_000 + n));
        let (last, ()) = tokio::join!(exercise::all(last), async {
            sleep(THINKS / 2).await;
            self.converter.stop().await;
        });
        last
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

async fn bank(rate: Arc<AtomicU64>) -> anyhow::Result<(SocketAddr, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let bank = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let rate = rate.clone();
            tokio::spawn(async move {
                // A client that has gone is no concern of the bank.
                let _ = serve(stream, &rate).await;
            });
        }
    });
    Ok((addr, AbortOnDropHandle::new(bank)))
}

/// One client, until it hangs up or does not answer.
async fn serve(stream: TcpStream, rate: &AtomicU64) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut ping = interval_at(Instant::now() + PING, PING);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                heard = Instant::now();
                match line?.context("the client has hung up")?.split(' ').collect::<Vec<_>>().as_slice() {
                    ["RATE", _, to] => {
                        sleep(THINKS).await;
                        let answer = match *to {
                            "USD" => format!("RATE {}\n", 1000 + rate.load(Ordering::SeqCst)),
                            _ => "NONE\n".to_owned(),
                        };
                        timeout(PONG_MAX, writer.write_all(answer.as_bytes())).await??;
                    }
                    ["PONG"] => {}
                    other => bail!("{other:?} is not understood"),
                }
            }
            _ = ping.tick() => {
                ensure!(heard.elapsed() < PONG_MAX, "the client does not answer");
                timeout(PONG_MAX, writer.write_all(b"PING\n")).await??;
            }
        }
    }
}
