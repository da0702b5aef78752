//! Run-time state as the balancer itself reports it, apart from its counters.
//!
//! Only what decides where traffic goes is here: two states compare equal exactly when no snapshot is
//! needed. In real outages weights are changed through the socket and no file changes at all.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Gravity, Model, Notice};
use super::source::Place;

/// Pools and servers without a line in the config that are named one by one.
const MAX_STRANGE: usize = 50;

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
    pub fn pool(&self, name: &str) -> Option<&PoolState> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}

impl State {
    /// Lays what runs over what is written: each server of the model is told what the running balancer says of it,
    /// found by the names of pool and server. What runs but stands in no file is told as a note and not added.
    pub fn lay_over(&self, model: &mut Model) {
        let mut pools: HashMap<&str, &PoolState> = HashMap::new();
        for pool in &self.pools {
            pools.entry(&pool.name).or_insert(pool);
        }
        let mut strange = Vec::new();
        let mut written: HashSet<&str> = HashSet::new();
        for pool in &mut model.pools {
            written.insert(&pool.name);
            let Some(running) = pools.get(pool.name.as_str()) else { continue };
            let mut servers: HashMap<&str, &ServerState> = running.servers.iter().map(|s| (s.name.as_str(), s)).collect();
            for server in &mut pool.servers {
                server.now = servers.remove(server.name.as_str()).cloned();
            }
            let mut left: Vec<&str> = servers.into_keys().collect();
            left.sort_unstable();
            strange.extend(left.into_iter().map(|server| (format!("server {}/{server} runs", pool.name), pool.place.clone())));
        }
        for pool in self.pools.iter().filter(|pool| !written.contains(pool.name.as_str()) && !pool.servers.is_empty()) {
            strange.push((format!("pool {} runs", pool.name), Place::default()));
        }
        let count = strange.len();
        for (what, place) in strange.into_iter().take(MAX_STRANGE) {
            let text =
                format!("{what} and stands in no file; it is gone after the next restart, unless something writes it down");
            model.notices.push(Notice { gravity: Gravity::Note, text, place });
        }
        if count > MAX_STRANGE {
            let text = format!("{} more pools and servers run and stand in no file", count - MAX_STRANGE);
            model.notices.push(Notice { gravity: Gravity::Note, text, place: Place::default() });
        }
    }
}

impl PoolState {
    pub fn server(&self, name: &str) -> Option<&ServerState> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// Sum of the weights of servers that may get new traffic, backups left out unless nothing else is there.
    pub fn total_weight(&self) -> u32 {
        let sum =
            |backup: bool| self.servers.iter().filter(|s| s.backup == backup && s.admin == Admin::Ready).map(|s| s.weight).sum();
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
        Some(f64::from(server.weight) / f64::from(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
