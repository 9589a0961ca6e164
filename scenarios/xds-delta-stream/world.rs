//! The outside world: the Envoys, which are the built-in client or whoever connects. Their inventory is in `inventory.rs`.

use std::{env, net::SocketAddr, time::Duration};

use crate::inventory::Inventory;
use anyhow::{Context, Result, bail};
use futures_util::{Stream, StreamExt, stream};
use stage::Stage;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{oneshot, watch},
    time::{sleep, timeout},
};
use tonic::{
    Code, Streaming,
    transport::{Channel, Endpoint},
};
use xds::{
    Cache, Client, ENDPOINTS, LISTENER, Request, Response, SHOP,
    Snapshot, TYPES,
};

/// Set to an address, it makes the program wait there for a real Envoy instead of its own client.
const LISTEN: &str = "XDS_DELTA_STREAM_LISTEN";
/// Where the shop is that a real Envoy forwards to.
const SHOP_AT: (&str, &str) =
    ("XDS_DELTA_STREAM_SHOP", "127.0.0.1:8080");
/// The built-in client waits no longer for anything.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the number of tasks, until so many are the same.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_SAME: usize = 20;
const LOOKS_MAX: usize = 500;
/// Every second Envoy is a gateway that finds clusters on demand, and asks for so many while its stream is young.
const ON_DEMAND: usize = 20;

/// The Envoys of the shop.
pub(crate) struct Envoys {
    shop: SocketAddr,
    /// The built-in client; none where a real Envoy is waited for.
    client: Option<Client<Channel>>,
}

impl Envoys {
    /// On a free port for the built-in client, at the address in `XDS_DELTA_STREAM_LISTEN` for a real Envoy.
    pub(crate) async fn open() -> Result<(Self, TcpListener)> {
        let asked = env::var(LISTEN).ok();
        let at = asked.as_deref().unwrap_or("127.0.0.1:0");
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("cannot listen at {at}"))?;
        let address = listener.local_addr()?;
        let shop =
            env::var(SHOP_AT.0).unwrap_or_else(|_| SHOP_AT.1.into());
        let shop = shop.parse().with_context(|| {
            format!("{} must be an address, and is {shop}", SHOP_AT.0)
        })?;
        let channel =
            Endpoint::from_shared(format!("http://{address}"))?
                .connect_lazy();
        if asked.is_some() {
            eprintln!("waiting for an Envoy at {address}");
        }
        let client = asked.is_none().then(|| Client::new(channel));
        Ok((Self { shop, client }, listener))
    }

    /// An Envoy gets its configuration. Then, while the next revision is rolled out, the inventory goes down: a unit of work
    /// is a stream that ends with its error. At last the inventory is back, and the Envoy gets the revision after that.
    pub(crate) async fn outage(
        &self,
        stage: &Stage,
        cache: &Cache,
        inventory: &Inventory,
    ) -> Result<Configured> {
        cache.publish(Snapshot::new(1, self.shop));
        let mut envoy = self.configured(inventory).await?;
        envoy.has(1).await?;
        at_rest().await;
        inventory.fail(0);
        cache.publish(Snapshot::new(2, self.shop));
        stage
            .load(async |n| self.reconnect(n, inventory).await)
            .await;
        inventory.recover();
        cache.publish(Snapshot::new(3, self.shop));
        envoy.has(3).await?;
        Ok(envoy)
    }

    async fn configured(
        &self,
        inventory: &Inventory,
    ) -> Result<Configured> {
        let Some(client) = &self.client else {
            return Ok(Configured::ByAnEnvoy(
                inventory.accepted.subscribe(),
            ));
        };
        // The half of the stream that is ours ends with `leave`.
        let (leave, over) = oneshot::channel();
        let says = stream::iter(requests(""))
            .chain(stream::pending())
            .take_until(over);
        let mut client = client.clone();
        let told = timeout(
            ANSWER_MAX,
            client.delta_aggregated_resources(says),
        );
        let told =
            told.await.context("no stream was opened")??.into_inner();
        Ok(Configured::ByUs { told: Box::new(told), _leave: leave })
    }

    /// One stream, until the control plane ends it.
    async fn reconnect(
        &self,
        number: u64,
        inventory: &Inventory,
    ) -> Result<()> {
        inventory.refuse();
        match &self.client {
            // As long as the Envoy likes: here a person may start it.
            None => inventory.refused.acquire().await?.forget(),
            Some(client) => {
                let turned_away = turned_away(client.clone(), number);
                timeout(ANSWER_MAX, turned_away)
                    .await
                    .context("no end came")??;
            }
        }
        Ok(())
    }
}

/// An Envoy with a stream that stays open; dropped, it leaves.
pub(crate) enum Configured {
    /// The built-in client.
    ByUs {
        told: Box<Streaming<Response>>,
        _leave: oneshot::Sender<()>,
    },
    /// The inventory sends: an Envoy accepted a listener.
    ByAnEnvoy(watch::Receiver<u64>),
}

impl Configured {
    /// Waits until it has all of a revision; a real Envoy gets as long as it likes.
    async fn has(&mut self, revision: u64) -> Result<()> {
        match self {
            Self::ByAnEnvoy(accepted) => {
                accepted.changed().await.context("no inventory")
            }
            Self::ByUs { told, .. } => {
                let told = timeout(
                    ANSWER_MAX,
                    told_all(told, revision.to_string()),
                );
                told.await.with_context(|| {
                    format!("revision {revision} did not come")
                })?
            }
        }
    }
}

/// A new connection has a task that ends soon: without this it would sometimes count as one that was there before the load.
async fn at_rest() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let (mut last, mut same) = (alive(), 0);
    for _ in 0..LOOKS_MAX {
        sleep(LOOK).await;
        (last, same) = if alive() == last {
            (last, same + 1)
        } else {
            (alive(), 0)
        };
        if same == LOOKS_SAME {
            return;
        }
    }
}

/// The listener comes last.
async fn told_all(
    told: &mut Streaming<Response>,
    revision: String,
) -> Result<()> {
    loop {
        let answer =
            told.message().await?.context("the stream ended")?;
        if answer.system_version_info == revision
            && answer.type_url == LISTENER
        {
            return Ok(());
        }
    }
}

/// What an Envoy that has its configuration says on a new stream, all at once; then it listens. A gateway has more to ask.
pub(crate) fn warm_envoy(
    number: u64,
) -> impl Stream<Item = Request> + Unpin + Send + 'static {
    let has = requests("2");
    let more = if number % 2 == 1 { ON_DEMAND } else { 0 };
    let on_demand = (0..more).map(|n| Request {
        type_url: TYPES[0].into(),
        resource_names_subscribe: vec![format!("on-demand-{n}")],
        ..Default::default()
    });
    stream::iter(has.into_iter().chain(on_demand))
        .chain(stream::pending())
}

/// Asks for all clusters and listeners, and for endpoints by name. With a version, it has that already.
fn requests(has: &str) -> [Request; TYPES.len()] {
    let versions =
        (!has.is_empty()).then(|| (SHOP.to_owned(), has.to_owned()));
    TYPES.map(|kind| Request {
        type_url: kind.into(),
        resource_names_subscribe: vec![
            if kind == ENDPOINTS { SHOP } else { "*" }.into(),
        ],
        initial_resource_versions: versions
            .clone()
            .into_iter()
            .collect(),
        ..Default::default()
    })
}

/// A stream that the control plane ends, with its reason.
async fn turned_away(
    mut client: Client<Channel>,
    number: u64,
) -> Result<()> {
    let (_leave, over) = oneshot::channel::<()>();
    let says = warm_envoy(number).take_until(over);
    let mut told =
        client.delta_aggregated_resources(says).await?.into_inner();
    match told.message().await {
        Err(end) if end.code() == Code::Unavailable => Ok(()),
        other => bail!("not the inventory's error: {other:?}"),
    }
}
