//! The tracker of a fleet: vehicles say where they are, and dispatchers send them orders.
//!
//! Run it: `cargo run --bin fleet-tracker-mine`

mod world;

#[cfg(test)]
mod guard;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> ExitCode {
    exercise::run::<world::World>(exercise::side!())
}

/// A vehicle says where it is every few seconds. One that is silent for this long is out of reach.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A modem takes one order in this time.
const PACE: Duration = Duration::from_millis(20);
/// Orders that wait for one vehicle. Whoever sends more is told that the vehicle is behind.
const QUEUE_MAX: usize = 16;
/// Places that are kept of a vehicle, for the line on the map: some hours.
const TRACK_MAX: usize = 1_024;
/// Connections at the same time; a depot with more has a second tracker.
const CONNECTIONS_MAX: usize = 4_096;
/// After an error of the system, such as too many open files, the tracker takes a breath.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a dispatcher wants of a vehicle.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// A place on the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// One connection of a vehicle.
struct Link {
    /// Dispatchers send, the writer of the connection receives; closed with the link.
    orders: mpsc::Sender<Order>,
    /// Oldest first.
    track: VecDeque<Place>,
}

/// Who is there.
#[derive(Default)]
struct Registry {
    /// The number of the connection that reaches a vehicle: its latest.
    current: HashMap<String, u64>,
    links: HashMap<u64, Link>,
    last: u64,
}

impl Registry {
    /// A vehicle is there, for the first time or again. Returns the number of its connection.
    fn join(&mut self, vehicle: &str, orders: mpsc::Sender<Order>) -> u64 {
        self.last += 1;
        self.current.insert(vehicle.to_owned(), self.last);
        self.links.insert(self.last, Link { orders, track: VecDeque::with_capacity(TRACK_MAX) });
        self.last
    }

    /// A connection has ended. The vehicle may have come back over another one by now, which has to stay.
    fn leave(&mut self, vehicle: &str, connection: u64) {
        if self.current.get(vehicle) == Some(&connection) {
            self.current.remove(vehicle);
            self.links.remove(&connection);
        }
    }

    /// The connection that reaches a vehicle.
    fn link(&self, vehicle: &str) -> Option<&Link> {
        self.links.get(self.current.get(vehicle)?)
    }

    fn add(&mut self, connection: u64, place: Place) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if link.track.len() == TRACK_MAX {
            link.track.pop_front();
        }
        link.track.push_back(place);
    }
}

/// Takes the connections of vehicles, and orders for them.
pub(crate) struct Tracker {
    registry: Mutex<Registry>,
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Tracker {
    /// Listens for vehicles; returns where.
    pub(crate) async fn open() -> anyhow::Result<(Arc<Self>, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for vehicles")?;
        let address = listener.local_addr()?;
        let tracker =
            Arc::new(Self { registry: Mutex::default(), stopped: CancellationToken::new(), tasks: TaskTracker::new() });
        tracker.tasks.spawn(tracker.clone().listen(listener));
        Ok((tracker, address))
    }

    /// Sends an order to a vehicle. When this returns, the order is in the vehicle's queue, and the tracker will pass it on.
    pub(crate) fn dispatch(&self, vehicle: &str, order: Order) -> anyhow::Result<()> {
        let registry = self.registry();
        let link = registry.link(vehicle).with_context(|| format!("{vehicle} is out of reach"))?;
        link.orders.try_send(order).map_err(|error| anyhow!("{vehicle} is behind: {error}"))
    }

    /// The latest place of a vehicle that can be reached.
    pub(crate) fn place(&self, vehicle: &str) -> Option<Place> {
        self.registry().link(vehicle)?.track.back().copied()
    }

    /// Vehicles that can be reached, for the status page.
    pub(crate) fn vehicles(&self) -> usize {
        self.registry().current.len()
    }

    /// Takes no order and no vehicle any more, and returns when every order that was taken is on its way.
    pub(crate) async fn stop(&self) {
        self.stopped.cancel();
        *self.registry() = Registry::default();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopped.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) if self.tasks.len() < 2 * CONNECTIONS_MAX => {
                    let tracker = self.clone();
                    self.tasks.spawn(async move {
                        if let Err(error) = tracker.serve(stream).await {
                            eprintln!("{peer}: {error:#}");
                        }
                    });
                }
                Ok((_, peer)) => eprintln!("{peer}: there is no room for another connection"),
                Err(error) => {
                    eprintln!("cannot take a connection: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// A connection, from the first line to the last.
    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (reading, writing) = stream.into_split();
        let mut lines = BufReader::new(reading).lines();
        let hello = self.next(&mut lines).await?.context("it left before it said who it is")?;
        let Some(("HELLO", vehicle)) = hello.split_once(' ') else { bail!("it began with {hello:?}") };
        // Dispatchers send, the writer receives; the link closes it. A vehicle that is behind does not keep a dispatcher waiting.
        let (orders, queue) = mpsc::channel(QUEUE_MAX);
        let connection = self.registry().join(vehicle, orders);
        self.tasks.spawn(write(vehicle.to_owned(), queue, writing));
        let read = self.read(connection, lines).await;
        self.registry().leave(vehicle, connection);
        read.with_context(|| vehicle.to_owned())
    }

    /// Reads where the vehicle is, until it leaves or is silent for too long.
    async fn read(&self, connection: u64, mut lines: Lines<BufReader<OwnedReadHalf>>) -> anyhow::Result<()> {
        while let Some(line) = self.next(&mut lines).await? {
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["AT", latitude, longitude] => {
                    let place = Place { latitude: latitude.parse()?, longitude: longitude.parse()? };
                    ensure!(place.latitude.abs() <= 90.0, "there is no such place: {line:?}");
                    self.registry().add(connection, place);
                }
                ["BYE"] => return Ok(()),
                _ => bail!("it said {line:?}"),
            }
        }
        Ok(())
    }

    /// The next line of a connection; none when it has ended, or the tracker has been stopped.
    async fn next(&self, lines: &mut Lines<BufReader<OwnedReadHalf>>) -> anyhow::Result<Option<String>> {
        tokio::select! {
            () = self.stopped.cancelled() => Ok(None),
            line = timeout(SILENCE_MAX, lines.next_line()) => Ok(line.context("it is silent")??),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes orders on to a vehicle, one after the other: all that were taken, also when the vehicle says no more.
async fn write(vehicle: String, mut queue: mpsc::Receiver<Order>, mut writing: OwnedWriteHalf) {
    let pass_on = async {
        writing.write_all(b"WELCOME\n").await?;
        while let Some(Order { number, text }) = queue.recv().await {
            writing.write_all(format!("ORDER {number} {text}\n").as_bytes()).await?;
            sleep(PACE).await;
        }
        writing.shutdown().await
    };
    if let Err(error) = pass_on.await {
        eprintln!("{vehicle} cannot be written to: {error}");
    }
}
