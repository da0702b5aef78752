//! Who can serve at all: pools with one server or none, lists of servers that are mostly dead.

use std::cell::LazyCell;

use super::view::{View, capital, count, is_down, names, part, percent, server_names, size};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Resolution, Server};
use crate::domain::balancer::BalancerKind;

pub const LB001: Rule = Rule {
    id: "LB001",
    severity: Severity::Critical,
    title: "one server carries the whole pool",
    prevents: "Concentration on one server, which falls over and takes the pool with it. Cloudflare, 17 July 2020: a router \
               change drew the traffic of two continents into Atlanta. Mailgun: while the secondaries were overloaded, a \
               change sent all their traffic to the primary.",
    why: "Several servers are listed, so people and dashboards believe in spare capacity, but weights, drains or health \
          leave one that gets new traffic. It was dimensioned for its share, not for all of it.",
    remedy: "Give the other servers their weight back and end their drain or maintenance, a few at a time. Where one server \
             is meant to stand by, mark it as backup.",
    false_positives: "A planned pair of active and standby, or blue and green, written with weights instead of backup. Graded \
                      high where a backup can step in.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "percent",
        default: 90.0,
        unit: "%",
        meaning: "share of the pool's weight on one server from which it counts as all",
    }],
    check: Some(one_server_carries_all),
};

fn one_server_carries_all(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let (mut all, mut usable, mut total, mut most) = (0, 0, 0.0, 0.0);
        let mut heaviest = None;
        for server in view.active() {
            all += 1;
            if !view.usable(server) {
                continue;
            }
            usable += 1;
            let capacity = view.capacity(server);
            total += capacity;
            if capacity >= most {
                (most, heaviest) = (capacity, Some(server));
            }
        }
        let Some(heaviest) = heaviest.filter(|_| all > 1 && total > 0.0) else { continue };
        let share = 100.0 * most / total;
        if usable > 1 && share <= settings.number("percent") {
            continue;
        }
        let active: Vec<&Server> = view.active().collect();
        let pool = &view.pool.name;
        let message = if usable == 1 {
            format!(
                "Only {} of {} of pool {pool} gets new traffic {}: {}.",
                heaviest.name,
                count(active.len(), if view.backups().next().is_some() { "active server" } else { "server" }),
                if case.has_state { "now" } else { "by the config" },
                said_out(&view, &active)
            )
        } else {
            format!(
                "{} gets {} of the traffic of pool {pool}: its weight is {} and the other {} have {} together.",
                heaviest.name,
                percent(share),
                view.weight(heaviest),
                count(active.len() - 1, "server"),
                total - most
            )
        };
        let remedy = if usable == 1 {
            format!("Bring {} back, a few at a time, or mark what stands by as backup.", server_names(&out(&view, &active)))
        } else {
            format!("Set the weights of pool {pool} to what each server can carry.")
        };
        let others = active.iter().filter(|server| server.name != heaviest.name);
        // Somebody thought of what happens when it goes.
        let grade = if view.backups().any(|server| view.usable(server)) { Severity::High } else { Severity::Critical };
        found.push(
            Finding::pool(view.pool, message, remedy)
                .graded(grade)
                .also(others.map(|server| server.weight.as_ref().map_or(&server.place, |weight| &weight.place)))
                .with("servers", size(active.len()))
                .with("usable", size(usable))
                .with("share_percent", share),
        );
    }
}

fn out<'a>(view: &View<'_>, servers: &[&'a Server]) -> Vec<&'a Server> {
    servers.iter().copied().filter(|server| !view.usable(server)).collect()
}

/// "s2 and s3 are at weight 0, s4 is down".
fn said_out(view: &View<'_>, servers: &[&Server]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for server in servers {
        let Some(why) = view.why_out(server) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, members)) => members.push(&server.name),
            None => groups.push((why, vec![&server.name])),
        }
    }
    let said = groups.into_iter().map(|(why, members)| {
        let verb = if members.len() == 1 { "is" } else { "are" };
        format!("{} {verb} {why}", names(members))
    });
    said.collect::<Vec<_>>().join(", ")
}

pub const LB002: Rule = Rule {
    id: "LB002",
    severity: Severity::Critical,
    title: "no server of the pool can get traffic",
    prevents: "A total outage with servers that are up: HAProxy answers every request with 503 while it shows its servers UP \
               at weight 0. Slack, 12 May 2020: the balancers' list held only old, dead hosts, and every request failed.",
    why: "The sum of the effective weights of usable servers is 0 and no backup can step in, so each request that is routed \
          here fails.",
    remedy: "Give at least one server weight and let it serve; a pool that is closed on purpose should answer with a page of \
             its own.",
    false_positives: "Few: a pool that is kept for later and that no route leads to is graded low.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(nobody_serves),
};

fn nobody_serves(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let routed = LazyCell::new(|| case.routed());
    for view in case.views() {
        if view.pool.servers.iter().any(|server| view.usable(server)) {
            continue;
        }
        let servers: Vec<&Server> = view.pool.servers.iter().collect();
        if servers.is_empty() {
            continue;
        }
        let pool = &view.pool.name;
        let finding = Finding::pool(
            view.pool,
            format!("None of {} of pool {pool} gets traffic: {}.", count(servers.len(), "server"), said_out(&view, &servers)),
            format!("Bring {} back, or take the pool out of the routes.", server_names(&servers)),
        );
        let grade = if routed.contains(pool.as_str()) { Severity::Critical } else { Severity::Low };
        found.push(finding.graded(grade).also(servers.iter().map(|server| &server.place)).with("servers", size(servers.len())));
    }
}

pub const LB033: Rule = Rule {
    id: "LB033",
    severity: Severity::Medium,
    title: "the pool has a single server",
    prevents: "An outage with each restart of one machine. mybinder, 22 February 2018, and 2i2c, January 2023: one ingress \
               was all there was.",
    why: "Nothing can take over while this server restarts, is deployed or fails, and nginx does not even count its failures.",
    remedy: "Add a second server, or a backup that answers in a limited way.",
    false_positives: "Development; a name behind which a platform balances again. Names that are followed while running are \
                      left out.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(single_server),
};

fn single_server(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let routed = LazyCell::new(|| case.routed());
    for view in case.views() {
        let [server] = view.pool.servers.as_slice() else { continue };
        if server.resolution == Resolution::Followed || view.pool.discovered || !routed.contains(view.pool.name.as_str()) {
            continue;
        }
        found.push(
            Finding::server(
                view.pool,
                server,
                format!("Pool {} has 1 server, {}: while it is away, every request fails.", view.pool.name, server.name),
                "Add a second server or a backup.".to_owned(),
            )
            .with("servers", 1.0),
        );
    }
}

pub const LB041: Rule = Rule {
    id: "LB041",
    severity: Severity::Critical,
    title: "most servers of the list are dead",
    prevents: "A stale list of servers. Slack, 12 May 2020: the slots of the balancers were full, the sync of members failed \
               unseen, and hours later the list held only hosts that no longer existed.",
    why: "When more than half of a list is down, either the service is failing or the list is no longer true. The rest \
          carries everything, and the next servers that go leave none.",
    remedy: "Compare the list with what really runs (service discovery, cloud API), and mend the sync before the servers.",
    false_positives: "A pool whose spare slots are down on purpose; disable them instead.",
    kinds: BalancerKind::ALL,
    needs: Needs::State,
    parameters: &[
        Parameter { name: "percent", default: 50.0, unit: "%", meaning: "share of servers down above which the list is doubted" },
        Parameter { name: "servers", default: 3.0, unit: "servers", meaning: "smallest list that is looked at" },
    ],
    check: Some(mostly_dead),
};

fn mostly_dead(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let servers = &view.pool.servers;
        let down: Vec<&Server> = servers.iter().filter(|server| is_down(server)).collect();
        if servers.is_empty() {
            continue;
        }
        let share = 100.0 * size(down.len()) / size(servers.len());
        if size(servers.len()) < settings.number("servers") || share <= settings.number("percent") {
            continue;
        }
        found.push(
            Finding::pool(
                view.pool,
                format!(
                    "{} of pool {} are down ({}): {}.",
                    capital(&part(down.len(), servers.len())),
                    view.pool.name,
                    percent(share),
                    server_names(&down)
                ),
                "Check first whether these servers still exist, then why they fail.",
            )
            .also(down.iter().map(|server| &server.place))
            .with("servers", size(servers.len()))
            .with("down", size(down.len()))
            .with("down_percent", share),
        );
    }
}

pub const LB048: Rule = Rule {
    id: "LB048",
    severity: Severity::Critical,
    title: "a change leaves a pool without servers, or the balancer without routes",
    prevents: "An empty config that is taken for a good one. Zalando: while the API server was away, the ingress took in an \
               empty list and lost all its routes; every request got 404.",
    why: "Generators and discovery write an empty list when their source is away. It is valid, so it is loaded, and \
          everything that worked a moment ago fails.",
    remedy: "Keep the last good list when the new one is empty, and let the generator fail instead.",
    false_positives: "A service that is taken down for good. Without a change to look at, only HAProxy and nginx are told \
                      and graded low: elsewhere servers come while running, and an empty HAProxy backend may be there to \
                      answer itself.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(emptied),
};

fn emptied(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let routed = case.routed();
    let own: HashSet<&str> = case.model.listeners.iter().map(|listener| listener.name.as_str()).collect();
    let before: HashMap<&str, usize> =
        case.before.iter().flat_map(|(model, _)| &model.pools).map(|pool| (pool.name.as_str(), pool.servers.len())).collect();
    for pool in case.model.pools.iter().filter(|pool| pool.servers.is_empty()) {
        let had = before.get(pool.name.as_str()).copied().unwrap_or(0);
        let told = had > 0 || matches!(case.model.kind, BalancerKind::Haproxy | BalancerKind::Nginx);
        // A HAProxy `listen` without servers is there for its own answers, such as the statistics.
        let leads = |name: &str| routed.contains(name) && !own.contains(name);
        if pool.discovered || !told || (had == 0 && !leads(&pool.name)) {
            continue;
        }
        let (message, grade) = match had {
            0 => (format!("Routes lead to pool {}, which has no server.", pool.name), Severity::Low),
            had => (format!("Pool {} had {} and has none now.", pool.name, count(had, "server")), Severity::Critical),
        };
        let remedy = "Put its servers back, or take its routes away with it.";
        found.push(Finding::pool(pool, message, remedy).graded(grade).with("servers_before", size(had)).with("servers", 0.0));
    }
    let Some((before, _)) = case.before else { return };
    if !before.routes.is_empty() && case.model.routes.is_empty() {
        let message = format!("The config had {} and has none now.", count(before.routes.len(), "route"));
        let remedy = "Load the config before, and look at what wrote this one.";
        found.push(
            Finding::process("routes", &Default::default(), message, remedy)
                .with("routes_before", size(before.routes.len()))
                .with("routes", 0.0),
        );
    }
}
