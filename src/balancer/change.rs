//! What a change of config is: one typed value with one sentence; found by `diff`, looked at by `audit`.
//!
//! The sentence is for people. The edits under it are what was found: applied to the model before, all edits of a
//! diff give what the model after means (`diff::apply`).

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{
    AdminSurface, Algorithm, Bind, Check, Group, Limits, Listener, Mirror, Mode, Own, Passive, Persistence, Pool, Resolution,
    Retry, Role, Route, Scope, Server, Setting, Target, Timeouts,
};
use super::source::Place;
use super::state::Admin;
use crate::domain::balancer::BalancerKind;

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
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
    /// What to do to the model before; empty for what only run-time state tells.
    #[serde(skip)]
    pub edits: Vec<Edit>,
}

/// One step from a model to another. Positions count in the model before: names may be there twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    Kind {
        before: BalancerKind,
        after: BalancerKind,
    },
    Version {
        before: Option<String>,
        after: Option<String>,
    },
    Process {
        before: ProcessPart,
        after: ProcessPart,
    },
    Listeners(ListEdit<Listener, ListenerPart>),
    /// Positions count among the routes of this listener, called by its name before.
    Routes {
        listener: String,
        edit: ListEdit<Route, RoutePart>,
    },
    Pools(ListEdit<Pool, PoolPart>),
    Servers {
        pool: usize,
        edit: ListEdit<Server, ServerPart>,
    },
}

/// One step for a list of `T` of which `P` are the parts.
#[derive(Debug, Clone, PartialEq)]
pub enum ListEdit<T, P> {
    Removed {
        at: usize,
    },
    Changed {
        at: usize,
        before: P,
        after: P,
    },
    /// What stays, in its new order.
    Reordered {
        kept: Vec<usize>,
    },
    /// `at` counts in the list after.
    Added {
        at: usize,
        item: Box<T>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum ProcessPart {
    Maxconn(Option<Setting<u64>>),
    Workers(Option<Setting<u64>>),
    Threads(Option<Setting<u64>>),
    Files(Option<Setting<u64>>),
    Admin(Vec<AdminSurface>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum ListenerPart {
    Name(String),
    Mode(Mode),
    Binds(Vec<Bind>),
    Hosts(Vec<String>),
    Maxconn(Option<Setting<u64>>),
    Timeout(Timer, Option<Setting<u64>>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum RoutePart {
    Condition(Option<String>),
    Target(Target),
    Definitions(Vec<String>),
    Mirrors(Vec<Mirror>),
    Own(Option<Box<Own>>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum PoolPart {
    Name(String),
    Mode(Mode),
    Algorithm(Box<Algorithm>),
    Persistence(Vec<Persistence>),
    Check(Option<Box<Check>>),
    Passive(Option<Box<Passive>>),
    Limit(Bound, Option<Setting<u64>>),
    Timeout(Timer, Option<Setting<u64>>),
    Retry(Box<Retry>),
    Scope(Scope),
    AllBackups(bool),
    ServerRules(Vec<Setting<String>>),
    KeepaliveInert(bool),
    Discovered(bool),
}

#[derive(Debug, Clone, PartialEq)]
pub enum ServerPart {
    Name(String),
    Address(String),
    Weight(Setting<u32>),
    Role(Role),
    Priority(u32),
    Admin(Admin),
    Check(Option<Box<Check>>),
    Passive(Option<Box<Passive>>),
    Slots(Option<Setting<u64>>),
    SlotsLow(Option<Box<Setting<u64>>>),
    Queue(Option<Box<Setting<u64>>>),
    SlowStart(Option<Box<Setting<u64>>>),
    Cookie(Option<String>),
    Tls(bool),
    TlsVerified(Option<bool>),
    Resolution(Resolution),
    Tracks(Option<String>),
    Group(Option<Box<Group>>),
}

/// A field of [`Timeouts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    Client,
    Connect,
    Send,
    Server,
    Request,
    Headers,
    Queue,
    Keepalive,
    Tunnel,
    Check,
}

/// A field of [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Connections,
    Requests,
    Queue,
    Retries,
    Keepalive,
}

impl Timer {
    pub const ALL: [Self; 10] = [
        Self::Client,
        Self::Connect,
        Self::Send,
        Self::Server,
        Self::Request,
        Self::Headers,
        Self::Queue,
        Self::Keepalive,
        Self::Tunnel,
        Self::Check,
    ];

    pub fn read(self, timeouts: &Timeouts) -> &Option<Setting<u64>> {
        match self {
            Self::Client => &timeouts.client,
            Self::Connect => &timeouts.connect,
            Self::Send => &timeouts.send,
            Self::Server => &timeouts.server,
            Self::Request => &timeouts.request,
            Self::Headers => &timeouts.headers,
            Self::Queue => &timeouts.queue,
            Self::Keepalive => &timeouts.keepalive,
            Self::Tunnel => &timeouts.tunnel,
            Self::Check => &timeouts.check,
        }
    }

    pub fn of(self, timeouts: &mut Timeouts) -> &mut Option<Setting<u64>> {
        match self {
            Self::Client => &mut timeouts.client,
            Self::Connect => &mut timeouts.connect,
            Self::Send => &mut timeouts.send,
            Self::Server => &mut timeouts.server,
            Self::Request => &mut timeouts.request,
            Self::Headers => &mut timeouts.headers,
            Self::Queue => &mut timeouts.queue,
            Self::Keepalive => &mut timeouts.keepalive,
            Self::Tunnel => &mut timeouts.tunnel,
            Self::Check => &mut timeouts.check,
        }
    }
}

impl Bound {
    pub fn read(self, limits: &Limits) -> &Option<Setting<u64>> {
        match self {
            Self::Connections => &limits.connections,
            Self::Requests => &limits.requests,
            Self::Queue => &limits.queue,
            Self::Retries => &limits.retries,
            Self::Keepalive => &limits.keepalive,
        }
    }

    pub fn of(self, limits: &mut Limits) -> &mut Option<Setting<u64>> {
        match self {
            Self::Connections => &mut limits.connections,
            Self::Requests => &mut limits.requests,
            Self::Queue => &mut limits.queue,
            Self::Retries => &mut limits.retries,
            Self::Keepalive => &mut limits.keepalive,
        }
    }
}
