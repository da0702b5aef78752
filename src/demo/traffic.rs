//! A small model of customers and servers: from what a config says to what its balancer would have counted.
//!
//! Weights, admin states, algorithm, persistence and limits come from the config in force at the moment; how many
//! customers come, and what a server can bear, from the story. It explains outages, it predicts none: a server works
//! off its queue, answers later the fuller it is, fails what waits too long, and is taken out by its check when it
//! fails too much. The same seed gives the same numbers.

use std::collections::BTreeMap;

use chrono::Timelike;
use serde::Deserialize;

use super::story::Moment;
use crate::balancer::model::{Family, HashKey, Pool, Role};
use crate::domain::time::Timestamp;
use crate::signal::series::Metric;

/// Seconds that a request waits in a queue before it fails.
const PATIENCE: f64 = 5.0;
/// A check takes a server out after this many seconds of failing, and lets it back after as many again.
const CHECK_SECONDS: f64 = 30.0;
/// Part of what failed that comes back at once.
const RETRIED: f64 = 0.4;

/// What of a pool stands in no config.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    pub pool: String,
    /// Requests a second at the busiest hour.
    pub rate: f64,
    /// All hours are the busiest: for what happens now, whenever that is.
    #[serde(default)]
    pub flat: bool,
    /// Requests a second that one server can bear.
    pub capacity: f64,
    /// Milliseconds of one answer while there is room.
    pub answer_ms: f64,
    /// Where requests go when the balancer chooses by the client's address; even for servers that are not named.
    #[serde(default)]
    pub by_address: BTreeMap<String, f64>,
    #[serde(default)]
    pub turns: Vec<Turn>,
}

/// What is different from a moment on, until the next turn. `*` names all servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    pub at: Moment,
    /// Times as many customers as usual.
    pub rate: Option<f64>,
    /// Times as long for one answer.
    pub slow: BTreeMap<String, f64>,
    /// Part of the answers that are 5xx.
    pub errors: BTreeMap<String, f64>,
    /// Part of the answers that are 4xx.
    pub missing: BTreeMap<String, f64>,
}

impl Turn {
    fn of(values: &BTreeMap<String, f64>, server: &str, usual: f64) -> f64 {
        values.get(server).or_else(|| values.get("*")).copied().unwrap_or(usual)
    }
}

/// One server, as its balancer counts it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub name: String,
    pub weight: u32,
    pub requests: f64,
    pub errors_5xx: f64,
    pub errors_4xx: f64,
    pub sessions: f64,
    pub queue: f64,
    pub response_ms: f64,
    /// Seconds of failing, up to [`CHECK_SECONDS`]; while it is down, seconds until it is back.
    strain: f64,
    pub down: bool,
}

/// One pool in the course of time.
#[derive(Debug, Clone)]
pub struct PoolRun {
    pub load: Load,
    turns: Vec<(Timestamp, Turn)>,
    pub servers: Vec<Run>,
    /// What found no server at all.
    pub unserved: f64,
    returning: f64,
    noise: Noise,
}

impl PoolRun {
    /// `when` says at which instant a moment of the story is.
    pub fn new(load: &Load, when: impl Fn(Moment) -> Timestamp) -> Self {
        let turns = load.turns.iter().map(|turn| (when(turn.at), turn.clone())).collect();
        let seed = load.pool.bytes().fold(load.rate.to_bits(), |seed, byte| seed.rotate_left(7) ^ u64::from(byte));
        Self { load: load.clone(), turns, servers: Vec::new(), unserved: 0.0, returning: 0.0, noise: Noise(seed) }
    }

    /// Goes on by `seconds` up to `at` under this config.
    pub fn step(&mut self, pool: &Pool, at: Timestamp, seconds: f64) {
        let turn = self.turns.iter().rev().find(|(from, _)| *from <= at).map(|(_, turn)| turn.clone()).unwrap_or_default();
        self.meet(pool);
        let crowd = self.load.rate
            * if self.load.flat { 1.0 } else { hour(at) }
            * turn.rate.unwrap_or(1.0)
            * (1.0 + 0.05 * self.noise.draw());
        let offered = crowd * seconds + std::mem::take(&mut self.returning);
        let shares = self.shares(pool, &turn);
        let all: f64 = shares.iter().sum();
        if all <= 0.0 {
            self.unserved += offered;
            self.returning = offered * RETRIED;
        }
        let capacity = self.load.capacity * seconds;
        for (server, share) in self.servers.iter_mut().zip(shares) {
            let slow = Turn::of(&turn.slow, &server.name, 1.0);
            let share = if all > 0.0 { share / all } else { 0.0 };
            let came = offered * share * (1.0 + 0.04 * self.noise.draw());
            let can = capacity / slow;
            let waiting = (server.queue + came - can).max(0.0);
            let done = server.queue + came - waiting;
            server.queue = waiting.min(can / seconds * PATIENCE);
            let dropped = waiting - server.queue;
            let failed = done * Turn::of(&turn.errors, &server.name, 0.0004) + dropped;
            server.requests += came;
            server.errors_5xx += failed;
            server.errors_4xx += done * Turn::of(&turn.missing, &server.name, 0.006);
            let full = (came / can).min(1.0);
            let wait_ms = server.queue / (can / seconds) * 1000.0;
            server.response_ms = self.load.answer_ms * slow * (0.9 + 0.08 * self.noise.draw()) / (1.08 - full) + wait_ms;
            let slots = pool.server(&server.name).and_then(|known| known.slots.as_ref()).map_or(f64::MAX, |s| s.value as f64);
            server.sessions = (done / seconds * server.response_ms / 1000.0).min(slots).round();
            self.returning += failed * RETRIED;
            if pool.check.is_some() || pool.server(&server.name).is_some_and(|known| known.check.is_some()) {
                self.returning += server.checked(dropped > 0.3 * can, seconds);
            }
        }
    }

    /// The servers that the config names now; those that stay keep their counters.
    fn meet(&mut self, pool: &Pool) {
        let known = std::mem::take(&mut self.servers);
        for server in &pool.servers {
            let fresh = || Run { name: server.name.clone(), ..Run::default() };
            let mut run = known.iter().find(|run| run.name == server.name).cloned().unwrap_or_else(fresh);
            run.weight = server.effective_weight();
            self.servers.push(run);
        }
    }

    /// Parts of what comes, one a server, in no unit.
    fn shares(&self, pool: &Pool, turn: &Turn) -> Vec<f64> {
        let by_address = pool.algorithm.hash.as_ref().is_some_and(|hash| hash.key == HashKey::SourceAddress);
        let one = |run: &Run| -> f64 {
            let Some(server) = pool.server(&run.name).filter(|server| server.may_serve() && !run.down) else { return 0.0 };
            let weight = f64::from(server.effective_weight());
            match pool.algorithm.family {
                Family::Hash if by_address => weight * self.load.by_address.get(&run.name).copied().unwrap_or(1.0),
                // Who is slower holds more connections and gets fewer new ones.
                Family::LeastConnections | Family::LeastTime => weight / Turn::of(&turn.slow, &run.name, 1.0),
                _ => weight,
            }
        };
        let role = |run: &Run| pool.server(&run.name).map(|server| server.role);
        let shares = |backup: bool| -> Vec<f64> {
            self.servers.iter().map(|run| if (role(run) == Some(Role::Backup)) == backup { one(run) } else { 0.0 }).collect()
        };
        let active = shares(false);
        if active.iter().any(|share| *share > 0.0) { active } else { shares(true) }
    }

    /// Everything that is measured, by server (none for the pool as a whole) and metric.
    pub fn measured(&self) -> Vec<(Option<&str>, Metric, f64)> {
        let mut found = Vec::new();
        for run in &self.servers {
            let up = if run.down { 0.0 } else { 1.0 };
            let values = [
                (Metric::Requests, run.requests.floor()),
                (Metric::Chosen, run.requests.floor()),
                (Metric::Responses4xx, run.errors_4xx.floor()),
                (Metric::Responses5xx, run.errors_5xx.floor()),
                (Metric::Sessions, run.sessions),
                (Metric::Queue, run.queue.floor()),
                (Metric::ResponseTime, run.response_ms.round()),
                (Metric::Up, up),
                (Metric::Weight, f64::from(run.weight)),
            ];
            found.extend(values.map(|(metric, value)| (Some(run.name.as_str()), metric, value)));
        }
        let sum = |of: fn(&Run) -> f64| self.servers.iter().map(of).sum::<f64>();
        found.push((None, Metric::Requests, (sum(|run| run.requests) + self.unserved).floor()));
        found.push((None, Metric::Responses5xx, (sum(|run| run.errors_5xx) + self.unserved).floor()));
        found.push((None, Metric::Responses4xx, sum(|run| run.errors_4xx).floor()));
        found
    }
}

impl Run {
    /// What its health check makes of the last seconds; gives back what was lost when it is taken out.
    fn checked(&mut self, failing: bool, seconds: f64) -> f64 {
        self.strain = if failing || self.down { self.strain + seconds } else { 0.0 };
        if self.strain < CHECK_SECONDS {
            return 0.0;
        }
        self.down = !self.down;
        self.strain = 0.0;
        self.errors_5xx += self.queue;
        std::mem::take(&mut self.queue)
    }
}

/// The day of a shop: quiet at eight in the morning UTC, busiest at eight in the evening.
fn hour(at: Timestamp) -> f64 {
    let hours = f64::from(at.num_seconds_from_midnight()) / 3600.0;
    0.72 + 0.28 * ((hours - 20.0) / 24.0 * std::f64::consts::TAU).cos()
}

/// Chance that is the same everywhere and for ever: splitmix64.
#[derive(Debug, Clone)]
struct Noise(u64);

impl Noise {
    /// Between -1 and 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}
