//! The program as a service: `serve`, and an address if port 0 will not do. It runs until it is ended.

use std::{env, process::ExitCode};

use anyhow::Context;
use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
};

/// The address, when the program was called with `serve`.
pub(crate) fn asked() -> Option<String> {
    let mut arguments = env::args().skip(1);
    let is_asked = arguments.next().as_deref() == Some("serve");
    let any_port = || "127.0.0.1:0".to_owned();
    is_asked.then(|| arguments.next().unwrap_or_else(any_port))
}

pub(crate) fn run(
    at: &str,
    app: impl AsyncFnOnce() -> Router,
) -> ExitCode {
    match try_run(at, app) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn try_run(
    at: &str,
    app: impl AsyncFnOnce() -> Router,
) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("cannot listen at {at}"))?;
        println!("http://{}", listener.local_addr()?);
        let app = app().await.route("/tasks", get(tasks));
        axum::serve(listener, app).await.context("cannot serve")
    })
}

/// Tasks that are alive now, this connection's included.
async fn tasks() -> String {
    Handle::current().metrics().num_alive_tasks().to_string()
}
