//! Gives the task an `Arc` of the rate that it keeps up to date.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-leak`
//!
//! You will see one task, one rate and two sockets more for every visitor who has left.

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
        // LEAK: the task owns the rate whose end would end it.
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
}

impl Drop for Rate {
    /// Nobody looks at this rate any more.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn visit(bank: &Bank, visitor: u64) -> Result<()> {
    let rate = Rate::open(bank).await?;
    pay(visitor, rate.now().await)?;
    Ok(())
}
// ANCHOR_END: service

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    #[should_panic(
        expected = "20 tasks spawned at scenarios/task-owns-owner/leak.rs"
    )]
    async fn a_rate_that_was_dropped_leaves_no_task_behind() {
        let bank = Bank::open().await.unwrap();
        let rates = leakcheck::scope();
        for _ in 0..20 {
            let rate = Rate::open(&bank).await.unwrap();
            assert!(rate.now().await > 0);
            drop(rate);
        }
        // The bank lives on, and nobody has a rate.
        rates.assert().await;
    }
    // ANCHOR_END: guard

    /// What the leak test does not name: the owner is alive.
    #[leakcheck::test(allow = "scenarios/task-owns-owner/leak.rs")]
    async fn nobody_has_the_rate_and_its_drop_has_not_run() {
        let bank = Bank::open().await.unwrap();
        let rate = Rate::open(&bank).await.unwrap();
        assert!(rate.now().await > 0);
        let dropped = Arc::downgrade(&rate);
        drop(rate);
        assert_eq!(dropped.strong_count(), 1);
    }
}
