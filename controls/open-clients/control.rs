//! Ends a session when its device hangs up.
//!
//! A news hub keeps a session for each device that is connected.
//!
//! Run it: `cargo run --bin open-clients-control`
//!
//! You will see ten sessions for ten devices, and no more when devices come back.

mod world;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use world::Devices;

fn main() -> ExitCode {
    stage::run(stage::scenario!(), async |stage| {
        let hub = Hub::open().await?;
        let shown = hub.devices.clone();
        stage.gauge("devices", move || shown.connected());
        stage.load(async |n| hub.devices.connect(n).await).await;
        Ok(hub)
    })
}

// ANCHOR: service
/// Each session receives the news; the hub sends, and seldom does.
type News = watch::Receiver<()>;

async fn accept(
    listener: TcpListener,
    news: News,
) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(session(stream, news.clone()));
    }
}

async fn session(
    mut stream: TcpStream,
    mut news: News,
) -> anyhow::Result<()> {
    stream.write_all(b"!").await?;
    let mut unread = [0];
    loop {
        tokio::select! {
            // BOUND: a session ends when its device has hung up.
            Ok(0) | Err(_) = stream.read(&mut unread) => return Ok(()),
            Ok(()) = news.changed() => {}
        }
        stream.write_all(b"news\n").await?;
    }
}
// ANCHOR_END: service

struct Hub {
    devices: Arc<Devices>,
    /// Open as long as the hub is.
    _news: watch::Sender<()>,
}

impl Hub {
    async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address: SocketAddr = listener.local_addr()?;
        let (news, heard) = watch::channel(());
        tokio::spawn(accept(listener, heard));
        Ok(Self {
            devices: Arc::new(Devices::of(address)),
            _news: news,
        })
    }
}

#[cfg(test)]
mod guard {
    use leakcheck::{Checker, Growth};

    use super::{world::DEVICES, *};

    const LEAKS: bool = false;

    /// A hub after so many connections.
    async fn after(connections: u64) -> Hub {
        let hub = Hub::open().await.unwrap();
        for number in 0..connections {
            hub.devices.connect(number).await.unwrap();
        }
        hub
    }

    // ANCHOR: guard
    /// Looked at while the owner lives: what is returned does.
    #[test]
    fn devices_that_come_back_add_nothing() {
        for checker in
            [Checker::current_thread(), Checker::multi_thread(2)]
        {
            let bounded = checker.clone().allow_at_most(file!(), 11);
            let report = bounded.find(|| after(4 * DEVICES)).report;
            assert_eq!(!report.is_clean(), LEAKS, "{report}");
            let found = Growth::of(DEVICES).on(checker).find(after);
            assert_eq!(found.is_leak(), LEAKS, "{found}");
        }
    }
    // ANCHOR_END: guard
}
