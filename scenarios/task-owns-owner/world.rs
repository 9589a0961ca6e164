//! The outside world: a bank that tells a rate of exchange and then is quiet, and visitors of whom every fourth cannot pay.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    select,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// The rate of the day, in cents. It changes tomorrow.
const CENTS: u32 = 108;
/// When the system has no more descriptors, try again after this long.
const PAUSE: Duration = Duration::from_millis(100);
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The bank. All its lines are served by one task, so that the tasks that are counted are the shop's.
pub(crate) struct Bank {
    addr: SocketAddr,
    open: Arc<AtomicU64>,
    _lines: AbortOnDropHandle<()>,
}

impl Bank {
    pub(crate) async fn open() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let lines = tokio::spawn(serve(listener));
        let _lines = AbortOnDropHandle::new(lines);
        Ok(Self { addr, open: Arc::default(), _lines })
    }

    /// A line to the bank.
    pub(crate) async fn call(&self) -> Result<TcpStream> {
        Ok(timeout(LIMIT, TcpStream::connect(self.addr)).await??)
    }

    /// One more rate in the shop's memory, for as long as what this returns is not dropped.
    pub(crate) fn count(&self) -> Counted {
        self.open.fetch_add(1, Ordering::Relaxed);
        Counted(self.open.clone())
    }

    /// Shows how many rates the shop has in memory.
    pub(crate) fn show(&self, stage: &stage::Stage) {
        let open = self.open.clone();
        stage.gauge("owners", move || open.load(Ordering::Relaxed));
    }
}

/// Counts what has not been dropped.
pub(crate) struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(listener: TcpListener) {
    let mut lines = FuturesUnordered::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((line, _)) => lines.push(tell(line)),
                Err(_) => sleep(PAUSE).await,
            },
            Some(()) = lines.next() => {}
        }
    }
}

/// The rate, and then nothing until the shop hangs up.
async fn tell(mut line: TcpStream) {
    if line.write_u32(CENTS).await.is_ok() {
        let _ = line.read_u8().await;
    }
}

/// Every fourth visitor's card is refused.
pub(crate) fn pay(visitor: u64, cents: u32) -> Result<()> {
    ensure!(cents == CENTS, "a wrong rate");
    ensure!(!visitor.is_multiple_of(4), "the card was refused");
    Ok(())
}

/// Holds what the shop said against what it had to say.
pub(crate) fn served(visitor: u64, answer: Result<()>) -> Result<()> {
    if visitor.is_multiple_of(4) {
        ensure!(answer.is_err(), "sold without money");
        return Ok(());
    }
    answer.context("a visitor who pays gets what they want")
}
