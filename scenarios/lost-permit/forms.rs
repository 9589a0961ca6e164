//! What can own a permit, and how many of ten are lost after an error, a hang-up and a panic, as a table.
//!
//! Run it: `cargo run --example lost-permit-forms`

use std::{panic, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

const PERMITS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

/// How a call ends, a second after it has its permit.
#[derive(Clone, Copy)]
enum Exit {
    Error,
    HangUp,
    Panic,
}

type Free = Arc<Semaphore>;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "what owns the permit | taken at work | error | hang-up | panic";
    let mut table = format!("| {head} |\n|---|--:|--:|--:|--:|\n");
    table += &row("nothing: `forget()`", forgotten).await;
    table += &row("nothing, given back on error", by_hand).await;
    table += &row("a guard, made when all is ready", late).await;
    table += &row("nothing: `let _ = …`", underscore).await;
    table += &row("a variable: `let _permit = …`", variable).await;
    table += &row("a spawned task", task).await;
    table
}

async fn row<F>(form: &str, call: fn(Free, Exit) -> F) -> String
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (mut row, mut at_work) = (String::new(), 0);
    for exit in [Exit::Error, Exit::HangUp, Exit::Panic] {
        let free = Free::new(Semaphore::new(PERMITS));
        let caller = tokio::spawn(call(free.clone(), exit));
        sleep(SECOND / 2).await;
        at_work = PERMITS - free.available_permits();
        if let Exit::HangUp = exit {
            caller.abort();
        }
        let end = caller.await;
        assert!(!matches!(end, Ok(Ok(()))), "{form}");
        // What a task of the call's own still does is over then.
        sleep(10 * SECOND).await;
        let lost = PERMITS - free.available_permits();
        row += &format!(" {lost} |");
    }
    format!("| {form} | {at_work} |{row}\n")
}

/// Takes a second, as a handshake may.
async fn handshake(exit: Exit) -> Result<()> {
    sleep(SECOND).await;
    match exit {
        Exit::Error => bail!("refused"),
        Exit::HangUp => Ok(()),
        // As `panic!` does, without a message.
        Exit::Panic => panic::resume_unwind(Box::new("panicked")),
    }
}

async fn forgotten(free: Free, exit: Exit) -> Result<()> {
    free.acquire().await?.forget();
    handshake(exit).await?;
    free.add_permits(1);
    Ok(())
}

async fn by_hand(free: Free, exit: Exit) -> Result<()> {
    free.acquire().await?.forget();
    let ready = handshake(exit).await;
    free.add_permits(1);
    ready
}

struct Guard(Free);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

async fn late(free: Free, exit: Exit) -> Result<()> {
    free.acquire().await?.forget();
    handshake(exit).await?;
    drop(Guard(free));
    Ok(())
}

#[expect(let_underscore_drop, reason = "this form is the mistake")]
async fn underscore(free: Free, exit: Exit) -> Result<()> {
    let _ = free.acquire().await?;
    handshake(exit).await
}

async fn variable(free: Free, exit: Exit) -> Result<()> {
    let _permit = free.acquire().await?;
    handshake(exit).await
}

async fn task(free: Free, exit: Exit) -> Result<()> {
    let permit = free.acquire_owned().await?;
    let task = tokio::spawn(async move {
        let _permit = permit;
        timeout(5 * SECOND, handshake(exit)).await?
    });
    task.await.context("the handshake panicked")?
}

#[leakcheck::test(
    start_paused = true,
    allow = "scenarios/lost-permit/forms.rs"
)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("forms.md"));
}
