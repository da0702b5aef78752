//! The handler `reverse_proxy`: a pool with its policy, checks, upstreams and transport.

use std::net::IpAddr;

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader, compact};
use super::super::model::{
    Algorithm, Check, CheckKind, Family, Gravity, Hash, HashKey, HashMethod, Passive, Persistence, Pool, Resolution, Retry,
    Server, Setting,
};
use super::{address, duration};
use crate::balancer::maps::HashSet;

pub fn pool(reader: &Reader, node: &Node<'_>, name: String) -> Pool {
    let fields = Fields::new(reader, node, format!("reverse_proxy {name}"));
    fields.skip(&[
        "handler",
        "@id",
        "headers",
        "rewrite",
        "flush_interval",
        "trusted_proxies",
        "verbose_logs",
        "stream_buffer_size",
    ]);
    fields.skip(&["request_buffers", "response_buffers", "stream_timeout", "stream_close_delay"]);
    let mut pool = Pool { name, place: reader.place(node), ..Pool::default() };
    servers(reader, &fields, &mut pool);
    let empty = Node::empty();
    balancing(reader, fields.get("load_balancing").unwrap_or(&empty), &mut pool);
    if !pool.algorithm.written {
        pool.algorithm.place = pool.place.clone();
    }
    let checks = fields.get("health_checks");
    pool.check = checks.and_then(|checks| checks.get("active")).and_then(|node| active(reader, node));
    let mut most = None;
    if let Some(node) = checks.and_then(|checks| checks.get("passive")) {
        (pool.passive, most) = passive(reader, node);
    }
    let mut tls = (false, None);
    if let Some(node) = fields.get("transport") {
        tls = transport(reader, node, &mut pool, &mut most);
    }
    for server in &mut pool.servers {
        server.check.clone_from(&pool.check);
        server.passive.clone_from(&pool.passive);
        (server.tls, server.tls_verified) = tls;
        if server.slots.is_none() {
            server.slots.clone_from(&most);
        }
    }
    if fields.get("circuit_breaker").is_some() {
        reader.note(node, "the circuit breaker is not looked at");
    }
    fields.done();
    pool
}

fn servers(reader: &Reader, fields: &Fields<'_, '_>, pool: &mut Pool) {
    let mut seen = HashSet::default();
    for node in fields.list("upstreams") {
        let own = Fields::new(reader, node, "upstream");
        let said = own.text("dial").unwrap_or_default();
        if said.is_empty() {
            reader.error(node, "an upstream lacks `dial`, such as `127.0.0.1:8080`");
            continue;
        }
        let (address, _) = address(said);
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let literal = address.starts_with("unix:") || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if said.contains('{') {
            reader.note(node, format!("{} is filled in while Caddy runs", clean_name(said)));
        }
        let twice = !seen.insert(address.clone());
        let server = Server {
            name: if twice { format!("{address}#{}", pool.servers.len() + 1) } else { address.clone() },
            address,
            slots: own.number("max_requests").filter(|most| most.value > 0),
            resolution: if literal { Resolution::Literal } else { Resolution::Followed },
            place: reader.place(node),
            ..Server::default()
        };
        own.done();
        pool.servers.push(server);
    }
    if let Some(dynamic) = fields.get("dynamic_upstreams") {
        pool.discovered = true;
        let source = dynamic.get("source").and_then(Node::text).map(clean_name).unwrap_or_default();
        reader.note(dynamic, format!("servers of {} come from {source} while Caddy runs", pool.name));
    } else if pool.servers.is_empty() {
        reader.warn(fields.node, format!("reverse_proxy {} has no upstreams: it answers 503", pool.name));
    }
}

fn balancing(reader: &Reader, node: &Node<'_>, pool: &mut Pool) {
    let fields = Fields::new(reader, node, "load_balancing");
    if let Some(policy) = fields.get("selection_policy") {
        pool.algorithm = algorithm(reader, policy, Some(pool), 0);
        pool.algorithm.written = true;
    } else {
        pool.algorithm = Algorithm { name: Some("random".into()), family: Family::Random, ..Algorithm::default() };
    }
    let count = fields.number("retries").filter(|retries| retries.value > 0);
    let trying = duration(&fields, "try_duration").filter(|duration| duration.value > 0);
    fields.skip(&["try_interval"]);
    let matched = fields.get("retry_match");
    if count.is_some() || trying.is_some() {
        let mut on = vec!["connection-failure".to_owned()];
        on.extend(trying.as_ref().map(|trying| format!("for {} ms", trying.value)));
        on.extend(matched.map(compact));
        // Without `retry_match` only GET is sent again after a server may have worked on it.
        let changes = |set: &Node<'_>| match set.get("method") {
            Some(methods) => methods.items().iter().any(|method| !matches!(method.text(), Some("GET" | "HEAD" | "OPTIONS"))),
            None => true,
        };
        let non_idempotent = matched.is_some_and(|matched| matched.items().iter().any(changes));
        pool.retry = Retry { count, on, non_idempotent, place: reader.place(node), ..Retry::default() };
    }
    fields.done();
}

/// A selection policy. `pool` takes weights and cookies; none for the fallback of another policy.
pub fn algorithm(reader: &Reader, node: &Node<'_>, pool: Option<&mut Pool>, depth: usize) -> Algorithm {
    let fields = Fields::new(reader, node, "selection_policy");
    let name = fields.name("policy");
    let mut algorithm = Algorithm { place: reader.place(node), ..Algorithm::default() };
    let hash = |key: HashKey, expression: String| {
        let function = Some("xxHash64".to_owned());
        Some(Hash { key, expression, method: HashMethod::Rendezvous, function, ..Hash::default() })
    };
    algorithm.family = match name.as_str() {
        "random" => Family::Random,
        "random_choose" => {
            let choices = fields.u64("choose").unwrap_or(2);
            if let Some(said) = fields.get("choose").filter(|_| choices < 2) {
                reader.error(said, "`choose` has to be at least 2");
            }
            algorithm.choices = Some(u32::try_from(choices).unwrap_or(u32::MAX));
            Family::Random
        }
        "least_conn" => Family::LeastConnections,
        "round_robin" | "weighted_round_robin" => Family::RoundRobin,
        "first" => Family::First,
        "ip_hash" | "client_ip_hash" | "uri_hash" | "query" | "header" => {
            let key = |field: &str| fields.name(field);
            algorithm.hash = match name.as_str() {
                "ip_hash" => hash(HashKey::SourceAddress, "remote address".into()),
                "client_ip_hash" => hash(HashKey::SourceAddress, "client address".into()),
                "uri_hash" => hash(HashKey::Uri, "uri".into()),
                "query" => hash(HashKey::Query, format!("query {}", key("key"))),
                _ => hash(HashKey::Header, format!("header {}", key("field"))),
            };
            Family::Hash
        }
        // A client without the cookie is given a server by the fallback.
        "cookie" => match fields.get("fallback") {
            Some(fallback) if depth < 8 => self::algorithm(reader, fallback, None, depth + 1).family,
            _ => Family::Random,
        },
        other => {
            reader.error(node, format!("selection policy `{other}` is not one of Caddy's own"));
            Family::Unknown
        }
    };
    if let Some(pool) = pool {
        if name == "weighted_round_robin" {
            weights(reader, &fields, pool);
        }
        if name == "cookie" {
            pool.persistence.push(cookie(reader, &fields));
        }
    }
    algorithm.name = Some(name);
    fields.skip(&["fallback"]);
    fields.done();
    algorithm
}

/// The n-th weight is the n-th upstream's. Upstreams for which there is none get nothing (`selectionpolicies.go`).
fn weights(reader: &Reader, fields: &Fields<'_, '_>, pool: &mut Pool) {
    let weights = fields.list("weights");
    let values: Vec<Option<i64>> = weights.iter().map(Node::i64).collect();
    if values.iter().any(|weight| weight.is_none_or(|weight| weight < 0)) {
        reader.error(fields.node, "`weights` have to be whole numbers of at least 0");
    } else if values.iter().all(|weight| *weight == Some(0)) {
        reader.error(fields.node, "at least one of `weights` has to be above 0");
    }
    if weights.len() != pool.servers.len() && !pool.discovered {
        let told = format!("{} weights for {} upstreams: give one to each, in their order", weights.len(), pool.servers.len());
        reader.tell(Gravity::Warning, reader.place(fields.get("weights").unwrap_or(fields.node)), told);
    }
    for (at, server) in pool.servers.iter_mut().enumerate() {
        server.weight = Some(match weights.get(at) {
            Some(node) => reader.setting(node.u64().and_then(|weight| u32::try_from(weight).ok()).unwrap_or(0), node),
            None => Setting::new(0, reader.place(fields.node)),
        });
    }
}

fn cookie(reader: &Reader, fields: &Fields<'_, '_>) -> Persistence {
    let name = fields.name("name");
    fields.skip(&["secret"]);
    Persistence {
        key: if name.is_empty() { "lb".into() } else { name },
        said: "cookie".into(),
        expires_ms: duration(fields, "max_age").map(|age| age.value).filter(|age| *age > 0),
        // The value is made from the server's address, so that every Caddy with the secret reads it alike. Caddy sets
        // Secure and SameSite=None on TLS only.
        shared: true,
        http_only: false,
        place: reader.place(fields.node),
        ..Persistence::default()
    }
}

/// Active checks are on where a path or a port is given; defaults laid in.
fn active(reader: &Reader, node: &Node<'_>) -> Option<Box<Check>> {
    let fields = Fields::new(reader, node, "active health check");
    fields.skip(&["headers", "max_size", "follow_redirects", "body", "upstream"]);
    let uri = fields.text("uri").or_else(|| fields.text("path")).map(clean_name);
    let port = fields.u64("port").unwrap_or(0);
    let method = fields.text("method").filter(|method| *method != "GET").map(|method| format!("{} ", clean_name(method)));
    let mut expects: Vec<String> =
        fields.u64("expect_status").filter(|status| *status > 0).map(|status| format!("status {status}")).into_iter().collect();
    expects.extend(fields.text("expect_body").map(|body| format!("body {}", clean_name(body))));
    let ms =
        |name: &str, default: u64| duration(&fields, name).map(|setting| setting.value).filter(|ms| *ms > 0).unwrap_or(default);
    let times = |name: &str| Some(fields.u64(name).filter(|times| *times > 0).unwrap_or(1));
    let check = Check {
        kind: CheckKind::Http,
        request: uri.as_ref().map(|uri| format!("{}{uri}", method.unwrap_or_default()).into()),
        expects: (!expects.is_empty()).then(|| expects.join(", ").into()),
        interval_ms: Some(ms("interval", 30_000)),
        timeout_ms: Some(ms("timeout", 5_000)),
        fall: times("fails"),
        rise: times("passes"),
        place: reader.place(node),
    };
    fields.done();
    (uri.is_some() || port > 0).then(|| Box::new(check))
}

/// Passive checks are on where failures are remembered at all. The second value limits requests at once to a server.
fn passive(reader: &Reader, node: &Node<'_>) -> (Option<Box<Passive>>, Option<Setting<u64>>) {
    let fields = Fields::new(reader, node, "passive health check");
    fields.skip(&["unhealthy_status", "unhealthy_latency"]);
    let most = fields.number("unhealthy_request_count").filter(|most| most.value > 0);
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

/// Timeouts and limits of the transport; whether it is TLS, and verified.
fn transport(reader: &Reader, node: &Node<'_>, pool: &mut Pool, most: &mut Option<Setting<u64>>) -> (bool, Option<bool>) {
    let fields = Fields::new(reader, node, "transport");
    fields.skip(&["protocol", "versions", "compression", "max_response_header_size", "write_buffer_size", "read_buffer_size"]);
    fields.skip(&["resolver", "local_address", "dial_fallback_delay", "expect_continue_timeout", "root", "split_path", "env"]);
    pool.timeouts.connect = duration(&fields, "dial_timeout");
    pool.timeouts.request = duration(&fields, "response_header_timeout");
    pool.timeouts.server = duration(&fields, "read_timeout");
    fields.skip(&["write_timeout"]);
    if let Some(keep) = fields.get("keep_alive") {
        let keep = Fields::new(reader, keep, "keep_alive");
        pool.timeouts.keepalive = duration(&keep, "idle_timeout");
        pool.limits.keepalive = keep.number("max_idle_conns_per_host");
        if keep.bool("enabled") == Some(false) {
            pool.limits.keepalive = keep.get("enabled").map(|node| reader.setting(0, node));
        }
        keep.skip(&["probe_interval", "max_idle_conns"]);
        keep.done();
    }
    if most.is_none() {
        *most = fields.number("max_conns_per_host").filter(|most| most.value > 0);
    }
    let tls = fields.entry("tls").map(|tls| {
        let own = Fields::new(reader, tls, "tls");
        own.bool("insecure_skip_verify") != Some(true)
    });
    fields.done();
    (tls.is_some(), tls)
}
