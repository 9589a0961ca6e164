//! Offers a `close`, which whoever leaves early does not call.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-wrong-close`
//!
//! You will see a task for every fourth visitor: those whose card was refused.

mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use tokio::{io::AsyncReadExt, net::TcpStream, select, sync::watch};
use tokio_util::sync::CancellationToken;
use world::{Bank, Counted, pay, served};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let bank = Bank::open().await?;
        bank.show(stage);
        let shop = async |visitor| {
            served(visitor, visit(&bank, visitor).await)
        };
        stage.load(shop).await;
        Ok(bank)
    })
}

// ANCHOR: service
/// A rate of exchange, which a task keeps up to date.
struct Rate {
    /// The task sends, visitors receive; the rate closes.
    cents: watch::Sender<u32>,
    /// Ends the task.
    stop: CancellationToken,
    _counted: Counted,
}

impl Rate {
    async fn open(bank: &Bank) -> Result<Arc<Self>> {
        let line = bank.call().await?;
        let rate = Arc::new(Self {
            cents: watch::Sender::new(0),
            stop: CancellationToken::new(),
            _counted: bank.count(),
        });
        // LEAK: only `close` ends it, and `?` returns before `close`.
        tokio::spawn(rate.clone().follow(line));
        Ok(rate)
    }

    async fn follow(self: Arc<Self>, mut line: TcpStream) {
        loop {
            select! {
                () = self.stop.cancelled() => return,
                cents = line.read_u32() => {
                    let Ok(cents) = cents else { return };
                    self.cents.send_replace(cents);
                }
            }
        }
    }
    /// The rate, as soon as the bank has told one.
    async fn now(&self) -> u32 {
        let mut cents = self.cents.subscribe();
        *cents.wait_for(|&cents| cents > 0).await.expect("ours")
    }

    /// To be called by the last one who needs the rate.
    fn close(&self) {
        self.stop.cancel();
    }
}

async fn visit(bank: &Bank, visitor: u64) -> Result<()> {
    let rate = Rate::open(bank).await?;
    pay(visitor, rate.now().await)?;
    rate.close();
    Ok(())
}
// ANCHOR_END: service
