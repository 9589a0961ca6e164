//! Gives the channel room for every offer: no send waits, and every offer stays in memory.
//!
//! Run it: `cargo run --bin unconsumed-send-capacity`
//!
//! You will see the tasks come back to where they started, and the offers held grow with every search.

mod world;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use tokio::sync::mpsc;
use world::{Offer, PRICE_MAX, SUPPLIERS, ask};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let desk = Arc::new(Desk::default());
        let gauge = desk.clone();
        stage.gauge("offers_held", move || gauge.offers_held());
        stage.gauge("offers_lost", offers_lost);
        stage.load(async |visitor| desk.visit(visitor).await).await;
        Ok(desk)
    })
}

// ANCHOR: service
/// Offers that came when nobody took them any more.
static OFFERS_LOST: AtomicU64 = AtomicU64::new(0);

/// The search desk: one session a visitor, until it expires.
#[derive(Default)]
struct Desk {
    sessions: Mutex<HashMap<u64, Session>>,
}

struct Session {
    best: Offer,
    /// Suppliers send, this session receives: for page two.
    more: mpsc::Receiver<Offer>,
}

impl Desk {
    async fn search(&self, visitor: u64) -> anyhow::Result<()> {
        // Each supplier's task sends one offer. This search
        // receives; its end, or the last sender's, closes.
        // FIX: room for every offer, so that no send ever waits.
        let (tx, mut rx) = mpsc::channel(SUPPLIERS.len());
        for supplier in SUPPLIERS {
            let tx = tx.clone();
            tokio::spawn(async move {
                let offer = ask(supplier).await;
                // An error means that the search is over.
                if tx.send(offer).await.is_err() {
                    OFFERS_LOST.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(tx);
        let best = first_good(&mut rx).await?;
        let session = Session { best, more: rx };
        self.sessions.lock().unwrap().insert(visitor, session);
        Ok(())
    }
}

async fn first_good(
    offers: &mut mpsc::Receiver<Offer>,
) -> anyhow::Result<Offer> {
    while let Some(offer) = offers.recv().await {
        if offer.price <= PRICE_MAX {
            return Ok(offer);
        }
    }
    anyhow::bail!("sold out")
}
// ANCHOR_END: service

impl Desk {
    /// What a visitor does: search, then book what was found.
    async fn visit(&self, visitor: u64) -> anyhow::Result<()> {
        self.search(visitor).await?;
        let sessions = self.sessions.lock().unwrap();
        let offer =
            sessions.get(&visitor).context("session expired")?.best;
        anyhow::ensure!(
            offer.price <= PRICE_MAX,
            "{} is too dear",
            offer.supplier
        );
        Ok(())
    }

    /// Offers that wait for a page two nobody has opened.
    fn offers_held(&self) -> u64 {
        self.sessions
            .lock()
            .unwrap()
            .values()
            .map(|session| session.more.len() as u64)
            .sum()
    }
}

fn offers_lost() -> u64 {
    OFFERS_LOST.load(Ordering::Relaxed)
}
