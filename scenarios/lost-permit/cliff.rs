//! A pool that loses a permit now and then, until it has none: who is answered and who waits, as a table.
//!
//! Run it: `cargo run --example lost-permit-cliff`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// One caller of so many hangs up while the connection is made ready.
const HANGS_UP: u64 = 4;
const CALLERS: u64 = 80;
const SECOND: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "callers so far | 8 permits: free | answered | tasks that wait | 16 permits: free | answered | tasks that wait";
    let mut table =
        format!("| {head} |\n|--:|--:|--:|--:|--:|--:|--:|\n");
    let (small, large) = (rows(8).await, rows(16).await);
    for (small, large) in small.iter().zip(large) {
        let (callers, small) = small;
        table += &format!("| {callers} | {small} | {} |\n", large.1);
    }
    table
}

/// What is left after every 16 callers.
async fn rows(permits: usize) -> Vec<(u64, String)> {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let (pool, before, mut rows) =
        (Pool::new(permits), alive(), Vec::new());
    for caller in 1..=CALLERS {
        tokio::spawn(pool.clone().call(caller));
        sleep(SECOND).await;
        if caller % 16 == 0 {
            let free = pool.free.available_permits();
            let answered = pool.answered.load(Ordering::Relaxed);
            let waits = alive() - before;
            rows.push((
                caller,
                format!("{free} | {answered} | {waits}"),
            ));
        }
    }
    rows
}

#[derive(Clone)]
struct Pool {
    free: Arc<Semaphore>,
    answered: Arc<AtomicU64>,
}

impl Pool {
    fn new(permits: usize) -> Self {
        let free = Arc::new(Semaphore::new(permits));
        Self { free, answered: Arc::default() }
    }

    /// One in four hangs up; the others have no deadline.
    async fn call(self, caller: u64) {
        if caller.is_multiple_of(HANGS_UP) {
            let _ = timeout(SECOND / 4, self.report()).await;
        } else {
            self.report().await;
        }
    }

    async fn report(&self) {
        self.free.acquire().await.expect("open").forget();
        sleep(SECOND / 2).await;
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.free.add_permits(1);
    }
}

#[leakcheck::test(
    start_paused = true,
    allow = "scenarios/lost-permit/cliff.rs"
)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("cliff.md"));
}
