//! What a change takes away: capacity, persistence, defaults, and limits that it lifts.

use super::view::{View, count, number, server_names, size, version};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::diff::{matched_pools, matched_servers};
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Family, Model, Pool, Role, Server, Setting};
use crate::domain::balancer::BalancerKind;

/// Of the pools in both models those that differ, with the model before.
fn changed<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Pool, &'a Pool, &'a Model)> {
    pairs(case).into_iter().filter(|(old, new, _)| old != new)
}

/// Pools that are in both models, also under another name, in the order of the model after.
fn pairs<'a>(case: &Case<'a>) -> Vec<(&'a Pool, &'a Pool, &'a Model)> {
    let Some((before, _)) = case.before else { return Vec::new() };
    let matched = matched_pools(before, case.model);
    matched.pairs.iter().map(|(old, new)| (&before.pools[*old], &case.model.pools[*new], before)).collect()
}

/// The server that each one of a pool has become, by its name before.
fn followed<'a>(old: &'a Pool, new: &'a Pool) -> HashMap<&'a str, &'a Server> {
    let pairs = matched_servers(old, new).pairs;
    pairs.into_iter().map(|(before, after)| (old.servers[before].name.as_str(), &new.servers[after])).collect()
}

/// " (once called app)" behind the name of a pool that has another one now.
fn once(old: &Pool, new: &Pool) -> String {
    if old.name == new.name { String::new() } else { format!(" (once called {})", old.name) }
}

pub const LB003: Rule = Rule {
    id: "LB003",
    severity: Severity::High,
    title: "one step takes much of a pool's capacity away",
    prevents: "Concentration and cascade after a single change. Cloudflare, 17 July 2020: one change moved the load of many \
               places onto one. Pivotal Tracker: each next server crashed under what the one before had carried.",
    why: "What is left gets the whole load at once, before anybody has seen that it can carry it.",
    remedy: "Go in steps: lower or drain a part, watch queue, errors and response time, then go on.",
    false_positives: "Maintenance at a time with little traffic. Weights that are all divided by the same number are not a \
                      loss and are not told.",
    kinds: BalancerKind::ALL,
    needs: Needs::Change,
    parameters: &[Parameter {
        name: "percent",
        default: 34.0,
        unit: "%",
        meaning: "largest part of a pool's weighted capacity that one change may take away",
    }],
    check: Some(capacity_removed),
};

fn capacity_removed(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for (old, new, before) in changed(case) {
        let (was, is) = (View::new(before, old), View::new(case.model, new));
        let total: f64 = was.active().map(|server| was.capacity(server)).sum();
        if total <= 0.0 || is.active().count() == 0 {
            continue;
        }
        let mut now = followed(old, new);
        now.retain(|_, server| server.role == Role::Active);
        let now_of = |server: &Server| now.get(server.name.as_str()).map_or(0.0, |server| is.capacity(server));
        // Weights are relative: what every server lost alike is no loss. A change of what weights mean is none either.
        let scale = was
            .active()
            .filter(|server| was.capacity(server) > 0.0)
            .map(|server| now_of(server) / was.capacity(server))
            .fold(0.0, f64::max);
        let scale = if scale > 0.0 && was.regards_weights() == is.regards_weights() { scale.min(1.0) } else { 1.0 };
        let left: f64 = is.active().map(|server| is.capacity(server)).sum();
        let lost = 100.0 * (1.0 - left / (scale * total));
        if lost <= settings.number("percent") {
            continue;
        }
        let hit: Vec<&Server> = was.active().filter(|server| now_of(server) < scale * was.capacity(server)).collect();
        let message = format!(
            "The change takes {lost:.0} % of the weighted capacity of pool {}{} away in one step: {} of {} ({}) get less than before.",
            new.name,
            once(old, new),
            hit.len(),
            count(was.active().count(), "server"),
            server_names(&hit)
        );
        let remedy = format!("Split the change, so that no step takes more than {} %.", settings.number("percent"));
        let places = hit.iter().filter_map(|server| now.get(server.name.as_str())).map(|server| &server.place);
        found.push(
            Finding::pool(new, message, remedy)
                .also(places)
                .with("lost_percent", lost)
                .with("limit_percent", settings.number("percent"))
                .with("servers_hit", size(hit.len())),
        );
    }
}

pub const LB010: Rule = Rule {
    id: "LB010",
    severity: Severity::High,
    title: "clients lose their server: persistence or its key changes",
    prevents: "Lost sessions and stale reads right after a change: clients whose data one server holds are sent to another.",
    why: "What decides which server a client comes back to is taken away or looks at something else, so that clients move \
          at the moment of the reload. Their sessions, uploads and caches stay where they were.",
    remedy: "Move sessions to a store that all servers share first. Or keep the old key beside the new one until the \
             sessions have run out.",
    false_positives: "Servers that hold nothing of their clients.",
    kinds: BalancerKind::ALL,
    needs: Needs::Change,
    parameters: &[],
    check: Some(persistence_changed),
};

/// What keeps clients on their servers, in words that change exactly when clients move.
fn keeps(pool: &Pool) -> Vec<String> {
    let hash = pool.algorithm.hash.as_ref().filter(|_| pool.algorithm.family == Family::Hash);
    let hash = hash.map(|hash| format!("hash of {} ({:?})", hash.expression, hash.method).to_lowercase());
    let others = pool.persistence.iter().map(|p| format!("{:?} {}", p.kind, p.key).to_lowercase());
    others.chain(hash).collect()
}

fn persistence_changed(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for (old, new, _) in changed(case) {
        let (was, is) = (keeps(old), keeps(new));
        let gone: Vec<&str> = was.iter().filter(|kept| !is.contains(kept)).map(String::as_str).collect();
        if gone.is_empty() {
            continue;
        }
        let instead = if is.is_empty() { "nothing".to_owned() } else { is.join(", ") };
        let message = format!(
            "Pool {}{} kept clients on their servers by {}; now {instead} does.",
            new.name,
            once(old, new),
            gone.join(", ")
        );
        let remedy = "Share the sessions first, or let the old key stand until they have run out.";
        let place = new.persistence.first().map_or(&new.algorithm.place, |persistence| &persistence.place);
        found.push(Finding::pool(new, message, remedy).at(place));
    }
}

pub const LB023: Rule = Rule {
    id: "LB023",
    severity: Severity::Medium,
    title: "a limit is raised by much",
    prevents: "The queue moves to a stage that cannot wait. Known from the field: with more slots in the balancer the same \
               requests wait in the database, at 100 % of its processor, and nothing is refused any more.",
    why: "A limit protects what stands behind it. When the stage behind is the slow one, raising the limit in front of it \
          makes everything slower.",
    remedy: "Look first at what the stage behind does at the limit of today. Raise in steps, and with the next limit in view.",
    false_positives: "Servers that were really enlarged.",
    kinds: BalancerKind::ALL,
    needs: Needs::Change,
    parameters: &[Parameter { name: "times", default: 2.0, unit: "times", meaning: "largest growth of a limit in one step" }],
    check: Some(limit_raised),
};

fn limit_raised(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let times = settings.number("times");
    let raised = |old: Option<&Setting<u64>>, new: Option<&Setting<u64>>| match (old, new) {
        // 0 stands for no limit.
        (Some(old), Some(new)) => old.value > 0 && (new.is_zero() || number(new.value) > times * number(old.value)),
        _ => false,
    };
    let said = |old: Option<&Setting<u64>>, new: Option<&Setting<u64>>| {
        let text = |value: Option<&Setting<u64>>| value.map_or(0, |setting| setting.value);
        (text(old), text(new))
    };
    for (old, new, _) in changed(case) {
        let now = followed(old, new);
        let slots = old.servers.iter().filter_map(|server| {
            let next = now.get(server.name.as_str())?;
            raised(server.slots.as_ref(), next.slots.as_ref()).then_some((server.slots.as_ref(), next.slots.as_ref()))
        });
        let slots: Vec<_> = slots.collect();
        if let Some((was, is)) = slots.first() {
            let (from, to) = said(*was, *is);
            let message = format!(
                "Slots of {} of pool {}{} grow more than {times} times ({from} → {to}).",
                count(slots.len(), "server"),
                new.name,
                once(old, new)
            );
            let remedy = "Check that the servers and what stands behind them can work on that many requests at once.";
            let places = slots.iter().filter_map(|(_, is)| is.map(|setting| &setting.place));
            found.push(
                Finding::pool(new, message, remedy)
                    .about("slots")
                    .also(places)
                    .with("before", number(from))
                    .with("after", number(to)),
            );
        }
        let limits = [
            ("connections", &old.limits.connections, &new.limits.connections),
            ("requests", &old.limits.requests, &new.limits.requests),
            ("queue", &old.limits.queue, &new.limits.queue),
        ];
        for (name, was, is) in limits {
            let (was, is) = (was.as_ref(), is.as_ref());
            let Some(setting) = is.filter(|_| raised(was, is)) else { continue };
            let (from, to) = said(was, is);
            let message = format!(
                "The limit of {name} of pool {}{} grows more than {times} times ({from} → {to}).",
                new.name,
                once(old, new)
            );
            let remedy = "Check that the servers can work on that many at once.";
            found.push(
                Finding::pool(new, message, remedy)
                    .about(name)
                    .at(&setting.place)
                    .with("before", number(from))
                    .with("after", number(to)),
            );
        }
    }
}

pub const LB060: Rule = Rule {
    id: "LB060",
    severity: Severity::Medium,
    title: "another version of the balancer means something else by the same config",
    prevents: "A shift of traffic that nobody can explain, because no line of the config changed.",
    why: "What is not written follows the version. HAProxy 3.3 made `random` the algorithm of a pool that names none, \
          where it was `roundrobin`; nginx 1.29.7 began to keep connections to upstream servers open by itself.",
    remedy: "Write down what you rely on before the upgrade, so that the config means the same on both versions.",
    false_positives: "Few: the new default may be what you want.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Change,
    parameters: &[],
    check: Some(default_changed),
};

fn default_changed(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let Some((before, _)) = case.before else { return };
    let known = |model: &Model| model.version.as_deref().and_then(version);
    let (Some(was), Some(is)) = (known(before), known(case.model)) else { return };
    let crosses = |border| (was < border) != (is < border);
    let versions =
        format!("{} → {}", before.version.as_deref().unwrap_or_default(), case.model.version.as_deref().unwrap_or_default());
    for (old, new, _) in pairs(case) {
        let finding = match case.model.kind {
            BalancerKind::Haproxy if crosses((3, 3, 0)) && !old.algorithm.written && !new.algorithm.written => Finding::pool(
                new,
                format!("Pool {} names no algorithm; with {versions} it means another one.", new.name),
                "Write `balance roundrobin` or `balance random` into the pool or its defaults.",
            ),
            BalancerKind::Nginx if crosses((1, 29, 7)) && old.limits.keepalive.is_none() && new.limits.keepalive.is_none() => {
                Finding::pool(
                    new,
                    format!(
                        "Upstream {} says nothing about kept connections; with {versions} that means another thing.",
                        new.name
                    ),
                    "Write `keepalive` with a number, or `keepalive 0`, into the upstream.",
                )
            }
            _ => continue,
        };
        found.push(finding.with("servers", size(new.servers.len())));
    }
}
