//! Retries: too many, and of requests that must not be sent twice.

use super::view::{Way, count, number};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::domain::balancer::BalancerKind;

pub const LB027: Rule = Rule {
    id: "LB027",
    severity: Severity::High,
    title: "retries multiply the load when servers fail",
    prevents: "A retry storm: servers that are overloaded get every request several times, and cannot recover. The books on \
               site reliability give retries a budget for that reason.",
    why: "Answers such as 503 and timeouts are what an overloaded server gives. To try again then adds load where it is too \
          much already, and each layer above multiplies it again.",
    remedy: "Try again once, only where the connection failed, or within a budget (Envoy `retry_budget`).",
    false_positives: "Little traffic; servers that fail one by one and never together.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "attempts",
        default: 2.0,
        unit: "attempts",
        meaning: "most attempts for one request that are not told",
    }],
    check: Some(retry_storm),
};

/// Words for answers and silences that an overloaded server gives; failed connections are not among them.
const OVERLOADED: [&str; 20] = [
    "all-retryable-errors",
    "response-timeout",
    "empty-response",
    "junk-response",
    "500",
    "502",
    "503",
    "504",
    "429",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "http_429",
    "5xx",
    "gateway-error",
    "retriable-status-codes",
    "unavailable",
    "resource-exhausted",
    "deadline-exceeded",
];

/// HAProxy's `retries` where nothing is written (its manual); Envoy's `num_retries`.
const HAPROXY_RETRIES: u64 = 3;
const ENVOY_RETRIES: u64 = 1;

fn attempts(kind: BalancerKind, way: &Way<'_>) -> u64 {
    let written = way.retry.count.as_ref().filter(|count| !count.unknown).map(|count| count.value);
    let servers = u64::try_from(way.pool.servers.len()).unwrap_or(u64::MAX);
    match kind {
        BalancerKind::Haproxy => written.unwrap_or(HAPROXY_RETRIES).saturating_add(1),
        BalancerKind::Envoy => written.unwrap_or(ENVOY_RETRIES).saturating_add(1),
        // Without a bound on tries nginx asks each server once.
        _ => written.map_or(servers, |retries| servers.min(retries.saturating_add(1))),
    }
}

fn retry_storm(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for way in case.ways().into_iter().filter(|way| !way.retry.budget) {
        let on: Vec<&str> = way.retry.on.iter().map(String::as_str).filter(|on| OVERLOADED.contains(on)).collect();
        let attempts = attempts(case.model.kind, &way);
        if on.is_empty() || number(attempts) <= settings.number("attempts") {
            continue;
        }
        let message = format!(
            "A request to pool {}{} is sent up to {attempts} times when servers answer like overloaded ones ({}), and no budget bounds it.",
            way.pool.name,
            way.said(),
            on.join(", ")
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Set `retries 1`, or leave `retry-on` at conn-failure.",
            BalancerKind::Nginx => "Set `proxy_next_upstream_tries 2`, or leave statuses out of `proxy_next_upstream`.",
            _ => "Add a retry_budget to the cluster's circuit breakers, or set num_retries to 1.",
        };
        found.push(way.finding(message, remedy).at(&way.retry.place).with("attempts", number(attempts)));
    }
}

pub const LB028: Rule = Rule {
    id: "LB028",
    severity: Severity::High,
    title: "requests that change something may be sent twice",
    prevents: "Double orders and double payments in the middle of another trouble.",
    why: "A server that did the work and answered late or with an error gets the same POST again, or another server does.",
    remedy: "Try again only where nothing was sent yet, or leave POST, PATCH and the like out.",
    false_positives: "Programs that recognise a request that comes twice.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy, BalancerKind::Traefik, BalancerKind::Caddy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(sent_twice),
};

fn sent_twice(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for way in case.ways().into_iter().filter(|way| way.retry.non_idempotent) {
        let attempts = attempts(case.model.kind, &way);
        if attempts < 2 {
            continue;
        }
        let on: Vec<&str> = way.retry.on.iter().map(String::as_str).filter(|on| *on != "non_idempotent").collect();
        let on = if on.is_empty() { "a failure".to_owned() } else { on.join(", ") };
        let message = format!(
            "Pool {}{} sends requests of every method again after {on}, up to {}.",
            way.pool.name,
            way.said(),
            count(usize::try_from(attempts).unwrap_or(usize::MAX), "time")
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => {
                "Add `http-request disable-l7-retry if !{ method GET HEAD OPTIONS }`, or retry only on conn-failure."
            }
            BalancerKind::Nginx => "Take `non_idempotent` out of `proxy_next_upstream`.",
            BalancerKind::Envoy => {
                "Retry only on connect-failure and refused-stream, or give routes for GET a retry policy of their own."
            }
            _ => "Try only requests that change nothing again.",
        };
        found.push(way.finding(message, remedy).at(&way.retry.place).with("attempts", number(attempts)));
    }
}
