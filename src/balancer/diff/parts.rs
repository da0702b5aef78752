//! The parts of a process, listener, pool and server: which differ, where they are written, and how one is set.
//!
//! Every field of the model that means something is here; a field that is added to the model does not compile until
//! it is compared or named as meaningless.

use crate::balancer::change::{Bound, ListenerPart, PoolPart, ProcessPart, ServerPart, Timer};
use crate::balancer::model::{Limits, Listener, Pool, Process, Server, Setting, Timeouts};
use crate::balancer::source::Place;

/// Reads one part of a `T`.
pub type Reads<T, P> = fn(&T) -> P;

/// The parts in which the two differ, each with its number in `parts`.
pub fn differing<T, P: PartialEq>(old: &T, new: &T, parts: &[Reads<T, P>]) -> Vec<(usize, P, P)> {
    let both = parts.iter().enumerate().map(|(at, part)| (at, part(old), part(new)));
    both.filter(|(_, before, after)| before != after).collect()
}

pub const PROCESS: &[Reads<Process, ProcessPart>] = &[
    |p| {
        let Process { maxconn, workers: _, threads: _, files: _, admin: _ } = p;
        ProcessPart::Maxconn(maxconn.clone())
    },
    |p| ProcessPart::Workers(p.workers.clone()),
    |p| ProcessPart::Threads(p.threads.clone()),
    |p| ProcessPart::Files(p.files.clone()),
    |p| ProcessPart::Admin(p.admin.clone()),
];

pub const LISTENER: &[Reads<Listener, ListenerPart>] = &[
    |l| {
        let Listener { name: _, mode, hosts: _, binds: _, maxconn: _, timeouts: _, place: _ } = l;
        ListenerPart::Mode(*mode)
    },
    |l| ListenerPart::Binds(l.binds.clone()),
    |l| ListenerPart::Hosts(l.hosts.clone()),
    |l| ListenerPart::Maxconn(l.maxconn.clone()),
    |l| {
        let Timeouts {
            client,
            connect: _,
            send: _,
            server: _,
            request: _,
            headers: _,
            queue: _,
            keepalive: _,
            tunnel: _,
            check: _,
        } = &l.timeouts;
        ListenerPart::Timeout(Timer::Client, client.clone())
    },
    |l| ListenerPart::Timeout(Timer::Connect, l.timeouts.connect.clone()),
    |l| ListenerPart::Timeout(Timer::Send, l.timeouts.send.clone()),
    |l| ListenerPart::Timeout(Timer::Server, l.timeouts.server.clone()),
    |l| ListenerPart::Timeout(Timer::Request, l.timeouts.request.clone()),
    |l| ListenerPart::Timeout(Timer::Headers, l.timeouts.headers.clone()),
    |l| ListenerPart::Timeout(Timer::Queue, l.timeouts.queue.clone()),
    |l| ListenerPart::Timeout(Timer::Keepalive, l.timeouts.keepalive.clone()),
    |l| ListenerPart::Timeout(Timer::Tunnel, l.timeouts.tunnel.clone()),
    |l| ListenerPart::Timeout(Timer::Check, l.timeouts.check.clone()),
];

pub const POOL: &[Reads<Pool, PoolPart>] = &[
    |p| {
        let Pool {
            name: _,
            mode: _,
            algorithm,
            persistence: _,
            check: _,
            passive: _,
            limits: _,
            timeouts: _,
            retry: _,
            scope: _,
            discovered: _,
            all_backups: _,
            server_rules: _,
            servers: _,
            place: _,
        } = p;
        PoolPart::Algorithm(Box::new(algorithm.clone()))
    },
    |p| PoolPart::Mode(p.mode),
    |p| PoolPart::Persistence(p.persistence.clone()),
    |p| PoolPart::Check(p.check.clone()),
    |p| PoolPart::Passive(p.passive.clone()),
    |p| {
        let Limits { connections, requests: _, queue: _, retries: _, keepalive: _, keepalive_inert: _ } = &p.limits;
        PoolPart::Limit(Bound::Connections, connections.clone())
    },
    |p| PoolPart::Limit(Bound::Requests, p.limits.requests.clone()),
    |p| PoolPart::Limit(Bound::Queue, p.limits.queue.clone()),
    |p| PoolPart::Limit(Bound::Retries, p.limits.retries.clone()),
    |p| PoolPart::Limit(Bound::Keepalive, p.limits.keepalive.clone()),
    |p| PoolPart::KeepaliveInert(p.limits.keepalive_inert),
    |p| PoolPart::Timeout(Timer::Client, p.timeouts.client.clone()),
    |p| PoolPart::Timeout(Timer::Connect, p.timeouts.connect.clone()),
    |p| PoolPart::Timeout(Timer::Send, p.timeouts.send.clone()),
    |p| PoolPart::Timeout(Timer::Server, p.timeouts.server.clone()),
    |p| PoolPart::Timeout(Timer::Request, p.timeouts.request.clone()),
    |p| PoolPart::Timeout(Timer::Headers, p.timeouts.headers.clone()),
    |p| PoolPart::Timeout(Timer::Queue, p.timeouts.queue.clone()),
    |p| PoolPart::Timeout(Timer::Keepalive, p.timeouts.keepalive.clone()),
    |p| PoolPart::Timeout(Timer::Tunnel, p.timeouts.tunnel.clone()),
    |p| PoolPart::Timeout(Timer::Check, p.timeouts.check.clone()),
    |p| PoolPart::Retry(Box::new(p.retry.clone())),
    |p| PoolPart::Scope(p.scope),
    |p| PoolPart::Discovered(p.discovered),
    |p| PoolPart::AllBackups(p.all_backups),
    |p| PoolPart::ServerRules(p.server_rules.clone()),
];

pub const SERVER: &[Reads<Server, ServerPart>] = &[
    |s| {
        let Server {
            name: _,
            address,
            weight: _,
            role: _,
            priority: _,
            admin: _,
            check: _,
            passive: _,
            slots: _,
            slots_low: _,
            queue: _,
            slow_start_ms: _,
            cookie: _,
            tls: _,
            tls_verified: _,
            resolution: _,
            tracks: _,
            group: _,
            // Run-time state is compared as such.
            now: _,
            place: _,
        } = s;
        ServerPart::Address(address.clone())
    },
    |s| ServerPart::Weight(s.weight.clone().unwrap_or_else(|| Setting::new(1, Place::default()))),
    |s| ServerPart::Admin(s.admin),
    |s| ServerPart::Role(s.role),
    |s| ServerPart::Priority(s.priority),
    |s| ServerPart::Slots(s.slots.clone()),
    |s| ServerPart::SlotsLow(s.slots_low.clone()),
    |s| ServerPart::Queue(s.queue.clone()),
    |s| ServerPart::Check(s.check.clone()),
    |s| ServerPart::Passive(s.passive.clone()),
    |s| ServerPart::SlowStart(s.slow_start_ms.clone()),
    |s| ServerPart::Cookie(s.cookie.clone()),
    |s| ServerPart::Tls(s.tls),
    |s| ServerPart::TlsVerified(s.tls_verified),
    |s| ServerPart::Resolution(s.resolution),
    |s| ServerPart::Tracks(s.tracks.clone()),
    |s| ServerPart::Group(s.group.clone()),
];

impl ProcessPart {
    pub fn put(&self, process: &mut Process) {
        match self {
            Self::Maxconn(to) => process.maxconn = to.clone(),
            Self::Workers(to) => process.workers = to.clone(),
            Self::Threads(to) => process.threads = to.clone(),
            Self::Files(to) => process.files = to.clone(),
            Self::Admin(to) => process.admin.clone_from(to),
        }
    }

    /// Where it is written; none for a default.
    pub fn place<'a>(&self, process: &'a Process) -> Option<&'a Place> {
        match self {
            Self::Maxconn(_) => place(&process.maxconn),
            Self::Workers(_) => place(&process.workers),
            Self::Threads(_) => place(&process.threads),
            Self::Files(_) => place(&process.files),
            Self::Admin(_) => process.admin.first().map(|surface| &surface.place),
        }
    }
}

impl ListenerPart {
    pub fn put(&self, listener: &mut Listener) {
        match self {
            Self::Name(to) => listener.name.clone_from(to),
            Self::Mode(to) => listener.mode = *to,
            Self::Binds(to) => listener.binds.clone_from(to),
            Self::Hosts(to) => listener.hosts.clone_from(to),
            Self::Maxconn(to) => listener.maxconn = to.clone(),
            Self::Timeout(timer, to) => *timer.of(&mut listener.timeouts) = to.clone(),
        }
    }

    pub fn place<'a>(&self, listener: &'a Listener) -> &'a Place {
        let own = match self {
            Self::Name(_) | Self::Mode(_) | Self::Hosts(_) => None,
            Self::Binds(_) => listener.binds.first().map(|bind| &bind.place),
            Self::Maxconn(_) => place(&listener.maxconn),
            Self::Timeout(timer, _) => place(timer.read(&listener.timeouts)),
        };
        own.unwrap_or(&listener.place)
    }
}

impl PoolPart {
    pub fn put(&self, pool: &mut Pool) {
        match self {
            Self::Name(to) => pool.name.clone_from(to),
            Self::Mode(to) => pool.mode = *to,
            Self::Algorithm(to) => pool.algorithm.clone_from(to.as_ref()),
            Self::Persistence(to) => pool.persistence.clone_from(to),
            Self::Check(to) => pool.check.clone_from(to),
            Self::Passive(to) => pool.passive.clone_from(to),
            Self::Limit(bound, to) => *bound.of(&mut pool.limits) = to.clone(),
            Self::Timeout(timer, to) => *timer.of(&mut pool.timeouts) = to.clone(),
            Self::Retry(to) => pool.retry.clone_from(to.as_ref()),
            Self::Scope(to) => pool.scope = *to,
            Self::Discovered(to) => pool.discovered = *to,
            Self::AllBackups(to) => pool.all_backups = *to,
            Self::ServerRules(to) => pool.server_rules.clone_from(to),
            Self::KeepaliveInert(to) => pool.limits.keepalive_inert = *to,
        }
    }

    pub fn place<'a>(&self, pool: &'a Pool) -> &'a Place {
        let own = match self {
            Self::Name(_) | Self::Mode(_) | Self::Scope(_) | Self::AllBackups(_) | Self::Discovered(_) => None,
            Self::ServerRules(_) => pool.server_rules.first().map(|rule| &rule.place),
            Self::KeepaliveInert(_) => place(&pool.limits.keepalive),
            Self::Algorithm(_) => Some(&pool.algorithm.place).filter(|_| pool.algorithm.written),
            Self::Persistence(_) => pool.persistence.first().map(|persistence| &persistence.place),
            Self::Check(_) => pool.check.as_ref().map(|check| &check.place),
            Self::Passive(_) => pool.passive.as_ref().map(|passive| &passive.place),
            Self::Limit(bound, _) => place(bound.read(&pool.limits)),
            Self::Timeout(timer, _) => place(timer.read(&pool.timeouts)),
            Self::Retry(_) => place(&pool.retry.count).or(Some(&pool.retry.place)).filter(|place| place.line() > 0),
        };
        own.unwrap_or(&pool.place)
    }
}

impl ServerPart {
    pub fn put(&self, server: &mut Server) {
        match self {
            Self::Name(to) => server.name.clone_from(to),
            Self::Address(to) => server.address.clone_from(to),
            Self::Weight(to) => server.weight = Some(to.clone()),
            Self::Role(to) => server.role = *to,
            Self::Priority(to) => server.priority = *to,
            Self::Admin(to) => server.admin = *to,
            Self::Check(to) => server.check.clone_from(to),
            Self::Passive(to) => server.passive.clone_from(to),
            Self::Slots(to) => server.slots = to.clone(),
            Self::SlotsLow(to) => server.slots_low = to.clone(),
            Self::Queue(to) => server.queue = to.clone(),
            Self::SlowStart(to) => server.slow_start_ms = to.clone(),
            Self::Cookie(to) => server.cookie.clone_from(to),
            Self::Tls(to) => server.tls = *to,
            Self::TlsVerified(to) => server.tls_verified = *to,
            Self::Resolution(to) => server.resolution = *to,
            Self::Tracks(to) => server.tracks.clone_from(to),
            Self::Group(to) => server.group.clone_from(to),
        }
    }

    pub fn place<'a>(&self, server: &'a Server) -> &'a Place {
        let own = match self {
            Self::Weight(_) => server.weight.as_ref().map(|weight| &weight.place),
            Self::Check(_) => server.check.as_ref().map(|check| &check.place),
            Self::Passive(_) => server.passive.as_ref().map(|passive| &passive.place),
            Self::Slots(_) => place(&server.slots),
            Self::SlotsLow(_) => server.slots_low.as_ref().map(|setting| &setting.place),
            Self::Queue(_) => server.queue.as_ref().map(|setting| &setting.place),
            Self::SlowStart(_) => server.slow_start_ms.as_ref().map(|setting| &setting.place),
            _ => None,
        };
        own.unwrap_or(&server.place)
    }
}

fn place<T>(setting: &Option<Setting<T>>) -> Option<&Place> {
    setting.as_ref().map(|setting| &setting.place)
}
