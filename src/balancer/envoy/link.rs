//! Puts the parts together: routes to their listeners, endpoints to their clusters, and to each pool what its routes
//! say of it.

use std::borrow::Cow;

use super::super::model::{Family, Gravity, HashKey, Mode, Model, Notice, Persistence, Pool, Retry, Route, Setting, Target};
use super::listener::From;
use super::route::{Found, HashPolicy, Routes, Sessions};
use super::{Parts, called, route};
use crate::balancer::maps::{HashMap, HashSet};

/// What the routes to one pool say, put together.
#[derive(Default)]
struct Use {
    http: bool,
    tcp: bool,
    udp: bool,
    hashes: Vec<HashPolicy>,
    /// Routes that hash nothing, with their places.
    unhashed: Vec<super::Place>,
    timeout: Option<Setting<u64>>,
    silence: Option<Setting<u64>>,
    retry: Option<Retry>,
    sessions: Vec<Persistence>,
}

/// Most routes: scopes and tables that many listeners share can multiply.
const ROUTES_MAX: usize = 200_000;

pub fn link(parts: Parts, model: &mut Model) {
    let Parts { clusters, listeners, routes, endpoints, process, notices, more_clusters, scopes, .. } = parts;
    model.process = process;
    model.notices = notices;
    let mut known: HashSet<String> = HashSet::default();
    for cluster in &clusters {
        if !known.insert(cluster.pool.name.clone()) {
            let text = format!("cluster {} is there twice: keep one of them, or rename one", cluster.pool.name);
            model.notices.push(Notice { gravity: Gravity::Error, text, place: cluster.pool.place.clone() });
        }
    }
    let mut uses: HashMap<String, Use> = HashMap::default();
    let mut unseen = false;
    let mut bound: HashMap<String, String> = HashMap::default();
    for mut chains in listeners {
        chains.listener.name = called(&chains.listener);
        for bind in &chains.listener.binds {
            let udp = chains.listener.mode == Mode::Udp;
            let name = &chains.listener.name;
            let (gravity, text) = match bound.insert(format!("{}{udp}", bind.address), name.clone()) {
                Some(other) if other == *name => {
                    (Gravity::Warning, format!("listener {name} is there twice: Envoy takes one of them"))
                }
                Some(other) => (Gravity::Error, format!("listeners {other} and {name} have one address, {}", bind.address)),
                None => continue,
            };
            model.notices.push(Notice { gravity, text, place: bind.place.clone() });
        }
        let mut ways: Vec<(Option<String>, Cow<'_, From>, Option<Persistence>)> = Vec::new();
        for way in chains.ways {
            let From::Scoped(parts, place) = way.routes else {
                ways.push((way.when, Cow::Owned(way.routes), way.sessions));
                continue;
            };
            if scopes.is_empty() {
                unseen = true;
                model.notices.push(route::unseen("of scopes", place));
            }
            for scope in scopes.iter().take(ROUTES_MAX.saturating_sub(ways.len())) {
                let said = scope.said(&parts);
                let when = Some(way.when.as_ref().map_or(said.clone(), |when| format!("{when}; {said}")));
                ways.push((when, Cow::Borrowed(&scope.table), way.sessions.clone()));
            }
        }
        for (when, from, sessions) in ways {
            if model.routes.len() >= ROUTES_MAX {
                let text =
                    format!("more than {ROUTES_MAX} routes: those of listener {} are not all looked at", chains.listener.name);
                model.notices.push(Notice { gravity: Gravity::Note, text, place: chains.listener.place.clone() });
                break;
            }
            let table = match from.into_owned() {
                From::Here(table) => table,
                From::Scoped(..) => continue,
                From::Named(name, place) => match routes.get(&name) {
                    Some(table) => table.clone(),
                    None => {
                        unseen = true;
                        model.notices.push(route::unseen(&name, place));
                        Routes::default()
                    }
                },
            };
            for found in table.found {
                unknown(&found, table.checked, more_clusters, &known, model);
                for pool in found.target.pools() {
                    uses.entry(pool.to_owned()).or_default().take(&found, sessions.as_ref());
                }
                unseen |= matches!(found.target, Target::Dynamic { .. });
                let condition = match (&when, found.condition) {
                    (Some(when), Some(condition)) => Some(format!("{when}; {condition}")),
                    (Some(when), None) => Some(when.clone()),
                    (None, condition) => condition,
                };
                let listener = chains.listener.name.clone();
                let mirrors = found.mirrors.into_iter().map(|mirror| mirror.value).collect();
                let (target, place) = (found.target, found.place);
                model.routes.push(Route { listener, condition, target, mirrors, place, ..Route::default() });
            }
        }
        model.listeners.push(chains.listener);
    }
    for mut cluster in clusters {
        if let Some(name) = &cluster.endpoints {
            match endpoints.get(name) {
                Some(servers) => model.notices.extend(cluster.fill(servers)),
                None if cluster.pool.servers.is_empty() => {
                    let text = format!(
                        "the servers of cluster {} come from a control plane while Envoy runs: only /config_dump?include_eds shows them",
                        cluster.pool.name
                    );
                    model.notices.push(Notice { gravity: Gravity::Note, text, place: cluster.pool.place.clone() });
                }
                None => {}
            }
        }
        let used = uses.remove(&cluster.pool.name).unwrap_or_default();
        used.lay(&mut cluster.pool, cluster.hashes, unseen, &mut model.notices);
        model.pools.push(cluster.pool);
    }
}

/// Tells of a route to a cluster that is not there.
fn unknown(found: &Found, checked: bool, more: bool, known: &HashSet<String>, model: &mut Model) {
    let mirrors = found.mirrors.iter().map(|mirror| (mirror.value.pool.as_str(), &mirror.place));
    let pools: Vec<&str> = found.target.pools().collect();
    for (name, place) in pools.into_iter().map(|pool| (pool, &found.place)).chain(mirrors) {
        if known.contains(name) {
            continue;
        }
        let (gravity, text) = match (more, checked) {
            (true, _) => (Gravity::Note, format!("cluster {name} is not in the config; it may come from the control plane")),
            (false, true) => (Gravity::Error, format!("a route leads to cluster {name}, which is not there")),
            (false, false) => (Gravity::Warning, format!("a route leads to cluster {name}, which is not there: it answers 503")),
        };
        model.notices.push(Notice { gravity, text, place: place.clone() });
    }
}

impl Use {
    fn take(&mut self, found: &Found, sessions: Option<&super::super::model::Persistence>) {
        self.tcp |= found.tcp;
        self.udp |= found.udp;
        self.http |= !found.tcp && !found.udp;
        if found.hashes.is_empty() {
            self.unhashed.push(found.place.clone());
        }
        for hash in &found.hashes {
            if !self.hashes.contains(hash) {
                self.hashes.push(hash.clone());
            }
        }
        // 0 is for ever, and so the longest.
        let longer = |now: &Option<Setting<u64>>, new: &Setting<u64>| {
            now.as_ref().is_none_or(|now| now.value != 0 && (new.value == 0 || new.value > now.value))
        };
        if let Some(timeout) = found.timeout.as_ref().filter(|timeout| longer(&self.timeout, timeout)) {
            self.timeout = Some(timeout.clone());
        }
        if let Some(silence) = found.silence.as_ref().filter(|silence| longer(&self.silence, silence)) {
            self.silence = Some(silence.clone());
        }
        let tries = |retry: &Retry| retry.count.as_ref().map_or(0, |count| count.value);
        if let Some(retry) = &found.retry {
            let now = self.retry.get_or_insert_with(|| retry.clone());
            if tries(retry) > tries(now) {
                *now = Retry { non_idempotent: now.non_idempotent, ..retry.clone() };
            }
            now.non_idempotent |= retry.non_idempotent;
        }
        let own = match &found.sessions {
            Sessions::Inherited => sessions.filter(|_| !found.tcp && !found.udp),
            Sessions::Off => None,
            Sessions::Own(own) => Some(own),
        };
        if let Some(own) = own.filter(|own| !self.sessions.contains(own)) {
            self.sessions.push(own.clone());
        }
    }

    /// Lays what the routes say onto the pool; `unseen` if there may be routes that nobody has seen.
    fn lay(self, pool: &mut Pool, own: Vec<HashPolicy>, unseen: bool, notices: &mut Vec<Notice>) {
        pool.mode = match (self.http, self.tcp, self.udp) {
            (true, ..) | (false, false, false) => Mode::Http,
            (false, true, _) => Mode::Tcp,
            (false, false, true) => Mode::Udp,
        };
        pool.timeouts.request = self.timeout;
        pool.timeouts.server = self.silence;
        pool.persistence = self.sessions;
        let budget = pool.retry.budget;
        if let Some(retry) = self.retry {
            pool.retry = Retry { budget, ..retry };
        }
        if pool.algorithm.family != Family::Hash {
            return;
        }
        let from_routes = own.is_empty();
        let hashes = if from_routes { self.hashes } else { own };
        let Some(hash) = pool.algorithm.hash.as_mut() else { return };
        match hashes.first() {
            Some(first) => {
                hash.key = first.key;
                hash.expression = hashes.iter().map(|hash| hash.said.as_str()).collect::<Vec<_>>().join(", ");
                if let Some(place) = self.unhashed.first().filter(|_| from_routes) {
                    let text =
                        format!("a route to cluster {} has no `hash_policy`: its requests go to servers at random", pool.name);
                    notices.push(Notice { gravity: Gravity::Warning, text, place: place.clone() });
                }
            }
            None if unseen => hash.key = HashKey::Expression,
            None => hash.key = HashKey::Missing,
        }
    }
}
