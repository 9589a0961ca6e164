//! The world around the mailer: a mail relay on a real socket, and a shop that sends invoices.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use exercise::Ledger;
use futures_util::{StreamExt, stream::FuturesUnordered};
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::{Mailer, Summary};

/// The relay needs so long for a mail.
const RELAYS: Duration = Duration::from_millis(120);
/// What the relay answers has at least so many bytes: it sends the mail's headers back.
const HEADERS: usize = 4_096;
/// Invoices that are under way when the mailer is told to end.
const AT_THE_END: u64 = 8;

pub(crate) struct World {
    pub(crate) mailer: Arc<Mailer>,
    books: Arc<Books>,
    /// Dropped with the world: the relay ends with it.
    _relay: JoinSet<()>,
}

/// What the relay has done.
#[derive(Default)]
struct Books {
    ledger: Ledger,
    delivered: AtomicU64,
    bounced: AtomicU64,
}

/// One customer in four has moved.
fn has_moved(invoice: u64) -> bool {
    invoice % 4 == 3
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (books, mut relay) = (Arc::<Books>::default(), JoinSet::new());
        let addr = serve(&mut relay, books.clone()).await?;
        Ok(Self { mailer: Mailer::open(addr), books, _relay: relay })
    }

    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        self.books.ledger.accept(n);
        self.mailer.send(n).await
    }

    async fn close(&self) -> anyhow::Result<()> {
        for n in 0..AT_THE_END {
            self.unit(1_000_000 + n).await?;
        }
        let Summary { delivered, bounced } = self.mailer.stop().await?;
        let books = [&self.books.delivered, &self.books.bounced].map(|count| count.load(Ordering::Relaxed));
        let unfinished = self.books.ledger.unfinished();
        ensure!(unfinished == 0, "the mailer has stopped, and {unfinished} invoices are not at the relay");
        ensure!(
            [delivered, bounced] == books,
            "the mailer says {delivered} delivered and {bounced} bounced, the relay {} and {}",
            books[0],
            books[1]
        );
        ensure!(self.mailer.send(2_000_000).await.is_err(), "an invoice was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.books.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("held", move || world.mailer.held() as u64);
    }
}

/// The relay: `MAIL invoice`, and after a while `250` or `550` with the mail's headers. All its connections are one task.
async fn serve(relay: &mut JoinSet<()>, books: Arc<Books>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    relay.spawn(async move {
        let mut mails = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => mails.extend(accepted.ok().map(|(stream, _)| mail(stream, &books))),
                // A shop that has gone is no concern of the relay.
                Some(_gone) = mails.next() => {}
            }
        }
    });
    Ok(addr)
}

async fn mail(stream: TcpStream, books: &Books) -> anyhow::Result<()> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).await?;
    let invoice: u64 = line.trim_end().strip_prefix("MAIL ").context("no mail")?.parse()?;
    sleep(RELAYS).await;
    let (code, count) = if has_moved(invoice) { (550, &books.bounced) } else { (250, &books.delivered) };
    count.fetch_add(1, Ordering::Relaxed);
    books.ledger.finish(invoice);
    let headers = "x".repeat(HEADERS);
    stream.write_all(format!("{code} {invoice} {headers}\n").as_bytes()).await?;
    Ok(())
}
