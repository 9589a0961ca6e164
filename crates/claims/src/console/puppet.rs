//! A process that does what its standard input says, one word and a
//! number a line, and answers each line with one of JSON. It ends
//! when its standard input does, so it never outlives who started it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener},
    process::{
        Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio,
    },
    sync::Arc,
};

use anyhow::Context;
use console_subscriber::ConsoleLayer;
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tracing_subscriber::{filter::FilterFn, prelude::*};

use crate::zoo;

/// The argument that makes the program a puppet.
pub(crate) const FLAG: &str = "--puppet";

const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// The console server that a puppet runs.
#[derive(Clone, Copy)]
pub(crate) enum Console {
    /// None at all.
    Bare,
    /// As `console_subscriber::init` does it, with its defaults.
    Stock,
    /// The one of the workbook's programs: no event waits for a tick.
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
        "stock" => Some(stock_console()?),
        "stage" => Some(stage_console()?),
        other => anyhow::bail!("no console `{other}`"),
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
                say(&runtime.block_on(zoo::open())?)?;
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

/// Serves the console on a free port, which it returns, in the way
/// of the stage: with its own code.
fn stage_console() -> anyhow::Result<String> {
    let console = stage::console::bind(ANY_PORT)?;
    let addr = console.addr.to_string();
    std::thread::spawn(move || {
        stage::console::unwatched(async {
            report(console.serve(CancellationToken::new()).await);
        });
    });
    Ok(addr)
}

/// The same with console-subscriber's defaults, whose aggregator is a
/// plain task: what `console_subscriber::Server::serve` does, on a
/// port that is known beforehand.
fn stock_console() -> anyhow::Result<String> {
    let listener = TcpListener::bind(ANY_PORT)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?.to_string();
    let (layer, server) = ConsoleLayer::builder().build();
    let of_tokio = FilterFn::new(|meta| {
        let name =
            if meta.is_event() { meta.target() } else { meta.name() };
        name.starts_with("runtime")
            || meta.target().starts_with("tokio")
    });
    tracing_subscriber::registry()
        .with(layer.with_filter(of_tokio))
        .try_init()?;
    std::thread::spawn(move || {
        stage::console::unwatched(async {
            report(serve_stock(listener, server).await);
        });
    });
    Ok(addr)
}

async fn serve_stock(
    listener: TcpListener,
    server: console_subscriber::Server,
) -> anyhow::Result<()> {
    let parts = server.into_parts();
    // Owned by this runtime, which ends with the process.
    let _aggregator = tokio::spawn(parts.aggregator.run());
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tonic::transport::Server::builder()
        .add_service(parts.instrument_server)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

fn report(served: anyhow::Result<()>) {
    if let Err(error) = served {
        eprintln!("console: {error:#}");
    }
}
