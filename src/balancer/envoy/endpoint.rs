//! Endpoints of a cluster: addresses, weights, priorities, and what they are reached with.

use std::net::IpAddr;

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader};
use super::super::model::{Group, Resolution, Role, Server};
use super::super::state::Admin;
use super::word;
use crate::balancer::maps::HashMap;

/// How a cluster finds its servers (`envoy.config.cluster.v3.Cluster.DiscoveryType`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Static,
    StrictDns,
    LogicalDns,
    Eds,
    OriginalDst,
    /// A cluster type of an extension.
    Other(String),
}

/// Words of `health_status` by number.
const HEALTH: &[&str] = &["UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"];

/// The servers of a `ClusterLoadAssignment`, each with its locality. Priorities above 0 are backups.
pub fn assignment(reader: &Reader, node: &Node<'_>, kind: &Kind) -> Vec<Server> {
    let fields = Fields::new(reader, node, "load_assignment");
    fields.skip(&["@type", "cluster_name", "policy", "named_endpoints"]);
    let mut servers: Vec<Server> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::default();
    for group in fields.list("endpoints") {
        let fields = Fields::new(reader, group, "endpoints");
        fields.skip(&["metadata", "proximity"]);
        let locality = Group {
            name: fields.get("locality").map(locality).unwrap_or_default(),
            // A dump of endpoints lays in 0 for a locality without weight.
            weight: fields.u64("load_balancing_weight").map_or(0, |weight| u32::try_from(weight).unwrap_or(u32::MAX)),
        };
        let priority = fields.u64("priority").unwrap_or(0);
        if let Some(said) = fields.get("priority").filter(|_| priority > 128) {
            reader.error(said, "`priority` has to be from 0 to 128");
        }
        for endpoint in fields.list("lb_endpoints") {
            let Some(mut server) = server(reader, endpoint, kind) else { continue };
            server.group = Some(Box::new(locality.clone()));
            server.role = if priority > 0 { Role::Backup } else { Role::Active };
            server.priority = u32::try_from(priority).unwrap_or(u32::MAX);
            let times = seen.entry(server.name.clone()).or_default();
            *times += 1;
            if *times > 1 {
                reader.warn(endpoint, format!("{} is there {times} times", server.name));
                server.name = format!("{}#{times}", server.name);
            }
            servers.push(server);
        }
        fields.done();
    }
    fields.done();
    servers
}

/// `region/zone/sub_zone`, as far as it is said.
fn locality(node: &Node<'_>) -> String {
    let part = |name: &&str| node.get(name).and_then(Node::text).filter(|text| !text.is_empty()).map(clean_name);
    ["region", "zone", "sub_zone"].iter().filter_map(part).collect::<Vec<_>>().join("/")
}

fn server(reader: &Reader, node: &Node<'_>, kind: &Kind) -> Option<Server> {
    let fields = Fields::new(reader, node, "endpoint");
    fields.skip(&["metadata"]);
    let mut server = Server { place: reader.place(node), ..Server::default() };
    if let Some(weight) = fields.number("load_balancing_weight") {
        if weight.value == 0 {
            reader.tell(
                super::Gravity::Error,
                weight.place.clone(),
                "`load_balancing_weight` has to be at least 1: to take the server out, remove it or set `health_status: DRAINING`",
            );
        }
        let value = u32::try_from(weight.value).unwrap_or(u32::MAX);
        server.weight = Some(super::Setting::new(value, weight.place));
    }
    match word(&fields, "health_status", HEALTH).map(|status| status.value).as_deref() {
        Some("DRAINING") => server.admin = Admin::Drain,
        Some("UNHEALTHY" | "TIMEOUT") => server.admin = Admin::Maintenance,
        _ => {}
    }
    let endpoint = fields.get("endpoint");
    if fields.get("endpoint_name").is_some() {
        reader.note(node, "a named endpoint is not looked at");
    }
    fields.done();
    let fields = Fields::new(reader, endpoint?, "endpoint");
    let at = fields.get("address")?;
    server.address = address(reader, at)?;
    server.name.clone_from(&server.address);
    let hostname = fields.name("hostname");
    let literal = literal(&server.address);
    server.resolution =
        if literal || !matches!(kind, Kind::StrictDns | Kind::LogicalDns) { Resolution::Literal } else { Resolution::Followed };
    if !literal && *kind == Kind::Static {
        let told = format!("{} is a name, and a STATIC cluster takes only numbers: use `type: STRICT_DNS`", server.address);
        reader.error(at, told);
    }
    if !hostname.is_empty() && *kind == Kind::Eds && !literal {
        server.resolution = Resolution::Followed;
    }
    fields.skip(&["health_check_config"]);
    fields.done();
    Some(server)
}

/// `host:port`, `[v6]:port`, `unix:/path` or `internal:name` of an `envoy.config.core.v3.Address`.
pub fn address(reader: &Reader, node: &Node<'_>) -> Option<String> {
    if let Some(socket) = node.get("socket_address") {
        let fields = Fields::new(reader, socket, "socket_address");
        fields.skip(&["protocol", "resolver_name", "ipv4_compat", "network_namespace_filepath"]);
        let host = fields.name("address");
        let named = fields.name("named_port");
        let port = match fields.number("port_value") {
            Some(port) if port.value > 65_535 => {
                reader.tell(super::Gravity::Error, port.place, "`port_value` has to be at most 65535");
                return None;
            }
            Some(port) => port.value.to_string(),
            None if !named.is_empty() => named,
            None => {
                // In a dump port 0 is left out, in a file it has to be there.
                reader.error(socket, "`socket_address` lacks `port_value`");
                return None;
            }
        };
        fields.done();
        return Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
    }
    if let Some(path) = node.get("pipe").and_then(|pipe| pipe.get("path")).and_then(Node::text) {
        return Some(format!("unix:{}", clean_name(path)));
    }
    if let Some(internal) = node.get("envoy_internal_address") {
        let name = internal.get("server_listener_name").and_then(Node::text).unwrap_or_default();
        return Some(format!("internal:{}", clean_name(name)));
    }
    reader.error(node, "an address has to be a `socket_address` or a `pipe`");
    None
}

/// Whether an address needs no look-up.
fn literal(address: &str) -> bool {
    if address.starts_with("unix:") || address.starts_with("internal:") {
        return true;
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}
