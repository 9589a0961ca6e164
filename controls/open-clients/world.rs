//! The outside world: devices that connect in turn. One that comes back has hung up before.

use std::{net::SocketAddr, sync::Mutex};

use tokio::{io::AsyncReadExt, net::TcpStream};

/// So many devices there are.
pub(crate) const DEVICES: u64 = 10;

/// Every device, and the connection it has now.
pub(crate) struct Devices {
    hub: SocketAddr,
    connected: [Mutex<Option<TcpStream>>; DEVICES as usize],
}

impl Devices {
    pub(crate) fn of(hub: SocketAddr) -> Self {
        Self { hub, connected: Default::default() }
    }

    /// The next device hangs up, if it was connected, and connects.
    pub(crate) async fn connect(
        &self,
        number: u64,
    ) -> anyhow::Result<()> {
        let place = &self.connected[(number % DEVICES) as usize];
        drop(place.lock().unwrap().take());
        let mut stream = TcpStream::connect(self.hub).await?;
        // The hub's word of welcome: from here on there is a session.
        stream.read_u8().await?;
        *place.lock().unwrap() = Some(stream);
        Ok(())
    }

    pub(crate) fn connected(&self) -> u64 {
        let is_open = |place: &&Mutex<Option<TcpStream>>| {
            place.lock().unwrap().is_some()
        };
        self.connected.iter().filter(is_open).count() as u64
    }
}
