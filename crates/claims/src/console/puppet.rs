//! A process that does what its standard input says, one word and a
//! number a line, and answers each line with one of JSON. It ends
//! when its standard input does, so it never outlives who started it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{
        Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio,
    },
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use console_subscriber::ConsoleLayer;
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, mpsc},
};
use tonic::transport::server::TcpIncoming;
use tracing_subscriber::{filter::FilterFn, prelude::*};

/// The argument that makes the program a puppet.
pub(crate) const FLAG: &str = "--puppet";

/// The console server that a puppet runs.
#[derive(Clone, Copy)]
pub(crate) enum Console {
    /// None at all.
    Bare,
    /// As `console_subscriber::init` does it, with its defaults.
    Stock,
    /// As the workbook's `stage` does it: no event waits for a tick.
    Stage,
}

/// A puppet that runs; it is killed when this is dropped.
pub(crate) struct Puppet {
    child: Child,
    stdin: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where its console listens; empty without one.
    pub(crate) addr: String,
}

impl Puppet {
    pub(crate) fn start(console: Console) -> anyhow::Result<Self> {
        let word = match console {
            Console::Bare => "bare",
            Console::Stock => "stock",
            Console::Stage => "stage",
        };
        let mut child = Command::new(std::env::current_exe()?)
            .args([FLAG, word])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let answers = BufReader::new(stdout);
        let addr = String::new();
        let mut puppet = Self { child, stdin, answers, addr };
        let hello = puppet.answer()?;
        puppet.addr =
            hello["console"].as_str().unwrap_or_default().to_owned();
        Ok(puppet)
    }

    /// Tells the puppet to do something, and waits until it is done.
    pub(crate) fn tell(
        &mut self,
        what: &str,
        n: usize,
    ) -> anyhow::Result<Value> {
        writeln!(self.stdin, "{what} {n}")?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).context("the puppet said nothing")
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The puppet's own `main`.
pub(crate) fn play(console: &str) -> ExitCode {
    match try_play(console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("puppet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_play(console: &str) -> anyhow::Result<()> {
    let addr = match console {
        "bare" => None,
        "stock" => Some(serve(true)?),
        _ => Some(serve(false)?),
    };
    // The console must exist before the runtime that it watches.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    say(&json!({ "console": addr }))?;
    let (tx, unread) = mpsc::channel(1);
    tx.try_send(0)?; // Full, so that every further send parks.
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (what, n) =
            line.split_once(' ').context("what, how many")?;
        let n: usize = n.parse()?;
        match what {
            "park" => park(&runtime, &tx, n),
            "end" => end(&runtime, n),
            "zoo" => {
                say(&runtime.block_on(super::claims::zoo())?)?;
                continue;
            }
            _ => {}
        }
        let alive = runtime.metrics().num_alive_tasks();
        say(&json!({ "alive": alive, "rss_bytes": rss_bytes()? }))?;
    }
    drop(unread);
    runtime.shutdown_background();
    Ok(())
}

/// Spawns tasks that park in a send, and waits until all have begun.
fn park(runtime: &Runtime, tx: &mpsc::Sender<usize>, n: usize) {
    let begun = Arc::new(Semaphore::new(0));
    for i in 0..n {
        let (tx, begun) = (tx.clone(), begun.clone());
        runtime.spawn(async move {
            begun.add_permits(1);
            drop(begun);
            let _ = tx.send(i).await;
        });
    }
    drop(runtime.block_on(begun.acquire_many(n as u32)));
}

/// Spawns tasks that end at once, and waits until all have ended.
fn end(runtime: &Runtime, n: usize) {
    let tasks: Vec<_> =
        (0..n).map(|_| runtime.spawn(async {})).collect();
    for task in tasks {
        let _ = runtime.block_on(task);
    }
}

fn say(answer: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")?;
    Ok(out.flush()?)
}

fn rss_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
}

/// Serves the console on a free port, which it returns.
///
/// Both kinds do what `console_subscriber::Server::serve` does, with
/// one difference: the stock server's aggregator is a plain task.
fn serve(stock: bool) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?.to_string();
    let mut builder = ConsoleLayer::builder();
    if !stock {
        let ms = Duration::from_millis;
        builder = builder
            .poll_duration_histogram_max(ms(1))
            .scheduled_duration_histogram_max(ms(1))
            .retention(ms(5000))
            .publish_interval(ms(250));
    }
    let (layer, server) = builder.build();
    let of_tokio = FilterFn::new(|meta| {
        let name =
            if meta.is_event() { meta.target() } else { meta.name() };
        name.starts_with("runtime")
            || meta.target().starts_with("tokio")
    });
    tracing_subscriber::registry()
        .with(layer.with_filter(of_tokio))
        .try_init()?;
    let cell = Mutex::new(Some((listener, server)));
    std::thread::spawn(move || {
        // The console must not watch itself.
        let nobody = tracing::subscriber::NoSubscriber::default();
        let _unwatched = tracing::subscriber::set_default(nobody);
        let taken = cell.lock().ok().and_then(|mut cell| cell.take());
        if let Some((listener, server)) = taken
            && let Err(error) = serve_on(listener, server, stock)
        {
            eprintln!("console: {error:#}");
        }
    });
    Ok(addr)
}

fn serve_on(
    listener: TcpListener,
    server: console_subscriber::Server,
    stock: bool,
) -> anyhow::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let parts = server.into_parts();
        // Owned by this runtime, which ends with the process.
        let aggregate = parts.aggregator.run();
        let _aggregator = if stock {
            tokio::spawn(aggregate)
        } else {
            tokio::spawn(tokio::task::unconstrained(aggregate))
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tonic::transport::Server::builder()
            .add_service(parts.instrument_server)
            .serve_with_incoming(TcpIncoming::from(listener))
            .await?;
        Ok(())
    })
}
