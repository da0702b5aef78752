//! What holds on one route other than in its pools, before and after, and where copies of its requests go.

use super::details;
use super::words::{self, Said, value, waits};
use crate::balancer::change::{ChangeKind, Timer};
use crate::balancer::model::{Mirror, Own, Route};
use crate::balancer::source::Place;
use crate::domain::balancer::BalancerKind;

/// A change with the places of what is written on both sides.
pub type Told<'a> = (ChangeKind, Said, &'a Place, &'a Place);

pub fn changes<'a>(kind: BalancerKind, before: &'a Route, after: &'a Route) -> Vec<Told<'a>> {
    let none = Own::default();
    let (old, new) = (before.own.as_deref().unwrap_or(&none), after.own.as_deref().unwrap_or(&none));
    if before.own == after.own {
        return Vec::new();
    }
    let route = route(after);
    let said = |time: Option<u64>| time.map_or_else(|| "the pool's".to_owned(), |ms| waits(kind, ms));
    let mut found = Vec::new();
    for timer in Timer::ALL {
        let time = |own: &Own| timer.read(&own.timeouts).as_ref().map(|setting| setting.value);
        let (from, to) = (time(old), time(new));
        if from != to {
            let change = format!("{} → {}", said(from), said(to));
            let place = |route: &'a Route| {
                let written = route.own.as_ref().and_then(|own| timer.read(&own.timeouts).as_ref()).map(|setting| &setting.place);
                written.filter(|place| place.is_written()).unwrap_or(&route.place)
            };
            let said = value(format!("{} of {route}", timer.said()), change);
            found.push((ChangeKind::Timeout, said, place(before), place(after)));
        }
    }
    match (&old.retry, &new.retry) {
        (from, to) if from == to => {}
        (Some(from), Some(to)) => {
            let said = match details::retry(kind, from, to) {
                Said::Value { label, change } => value(format!("{label} of {route}"), change),
                said => said,
            };
            found.push((ChangeKind::Retry, said, retries(before), retries(after)));
        }
        (from, to) => {
            let change = if from.is_none() { "the pool's → its own" } else { "its own → the pool's" };
            let on = from.as_ref().or(to.as_ref()).map(|retry| retry.on.join(" ")).filter(|on| !on.is_empty());
            let on = on.map_or_else(String::new, |on| format!(" ({on})"));
            let said = value(format!("retries of {route}"), format!("{change}{on}"));
            found.push((ChangeKind::Retry, said, retries(before), retries(after)));
        }
    }
    found
}

/// "the default route", "route “location /slow”".
pub fn route(route: &Route) -> String {
    if route.condition.is_none() { "the default route".to_owned() } else { format!("route {}", words::condition(route)) }
}

/// "audit (10 %)", or that there are none.
pub fn copies(mirrors: &[Mirror]) -> String {
    let said: Vec<String> = mirrors.iter().map(|mirror| format!("{} ({} %)", mirror.pool, mirror.percent)).collect();
    if said.is_empty() { "none".to_owned() } else { words::listed(&said) }
}

fn retries(route: &Route) -> &Place {
    let written = route.own.as_ref().and_then(|own| own.retry.as_ref()).map(|retry| &retry.place);
    written.filter(|place| place.is_written()).unwrap_or(&route.place)
}
