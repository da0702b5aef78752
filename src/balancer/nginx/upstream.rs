//! `upstream` blocks: how a server is chosen, what keeps a client on one, and the servers.
//!
//! Sources: src/http/ngx_http_upstream.c, modules/ngx_http_upstream_*_module.c and their stream twins; for the
//! commercial ones the manual (ngx_http_upstream_module, ngx_http_upstream_hc_module).

use super::declared::{self, Declared};
use super::load::Config;
use super::sticky;
use super::tree::Directive;
use super::values::{self, Address};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{
    Algorithm, Check, CheckKind, Family, Hash, HashKey, HashMethod, Mode, Passive, Pool, Resolution, Role, Scope, Server, Setting,
};
use crate::balancer::state::Admin;

/// Failures and seconds that take a server out where nothing is written.
pub const MAX_FAILS: u64 = 1;
pub const FAIL_TIMEOUT_MS: u64 = 10_000;

/// What is known around an upstream.
pub struct Around<'a> {
    pub declared: &'a Declared,
    pub stream: bool,
    /// Whether more than one worker may run.
    pub workers: bool,
    /// Whether a `resolver` stands at the level of `http` or `stream`.
    pub resolver: bool,
    /// Zones that have a size somewhere.
    pub zones: &'a HashSet<&'a str>,
}

/// Reads an `upstream` block.
pub fn read(config: &mut Config, around: &Around<'_>, upstream: &Directive) -> Pool {
    let mut pool = Pool {
        name: upstream.argument(0).unwrap_or_default().to_owned(),
        mode: if around.stream { Mode::Tcp } else { Mode::Http },
        algorithm: Algorithm { family: Family::RoundRobin, ..Algorithm::default() },
        scope: if around.workers { Scope::Worker } else { Scope::Process },
        all_backups: true,
        place: config.at(upstream),
        ..Pool::default()
    };
    let find = |name: &str| upstream.block().iter().find(|directive| directive.is(name));
    let resolver = around.resolver || find("resolver").is_some();
    let mut facts = Facts { zone: find("zone").is_some(), resolver, taken: HashMap::default() };
    let mut backups = true;
    for directive in upstream.block() {
        let number = || directive.argument(0).and_then(values::number);
        match directive.name.text.as_str() {
            "server" => server(config, around, &mut facts, &mut pool, directive, backups),
            "zone" => {
                pool.scope = Scope::Process;
                zone(config, around, directive);
            }
            "keepalive" => match number() {
                Some(count) => {
                    pool.limits.keepalive = Some(Setting::new(count, config.at(directive)));
                    if directive.argument(1).is_some_and(|word| word != "local") {
                        config.error_in(directive, 1, "keepalive takes local after its number, nothing else");
                    }
                }
                None => config.error_in(directive, 0, "keepalive takes a number of idle connections"),
            },
            "keepalive_timeout" => {
                pool.timeouts.keepalive =
                    directive.argument(0).and_then(values::milliseconds).map(|time| Setting::new(time, config.at(directive)));
            }
            "queue" => {
                pool.limits.queue = number().map(|count| Setting::new(count, config.at(directive)));
                let time = directive.argument(1).and_then(|text| text.strip_prefix("timeout=")).and_then(values::seconds);
                pool.timeouts.queue = time.map(|seconds| Setting::new(seconds.saturating_mul(1000), config.at(directive)));
            }
            "sticky" | "session_sticky" | "jvm_route" => sticky::read(config, around.declared, &mut pool, directive),
            "check" => pool.check = Some(Box::new(third_party_check(config, directive))),
            name => {
                if let Some(algorithm) = algorithm(config, around, directive) {
                    if pool.algorithm.written {
                        config.warn(directive, format!("{name} takes the place of the method before it: keep one"));
                    }
                    pool.algorithm = algorithm;
                    backups = !matches!(name, "ip_hash" | "hash" | "random");
                }
            }
        }
    }
    finish(config, upstream, &mut pool);
    pool
}

/// What the whole block says, and the servers' names so far.
struct Facts {
    zone: bool,
    resolver: bool,
    taken: HashMap<String, usize>,
}

/// Lays defaults in that depend on all servers, and refuses pools without any.
fn finish(config: &mut Config, upstream: &Directive, pool: &mut Pool) {
    if pool.servers.is_empty() {
        config.error(upstream, format!("no server stands in the upstream {:?}: add one", pool.name));
    } else if pool.servers.iter().all(|server| server.role == Role::Backup) {
        config.error(
            upstream,
            format!("the upstream {:?} has backup servers only: at least one has to be without backup", pool.name),
        );
    }
    let alone = pool.servers.len() == 1;
    if !alone {
        let (window, out) = (Some(FAIL_TIMEOUT_MS), Some(FAIL_TIMEOUT_MS));
        pool.passive =
            Some(Box::new(Passive { max_fails: Some(MAX_FAILS), window_ms: window, out_ms: out, ..Passive::default() }));
    }
    for server in &mut pool.servers {
        server.check.clone_from(&pool.check);
        let single = alone && server.resolution == Resolution::Literal;
        if let Some(passive) = &mut server.passive
            && !alone
        {
            passive.max_fails.get_or_insert(MAX_FAILS);
            passive.window_ms.get_or_insert(FAIL_TIMEOUT_MS);
            passive.out_ms.get_or_insert(FAIL_TIMEOUT_MS);
        }
        let written = server.passive.as_ref().is_some_and(|passive| passive.max_fails.is_some() || passive.out_ms.is_some());
        if single && written {
            let text =
                format!("nginx ignores max_fails and fail_timeout of {}: it is the only server of {}", server.name, pool.name);
            config.tell(crate::balancer::model::Gravity::Note, server.place.clone(), text);
        }
        if single || (alone && !written) {
            server.passive = None;
        }
    }
}

fn zone(config: &mut Config, around: &Around<'_>, directive: &Directive) {
    let name = directive.argument(0).unwrap_or_default();
    match directive.argument(1).map(|size| values::size(size, false)) {
        Some(None) => config.error_in(directive, 1, "zone takes a name and a size such as 64k"),
        // Eight pages of memory.
        Some(Some(size)) if size < 32 << 10 => config.error_in(directive, 1, "a zone needs at least 32k: make it greater"),
        None if around.declared.complete && !around.zones.contains(name) => {
            config.error(directive, format!("the zone {name:?} has no size anywhere: write one after its name, such as 64k"));
        }
        _ => {}
    }
}

fn server(config: &mut Config, around: &Around<'_>, facts: &mut Facts, pool: &mut Pool, directive: &Directive, backups: bool) {
    let written = directive.argument(0).unwrap_or_default();
    let place = config.at(directive);
    let mut server = Server { place: place.clone(), ..Server::default() };
    let mut passive: Option<Box<Passive>> = None;
    let failures = || Box::new(Passive { place: place.clone(), ..Passive::default() });
    let (mut resolve, mut service) = (false, false);
    for (index, word) in directive.arguments.iter().enumerate().skip(1) {
        let (name, value) = word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
        let number = value.and_then(values::number);
        let seconds = value.and_then(values::seconds);
        let fits = match (name, value) {
            ("weight", Some(_)) => {
                server.weight = number.map(|n| Setting::new(u32::try_from(n).unwrap_or(u32::MAX), place.clone()));
                number.is_some_and(|n| n > 0)
            }
            ("max_conns", Some(_)) => {
                server.slots = number.filter(|n| *n > 0).map(|n| Setting::new(n, place.clone()));
                number.is_some()
            }
            ("max_fails", Some(_)) => {
                passive.get_or_insert_with(failures).max_fails = number;
                number.is_some()
            }
            ("fail_timeout", Some(_)) => {
                let passive = passive.get_or_insert_with(failures);
                passive.window_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
                passive.out_ms = passive.window_ms;
                seconds.is_some()
            }
            ("slow_start", Some(_)) => {
                server.slow_start_ms = seconds.map(|seconds| Box::new(Setting::new(seconds.saturating_mul(1000), place.clone())));
                if seconds.is_some() {
                    config.note(directive, "slow_start is for nginx Plus: open source nginx refuses it");
                }
                seconds.is_some()
            }
            ("route", Some(value)) => {
                server.cookie = Some(value.to_owned());
                !around.stream && !value.is_empty()
            }
            ("service", Some(value)) => {
                service = true;
                !value.is_empty()
            }
            ("backup", None) => {
                server.role = Role::Backup;
                if !backups {
                    config.error_in(
                        directive,
                        index,
                        "the method of this upstream takes no backup servers: take backup or the method away",
                    );
                }
                true
            }
            ("down", None) => {
                server.admin = Admin::Maintenance;
                true
            }
            ("drain", None) => {
                server.admin = Admin::Drain;
                !around.stream
            }
            ("resolve", None) => {
                resolve = true;
                true
            }
            _ => false,
        };
        if !fits {
            let wanted = if name == "weight" {
                "weight has to be 1 or more (down takes a server out)"
            } else {
                "correct it or take it away"
            };
            config.error_in(directive, index, format!("a server of an upstream does not take {:?}: {wanted}", word.text));
        }
    }
    match Address::parse(written, false) {
        Err(why) => {
            server.address = written.to_owned();
            config.error_in(directive, 0, format!("{why} in {written:?}: a server is HOST:PORT or unix:/PATH"));
        }
        Ok(address) => {
            if around.stream && address.port.is_none() && !address.host.starts_with("unix:") && !service {
                config.error_in(directive, 0, format!("no port in {written:?}: a server of stream needs one"));
            }
            if service && !resolve {
                config.error(directive, "service needs resolve too");
            }
            if resolve && !address.literal {
                if !facts.zone {
                    config.error(directive, "resolve needs a zone in this upstream: add zone NAME 64k;");
                }
                if !facts.resolver && around.declared.complete {
                    config.error(directive, "resolve needs a resolver in this upstream or around it: add resolver ADDRESS;");
                }
            }
            server.resolution = match (address.literal, resolve) {
                (true, _) => Resolution::Literal,
                (false, true) => Resolution::Followed,
                (false, false) => Resolution::AtStart,
            };
            server.address = with_port(address, (!around.stream && !service).then_some(80));
        }
    }
    server.name = distinct(&mut facts.taken, written);
    server.passive = passive;
    pool.servers.push(server);
}

/// The address with the port that holds where none is written.
pub fn with_port(address: Address, port: Option<u16>) -> String {
    let port = address.port.or_else(|| port.filter(|_| !address.host.starts_with("unix:")));
    Address { port, ..address }.said()
}

/// A name for a server that no other one of the pool has: its address, with a number from the second on.
fn distinct(taken: &mut HashMap<String, usize>, written: &str) -> String {
    let count = taken.entry(written.to_owned()).or_default();
    *count += 1;
    if *count == 1 { written.to_owned() } else { format!("{written}#{count}") }
}

/// The method that a directive chooses, if it chooses one.
fn algorithm(config: &mut Config, around: &Around<'_>, directive: &Directive) -> Option<Algorithm> {
    let name = directive.name.text.as_str();
    let words: Vec<&str> = std::iter::once(name).chain(directive.arguments.iter().map(|word| word.text.as_str())).collect();
    let mut algorithm =
        Algorithm { name: Some(words.join(" ")), written: true, place: config.at(directive), ..Algorithm::default() };
    let refuse = |config: &mut Config, index: usize, wanted: &str| {
        config.error_in(
            directive,
            index,
            format!("{name} takes {wanted} here, not {:?}", directive.argument(index).unwrap_or_default()),
        );
    };
    match name {
        "least_conn" => algorithm.family = Family::LeastConnections,
        "ip_hash" => {
            // The first three numbers of an IPv4 address, the whole of an IPv6 one.
            let expression = "$remote_addr".to_owned();
            algorithm.family = Family::Hash;
            algorithm.hash = Some(Hash { key: HashKey::SourceAddress, expression, ..Hash::default() });
        }
        "hash" => {
            let expression = directive.argument(0).unwrap_or_default().to_owned();
            if declared::variables(&expression)
                .is_ok_and(|found| found.iter().any(|(_, name)| !around.declared.knows(name, around.stream)))
            {
                config.error_in(directive, 0, "hash names a variable that is not declared: correct its name");
            }
            if directive.argument(1).is_some_and(|word| word != "consistent") {
                refuse(config, 1, "consistent or nothing");
            }
            let method = if directive.argument(1).is_some() { HashMethod::Ring } else { HashMethod::Modulo };
            algorithm.family = Family::Hash;
            algorithm.hash = Some(Hash { key: hash_key(&expression), expression, method, ..Hash::default() });
        }
        "random" => {
            algorithm.family = Family::Random;
            algorithm.choices = Some(if directive.argument(0) == Some("two") { 2 } else { 1 });
            if directive.argument(0).is_some_and(|word| word != "two") {
                refuse(config, 0, "two or nothing");
            }
            // nginx Plus takes least_time too.
            if directive.argument(1).is_some_and(|word| word != "least_conn" && !word.starts_with("least_time=")) {
                refuse(config, 1, "least_conn");
            }
        }
        "least_time" => {
            algorithm.family = Family::LeastTime;
            let known = ["header", "last_byte", "connect", "first_byte"];
            if directive.argument(0).is_some_and(|word| !known.contains(&word)) {
                refuse(config, 0, "header or last_byte");
            }
            if directive.argument(1).is_some_and(|word| word != "inflight") {
                refuse(config, 1, "inflight");
            }
        }
        "fair" | "consistent_hash" | "upsync_lb" => {}
        _ if name.starts_with("balancer_by_lua") => {}
        _ => return None,
    }
    Some(algorithm)
}

/// What an expression is made of, as far as one variable says it.
fn hash_key(expression: &str) -> HashKey {
    match declared::variables(expression).as_deref() {
        Ok([(_, name)]) => match *name {
            "remote_addr" | "binary_remote_addr" | "realip_remote_addr" | "proxy_protocol_addr" => HashKey::SourceAddress,
            "request_uri" | "uri" | "document_uri" => HashKey::Uri,
            "args" | "query_string" => HashKey::Query,
            name if name.starts_with("arg_") => HashKey::Query,
            name if name.starts_with("cookie_") => HashKey::Cookie,
            name if name.starts_with("http_") => HashKey::Header,
            _ => HashKey::Expression,
        },
        _ => HashKey::Expression,
    }
}

/// `check interval=3000 rise=2 fall=5 timeout=1000 type=http` of Tengine and its module for nginx.
fn third_party_check(config: &Config, directive: &Directive) -> Check {
    let given = |name: &str| {
        directive
            .arguments
            .iter()
            .find_map(|word| word.text.split_once('=').filter(|(known, _)| *known == name))
            .map(|(_, value)| value)
    };
    let number = |name: &str| given(name).and_then(values::number);
    let kind = match given("type") {
        Some("http") => CheckKind::Http,
        Some("ssl_hello") => CheckKind::Tls,
        Some("mysql" | "ajp" | "fastcgi") => CheckKind::Protocol,
        _ => CheckKind::Tcp,
    };
    Check {
        kind,
        interval_ms: number("interval"),
        timeout_ms: number("timeout"),
        fall: number("fall"),
        rise: number("rise"),
        place: config.at(directive),
        ..Check::default()
    }
}
