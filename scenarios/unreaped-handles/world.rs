//! The outside world: displays that stay until the night, and passengers who ask once.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// Minutes until the next tram, by the number of the stop.
pub(crate) const MINUTES: [u8; 500] = [7; 500];
/// A number that is no stop's.
const NO_STOP: u16 = u16::MAX;
/// When the system has no more descriptors, try again after this long.
const PAUSE: Duration = Duration::from_millis(100);
/// Nothing in here takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Any free port.
pub(crate) async fn listen() -> Result<(TcpListener, Stops)> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    let (displays, turn) = Default::default();
    Ok((listener, Stops { addr, displays, turn }))
}

/// The next caller. It may be dropped while it waits.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((caller, _)) => return caller,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// The stops of the line, with a display each.
pub(crate) struct Stops {
    addr: SocketAddr,
    displays: Mutex<Vec<TcpStream>>,
    /// Of whoever opens a stop: one after the other, however late.
    turn: tokio::sync::Mutex<()>,
}

impl Stops {
    /// One more stop: its display is switched on and stays, a passenger asks and leaves. The passenger of the first one sleeps late.
    pub(crate) async fn open(&self, stop: u64) -> Result<()> {
        let _turn = self.turn.lock().await;
        let display = self.ask((stop % 500) as u16).await?;
        self.displays.lock().unwrap().push(display);
        if stop == 0 {
            return Ok(());
        }
        self.passenger(stop).await
    }

    /// Asks for a stop, and hangs up. Every fourth passenger asks for one that there is not.
    pub(crate) async fn passenger(&self, n: u64) -> Result<()> {
        if n.is_multiple_of(4) {
            let answer = self.ask(NO_STOP).await;
            ensure!(answer.is_err(), "a tram to nowhere");
            return Ok(());
        }
        let caller = self.ask((n % 500) as u16).await?;
        hang_up(caller).await
    }

    /// All displays go dark. Then comes the passenger who has slept late.
    pub(crate) async fn night(&self) -> Result<()> {
        let displays =
            std::mem::take(&mut *self.displays.lock().unwrap());
        for display in displays {
            hang_up(display).await?;
        }
        self.passenger(0).await
    }

    async fn ask(&self, stop: u16) -> Result<TcpStream> {
        let answer = async {
            let mut caller = TcpStream::connect(self.addr).await?;
            caller.write_u16(stop).await?;
            caller.read_u8().await?;
            anyhow::Ok(caller)
        };
        timeout(LIMIT, answer).await?
    }
}

/// Says goodbye, and waits until the service has closed its end.
async fn hang_up(mut caller: TcpStream) -> Result<()> {
    caller.shutdown().await?;
    let end = timeout(LIMIT, caller.read_u8()).await?;
    ensure!(end.is_err(), "an answer without a question");
    Ok(())
}
