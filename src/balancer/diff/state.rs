//! Changes of run-time state, and of state and config together.

use super::group::{Item, group};
use super::walk::Walk;
use super::words::value;
use crate::balancer::change::{Change, ChangeKind};
use crate::balancer::model::{Algorithm, Model, Pool, Role, Server, Setting};
use crate::balancer::source::Place;
use crate::balancer::state::{PoolState, ServerState, State};

/// What people or a reload changed at run time. Empty when `before` is none: a first sight is no change. What checks
/// found is no change either.
pub fn state_changes(before: Option<&State>, after: &State) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let (old, new) = (as_model(before), as_model(after));
    group(items(&old, &new)).into_iter().map(|change| change.sentence).collect()
}

/// Two states in the shape of models.
pub fn items<'a>(old: &'a Model, new: &'a Model) -> Vec<Item<'a>> {
    let mut items = Walk::new(old, new, true).all();
    for item in &mut items {
        item.edits.clear();
        item.before.clear();
        item.after.clear();
    }
    configured(old, new, &mut items);
    items
}

/// A state in the shape of a model, so that both are compared by the same code. What the state does not tell is
/// empty there.
pub fn as_model(state: &State) -> Model {
    let server = |server: &ServerState| Server {
        name: server.name.clone(),
        address: server.address.clone().unwrap_or_default(),
        weight: Some(Setting::new(server.weight, Place::default())),
        role: if server.backup { Role::Backup } else { Role::Active },
        admin: server.admin,
        now: Some(Box::new(server.clone())),
        ..Server::default()
    };
    let pool = |pool: &PoolState| Pool {
        name: pool.name.clone(),
        algorithm: Algorithm { name: pool.algorithm.clone(), ..Algorithm::default() },
        servers: pool.servers.iter().map(server).collect(),
        ..Pool::default()
    };
    Model { version: state.version.clone(), pools: state.pools.iter().map(pool).collect(), ..Model::default() }
}

/// A reload can change the weight that a restart would bring, while a command keeps the one in force.
fn configured<'a>(old: &'a Model, new: &'a Model, items: &mut Vec<Item<'a>>) {
    let old_pools: crate::balancer::maps::HashMap<&str, &Pool> = old.pools.iter().rev().map(|p| (p.name.as_str(), p)).collect();
    for pool in &new.pools {
        let Some(old) = old_pools.get(pool.name.as_str()) else { continue };
        if *old == pool {
            continue;
        }
        let matched = super::matching::servers(old, pool);
        for (before, after) in matched.pairs {
            let server = &pool.servers[after];
            let (Some(old), Some(new)) = (&old.servers[before].now, &server.now) else { continue };
            let (Some(from), Some(to)) = (old.weight_configured, new.weight_configured) else { continue };
            if from != to && (old.weight == new.weight || new.weight != to) {
                let item = Item::new(ChangeKind::Weight, value("configured weight", format!("{from} → {to}")));
                items.push(Item {
                    pool: Some(&pool.name),
                    server: Some(&server.name),
                    total: pool.servers.len(),
                    written_only: true,
                    ..item
                });
            }
        }
    }
}

/// What a config says differently: typed, one plain sentence each, the gravest first. Empty when both mean the same.
pub fn diff(before: &Model, after: &Model) -> Vec<Change> {
    group(Walk::new(before, after, false).all())
}
