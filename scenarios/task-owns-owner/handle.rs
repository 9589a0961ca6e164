//! Hands out a handle outside of the cycle, whose drop aborts the task.
//!
//! A shop shows prices in the visitor's currency. While the visitor is there, a task follows the rate over a line to the bank.
//!
//! Run it: `cargo run --bin task-owns-owner-handle`
//!
//! You will see the counts rise a little, and come back.

mod world;

use std::{process::ExitCode, sync::Arc};

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
/// What visitors have. The task does not have it.
struct Rate {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

/// What visitors and the task have.
struct Shared {
    /// The task sends, visitors receive; the rate closes.
    cents: watch::Sender<u32>,
    _counted: Counted,
}

impl Rate {
    async fn open(bank: &Bank) -> Result<Self> {
        let line = bank.call().await?;
        let (cents, _counted) = (watch::Sender::new(0), bank.count());
        let shared = Arc::new(Shared { cents, _counted });
        // FIX: the handle that aborts is outside of what the task owns.
        let task = tokio::spawn(shared.clone().follow(line));
        Ok(Self { shared, _task: AbortOnDropHandle::new(task) })
    }
}

impl Shared {
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
    pay(visitor, rate.shared.now().await)?;
    Ok(())
}
// ANCHOR_END: service
