//! Serves the book, rebuilds it when it changes, and runs pairs and checks for the page that asks, or, told so, nothing at all. On loopback,
//! unless told otherwise.

mod check;
mod connections;
mod folder;
mod lines;
mod page;
mod patient;
mod reading;
mod run;
mod state;
mod watch;

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use book::For;
use tokio::net::TcpListener;

use self::{connections::Limits, state::Lab, watch::Builder};
pub use crate::same_site::Name;
use crate::same_site::{self, Hosts};

/// A run's request names sides, nothing more.
const BODY_MAX: usize = 4 * 1024;

/// A bound server with its first build of the book.
pub struct Server {
    listener: TcpListener,
    root: Arc<Path>,
    hosts: Hosts,
    whom: For,
    builder: Builder,
}

impl Server {
    /// Binds the port and builds the book. `names` are the names under which it answers besides `localhost` and any address. For
    /// [`For::Guests`] it serves pages, and neither runs nor tells anything else.
    ///
    /// # Errors
    /// When the port is taken, or the book does not build.
    pub async fn bind(root: &Path, addr: SocketAddr, names: &[Name], whom: For) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(addr).await.map_err(|error| cannot_listen(addr, &error))?;
        let root: Arc<Path> = root.into();
        let builder = Builder::new(&root, whom).await?;
        Ok(Self { listener, root, hosts: Hosts::new(names), whom, builder })
    }

    /// The address of the first page, for a browser on this machine.
    pub fn url(&self) -> anyhow::Result<String> {
        let mut addr = self.listener.local_addr()?;
        if addr.ip().is_unspecified() {
            addr.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Ok(format!("http://{addr}/"))
    }

    /// Serves and rebuilds for ever. Dropping the future, and the runtime it ran on, ends every program a page started.
    pub async fn run(self) -> std::convert::Infallible {
        let live = if self.whom == For::Guests {
            reading::router()
        } else {
            let lab = Lab::new(self.root);
            run::router(lab.clone()).merge(check::router(lab))
        };
        let app = Router::new()
            .merge(live)
            .merge(page::router(self.builder.site()))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(middleware::from_fn_with_state(self.hosts, same_site::check));
        tokio::select! {
            never = connections::serve(self.listener, app, Limits::of_this_process()) => never,
            never = self.builder.follow() => never,
        }
    }
}

fn cannot_listen(addr: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    let repair = match error.kind() {
        ErrorKind::AddrInUse => ": end the program that holds the port, or take any free one with `cargo lab --port 0`",
        ErrorKind::PermissionDenied => ": take a port above 1023, or any free one with `cargo lab --port 0`",
        ErrorKind::AddrNotAvailable => ": `--bind` takes an address of this machine, or 0.0.0.0 for all of them",
        _ => "",
    };
    anyhow::anyhow!("cannot listen on {addr}: {error}{repair}")
}
