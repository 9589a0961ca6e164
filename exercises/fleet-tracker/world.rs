//! The world around the tracker: vehicles on real sockets, most of which lose their radio once and come back, and dispatchers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use exercise::Ledger;
use stage::Stage;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{Order, Place, Tracker};

/// Orders that a vehicle has in its queue when its radio fails.
const QUEUED: u64 = 3;
/// Orders that it gets after it has come back, one after the other.
const AFTERWARDS: u64 = 3;
/// A dispatcher thinks this long.
const THINK: Duration = Duration::from_millis(15);
/// Nothing that a vehicle or a dispatcher waits for takes longer.
const LIMIT: Duration = Duration::from_secs(5);
/// How often a dispatcher looks at the map.
const LOOK: Duration = Duration::from_millis(2);
/// Vehicles that have orders in their queue when the service is told to end.
const AT_THE_END: u64 = 8;
/// A route, in bytes.
const ROUTE: usize = 200;

pub(crate) struct World {
    pub(crate) tracker: Arc<Tracker>,
    address: SocketAddr,
    ledger: Ledger,
}

impl exercise::World for World {
    async fn open() -> anyhow::Result<Self> {
        let (tracker, address) = Tracker::open().await?;
        Ok(Self { tracker, address, ledger: Ledger::default() })
    }

    /// A day of one vehicle. Three of four lose their radio and come back under their name; the others do not.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let name = format!("van-{n}");
        let mut van = self.arrive(&name, n).await?;
        self.order(&name, n * 10)?;
        van.orders(self, n * 10..n * 10 + 1).await?;
        if n % 4 != 3 {
            van = self.come_back(&name, n, van).await?;
        }
        for number in n * 10 + 5..n * 10 + 5 + AFTERWARDS {
            sleep(THINK).await;
            self.order(&name, number)?;
            van.orders(self, number..number + 1).await?;
        }
        van.say("BYE").await?;
        ensure!(van.line().await?.is_none(), "{name} got something after its goodbye");
        ensure!(self.order(&name, n * 10 + 9).is_err(), "{name} has left, and still takes orders");
        Ok(())
    }

    async fn close(&self) -> anyhow::Result<()> {
        let last = (0..AT_THE_END).map(async |n| {
            let n = 1_000_000 + n;
            let name = format!("van-{n}");
            let van = self.arrive(&name, n).await?;
            (0..QUEUED).try_for_each(|order| self.order(&name, n * 10 + order))?;
            anyhow::Ok((van, n))
        });
        let mut vans = Vec::new();
        for van in last {
            vans.push(van.await?);
        }
        let seen = exercise::all(vans.into_iter().map(async |(mut van, n)| {
            van.orders(self, n * 10..n * 10 + QUEUED).await?;
            ensure!(van.line().await?.is_none(), "van-{n} got something after the stop");
            Ok(())
        }));
        let (seen, ()) = tokio::join!(seen, self.tracker.stop());
        seen?;
        ensure!(self.order("van-1000000", 9).is_err(), "an order was taken after the stop");
        Ok(())
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn gauges(self: &Arc<Self>, stage: &Stage) {
        let world = self.clone();
        stage.gauge("vehicles", move || world.tracker.vehicles() as u64);
    }
}

impl World {
    /// A vehicle connects, says where it is, and is seen on the map.
    async fn arrive(&self, name: &str, n: u64) -> anyhow::Result<Van> {
        let mut van = Van::connect(self.address, name).await?;
        self.drive(&mut van, name, n as f64 / 1e6).await?;
        Ok(van)
    }

    async fn drive(&self, van: &mut Van, name: &str, longitude: f64) -> anyhow::Result<()> {
        van.say(&format!("AT 50.5 {longitude}")).await?;
        let there = Place { latitude: 50.5, longitude };
        let seen = async {
            while self.tracker.place(name) != Some(there) {
                sleep(LOOK).await;
            }
        };
        timeout(LIMIT, seen).await.with_context(|| format!("{name} is not where it should be on the map"))
    }

    /// The radio fails while orders are on their way. The vehicle connects again, and its old modem still takes what was sent to it.
    async fn come_back(&self, name: &str, n: u64, mut before: Van) -> anyhow::Result<Van> {
        let queued = n * 10 + 1..n * 10 + 1 + QUEUED;
        queued.clone().try_for_each(|number| self.order(name, number))?;
        let mut van = Van::connect(self.address, name).await?;
        before.orders(self, queued).await?;
        drop(before);
        self.drive(&mut van, name, n as f64 / 1e6 + 1.0).await?;
        Ok(van)
    }

    /// A dispatcher sends an order. It counts as taken when the tracker says so.
    fn order(&self, vehicle: &str, number: u64) -> anyhow::Result<()> {
        self.tracker.dispatch(vehicle, Order { number, text: route(number) })?;
        self.ledger.accept(number);
        Ok(())
    }
}

fn route(number: u64) -> String {
    format!("to {number} {}", "x".repeat(ROUTE))
}

/// A vehicle, by one connection.
struct Van(BufReader<TcpStream>);

impl Van {
    async fn connect(tracker: SocketAddr, name: &str) -> anyhow::Result<Self> {
        let mut van = Self(BufReader::new(TcpStream::connect(tracker).await.context("the tracker does not listen")?));
        van.say(&format!("HELLO {name}")).await?;
        let welcome = van.line().await?;
        ensure!(welcome.as_deref() == Some("WELCOME"), "{name} was told {welcome:?}");
        Ok(van)
    }

    async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(self.0.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// The next line; none at the end.
    async fn line(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = String::new();
        timeout(LIMIT, self.0.read_line(&mut line)).await.context("nothing comes from the tracker")??;
        Ok((!line.is_empty()).then(|| line.trim_end().to_owned()))
    }

    /// Reads these orders, in their order.
    async fn orders(&mut self, world: &World, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
        for number in numbers {
            let line = self.line().await?;
            ensure!(
                line == Some(format!("ORDER {number} {}", route(number))),
                "instead of order {number} came {line:?}"
            );
            world.ledger.finish(number);
        }
        Ok(())
    }
}
