//! One model for every balancer's config: listeners, pools, servers, each with its place in the file.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a config file says. Built from redacted text, so that it can be stored and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Model {
    pub listeners: Vec<Listener>,
    pub pools: Vec<Pool>,
    /// What was not understood or looks broken, with its line.
    pub notices: Vec<Notice>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Notice {
    /// 1-based line in the file.
    pub line: usize,
    pub text: String,
}

/// Where connections come in (HAProxy `frontend` or `listen`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Listener {
    pub name: String,
    /// Addresses as written, such as `127.0.0.1:8080`.
    pub binds: Vec<String>,
    /// Pools that it may send to, in the order of the file.
    pub pools: Vec<String>,
    pub maxconn: Option<u64>,
    pub line: usize,
}

/// A group of servers that share an algorithm (HAProxy `backend` or `listen`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Pool {
    pub name: String,
    /// As configured (`roundrobin`, `leastconn`, …); none when the balancer's default, which differs by
    /// version, applies.
    pub algorithm: Option<String>,
    /// How a client is kept on one server, as written (`cookie SRV insert`, `stick on src`, …).
    pub persistence: Vec<String>,
    pub servers: Vec<Server>,
    pub line: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Server {
    pub name: String,
    pub address: String,
    /// Configured weight; none when not written (HAProxy's default is 1).
    pub weight: Option<u32>,
    pub maxconn: Option<u64>,
    pub backup: bool,
    /// Starts in maintenance.
    pub disabled: bool,
    /// Health-checked.
    pub check: bool,
    pub line: usize,
}

impl Model {
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}

impl Pool {
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == name)
    }
}
