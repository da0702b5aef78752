//! The app `layer4` (the plugin caddy-l4): listeners, routes and proxies of TCP connections and UDP datagrams.
//!
//! Sources: the plugin's `layer4/server.go`, `modules/l4proxy/{proxy,upstream,healthchecks,loadbalancing}.go`.

use std::net::IpAddr;

use super::super::clean_name;
use super::super::data::{Fields, Node, POOLS_MAX, Reader};
use super::super::model::{
    Algorithm, Bind, Check, Family, Listener, Mode, Model, Passive, Pool, Resolution, Retry, Route, Server, Setting, Target,
};
use super::{address, duration, proxy, routes};
use crate::balancer::maps::{HashMap, HashSet};
use crate::domain::time::shorten;

/// Deepest nesting of subroutes, and most handlers of all servers.
const DEPTH_MAX: usize = 40;
const HANDLERS_MAX: usize = 100_000;

/// Handlers that look at a connection or change it, and pass it on.
const PASSING: [&str; 5] = ["proxy_protocol", "tee", "throttle", "tls", "vars"];

pub fn read(reader: &Reader, node: &Node<'_>, model: &mut Model) {
    let fields = Fields::new(reader, node, "layer4");
    // The http app has taken some names.
    let names = model.pools.iter().map(|pool| (pool.name.clone(), 1)).collect();
    let taken: HashSet<String> = model.listeners.iter().map(|listener| listener.name.clone()).collect();
    let mut walk = Walk { reader, model, names, seen: 0 };
    for server in fields.get("servers").map(Node::entries).unwrap_or_default() {
        let name = clean_name(&server.key);
        let name = if taken.contains(&name) { format!("{name} (layer4)") } else { name };
        let fields = Fields::new(reader, &server.node, format!("layer4 server {name}"));
        fields.skip(&["matching_timeout", "@id"]);
        let mut listener = Listener { name, mode: Mode::Tcp, place: reader.place(&server.node), ..Listener::default() };
        for node in fields.list("listen") {
            let Some(said) = node.text() else { continue };
            let (address, udp) = address(said);
            if udp {
                listener.mode = Mode::Udp;
            }
            listener.binds.push(Bind { address, place: reader.place(node), ..Bind::default() });
        }
        let from = walk.model.routes.len();
        walk.routes(fields.list("routes"), &listener, &[], 0);
        // A handler that ends TLS has said so among the routes.
        let ends = fields.list("routes").iter().any(|route| ends_tls(route, 0));
        listener.binds.iter_mut().for_each(|bind| bind.tls = ends);
        if walk.model.routes.len() == from && !fields.list("routes").is_empty() {
            reader.note(&server.node, format!("no route of layer4 server {} leads to a proxy", listener.name));
        }
        walk.model.listeners.push(listener);
        fields.done();
    }
    fields.done();
}

/// Whether a route ends TLS, itself or in a subroute.
fn ends_tls(route: &Node<'_>, depth: usize) -> bool {
    let handlers = route.get("handle").map(Node::items).unwrap_or_default();
    depth <= DEPTH_MAX
        && handlers.iter().any(|handler| match handler.get("handler").and_then(Node::text) {
            Some("tls") => true,
            Some("subroute") => {
                handler.get("routes").map(Node::items).unwrap_or_default().iter().any(|route| ends_tls(route, depth + 1))
            }
            _ => false,
        })
}

struct Walk<'r, 'm> {
    reader: &'r Reader,
    model: &'m mut Model,
    /// How many pools have a name already.
    names: HashMap<String, usize>,
    /// Handlers that were looked at.
    seen: usize,
}

impl Walk<'_, '_> {
    fn routes(&mut self, routes: &[Node<'_>], listener: &Listener, conditions: &[String], depth: usize) {
        for route in routes {
            let fields = Fields::new(self.reader, route, "layer4 route");
            fields.skip(&["@id"]);
            let mut all = conditions.to_vec();
            all.extend(fields.get("match").and_then(routes::condition));
            for handler in fields.list("handle") {
                self.handler(handler, listener, &all, depth);
            }
            fields.done();
        }
    }

    fn handler(&mut self, node: &Node<'_>, listener: &Listener, conditions: &[String], depth: usize) {
        let kind = node.get("handler").and_then(Node::text).map(clean_name).unwrap_or_default();
        self.seen += 1;
        if self.seen > HANDLERS_MAX || depth > DEPTH_MAX || self.model.pools.len() >= POOLS_MAX {
            if self.seen <= HANDLERS_MAX + 1 {
                let told = "too many handlers, or nested too deeply: this one is not looked at";
                self.reader.note(node, told);
            }
            return;
        }
        let target = match kind.as_str() {
            "subroute" => {
                let fields = Fields::new(self.reader, node, "subroute");
                fields.skip(&["handler", "matching_timeout"]);
                self.routes(fields.list("routes"), listener, conditions, depth + 1);
                fields.done();
                return;
            }
            "proxy" => {
                let name = self.name(&listener.name, conditions);
                let pool = pool(self.reader, node, name.clone(), listener.mode);
                self.model.pools.push(pool);
                Target::Pool { name }
            }
            "echo" | "socks5" | "close" => Target::Other { said: kind },
            _ if PASSING.contains(&kind.as_str()) => return,
            _ => return self.reader.note(node, format!("layer4 handler {kind} is not looked at")),
        };
        let condition = (!conditions.is_empty()).then(|| shorten(&conditions.join("; "), routes::SAID_MAX));
        let place = self.reader.place(node);
        self.model.routes.push(Route { listener: listener.name.clone(), condition, target, place, ..Route::default() });
    }

    /// What a pool is called: its server and when it is used.
    fn name(&mut self, server: &str, conditions: &[String]) -> String {
        let name = match conditions {
            [] => server.to_owned(),
            conditions => clean_name(&format!("{server}: {}", shorten(&conditions.join("; "), 200))),
        };
        let times = self.names.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 {
            return name;
        }
        let name = format!("{name} #{times}");
        self.names.entry(name.clone()).or_insert(1);
        name
    }
}

fn pool(reader: &Reader, node: &Node<'_>, name: String, mode: Mode) -> Pool {
    let fields = Fields::new(reader, node, format!("layer4 proxy {name}"));
    fields.skip(&["handler", "@id", "proxy_protocol"]);
    let mut pool = Pool { name, mode, place: reader.place(node), ..Pool::default() };
    let empty = Node::empty();
    let balancing = Fields::new(reader, fields.get("load_balancing").unwrap_or(&empty), "load_balancing");
    balancing.skip(&["try_interval"]);
    pool.algorithm = match balancing.get("selection") {
        Some(policy) => Algorithm { written: true, ..proxy::algorithm(reader, policy, None, 0) },
        None => {
            Algorithm { name: Some("random".into()), family: Family::Random, place: pool.place.clone(), ..Algorithm::default() }
        }
    };
    if let Some(trying) = duration(&balancing, "try_duration").filter(|trying| trying.value > 0) {
        let place = trying.place.clone();
        pool.retry = Retry { on: vec!["connection-failure".into()], within: Some(trying), place, ..Retry::default() };
    }
    balancing.done();
    let checks = fields.get("health_checks");
    pool.check = checks.and_then(|checks| checks.get("active")).map(|node| Box::new(active(reader, node)));
    let mut most = None;
    if let Some(node) = checks.and_then(|checks| checks.get("passive")) {
        (pool.passive, most) = passive(reader, node);
    }
    let mut seen = HashSet::default();
    for node in fields.list("upstreams") {
        if let Some(mut server) = server(reader, node) {
            if !seen.insert(server.name.clone()) {
                server.name = format!("{}#{}", server.name, pool.servers.len() + 1);
            }
            server.check.clone_from(&pool.check);
            server.passive.clone_from(&pool.passive);
            server.slots = server.slots.or_else(|| most.clone());
            pool.servers.push(server);
        }
    }
    if pool.servers.is_empty() {
        reader.warn(node, format!("layer4 proxy {} has no upstreams: it closes every connection", pool.name));
    }
    fields.done();
    pool
}

fn server(reader: &Reader, node: &Node<'_>) -> Option<Server> {
    let fields = Fields::new(reader, node, "upstream");
    let said: Vec<&str> = fields.list("dial").iter().filter_map(Node::text).collect();
    let Some(first) = said.first() else {
        reader.error(node, "an upstream lacks `dial`, such as `[\"127.0.0.1:5432\"]`");
        return None;
    };
    if said.len() > 1 {
        reader.note(node, "this upstream dials several addresses at once: what a client sends goes to each of them");
    }
    let (address, _) = address(first);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let literal = address.starts_with("unix:") || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let tls = fields.entry("tls").map(|tls| tls.get("insecure_skip_verify").and_then(Node::bool) != Some(true));
    let server = Server {
        name: said.iter().map(|said| super::address(said).0).collect::<Vec<_>>().join(", "),
        address,
        slots: fields.number("max_connections").filter(|most| most.value > 0),
        resolution: if literal { Resolution::Literal } else { Resolution::Followed },
        tls: tls.is_some(),
        tls_verified: tls,
        place: reader.place(node),
        ..Server::default()
    };
    fields.done();
    Some(server)
}

/// Connects; defaults laid in.
fn active(reader: &Reader, node: &Node<'_>) -> Check {
    let fields = Fields::new(reader, node, "active health check");
    let ms =
        |name: &str, default: u64| duration(&fields, name).map(|setting| setting.value).filter(|ms| *ms > 0).unwrap_or(default);
    let check = Check {
        interval_ms: Some(ms("interval", 30_000)),
        timeout_ms: Some(ms("timeout", 5_000)),
        request: fields.u64("port").filter(|port| *port > 0).map(|port| format!("port {port}").into()),
        fall: Some(1),
        rise: Some(1),
        place: reader.place(node),
        ..Check::default()
    };
    fields.done();
    check
}

/// Failures are remembered where a time is given. The second value limits connections at once to a server.
fn passive(reader: &Reader, node: &Node<'_>) -> (Option<Box<Passive>>, Option<Setting<u64>>) {
    let fields = Fields::new(reader, node, "passive health check");
    let most = fields.number("unhealthy_connection_count").filter(|most| most.value > 0);
    let window = duration(&fields, "fail_duration").map(|setting| setting.value).filter(|window| *window > 0);
    let max_fails = Some(fields.u64("max_fails").filter(|fails| *fails > 0).unwrap_or(1));
    fields.done();
    let place = reader.place(node);
    (
        window.map(|window| {
            Box::new(Passive { max_fails, window_ms: Some(window), out_ms: Some(window), place, ..Passive::default() })
        }),
        most,
    )
}
