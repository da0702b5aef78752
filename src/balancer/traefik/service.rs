//! Services: load balancers with their servers, and services over services.

use std::net::IpAddr;

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader};
use super::super::model::{
    Algorithm, Check, CheckKind, Family, Gravity, Hash, HashKey, HashMethod, Limits, Mode, Passive, Persistence, Pool,
    Resolution, Server, Setting, Timeouts,
};
use super::super::source::Place;
use super::super::state::Admin;
use super::{Protocol, duration, meant};
use crate::balancer::maps::HashSet;

pub enum Service {
    Balancer {
        pool: Box<Pool>,
        transport: Option<String>,
    },
    /// Several services with weights; whether a cookie keeps a client on one.
    Weighted {
        shares: Vec<(String, u32)>,
        sticky: bool,
        place: Place,
    },
    /// The first that works.
    Failover {
        services: Vec<String>,
        place: Place,
    },
    /// One that answers, and those that get copies of so many percent of the requests.
    Mirroring {
        service: Option<String>,
        mirrors: Vec<(String, f64)>,
        place: Place,
    },
}

/// How servers are reached.
#[derive(Default, Clone)]
pub struct Transport {
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub verified: bool,
}

pub fn service(reader: &Reader, protocol: Protocol, name: &str, node: &Node<'_>) -> Service {
    let fields = Fields::new(reader, node, format!("service {}", super::plain(name)));
    fields.skip(&["status", "usedBy", "serverStatus", "type", "name", "provider"]);
    for error in fields.list("error") {
        let text = format!("Traefik says of service {}: {}", super::plain(name), clean_name(error.text().unwrap_or_default()));
        reader.tell(Gravity::Warning, reader.place(node), text);
    }
    let place = reader.place(node);
    let named = |node: &Node<'_>, field: &str| node.get(field).and_then(Node::text).map(|other| meant(other, name));
    let service = if let Some(weighted) = fields.get("weighted").or_else(|| fields.get("highestRandomWeight")) {
        let own = Fields::new(reader, weighted, "weighted");
        own.skip(&["healthCheck"]);
        let mut shares = Vec::new();
        for share in own.list("services") {
            let weight = share.get("weight").map_or(Some(1), |weight| weight.i64().map(|weight| weight.max(0).unsigned_abs()));
            let weight = weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(u32::MAX);
            match named(share, "name") {
                Some(other) => shares.push((other, weight)),
                None => reader.warn(share, "a service of `weighted` lacks `name`"),
            }
        }
        let sticky = own.get("sticky").is_some();
        own.done();
        Service::Weighted { shares, sticky, place }
    } else if let Some(failover) = fields.get("failover") {
        let services = [named(failover, "service"), named(failover, "fallback")].into_iter().flatten().collect();
        let own = Fields::new(reader, failover, "failover");
        own.skip(&["service", "fallback", "healthCheck", "errors"]);
        own.done();
        Service::Failover { services, place }
    } else if let Some(mirroring) = fields.get("mirroring") {
        let own = Fields::new(reader, mirroring, "mirroring");
        own.skip(&["service", "mirrorBody", "maxBodySize", "healthCheck"]);
        let mut mirrors = Vec::new();
        for mirror in own.list("mirrors") {
            // Nothing written is 0, and no copy is sent (`loadbalancer/mirror`).
            let percent = mirror.get("percent").map_or(Some(0), Node::i64).filter(|percent| (0..=100).contains(percent));
            match (named(mirror, "name"), percent) {
                (Some(name), Some(percent)) => mirrors.push((name, percent as f64)),
                (None, _) => reader.warn(mirror, "a mirror lacks `name`"),
                (_, None) => reader.warn(mirror, "`percent` of a mirror has to be from 0 to 100"),
            }
        }
        own.done();
        Service::Mirroring { service: named(mirroring, "service"), mirrors, place }
    } else {
        let balancer = fields.get("loadBalancer");
        if balancer.is_none() {
            reader.warn(node, format!("service {} lacks `loadBalancer`: Traefik leaves it out", super::plain(name)));
        }
        let empty = Node::empty();
        let (pool, transport) = balancer_of(reader, protocol, name, balancer.unwrap_or(&empty), place);
        Service::Balancer { pool: Box::new(pool), transport }
    };
    fields.done();
    service
}

fn balancer_of(reader: &Reader, protocol: Protocol, name: &str, node: &Node<'_>, place: Place) -> (Pool, Option<String>) {
    let fields = Fields::new(reader, node, format!("service {}", super::plain(name)));
    fields.skip(&["passHostHeader", "responseForwarding", "proxyProtocol", "terminationDelay"]);
    let mode = match protocol {
        Protocol::Http => Mode::Http,
        Protocol::Tcp => Mode::Tcp,
        Protocol::Udp => Mode::Udp,
    };
    let mut pool = Pool { name: super::plain(name), mode, place, ..Pool::default() };
    pool.algorithm = algorithm(&fields);
    pool.persistence = fields.get("sticky").and_then(|sticky| cookie(reader, sticky)).into_iter().collect();
    pool.check = fields.get("healthCheck").map(|check| Box::new(self::check(reader, protocol, check)));
    pool.passive = fields.get("passiveHealthCheck").map(|node| Box::new(passive(reader, node)));
    let mut seen = HashSet::default();
    for node in fields.list("servers") {
        let own = Fields::new(reader, node, "server");
        own.skip(&["preservePath", "scheme", "port"]);
        let url = own.text("url").or_else(|| own.text("address")).unwrap_or_default();
        if url.is_empty() {
            reader.warn(node, format!("a server of service {} lacks `url` or `address`", pool.name));
            continue;
        }
        let mut server = server(url, protocol);
        server.place = reader.place(node);
        server.weight = own.get("weight").and_then(|weight| weight_of(reader, &pool.name, weight));
        if own.bool("fenced") == Some(true) {
            server.admin = Admin::Drain;
        }
        if own.bool("tls") == Some(true) {
            server.tls = true;
        }
        server.check.clone_from(&pool.check);
        server.passive.clone_from(&pool.passive);
        own.done();
        if !seen.insert(server.name.clone()) {
            reader.warn(node, format!("server {} is there twice in service {}", server.name, pool.name));
            server.name = format!("{}#{}", server.name, pool.servers.len() + 1);
        }
        pool.servers.push(server);
    }
    let transport = fields.text("serversTransport").map(|transport| meant(transport, name));
    fields.done();
    (pool, transport)
}

/// A weight of 0 or less takes a server out without a word (`loadbalancer/wrr`).
fn weight_of(reader: &Reader, pool: &str, node: &Node<'_>) -> Option<Setting<u32>> {
    let Some(weight) = node.i64() else {
        reader.error(node, "`weight` has to be a whole number");
        return None;
    };
    if weight <= 0 {
        reader.warn(node, format!("weight {weight} takes the server out of service {pool}: Traefik says nothing of it"));
    }
    Some(reader.setting(u32::try_from(weight.max(0)).unwrap_or(u32::MAX), node))
}

fn algorithm(fields: &Fields<'_, '_>) -> Algorithm {
    let reader = fields.reader();
    let written = fields.get("strategy");
    let name = fields.text("strategy").map_or("wrr".to_owned(), |name| clean_name(name).to_ascii_lowercase());
    let place = reader.place(written.unwrap_or(fields.node));
    let mut algorithm = Algorithm { written: written.is_some(), place, ..Algorithm::default() };
    algorithm.family = match name.as_str() {
        "wrr" => Family::RoundRobin,
        "p2c" => Family::Random,
        "hrw" => Family::Hash,
        "leasttime" => Family::LeastTime,
        _ => {
            let told = format!("Traefik does not know strategy `{name}`; it knows wrr, p2c, hrw and leasttime");
            reader.tell(Gravity::Warning, algorithm.place.clone(), told);
            Family::Unknown
        }
    };
    algorithm.choices = (name == "p2c").then_some(2);
    algorithm.hash = (name == "hrw").then(|| Hash {
        key: HashKey::SourceAddress,
        expression: "client IP".into(),
        method: HashMethod::Rendezvous,
        function: Some("FNV-1a".into()),
        ..Hash::default()
    });
    algorithm.name = Some(name);
    algorithm
}

fn cookie(reader: &Reader, sticky: &Node<'_>) -> Option<Persistence> {
    let node = sticky.get("cookie")?;
    let fields = Fields::new(reader, node, "sticky cookie");
    fields.skip(&["path", "domain"]);
    let same_site = fields.name("sameSite");
    let persistence = Persistence {
        key: fields.name("name"),
        said: "sticky cookie".into(),
        // Below 0 the cookie is gone at once, at 0 it lasts as long as the session.
        expires_ms: fields.get("maxAge").and_then(Node::u64).filter(|age| *age > 0).map(|age| age.saturating_mul(1000)),
        http_only: fields.bool("httpOnly") == Some(true),
        secure: fields.bool("secure") == Some(true),
        same_site: !same_site.is_empty(),
        // The value is made from the server's name, so that every Traefik reads it alike.
        shared: true,
        place: reader.place(node),
        ..Persistence::default()
    };
    fields.done();
    Some(persistence)
}

/// One failure takes a server out, one success brings it back (`pkg/healthcheck`). Defaults are laid in.
fn check(reader: &Reader, protocol: Protocol, node: &Node<'_>) -> Check {
    let fields = Fields::new(reader, node, "healthCheck");
    fields.skip(&["scheme", "hostname", "port", "headers", "followRedirects", "unhealthyInterval"]);
    let grpc = fields.text("mode").is_some_and(|mode| mode.eq_ignore_ascii_case("grpc"));
    let (kind, request) = match protocol {
        Protocol::Http if grpc => (CheckKind::Grpc, fields.text("path")),
        Protocol::Http => (CheckKind::Http, fields.text("path")),
        _ => (if fields.text("send").is_some() { CheckKind::Protocol } else { CheckKind::Tcp }, fields.text("send")),
    };
    let method = fields.text("method").filter(|method| *method != "GET").map(|method| format!("{} ", clean_name(method)));
    let status = fields.text("status").filter(|status| *status != "0").map(|status| format!("status {}", clean_name(status)));
    let check = Check {
        kind,
        request: request.map(|request| format!("{}{}", method.unwrap_or_default(), clean_name(request)).into()),
        expects: status.or_else(|| fields.text("expect").map(clean_name)).map(Into::into),
        interval_ms: Some(duration(&fields, "interval").map_or(30_000, |setting| setting.value)),
        timeout_ms: Some(duration(&fields, "timeout").map_or(5_000, |setting| setting.value)),
        fall: Some(1),
        rise: Some(1),
        place: reader.place(node),
    };
    fields.done();
    check
}

fn passive(reader: &Reader, node: &Node<'_>) -> Passive {
    let fields = Fields::new(reader, node, "passiveHealthCheck");
    let window = duration(&fields, "failureWindow").map_or(10_000, |setting| setting.value);
    let max_fails = Some(fields.u64("maxFailedAttempts").unwrap_or(1));
    fields.done();
    Passive { max_fails, window_ms: Some(window), out_ms: Some(window), place: reader.place(node), ..Passive::default() }
}

/// A server by its URL (HTTP) or address. Its name is the URL, as `/api/rawdata` tells it.
pub fn server(url: &str, protocol: Protocol) -> Server {
    let name = clean_name(url);
    let (scheme, rest) = name.split_once("://").unwrap_or(("", &name));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let tls = matches!(scheme, "https" | "wss");
    let has_port =
        authority.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let address = match (protocol, has_port, tls) {
        (Protocol::Http, false, true) => format!("{authority}:443"),
        (Protocol::Http, false, false) => format!("{authority}:80"),
        _ => authority.to_owned(),
    };
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let resolution = if literal { Resolution::Literal } else { Resolution::Followed };
    Server { name: name.clone(), address, tls, resolution, ..Server::default() }
}

/// `serversTransport` of the static file or one of the dynamic ones.
pub fn transport(reader: &Reader, node: &Node<'_>) -> Transport {
    let fields = Fields::new(reader, node, "serversTransport");
    fields.skip(&[
        "serverName",
        "rootCAs",
        "certificates",
        "disableHTTP2",
        "peerCertURI",
        "spiffe",
        "dialKeepAlive",
        "proxyProtocol",
    ]);
    let mut transport = Transport { verified: true, ..Transport::default() };
    let insecure = |fields: &Fields<'_, '_>| fields.bool("insecureSkipVerify") == Some(true);
    transport.verified &= !insecure(&fields);
    if let Some(tls) = fields.get("tls") {
        transport.verified &= !insecure(&Fields::new(reader, tls, "tls"));
    }
    transport.timeouts.connect = duration(&fields, "dialTimeout");
    if let Some(times) = fields.get("forwardingTimeouts") {
        let times = Fields::new(reader, times, "forwardingTimeouts");
        times.skip(&["readIdleTimeout", "pingTimeout"]);
        transport.timeouts.connect = duration(&times, "dialTimeout");
        transport.timeouts.request = duration(&times, "responseHeaderTimeout");
        transport.timeouts.keepalive = duration(&times, "idleConnTimeout");
        times.done();
    }
    transport.limits.keepalive = fields.number("maxIdleConnsPerHost");
    fields.done();
    transport
}
