//! A proxy while its lines are read: what `defaults` hand down, and what is its own (configuration manual, chapter 4).

use super::check::ProxyCheck;
use super::server::{Own, ServerDraft};
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Algorithm, Bind, HashMethod, Limits, Mode, Persistence, Retry, Route, Server, Setting, Timeouts};
use crate::balancer::source::Place;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Defaults,
    Frontend,
    Backend,
    Listen,
}

impl Kind {
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "defaults" => Self::Defaults,
            "frontend" => Self::Frontend,
            "backend" => Self::Backend,
            "listen" => Self::Listen,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Listen => "listen",
        }
    }

    pub fn listens(self) -> bool {
        matches!(self, Self::Frontend | Self::Listen)
    }

    pub fn balances(self) -> bool {
        matches!(self, Self::Backend | Self::Listen)
    }
}

/// What `defaults` hand down; a proxy starts with it and writes over it.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub mode: Option<Setting<Mode>>,
    pub maxconn: Option<Setting<u64>>,
    pub balance: Option<Algorithm>,
    pub hash_method: HashMethod,
    /// With its modifier: `sdbm`, `wt6 avalanche`; none for the default.
    pub hash_function: Option<String>,
    pub balance_factor: Option<Setting<u32>>,
    pub cookie: Option<Persistence>,
    pub check: ProxyCheck,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub retry: Retry,
    pub all_backups: bool,
    pub server: ServerDraft,
    pub default_backend: Option<Setting<String>>,
    pub stats: Stats,
    pub disabled: bool,
    /// `http-request disable-l7-retry`, whatever its condition: somebody thought of requests that change something.
    pub l7_retry_bounded: bool,
    /// `http-request`, `tcp-request` and the like: only some sections may inherit those.
    pub rules: bool,
}

/// The statistics page of a proxy.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    pub enabled: bool,
    pub uri: String,
    pub guarded: bool,
    pub writes: bool,
    pub place: Place,
}

/// A stick table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub expires_ms: Option<u64>,
    pub peers: Option<String>,
}

/// `stick on|match|store-request|store-response KEY [table NAME]`.
#[derive(Debug, Clone, Default)]
pub struct Stick {
    pub key: String,
    pub said: String,
    pub table: Option<String>,
    /// Whether clients are looked up in the table, not only written to it.
    pub reads: bool,
    pub place: Place,
}

#[derive(Debug, Default)]
pub struct Draft {
    pub kind: Kind,
    pub name: String,
    pub place: Place,
    pub given: Given,
    pub binds: Vec<Bind>,
    pub routes: Vec<Route>,
    pub servers: Vec<Server>,
    /// What each of the servers says beside, in the same order.
    pub owns: Vec<Own>,
    pub server_ids: HashMap<i64, String>,
    pub server_rules: Vec<Setting<String>>,
    /// Servers that `use-server` names.
    pub used_servers: Vec<Setting<String>>,
    pub sticks: Vec<Stick>,
    pub table: Option<Table>,
    /// Definitions by name; lines of the same name are alternatives.
    pub acls: HashMap<String, Vec<String>>,
    pub dispatch: bool,
    pub transparent: bool,
}
