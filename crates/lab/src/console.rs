//! A client of tokio-console's own protocol. The only module that knows it.
//!
//! A program under a large load tells more than can be taken in between two looks at the clock. So a message is decoded in
//! portions, and after each portion whoever waits for a signal or a limit has its turn. What one message may hold, and what
//! is remembered of all of them, is bounded.

mod message;
mod seen;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use evidence::series::ConsoleView;
use prost::bytes::{Buf, Bytes};
use tokio::{task::yield_now, time::timeout};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Endpoint,
};

use message::Message;
use seen::Seen;

/// A program that has said where its console is, answers there.
const ATTACH_LIMIT: Duration = Duration::from_secs(5);
/// Larger messages end the stream. A task takes 400 bytes in a message, so this is a burst of 160,000 tasks at once.
pub const MESSAGE_MAX: usize = 64 * 1024 * 1024;
/// So many tasks, resources and operations are remembered; a program that has more alive is no longer followed.
const KNOWN_MAX: usize = 1_000_000;
/// What following one program may take at most: a message, the next one on its way, and what is remembered, which is 120
/// bytes for each of [`KNOWN_MAX`] and as much again while they are grouped.
pub const MEMORY_MAX_MIB: u64 = 2 * (MESSAGE_MAX as u64 / 1024 / 1024) + 256;
/// So many parts of a message are taken in at a time. On a machine with twenty busy processes others waited for 25 ms at most.
const PORTION: usize = 200;
const WATCH_UPDATES: &str = "/rs.tokio.console.instrument.Instrument/WatchUpdates";

/// A subscription to one program's console.
pub struct Console {
    updates: Streaming<Bytes>,
    /// What is left of the message that is being taken in.
    rest: Option<Message>,
    seen: Seen,
    /// Live tasks at the end of the last whole message: in the middle of one, births are counted and ends are not yet.
    tasks: u64,
    ended: Option<String>,
}

impl Console {
    /// Subscribes to the console at `addr`. Messages of more than `message_max` bytes end the subscription.
    ///
    /// # Errors
    /// When nobody answers there within five seconds.
    pub async fn attach(addr: SocketAddr, message_max: usize) -> anyhow::Result<Self> {
        let attached = timeout(ATTACH_LIMIT, subscribe(addr, message_max)).await;
        let limit = ATTACH_LIMIT.as_secs();
        let updates = attached.with_context(|| format!("the console at {addr} did not answer within {limit} s"))??;
        Ok(Self { updates, rest: None, seen: Seen::default(), tasks: 0, ended: None })
    }

    /// Takes in the next update; false when there will be none. May be dropped at any moment and called again.
    pub async fn update(&mut self) -> bool {
        while self.ended.is_none() {
            match self.portion().await {
                Ok(false) => yield_now().await,
                Ok(true) => return true,
                Err(reason) => self.ended = Some(reason),
            }
        }
        false
    }

    /// Takes in a portion; true at the end of a message. An error is why there will be no more.
    async fn portion(&mut self) -> Result<bool, String> {
        let Some(message) = &mut self.rest else {
            let next = self.updates.message().await.map_err(|status| status.message().to_owned())?;
            let bytes = next.ok_or("the stream ended")?;
            self.rest = Some(Message::open(bytes).map_err(|error| error.to_string())?);
            return Ok(false);
        };
        for _ in 0..PORTION {
            let Some(part) = message.next_part().map_err(|error| error.to_string())? else {
                self.rest = None;
                self.tasks = self.seen.tasks();
                return Ok(true);
            };
            self.seen.take_in(part);
        }
        if self.seen.known() > KNOWN_MAX {
            return Err(format!("more than {KNOWN_MAX} tasks and resources are alive"));
        }
        Ok(false)
    }

    /// Live tasks, the ones the program itself counts: neither blocking closures nor `block_on` nor local tasks.
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// What is alive now, alike tasks together. Others have their turn in between: there may be many tasks.
    pub async fn view(&self) -> ConsoleView {
        ConsoleView {
            tasks: self.tasks,
            dropped_events: self.seen.dropped_events(),
            groups: self.seen.groups(PORTION).await,
            ended: self.ended.clone(),
        }
    }
}

async fn subscribe(addr: SocketAddr, message_max: usize) -> anyhow::Result<Streaming<Bytes>> {
    let endpoint = Endpoint::from_shared(format!("http://{addr}"))?;
    let channel = endpoint.connect().await.with_context(|| format!("no console at {addr}"))?;
    let mut client = Grpc::new(channel).max_decoding_message_size(message_max);
    client.ready().await.context("the console refused")?;
    let updates = client.server_streaming(Request::new(()), PathAndQuery::from_static(WATCH_UPDATES), Undecoded).await;
    Ok(updates.context("the console refused")?.into_inner())
}

/// Hands messages over as bytes: decoded whole, a large one would keep everything else waiting for seconds.
struct Undecoded;

impl Codec for Undecoded {
    type Encode = ();
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Undecoded {
    type Item = ();
    type Error = Status;

    /// The request has no fields, and so no bytes.
    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Undecoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

#[cfg(test)]
mod tests;
