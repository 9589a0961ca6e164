//! Gives the task a `Weak` of the rate, upgraded for each new number.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-fix`
//!
//! You will see the counts rise a little, and come back.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, Weak},
};

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
        // FIX: the task owns the line, and only knows the rate.
        let (weak, stop) = (Arc::downgrade(&rate), rate.stop.clone());
        tokio::spawn(Self::follow(weak, stop, line));
        Ok(rate)
    }

    async fn follow(
        rate: Weak<Self>,
        stop: CancellationToken,
        mut line: TcpStream,
    ) {
        loop {
            select! {
                () = stop.cancelled() => return,
                cents = line.read_u32() => {
                    let Ok(cents) = cents else { return };
                    let Some(rate) = rate.upgrade() else { return };
                    rate.cents.send_replace(cents);
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

    /// What the leak test does not name: the owner has gone.
    #[leakcheck::test]
    async fn nobody_has_the_rate_and_its_drop_has_run() {
        let bank = Bank::open().await.unwrap();
        let rate = Rate::open(&bank).await.unwrap();
        assert!(rate.now().await > 0);
        let (dropped, stop) =
            (Arc::downgrade(&rate), rate.stop.clone());
        drop(rate);
        assert_eq!(dropped.strong_count(), 0);
        assert!(stop.is_cancelled());
    }
}
