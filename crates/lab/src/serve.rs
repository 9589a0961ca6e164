//! Serves the book on loopback, rebuilds it when it changes, and runs pairs for the page that asks.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path as UrlPath, Request, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::{
    book,
    catalogue::{Catalogue, Scenario},
    chart::{Drawing, Live},
    pair,
    pair::Event,
    recording, same_site,
};

/// Pairs that may run at the same time: each is two programs on what may be two cores.
const RUNS_MAX: usize = 2;
/// Events that wait for a slow page; beyond that, samples are left out.
const EVENTS_MAX: usize = 1024;
/// How often the sources are looked at. Polled, as mdBook does: notifications also report our own reading.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// A run's request names sides, nothing more.
const BODY_MAX: usize = 4 * 1024;

#[derive(Clone)]
struct App {
    root: Arc<Path>,
    runs: Arc<Semaphore>,
    site: watch::Receiver<Site>,
}

/// The book as it is served now.
#[derive(Clone)]
struct Site {
    folder: PathBuf,
    /// Counts up with each build.
    build: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sides: Vec<String>,
}

/// A bound server with its first build of the book.
pub struct Server {
    listener: TcpListener,
    root: Arc<Path>,
    site: watch::Sender<Site>,
    /// Removed with the server. Another server of the same workbook has its own.
    folder: TempDir,
}

impl Server {
    /// Binds the port and builds the book.
    ///
    /// # Errors
    /// When the port is taken, or the book does not build.
    pub async fn bind(root: &Path, port: u16) -> anyhow::Result<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(addr).await.with_context(|| {
            format!("cannot listen on {addr}: end the program that holds the port, or pass `--port 0` for any free one")
        })?;
        let root: Arc<Path> = root.into();
        let target = root.join("target");
        std::fs::create_dir_all(&target).context("cannot write into target/")?;
        let folder =
            tempfile::Builder::new().prefix("serve-").tempdir_in(target).context("cannot write into target/")?;
        let site = watch::Sender::new(Site { folder: build(&root, folder.path(), 0).await?, build: 0 });
        Ok(Self { listener, root, site, folder })
    }

    /// The address of the first page.
    pub fn url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}/", self.listener.local_addr()?))
    }

    /// Serves and rebuilds for ever. Dropping the future, and the runtime it ran on, ends every program a page started.
    pub async fn run(self) -> anyhow::Result<()> {
        let hosts = same_site::Hosts::of(self.listener.local_addr()?.port());
        let app =
            App { root: self.root.clone(), runs: Arc::new(Semaphore::new(RUNS_MAX)), site: self.site.subscribe() };
        let router = Router::new()
            .route("/api/lab", get(lab))
            .route("/api/run/{name}", post(run))
            .route("/api/build", get(build_number))
            .fallback(page)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(middleware::from_fn_with_state(hosts, same_site::check))
            .with_state(app);
        tokio::select! {
            result = axum::serve(self.listener, router) => result.context("the server failed"),
            () = rebuild_for_ever(&self.root, self.folder.path(), &self.site) => Ok(()),
        }
    }
}

/// Builds into one of two folders in turn: the renderer empties its folder first, and no page shall see that.
async fn build(root: &Arc<Path>, folder: &Path, turn: usize) -> anyhow::Result<PathBuf> {
    let (root, folder) = (root.clone(), folder.join((turn % 2).to_string()));
    tokio::task::spawn_blocking(move || book::build(&root, Some(&folder), book::For::Lab)).await?
}

async fn rebuild_for_ever(root: &Arc<Path>, folder: &Path, site: &watch::Sender<Site>) {
    let mut seen = stamp(root);
    // A build that failed leaves its folder to the next one, and never takes the one that is served.
    let mut turn = 1;
    loop {
        while stamp(root) == seen {
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
        seen = stamp(root);
        match build(root, folder, turn).await {
            Ok(folder) => {
                site.send_replace(Site { folder, build: turn });
                turn += 1;
            }
            Err(error) => eprintln!("the book does not build; the last good one is served:\n{error:#}"),
        }
    }
}

/// The newest modification and the number of files of all that the book is made from.
fn stamp(root: &Path) -> (SystemTime, usize) {
    fn fold(path: &Path, stamp: &mut (SystemTime, usize)) {
        let Ok(meta) = path.metadata() else { return };
        stamp.0 = meta.modified().map_or(stamp.0, |time| time.max(stamp.0));
        stamp.1 += 1;
        if meta.is_dir() {
            path.read_dir().into_iter().flatten().flatten().for_each(|entry| fold(&entry.path(), stamp));
        }
    }
    let mut stamp = (SystemTime::UNIX_EPOCH, 0);
    ["book", "book.toml", "scenarios", "crates/claims"].iter().for_each(|path| fold(&root.join(path), &mut stamp));
    stamp
}

async fn lab(State(app): State<App>) -> Response {
    match Catalogue::read(&app.root) {
        Ok(all) => {
            let sides = |one: Scenario| (one.name.clone(), json!(one.side_names()));
            let scenarios: serde_json::Map<_, _> = all.scenarios.into_iter().map(sides).collect();
            Json(json!({ "scenarios": scenarios })).into_response()
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    }
}

async fn run(State(app): State<App>, UrlPath(name): UrlPath<String>, Json(asked): Json<Asked>) -> Response {
    let scenario = match Catalogue::read(&app.root).and_then(|all| all.find(&name).cloned()) {
        Ok(scenario) => scenario,
        Err(error) => return refuse(StatusCode::NOT_FOUND, format!("{error:#}")),
    };
    if let Err(error) = scenario.check_sides(&asked.sides) {
        return refuse(StatusCode::NOT_FOUND, format!("{error:#}"));
    }
    let Ok(permit) = app.runs.clone().try_acquire_owned() else {
        let message = format!("{RUNS_MAX} runs are under way: wait for one to end, or press Stop there");
        return refuse(StatusCode::TOO_MANY_REQUESTS, message);
    };
    let lines =
        lines(app.root, scenario, asked.sides, permit).map(|line| Ok::<_, std::convert::Infallible>(line + "\n"));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// The events of one run, and after each look at the programs the drawings. The stream owns the run: when the page closes, the
/// stream is dropped, and the programs with it.
fn lines(
    root: Arc<Path>,
    scenario: Scenario,
    sides: Vec<String>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = String> {
    // The run sends, the response body receives; the run's end closes it.
    let (tx, mut rx) = mpsc::channel(EVENTS_MAX);
    let run = async move {
        let recorded = recording::load(&root, &scenario.name).ok();
        let live = Mutex::new(Live::new(scenario.statement.clone(), sides.clone(), recorded));
        // A page that does not read loses samples, not the run.
        let send = |line: String| drop(tx.try_send(line));
        let on = |event: Event| {
            send(line(&event));
            if let Event::Sample { side, sample, console_tasks } = &event {
                let drawings = live.lock().map(|mut live| live.push(side, sample, *console_tasks));
                drawings.unwrap_or_default().iter().for_each(|drawing| send(line(&drawn(drawing))));
            }
        };
        if let Ok(runs) = pair::run_to_verdict(&root, &scenario, &sides, &[], &on).await {
            let drawings = live.lock().map(|live| live.end(&runs)).unwrap_or_default();
            drawings.iter().for_each(|drawing| send(line(&drawn(drawing))));
        }
        drop(permit);
    };
    let mut run = Some(Box::pin(run));
    stream::poll_fn(move |cx| {
        if run.as_mut().is_some_and(|run| run.poll_unpin(cx).is_ready()) {
            run = None;
        }
        rx.poll_recv(cx)
    })
}

fn line(event: &impl Serialize) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn drawn(drawing: &Drawing) -> serde_json::Value {
    json!({ "event": "drawing", "gauge": drawing.gauge, "label": drawing.label, "svg": drawing.svg })
}

/// Which build of the book is served. Pages ask, for a stream to each open one would use up a browser's connections.
async fn build_number(State(app): State<App>) -> Response {
    Json(json!({ "build": app.site.borrow().build })).into_response()
}

async fn page(State(app): State<App>, request: Request) -> Response {
    let folder = app.site.borrow().folder.clone();
    let missing = tower_http::services::ServeFile::new(folder.join("404.html"));
    match ServeDir::new(folder).not_found_service(missing).oneshot(request).await {
        Ok(response) => {
            let mut response = response.into_response();
            // The folder changes with every build.
            response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
            response
        }
        Err(never) => match never {},
    }
}

fn refuse(status: StatusCode, message: String) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
