//! Times: missing, endless, far too long, or at odds with the other side.

use super::view::{is_http, number, size, span};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::maps::HashSet;
use crate::balancer::model::{Listener, Pool, Setting, Timeouts};
use crate::domain::balancer::BalancerKind;

pub const LB021: Rule = Rule {
    id: "LB021",
    severity: Severity::High,
    title: "the balancer waits much longer for servers than clients wait for it",
    prevents: "Slots full of requests that nobody waits for. Known from the field: one third party that hangs holds every \
               request for the full timeout, and the whole site stands still.",
    why: "A request that hangs holds a slot, a connection and memory for the whole timeout. Clients and people give up after \
          some seconds and try again, which takes the next slot.",
    remedy: "Set the server timeout a little above the slowest good answer; give uploads and long polls a pool of their own.",
    false_positives: "Uploads, long polls, reports. Graded low unless `normal_seconds` says what is normal.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[
        Parameter { name: "seconds", default: 30.0, unit: "s", meaning: "longest server timeout that is not told" },
        Parameter { name: "normal_seconds", default: 0.0, unit: "s", meaning: "slowest good answer (p99); 0 for unknown" },
        Parameter {
            name: "times",
            default: 20.0,
            unit: "times",
            meaning: "how many times the slowest good answer the timeout may be",
        },
    ],
    check: Some(long_wait),
};

fn long_wait(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let normal = settings.number("normal_seconds");
    for way in case.ways().into_iter().filter(|way| is_http(way.pool) && !way.pool.servers.is_empty()) {
        let Some(timeout) =
            way.timeouts.server.as_ref().or(way.timeouts.request.as_ref()).filter(|timeout| timeout.place.is_written())
        else {
            continue;
        };
        let seconds = number(timeout.value) / 1000.0;
        if seconds <= settings.number("seconds") || (normal > 0.0 && seconds <= normal * settings.number("times")) {
            continue;
        }
        let compared = if normal > 0.0 {
            format!(", {:.0} times the slowest good answer of {normal} s", seconds / normal)
        } else {
            String::new()
        };
        let message = format!("Pool {} waits {} for a server{}{compared}.", way.pool.name, span(timeout.value), way.said());
        let finding = way.finding(message, "Lower it to a little above the slowest good answer.").at(&timeout.place);
        let grade = if normal > 0.0 { Severity::High } else { Severity::Low };
        found.push(finding.graded(grade).with("seconds", seconds).with("limit_seconds", settings.number("seconds")));
    }
}

pub const LB026: Rule = Rule {
    id: "LB026",
    severity: Severity::High,
    title: "a timeout is missing or endless",
    prevents: "Connections that never end and fill the process up, after a network fault that lasted a minute.",
    why: "HAProxy waits for ever where no timeout is written, and warns of it at each start. A peer that vanished without a \
          word holds its connection until the process is restarted.",
    remedy: "Write `timeout connect`, `timeout client` and `timeout server` into defaults.",
    false_positives: "Few. In Envoy an endless route timeout is right for streams.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_timeout),
};

fn no_timeout(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let haproxy = case.model.kind == BalancerKind::Haproxy;
    let lacks = |timeout: &Option<Setting<u64>>| timeout.as_ref().map_or(haproxy, Setting::is_zero);
    let remedy = |missing: &[&str]| match haproxy {
        true => format!(
            "Write {} into defaults.",
            missing.iter().map(|name| format!("`timeout {name}`")).collect::<Vec<_>>().join(", ")
        ),
        false => "Set the route's timeout, or a max_stream_duration for streams.".to_owned(),
    };
    for pool in case.model.pools.iter().filter(|pool| !pool.servers.is_empty()) {
        let Timeouts { connect, server, request, .. } = &pool.timeouts;
        let missing: Vec<&str> = match haproxy {
            true => [("connect", connect), ("server", server)].iter().filter(|(_, t)| lacks(t)).map(|(name, _)| *name).collect(),
            false => [("route", request)].iter().filter(|(_, t)| lacks(t)).map(|(name, _)| *name).collect(),
        };
        if missing.is_empty() {
            continue;
        }
        let message = format!("Pool {} has no {}: it waits for ever.", pool.name, said(&missing));
        let place =
            [server, connect, request].into_iter().flatten().find(|timeout| timeout.is_zero()).map(|timeout| &timeout.place);
        let finding = Finding::pool(pool, message, remedy(&missing));
        let finding = if let Some(place) = place { finding.at(place) } else { finding };
        found.push(finding.with("missing", size(missing.len())));
    }
    if !haproxy {
        return;
    }
    let routed: HashSet<&str> = case.model.routes.iter().map(|route| route.listener.as_str()).collect();
    let used = |listener: &&Listener| routed.contains(listener.name.as_str());
    for listener in case.model.listeners.iter().filter(used).filter(|listener| lacks(&listener.timeouts.client)) {
        let message = format!("Listener {} has no `timeout client`: it waits for a silent client for ever.", listener.name);
        found.push(Finding::listener(listener, message, remedy(&["client"])).with("missing", 1.0));
    }
}

fn said(missing: &[&str]) -> String {
    missing.iter().map(|name| format!("{name} timeout")).collect::<Vec<_>>().join(" and ")
}

pub const LB055: Rule = Rule {
    id: "LB055",
    severity: Severity::Medium,
    title: "the balancer keeps idle connections longer than the servers do",
    prevents: "Single 502s at quiet times that nobody can reproduce.",
    why: "The server closes an idle connection at the moment at which the balancer sends the next request on it.",
    remedy: "Let the balancer close idle connections some seconds before the servers do.",
    false_positives: "Requests that are safely tried again. Silent until the parameter `server_seconds` is set: the servers' \
                      own time stands in their config.",
    kinds: &[BalancerKind::Nginx, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "server_seconds",
        default: 0.0,
        unit: "s",
        meaning: "after how long servers close an idle connection (Node.js 5, Apache 5, Gunicorn 2); 0 for unknown",
    }],
    check: Some(idle_order),
};

/// Where nothing is written, nginx keeps idle upstream connections for 60 s, Envoy for an hour (their manuals).
fn idle_default(kind: BalancerKind) -> u64 {
    if kind == BalancerKind::Nginx { 60_000 } else { 3_600_000 }
}

fn idle_order(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let servers = settings.number("server_seconds");
    let keeps =
        |pool: &&Pool| case.model.kind != BalancerKind::Nginx || pool.limits.keepalive.as_ref().is_some_and(|k| k.value > 0);
    for pool in case.model.pools.iter().filter(|pool| servers > 0.0 && is_http(pool)).filter(keeps) {
        let written = pool.timeouts.keepalive.as_ref();
        let idle = written.map_or_else(|| idle_default(case.model.kind), |timeout| timeout.value);
        if idle > 0 && number(idle) < 1000.0 * servers {
            continue;
        }
        let said = if idle == 0 { "without end".to_owned() } else { format!("for {}", span(idle)) };
        let message = format!("Pool {} keeps idle connections {said}, and its servers close them after {servers} s.", pool.name);
        let remedy = format!("Let the balancer close them after {:.0} s.", (servers - 1.0).max(1.0));
        let finding = Finding::pool(pool, message, remedy);
        let finding = if let Some(written) = written { finding.at(&written.place) } else { finding };
        found.push(finding.with("balancer_seconds", number(idle) / 1000.0).with("server_seconds", servers));
    }
}

pub const LB056: Rule = Rule {
    id: "LB056",
    severity: Severity::Low,
    title: "kept connections to servers are written and have no effect",
    prevents: "Ports that run out under load, because every request opens a connection of its own.",
    why: "Before 1.29.7 nginx speaks HTTP/1.0 to servers and sends `Connection: close`. The `keepalive` line alone keeps \
          nothing.",
    remedy: "Add `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";` beside the proxy_pass.",
    false_positives: "Few.",
    kinds: &[BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(inert_keepalive),
};

fn inert_keepalive(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.limits.keepalive_inert) {
        let Some(keepalive) = pool.limits.keepalive.as_ref().filter(|keepalive| keepalive.value > 0) else { continue };
        let message = format!(
            "Upstream {} keeps {} connections by its config and none in fact: each request closes its own.",
            pool.name, keepalive.value
        );
        let remedy = "Add `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";` beside the proxy_pass.";
        found.push(Finding::pool(pool, message, remedy).at(&keepalive.place).with("keepalive", number(keepalive.value)));
    }
}
