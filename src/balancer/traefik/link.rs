//! Puts the parts together: services to pools, routers to routes, middlewares and transports to what they bear on.

use std::collections::BTreeMap;

use super::super::model::{AdminSurface, Bind, Gravity, Listener, Mirror, Mode, Model, Notice, Route, Share, Target};
use super::super::source::Place;
use super::middleware::Middleware;
use super::router::Router;
use super::service::Service;
use super::static_config::Entry;
use super::{Key, Parts, Protocol};
use crate::balancer::maps::{HashMap, HashSet};

/// Deepest nesting of services over services, and of chains.
const DEPTH_MAX: usize = 16;
/// Most pools of one target.
const SHARES_MAX: usize = 1_000;
/// Most routes, the pools of their targets counted: each router may have all entry points, and each of its routes
/// thousands of pools.
const ROUTES_MAX: usize = 200_000;
/// Most times that a middleware is laid onto a pool.
const LAID_MAX: usize = 5_000_000;

pub fn link(parts: Parts, model: &mut Model) {
    let Parts { process, entries, mut routers, services, middlewares, transports, notices, whole, .. } = parts;
    model.process = process;
    model.notices = notices;
    let names: Vec<Key> = services.iter().map(|(key, _)| key.clone()).collect();
    let http: HashSet<&str> =
        names.iter().filter(|(protocol, _)| *protocol == Protocol::Http).map(|(_, name)| name.as_str()).collect();
    // What is no pool of its own, and the names of those that are.
    let mut over: BTreeMap<Key, Service> = BTreeMap::new();
    let mut pools: BTreeMap<Key, usize> = BTreeMap::new();
    for (key, service) in services {
        match service {
            Service::Balancer { mut pool, transport } => {
                pool.name = pool_name(&key, http.contains(key.1.as_str()));
                let default = (key.0, "default".to_owned());
                let wanted = transport.map(|name| (key.0, name));
                if let Some((_, name)) = wanted.as_ref().filter(|wanted| !transports.contains_key(wanted) && !whole) {
                    let text = format!("service {}: serversTransport {name} is not there", pool.name);
                    model.notices.push(Notice { gravity: Gravity::Warning, text, place: pool.place.clone() });
                }
                let transport = wanted.as_ref().or(Some(&default)).and_then(|key| transports.get(key));
                if let Some(transport) = transport {
                    pool.timeouts = transport.timeouts.clone();
                    pool.limits.keepalive.clone_from(&transport.limits.keepalive);
                }
                // A transport that was not seen may say anything.
                let verified = transport.map(|transport| transport.verified).or(if wanted.is_none() { Some(true) } else { None });
                for server in pool.servers.iter_mut().filter(|server| server.tls) {
                    server.tls_verified = verified;
                }
                pools.insert(key, model.pools.len());
                model.pools.push(*pool);
            }
            service => {
                over.insert(key, service);
            }
        }
    }
    // Traefik tries TCP routers before those of HTTP, and the highest priority first.
    routers.sort_by(|a, b| {
        let later = |router: &Router| router.protocol != Protocol::Tcp;
        later(a).cmp(&later(b)).then(b.priority.cmp(&a.priority)).then_with(|| a.name.cmp(&b.name))
    });
    let mut entries = Entries {
        described: entries.iter().any(|entry| !entry.listener.binds.is_empty()),
        index: entries.iter().enumerate().map(|(at, entry)| (entry.listener.name.clone(), at)).collect(),
        list: entries,
    };
    let mut linker =
        Linker { over: &over, pools: &pools, known: HashMap::default(), mirrored: HashMap::default(), notices: Vec::new() };
    let index: HashMap<String, usize> = model.pools.iter().enumerate().map(|(at, pool)| (pool.name.clone(), at)).collect();
    let mut found: HashMap<String, Vec<Route>> = HashMap::default();
    let mut known = Middlewares { all: &middlewares, index: &index, whole, seen: HashSet::default(), laid: 0 };
    let mut room = ROUTES_MAX;
    for router in &routers {
        let listeners = listeners(router, &mut entries, model);
        let internal = router.service.ends_with("@internal");
        let mut guards = false;
        known.seen.clear();
        let target = if internal { Target::Other { said: router.service.clone() } } else { linker.target(router, &http, whole) };
        let copied = linker.mirrors(&(router.protocol, router.service.clone()), 0);
        let name = |(key, percent): (Key, f64)| Mirror { pool: pool_name(&key, http.contains(key.1.as_str())), percent };
        let mirrors: Vec<Mirror> = copied.into_iter().map(name).collect();
        for name in &listeners {
            let before = entries.get(name).map(|entry| entry.middlewares.clone());
            for middleware in before.iter().flatten().chain(&router.middlewares) {
                guards |= apply(middleware, router, &mut known, &target, model, 0);
            }
        }
        let Some(left) = room.checked_sub(listeners.len().saturating_mul(1 + target.pools().count())) else {
            let text = format!("more than {ROUTES_MAX} routes: router {} and those after it are not looked at", router.name);
            model.notices.push(Notice { gravity: Gravity::Note, text, place: router.place.clone() });
            break;
        };
        room = left;
        for name in listeners {
            if internal {
                surface(router, &name, guards, &entries, model);
            }
            if router.name.ends_with("@internal") {
                continue;
            }
            let route = Route {
                listener: name.clone(),
                condition: router.condition.clone(),
                target: target.clone(),
                mirrors: mirrors.clone(),
                place: router.place.clone(),
                ..Route::default()
            };
            found.entry(name).or_default().push(route);
        }
    }
    model.notices.append(&mut linker.notices);
    for entry in entries.list {
        model.routes.extend(found.remove(&entry.listener.name).unwrap_or_default());
        model.listeners.push(entry.listener);
    }
}

/// TCP and UDP services may have a name that an HTTP service has too.
pub fn pool_name((protocol, name): &Key, http_has_it: bool) -> String {
    match protocol {
        Protocol::Tcp if http_has_it => format!("{name} (tcp)"),
        Protocol::Udp if http_has_it => format!("{name} (udp)"),
        _ => name.clone(),
    }
}

/// Entry points, found by name.
struct Entries {
    list: Vec<Entry>,
    index: HashMap<String, usize>,
    /// Whether a file describes any.
    described: bool,
}

impl Entries {
    fn get(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).map(|at| &self.list[*at])
    }
}

/// Names of the listeners of a router; one that no file describes is added.
fn listeners(router: &Router, entries: &mut Entries, model: &mut Model) -> Vec<String> {
    let mut names = router.entries.clone();
    if names.is_empty() {
        let suits = |entry: &&Entry| (entry.listener.mode == Mode::Udp) == (router.protocol == Protocol::Udp);
        let all = entries.list.iter().filter(|entry| entry.listener.name != "traefik").filter(suits);
        let (chosen, rest): (Vec<_>, Vec<_>) = all.partition(|entry| entry.default);
        names = if chosen.is_empty() { rest } else { chosen }.iter().map(|entry| entry.listener.name.clone()).collect();
    }
    if names.is_empty() {
        // Every entry point, none of which is known.
        names.push("*".to_owned());
    }
    for name in &names {
        let mode = match router.protocol {
            Protocol::Http => Mode::Http,
            Protocol::Tcp => Mode::Tcp,
            Protocol::Udp => Mode::Udp,
        };
        match entries.index.get(name).map(|at| &mut entries.list[*at]) {
            Some(entry) => {
                for bind in &mut entry.listener.binds {
                    bind.tls |= router.tls;
                }
            }
            None => {
                if entries.described && !router.name.ends_with("@internal") {
                    let text = format!("router {} uses entry point {name}, which is not there", router.name);
                    model.notices.push(Notice { gravity: Gravity::Warning, text, place: router.place.clone() });
                }
                let binds: Vec<Bind> = Vec::new();
                let listener = Listener { name: name.clone(), mode, binds, place: router.place.clone(), ..Listener::default() };
                entries.index.insert(name.clone(), entries.list.len());
                entries.list.push(Entry { listener, default: false, middlewares: Vec::new() });
            }
        }
    }
    names
}

struct Linker<'a> {
    over: &'a BTreeMap<Key, Service>,
    pools: &'a BTreeMap<Key, usize>,
    /// What [`Linker::leaves`] found.
    known: HashMap<Key, Vec<(Key, u64)>>,
    /// What [`Linker::mirrors`] found.
    mirrored: HashMap<Key, Vec<(Key, f64)>>,
    notices: Vec<Notice>,
}

impl Linker<'_> {
    fn target(&mut self, router: &Router, http: &HashSet<&str>, whole: bool) -> Target {
        let key = (router.protocol, router.service.clone());
        let name = |(key, weight): (Key, u64)| Share {
            pool: pool_name(&key, http.contains(key.1.as_str())),
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
        };
        if let Some(Service::Failover { services, .. }) = self.over.get(&key) {
            let leaves = services.iter().flat_map(|service| self.leaves(&(router.protocol, service.clone()), 0)).map(name);
            let candidates = leaves.map(|share| share.pool).collect();
            return Target::Dynamic { expression: format!("failover {}", services.join(", then ")), candidates };
        }
        let leaves = self.leaves(&key, 0);
        let weighted = matches!(self.over.get(&key), Some(Service::Weighted { .. }));
        let mut shares: Vec<Share> = leaves.into_iter().map(name).collect();
        if let Some(Service::Weighted { sticky: true, place, .. }) = self.over.get(&key) {
            let text = format!("a cookie keeps clients on one service of {}", key.1);
            self.tell(Gravity::Note, text, place.clone());
        }
        if shares.is_empty() {
            let known = self.over.contains_key(&key) || key.1.is_empty();
            if !(known || (whole && key.1.contains('@'))) {
                let text = format!("router {} leads to service {}, which is not there: Traefik answers 404", router.name, key.1);
                self.tell(Gravity::Warning, text, router.place.clone());
            }
            return Target::Pool { name: key.1 };
        }
        if shares.len() == 1 && !weighted {
            return Target::Pool { name: shares.remove(0).pool };
        }
        Target::Weighted { pools: shares }
    }

    /// The pools that get copies of the requests to a service, with percent of these; each service is looked at once.
    fn mirrors(&mut self, key: &Key, depth: usize) -> Vec<(Key, f64)> {
        if let Some(known) = self.mirrored.get(key) {
            return known.clone();
        }
        let over = self.over;
        let child = |name: &String| (key.0, name.clone());
        let mut copies: &[(String, f64)] = &[];
        // Services that get the requests, with their part of them.
        let inner: Vec<(Key, f64)> = match over.get(key) {
            _ if depth >= DEPTH_MAX => return Vec::new(),
            Some(Service::Weighted { shares, .. }) => {
                let total: f64 = shares.iter().map(|(_, weight)| f64::from(*weight)).sum();
                let part = |weight: u32| if total > 0.0 { f64::from(weight) / total } else { 0.0 };
                shares.iter().map(|(name, weight)| (child(name), part(*weight))).collect()
            }
            // While the first works.
            Some(Service::Failover { services, .. }) => services.first().map(|name| (child(name), 1.0)).into_iter().collect(),
            Some(Service::Mirroring { service, mirrors, .. }) => {
                copies = mirrors;
                service.iter().map(|name| (child(name), 1.0)).collect()
            }
            Some(Service::Balancer { .. }) | None => return Vec::new(),
        };
        // A service that leads to itself copies nothing more.
        self.mirrored.insert(key.clone(), Vec::new());
        let mut all: Vec<(Key, f64)> = Vec::new();
        for (service, part) in inner {
            all.extend(self.mirrors(&service, depth + 1).into_iter().map(|(pool, percent)| (pool, percent * part)));
        }
        for (name, percent) in copies {
            let leaves = self.leaves(&child(name), depth + 1);
            if let (true, Some(Service::Mirroring { place, .. })) = (leaves.is_empty(), over.get(key)) {
                let text = format!("service {} sends copies to {name}, which is not there", key.1);
                self.tell(Gravity::Warning, text, place.clone());
            }
            let total: f64 = leaves.iter().map(|(_, weight)| *weight as f64).sum();
            all.extend(leaves.into_iter().map(|(pool, weight)| (pool, percent * weight as f64 / total.max(1.0))));
        }
        let mut found: Vec<(Key, f64)> = Vec::new();
        for (pool, percent) in all {
            match found.iter().position(|(known, _)| *known == pool) {
                Some(at) => found[at].1 += percent,
                None if found.len() < SHARES_MAX => found.push((pool, percent)),
                None => {}
            }
        }
        self.mirrored.insert(key.clone(), found.clone());
        found
    }

    /// The pools that a service leads to in the end, each once, with shares of the whole as whole numbers.
    fn leaves(&mut self, key: &Key, depth: usize) -> Vec<(Key, u64)> {
        if self.pools.contains_key(key) {
            return vec![(key.clone(), 1)];
        }
        if let Some(known) = self.known.get(key) {
            return known.clone();
        }
        let over = self.over;
        let (children, place): (Vec<(String, u64)>, &Place) = match over.get(key) {
            Some(Service::Weighted { shares, place, .. }) => {
                (shares.iter().map(|(name, weight)| (name.clone(), u64::from(*weight))).collect(), place)
            }
            Some(Service::Failover { services, place }) => {
                (services.first().map(|name| (name.clone(), 1)).into_iter().collect(), place)
            }
            Some(Service::Mirroring { service, place, .. }) => (service.iter().map(|name| (name.clone(), 1)).collect(), place),
            _ => return Vec::new(),
        };
        if depth >= DEPTH_MAX {
            self.tell(Gravity::Error, format!("service {} leads to itself, or over too many others", key.1), place.clone());
            return Vec::new();
        }
        let mut found: Vec<(Key, u64)> = Vec::new();
        // What a weight of 1 is worth, so that shares of shares stay whole numbers.
        let mut unit: u64 = 1;
        for (name, weight) in children {
            let child = (key.0, name);
            let inner = self.leaves(&child, depth + 1);
            if inner.is_empty() && !over.contains_key(&child) {
                self.tell(Gravity::Warning, format!("service {} leads to {}, which is not there", key.1, child.1), place.clone());
            }
            let total = inner.iter().fold(0, |sum: u64, (_, weight)| sum.saturating_add(*weight)).max(1);
            for (_, before) in &mut found {
                *before = before.saturating_mul(total);
            }
            for (pool, share) in inner {
                let share = share.saturating_mul(weight).saturating_mul(unit);
                match found.iter().position(|(known, _)| *known == pool) {
                    Some(at) => found[at].1 = found[at].1.saturating_add(share),
                    None if found.len() < SHARES_MAX => found.push((pool, share)),
                    None => {
                        self.tell(
                            Gravity::Note,
                            format!("service {} leads to more than {SHARES_MAX} others", key.1),
                            place.clone(),
                        );
                    }
                }
            }
            unit = unit.saturating_mul(total);
            // The smallest whole numbers with the same shares.
            let common = found.iter().fold(unit, |common, (_, share)| divisor(common, *share)).max(1);
            unit /= common;
            for (_, share) in &mut found {
                *share /= common;
            }
        }
        self.known.insert(key.clone(), found.clone());
        found
    }

    fn tell(&mut self, gravity: Gravity, text: String, place: Place) {
        if self.notices.len() < SHARES_MAX && !self.notices.iter().any(|known| known.text == text) {
            self.notices.push(Notice { gravity, text, place });
        }
    }
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

struct Middlewares<'a> {
    all: &'a BTreeMap<Key, Middleware>,
    /// Pools by name.
    index: &'a HashMap<String, usize>,
    whole: bool,
    /// Those of the router that is looked at: chains may name one again and again.
    seen: HashSet<&'a str>,
    /// How often one was laid onto a pool.
    laid: usize,
}

/// Lays a middleware onto the pools of a router; whether it guards who comes in.
fn apply(name: &str, router: &Router, known: &mut Middlewares<'_>, target: &Target, model: &mut Model, depth: usize) -> bool {
    let Some(((_, own), middleware)) = known.all.get_key_value(&(router.protocol, name.to_owned())) else {
        if !known.whole && !name.contains('@') {
            let text =
                format!("router {} uses middleware {name}, which is not there: Traefik leaves the router out", router.name);
            model.notices.push(Notice { gravity: Gravity::Warning, text, place: router.place.clone() });
        }
        return false;
    };
    if !known.seen.insert(own) || known.laid > LAID_MAX {
        return false;
    }
    for at in target.pools().filter_map(|name| known.index.get(name)) {
        known.laid += 1;
        let pool = &mut model.pools[*at];
        if let Some(retry) = &middleware.retry {
            pool.retry = retry.clone();
        }
        let smaller = |limit: &super::Setting<u64>| pool.limits.requests.as_ref().is_none_or(|now| limit.value < now.value);
        if let Some(limit) = middleware.in_flight.as_ref().filter(|limit| smaller(limit)) {
            pool.limits.requests = Some(limit.clone());
        }
    }
    let mut guards = middleware.guards;
    if depth < DEPTH_MAX {
        for other in &middleware.chain {
            guards |= apply(other, router, known, target, model, depth + 1);
        }
    }
    guards
}

/// The API, the dashboard or another of Traefik's own services behind a router.
fn surface(router: &Router, listener: &str, guarded: bool, entries: &Entries, model: &mut Model) {
    let what = match router.service.as_str() {
        "api@internal" => "API",
        "dashboard@internal" => "dashboard",
        "rest@internal" => "REST provider",
        "prometheus@internal" => "metrics page",
        _ => return,
    };
    let entry = entries.get(listener);
    let address = entry.and_then(|entry| entry.listener.binds.first()).map(|bind| bind.address.clone()).unwrap_or_default();
    let known = model.process.admin.iter().any(|known| known.address == address && known.what.contains(what));
    if !known {
        let (what, writes) = (what.to_owned(), what == "REST provider");
        model.process.admin.push(AdminSurface { what, address, guarded, writes, place: router.place.clone() });
    }
}
