//! What rules ask of a pool again and again: who serves, what weights mean there, how to say it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

use super::{Case, Finding};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{
    Algorithm, Bind, Family, Groups, Listener, Mode, Model, Pool, Retry, Role, Route, Server, Timeouts,
};
use crate::balancer::state::{Admin, Health};
use crate::domain::balancer::BalancerKind;

/// Whether the balancer's choice regards weights at all. Envoy's `RANDOM` and Traefik's `p2c` do not (their load
/// balancer sources); in Caddy only `weighted_round_robin` knows them; HAProxy's `first` regards only zero.
pub(super) fn regards_weights(kind: BalancerKind, algorithm: &Algorithm) -> bool {
    match kind {
        BalancerKind::Haproxy => algorithm.family != Family::First,
        BalancerKind::Nginx => true,
        BalancerKind::Envoy | BalancerKind::Traefik => algorithm.family != Family::Random,
        BalancerKind::Caddy => algorithm.family == Family::RoundRobin,
    }
}

/// Whether weight 0 takes a server out. Where weights are not regarded it does not, except in HAProxy, which holds a
/// server without weight for unusable whatever the algorithm.
fn zero_takes_out(kind: BalancerKind, algorithm: &Algorithm) -> bool {
    kind == BalancerKind::Haproxy || regards_weights(kind, algorithm)
}

/// A pool with what its balancer makes of it.
pub(super) struct View<'a> {
    kind: BalancerKind,
    pub pool: &'a Pool,
    /// Whether so many servers are down that the balancer no longer asks who is.
    panics: bool,
    /// Made when a server of a group is asked for.
    groups: OnceCell<Groups<'a>>,
}

impl<'a> View<'a> {
    pub fn new(model: &Model, pool: &'a Pool) -> Self {
        Self { kind: model.kind, pool, panics: model.kind == BalancerKind::Envoy && panics(pool), groups: OnceCell::new() }
    }

    pub fn regards_weights(&self) -> bool {
        regards_weights(self.kind, &self.pool.algorithm)
    }

    /// Servers that are meant to serve all the time.
    pub fn active(&self) -> impl Iterator<Item = &'a Server> + use<'a> {
        self.pool.servers.iter().filter(|server| server.role == Role::Active)
    }

    pub fn backups(&self) -> impl Iterator<Item = &'a Server> + use<'a> {
        self.pool.servers.iter().filter(|server| server.role == Role::Backup)
    }

    /// Whether a server gets new traffic: people let it, its weight lets it, and no check has found it dead.
    pub fn usable(&self, server: &Server) -> bool {
        self.why_out(server).is_none()
    }

    /// Why a server gets no new traffic.
    pub fn why_out(&self, server: &Server) -> Option<&'static str> {
        match server.effective_admin() {
            Admin::Drain => return Some("draining"),
            Admin::Maintenance if self.kind == BalancerKind::Haproxy => return Some("in maintenance"),
            Admin::Maintenance => return Some("taken out"),
            Admin::Ready => {}
        }
        if self.weight(server) == 0 && zero_takes_out(self.kind, &self.pool.algorithm) {
            return Some("at weight 0");
        }
        if server.group.as_ref().is_some_and(|group| group.weight == 0) {
            return Some("in a locality without weight");
        }
        if self.panics && self.backups().next().is_none() && self.pool.passive.as_ref().is_some_and(|passive| passive.panic_fails)
        {
            return Some("below the panic threshold");
        }
        (is_down(server) && !self.panics).then_some("down")
    }

    /// The weight in force. Caddy's run-time state tells none, so that the file's holds there.
    pub fn weight(&self, server: &Server) -> u32 {
        if self.kind == BalancerKind::Caddy { server.configured_weight() } else { server.effective_weight() }
    }

    /// The server's part of the pool's capacity: its weight, or 1 where weights are not regarded; 0 when it is out.
    pub fn capacity(&self, server: &Server) -> f64 {
        match self.usable(server) {
            false => 0.0,
            true if self.regards_weights() => f64::from(self.weight(server)) * self.factor(server),
            true => 1.0,
        }
    }

    fn factor(&self, server: &Server) -> f64 {
        if server.group.is_none() {
            return 1.0;
        }
        self.groups.get_or_init(|| Groups::of(self.pool, |server| self.weight(server))).factor(server)
    }
}

pub(super) fn is_down(server: &Server) -> bool {
    server.now.as_ref().and_then(|now| now.health) == Some(Health::Down)
}

/// Envoy's panic mode: with fewer healthy servers than the threshold (50 % where nothing is written) it sends traffic to
/// all of them, as if all were healthy. A threshold of 0 turns it off.
fn panics(pool: &Pool) -> bool {
    let threshold = pool.passive.as_ref().and_then(|passive| passive.panic_percent).unwrap_or(50);
    let active = || pool.servers.iter().filter(|server| server.role == Role::Active);
    let healthy = active().filter(|server| !is_down(server)).count();
    100.0 * size(healthy) < number(threshold) * size(active().count())
}

/// Timeouts and retries of a pool, or of one route to it.
pub(super) struct Way<'a> {
    pub pool: &'a Pool,
    pub route: Option<&'a Route>,
    /// Of a route only those that are not its pool's.
    pub timeouts: &'a Timeouts,
    pub retry: &'a Retry,
}

/// Of a route whose retries are its pool's: they are told there.
static POOLS_RETRY: LazyLock<Retry> = LazyLock::new(Retry::default);

impl Way<'_> {
    /// " (location /slow)" behind the pool's name.
    pub fn said(&self) -> String {
        let condition = |route: &Route| route.condition.clone().unwrap_or_else(|| "the default route".to_owned());
        self.route.map_or_else(String::new, |route| format!(" ({})", condition(route)))
    }

    pub fn finding(&self, message: String, remedy: impl Into<Cow<'static, str>>) -> Finding {
        let finding = Finding::pool(self.pool, message, remedy);
        match self.route {
            Some(route) => finding.about(format!("{}{}", route.listener, self.said())).at(&route.place),
            None => finding,
        }
    }
}

impl<'a> Case<'a> {
    pub(super) fn views(&self) -> impl Iterator<Item = View<'a>> {
        let model = self.model;
        model.pools.iter().map(move |pool| View::new(model, pool))
    }

    /// Every pool, then the routes that have timeouts or retries other than their pools.
    pub(super) fn ways(&self) -> Vec<Way<'a>> {
        let model = self.model;
        let of_pool = |pool: &'a Pool| Way { pool, route: None, timeouts: &pool.timeouts, retry: &pool.retry };
        let mut found: Vec<Way> = model.pools.iter().map(of_pool).collect();
        if model.routes.iter().all(|route| route.own.is_none()) {
            return found;
        }
        let by_name: HashMap<&str, &Pool> = model.pools.iter().map(|pool| (pool.name.as_str(), pool)).collect();
        for (route, own) in model.routes.iter().filter_map(|route| Some((route, route.own.as_deref()?))) {
            let pools = route.target.pools().filter_map(|name| by_name.get(name).copied());
            let retry = own.retry.as_ref().unwrap_or(&POOLS_RETRY);
            found.extend(pools.map(|pool| Way { pool, route: Some(route), timeouts: &own.timeouts, retry }));
        }
        found
    }

    /// Pools that some route can lead to, by name.
    pub(super) fn routed(&self) -> HashSet<&'a str> {
        let mirrors = |route: &'a Route| route.mirrors.iter().map(|mirror| mirror.pool.as_str());
        self.model.routes.iter().flat_map(|route| route.target.pools().chain(mirrors(route))).collect()
    }

    /// Listeners that lead to each pool.
    pub(super) fn listeners_of(&self) -> HashMap<&'a str, Vec<&'a Listener>> {
        let by_name: HashMap<&str, &Listener> = self.model.listeners.iter().map(|l| (l.name.as_str(), l)).collect();
        let mut found: HashMap<&str, Vec<&Listener>> = HashMap::default();
        for route in &self.model.routes {
            let Some(listener) = by_name.get(route.listener.as_str()) else { continue };
            for pool in route.target.pools() {
                let of_pool = found.entry(pool).or_default();
                // Routes stand listener by listener.
                if of_pool.last().is_none_or(|known| known.name != listener.name) {
                    of_pool.push(listener);
                }
            }
        }
        found
    }

    /// Routes in the order in which they are tried, by listener.
    pub(super) fn routes_by_listener(&self) -> HashMap<&'a str, Vec<&'a Route>> {
        let mut found: HashMap<&str, Vec<&Route>> = HashMap::default();
        for route in &self.model.routes {
            found.entry(route.listener.as_str()).or_default().push(route);
        }
        found
    }
}

pub(super) fn is_http(pool: &Pool) -> bool {
    pool.mode == Mode::Http
}

/// Whether only programs of the same machine can reach an address: loopback, or a UNIX socket.
pub(super) fn is_local(address: &str) -> bool {
    let address = address.trim();
    let host = address.rsplit_once(':').map_or(address, |(host, port)| if port.contains(']') { address } else { host });
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    ["unix", "abns", "fd@", "/", "@"].iter().any(|prefix| address.starts_with(prefix))
        || host == "localhost"
        || host == "::1"
        || host.strip_prefix("127.").is_some_and(|rest| rest.split('.').all(|part| part.parse::<u8>().is_ok()))
}

/// Whether an address is of a private IPv4 network (RFC 1918) or shared by carriers (RFC 6598).
pub(super) fn is_private(bind: &Bind) -> bool {
    let host = bind.address.rsplit_once(':').map_or(bind.address.as_str(), |(host, _)| host);
    let Ok(address) = host.parse::<std::net::Ipv4Addr>() else { return false };
    let [a, b, ..] = address.octets();
    address.is_private() || (a == 100 && (64..128).contains(&b))
}

/// "s1, s2 and 7 more".
pub(super) fn names<'s>(servers: impl IntoIterator<Item = &'s str>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<&str> = servers.into_iter().collect();
    match all.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) if all.len() <= SHOWN => format!("{} and {last}", rest.join(", ")),
        Some(_) => format!("{} and {} more", all[..SHOWN].join(", "), all.len() - SHOWN),
    }
}

pub(super) fn server_names(servers: &[&Server]) -> String {
    names(servers.iter().map(|server| server.name.as_str()))
}

/// "1 server", "3 servers".
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// "all 3 servers", "both servers", "2 of 3 servers".
pub(super) fn part(some: usize, all: usize) -> String {
    match all {
        1 => "the only server".to_owned(),
        2 if some == 2 => "both servers".to_owned(),
        all if some == all => format!("all {all} servers"),
        all => format!("{some} of {all} servers"),
    }
}

/// A share for people: no decimals, but never 100 for what is not all, nor 0 for what is some.
pub(super) fn percent(share: f64) -> String {
    let rounded = share.round();
    let exact = (share - rounded).abs() < 1e-9;
    if !exact && (rounded <= 0.0 || rounded >= 100.0) { format!("{share:.1} %") } else { format!("{rounded:.0} %") }
}

/// The first letter as at the beginning of a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Milliseconds in the largest unit that leaves a short number: `500 ms`, `2.5 s`, `3 min`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", short(ms, 1_000)),
        120_000..7_200_000 => format!("{} min", short(ms, 60_000)),
        _ => format!("{} h", short(ms, 3_600_000)),
    }
}

fn short(value: u64, unit: u64) -> String {
    if value.is_multiple_of(unit) {
        return (value / unit).to_string();
    }
    let text = format!("{:.1}", number(value) / number(unit));
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A count as a number to compare; exact up to 2^53, which no limit in a config that starts reaches.
#[expect(clippy::cast_precision_loss, reason = "limits beyond 2^53 compare well enough")]
pub(super) fn number(value: u64) -> f64 {
    value as f64
}

pub(super) fn size(value: usize) -> f64 {
    number(value as u64)
}

/// The version as numbers: `2.8.25-1` is 2, 8, 25.
pub(super) fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.trim_start_matches(|c: char| !c.is_ascii_digit()).split(|c: char| !c.is_ascii_digit());
    let mut part = || parts.next().and_then(|part| part.parse().ok());
    Some((part()?, part().unwrap_or(0), part().unwrap_or(0)))
}
