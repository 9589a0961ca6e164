//! Keeps one connection for each tenant.
//!
//! A gateway keeps a connection to the backend for each tenant, and so answers fast.
//!
//! Run it: `cargo run --bin warm-pool-control`
//!
//! You will see ten tasks more, and then no other.

mod world;

use std::{collections::HashMap, process::ExitCode, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Mutex, mpsc, oneshot},
};
use world::{Backend, Request, request};

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let gateway = Gateway::open().await?;
        stage.load(async |n| gateway.forward(n).await).await;
        Ok(gateway)
    })
}

// ANCHOR: service
type Key = u64;
/// What a caller asks, and where the answer goes.
type Call = (String, oneshot::Sender<String>);

struct Gateway {
    backend: Backend,
    /// Callers send; the task of the connection receives, and ends
    /// when the sender here is gone.
    open: Mutex<HashMap<Key, mpsc::Sender<Call>>>,
}

impl Gateway {
    async fn ask(&self, request: &Request) -> anyhow::Result<String> {
        // BOUND: the key is the tenant, and of those there are few.
        let key = request.tenant;
        let calls = self.connection(key).await?;
        let (answer, answered) = oneshot::channel();
        calls.send((request.token.clone(), answer)).await?;
        Ok(answered.await?)
    }

    /// The open connection, or a new one.
    async fn connection(
        &self,
        key: Key,
    ) -> anyhow::Result<mpsc::Sender<Call>> {
        let mut open = self.open.lock().await;
        if let Some(calls) = open.get(&key) {
            return Ok(calls.clone());
        }
        let stream = TcpStream::connect(self.backend.address).await?;
        let (calls, called) = mpsc::channel(8);
        tokio::spawn(drive(stream, called));
        open.insert(key, calls.clone());
        Ok(calls)
    }
}

/// Owns a connection: one question, one answer.
async fn drive(
    stream: TcpStream,
    mut called: mpsc::Receiver<Call>,
) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some((question, answer)) = called.recv().await {
        let question = format!("{question}\n");
        lines.get_mut().write_all(question.as_bytes()).await?;
        let Some(line) = lines.next_line().await? else { break };
        // A caller that has gone wants no answer.
        let _ = answer.send(line);
    }
    Ok(())
}
// ANCHOR_END: service

impl Gateway {
    async fn open() -> anyhow::Result<Arc<Self>> {
        let backend = Backend::start().await?;
        Ok(Arc::new(Self { backend, open: Mutex::default() }))
    }

    async fn forward(&self, number: u64) -> anyhow::Result<()> {
        let request = request(number);
        let answer = self.ask(&request).await?;
        anyhow::ensure!(
            answer == request.token,
            "someone else's answer"
        );
        Ok(())
    }
}

#[cfg(test)]
mod guard {
    use std::time::Duration;

    use leakcheck::{Checker, Growth};

    use super::{world::TENANTS, *};

    const LEAKS: bool = false;

    /// The backend has a thread of its own: it is not waited for.
    const SETTLE: Duration = Duration::from_millis(300);

    /// A gateway after so many requests.
    async fn after(requests: u64) -> Arc<Gateway> {
        let gateway = Gateway::open().await.unwrap();
        for number in 0..requests {
            gateway.forward(number).await.unwrap();
        }
        gateway
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn a_warm_gateway_adds_nothing() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let checker = checker.settle(SETTLE);
            let bounded = checker.clone().allow_at_most(file!(), 10);
            let report = bounded.find(|| after(4 * TENANTS)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(TENANTS).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
