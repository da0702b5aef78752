//! What each balancer does where nothing is written: laid in before two models are compared, so that a default
//! that somebody spells out is no change, and a default that another version changes is one.
//!
//! Only what the manuals promise is here (HAProxy configuration.txt 4.2 and 5.2, the nginx module pages, the Envoy
//! API's field comments, Traefik's service options, Caddy's reverse_proxy). Where the running config decides a
//! default, nothing is laid in.

use std::borrow::Borrow;

use crate::balancer::model::{Check, HashMethod, Listener, Mode, Model, Passive, Pool, Process, Server, Setting, Timeouts};
use crate::balancer::nginx;
use crate::balancer::source::Place;
use crate::domain::balancer::BalancerKind;

/// The balancer whose defaults count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    kind: BalancerKind,
    /// Major, minor, patch; none where the version is not known.
    version: Option<[u32; 3]>,
}

/// Leading numbers of a version as its balancer tells it: `2.6.12-1+deb12u1`, `nginx/1.29.7`, `v3.4.0`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let digits = version.get(version.find(|c: char| c.is_ascii_digit())?..)?;
    let mut parts = digits.split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u32>().ok()
    });
    Some([parts.next()??, parts.next().flatten().unwrap_or(0), parts.next().flatten().unwrap_or(0)])
}

fn or(setting: &mut Option<Setting<u64>>, default: u64) {
    setting.get_or_insert_with(|| Setting::new(default, Place::default()));
}

/// A limit of 0 is none.
fn unlimited<S: Borrow<Setting<u64>>>(setting: &mut Option<S>) {
    if setting.as_ref().is_some_and(|setting| setting.borrow().is_zero()) {
        *setting = None;
    }
}

impl Defaults {
    pub fn of(model: &Model) -> Self {
        Self { kind: model.kind, version: model.version.as_deref().and_then(numbers) }
    }

    fn since(&self, version: [u32; 3]) -> bool {
        self.version.is_some_and(|own| own >= version)
    }

    /// The whole model with nothing left unwritten that a default decides.
    pub fn model(&self, model: &Model) -> Model {
        let pool =
            |pool: &Pool| Pool { servers: pool.servers.iter().map(|server| self.server(server)).collect(), ..self.pool(pool) };
        Model {
            process: self.process(&model.process),
            listeners: model.listeners.iter().map(|listener| self.listener(listener)).collect(),
            pools: model.pools.iter().map(pool).collect(),
            ..model.clone()
        }
    }

    pub fn process(&self, process: &Process) -> Process {
        let mut process = process.clone();
        if self.kind == BalancerKind::Nginx {
            or(&mut process.maxconn, 512);
            or(&mut process.workers, 1);
        }
        process
    }

    pub fn listener(&self, listener: &Listener) -> Listener {
        let mut listener = listener.clone();
        unlimited(&mut listener.maxconn);
        listener.hosts.sort();
        listener.hosts.dedup();
        for bind in &mut listener.binds {
            unlimited(&mut bind.maxconn);
        }
        self.timeouts(&mut listener.timeouts, true, listener.mode);
        listener
    }

    /// Without its servers: they are laid one by one, where they differ.
    pub fn pool(&self, pool: &Pool) -> Pool {
        // Not by `..pool.clone()`, which would copy the servers too.
        let mut laid = Pool {
            name: pool.name.clone(),
            mode: pool.mode,
            algorithm: pool.algorithm.clone(),
            persistence: pool.persistence.clone(),
            check: pool.check.clone(),
            passive: pool.passive.clone(),
            limits: pool.limits.clone(),
            timeouts: pool.timeouts.clone(),
            retry: pool.retry.clone(),
            scope: pool.scope,
            all_backups: pool.all_backups,
            server_rules: pool.server_rules.clone(),
            discovered: pool.discovered,
            servers: Vec::new(),
            place: pool.place.clone(),
        };
        laid.algorithm.written = true;
        laid.algorithm.name = laid.algorithm.name.as_deref().map(unbraced);
        if let Some(hash) = &mut laid.algorithm.hash {
            hash.expression = unbraced(&hash.expression);
            match (self.kind, hash.method) {
                (BalancerKind::Haproxy, _) => {
                    hash.function.get_or_insert_with(|| "sdbm".to_owned());
                    hash.balance_factor = hash.balance_factor.filter(|factor| *factor > 0);
                }
                (BalancerKind::Envoy, HashMethod::Ring) => {
                    hash.table_size.get_or_insert(1024);
                }
                (BalancerKind::Envoy, HashMethod::Maglev) => {
                    hash.table_size.get_or_insert(65_537);
                }
                _ => {}
            }
        }
        for persistence in &mut laid.persistence {
            persistence.said = plain(&persistence.said);
        }
        for rule in &mut laid.server_rules {
            rule.value = plain(&rule.value);
        }
        self.check(laid.check.as_deref_mut());
        self.passive(&mut laid.passive);
        self.timeouts(&mut laid.timeouts, false, laid.mode);
        let retry = &mut laid.retry;
        match self.kind {
            BalancerKind::Haproxy => {
                or(&mut retry.count, 3);
                if retry.on.is_empty() {
                    retry.on.push("conn-failure".to_owned());
                }
            }
            BalancerKind::Nginx => {
                if retry.on.is_empty() {
                    retry.on = vec!["error".to_owned(), "timeout".to_owned()];
                }
                or(&mut retry.within, 0);
                if self.version.is_some() && laid.mode == Mode::Http {
                    or(&mut laid.limits.keepalive, if self.since([1, 29, 7]) { 32 } else { 0 });
                }
            }
            BalancerKind::Envoy => {
                for limit in [&mut laid.limits.connections, &mut laid.limits.requests, &mut laid.limits.queue] {
                    or(limit, 1024);
                }
                or(&mut laid.limits.retries, 3);
                if !retry.on.is_empty() {
                    or(&mut retry.count, 1);
                }
            }
            BalancerKind::Traefik => {}
            BalancerKind::Caddy => {
                or(&mut retry.count, 0);
                or(&mut laid.timeouts.keepalive, 120_000);
                or(&mut laid.limits.keepalive, 32);
            }
        }
        retry.redispatch.get_or_insert_with(|| Setting::new(false, Place::default()));
        retry.on.sort();
        retry.on.dedup();
        laid
    }

    pub fn server(&self, server: &Server) -> Server {
        let mut server = Server { now: None, ..server.clone() };
        server.address = unbraced(&server.address);
        server.weight.get_or_insert_with(|| Setting::new(1, Place::default()));
        unlimited(&mut server.slots);
        [&mut server.slots_low, &mut server.queue, &mut server.slow_start_ms].into_iter().for_each(unlimited);
        self.check(server.check.as_deref_mut());
        self.passive(&mut server.passive);
        let verified = match self.kind {
            BalancerKind::Nginx => Some(false),
            BalancerKind::Haproxy | BalancerKind::Traefik | BalancerKind::Caddy => Some(true),
            BalancerKind::Envoy => None,
        };
        server.tls_verified = if server.tls { server.tls_verified.or(verified) } else { None };
        server
    }

    fn check(&self, check: Option<&mut Check>) {
        let Some(check) = check else { return };
        let (interval, timeout, fall, rise) = match self.kind {
            BalancerKind::Haproxy => (Some(2_000), None, Some(3), Some(2)),
            BalancerKind::Nginx => (Some(5_000), None, Some(1), Some(1)),
            BalancerKind::Envoy => (None, None, None, None),
            BalancerKind::Traefik => (Some(30_000), Some(5_000), None, None),
            BalancerKind::Caddy => (Some(30_000), Some(5_000), Some(1), Some(1)),
        };
        check.interval_ms = check.interval_ms.or(interval);
        check.timeout_ms = check.timeout_ms.or(timeout);
        check.fall = check.fall.or(fall);
        check.rise = check.rise.or(rise);
    }

    fn passive(&self, passive: &mut Option<Box<Passive>>) {
        match self.kind {
            BalancerKind::Nginx => {
                let passive = passive.get_or_insert_default();
                passive.max_fails = passive.max_fails.or(Some(1));
                passive.window_ms = passive.window_ms.or(Some(10_000));
                passive.out_ms = passive.out_ms.or(Some(10_000));
            }
            BalancerKind::Envoy => {
                if let Some(passive) = passive {
                    passive.max_fails = passive.max_fails.or(Some(5));
                    passive.window_ms = passive.window_ms.or(Some(10_000));
                    passive.out_ms = passive.out_ms.or(Some(30_000));
                    passive.max_out_percent = passive.max_out_percent.or(Some(10));
                    passive.panic_percent = passive.panic_percent.or(Some(50));
                }
            }
            BalancerKind::Caddy => {
                if let Some(passive) = passive {
                    passive.max_fails = passive.max_fails.or(Some(1));
                }
            }
            BalancerKind::Haproxy | BalancerKind::Traefik => {}
        }
    }

    fn timeouts(&self, timeouts: &mut Timeouts, listener: bool, mode: Mode) {
        match (self.kind, listener) {
            (BalancerKind::Nginx, true) if mode == Mode::Http => {
                for (timer, default) in
                    [(&mut timeouts.client, 60_000), (&mut timeouts.headers, 60_000), (&mut timeouts.keepalive, 75_000)]
                {
                    or(timer, default);
                }
            }
            (BalancerKind::Nginx, false) if mode != Mode::Http => {
                or(&mut timeouts.connect, 60_000);
                or(&mut timeouts.server, nginx::silence_ms(true));
            }
            (BalancerKind::Nginx, false) => {
                or(&mut timeouts.connect, 60_000);
                or(&mut timeouts.send, 60_000);
                or(&mut timeouts.server, nginx::silence_ms(false));
            }
            (BalancerKind::Envoy, false) => {
                or(&mut timeouts.connect, 5_000);
                if mode == Mode::Http {
                    or(&mut timeouts.keepalive, 3_600_000);
                }
            }
            (BalancerKind::Traefik, true) if mode == Mode::Http => {
                if self.version.is_some() {
                    or(&mut timeouts.client, if self.since([2, 11, 2]) { 60_000 } else { 0 });
                }
                or(&mut timeouts.request, 0);
                or(&mut timeouts.keepalive, 180_000);
            }
            (BalancerKind::Traefik, false) if mode == Mode::Http => {
                or(&mut timeouts.connect, 30_000);
                or(&mut timeouts.request, 0);
                or(&mut timeouts.keepalive, 90_000);
            }
            (BalancerKind::Caddy, true) => {
                or(&mut timeouts.client, 0);
                or(&mut timeouts.request, 0);
                or(&mut timeouts.keepalive, 300_000);
            }
            (BalancerKind::Caddy, false) => {
                or(&mut timeouts.connect, 3_000);
                or(&mut timeouts.request, 0);
                or(&mut timeouts.server, 0);
            }
            _ => {}
        }
    }
}

/// A directive as written, apart from quotes, white space and the units of its times: `expire 1m` is
/// `expire 60s`.
pub fn plain(said: &str) -> String {
    let word = |word: &str| -> String {
        let bare = word.replace(['"', '\'', '\\'], "");
        if bare.is_empty() {
            return "\"\"".to_owned();
        }
        if bare.contains("${") {
            return unbraced(&bare);
        }
        let digits = bare.find(|c: char| !c.is_ascii_digit()).unwrap_or(bare.len());
        let (number, unit) = bare.split_at(digits);
        let factor = match unit {
            "us" => return bare,
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return bare,
        };
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
            Some(milliseconds) => format!("{milliseconds}ms"),
            None => bare,
        }
    };
    said.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// `${name}` as `$name`, where no further letter follows.
fn unbraced(text: &str) -> String {
    let in_name = |c: char| c == '_' || c.is_alphanumeric();
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) if !name.is_empty() && name.chars().all(in_name) && !rest.starts_with(in_name) => {
                out.extend(["$", name, rest]);
            }
            _ => out.extend(["${", part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_balancers_tell_them() {
        assert_eq!(numbers("2.6.12-1+deb12u1"), Some([2, 6, 12]));
        assert_eq!(numbers("nginx/1.29.7"), Some([1, 29, 7]));
        assert_eq!(numbers("v3.4"), Some([3, 4, 0]));
        assert_eq!(numbers("3.3-dev8"), Some([3, 3, 0]));
        assert_eq!((numbers("none"), numbers(""), numbers("99999999999.1")), (None, None, None));
    }

    #[test]
    fn spelling_is_no_meaning() {
        assert_eq!(plain("stick-table  type ip 'expire'\t1m"), plain("stick-table type ip expire 60s"));
        assert_ne!(plain("expire 1m"), plain("expire 1h"));
        assert_eq!(plain("hash ${uri}$args ${a}b"), "hash $uri$args ${a}b");
        assert_eq!(plain("size 99999999999999999999m"), "size 99999999999999999999m");
    }

    /// What is compared may be spelled so already: an address or a rule of a model that a change was applied to.
    #[test]
    fn a_plain_spelling_stays_as_it_is() {
        for text in ["${a ${b::c]}}", "${}{x}", "$${a}{b}", "sticky \\\\ s", "\"\" 1'm' ${a}s ${b}", "'' ''"] {
            let once = plain(text);
            assert_eq!(plain(&once), once, "{text}");
        }
        assert_ne!(plain("expire \"\" s"), plain("expire s"));
    }
}
