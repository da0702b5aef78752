//! What differs inside an algorithm, a check, retries or a cookie: every detail in one sentence, the first as its
//! subject.

use std::sync::Arc;

use super::words::{Said, arrow, duration, number, on, value, verb};
use crate::balancer::model::{Algorithm, Check, CheckKind, Family, Hash, HashMethod, Passive, Persistence, Retry, Setting};
use crate::domain::balancer::BalancerKind;

/// The fields that differ as one: the first gives the label.
fn fields(what: &str, fields: Vec<(&str, Option<String>, Option<String>)>) -> Said {
    let mut changed = fields.into_iter().filter(|(_, from, to)| from != to);
    let Some((label, from, to)) = changed.next() else { return value(what, "details changed") };
    let mut change = arrow(from, to, |text| text);
    for (label, from, to) in changed {
        change.push_str(&format!(", {label} {}", arrow(from, to, |text| text)));
    }
    let label = if what.is_empty() { label.to_owned() } else { format!("{what} {label}") };
    value(label.trim_end(), change)
}

/// The algorithm's name for people; nginx has no word for its default.
fn algorithm_name(algorithm: &Algorithm) -> String {
    let unnamed = if algorithm.family == Family::RoundRobin { "round robin" } else { "the default" };
    algorithm.name.clone().unwrap_or_else(|| unnamed.to_owned())
}

pub fn algorithm(kind: BalancerKind, old: &Algorithm, new: &Algorithm) -> Said {
    let method = |hash: &Hash| {
        match (hash.method, kind) {
            (HashMethod::Modulo, BalancerKind::Haproxy) => "map-based",
            (HashMethod::Modulo, _) => "modulo",
            (HashMethod::Ring, BalancerKind::Haproxy | BalancerKind::Nginx) => "consistent",
            (HashMethod::Ring, _) => "ring",
            (HashMethod::Maglev, _) => "Maglev",
            (HashMethod::Rendezvous, _) => "rendezvous",
        }
        .to_owned()
    };
    let mut all = vec![("algorithm", Some(algorithm_name(old)), Some(algorithm_name(new)))];
    if let (Some(old), Some(new)) = (&old.hash, &new.hash) {
        let key = |hash: &Hash| Some(hash.expression.clone()).filter(|expression| !expression.is_empty());
        let percent = |factor: Option<u32>| factor.map(|factor| format!("{factor} %"));
        // The name of HAProxy's algorithms is their key already.
        if all[0].1 == all[0].2 {
            all.push(("hash key", key(old), key(new)));
        }
        all.push(("hash method", Some(method(old)), Some(method(new))));
        all.push(("hash function", old.function.clone(), new.function.clone()));
        all.push(("hash balance factor", percent(old.balance_factor), percent(new.balance_factor)));
        all.push(("hash table size", old.table_size.map(number), new.table_size.map(number)));
    }
    if old.family == new.family {
        let choices = |choices: Option<u32>| choices.map(|choices| choices.to_string());
        all.push(("choices", choices(old.choices), choices(new.choices)));
    }
    match fields("", all) {
        Said::Value { label, change } if label.is_empty() => value("algorithm", change),
        said => said,
    }
}

pub fn check(old: &Option<Box<Check>>, new: &Option<Box<Check>>) -> Said {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, _) => return verb("health check", "now health-checked"),
        (_, None) => return verb("health check", "no longer health-checked"),
    };
    let kind = |check: &Check| {
        let said = match check.kind {
            CheckKind::Tcp => "TCP connection",
            CheckKind::Http => "HTTP",
            CheckKind::Tls => "TLS handshake",
            CheckKind::Grpc => "gRPC",
            CheckKind::Protocol => "protocol",
            CheckKind::Agent => "agent",
        };
        Some(said.to_owned())
    };
    let time = |ms: Option<u64>| ms.map(duration);
    let text = |said: &Option<Arc<str>>| said.as_deref().map(str::to_owned);
    fields(
        "health check",
        vec![
            ("type", kind(old), kind(new)),
            ("request", text(&old.request), text(&new.request)),
            ("expects", text(&old.expects), text(&new.expects)),
            ("interval", time(old.interval_ms), time(new.interval_ms)),
            ("timeout", time(old.timeout_ms), time(new.timeout_ms)),
            ("fall", old.fall.map(number), new.fall.map(number)),
            ("rise", old.rise.map(number), new.rise.map(number)),
        ],
    )
}

pub fn passive(old: &Option<Box<Passive>>, new: &Option<Box<Passive>>) -> Said {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, _) => return verb("passive health check", "now watched by real traffic (passive health check)"),
        (_, None) => return verb("passive health check", "no longer watched by real traffic (passive health check)"),
    };
    let time = |ms: Option<u64>| ms.map(duration);
    let percent = |share: Option<u64>| share.map(|share| format!("{share} %"));
    let below = |passive: &Passive| Some(if passive.panic_fails { "requests fail" } else { "every server serves" }.to_owned());
    fields(
        "passive health check",
        vec![
            ("failures", old.max_fails.map(number), new.max_fails.map(number)),
            ("window", time(old.window_ms), time(new.window_ms)),
            ("time out of service", time(old.out_ms), time(new.out_ms)),
            ("most taken out", percent(old.max_out_percent), percent(new.max_out_percent)),
            ("panic threshold", percent(old.panic_percent), percent(new.panic_percent)),
            ("below it", below(old), below(new)),
        ],
    )
}

pub fn retry(kind: BalancerKind, old: &Retry, new: &Retry) -> Said {
    let yes = |is: bool| Some(if is { "on" } else { "off" }.to_owned());
    // Without a number nginx tries every server.
    let every = || (kind == BalancerKind::Nginx).then(|| "one for each server".to_owned());
    let said = |count: &Setting<u64>| if count.unknown { "set by the environment".to_owned() } else { number(count.value) };
    let count = |retry: &Retry| retry.count.as_ref().map(said).or_else(every);
    let on = |retry: &Retry| Some(retry.on.join(" ")).filter(|on| !on.is_empty());
    let within = |retry: &Retry| retry.within.as_ref().filter(|within| within.value > 0).map(|within| duration(within.value));
    let redispatch = |retry: &Retry| yes(retry.redispatch.as_ref().is_some_and(|Setting { value, .. }| *value));
    fields(
        "",
        vec![
            ("retries", count(old), count(new)),
            ("retry conditions", on(old), on(new)),
            ("time for retries", within(old), within(new)),
            ("redispatch", redispatch(old), redispatch(new)),
            ("retry of requests that change something", yes(old.non_idempotent), yes(new.non_idempotent)),
            ("retry budget", yes(old.budget), yes(new.budget)),
        ],
    )
}

/// What a cookie asks for, where its name and the words of the config stay.
pub fn cookie(old: &Persistence, new: &Persistence) -> Said {
    let on = |is: bool| Some(on(is, "on", "off"));
    let what = format!("persistence by {}", new.key);
    let expires = |p: &Persistence| p.expires_ms.map(duration);
    fields(
        &what,
        vec![
            ("expiry", expires(old), expires(new)),
            ("HttpOnly", on(old.http_only), on(new.http_only)),
            ("Secure", on(old.secure), on(new.secure)),
            ("SameSite", on(old.same_site), on(new.same_site)),
            ("shared with others", on(old.shared), on(new.shared)),
        ],
    )
}
