//! What a changed part is called and how its values read: the field's own words, units for people.

use std::borrow::Borrow;

use super::details::{algorithm, check, passive, retry};
use crate::balancer::change::{Bound, ChangeKind, ListenerPart, PoolPart, ProcessPart, ServerPart, Timer};
use crate::balancer::model::{Group, Mode, Resolution, Role, Route, Scope, Setting, Target};
use crate::domain::balancer::BalancerKind;

/// How one change is said. Alike ones of several servers or pools become one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// "web2 maxconn 50 → 9", "maxconn of 2 of 3 servers 50 → 9", "pool web: server timeout 30 s → 5 s".
    Value {
        label: String,
        change: String,
    },
    Weight {
        from: u32,
        to: u32,
    },
    /// "web2 ready → drain", "3 of 5 servers ready → drain"; the label is what it is about.
    Verb {
        label: &'static str,
        verb: String,
    },
    /// A sentence of its own while there are few, with the name: "web1 renamed to app1"; together "6 servers renamed".
    Each {
        one: String,
        all: &'static str,
    },
    /// "pool web: all backup servers now serve together".
    Clause(String),
}

pub fn value(label: impl Into<String>, change: impl Into<String>) -> Said {
    Said::Value { label: label.into(), change: change.into() }
}

pub fn verb(label: &'static str, verb: impl Into<String>) -> Said {
    Said::Verb { label, verb: verb.into() }
}

/// "none → 200".
pub fn arrow<T>(from: Option<T>, to: Option<T>, said: impl Fn(T) -> String) -> String {
    let said = |value: Option<T>| value.map_or_else(|| "none".to_owned(), &said);
    format!("{} → {}", said(from), said(to))
}

/// The same of two settings, one of which the environment may decide.
pub fn settings<S: Borrow<Setting<T>>, T: Copy>(from: &Option<S>, to: &Option<S>, said: impl Fn(T) -> String) -> String {
    let say = |setting: &Setting<T>| if setting.unknown { "set by the environment".to_owned() } else { said(setting.value) };
    arrow(from.as_ref().map(S::borrow), to.as_ref().map(S::borrow), say)
}

pub fn number(value: u64) -> String {
    value.to_string()
}

/// Milliseconds as people write them: `250 ms`, `2.5 s`, `5 min`, `12 h`.
pub fn duration(ms: u64) -> String {
    for (unit, word, at_least) in [(86_400_000, "d", 2), (3_600_000, "h", 2), (60_000, "min", 2)] {
        if ms >= unit * at_least && ms.is_multiple_of(unit) {
            return format!("{} {word}", ms / unit);
        }
    }
    match (ms / 1000, ms % 1000) {
        (0, 0) => "0".to_owned(),
        (0, rest) => format!("{rest} ms"),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, rest) => format!("{seconds}.{} s", format!("{rest:03}").trim_end_matches('0')),
    }
}

pub fn servers(count: usize) -> String {
    if count == 1 { "1 server".to_owned() } else { format!("{count} servers") }
}

/// At most five, and how many more.
pub fn listed(names: &[String]) -> String {
    let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
}

impl Timer {
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Client => "client timeout",
            Self::Connect => "connect timeout",
            Self::Send => "send timeout",
            Self::Server => "server timeout",
            Self::Request => "request timeout",
            Self::Headers => "header timeout",
            Self::Queue => "queue timeout",
            Self::Keepalive => "keep-alive timeout",
            Self::Tunnel => "tunnel timeout",
            Self::Check => "check timeout",
        }
    }
}

/// A timeout in milliseconds. For nginx one of 0 is over at once, for the others it never is.
pub fn waits(kind: BalancerKind, ms: u64) -> String {
    if ms == 0 && kind != BalancerKind::Nginx { "0 (no limit)".to_owned() } else { duration(ms) }
}

fn timeout(kind: BalancerKind, timer: Timer, from: &Option<Setting<u64>>, to: &Option<Setting<u64>>) -> (ChangeKind, Said) {
    (ChangeKind::Timeout, value(timer.said(), settings(from, to, |ms| waits(kind, ms))))
}

fn slots(kind: BalancerKind) -> &'static str {
    match kind {
        BalancerKind::Haproxy => "maxconn",
        BalancerKind::Nginx => "max_conns",
        BalancerKind::Caddy => "max_requests",
        BalancerKind::Envoy | BalancerKind::Traefik => "connection limit",
    }
}

fn bound(kind: BalancerKind, bound: Bound) -> &'static str {
    match (bound, kind) {
        (Bound::Connections, BalancerKind::Haproxy) => "fullconn",
        (Bound::Connections, BalancerKind::Envoy) => "max_connections",
        (Bound::Connections, _) => "connection limit",
        (Bound::Requests, BalancerKind::Envoy) => "max_requests",
        (Bound::Requests, _) => "request limit",
        (Bound::Retries, BalancerKind::Envoy) => "max_retries",
        (Bound::Retries, _) => "retries at once",
        (Bound::Queue, BalancerKind::Envoy) => "max_pending_requests",
        (Bound::Queue, _) => "queue limit",
        (Bound::Keepalive, _) => "idle connections kept",
    }
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Active => "active",
        Role::Backup => "backup",
    }
}

fn mode(mode: Mode) -> String {
    match mode {
        Mode::Http => "HTTP",
        Mode::Tcp => "TCP",
        Mode::Udp => "UDP",
        Mode::Other => "other",
    }
    .to_owned()
}

/// A server that is called by its address at another one.
pub fn address(from: &str, to: &str) -> (ChangeKind, Said) {
    (ChangeKind::ServerReaddressed, Said::Each { one: format!("{from} re-addressed to {to}"), all: "re-addressed" })
}

fn text(value: &Option<String>) -> Option<String> {
    value.as_ref().map(|value| format!("“{value}”"))
}

pub fn on(now: bool, yes: &str, no: &str) -> String {
    if now { yes } else { no }.to_owned()
}

/// Two values of one part of the server `name`.
pub fn server(kind: BalancerKind, name: &str, old: &ServerPart, new: &ServerPart) -> (ChangeKind, Said) {
    use ServerPart as P;
    match (old, new) {
        (P::Address(from), P::Address(to)) => {
            (ChangeKind::ServerReaddressed, Said::Each { one: format!("{name} re-addressed {from} → {to}"), all: "re-addressed" })
        }
        (P::Name(from), P::Name(to)) => {
            (ChangeKind::ServerRenamed, Said::Each { one: format!("{from} renamed to {to}"), all: "renamed" })
        }
        (P::Weight(from), P::Weight(to)) if from.unknown || to.unknown => {
            let said = |weight: &Setting<u32>| Some(weight.clone());
            (ChangeKind::Weight, value("weight", settings(&said(from), &said(to), |weight| weight.to_string())))
        }
        (P::Weight(from), P::Weight(to)) => (ChangeKind::Weight, Said::Weight { from: from.value, to: to.value }),
        (P::Admin(from), P::Admin(to)) => {
            let verb = format!("{} → {}", from.said(), to.said());
            (ChangeKind::AdminState, Said::Verb { label: "admin state", verb })
        }
        (P::Role(_), P::Role(to)) => {
            (ChangeKind::Role, verb("role", if *to == Role::Backup { "now backup" } else { "no longer backup" }))
        }
        (P::Priority(from), P::Priority(to)) => (ChangeKind::Role, value("priority", format!("{from} → {to}"))),
        (P::Slots(from), P::Slots(to)) => (ChangeKind::Limit, value(slots(kind), settings(from, to, number))),
        (P::SlotsLow(from), P::SlotsLow(to)) => (ChangeKind::Limit, value("minconn", settings(from, to, number))),
        (P::Queue(from), P::Queue(to)) => (ChangeKind::Limit, value("maxqueue", settings(from, to, number))),
        (P::SlowStart(from), P::SlowStart(to)) => (ChangeKind::Limit, value("slow start", settings(from, to, duration))),
        (P::Check(from), P::Check(to)) => (ChangeKind::HealthCheck, check(from, to)),
        (P::Passive(from), P::Passive(to)) => (ChangeKind::HealthCheck, passive(from, to)),
        (P::Tracks(from), P::Tracks(to)) => {
            (ChangeKind::HealthCheck, value("tracked server", arrow(from.clone(), to.clone(), |name| name)))
        }
        (P::Group(from), P::Group(to)) => {
            let said =
                |group: &Option<Box<Group>>| group.as_ref().map(|group| format!("{} (weight {})", group.name, group.weight));
            (ChangeKind::Weight, value("locality", arrow(said(from), said(to), |text| text)))
        }
        (P::Cookie(from), P::Cookie(to)) => {
            (ChangeKind::Persistence, value("persistence value", arrow(text(from), text(to), |text| text)))
        }
        (P::Tls(_), P::Tls(to)) => (ChangeKind::Tls, verb("TLS", on(*to, "now reached over TLS", "no longer reached over TLS"))),
        (P::TlsVerified(from), P::TlsVerified(to)) => {
            let said = |verified: bool| on(verified, "on", "off");
            (ChangeKind::Tls, value("certificate check", arrow(*from, *to, said)))
        }
        (P::Resolution(from), P::Resolution(to)) => {
            let said = |resolution: Resolution| {
                match resolution {
                    Resolution::Literal => "none",
                    Resolution::AtStart => "once at start",
                    Resolution::Followed => "followed while running",
                }
                .to_owned()
            };
            (ChangeKind::Other, value("name resolution", format!("{} → {}", said(*from), said(*to))))
        }
        // Parts are only ever compared with their like.
        _ => (ChangeKind::Other, value("settings", "changed")),
    }
}

/// Two values of one part of a pool; its persistence is said elsewhere.
pub fn pool(kind: BalancerKind, old: &PoolPart, new: &PoolPart) -> (ChangeKind, Said) {
    use PoolPart as P;
    match (old, new) {
        (P::Algorithm(from), P::Algorithm(to)) => (ChangeKind::Algorithm, algorithm(kind, from, to)),
        (P::Mode(from), P::Mode(to)) => (ChangeKind::Other, value("mode", format!("{} → {}", mode(*from), mode(*to)))),
        (P::Check(from), P::Check(to)) => {
            let said = match (from, to) {
                (Some(_), Some(_)) => check(from, to),
                (None, _) => Said::Clause("health check added".to_owned()),
                (_, None) => Said::Clause("health check removed".to_owned()),
            };
            (ChangeKind::HealthCheck, said)
        }
        (P::Passive(from), P::Passive(to)) => {
            let said = match (from, to) {
                (Some(_), Some(_)) => passive(from, to),
                (None, _) => Said::Clause("passive health check added".to_owned()),
                (_, None) => Said::Clause("passive health check removed".to_owned()),
            };
            (ChangeKind::HealthCheck, said)
        }
        (P::Limit(limit, from), P::Limit(_, to)) => (ChangeKind::Limit, value(bound(kind, *limit), settings(from, to, number))),
        (P::Timeout(timer, from), P::Timeout(_, to)) => timeout(kind, *timer, from, to),
        (P::Retry(from), P::Retry(to)) => (ChangeKind::Retry, retry(kind, from, to)),
        (P::Scope(from), P::Scope(to)) => {
            let said = |scope: Scope| match scope {
                Scope::Process => "process",
                Scope::Worker => "worker",
                Scope::ThreadGroup => "thread group",
            };
            (ChangeKind::Other, value("counters kept per", format!("{} → {}", said(*from), said(*to))))
        }
        (P::Discovered(_), P::Discovered(to)) => {
            let said = on(*to, "servers now come from elsewhere while it runs", "servers now stand in the config");
            (ChangeKind::Other, Said::Clause(said))
        }
        (P::KeepaliveInert(_), P::KeepaliveInert(to)) => {
            let said = on(*to, "connections to servers now closed after each request", "connections to servers now kept open");
            (ChangeKind::Limit, Said::Clause(said))
        }
        (P::AllBackups(_), P::AllBackups(to)) => (
            ChangeKind::Role,
            Said::Clause(on(*to, "all backup servers now serve together", "only the first backup server serves now")),
        ),
        _ => (ChangeKind::Other, value("settings", "changed")),
    }
}

pub fn listener(kind: BalancerKind, old: &ListenerPart, new: &ListenerPart) -> (ChangeKind, Said) {
    use ListenerPart as P;
    match (old, new) {
        (P::Mode(from), P::Mode(to)) => (ChangeKind::Listener, value("mode", format!("{} → {}", mode(*from), mode(*to)))),
        (P::Maxconn(from), P::Maxconn(to)) => (ChangeKind::Limit, value("maxconn", settings(from, to, number))),
        (P::Timeout(timer, from), P::Timeout(_, to)) => timeout(kind, *timer, from, to),
        _ => (ChangeKind::Listener, value("settings", "changed")),
    }
}

pub fn process(kind: BalancerKind, old: &ProcessPart, new: &ProcessPart) -> Said {
    use ProcessPart as P;
    let workers = |count: u64| if count == 0 { "one per processor".to_owned() } else { number(count) };
    match (old, new) {
        (P::Maxconn(from), P::Maxconn(to)) => {
            value(if kind == BalancerKind::Nginx { "worker_connections" } else { "maxconn" }, settings(from, to, number))
        }
        (P::Workers(from), P::Workers(to)) => value("worker processes", settings(from, to, workers)),
        (P::Threads(from), P::Threads(to)) => value("threads", settings(from, to, number)),
        (P::Files(from), P::Files(to)) => value("open files", settings(from, to, number)),
        _ => value("settings", "changed"),
    }
}

/// A route's condition in the balancer's words.
pub fn condition(route: &Route) -> String {
    route.condition.as_ref().map_or_else(|| "for the rest".to_owned(), |condition| format!("“{condition}”"))
}

/// "sends to api for “path /api”", "answers “return 204” for “location = /health”".
pub fn way(route: &Route) -> String {
    let does = match &route.target {
        Target::Other { .. } => format!("answers {}", target(&route.target)),
        _ => format!("sends to {}", target(&route.target)),
    };
    match &route.condition {
        None => format!("{does} by default"),
        Some(condition) if condition.starts_with("if ") || condition.starts_with("unless ") => format!("{does} {condition}"),
        Some(_) => format!("{does} for {}", self::condition(route)),
    }
}

/// Where a route leads, for people.
pub fn target(target: &Target) -> String {
    match target {
        Target::Pool { name } => name.clone(),
        Target::Weighted { pools } => {
            listed(&pools.iter().map(|share| format!("{} (weight {})", share.pool, share.weight)).collect::<Vec<_>>())
        }
        Target::Dynamic { expression, candidates } if candidates.is_empty() => format!("what “{expression}” gives"),
        Target::Dynamic { expression, candidates } => format!("what “{expression}” gives ({})", listed(candidates)),
        Target::Other { said } if said.is_empty() => "an answer of its own".to_owned(),
        Target::Other { said } => format!("“{said}”"),
    }
}
