//! Where requests go: names that are looked up once, routes that are never taken, pools that are not there.

use std::collections::BTreeMap;

use super::view::{count, names, server_names, size};
use super::{Case, Finding, Needs, Rule, Settings, Severity};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Mode, Model, Resolution, Route, Server, Target};
use crate::domain::balancer::BalancerKind;

pub const LB040: Rule = Rule {
    id: "LB040",
    severity: Severity::High,
    title: "names of servers are looked up once, at start",
    prevents: "Traffic to addresses that belong to nobody or to somebody else. Slack, 12 May 2020: hours after the list stopped \
               following, it held only dead hosts.",
    why: "Clouds and container platforms give a name new addresses at any time. A balancer that asked once goes on with the \
          old ones until it is reloaded, and does not start at all while the name cannot be resolved.",
    remedy: "Let it follow the name: `resolvers` in HAProxy, `resolve` with a `resolver` and a `zone` in nginx (1.27.3 and later).",
    false_positives: "Names whose addresses never change.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(resolved_once),
};

fn resolved_once(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in &case.model.pools {
        let fixed = |server: &Server| server.resolution != Resolution::AtStart || server.address.starts_with("localhost");
        let once: Vec<&Server> = pool.servers.iter().filter(|server| !fixed(server)).collect();
        let Some(first) = once.first() else { continue };
        let message = format!(
            "The names of {} of pool {} are looked up only at start: {} ({}).",
            count(once.len(), "server"),
            pool.name,
            first.address,
            server_names(&once)
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Add a resolvers section, and `resolvers NAME init-addr libc,none` to the servers.",
            BalancerKind::Nginx => {
                "Add `resolve` to the servers, a `zone` to the upstream and a `resolver` (nginx 1.27.3 and later)."
            }
            _ => "Use a cluster of type STRICT_DNS or LOGICAL_DNS.",
        };
        found.push(
            Finding::pool(pool, message, remedy)
                .at(&first.place)
                .also(once.iter().skip(1).map(|s| &s.place))
                .with("servers", size(once.len())),
        );
    }
}

pub const LB047: Rule = Rule {
    id: "LB047",
    severity: Severity::Medium,
    title: "requests fall to a place that nobody chose, or a route is never taken",
    prevents: "Traffic that reaches the wrong pool. npm, 28 January 2014: after a restart the first backend of the list was \
               the one that got everything.",
    why: "What matches no route goes to the default or gets an error, and a route behind one that takes everything is dead: \
          the config reads as if it worked. Where no server of nginx is the `default_server` of its address, the first \
          one of the file is, and files are often read by their names.",
    remedy: "Name a default on purpose, and put the route that takes everything last.",
    false_positives: "Listeners that refuse what they do not know; graded low where only a default is missing. That no \
                      router of Traefik takes the rest is not told: it answers 404.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(fallen_through),
};

fn fallen_through(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let routes = case.routes_by_listener();
    if case.model.kind == BalancerKind::Nginx {
        first_of_address(case.model, found);
        for route in &case.model.routes {
            let Some(definition) = route.definitions.iter().find(|definition| definition.contains(NO_DEFAULT)) else { continue };
            let message = format!("A route of listener {} asks a map that has no default: {definition}.", route.listener);
            let remedy = "Add `default POOL;` to the map: without it other values lead nowhere and get 500.";
            let subject = format!("map of {}{}", route.listener, route.condition.as_deref().unwrap_or_default());
            found.push(Finding::process(&subject, &route.place, message, remedy));
        }
    }
    for listener in &case.model.listeners {
        let Some(routes) = routes.get(listener.name.as_str()) else { continue };
        if let Some((dead, taker)) = first_dead(case.model, routes) {
            let message = format!(
                "Listener {} never takes its route to {}: the one to {} before it takes those requests.",
                listener.name,
                said(dead),
                said(taker)
            );
            let remedy = "Put it before that one, or take it out.";
            found.push(
                Finding::listener(listener, message, remedy)
                    .about(format!("dead route of {}", listener.name))
                    .at(&dead.place)
                    .also([&taker.place]),
            );
        }
        let falls = routes.iter().any(|route| route.condition.is_none());
        let to_pools = routes.iter().filter(|route| route.target.pools().next().is_some()).count();
        if case.model.kind == BalancerKind::Haproxy && !falls && to_pools > 0 {
            let message = format!(
                "Listener {} has {} with conditions and no default: other requests get 503.",
                listener.name,
                count(to_pools, "route")
            );
            let remedy =
                "Add `default_backend`, or refuse the rest with a status of your own (`http-request deny deny_status 404`).";
            found.push(Finding::listener(listener, message, remedy).graded(Severity::Low).with("routes", size(to_pools)));
        }
    }
}

/// What nginx's reader writes behind a map that says nothing of the rest.
const NO_DEFAULT: &str = "(no default)";

/// Servers of nginx that take requests for unknown hosts only because they stand first.
fn first_of_address(model: &Model, found: &mut Vec<Finding>) {
    let mut firsts: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let mut seen: HashMap<&str, Vec<usize>> = HashMap::default();
    for (at, listener) in model.listeners.iter().enumerate().filter(|(_, listener)| listener.mode == Mode::Http) {
        for bind in &listener.binds {
            seen.entry(&bind.address).or_default().push(at);
        }
    }
    let binds = model.listeners.iter().flat_map(|listener| &listener.binds).filter(|bind| bind.default_server);
    let chosen: HashSet<&str> = binds.map(|bind| bind.address.as_str()).collect();
    for (address, servers) in seen {
        let first = &model.listeners[servers[0]];
        let hosts = !first.hosts.is_empty() && !first.hosts.iter().any(|host| matches!(host.as_str(), "" | "_"));
        if servers.len() > 1 && hosts && !chosen.contains(address) {
            firsts.entry(servers[0]).or_default().push(address);
        }
    }
    for (at, mut addresses) in firsts {
        addresses.sort_unstable();
        let listener = &model.listeners[at];
        let message = format!(
            "Requests to {} for hosts that no server names go to {}: it stands first, and no one is the default.",
            names(addresses),
            listener.name
        );
        let remedy = "Write `default_server` where they shall go, such as a server that answers `return 444;`.";
        let finding = Finding::listener(listener, message, remedy).about(format!("default of {}", listener.name));
        found.push(finding.graded(Severity::Low));
    }
}

/// "api (if { path_beg /api })".
fn said(route: &Route) -> String {
    let pools: Vec<&str> = route.target.pools().collect();
    let pools = if pools.is_empty() { "an answer of its own".to_owned() } else { names(pools) };
    route.condition.as_ref().map_or_else(|| pools.clone(), |condition| format!("{pools} ({condition})"))
}

/// The first route that can never be taken, with the one that takes its requests: the rest goes there, or it asks for
/// exactly the same. Conditions that are read only sometimes (`.if`) take nothing for sure.
fn first_dead<'a>(model: &Model, routes: &[&'a Route]) -> Option<(&'a Route, &'a Route)> {
    if model.kind == BalancerKind::Nginx {
        // Of locations the order says nothing. An answer of the server itself comes before all but named ones.
        let taker = routes.iter().position(|route| match (&route.condition, &route.target) {
            (None, Target::Other { said }) => said.starts_with("return"),
            _ => false,
        })?;
        let named = |route: &Route| route.condition.as_ref().is_some_and(|said| said.starts_with("location @"));
        let dead = routes[taker + 1..].iter().find(|route| route.target.pools().next().is_some() && !named(route))?;
        return Some((dead, routes[taker]));
    }
    let mut all: Option<&Route> = None;
    let mut seen: HashMap<&str, &Route> = HashMap::default();
    for route in routes {
        if let Some(taker) = all.or_else(|| seen.get(route.condition.as_deref()?).copied()) {
            return Some((route, taker));
        }
        // A choice per request may name no pool, and then goes on to the next route.
        let sure = route.place.when().is_none() && !matches!(route.target, Target::Dynamic { .. } | Target::Other { .. });
        match route.condition.as_deref() {
            None if sure => all = Some(route),
            Some(condition) if sure => _ = seen.insert(condition, route),
            _ => {}
        }
    }
    None
}

pub const LB049: Rule = Rule {
    id: "LB049",
    severity: Severity::High,
    title: "a route leads to a pool that is not there",
    prevents: "A reload that fails, or requests that fail after one. Vapor Cloud, October 2017: all balancers were down after \
               a reload.",
    why: "HAProxy and nginx refuse to start with it, so the next reload fails, perhaps at night. Envoy, Traefik and choices \
          per request are taken in, and each such request gets an error.",
    remedy: "Write the pool, or mend its name in the route.",
    false_positives: "Pools that another provider or file adds: give all files of the config.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(unknown_pool),
};

fn unknown_pool(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let pools: HashSet<&str> = case.model.pools.iter().map(|pool| pool.name.as_str()).collect();
    let mut told: HashSet<(&str, &str)> = HashSet::default();
    for route in &case.model.routes {
        for name in route.target.pools() {
            if pools.contains(name) || name.is_empty() || !told.insert((route.listener.as_str(), name)) {
                continue;
            }
            let message = format!("A route of listener {} leads to pool {name}, which is nowhere.", route.listener);
            let near = if told.len() > NEAR_MAX { None } else { nearest(name, case.model) };
            let near = near.map(|near| format!(" Is {near} meant?")).unwrap_or_default();
            let finding = Finding::process(
                &format!("route from {} to {name}", route.listener),
                &route.place,
                message,
                format!("Write pool {name}, or mend the route.{near}"),
            );
            found.push(finding);
        }
    }
}

/// Findings for which a near name is looked for: beyond, the config is of another kind of wrong.
const NEAR_MAX: usize = 20;

/// A known name that differs only in case, or in one character more or less.
fn nearest<'a>(name: &str, model: &'a Model) -> Option<&'a str> {
    let close = |other: &&str| {
        let (a, b) = (name.to_lowercase(), other.to_lowercase());
        let front = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().skip(front).collect(), b.chars().skip(front).collect());
        let back = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        a.len() - back <= 1 && b.len() - back <= 1
    };
    model.pools.iter().map(|pool| pool.name.as_str()).find(close)
}
