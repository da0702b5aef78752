//! Health checks: none, too shallow, or so nervous that they take healthy servers out.

use super::view::{count, is_http, names, number, part, server_names, size, span};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::model::{Check, CheckKind, Family, Pool, Role, Server};
use crate::domain::balancer::BalancerKind;

pub const LB017: Rule = Rule {
    id: "LB017",
    severity: Severity::High,
    title: "servers are not health-checked",
    prevents: "A dead server that keeps its share of the traffic. Seen here: HAProxy without `check` and one of two servers \
               dead, every second request answered 503. Blue Box: the balancing process starved while its heartbeat answered.",
    why: "Nobody asks the server whether it still works, so it stays in turn until people take it out.",
    remedy: "Check a page that fails when the server cannot work.",
    false_positives: "A proxy beside each server that checks by itself. Graded lower where failures of real traffic take a \
                      server out; info for open-source nginx, which has no active checks.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(unchecked),
};

fn unchecked(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let bare = |server: &&Server| server.check.is_none() && server.tracks.is_none();
        let servers: Vec<&Server> = pool.servers.iter().filter(bare).collect();
        if servers.is_empty() {
            continue;
        }
        let nginx = case.model.kind == BalancerKind::Nginx;
        // nginx counts failures unless it is told not to; the others only when it is written.
        let counted = |server: &&Server| max_fails(pool, server).unwrap_or(u64::from(nginx));
        let fails = servers.iter().map(counted).min().unwrap_or(0);
        let grade = match (nginx, fails > 0) {
            (true, true) => Severity::Info,
            (_, false) => Severity::High,
            (false, true) => Severity::Medium,
        };
        let instead = match fails {
            0 => "Nothing takes a dead one out.".to_owned(),
            fails => format!("Only failures of real traffic take a server out (max_fails {fails})."),
        };
        let message = format!(
            "No health check for {} of pool {} ({}). {instead}",
            part(servers.len(), pool.servers.len()),
            pool.name,
            server_names(&servers)
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => {
                "Add `check` to the servers (or to default-server) and `option httpchk` with a page that tells."
            }
            BalancerKind::Nginx => {
                "Open-source nginx has no active checks: watch the servers from outside, and choose max_fails and fail_timeout with care."
            }
            BalancerKind::Envoy => "Add health_checks to the cluster.",
            BalancerKind::Traefik => "Add healthCheck with a path to the load balancer.",
            BalancerKind::Caddy => "Add an active health check with a URI, or at least fail_duration.",
        };
        found.push(
            Finding::pool(pool, message, remedy)
                .graded(grade)
                .also(servers.iter().map(|server| &server.place))
                .with("servers", size(pool.servers.len()))
                .with("unchecked", size(servers.len())),
        );
    }
}

/// Failures of real traffic that take a server out; 0 for never, none where nothing is said.
fn max_fails(pool: &Pool, server: &Server) -> Option<u64> {
    let passive = server.passive.as_ref().or(pool.passive.as_ref())?;
    Some(passive.max_fails.unwrap_or(1))
}

/// Different checks of one pool that are looked at.
const CHECKS_MAX: usize = 32;

/// Each different check of a pool; the pool's own first.
fn checks(pool: &Pool) -> Vec<&Check> {
    let mut found: Vec<(&Check, bool)> = pool.check.iter().map(|check| (&**check, false)).collect();
    let mut own = false;
    for server in &pool.servers {
        let Some(check) = &server.check else { continue };
        own = true;
        match found.iter().position(|(known, _)| **known == **check) {
            Some(at) => found[at].1 = true,
            None if found.len() >= CHECKS_MAX => {}
            None => found.push((check, true)),
        }
    }
    // A pool's check that no server took over stands for all of them, where servers carry none of their own.
    found.into_iter().filter(|(_, used)| *used || !own).map(|(check, _)| check).collect()
}

/// Names of the servers that a check is for: all of them where it is the pool's alone.
fn checked<'a>(pool: &'a Pool, check: &Check) -> Vec<&'a str> {
    let own: Vec<&str> =
        pool.servers.iter().filter(|server| server.check.as_deref() == Some(check)).map(|server| server.name.as_str()).collect();
    if own.is_empty() { pool.servers.iter().map(|server| server.name.as_str()).collect() } else { own }
}

pub const LB018: Rule = Rule {
    id: "LB018",
    severity: Severity::Medium,
    title: "the health check sees less than users do",
    prevents: "A server that answers checks and fails users. Blue Box: the process was starved of memory while its heartbeat \
               answered, and nothing failed over.",
    why: "A connection is accepted by a process that hangs, and a static file is served by one whose database is gone.",
    remedy: "Ask for a page of the application that does a little real work, and expect a status or a word.",
    false_positives: "Simple programs whose every answer is as good as the next.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(shallow),
};

fn shallow(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    const STATIC: [&str; 9] = [".html", ".htm", ".txt", ".ico", ".png", ".gif", ".svg", ".css", ".js"];
    for pool in case.model.pools.iter().filter(|pool| is_http(pool)) {
        for check in checks(pool) {
            let path = check.request.as_deref().unwrap_or_default();
            let file = path.split_whitespace().any(|word| {
                let word = word.split('?').next().unwrap_or_default();
                word.starts_with('/') && STATIC.iter().any(|ending| word.ends_with(ending))
            });
            let why = match check.kind {
                CheckKind::Tcp => "looks only whether a connection is accepted".to_owned(),
                CheckKind::Tls => "looks only whether a TLS handshake succeeds".to_owned(),
                CheckKind::Http if file && check.expects.is_none() => format!("asks for a file ({path})"),
                _ => continue,
            };
            let servers = checked(pool, check);
            let message = format!(
                "The check of pool {} {why}, while users send HTTP requests ({}).",
                pool.name,
                names(servers.iter().copied())
            );
            let remedy = match case.model.kind {
                BalancerKind::Haproxy => {
                    "Add `option httpchk` and `http-check send meth GET uri /PATH` with a page that tells whether the server can work."
                }
                BalancerKind::Envoy => "Use http_health_check with a path that tells whether the server can work.",
                _ => "Check a path that tells whether the server can work.",
            };
            found.push(Finding::pool(pool, message, remedy).at(&check.place).with("servers", size(servers.len())));
            break;
        }
    }
}

pub const LB019: Rule = Rule {
    id: "LB019",
    severity: Severity::High,
    title: "one slow or failed answer takes a server out",
    prevents: "Healthy capacity removed by nervous checks. AWS us-east-1, 20 October 2025: health checks that failed for new \
               nodes, now and then, took healthy capacity away. Chef Supermarket, 2014: far too short check timeouts made \
               servers flap right after the launch.",
    why: "A restart, a pause or a lost packet is enough. Under load all servers answer late at once, so all are taken out \
          at once. Seen here: nine resets in three seconds marked all three peers of an nginx upstream failed, and 130,518 \
          requests got 502.",
    remedy: "Ask for two or three failures in a row, and for a timeout well above a slow answer and below the interval.",
    false_positives: "Pools with many servers and little traffic. Traefik takes a server out after one failed check, \
                      whatever is written, so that only its times are told.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "servers",
        default: 4.0,
        unit: "servers",
        meaning: "largest nginx upstream of which one failure too much is told",
    }],
    check: Some(nervous),
};

fn nervous(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        if let Some(finding) = nervous_check(case.model.kind, pool).or_else(|| nervous_passive(case, settings, pool)) {
            found.push(finding);
        }
    }
}

fn nervous_check(kind: BalancerKind, pool: &Pool) -> Option<Finding> {
    checks(pool).into_iter().find_map(|check| {
        let late = check.timeout_ms.zip(check.interval_ms).filter(|(timeout, interval)| timeout >= interval && *interval > 0);
        // Traefik knows no number of failures: one is always enough, and nothing can be written about it.
        let single = check.fall == Some(1) && kind != BalancerKind::Traefik;
        let message = match (single, late) {
            (true, _) => format!("One failed check takes a server of pool {} out (fall 1).", pool.name),
            (_, Some((timeout, interval))) => format!(
                "A check of pool {} may last {} and the next is due after {}: slow answers pile up and count as failures.",
                pool.name,
                span(timeout),
                span(interval)
            ),
            _ => return None,
        };
        let remedy = match single {
            true => "Ask for 2 or 3 failures in a row.",
            false => "Make the timeout shorter than the interval.",
        };
        // One is Caddy's default, and not somebody's choice.
        let grade = if single && kind == BalancerKind::Caddy { Severity::Medium } else { Severity::High };
        let mut finding = Finding::pool(pool, message, remedy).at(&check.place).graded(grade);
        for (name, value) in [("fall", check.fall), ("timeout_ms", check.timeout_ms), ("interval_ms", check.interval_ms)] {
            if let Some(value) = value {
                finding = finding.with(name, number(value));
            }
        }
        Some(finding)
    })
}

fn nervous_passive(case: &Case<'_>, settings: &Settings, pool: &Pool) -> Option<Finding> {
    let active: Vec<&Server> = pool.servers.iter().filter(|server| server.role == Role::Active).collect();
    let nginx = case.model.kind == BalancerKind::Nginx;
    let default = if nginx { Some(1) } else { None };
    let single = active.iter().find(|server| max_fails(pool, server).or(default) == Some(1))?;
    if active.len() < 2 {
        return None;
    }
    if nginx && size(active.len()) > settings.number("servers") {
        return None;
    }
    let unwritten = if nginx && single.passive.is_none() { ", nginx's default" } else { "" };
    let message = format!(
        "One failed request takes a server of pool {} out (max_fails 1{unwritten}); {} in a bad moment are all of its {}.",
        pool.name,
        count(active.len(), "failure"),
        count(active.len(), "server")
    );
    let remedy = match case.model.kind {
        BalancerKind::Nginx => "Write `max_fails=3 fail_timeout=10s` or so for each server.",
        BalancerKind::Envoy => "Raise consecutive_5xx, and keep max_ejection_percent low.",
        _ => "Ask for 3 or more failures within the window.",
    };
    let finding = Finding::pool(pool, message, remedy).graded(Severity::Medium);
    let place = single.passive.as_ref().map_or(&single.place, |passive| &passive.place);
    Some(finding.at(place).with("max_fails", 1.0).with("servers", size(active.len())))
}

pub const LB031: Rule = Rule {
    id: "LB031",
    severity: Severity::Medium,
    title: "a server that comes back gets everything at once",
    prevents: "A thundering herd onto a cold server. Discord, March 2017: a service came back, all clients returned at once, \
               and the front ends ran out of memory.",
    why: "Least connections sends all new requests to the server with the fewest, which is the one that just came back with \
          cold caches and no connections.",
    remedy: "Let servers start slowly: `slowstart` in HAProxy, slow_start_config in Envoy.",
    false_positives: "Programs that are as fast at once.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_slow_start),
};

fn no_slow_start(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let herd = matches!(pool.algorithm.family, Family::LeastConnections | Family::LeastTime);
        let checked = || pool.servers.iter().any(|server| server.check.is_some());
        let slow = || pool.servers.iter().any(|server| server.slow_start_ms.as_ref().is_some_and(|ms| ms.value > 0));
        if !herd || !checked() || slow() {
            continue;
        }
        let algorithm = pool.algorithm.name.as_deref().unwrap_or("least connections");
        let message =
            format!("A server of pool {} that comes back gets all new requests at once ({algorithm}, no slow start).", pool.name);
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Add `slowstart 30s` or so to default-server.",
            _ => "Add slow_start_config to the load balancing policy.",
        };
        found.push(Finding::pool(pool, message, remedy).at(&pool.algorithm.place).with("servers", size(pool.servers.len())));
    }
}

pub const LB032: Rule = Rule {
    id: "LB032",
    severity: Severity::Medium,
    title: "slow start is written and has no effect",
    prevents: "False safety: the herd comes although the config says that it does not.",
    why: "A turn order or a hash table that is made once cannot grow a server's weight step by step.",
    remedy: "Use a dynamic algorithm (`roundrobin`, `leastconn`, a consistent hash), or take the slow start out.",
    false_positives: "Few.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(slow_start_ignored),
};

fn slow_start_ignored(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    use crate::balancer::model::HashMethod::Modulo;
    for pool in &case.model.pools {
        let algorithm = &pool.algorithm;
        let nginx = case.model.kind == BalancerKind::Nginx;
        // nginx: not along with hash, ip_hash and random (manual, ngx_http_upstream_module, server).
        let fixed = match algorithm.family {
            Family::StaticRoundRobin => true,
            Family::Random => nginx,
            Family::Hash => nginx || algorithm.hash.as_ref().is_some_and(|hash| hash.method == Modulo),
            _ => false,
        };
        if !fixed {
            continue;
        }
        let slow = pool.servers.iter().filter_map(|server| server.slow_start_ms.as_ref()).find(|ms| ms.value > 0);
        let Some(slow) = slow else { continue };
        let name = algorithm.name.as_deref().unwrap_or("its algorithm");
        let message = format!("Pool {} has a slow start of {} and {name} does not regard it.", pool.name, span(slow.value));
        let remedy = "Choose an algorithm that follows weights while running, or take the slow start out.";
        found.push(
            Finding::pool(pool, message, remedy)
                .at(&slow.place)
                .also([&algorithm.place])
                .with("slow_start_ms", number(slow.value)),
        );
    }
}
