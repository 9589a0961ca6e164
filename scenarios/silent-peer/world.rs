//! The outside world: a certificate, one honest client in each round, and three that fall silent. All of them live on.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use futures_util::{
    StreamExt, future::BoxFuture, stream::FuturesUnordered,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

/// Any free port.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// An honest client waits so long for its page.
const PATIENCE: Duration = Duration::from_secs(3);

const NAME: &str = "localhost";

pub(crate) struct World {
    tls: TlsAcceptor,
    client: Arc<ClientConfig>,
    served: Arc<AtomicU64>,
    unserved: Arc<AtomicU64>,
    /// `round` sends its silent clients, one task keeps them.
    silent: mpsc::Sender<BoxFuture<'static, ()>>,
    /// Dropped with the world, and so are the silent clients.
    _keeper: JoinSet<()>,
}

impl World {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.into()])?;
        let key = PrivatePkcs8KeyDer::from(
            made.signing_key.serialize_der(),
        );
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![made.cert.der().clone()],
                key.into(),
            )?;
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (silent, kept) = mpsc::channel(1);
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(kept));
        Ok(Self {
            tls: TlsAcceptor::from(Arc::new(server)),
            client: Arc::new(client),
            served: Arc::default(),
            unserved: Arc::default(),
            silent,
            _keeper: keeper,
        })
    }

    /// What a server needs to accept TLS.
    pub(crate) fn tls(&self) -> TlsAcceptor {
        self.tls.clone()
    }

    pub(crate) fn show(&self, stage: &stage::Stage) {
        for (name, gauge) in
            [("served", &self.served), ("unserved", &self.unserved)]
        {
            let gauge = gauge.clone();
            stage.gauge(name, move || gauge.load(Ordering::SeqCst));
        }
    }

    /// One client gets its page and leaves. Three others come, fall silent, and stay until the server hangs up.
    pub(crate) async fn round(
        &self,
        server: SocketAddr,
    ) -> anyhow::Result<()> {
        let page = timeout(PATIENCE, self.page(server)).await;
        let Ok(page) = page else {
            // No permit is free: the others would not be accepted.
            self.unserved.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        };
        page?.shutdown().await?;
        self.served.fetch_add(1, Ordering::SeqCst);
        self.keep(TcpStream::connect(server).await?).await?;
        self.keep(self.half_a_hello(server).await?).await?;
        if let Ok(page) = timeout(PATIENCE, self.page(server)).await {
            self.keep(page?).await?;
        }
        Ok(())
    }

    async fn keep(
        &self,
        client: impl AsyncRead + Send + Unpin + 'static,
    ) -> anyhow::Result<()> {
        let silent = self.silent.send(Box::pin(hold(client)));
        silent.await.ok().context("the keeper has gone")
    }

    /// Sends the first half of its first message.
    pub(crate) async fn half_a_hello(
        &self,
        server: SocketAddr,
    ) -> anyhow::Result<TcpStream> {
        let name = ServerName::try_from(NAME)?;
        let mut tls =
            ClientConnection::new(self.client.clone(), name)?;
        let mut hello = Vec::new();
        tls.write_tls(&mut hello)?;
        let mut line = TcpStream::connect(server).await?;
        line.write_all(&hello[..hello.len() / 2]).await?;
        Ok(line)
    }

    /// Connects, and completes the handshake.
    pub(crate) async fn connect(
        &self,
        server: SocketAddr,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let line = TcpStream::connect(server).await?;
        let tls = TlsConnector::from(self.client.clone());
        Ok(tls.connect(ServerName::try_from(NAME)?, line).await?)
    }

    /// Gets a page, and keeps the connection for the next one.
    pub(crate) async fn page(
        &self,
        server: SocketAddr,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut line = self.connect(server).await?;
        line.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await?;
        let mut text = [0; 1_024];
        let n = line.read(&mut text).await?;
        ensure!(text[..n].starts_with(b"HTTP/1.1 200"), "no page");
        Ok(line)
    }
}

/// One task holds every silent client, so that the count of tasks is the server's.
async fn keep(mut come: mpsc::Receiver<BoxFuture<'static, ()>>) {
    let mut silent = FuturesUnordered::new();
    loop {
        tokio::select! {
            client = come.recv() => match client {
                Some(client) => silent.push(client),
                None => return,
            },
            Some(()) = silent.next() => {}
        }
    }
}

/// Says nothing, and hangs up when the server does.
async fn hold(mut client: impl AsyncRead + Unpin) {
    let mut unread = [0; 1_024];
    while client.read(&mut unread).await.is_ok_and(|n| n > 0) {}
}
