//! Lends the connection to a closure, while a variable of the call owns the permit.
//!
//! A service makes reports for many tenants, over one pool of connections.
//!
//! Run it: `cargo run --bin lost-permit-scope`
//!
//! You will see the permits come back, and two connections closed and opened anew every morning.

mod world;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

use anyhow::Result;
use tokio::sync::Semaphore;
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
    async fn with<T>(
        &self,
        tenant: &str,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        // FIX: this call's variable owns the permit to its end.
        let _permit = self.free.acquire().await?;
        let mut connection = self.connect().await?;
        connection.use_tenant(tenant).await?;
        let done = work(&mut connection).await;
        if connection.is_whole() {
            self.idle.lock().unwrap().push(connection);
        }
        done
    }

    async fn connect(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(self.database.addr).await,
        }
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
        let work = async |lent: &mut Connection| lent.count().await;
        self.pool.with(tenant, work).await
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
