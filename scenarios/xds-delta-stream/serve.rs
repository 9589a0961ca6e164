//! The gRPC server around a control plane's streams: the same for every side.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
};

use envoy_types::pb::envoy::service::discovery::v3::{
    DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{
        AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
    },
};
use futures_util::{Stream, StreamExt, stream};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tonic::{
    Response as Reply, Status, Streaming, async_trait,
    transport::{Server, server::TcpIncoming},
};

use crate::{Answer, Incoming, Request};

/// Responses of a stream that wait for the network.
const ANSWERS: usize = 8;

type Answers<T> =
    Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Gives every stream a number and a task that processes it; an error ends the stream, and the Envoy is told. The server ends when the
/// set is dropped.
pub fn serve<F, P>(
    mut server: Server,
    listener: TcpListener,
    process: P,
) -> JoinSet<()>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
    P: Fn(u64, Incoming, mpsc::Sender<Answer>) -> F
        + Send
        + Sync
        + 'static,
{
    let mut tasks = JoinSet::new();
    let service = Service { process, streams: AtomicU64::new(0) };
    let service = AggregatedDiscoveryServiceServer::new(service);
    let incoming = TcpIncoming::from(listener);
    let serving =
        server.add_service(service).serve_with_incoming(incoming);
    tasks.spawn(async {
        if let Err(error) = serving.await {
            eprintln!("the control plane ends: {error}");
        }
    });
    tasks
}

struct Service<P> {
    process: P,
    streams: AtomicU64,
}

#[async_trait]
impl<F, P> AggregatedDiscoveryService for Service<P>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
    P: Fn(u64, Incoming, mpsc::Sender<Answer>) -> F
        + Send
        + Sync
        + 'static,
{
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Answers<crate::Response>;

    async fn stream_aggregated_resources(
        &self,
        _: tonic::Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Reply<Self::StreamAggregatedResourcesStream>, Status>
    {
        Err(Status::unimplemented("ask for DELTA_GRPC"))
    }

    async fn delta_aggregated_resources(
        &self,
        request: tonic::Request<Streaming<Request>>,
    ) -> Result<Reply<Self::DeltaAggregatedResourcesStream>, Status>
    {
        let number = self.streams.fetch_add(1, Ordering::Relaxed);
        // The processor and this task send, the network receives; either end closes.
        let (tx, answers) = mpsc::channel(ANSWERS);
        let process = (self.process)(
            number,
            request.into_inner().boxed(),
            tx.clone(),
        );
        tokio::spawn(async move {
            if let Err(end) = process.await {
                let _ = tx.send(Err(end)).await;
            }
        });
        let next = |mut answers: mpsc::Receiver<Answer>| async {
            Some((answers.recv().await?, answers))
        };
        Ok(Reply::new(Box::pin(stream::unfold(answers, next))))
    }
}
