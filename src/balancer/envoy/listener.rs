//! Listeners and their filter chains: HTTP connection managers, TCP and UDP proxies.

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader, compact};
use super::super::model::{Bind, Listener, Mode, Persistence, Retry, Setting, Target};
use super::super::source::Place;
use super::route::{Found, Routes};
use super::{duration, endpoint, listed, matcher, route, scopes, short_kind, watched};
use crate::balancer::maps::HashMap;

/// A listener with the ways that lead from it.
#[derive(Default)]
pub struct Chains {
    pub listener: Listener,
    pub ways: Vec<Way>,
    /// Files that hold its routes.
    pub watched: Vec<Setting<String>>,
}

/// What one filter does with what comes in.
pub struct Way {
    /// What the filter chain asks of a connection.
    pub when: Option<String>,
    pub routes: From,
    pub sessions: Option<Persistence>,
}

#[derive(Clone)]
pub enum From {
    Here(Routes),
    /// By the name of a route table.
    Named(String, Place),
    /// By a key that is made of these parts of the request; the scopes come from elsewhere.
    Scoped(Vec<String>, Place),
}

pub fn listener(reader: &Reader, node: &Node<'_>) -> Chains {
    let name = node.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
    let fields = Fields::new(reader, node, format!("listener {name}"));
    fields.skip(&["@type", "name", "stat_prefix", "access_log", "metadata", "traffic_direction", "socket_options"]);
    fields.skip(&[
        "per_connection_buffer_limit_bytes",
        "enable_reuse_port",
        "reuse_port",
        "ignore_global_conn_limit",
        "drain_type",
    ]);
    let mut chains =
        Chains { listener: Listener { name, place: reader.place(node), ..Listener::default() }, ..Chains::default() };
    let wrapped = |filter: &Node<'_>| filter.get("name").and_then(Node::text).is_some_and(|name| name.contains("proxy_protocol"));
    let proxy_protocol = fields.list("listener_filters").iter().any(wrapped);
    let first = fields.get("address");
    let more = fields.list("additional_addresses").iter().filter_map(|more| more.get("address"));
    for at in first.into_iter().chain(more) {
        if let Some(address) = endpoint::address(reader, at) {
            let address = match address.strip_prefix("0.0.0.0:").or_else(|| address.strip_prefix("[::]:")) {
                Some(port) => format!("*:{port}"),
                None => address,
            };
            chains.listener.binds.push(Bind { address, proxy_protocol, place: reader.place(at), ..Bind::default() });
        }
        let protocol = at.get("socket_address").and_then(|socket| socket.get("protocol")).and_then(Node::text);
        if protocol == Some("UDP") && fields.get("udp_listener_config").is_none_or(|udp| udp.get("quic_options").is_none()) {
            chains.listener.mode = Mode::Udp;
        }
    }
    if first.is_none() && fields.get("internal_listener").is_none() && fields.get("api_listener").is_none() {
        reader.error(node, "a listener lacks `address`");
    }
    let plain = fields.list("filter_chains");
    let rest = fields.get("default_filter_chain");
    let chosen = fields.get("filter_chain_matcher").map(chosen);
    let mut tls = false;
    let mut modes = Vec::new();
    let mut seen = crate::balancer::maps::HashSet::default();
    for chain in plain.iter().chain(rest) {
        let own = Fields::new(reader, chain, "filter chain");
        own.skip(&["name", "metadata", "transport_socket_connect_timeout", "use_proxy_proto"]);
        tls |= own
            .get("transport_socket")
            .and_then(|socket| socket.get("typed_config"))
            .is_some_and(|config| matches!(short_kind(config), "DownstreamTlsContext" | "QuicDownstreamTransport"));
        let when = match &chosen {
            Some(chosen) => chosen.get(chain.get("name").and_then(Node::text).unwrap_or_default()).cloned(),
            None => own.get("filter_chain_match").filter(|wanted| !wanted.entries().is_empty()).map(compact),
        };
        let when = when.filter(|when| !when.is_empty()).map(|when| format!("filter chain {when}"));
        if chosen.is_none() && !rest.is_some_and(|rest| std::ptr::eq(rest, chain)) && !seen.insert(when.clone()) {
            reader.error(chain, "two filter chains of one listener match the same connections: keep one, or tell them apart");
        }
        for filter in own.list("filters") {
            modes.extend(self::filter(reader, filter, when.as_ref(), &mut chains));
        }
        own.done();
    }
    let udp = fields.list("listener_filters").iter().any(|filter| udp_proxy(reader, filter, &mut chains));
    if plain.is_empty() && rest.is_none() && !udp && chains.listener.mode != Mode::Udp && fields.get("api_listener").is_none() {
        reader.error(node, "a listener lacks `filter_chains`");
    }
    for bind in &mut chains.listener.binds {
        bind.tls = tls;
    }
    if chains.listener.mode != Mode::Udp {
        chains.listener.mode =
            if modes.contains(&Mode::Http) { Mode::Http } else { modes.first().copied().unwrap_or(Mode::Other) };
    }
    if let Some(api) = fields.get("api_listener").and_then(|api| api.get("api_listener")) {
        connection_manager(reader, api, None, &mut chains);
        chains.listener.mode = Mode::Http;
    }
    fields.skip(&[
        "internal_listener",
        "udp_listener_config",
        "listener_filters_timeout",
        "continue_on_listener_filters_timeout",
    ]);
    fields.done();
    chains
}

/// Bytes of a chain's conditions after which no more are told.
const WHEN_MAX: usize = 2_000;

/// Under which conditions a matcher takes each filter chain, by the chain's name.
fn chosen(matcher: &Node<'_>) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::default();
    for leaf in matcher::leaves(matcher) {
        let Some(name) = leaf.action.get("value").and_then(Node::text) else { continue };
        let said = leaf.conditions.join("; ");
        let known = found.entry(name.to_owned()).or_insert_with(|| said.clone());
        if *known != said && known.len() < WHEN_MAX {
            known.push_str(" or ");
            known.push_str(&said);
        }
    }
    found
}

/// Takes what a network filter says; gives what it balances, if anything.
fn filter(reader: &Reader, node: &Node<'_>, when: Option<&String>, chains: &mut Chains) -> Option<Mode> {
    let name = node.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
    let Some(config) = node.get("typed_config") else {
        reader.note(node, format!("filter {name} is not looked at"));
        return None;
    };
    match short_kind(config) {
        "HttpConnectionManager" => {
            connection_manager(reader, config, when, chains);
            Some(Mode::Http)
        }
        "TcpProxy" => {
            tcp_proxy(reader, config, when, chains);
            Some(Mode::Tcp)
        }
        "ConnectionLimit" => {
            let fields = Fields::new(reader, config, "connection limit");
            chains.listener.maxconn = fields.number("max_connections");
            None
        }
        _ => {
            reader.note(node, format!("filter {name} is not looked at"));
            None
        }
    }
}

fn connection_manager(reader: &Reader, node: &Node<'_>, when: Option<&String>, chains: &mut Chains) {
    let fields = Fields::new(reader, node, "HTTP connection manager");
    fields.skip(&["@type", "codec_type", "access_log", "access_log_options", "tracing", "server_name", "upgrade_configs"]);
    fields.skip(&["http_protocol_options", "http2_protocol_options", "generate_request_id", "normalize_path", "merge_slashes"]);
    fields.skip(&["use_remote_address", "xff_num_trusted_hops", "skip_xff_append", "request_id_extension", "local_reply_config"]);
    if fields.text("stat_prefix").unwrap_or_default().is_empty() {
        reader.error(node, "an HTTP connection manager lacks `stat_prefix`");
    }
    let timeouts = &mut chains.listener.timeouts;
    timeouts.client = duration(&fields, "stream_idle_timeout").or(timeouts.client.take());
    timeouts.request = duration(&fields, "request_timeout").or(timeouts.request.take());
    timeouts.headers = duration(&fields, "request_headers_timeout").or(timeouts.headers.take());
    if let Some(common) = fields.get("common_http_protocol_options") {
        let common = Fields::new(reader, common, "common_http_protocol_options");
        timeouts.keepalive = duration(&common, "idle_timeout").or(timeouts.keepalive.take());
    }
    let mut sessions = None;
    for filter in fields.list("http_filters") {
        if let Some(config) = filter.get("typed_config").filter(|config| short_kind(config) == "StatefulSession") {
            sessions = route::session(reader, config);
        }
    }
    if let Some(table) = fields.get("route_config") {
        let routes = From::Here(route::configuration(reader, table, true));
        chains.ways.push(Way { when: when.cloned(), routes, sessions });
    } else if let Some(rds) = fields.get("rds") {
        let name = rds.get("route_config_name").and_then(Node::text).map(clean_name).unwrap_or_default();
        chains.watched.extend(rds.get("config_source").and_then(|from| watched(reader, from)));
        chains.ways.push(Way { when: when.cloned(), routes: From::Named(name, reader.place(rds)), sessions });
    } else if let Some(scoped) = fields.get("scoped_routes") {
        let parts = scopes::parts(scoped);
        let inline = scoped.get("scoped_route_configurations_list").into_iter();
        for scope in inline.flat_map(|list| listed(list, "scoped_route_configurations")) {
            let scope = scopes::scope(reader, scope);
            let said = scope.said(&parts);
            let when = Some(when.map_or(said.clone(), |when| format!("{when}; {said}")));
            chains.ways.push(Way { when, routes: scope.table, sessions: sessions.clone() });
        }
        if let Some(from) = scoped.get("scoped_rds") {
            chains.watched.extend(from.get("scoped_rds_config_source").and_then(|from| watched(reader, from)));
            chains.ways.push(Way { when: when.cloned(), routes: From::Scoped(parts, reader.place(from)), sessions });
        }
        chains.watched.extend(scoped.get("rds_config_source").and_then(|from| watched(reader, from)));
    } else {
        reader.error(node, "an HTTP connection manager lacks its routes: `route_config` or `rds`");
    }
    fields.done();
}

fn tcp_proxy(reader: &Reader, node: &Node<'_>, when: Option<&String>, chains: &mut Chains) {
    let fields = Fields::new(reader, node, "TCP proxy");
    fields.skip(&["@type", "access_log", "access_log_options", "metadata_match", "tunneling_config"]);
    if fields.text("stat_prefix").unwrap_or_default().is_empty() {
        reader.error(node, "a TCP proxy lacks `stat_prefix`");
    }
    let target = route::target(reader, &fields);
    if let Target::Weighted { pools } = &target
        && pools.iter().any(|share| share.weight == 0)
    {
        reader.error(node, "a weighted cluster of a TCP proxy needs a weight of at least 1");
    }
    let silence = duration(&fields, "idle_timeout");
    chains.listener.timeouts.client = silence.clone().or(chains.listener.timeouts.client.take());
    let retry = fields.number("max_connect_attempts").filter(|tries| tries.value > 1).map(|tries| Retry {
        place: tries.place.clone(),
        count: Some(Setting::new(tries.value - 1, tries.place)),
        on: vec!["connect-failure".into()],
        ..Retry::default()
    });
    fields.get("hash_policy");
    let hashes = route::hash_policies(reader, node);
    let found = Found { target, silence, retry, hashes, tcp: true, place: reader.place(node), ..Found::default() };
    let routes = From::Here(Routes { found: vec![found], checked: false });
    chains.ways.push(Way { when: when.cloned(), routes, sessions: None });
    fields.done();
}

/// Takes what a UDP proxy says; whether the filter is one.
fn udp_proxy(reader: &Reader, filter: &Node<'_>, chains: &mut Chains) -> bool {
    let Some(config) = filter.get("typed_config").filter(|config| short_kind(config) == "UdpProxyConfig") else { return false };
    let hashes = route::hash_policies(reader, config);
    let found = |condition: Option<String>, node: &Node<'_>, cluster: &str| {
        let target = Target::Pool { name: clean_name(cluster) };
        Found { condition, target, hashes: hashes.clone(), udp: true, place: reader.place(node), ..Found::default() }
    };
    let plain = config.get("cluster").and_then(Node::text).map(|cluster| found(None, config, cluster));
    let leaves = config.get("matcher").map(matcher::leaves).unwrap_or_default().into_iter();
    let led = leaves.filter_map(|leaf| {
        let condition = Some(leaf.conditions.join("; ")).filter(|said| !said.is_empty());
        Some(found(condition, leaf.action, leaf.action.get("cluster").and_then(Node::text)?))
    });
    let routes = From::Here(Routes { found: plain.into_iter().chain(led).collect(), checked: false });
    chains.ways.push(Way { when: None, routes, sessions: None });
    chains.listener.mode = Mode::Udp;
    true
}
