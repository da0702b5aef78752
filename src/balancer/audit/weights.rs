//! Weights: extreme ones, ones that nobody regards, and ones that differ between file and running process.

use super::view::{capital, count, names, part, percent, size};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::model::{Family, Server};
use crate::domain::balancer::BalancerKind;

pub const LB005: Rule = Rule {
    id: "LB005",
    severity: Severity::High,
    title: "one weight is many times the others",
    prevents: "One server overloaded while the pool looks idle, and the database suspected for days. GitLab, 6 November 2018: \
               a setting of the balancers was at fault, and abuse and back ends were suspected for three days.",
    why: "Totals and averages of the pool look healthy, because most servers have little to do; the heavy one queues. A peak \
          reaches its limit first.",
    remedy: "Set weights from what each server can carry (processors, slots), and check the share of each under load.",
    false_positives: "Machines that really differ by that much; a canary with a small weight.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "ratio",
        default: 10.0,
        unit: "times",
        meaning: "how many times the median weight the heaviest server may have, this number not included",
    }],
    check: Some(extreme_ratio),
};

fn extreme_ratio(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views().filter(|view| view.regards_weights()) {
        // Most pools have the same weight on every server.
        let mut weights = view.active().map(|server| view.weight(server));
        let first = weights.next();
        if weights.all(|weight| Some(weight) == first) {
            continue;
        }
        let mut servers: Vec<&Server> = view.active().filter(|server| view.usable(server)).collect();
        if servers.len() < 2 {
            continue;
        }
        servers.sort_by_key(|server| view.weight(server));
        // The lower one of two in the middle: of two servers, the other one.
        let median = view.weight(servers[(servers.len() - 1) / 2]);
        let heaviest = servers[servers.len() - 1];
        let ratio = f64::from(view.weight(heaviest)) / f64::from(median);
        if ratio < settings.number("ratio") {
            continue;
        }
        let total: f64 = servers.iter().map(|server| view.capacity(server)).sum();
        let share = 100.0 * view.capacity(heaviest) / total;
        let message = format!(
            "{} of pool {} has weight {}, {ratio:.0} times the median of {median}: {} of the traffic of {} goes there.",
            heaviest.name,
            view.pool.name,
            view.weight(heaviest),
            percent(share),
            count(servers.len(), "server")
        );
        let remedy =
            format!("Check that {} carries {} of the load of a peak, or even the weights out.", heaviest.name, percent(share));
        let place = heaviest.weight.as_ref().map_or(&heaviest.place, |weight| &weight.place);
        found.push(
            Finding::pool(view.pool, message, remedy)
                .at(place)
                .with("weight", f64::from(view.weight(heaviest)))
                .with("median", f64::from(median))
                .with("ratio", ratio)
                .with("share_percent", share),
        );
    }
}

pub const LB007: Rule = Rule {
    id: "LB007",
    severity: Severity::Medium,
    title: "weights are written and the algorithm does not regard them",
    prevents: "A wrong belief in the middle of an incident: weights are turned, and nothing moves.",
    why: "HAProxy's `first` fills servers in their order, Envoy's `RANDOM` and Traefik's `p2c` draw every server alike. Seen \
          here: Envoy's RANDOM with weights 5, 3 and 1 sent 76, 121 and 103 of 300 requests.",
    remedy: "Choose an algorithm that regards weights, or take the weights out.",
    false_positives: "Few.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Envoy, BalancerKind::Traefik],
    needs: Needs::Config,
    parameters: &[],
    check: Some(weights_ignored),
};

fn weights_ignored(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        if view.regards_weights() && view.pool.algorithm.family != Family::StaticRoundRobin {
            continue;
        }
        let weights: Vec<u32> = view.active().map(Server::configured_weight).filter(|weight| *weight > 0).collect();
        let unequal = weights.iter().any(|weight| *weight != weights[0]);
        // A turn order that is made once regards the weights of the config, not those of the running process.
        let moved = view.pool.algorithm.family == Family::StaticRoundRobin
            && view.active().any(|server| server.effective_weight() != server.configured_weight());
        if !(moved || (unequal && !view.regards_weights())) {
            continue;
        }
        let algorithm = view.pool.algorithm.name.as_deref().unwrap_or("its algorithm");
        let said = weights.iter().map(u32::to_string).collect::<Vec<_>>();
        let pool = &view.pool.name;
        let message = match moved {
            true => format!("Weights of pool {pool} were changed while running, and {algorithm} keeps those of its start."),
            false => format!(
                "Pool {pool} has weights {}, and {algorithm} does not regard them.",
                names(said.iter().map(String::as_str))
            ),
        };
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Use `balance roundrobin` or `leastconn`, or take the weights out.",
            BalancerKind::Envoy => "Use ROUND_ROBIN or LEAST_REQUEST, or take the weights out.",
            _ => "Use the strategy `wrr`, or take the weights out.",
        };
        let places = view.active().filter_map(|server| server.weight.as_ref()).map(|weight| &weight.place);
        found.push(
            Finding::pool(view.pool, message, remedy)
                .at(&view.pool.algorithm.place)
                .also(places)
                .with("servers", size(weights.len())),
        );
    }
}

pub const LB008: Rule = Rule {
    id: "LB008",
    severity: Severity::High,
    title: "weights or drains of the running balancer differ from the file",
    prevents: "A root cause that nobody finds, because the file was never touched: weights set over the runtime socket take \
               servers out without a trace in version control, and the next reload undoes or repeats it.",
    why: "What runs is not what is written. People decide by the file, and a restart brings back a state that nobody has \
          tried lately.",
    remedy: "Write into the file what is meant to stay, and set back what was meant for a moment.",
    false_positives: "A drain that is going on; acknowledge it with an expiry.",
    kinds: &[BalancerKind::Haproxy],
    needs: Needs::State,
    parameters: &[],
    check: Some(drifted),
};

fn drifted(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let mut told = Vec::new();
        let mut places = Vec::new();
        for server in &view.pool.servers {
            let Some(now) = &server.now else { continue };
            // Against the config that the process started with: what was edited since is another rule's matter.
            let written = now.weight_configured.unwrap_or_else(|| server.configured_weight());
            let mut parts = Vec::new();
            if now.weight != written {
                parts.push(format!("weight {written} → {}", now.weight));
            }
            if now.admin != server.admin {
                parts.push(format!("{} → {}", server.admin.said(), now.admin.said()));
            }
            if !parts.is_empty() {
                told.push(format!("{} ({})", server.name, parts.join(", ")));
                places.push(&server.place);
            }
        }
        if told.is_empty() {
            continue;
        }
        let message = format!(
            "{} of pool {} run otherwise than the file says: {}.",
            capital(&part(told.len(), view.pool.servers.len())),
            view.pool.name,
            names(told.iter().map(String::as_str))
        );
        let remedy = "Write it into the file if it is meant to stay, else set it back over the runtime socket.";
        found.push(
            Finding::pool(view.pool, message, remedy)
                .also(places.iter().copied())
                .with("servers", size(view.pool.servers.len()))
                .with("drifted", size(told.len())),
        );
    }
}

pub const LB046: Rule = Rule {
    id: "LB046",
    severity: Severity::High,
    title: "the file on disk is not what the process was started with",
    prevents: "A surprise at the next reload. Azure Front Door, 29 October 2025: a config that had passed validation dropped \
               nodes only when it was taken in; the way back was the last good one.",
    why: "The file was edited and not loaded, or loading it failed. Whatever restarts the balancer next, perhaps at night, \
          brings the edit in.",
    remedy: "Check the file with the balancer's own check, then reload, or put the file back.",
    false_positives: "The moment between an edit and its reload.",
    kinds: &[BalancerKind::Haproxy],
    needs: Needs::State,
    parameters: &[],
    check: Some(not_loaded),
};

fn not_loaded(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let differs = |server: &&Server| {
            let loaded = server.now.as_ref().and_then(|now| now.weight_configured);
            loaded.is_some_and(|loaded| loaded != server.configured_weight())
        };
        let servers: Vec<&Server> = view.pool.servers.iter().filter(differs).collect();
        let Some(first) = servers.first() else { continue };
        let loaded = first.now.as_ref().and_then(|now| now.weight_configured).unwrap_or_default();
        let message = format!(
            "The process was started with other weights for {} of pool {} than the file has: {} has {loaded} there and {} here.",
            count(servers.len(), "server"),
            view.pool.name,
            first.name,
            first.configured_weight()
        );
        let remedy = "Reload the balancer after its own check of the file, or put the file back.";
        found.push(
            Finding::pool(view.pool, message, remedy)
                .also(servers.iter().map(|server| &server.place))
                .with("servers", size(servers.len())),
        );
    }
}
