//! Run-time state as the balancer itself reports it, apart from its counters.
//!
//! Only what decides where traffic goes is here, and what health checks found, which needs no snapshot
//! ([`State::decides_as`]). In real outages weights are changed through the socket and no file changes at all.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Gravity, Model, Notice, Pool};
use super::source::Place;
use crate::balancer::maps::{HashMap, HashSet};

/// Pools and servers without a line in the config that are named one by one.
const MAX_STRANGE: usize = 50;

/// The name of a pool whose servers are told once for all pools, without weights: Caddy counts addresses.
pub const EVERY_POOL: &str = "*";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct State {
    /// The balancer's version, such as `2.6.12-1+deb12u1`; none when it does not say.
    pub version: Option<String>,
    pub pools: Vec<PoolState>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PoolState {
    pub name: String,
    /// Empty when the source does not tell (HAProxy's stats page without `stats show-legends`).
    pub algorithm: Option<String>,
    pub servers: Vec<ServerState>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ServerState {
    pub name: String,
    pub address: Option<String>,
    /// The weight in force, as a user would set it (0 to 256 for HAProxy).
    pub weight: u32,
    /// The weight in the running process's config, where the source tells it.
    pub weight_configured: Option<u32>,
    pub admin: Admin,
    pub backup: bool,
    /// What checks or real traffic found, where the source tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// What the balancer found out about a server; apart from what people decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Up,
    Down,
    /// Between up and down: some checks failed, or it is starting.
    Changing,
    /// Nobody checks it.
    Unchecked,
}

/// What people or config decided, apart from what health checks found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    #[default]
    Ready,
    /// Finishes what it has, gets nothing new.
    Drain,
    Maintenance,
}

impl Admin {
    pub fn said(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maintenance => "maintenance",
        }
    }
}

impl State {
    /// Whether both send traffic to the same places, whatever health checks found.
    pub fn decides_as(&self, other: &Self) -> bool {
        let without_health = |state: &Self| {
            let mut state = state.clone();
            state.pools.iter_mut().flat_map(|pool| &mut pool.servers).for_each(|server| server.health = None);
            state
        };
        without_health(self) == without_health(other)
    }

    pub fn pool(&self, name: &str) -> Option<&PoolState> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}

impl State {
    /// Lays what runs over what is written: each server of the model is told what the running balancer says of it,
    /// found by the names of pool and server, or else by its address. What runs but stands in no file is not added: it is
    /// told as a note, and returned as `pool/server`.
    pub fn lay_over(&self, model: &mut Model) -> Vec<String> {
        if model.version.is_none() {
            model.version.clone_from(&self.version);
        }
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::default();
        for (at, pool) in model.pools.iter().enumerate() {
            by_name.entry(&pool.name).or_default().push(at);
        }
        let by_name: HashMap<String, Vec<usize>> = by_name.into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
        let all: Vec<usize> = (0..model.pools.len()).collect();
        let mut strange = Vec::new();
        for running in self.pools.iter().filter(|pool| !pool.servers.is_empty()) {
            let Some(places) = (if running.name == EVERY_POOL { Some(&all) } else { by_name.get(&running.name) }) else {
                strange.push((running.name.clone(), Place::default()));
                continue;
            };
            let mut met: HashSet<&str> = HashSet::default();
            for at in places {
                running.lay_over(&mut model.pools[*at], &mut met);
            }
            let place = places.first().map(|at| model.pools[*at].place.clone()).unwrap_or_default();
            let left = running.servers.iter().filter(|server| !met.contains(server.name.as_str()));
            strange.extend(left.map(|server| (format!("{}/{}", running.name, server.name), place.clone())));
        }
        let count = strange.len();
        for (what, place) in strange.iter().take(MAX_STRANGE) {
            let kind = if what.contains('/') { "server" } else { "pool" };
            let text = format!(
                "{kind} {what} runs and stands in no file; it is gone after the next restart, unless something writes it down"
            );
            model.notices.push(Notice { gravity: Gravity::Note, text, place: place.clone() });
        }
        if count > MAX_STRANGE {
            let text = format!("{} more pools and servers run and stand in no file", count - MAX_STRANGE);
            model.notices.push(Notice { gravity: Gravity::Note, text, place: Place::default() });
        }
        strange.into_iter().map(|(what, _)| what).collect()
    }
}

impl PoolState {
    /// Names of the servers that were found are added to `met`.
    fn lay_over<'a>(&'a self, pool: &mut Pool, met: &mut HashSet<&'a str>) {
        let names: HashMap<&str, &ServerState> = self.servers.iter().rev().map(|s| (s.name.as_str(), s)).collect();
        let addresses: HashMap<&str, &ServerState> =
            self.servers.iter().rev().filter_map(|s| Some((s.address.as_deref()?, s))).collect();
        for server in &mut pool.servers {
            let found = names.get(server.name.as_str()).or_else(|| addresses.get(server.address.as_str()));
            if let Some(running) = found {
                met.insert(&running.name);
                // Who speaks for all pools does not know the weights that each of them gives.
                let weight = if self.name == EVERY_POOL { server.configured_weight() } else { running.weight };
                server.now = Some(Box::new(ServerState { weight, ..(*running).clone() }));
            }
        }
    }

    pub fn server(&self, name: &str) -> Option<&ServerState> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// Sum of the weights of servers that may get new traffic, backups left out unless nothing else is there.
    pub fn total_weight(&self) -> u64 {
        let serving = |backup: bool| self.servers.iter().filter(move |s| s.backup == backup && s.admin == Admin::Ready);
        let sum = |backup: bool| serving(backup).map(|server| u64::from(server.weight)).sum();
        match sum(false) {
            0 => sum(true),
            active => active,
        }
    }

    /// The share of traffic that the weights alone promise to `server`, between 0 and 1; `None` when the
    /// pool has no weight at all. Health and queues are left out: this is what people meant.
    pub fn expected_share(&self, server: &ServerState) -> Option<f64> {
        let total = self.total_weight();
        if total == 0 {
            return None;
        }
        let actives_serve = self.servers.iter().any(|s| !s.backup && s.admin == Admin::Ready && s.weight > 0);
        if server.admin != Admin::Ready || server.backup == actives_serve {
            return Some(0.0);
        }
        Some(f64::from(server.weight) / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::model::Server;

    fn server(name: &str, weight: u32, admin: Admin, backup: bool) -> ServerState {
        ServerState { name: name.into(), weight, admin, backup, ..Default::default() }
    }

    #[test]
    fn shares_follow_weights_admin_state_and_backups() {
        let mut pool = PoolState {
            servers: vec![
                server("a", 3, Admin::Ready, false),
                server("b", 1, Admin::Ready, false),
                server("c", 9, Admin::Drain, false),
                server("d", 5, Admin::Ready, true),
            ],
            ..Default::default()
        };
        let shares = |pool: &PoolState| pool.servers.iter().map(|s| pool.expected_share(s)).collect::<Vec<_>>();
        assert_eq!(shares(&pool), [Some(0.75), Some(0.25), Some(0.0), Some(0.0)]);
        pool.servers[0].weight = 0;
        pool.servers[1].weight = 0;
        assert_eq!(shares(&pool), [Some(0.0), Some(0.0), Some(0.0), Some(1.0)]);
        pool.servers.pop();
        assert_eq!(shares(&pool), [None, None, None]);
        let most = |name: &str| server(name, u32::MAX, Admin::Ready, false);
        assert_eq!(shares(&PoolState { servers: vec![most("a"), most("b")], ..Default::default() }), [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn what_runs_is_laid_over_what_is_written() {
        use crate::balancer::model::{Pool, Server};
        let written = |name: &str| Server { name: name.into(), ..Default::default() };
        let mut model = Model {
            pools: vec![Pool { name: "web".into(), servers: vec![written("a"), written("b")], ..Default::default() }],
            ..Default::default()
        };
        let running = PoolState {
            name: "web".into(),
            servers: vec![server("a", 9, Admin::Drain, false), server("z", 1, Admin::Ready, false)],
            ..Default::default()
        };
        let other = PoolState { name: "new".into(), servers: vec![server("a", 1, Admin::Ready, false)], ..Default::default() };
        let empty = PoolState { name: "stats".into(), ..Default::default() };
        State { version: None, pools: vec![running, other, empty] }.lay_over(&mut model);
        let servers = &model.pools[0].servers;
        assert_eq!((servers[0].effective_weight(), servers[0].effective_admin(), &servers[1].now), (9, Admin::Drain, &None));
        assert_eq!((model.pools.len(), servers.len()), (1, 2), "nothing is added");
        let told: Vec<_> = model.notices.iter().map(|notice| notice.text.split(" and ").next().unwrap_or_default()).collect();
        assert_eq!(told, ["server web/z runs", "pool new runs"]);
    }

    #[test]
    fn state_finds_its_servers_by_name_and_by_address() {
        let server = |name: &str, address: &str| Server { name: name.into(), address: address.into(), ..Server::default() };
        let pool = |name: &str| Pool {
            name: name.into(),
            servers: vec![server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")],
            ..Pool::default()
        };
        let running = |name: &str, address: Option<&str>, weight| ServerState {
            name: name.into(),
            address: address.map(Into::into),
            weight,
            ..ServerState::default()
        };
        let mut model = Model { pools: vec![pool("web"), pool("api")], ..Model::default() };
        let servers = vec![running("a", None, 5), running("x", Some("10.0.0.2:80"), 7), running("gone", None, 1)];
        let state =
            State { version: Some("2.8".into()), pools: vec![PoolState { name: "web".into(), servers, ..Default::default() }] };
        assert_eq!(state.lay_over(&mut model), ["web/gone"]);
        let weights = |pool: &Pool| pool.servers.iter().map(Server::effective_weight).collect::<Vec<_>>();
        assert_eq!((weights(&model.pools[0]), weights(&model.pools[1])), (vec![5, 7], vec![1, 1]));
        assert_eq!(model.version.as_deref(), Some("2.8"));
        let all = State {
            pools: vec![PoolState {
                name: EVERY_POOL.into(),
                servers: vec![running("10.0.0.1:80", Some("10.0.0.1:80"), 0)],
                ..Default::default()
            }],
            ..State::default()
        };
        assert!(all.lay_over(&mut model).is_empty());
        assert!(model.pools.iter().all(|pool| pool.servers[0].now.is_some()), "found by its address in both");
    }
}
