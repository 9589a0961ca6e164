//! Lets the guard own the permit before the next `.await`.
//!
//! A service makes reports for many tenants, over one pool of connections.
//!
//! Run it: `cargo run --bin lost-permit-fix`
//!
//! You will see the permits come back after every morning.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::Result;
use tokio::sync::{Semaphore, SemaphorePermit};
use world::{Connection, Database, morning};

/// What the database allows. A real limit is far lower, and this run would soon stand still.
const CONNECTIONS_MAX: usize = 1_000;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let reports = Arc::new(Reports::open()?);
        reports.show_gauges(stage);
        stage.load(async |n| reports.serve(n).await).await;
        Ok(reports)
    })
}

// ANCHOR: service
/// Connections to one database, lent to one request at a time.
struct Pool {
    /// One permit for each connection that may still be lent.
    free: Semaphore,
    idle: Mutex<Vec<Connection>>,
    database: Database,
}

impl Pool {
    /// Switched to the tenant's data before anybody uses it.
    async fn lend(&self, tenant: &str) -> Result<Lent<'_>> {
        // FIX: a guard owns the permit before the next `.await`.
        let permit = self.free.acquire().await?;
        let mut lent = Lent { pool: self, connection: None, permit };
        let connection =
            lent.connection.insert(self.connect().await?);
        connection.use_tenant(tenant).await?;
        Ok(lent)
    }

    async fn connect(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(self.database.addr).await,
        }
    }
}

/// Goes back to the pool when it is dropped, and the permit then.
struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    #[expect(dead_code, reason = "only its `Drop` matters")]
    permit: SemaphorePermit<'a>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // One that was left in mid-question is closed.
        let whole = self.connection.take();
        let whole = whole.filter(Connection::is_whole);
        self.pool.idle.lock().unwrap().extend(whole);
    }
}
// ANCHOR_END: service

struct Reports {
    pool: Pool,
}

impl Reports {
    fn open() -> Result<Self> {
        let free = Semaphore::new(CONNECTIONS_MAX);
        let (database, idle) = (Database::open()?, Mutex::default());
        Ok(Self { pool: Pool { free, idle, database } })
    }

    async fn report(&self, tenant: &str) -> Result<u64> {
        let mut lent = self.pool.lend(tenant).await?;
        let connection = lent.connection.as_mut().expect("lent");
        connection.count().await
    }

    async fn serve(&self, n: u64) -> Result<()> {
        let report = async |tenant: &str| self.report(tenant).await;
        morning(&self.pool.database, n, report).await
    }

    fn taken(&self) -> u64 {
        (CONNECTIONS_MAX - self.pool.free.available_permits()) as u64
    }

    fn show_gauges(self: &Arc<Self>, stage: &stage::Stage) {
        let reports = self.clone();
        stage.gauge("permits_taken", move || reports.taken());
        let reports = self.clone();
        stage.gauge("opened", move || reports.pool.database.opened());
    }
}

#[cfg(test)]
mod guard {
    use super::*;

    // ANCHOR: guard
    #[leakcheck::test]
    async fn a_morning_gives_back_what_it_took() {
        let reports = Reports::open().unwrap();
        let mornings = leakcheck::scope();
        for n in 0..20 {
            reports.serve(n).await.unwrap();
        }
        // No task is left, with the leak neither.
        mornings.assert().await;
        let (lost, of) = (reports.taken(), CONNECTIONS_MAX);
        assert!(lost == 0, "lost: {lost} of {of} permits");
    }
    // ANCHOR_END: guard
}
