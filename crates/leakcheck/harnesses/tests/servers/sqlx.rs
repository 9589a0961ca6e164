//! `#[sqlx::test]` builds its own runtime. It makes the database, with migrations, and deletes it; the body runs on a checked
//! runtime inside, and connects there.

use std::{future::pending, sync::Arc};

use harnesses::{run_ignored, spawned_at};
use leakcheck::Checker;
use sqlx::{Row, Sqlite, SqlitePool, pool::PoolOptions, sqlite::SqliteConnectOptions};

#[sqlx::test(migrations = "tests/servers/migrations")]
async fn with_options(options: PoolOptions<Sqlite>, connect: SqliteConnectOptions) -> sqlx::Result<()> {
    Checker::current_thread().assert(move || async move {
        let pool = options.connect_with(connect).await?;
        count_users(&pool, 1).await
    })
}

#[sqlx::test(migrations = "tests/servers/migrations")]
async fn with_a_pool(pool: SqlitePool) {
    Checker::multi_thread(2).assert(move || async move {
        // The pool that was given belongs to the runtime outside.
        let pool = pool.options().clone().connect_lazy_with((*pool.connect_options()).clone());
        count_users(&pool, 1).await.unwrap();
    });
}

/// The pieces by hand: a database in memory needs neither the attribute nor a file.
#[leakcheck::test]
async fn by_hand() -> sqlx::Result<()> {
    let pool = SqlitePool::connect("sqlite::memory:").await?;
    sqlx::migrate!("tests/servers/migrations").run(&pool).await?;
    count_users(&pool, 1).await
}

async fn count_users(pool: &SqlitePool, expected: i64) -> sqlx::Result<()> {
    let row = sqlx::query("SELECT COUNT(*) FROM users").fetch_one(pool).await?;
    assert_eq!(row.get::<i64, _>(0), expected);
    Ok(())
}

mod must_fail {
    use super::*;

    #[sqlx::test(migrations = "tests/servers/migrations")]
    #[ignore = "fails on purpose"]
    async fn leaks(options: PoolOptions<Sqlite>, connect: SqliteConnectOptions) {
        Checker::current_thread().assert(move || async move {
            let pool = Arc::new(options.connect_with(connect).await.unwrap());
            count_users(&pool, 1).await.unwrap();
            tokio::spawn(pending::<()>()); // LEAK: sqlx
        });
    }

    #[leakcheck::test]
    #[ignore = "fails on purpose"]
    async fn forgets_the_pool() {
        let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
        std::mem::forget(pool);
    }
}

#[test]
fn a_leak_and_a_forgotten_pool_are_reported() {
    let run = run_ignored("sqlx::must_fail");
    run.counts(0, 2);
    run.says("sqlx::must_fail::leaks", &["leak: 1 task left\n", &spawned_at!("sqlx")]);
    // The task that looks after the pool is spawned in sqlx.
    run.says("sqlx::must_fail::forgets_the_pool", &["leak: 1 task left\n", "sqlx-core"]);
}
