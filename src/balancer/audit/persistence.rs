//! How clients are kept on one server: missing, shared too little, ambiguous, or on the wrong key.

use std::cell::LazyCell;

use super::view::{count, is_local, is_private, names, number, size, span};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Bind, Family, HashKey, Listener, Persistence, PersistenceKind, Pool, Server};
use crate::domain::balancer::BalancerKind;

/// Whether the same client comes back to the same server, by persistence or by a hash.
fn keeps_clients(pool: &Pool) -> bool {
    !pool.persistence.is_empty() || pool.algorithm.family == Family::Hash
}

pub const LB009: Rule = Rule {
    id: "LB009",
    severity: Severity::High,
    title: "the servers keep state of their clients, and clients are not kept on a server",
    prevents: "Stale or lost data that comes and goes: a write goes to one server and the next read to another. Seen here \
               with round robin over nodes that keep writes to themselves: every read after a write was stale.",
    why: "Something in the config says that it matters which server a client reaches, and nothing keeps it there.",
    remedy: "Keep clients by a cookie, or move what the servers keep to a store that they share.",
    false_positives: "Leftovers of an earlier set-up; sessions in a shared store. Graded medium where only another pool with the same \
                      servers tells.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(state_without_persistence),
};

fn state_without_persistence(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let sticky = LazyCell::new(|| {
        let pools = case.model.pools.iter().filter(|pool| !pool.persistence.is_empty());
        let servers = pools.flat_map(|pool| pool.servers.iter().map(move |server| (server.address.as_str(), pool)));
        servers.collect::<HashMap<&str, &Pool>>()
    });
    let mut long_poll: HashMap<&str, &str> = HashMap::default();
    for route in &case.model.routes {
        if let Some(condition) = route.condition.as_deref().filter(|condition| condition.contains("socket.io")) {
            long_poll.extend(route.target.pools().map(|pool| (pool, condition)));
        }
    }
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1 && !keeps_clients(pool)) {
        let cookies = pool.servers.iter().filter(|server| server.cookie.is_some()).count();
        let twin = || pool.servers.iter().find_map(|server| sticky.get(server.address.as_str()));
        let (evidence, grade) = if cookies > 0 {
            (format!("{} have a cookie or route value", count(cookies, "server")), Severity::High)
        } else if let Some(condition) = long_poll.get(pool.name.as_str()) {
            (format!("the route `{condition}` leads there, and Socket.IO needs each client on one server"), Severity::High)
        } else if let Some(twin) = twin() {
            (format!("pool {} keeps clients on the same servers", twin.name), Severity::Medium)
        } else {
            continue;
        };
        let message = format!(
            "Pool {} chooses a server anew for every request ({}), but {evidence}.",
            pool.name,
            pool.algorithm.name.as_deref().unwrap_or("default algorithm")
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Add `cookie NAME insert indirect nocache` to the backend, or take the leftovers away.",
            BalancerKind::Nginx => "Add `sticky cookie NAME` or `ip_hash` to the upstream, or take the leftovers away.",
            _ => "Add a sticky cookie or a hash of the client, or take the leftovers away.",
        };
        found.push(Finding::pool(pool, message, remedy).graded(grade).with("servers", size(pool.servers.len())));
    }
}

pub const LB011: Rule = Rule {
    id: "LB011",
    severity: Severity::High,
    title: "clients are told apart by address where many share one",
    prevents: "One hot server: everybody behind one proxy, one office or one mobile network lands on the same server.",
    why: "Behind another proxy all connections come from its address. nginx's ip_hash looks at the first three numbers of an \
          IPv4 address only, so that a whole /24 is one client.",
    remedy: "Hash what the proxy hands on (a header, the PROXY protocol), or use a cookie.",
    false_positives: "Addresses that are put right on the way (`http-request set-src`, nginx's real_ip). How uneven they really are \
                      is decided from traffic.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(address_behind_proxy),
};

fn address_behind_proxy(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let listeners = LazyCell::new(|| case.listeners_of());
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let hash = pool.algorithm.hash.as_ref().filter(|hash| hash.key == HashKey::SourceAddress);
        let table = pool.persistence.iter().find(|p| p.kind == PersistenceKind::Table && p.key.trim() == "src");
        let (said, place) = match (hash, table) {
            (Some(_), _) => (pool.algorithm.name.as_deref().unwrap_or("a hash of the source address"), &pool.algorithm.place),
            (None, Some(table)) => (table.said.as_str(), &table.place),
            (None, None) => continue,
        };
        let binds = listeners.get(pool.name.as_str()).into_iter().flatten().flat_map(|listener| &listener.binds);
        let binds: Vec<&Bind> = binds.collect();
        // The PROXY protocol brings the client's own address.
        if binds.is_empty() || binds.iter().any(|bind| bind.proxy_protocol) {
            continue;
        }
        let remedy = "Hash what the proxy in front hands on (X-Forwarded-For, PROXY protocol), or keep clients by a cookie.";
        let finding = if binds.iter().all(|bind| is_local(&bind.address)) {
            let message = format!(
                "Pool {} tells clients apart by address ({said}), but only programs of this machine can connect ({}): all \
                 requests have one address.",
                pool.name,
                names(binds.iter().map(|bind| bind.address.as_str()))
            );
            Finding::pool(pool, message, remedy)
        } else if pool.algorithm.name.as_deref() == Some("ip_hash") && binds.iter().all(|bind| is_private(bind)) {
            let message = format!(
                "Pool {} uses ip_hash on a private network ({}): addresses that differ in the last number only go to one server.",
                pool.name,
                names(binds.iter().map(|bind| bind.address.as_str()))
            );
            Finding::pool(pool, message, "Use `hash $remote_addr consistent` instead.").graded(Severity::Medium)
        } else {
            continue;
        };
        found.push(finding.at(place).also(binds.iter().map(|bind| &bind.place)).with("servers", size(pool.servers.len())));
    }
}

pub const LB014: Rule = Rule {
    id: "LB014",
    severity: Severity::Medium,
    title: "who belongs where is forgotten at a reload or on the other balancer",
    prevents: "Lost sessions at a fail-over or a reload, when everything else went well.",
    why: "The table lives in one process. A reload starts an empty one, and a second balancer never had it.",
    remedy: "Share the table: `peers` in HAProxy (a peer of its own keeps it over a reload), a shared zone in nginx.",
    false_positives: "One balancer that is never reloaded while people work.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(table_not_shared),
};

fn table_not_shared(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let tables = pool.persistence.iter().filter(|p| p.kind == PersistenceKind::Table && !p.shared);
        let tables: Vec<&Persistence> = tables.collect();
        let Some(first) = tables.first() else { continue };
        let message =
            format!("Pool {} remembers in a table of this process alone which client belongs where ({}).", pool.name, first.said);
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => {
                "Add `peers NAME` to the stick-table, with a peers section that names this and the other balancers."
            }
            _ => "Give the table a shared zone, or keep clients by a cookie.",
        };
        found.push(Finding::pool(pool, message, remedy).at(&first.place));
    }
}

pub const LB015: Rule = Rule {
    id: "LB015",
    severity: Severity::High,
    title: "two servers answer to the same cookie or route",
    prevents: "Sessions that end on the wrong server: a client that belongs to the second is sent to the first for ever.",
    why: "The value in the client's cookie says which server it belongs to. The first server with that value takes all of \
          them, the other gets none back.",
    remedy: "Give each server a value of its own.",
    false_positives: "A backup that takes over the sessions of its active server on purpose is not told.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(same_cookie),
};

fn same_cookie(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let mut owners: Vec<(&str, &Server)> = Vec::new();
    for view in case.views() {
        owners.clear();
        owners.extend(view.active().filter_map(|server| Some((server.cookie.as_deref()?, server))));
        owners.sort_by_key(|(cookie, _)| *cookie);
        for servers in owners.chunk_by(|a, b| a.0 == b.0).filter(|servers| servers.len() > 1) {
            let cookie = servers[0].0;
            let servers: Vec<&Server> = servers.iter().map(|(_, server)| *server).collect();
            let message = format!(
                "{} of pool {} answer to the same cookie or route, {cookie}.",
                names(servers.iter().map(|server| server.name.as_str())),
                view.pool.name
            );
            let last = servers[servers.len() - 1];
            let others = servers.iter().take(servers.len() - 1).map(|server| &server.place);
            let finding = Finding::server(view.pool, last, message, format!("Give {} a value of its own.", last.name));
            found.push(finding.also(others).with("servers", size(servers.len())));
        }
    }
}

pub const LB016: Rule = Rule {
    id: "LB016",
    severity: Severity::Low,
    title: "the balancer's cookie lacks a safeguard or ends early",
    prevents: "People thrown out in the middle of their work, and a cookie that scripts and plain connections can read.",
    why: "The cookie names a server. Without HttpOnly scripts read it, without Secure it crosses the network in clear, \
          without SameSite other sites send it along; and when it ends before the session does, the client moves.",
    remedy: "Set HttpOnly, SameSite and, where listeners speak TLS, Secure; let it live as long as the session.",
    false_positives: "A matter of taste where the value tells nothing.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "seconds",
        default: 1800.0,
        unit: "s",
        meaning: "shortest life of a cookie that is not told; a session's usual length",
    }],
    check: Some(weak_cookie),
};

/// Whether the balancer makes the cookie; one of the application's own is the application's matter.
fn is_made_here(kind: BalancerKind, cookie: &Persistence) -> bool {
    cookie.kind == PersistenceKind::Cookie
        && (kind != BalancerKind::Haproxy || cookie.said.split_whitespace().any(|w| w == "insert"))
}

fn weak_cookie(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let listeners = case.listeners_of();
    for pool in &case.model.pools {
        let tls = |listener: &&Listener| listener.binds.iter().any(|bind| bind.tls);
        let tls = listeners.get(pool.name.as_str()).is_some_and(|listeners| listeners.iter().any(tls));
        for cookie in pool.persistence.iter().filter(|cookie| is_made_here(case.model.kind, cookie)) {
            let safeguards = [(cookie.http_only, "HttpOnly"), (cookie.secure || !tls, "Secure"), (cookie.same_site, "SameSite")];
            let missing: Vec<&str> = safeguards.iter().filter(|(has, _)| !has).map(|(_, name)| *name).collect();
            let life = cookie.expires_ms.filter(|ms| *ms > 0 && number(*ms) < 1000.0 * settings.number("seconds"));
            let lacks = || format!("has no {}", names(missing.iter().copied()));
            let said = match life.map(|ms| format!("ends after {}", span(ms))) {
                None if missing.is_empty() => continue,
                None => lacks(),
                Some(ends) if missing.is_empty() => ends,
                Some(ends) => format!("{} and {ends}", lacks()),
            };
            let message = format!("Cookie {} of pool {} {said}.", cookie.key, pool.name);
            let remedy = match case.model.kind {
                BalancerKind::Haproxy => {
                    "Add `httponly`, `attr SameSite=Lax` and, with TLS, `secure` to the cookie line; choose `maxidle` and `maxlife` by the session."
                }
                _ => "Set the attributes where the cookie is configured, and let it live as long as the session.",
            };
            let finding = Finding::pool(pool, message, remedy).at(&cookie.place).about(format!("cookie {}", cookie.key));
            found.push(finding.with("missing", size(missing.len())).with("seconds", number(life.unwrap_or(0)) / 1000.0));
        }
    }
}

pub const LB030: Rule = Rule {
    id: "LB030",
    severity: Severity::Medium,
    title: "clients stay tied to a server that does not answer",
    prevents: "Some people see nothing but errors while most see none, so that it looks like their own fault.",
    why: "A client whose cookie names a server is sent there until checks take it out. Without redispatch all its tries go to \
          the same dead server.",
    remedy: "Add `option redispatch` to the backend or its defaults.",
    false_positives: "Data that only one server has, so that another server would answer wrongly.",
    kinds: &[BalancerKind::Haproxy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_redispatch),
};

fn no_redispatch(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let tied = pool.persistence.iter().find(|p| matches!(p.kind, PersistenceKind::Cookie | PersistenceKind::Table));
        let Some(tied) = tied else { continue };
        if pool.retry.redispatch.as_ref().is_some_and(|redispatch| redispatch.value) {
            continue;
        }
        let message = format!(
            "Clients of pool {} are tied to their server ({}), and option redispatch is off: while it refuses connections, \
             all their tries fail.",
            pool.name, tied.said
        );
        found.push(Finding::pool(pool, message, "Add `option redispatch` to the backend or its defaults.").at(&tied.place));
    }
}
