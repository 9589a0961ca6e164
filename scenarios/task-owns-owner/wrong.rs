//! Keeps an `AbortOnDropHandle` of the task inside the rate, which the task owns.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-wrong`
//!
//! You will see what you saw without it: a handle that is never dropped aborts nothing.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use anyhow::Result;
use tokio::{io::AsyncReadExt, net::TcpStream, sync::watch};
use tokio_util::task::AbortOnDropHandle;
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
    /// Ends the task when it is dropped.
    task: OnceLock<AbortOnDropHandle<()>>,
    _counted: Counted,
}

impl Rate {
    async fn open(bank: &Bank) -> Result<Arc<Self>> {
        let line = bank.call().await?;
        let rate = Arc::new(Self {
            cents: watch::Sender::new(0),
            task: OnceLock::new(),
            _counted: bank.count(),
        });
        // LEAK: the handle is in the rate, and the task owns the rate.
        let task = tokio::spawn(rate.clone().follow(line));
        let _ = rate.task.set(AbortOnDropHandle::new(task));
        Ok(rate)
    }

    async fn follow(self: Arc<Self>, mut line: TcpStream) {
        while let Ok(cents) = line.read_u32().await {
            self.cents.send_replace(cents);
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
