//! One model for every balancer's config: listeners, routes, pools, servers, limits, each with its place.
//!
//! Units are the same everywhere: times in milliseconds, weights as the balancer counts them, limits in
//! connections or requests at once. A field that is none is not written: its default may depend on the version.
//! What a config inherits (`defaults`, outer blocks) is laid in where it holds; its place shows where it is written.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::maps::HashMap;
use super::source::Place;
use super::state::{Admin, ServerState};
use crate::domain::balancer::BalancerKind;

/// What a config says. Built from redacted text where it is stored or shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Model {
    pub kind: BalancerKind,
    /// The balancer's version, where the config or its running process tells it; defaults depend on it.
    pub version: Option<String>,
    /// Names of the files, in the order in which they were read.
    pub files: Vec<String>,
    pub process: Process,
    pub listeners: Vec<Listener>,
    /// In the order in which they are tried, listener by listener.
    pub routes: Vec<Route>,
    pub pools: Vec<Pool>,
    /// What was not understood or looks broken.
    pub notices: Vec<Notice>,
}

/// A value with the place where it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Setting<T> {
    pub value: T,
    /// Whether the environment of the balancer's process decides, so that the value is not known here; then it is the
    /// one that holds where nothing is written, or 0.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    pub place: Place,
}

impl<T> Setting<T> {
    pub fn new(value: T, place: Place) -> Self {
        Self { value, unknown: false, place }
    }

    pub fn unknown(place: Place) -> Self
    where
        T: Default,
    {
        Self { value: T::default(), unknown: true, place }
    }
}

impl Setting<u64> {
    /// Whether it is written and 0, which stands for no limit in most places.
    pub fn is_zero(&self) -> bool {
        self.value == 0 && !self.unknown
    }
}

/// How sure it is that a notice means trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// Not modelled, or known only while running.
    #[default]
    Note,
    /// The balancer takes it, perhaps with a warning, and it means something else than it seems.
    Warning,
    /// The balancer refuses to start with it.
    Error,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Notice {
    pub gravity: Gravity,
    /// One sentence: what is wrong, and what to write instead.
    pub text: String,
    pub place: Place,
}

/// What holds for the whole process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Process {
    /// Connections at once of the whole process (HAProxy `global` maxconn); for nginx of each worker.
    pub maxconn: Option<Setting<u64>>,
    /// Worker processes (nginx); 0 for one per processor.
    pub workers: Option<Setting<u64>>,
    /// Threads (HAProxy `nbthread`, Envoy concurrency).
    pub threads: Option<Setting<u64>>,
    /// Open files (`ulimit-n`, `worker_rlimit_nofile`).
    pub files: Option<Setting<u64>>,
    /// Where the balancer can be watched or commanded.
    pub admin: Vec<AdminSurface>,
}

/// A stats page, runtime socket or admin API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct AdminSurface {
    /// Such as `stats page`, `runtime socket`, `admin API`.
    pub what: String,
    /// Address or path, as written; empty where it is one of the listener's.
    pub address: String,
    /// Whether somebody has to log in, or only chosen addresses get in.
    pub guarded: bool,
    /// Whether state can be changed there.
    pub writes: bool,
    pub place: Place,
}

/// What is balanced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Http,
    Tcp,
    Udp,
    Other,
}

/// Where connections come in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Listener {
    pub name: String,
    /// Hosts that it answers for (nginx `server_name`); empty for all, or where routes decide.
    pub hosts: Vec<String>,
    pub mode: Mode,
    pub binds: Vec<Bind>,
    pub maxconn: Option<Setting<u64>>,
    pub timeouts: Timeouts,
    pub place: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Bind {
    /// `address:port`, `[v6]:port`, `unix:/path`; every address is `*`.
    pub address: String,
    pub tls: bool,
    /// Connections at once of this address alone (HAProxy `bind … maxconn`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxconn: Option<Setting<u64>>,
    /// Whether its listener takes requests for hosts that no other one answers for (nginx `default_server`).
    pub default_server: bool,
    /// Whether connections begin with who the client is (the PROXY protocol).
    pub proxy_protocol: bool,
    pub place: Place,
}

/// One way from a listener to a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Route {
    pub listener: String,
    /// When it is taken, as the balancer writes it (`if { path -m beg /api }`, `location ~ \.php$`); none for the
    /// route that takes the rest.
    pub condition: Option<String>,
    /// What the condition's names mean, as written (HAProxy ACLs: `is_api: path_beg /api`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<String>,
    pub target: Target,
    /// Pools that get copies of requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
    /// What holds on this way other than in its pools (nginx locations); none where nothing differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Box<Own>>,
    pub place: Place,
}

/// Copies of requests, of whose answers nobody hears.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Mirror {
    pub pool: String,
    /// Of how many requests a copy goes there, 0 to 100.
    pub percent: f64,
}

/// Timeouts and retries of one way to a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Own {
    /// Those that are others than the pool's, a default that holds instead written out.
    pub timeouts: Timeouts,
    /// None where it is the pool's.
    pub retry: Option<Retry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Target {
    Pool {
        name: String,
    },
    /// Several pools, each with a share (Traefik `weighted`, Envoy `weighted_clusters`).
    Weighted {
        pools: Vec<Share>,
    },
    /// Decided per request.
    Dynamic {
        expression: String,
        /// Pools that it can be, as far as the config tells.
        candidates: Vec<String>,
    },
    /// An answer of the balancer's own: a redirect, a file, a refusal.
    Other {
        said: String,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Share {
    pub pool: String,
    pub weight: u32,
}

impl Default for Target {
    fn default() -> Self {
        Self::Other { said: String::new() }
    }
}

/// A group of servers that share an algorithm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Pool {
    pub name: String,
    pub mode: Mode,
    pub algorithm: Algorithm,
    /// In the order in which they are asked.
    pub persistence: Vec<Persistence>,
    /// What every server is checked with unless it says otherwise; none for no active check.
    pub check: Option<Box<Check>>,
    /// Failures of real traffic that take a server out.
    pub passive: Option<Box<Passive>>,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub retry: Retry,
    pub scope: Scope,
    /// Whether all backup servers serve together once no active one is left.
    pub all_backups: bool,
    /// Rules that pick a server before the algorithm does (HAProxy `use-server`), as written, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_rules: Vec<Setting<String>>,
    /// Whether servers come from elsewhere while it runs (Envoy EDS, Caddy dynamic upstreams), so that none here says
    /// nothing.
    pub discovered: bool,
    pub servers: Vec<Server>,
    pub place: Place,
}

/// How a server is chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Algorithm {
    /// The balancer's own word with its arguments (`roundrobin`, `uri depth 2`, `LEAST_REQUEST`); none where nothing
    /// is written and the version that decides the default is not known.
    pub name: Option<String>,
    pub family: Family,
    /// What is hashed, and how; for [`Family::Hash`].
    pub hash: Option<Hash>,
    /// Random draws of which the best is taken; for [`Family::Random`] and Envoy's least request.
    pub choices: Option<u32>,
    /// Whether the config says it; otherwise it is the default.
    pub written: bool,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Not written, not known to us, or decided elsewhere.
    #[default]
    Unknown,
    RoundRobin,
    /// A turn order that run-time weights do not change.
    StaticRoundRobin,
    LeastConnections,
    LeastTime,
    Random,
    /// The first server with room.
    First,
    Hash,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Hash {
    pub key: HashKey,
    /// As the balancer writes it: `src`, `hdr(x-user)`, `$request_uri`.
    pub expression: String,
    pub method: HashMethod,
    /// The hash function where it can be chosen: `sdbm`, `xxHash64`.
    pub function: Option<String>,
    /// Bounded load, in percent of the mean (HAProxy `hash-balance-factor`).
    pub balance_factor: Option<u32>,
    /// Points or table size where it can be chosen.
    pub table_size: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashKey {
    SourceAddress,
    Uri,
    Header,
    Cookie,
    Query,
    #[default]
    Expression,
    /// The algorithm hashes but nothing says what: the balancer draws at random.
    Missing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashMethod {
    /// Hash modulo weights: most keys move when a server comes or goes.
    #[default]
    Modulo,
    /// A ring of points: few keys move.
    Ring,
    Maglev,
    /// Highest random weight: few keys move.
    Rendezvous,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersistenceKind {
    /// A cookie that the balancer sets or reads.
    #[default]
    Cookie,
    /// A table of keys that the balancer remembers (HAProxy stick tables, nginx `sticky learn`).
    Table,
    /// A route that the client carries (nginx `sticky route`, Envoy stateful session).
    Route,
}

/// How a client is kept on one server, apart from a hash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Persistence {
    pub kind: PersistenceKind,
    /// The cookie's name, or what is looked up (`src`, `req.cook(id)`).
    pub key: String,
    /// As written.
    pub said: String,
    /// How long a client is remembered, in milliseconds; none for as long as the session.
    pub expires_ms: Option<u64>,
    /// Whether it survives a reload or reaches the other balancers (peers, shared zone).
    pub shared: bool,
    pub http_only: bool,
    pub secure: bool,
    pub same_site: bool,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Only connects.
    #[default]
    Tcp,
    Http,
    /// TLS handshake only.
    Tls,
    Grpc,
    /// A protocol's own (`mysql-check`, `redis-check`, …) or a script of sends and expects.
    Protocol,
    /// Asks a program beside the server.
    Agent,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Check {
    pub kind: CheckKind,
    /// Path or request, as written.
    #[schema(value_type = Option<String>)]
    pub request: Option<Arc<str>>,
    /// Whether anything but a connection or a 2xx/3xx is asked of the answer.
    #[schema(value_type = Option<String>)]
    pub expects: Option<Arc<str>>,
    pub interval_ms: Option<u64>,
    pub timeout_ms: Option<u64>,
    /// Failures in a row that take a server out.
    pub fall: Option<u64>,
    /// Successes in a row that bring it back.
    pub rise: Option<u64>,
    pub place: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Passive {
    /// Failures that take a server out (nginx `max_fails`, Envoy `consecutive_5xx`, HAProxy `error-limit`); 0 for never.
    pub max_fails: Option<u64>,
    /// The window in which they count, in milliseconds.
    pub window_ms: Option<u64>,
    /// How long a server stays out, in milliseconds.
    pub out_ms: Option<u64>,
    /// Most of the pool that may be taken out, in percent.
    pub max_out_percent: Option<u64>,
    /// Below this share of healthy servers health is ignored (Envoy panic threshold), in percent.
    pub panic_percent: Option<u64>,
    /// Whether requests fail then, instead of going to every server (Envoy `fail_traffic_on_panic`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub panic_fails: bool,
    pub place: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Limits {
    /// Connections at once that the pool is dimensioned for (HAProxy `fullconn`), or may have (Envoy `max_connections`).
    pub connections: Option<Setting<u64>>,
    /// Requests at once of the whole pool (Envoy `max_requests`).
    pub requests: Option<Setting<u64>>,
    /// Requests that may wait for the pool (Envoy `max_pending_requests`, nginx `queue`).
    pub queue: Option<Setting<u64>>,
    /// Retries at once of the whole pool (Envoy `max_retries`).
    pub retries: Option<Setting<u64>>,
    /// Idle connections kept to the servers (nginx `keepalive`, `http-reuse` as 0 for never).
    pub keepalive: Option<Setting<u64>>,
    /// Whether connections are closed after each request all the same (nginx before 1.29.7 without
    /// `proxy_http_version 1.1` and an emptied `Connection` header).
    pub keepalive_inert: bool,
}

/// In milliseconds. None where not written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Timeouts {
    /// The client's silence.
    pub client: Option<Setting<u64>>,
    pub connect: Option<Setting<u64>>,
    /// The server's silence (HAProxy `timeout server`, nginx `proxy_read_timeout`).
    pub server: Option<Setting<u64>>,
    /// The server's slowness in taking the request (nginx `proxy_send_timeout`).
    pub send: Option<Setting<u64>>,
    /// The whole answer (Envoy route timeout, Traefik `responseHeaderTimeout`).
    pub request: Option<Setting<u64>>,
    /// The client's request headers (HAProxy `timeout http-request`).
    pub headers: Option<Setting<u64>>,
    pub queue: Option<Setting<u64>>,
    pub keepalive: Option<Setting<u64>>,
    pub tunnel: Option<Setting<u64>>,
    pub check: Option<Setting<u64>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Retry {
    /// Tries after the first (HAProxy `retries`, nginx `proxy_next_upstream_tries` less one).
    pub count: Option<Setting<u64>>,
    /// How long after the first try another may begin, in milliseconds (nginx `proxy_next_upstream_timeout`); 0 for ever.
    pub within: Option<Setting<u64>>,
    /// When it is tried again: the balancer's own words (`conn-failure`, `http_503`, `5xx`).
    pub on: Vec<String>,
    /// Whether another server is tried (HAProxy `option redispatch`).
    pub redispatch: Option<Setting<bool>>,
    /// Whether requests that change something are sent again too.
    pub non_idempotent: bool,
    /// Whether a budget bounds all retries together (Envoy `retry_budget`).
    pub budget: bool,
    pub place: Place,
}

/// Who shares the algorithm's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    Process,
    Worker,
    ThreadGroup,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Active,
    Backup,
}

/// When a server's name is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The address is a number or a socket.
    #[default]
    Literal,
    /// Once, when the config is read.
    AtStart,
    /// Again and again while running.
    Followed,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Server {
    pub name: String,
    /// `host:port`, `[v6]:port`, `unix:/path`.
    pub address: String,
    /// Configured weight; none when not written (every balancer's default is 1).
    pub weight: Option<Setting<u32>>,
    pub role: Role,
    /// Servers of a higher number serve when too little of those of the lower ones is left (Envoy); all of them are
    /// backups.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u32,
    /// How it starts (`disabled`, `down`, `drain`).
    pub admin: Admin,
    /// Its active check, the pool's laid in; none for no check.
    pub check: Option<Box<Check>>,
    pub passive: Option<Box<Passive>>,
    /// Connections or requests at once (HAProxy `maxconn`, nginx `max_conns`, Caddy `max_requests`).
    pub slots: Option<Setting<u64>>,
    /// From where the limit grows up to `slots` with the load of the pool (HAProxy `minconn`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots_low: Option<Box<Setting<u64>>>,
    /// Requests that may wait for this server (HAProxy `maxqueue`).
    pub queue: Option<Box<Setting<u64>>>,
    pub slow_start_ms: Option<Box<Setting<u64>>>,
    /// The value by which persistence finds it (HAProxy `cookie`, nginx `route`).
    pub cookie: Option<String>,
    pub tls: bool,
    /// Whether the server's certificate is verified; none without TLS or where not written.
    pub tls_verified: Option<bool>,
    pub resolution: Resolution,
    /// Whose state this server follows (HAProxy `track pool/server`).
    pub tracks: Option<String>,
    /// The group that gets its share first; none where weights are compared over the whole pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<Group>>,
    /// What the running balancer says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Box<ServerState>>,
    pub place: Place,
}

/// Servers that get a share of their pool by the group's weight, and divide it by their own (Envoy localities).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Group {
    pub name: String,
    /// 0 for a group that gets nothing.
    pub weight: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What weights count for in a pool, the shares of its groups laid in: made once for all servers.
#[derive(Debug, Clone, Default)]
pub struct Groups<'a> {
    /// What the servers of a group weigh together, by their priority.
    weights: HashMap<(u32, &'a str), f64>,
}

impl<'a> Groups<'a> {
    pub fn of(pool: &'a Pool, weight: impl Fn(&Server) -> u32) -> Self {
        let mut weights: HashMap<(u32, &str), f64> = HashMap::default();
        for server in &pool.servers {
            if let Some(group) = &server.group {
                *weights.entry((server.priority, group.name.as_str())).or_default() += f64::from(weight(server));
            }
        }
        Self { weights }
    }

    /// What the weight of one of the pool's servers counts for: 1 without a group.
    pub fn factor(&self, server: &Server) -> f64 {
        let Some(group) = &server.group else { return 1.0 };
        let all = self.weights.get(&(server.priority, group.name.as_str())).copied().unwrap_or(0.0);
        if all > 0.0 { f64::from(group.weight) / all } else { 0.0 }
    }
}

impl Model {
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }

    /// Pools that the listener may send to, in the order of its routes, each once.
    pub fn targets(&self, listener: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for name in self.routes.iter().filter(|route| route.listener == listener).flat_map(|route| route.target.pools()) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }
}

impl Target {
    /// Names of the pools that it can be.
    pub fn pools(&self) -> impl Iterator<Item = &str> + Clone {
        let (one, shares, candidates): (_, &[Share], &[String]) = match self {
            Self::Pool { name } => (Some(name), &[], &[]),
            Self::Weighted { pools } => (None, pools, &[]),
            Self::Dynamic { candidates, .. } => (None, &[], candidates),
            Self::Other { .. } => (None, &[], &[]),
        };
        let shared = shares.iter().map(|share| share.pool.as_str());
        one.into_iter().map(String::as_str).chain(shared).chain(candidates.iter().map(String::as_str))
    }
}

impl Pool {
    /// The shares of all requests that weights promise to its servers by name, between 0 and 1; none for a pool without
    /// groups, whose weights tell it.
    pub fn grouped_shares(&self) -> HashMap<&str, f64> {
        if self.servers.iter().all(|server| server.group.is_none()) {
            return HashMap::default();
        }
        let groups = Groups::of(self, Server::effective_weight);
        let part = |server: &Server| match server.may_serve() && server.role == Role::Active {
            true => f64::from(server.effective_weight()) * groups.factor(server),
            false => 0.0,
        };
        let all: f64 = self.servers.iter().map(part).sum();
        let grouped = self.servers.iter().filter(|server| all > 0.0 && server.group.is_some());
        grouped.map(|server| (server.name.as_str(), part(server) / all)).collect()
    }

    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == name)
    }
}

impl Server {
    /// Configured weight, the default of 1 laid in.
    pub fn configured_weight(&self) -> u32 {
        self.weight.as_ref().map_or(1, |weight| weight.value)
    }

    /// The weight in force: at run time where that is known, else as configured.
    pub fn effective_weight(&self) -> u32 {
        self.now.as_ref().map_or_else(|| self.configured_weight(), |now| now.weight)
    }

    /// Admin state in force.
    pub fn effective_admin(&self) -> Admin {
        self.now.as_ref().map_or(self.admin, |now| now.admin)
    }

    /// Whether people let it get new traffic.
    pub fn may_serve(&self) -> bool {
        self.effective_admin() == Admin::Ready && self.effective_weight() > 0
    }
}
