//! Gives the task a `Weak`, and nothing that wakes the task when the rate ends.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-wrong-weak`
//!
//! You will see the rates go, and the tasks stay, each until its bank says something.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, Weak},
};

use anyhow::Result;
use tokio::{io::AsyncReadExt, net::TcpStream, sync::watch};
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
    _counted: Counted,
}

impl Rate {
    async fn open(bank: &Bank) -> Result<Arc<Self>> {
        let line = bank.call().await?;
        let rate = Arc::new(Self {
            cents: watch::Sender::new(0),
            _counted: bank.count(),
        });
        // LEAK: the task sees the end at the next number, if one comes.
        tokio::spawn(Self::follow(Arc::downgrade(&rate), line));
        Ok(rate)
    }

    async fn follow(rate: Weak<Self>, mut line: TcpStream) {
        while let Ok(cents) = line.read_u32().await {
            let Some(rate) = rate.upgrade() else { return };
            rate.cents.send_replace(cents);
        }
    }

    /// The rate, as soon as the bank has told one.
    async fn now(&self) -> u32 {
        let mut cents = self.cents.subscribe();
        *cents.wait_for(|&cents| cents > 0).await.expect("ours")
    }
}

async fn visit(bank: &Bank, visitor: u64) -> Result<()> {
    let rate = Rate::open(bank).await?;
    pay(visitor, rate.now().await)?;
    Ok(())
}
// ANCHOR_END: service
