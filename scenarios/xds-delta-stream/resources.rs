//! The snapshot: one listener that forwards everything to one cluster, built from Envoy's own messages.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use envoy_types::{
    pb::{
        envoy::{
            config::{
                cluster::v3::{
                    Cluster, cluster,
                    cluster::{
                        ClusterDiscoveryType, DiscoveryType,
                        EdsClusterConfig,
                    },
                },
                core::v3::{
                    Address, AggregatedConfigSource, ApiVersion,
                    ConfigSource, HeaderValue, HeaderValueOption,
                    SocketAddress, address::Address as AnyAddress,
                    config_source::ConfigSourceSpecifier,
                    socket_address::PortSpecifier,
                },
                endpoint::v3::{
                    ClusterLoadAssignment, Endpoint, LbEndpoint,
                    LocalityLbEndpoints, lb_endpoint::HostIdentifier,
                },
                listener::v3::{
                    Filter, FilterChain, Listener, filter,
                },
                route::v3::{
                    Route, RouteAction, RouteConfiguration,
                    RouteMatch, VirtualHost, route,
                    route_action::ClusterSpecifier,
                    route_match::PathSpecifier,
                },
            },
            extensions::filters::{
                http::router::v3::Router,
                network::http_connection_manager::v3::{
                    HttpConnectionManager, HttpFilter,
                    http_connection_manager::RouteSpecifier,
                    http_filter,
                },
            },
        },
        google::protobuf::{Any, Duration},
    },
    util::pack_any,
};
use tokio::sync::watch;

use crate::{CLUSTER, ENDPOINTS, LISTENER, SHOP};

/// The newest snapshot; the first is empty. Whoever publishes sends, streams receive; it closes when the control plane ends.
#[derive(Debug, Default)]
pub struct Cache(watch::Sender<Arc<Snapshot>>);

/// All that an Envoy is told, at one moment. Every resource has the revision as its version.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Rises by one.
    pub revision: u64,
    resources: BTreeMap<(&'static str, String), Any>,
}

impl Cache {
    /// Tells every stream.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.send_replace(Arc::new(snapshot));
    }

    /// The first one is there at once.
    pub fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        let mut news = self.0.subscribe();
        news.mark_changed();
        news
    }
}

impl Snapshot {
    /// Forwards to `shop`, and says in a header by which revision.
    pub fn new(revision: u64, shop: SocketAddr) -> Self {
        let resources = [
            (CLUSTER, pack_any(cluster(revision))),
            (ENDPOINTS, pack_any(endpoints(shop))),
            (LISTENER, pack_any(listener(revision))),
        ];
        let named = |(kind, any)| ((kind, SHOP.to_owned()), any);
        Self {
            revision,
            resources: resources.into_iter().map(named).collect(),
        }
    }

    /// The resources of a type, by name.
    pub fn of(
        &self,
        kind: &str,
    ) -> impl Iterator<Item = (&String, &Any)> {
        self.resources
            .iter()
            .filter(move |((found, _), _)| *found == kind)
            .map(|((_, name), any)| (name, any))
    }
}

fn cluster(revision: u64) -> Cluster {
    Cluster {
        name: SHOP.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(
            DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(ConfigSource {
                resource_api_version: ApiVersion::V3.into(),
                config_source_specifier: Some(
                    ConfigSourceSpecifier::Ads(
                        AggregatedConfigSource {},
                    ),
                ),
                ..Default::default()
            }),
            ..Default::default()
        }),
        // Another revision is another cluster, and Envoy warms it again.
        connect_timeout: Some(Duration {
            seconds: revision as i64,
            nanos: 0,
        }),
        lb_policy: cluster::LbPolicy::RoundRobin.into(),
        ..Default::default()
    }
}

fn endpoints(shop: SocketAddr) -> ClusterLoadAssignment {
    let endpoint = Endpoint {
        address: Some(address(shop)),
        ..Default::default()
    };
    let endpoint = LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    };
    ClusterLoadAssignment {
        cluster_name: SHOP.into(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![endpoint],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// On any free port of this machine: Envoy's admin page says on which.
fn listener(revision: u64) -> Listener {
    let manager = HttpConnectionManager {
        stat_prefix: SHOP.into(),
        route_specifier: Some(RouteSpecifier::RouteConfig(routes(
            revision,
        ))),
        http_filters: vec![HttpFilter {
            name: "envoy.filters.http.router".into(),
            config_type: Some(http_filter::ConfigType::TypedConfig(
                pack_any(Router::default()),
            )),
            ..Default::default()
        }],
        ..Default::default()
    };
    let filter = Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(filter::ConfigType::TypedConfig(pack_any(
            manager,
        ))),
    };
    Listener {
        name: SHOP.into(),
        address: Some(address(([127, 0, 0, 1], 0).into())),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn routes(revision: u64) -> RouteConfiguration {
    let everything = RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".into())),
        ..Default::default()
    };
    let to_the_shop = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(
            SHOP.into(),
        )),
        ..Default::default()
    };
    let says_revision = HeaderValueOption {
        header: Some(HeaderValue {
            key: "x-revision".into(),
            value: revision.to_string(),
            ..Default::default()
        }),
        ..Default::default()
    };
    RouteConfiguration {
        name: SHOP.into(),
        virtual_hosts: vec![VirtualHost {
            name: SHOP.into(),
            domains: vec!["*".into()],
            routes: vec![Route {
                r#match: Some(everything),
                action: Some(route::Action::Route(to_the_shop)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        response_headers_to_add: vec![says_revision],
        ..Default::default()
    }
}

fn address(at: SocketAddr) -> Address {
    Address {
        address: Some(AnyAddress::SocketAddress(SocketAddress {
            address: at.ip().to_string(),
            port_specifier: Some(PortSpecifier::PortValue(
                at.port().into(),
            )),
            ..Default::default()
        })),
    }
}
