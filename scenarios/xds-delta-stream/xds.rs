//! What every side shares: the snapshot cache, what one delta stream has subscribed to and knows, and the gRPC server around it.

use futures_util::stream::BoxStream;

mod resources;
mod serve;
mod session;

pub use resources::{Cache, Snapshot};
pub use serve::serve;
pub use session::Session;

pub use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest as Request,
    DeltaDiscoveryResponse as Response,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient as Client,
};

/// What an Envoy sends on one stream.
pub type Incoming =
    BoxStream<'static, Result<Request, tonic::Status>>;
/// What it is sent: a response, or why it ends.
pub type Answer = Result<Response, tonic::Status>;

/// The types that this control plane serves, in the order in which Envoy wants them.
pub const TYPES: [&str; 3] = [CLUSTER, ENDPOINTS, LISTENER];
/// What Envoy forwards to.
pub const CLUSTER: &str =
    "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// Where that is.
pub const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Where Envoy listens.
pub const LISTENER: &str =
    "type.googleapis.com/envoy.config.listener.v3.Listener";
/// The name of the one cluster and the one listener.
pub const SHOP: &str = "shop";
