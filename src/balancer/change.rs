//! What a change of config is: one typed value with one sentence; found by `diff`, looked at by `audit`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::source::Place;

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Weight,
    AdminState,
    ServerAdded,
    ServerRemoved,
    ServerRenamed,
    ServerReaddressed,
    /// Active to backup, or back.
    Role,
    PoolAdded,
    PoolRemoved,
    PoolRenamed,
    Algorithm,
    Persistence,
    HealthCheck,
    Limit,
    Timeout,
    Retry,
    Route,
    Listener,
    Tls,
    /// Nothing is written, and another version means something else by it.
    DefaultByVersion,
    /// The order of routes, persistence or servers, where the order means something.
    Order,
    /// Limits and admin surfaces of the process.
    Process,
    #[default]
    Other,
}

/// One change, in one plain sentence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Change {
    pub kind: ChangeKind,
    pub pool: Option<String>,
    pub listener: Option<String>,
    /// Servers that it concerns, under their new names.
    pub servers: Vec<String>,
    /// Such as "pool web: weight of 4 of 5 servers 100 → 0, 80 % of capacity removed".
    pub sentence: String,
    /// Share of the pool's weighted capacity that goes away, 0 to 100.
    pub lost_percent: f64,
    /// Where it stood, and where it stands; empty where nothing did.
    pub before: Vec<Place>,
    pub after: Vec<Place>,
}
