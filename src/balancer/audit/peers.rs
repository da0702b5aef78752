//! Two balancers that should be the same: what the one has and the other has not.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{names, size};
use super::{Finding, Needs, Rule, Severity};
use crate::balancer::model::{Model, Pool, Server};

pub const LB045: Rule = Rule {
    id: "LB045",
    severity: Severity::High,
    title: "balancers of one group differ",
    prevents: "A fail-over to a standby that does something else. Wikimedia, 18 November 2015: the standby balancers did not \
               serve some ports.",
    why: "The standby is not used, so nobody sees that a change never reached it, until it is used.",
    remedy: "Bring both from one source, and compare them after every change.",
    false_positives: "Balancers that differ by design; compare only those that stand in for each other.",
    kinds: crate::domain::balancer::BalancerKind::ALL,
    needs: Needs::Peer,
    parameters: &[],
    check: None,
};

/// What differs between `one` and `other`, two balancers of one group, in ways that matter when one stands in for the
/// other: ports, pools, algorithms, persistence, servers and weights. Places are those of `one`.
pub fn divergence(one: &Model, other: &Model) -> Vec<Finding> {
    let mut found = Vec::new();
    ports(one, other, &mut found);
    let mut theirs: BTreeMap<Named<'_>, &Pool> = named(other.pools.iter().map(|pool| (pool.name.as_str(), pool)));
    for (name, pool) in named(one.pools.iter().map(|pool| (pool.name.as_str(), pool))) {
        match theirs.remove(&name) {
            Some(theirs) => found.extend(differing(pool, theirs)),
            None => {
                let message = format!("Pool {} is on this balancer and not on the other.", pool.name);
                found.push(Finding::pool(pool, message, "Bring it to the other balancer too.").about("missing there"));
            }
        }
    }
    for pool in theirs.into_values() {
        let message = format!("Pool {} is on the other balancer and not on this one.", pool.name);
        let mut finding = Finding::pool(pool, message, "Bring it to this balancer too.").about("missing here");
        finding.places.clear();
        found.push(finding);
    }
    found.iter_mut().for_each(|finding| finding.set_rule(&LB045));
    super::finding::sort(found)
}

/// The port of an address, or the whole where there is none: standbys have addresses of their own.
fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

fn ports(one: &Model, other: &Model, found: &mut Vec<Finding>) {
    let of = |model: &Model| -> BTreeSet<String> {
        model.listeners.iter().flat_map(|listener| &listener.binds).map(|bind| port(&bind.address).to_owned()).collect()
    };
    let (ours, theirs) = (of(one), of(other));
    for listener in &one.listeners {
        let missing: BTreeSet<&str> =
            listener.binds.iter().map(|bind| port(&bind.address)).filter(|port| !theirs.contains(*port)).collect();
        if !missing.is_empty() {
            let message = format!(
                "Listener {} serves port {}, and the other balancer does not.",
                listener.name,
                names(missing.iter().copied())
            );
            found.push(
                Finding::listener(listener, message, "Let the other balancer serve it too.").with("ports", size(missing.len())),
            );
        }
    }
    for listener in &other.listeners {
        let missing: BTreeSet<&str> =
            listener.binds.iter().map(|bind| port(&bind.address)).filter(|port| !ours.contains(*port)).collect();
        if !missing.is_empty() {
            let message = format!(
                "The other balancer serves port {} (listener {}), and this one does not.",
                names(missing.iter().copied()),
                listener.name
            );
            let subject = format!("listener {} of the other", listener.name);
            found.push(
                Finding::process(&subject, &Default::default(), message, "Let this balancer serve it too.")
                    .with("ports", size(missing.len())),
            );
        }
    }
}

fn differing(ours: &Pool, theirs: &Pool) -> Option<Finding> {
    let mut parts = Vec::new();
    let algorithm = |pool: &Pool| pool.algorithm.name.clone().unwrap_or_else(|| "no algorithm".to_owned());
    if ours.algorithm.name != theirs.algorithm.name || ours.algorithm.hash != theirs.algorithm.hash {
        parts.push(format!("{} here and {} there", algorithm(ours), algorithm(theirs)));
    }
    if ours.persistence != theirs.persistence {
        parts.push("clients are kept in another way".to_owned());
    }
    let (here, there) = (by_name(ours), by_name(theirs));
    let (only_here, only_there) = (only(&here, &there), only(&there, &here));
    for (servers, place) in [(&only_here, "here"), (&only_there, "there")] {
        if !servers.is_empty() {
            parts.push(format!("{} only {place}", names(servers.iter().copied())));
        }
    }
    let both = here.iter().filter_map(|(name, server)| Some((server, there.get(name)?)));
    let changed: Vec<&str> = both
        .filter(|(a, b)| {
            a.effective_weight() != b.effective_weight()
                || a.address != b.address
                || a.role != b.role
                || a.effective_admin() != b.effective_admin()
        })
        .map(|(a, _)| a.name.as_str())
        .collect();
    if !changed.is_empty() {
        parts.push(format!("other weight, address or state of {}", names(changed.iter().copied())));
    }
    let message = format!("Pool {} differs between the balancers: {}.", ours.name, parts.join("; "));
    let finding = Finding::pool(ours, message, "Bring both from one source.");
    (!parts.is_empty()).then(|| finding.with("servers_differing", size(only_here.len() + only_there.len() + changed.len())))
}

/// A name, and how often it was there before: conditions (HAProxy `.if`) make two pools of one name.
type Named<'a> = (&'a str, usize);

fn named<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> BTreeMap<Named<'a>, T> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let count = |(name, item)| {
        let count = seen.entry(name).or_default();
        *count += 1;
        ((name, *count), item)
    };
    items.map(count).collect()
}

fn by_name(pool: &Pool) -> BTreeMap<Named<'_>, &Server> {
    named(pool.servers.iter().map(|server| (server.name.as_str(), server)))
}

/// Names that `a` has and `b` has not.
fn only<'a>(a: &BTreeMap<Named<'a>, &Server>, b: &BTreeMap<Named<'a>, &Server>) -> Vec<&'a str> {
    a.keys().filter(|name| !b.contains_key(*name)).map(|(name, _)| *name).collect()
}
