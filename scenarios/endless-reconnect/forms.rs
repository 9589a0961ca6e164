//! Loops that connect: what is left a minute after the last handle, and who is answered after an outage, as a table.
//!
//! Run it: `cargo run --example endless-reconnect-forms`

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

const MINUTE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Where the answer to a question goes.
type Question = oneshot::Sender<()>;

struct Feed {
    questions: mpsc::Sender<Question>,
    _use: mpsc::Sender<Infallible>,
}

/// What the loop has of the handles.
struct Asked {
    questions: mpsc::Receiver<Question>,
    used: mpsc::Receiver<Infallible>,
}

/// A server without a network: the clock of this program is paused.
#[derive(Clone, Default)]
struct Server {
    is_up: Arc<AtomicBool>,
    tries: Arc<AtomicU64>,
}

impl Server {
    async fn connect(&self) -> Result<(), ()> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        self.is_up.load(Ordering::Relaxed).then_some(()).ok_or(())
    }

    async fn connected(&self) {
        let mut pause = Duration::from_secs(1);
        while self.connect().await.is_err() {
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("{}", table().await);
}

async fn table() -> String {
    let head = "the loop ends | a minute after the last handle: tasks | tries since | ended after | asked in an outage | asked a minute after one";
    let mut table =
        format!("| {head} |\n|---|--:|--:|---|---|---|\n");
    table +=
        &row("once it is connected: the leak", never, false).await;
    table +=
        &row("before a try, if `is_closed()`", looks, false).await;
    table +=
        &row("beside each try, by a second channel", watches, false)
            .await;
    table +=
        &row("beside each try, by reading questions", reads, false)
            .await;
    table += &row("by `abort` at the last handle", never, true).await;
    table += &row("after five tries", limited, false).await;
    table
}

async fn row<F>(
    form: &str,
    run: fn(Server, Asked) -> F,
    aborts: bool,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (left, tries, ended) = after_the_handle(run, aborts).await;
    let (during, after) = around_an_outage(run).await;
    format!(
        "| {form} | {left} | {tries} | {ended} | {during} | {after} |\n"
    )
}

fn start<F>(
    run: fn(Server, Asked) -> F,
) -> (Server, Feed, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (questions, asked) = mpsc::channel(8);
    let (_use, used) = mpsc::channel(1);
    let (server, asked) =
        (Server::default(), Asked { questions: asked, used });
    let task = tokio::spawn(run(server.clone(), asked));
    (server, Feed { questions, _use }, task)
}

/// The last handle goes after a minute of outage.
async fn after_the_handle<F>(
    run: fn(Server, Asked) -> F,
    aborts: bool,
) -> (usize, u64, String)
where
    F: Future<Output = ()> + Send + 'static,
{
    let alive = || Handle::current().metrics().num_alive_tasks();
    // What the row before it has left is over then.
    sleep(MINUTE).await;
    let before = alive();
    let (server, handle, task) = start(run);
    sleep(MINUTE + Duration::from_secs(1)).await;
    let (then, tries) =
        (Instant::now(), server.tries.load(Ordering::Relaxed));
    drop(handle);
    if aborts {
        task.abort();
    }
    let mut ended = "never".to_owned();
    let early = task.is_finished();
    if timeout(MINUTE, task).await.is_ok() {
        ended = format!("{} s", then.elapsed().as_secs());
    }
    if early {
        ended = "before".to_owned();
    }
    let tries = server.tries.load(Ordering::Relaxed) - tries;
    let left = alive() - before;
    // Lets the loop end before the next row.
    server.is_up.store(true, Ordering::Relaxed);
    sleep(MINUTE).await;
    (left, tries, ended)
}

/// An outage of a minute: a question in it, and one after it.
async fn around_an_outage<F>(
    run: fn(Server, Asked) -> F,
) -> (&'static str, &'static str)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (server, handle, _task) = start(run);
    sleep(MINUTE / 2).await;
    let during = ask(&handle).await;
    sleep(MINUTE / 2).await;
    server.is_up.store(true, Ordering::Relaxed);
    sleep(MINUTE).await;
    (during, ask(&handle).await)
}

async fn ask(handle: &Feed) -> &'static str {
    let (answer, answered) = oneshot::channel();
    if handle.questions.send(answer).await.is_err() {
        return "error: ended";
    }
    match timeout(Duration::from_secs(5), answered).await {
        Ok(Ok(())) => "answer",
        Ok(Err(_)) => "error: down",
        Err(_) => "waits",
    }
}

async fn serve(asked: &mut Asked) {
    while let Some(answer) = asked.questions.recv().await {
        let _ = answer.send(());
    }
}

async fn never(server: Server, mut asked: Asked) {
    server.connected().await;
    serve(&mut asked).await;
}

async fn looks(server: Server, mut asked: Asked) {
    let mut pause = Duration::from_secs(1);
    while !asked.questions.is_closed() {
        if server.connect().await.is_ok() {
            return serve(&mut asked).await;
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

async fn watches(server: Server, mut asked: Asked) {
    tokio::select! {
        () = server.connected() => {}
        _ = asked.used.recv() => return,
    }
    serve(&mut asked).await;
}

async fn reads(server: Server, mut asked: Asked) {
    tokio::select! {
        () = server.connected() => {}
        // Whoever asks meanwhile is refused.
        () = async { while asked.questions.recv().await.is_some() {} } => return,
    }
    serve(&mut asked).await;
}

async fn limited(server: Server, mut asked: Asked) {
    let mut pause = Duration::from_secs(1);
    for _ in 0..5 {
        if server.connect().await.is_ok() {
            return serve(&mut asked).await;
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

#[leakcheck::test(
    start_paused = true,
    allow = "scenarios/endless-reconnect/forms.rs"
)]
async fn the_table_in_the_book_is_what_this_program_prints() {
    assert_eq!(table().await, include_str!("forms.md"));
}
