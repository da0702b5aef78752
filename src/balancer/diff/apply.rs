//! Edits put to a model: the way back from a diff, and the proof that a diff holds all that changed.

use std::collections::BTreeMap;

use super::defaults::Defaults;
use crate::balancer::change::{Change, Edit, ListEdit, ListenerPart, PoolPart, RoutePart, ServerPart};
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Listener, Mirror, Model, Pool, Route, Server, Target};

/// `before` with every edit of `changes` done. With all changes of `diff(before, after)` it means what `after`
/// means: places, files, notices and the order of what has no order aside. Defaults are written out. Edits of another model's diff do what
/// they can.
pub fn apply(before: &Model, changes: &[Change]) -> Model {
    // Another version has other defaults, and a default may be what an edit leaves as it is.
    let mut model = Defaults::of(before).model(before);
    let mut listeners: Vec<&ListEdit<Listener, ListenerPart>> = Vec::new();
    let mut pools: Vec<&ListEdit<Pool, PoolPart>> = Vec::new();
    let mut routes: BTreeMap<&str, Vec<&ListEdit<Route, RoutePart>>> = BTreeMap::new();
    let mut servers: BTreeMap<usize, Vec<&ListEdit<Server, ServerPart>>> = BTreeMap::new();
    for edit in changes.iter().flat_map(|change| &change.edits) {
        match edit {
            Edit::Kind { after, .. } => model.kind = *after,
            Edit::Version { after, .. } => model.version.clone_from(after),
            Edit::Process { after, .. } => after.put(&mut model.process),
            Edit::Listeners(edit) => listeners.push(edit),
            Edit::Pools(edit) => pools.push(edit),
            Edit::Routes { listener, edit } => routes.entry(listener).or_default().push(edit),
            Edit::Servers { pool, edit } => servers.entry(*pool).or_default().push(edit),
        }
    }
    for (pool, edits) in servers {
        if let Some(pool) = model.pools.get_mut(pool) {
            list(&mut pool.servers, &edits, |server, part: &ServerPart| part.put(server));
        }
    }
    refer(&mut model, &pools, &listeners, &mut routes);
    list(&mut model.listeners, &listeners, |listener, part: &ListenerPart| part.put(listener));
    list(&mut model.pools, &pools, |pool, part: &PoolPart| part.put(pool));
    model
}

/// Puts the edits to the routes, and gives routes and tracking servers the new names of pools and listeners.
fn refer(
    model: &mut Model,
    pools: &[&ListEdit<Pool, PoolPart>],
    listeners: &[&ListEdit<Listener, ListenerPart>],
    edits: &mut BTreeMap<&str, Vec<&ListEdit<Route, RoutePart>>>,
) {
    let mut pool_names = HashMap::default();
    for edit in pools {
        if let ListEdit::Changed { before: PoolPart::Name(old), after: PoolPart::Name(new), .. } = edit {
            pool_names.insert(old.as_str(), new.as_str());
        }
    }
    let mut listener_names = HashMap::default();
    for edit in listeners {
        if let ListEdit::Changed { before: ListenerPart::Name(old), after: ListenerPart::Name(new), .. } = edit {
            listener_names.insert(old.as_str(), new.as_str());
        }
    }
    let mut order: Vec<String> = Vec::new();
    let mut by_listener: HashMap<String, Vec<Route>> = HashMap::default();
    for mut route in std::mem::take(&mut model.routes) {
        route.target = renamed(&route.target, &pool_names);
        route.mirrors = mirrored(&route.mirrors, &pool_names);
        let routes = by_listener.entry(route.listener.clone()).or_insert_with(|| {
            order.push(route.listener.clone());
            Vec::new()
        });
        routes.push(route);
    }
    order.extend(edits.keys().filter(|name| !by_listener.contains_key(**name)).map(|name| (*name).to_owned()));
    for name in order {
        let mut routes = by_listener.remove(&name).unwrap_or_default();
        if let Some(edits) = edits.remove(name.as_str()) {
            list(&mut routes, &edits, |route, part| match part {
                RoutePart::Condition(to) => route.condition.clone_from(to),
                RoutePart::Target(to) => route.target.clone_from(to),
                RoutePart::Definitions(to) => route.definitions.clone_from(to),
                RoutePart::Mirrors(to) => route.mirrors.clone_from(to),
                RoutePart::Own(to) => route.own.clone_from(to),
            });
        }
        let new = listener_names.get(name.as_str()).copied();
        model.routes.extend(routes.into_iter().map(|route| Route { listener: new.unwrap_or(&name).to_owned(), ..route }));
    }
}

/// A target under the new names of its pools.
pub fn renamed(target: &Target, names: &HashMap<&str, &str>) -> Target {
    let new = |name: &mut String| {
        if let Some(to) = names.get(name.as_str()) {
            *name = (*to).to_owned();
        }
    };
    let mut target = target.clone();
    match &mut target {
        Target::Pool { name } => new(name),
        Target::Weighted { pools } => pools.iter_mut().for_each(|share| new(&mut share.pool)),
        Target::Dynamic { candidates, .. } => candidates.iter_mut().for_each(new),
        Target::Other { .. } => {}
    }
    target
}

/// Mirrors under the new names of their pools.
pub fn mirrored(mirrors: &[Mirror], names: &HashMap<&str, &str>) -> Vec<Mirror> {
    let new = |mirror: &Mirror| names.get(mirror.pool.as_str()).map_or_else(|| mirror.pool.clone(), |name| (*name).to_owned());
    mirrors.iter().map(|mirror| Mirror { pool: new(mirror), ..mirror.clone() }).collect()
}

fn list<T: Clone, P>(items: &mut Vec<T>, edits: &[&ListEdit<T, P>], put: impl Fn(&mut T, &P)) {
    let mut kept: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    let mut order: Vec<usize> = (0..kept.len()).collect();
    let mut added: Vec<(usize, &T)> = Vec::new();
    for edit in edits {
        match edit {
            ListEdit::Changed { at, after, .. } => {
                if let Some(Some(item)) = kept.get_mut(*at) {
                    put(item, after);
                }
            }
            ListEdit::Reordered { kept } => order.clone_from(kept),
            ListEdit::Added { at, item } => added.push((*at, item)),
            ListEdit::Removed { .. } => {}
        }
    }
    for edit in edits {
        if let ListEdit::Removed { at } = edit
            && let Some(item) = kept.get_mut(*at)
        {
            *item = None;
        }
    }
    added.sort_by_key(|(at, _)| *at);
    let mut added = added.into_iter().peekable();
    for at in order {
        let Some(item) = kept.get_mut(at).and_then(Option::take) else { continue };
        while let Some((_, new)) = added.next_if(|(to, _)| *to <= items.len()) {
            items.push(new.clone());
        }
        items.push(item);
    }
    items.extend(added.map(|(_, new)| new.clone()));
}
