//! What stands in lists: routes of a listener, persistence of a pool, admin surfaces of the process.

use std::collections::{BTreeSet, HashMap};

use super::apply::renamed;
use super::defaults::plain;
use super::group::Item;
use super::matching::Matched;
use super::words::{self, Said, value, verb};
use crate::balancer::change::{ChangeKind, Edit, ListEdit, ProcessPart, RoutePart};
use crate::balancer::model::{AdminSurface, Bind, Model, Persistence, PersistenceKind, Route, Setting};
use crate::domain::balancer::BalancerKind;

/// What says on which server a client stays: removed, added, another key, another order.
pub fn persistence(old: &[Persistence], new: &[Persistence]) -> Vec<(ChangeKind, Said)> {
    let same = |a: &Persistence, b: &Persistence| {
        let bare = |p: &Persistence| Persistence { said: plain(&p.said), ..p.clone() };
        bare(a) == bare(b)
    };
    let left = |from: &[Persistence], other: &[Persistence]| -> Vec<Persistence> {
        let mut other: Vec<&Persistence> = other.iter().collect();
        let mut out = Vec::new();
        for item in from {
            match other.iter().position(|o| same(item, o)) {
                Some(at) => drop(other.remove(at)),
                None => out.push(item.clone()),
            }
        }
        out
    };
    let (gone, mut come) = (left(old, new), left(new, old));
    let text = |p: &Persistence| if p.said.is_empty() { format!("by {}", p.key) } else { format!("“{}”", p.said) };
    let mut out = Vec::new();
    let only = |list: &[Persistence], kind: PersistenceKind| list.iter().filter(|p| p.kind == kind).count() == 1;
    for before in &gone {
        let pair = only(&gone, before.kind) && only(&come, before.kind);
        match come.iter().position(|after| pair && after.kind == before.kind) {
            Some(at) => {
                let after = come.remove(at);
                let said = if before.key == after.key {
                    value("persistence", format!("{} → {}", text(before), text(&after)))
                } else {
                    value("persistence key", format!("{} → {} ({} → {})", before.key, after.key, text(before), text(&after)))
                };
                out.push((ChangeKind::Persistence, said));
            }
            None => out.push((ChangeKind::Persistence, Said::Clause(format!("persistence {} removed", text(before))))),
        }
    }
    for after in &come {
        out.push((ChangeKind::Persistence, Said::Clause(format!("persistence {} added", text(after)))));
    }
    if out.is_empty() {
        let all = |list: &[Persistence]| list.iter().map(text).collect::<Vec<_>>().join(", ");
        out.push((ChangeKind::Order, value("order of persistence", format!("{} → {}", all(old), all(new)))));
    }
    out
}

/// Stats pages, sockets and admin APIs that came, went or changed. Empty for every other part.
pub fn surfaces(old: &ProcessPart, new: &ProcessPart) -> Vec<(ChangeKind, Said)> {
    let (ProcessPart::Admin(old), ProcessPart::Admin(new)) = (old, new) else { return Vec::new() };
    let name = |s: &AdminSurface| if s.address.is_empty() { s.what.clone() } else { format!("{} at {}", s.what, s.address) };
    let how = |s: &AdminSurface| {
        let guarded = if s.guarded { "guarded" } else { "open to everybody who reaches it" };
        if s.writes { format!("can change state, {guarded}") } else { format!("read only, {guarded}") }
    };
    let mut out = Vec::new();
    let mut left: Vec<&AdminSurface> = old.iter().collect();
    for now in new {
        match left.iter().position(|was| name(was) == name(now)) {
            None => out.push(format!("{} added: {}", name(now), how(now))),
            Some(at) => {
                let was = left.remove(at);
                if how(was) != how(now) {
                    out.push(format!("{}: {} → {}", name(now), how(was), how(now)));
                }
            }
        }
    }
    out.extend(left.into_iter().map(|was| format!("{} removed", name(was))));
    if out.is_empty() {
        out.push("order of admin surfaces changed".to_owned());
    }
    out.into_iter().map(|text| (ChangeKind::Process, Said::Clause(text))).collect()
}

/// Where a listener listens now and did not, and the other way round; what its addresses ask for.
pub fn binds(old: &[Bind], new: &[Bind]) -> Vec<(ChangeKind, Said)> {
    let find = |binds: &[Bind], address: &str| binds.iter().find(|bind| bind.address == address).cloned();
    let missing = |from: &[Bind], other: &[Bind]| -> Vec<String> {
        from.iter().filter(|bind| find(other, &bind.address).is_none()).map(|bind| bind.address.clone()).collect()
    };
    let tls = |now: bool| -> Vec<String> {
        let turned = |bind: &&Bind| bind.tls == now && find(old, &bind.address).is_some_and(|old| old.tls != now);
        new.iter().filter(turned).map(|bind| bind.address.clone()).collect()
    };
    let mut out: Vec<(ChangeKind, Said)> = [
        (ChangeKind::Listener, "no longer listens on", missing(old, new)),
        (ChangeKind::Listener, "now listens on", missing(new, old)),
        (ChangeKind::Tls, "no longer asks for TLS on", tls(false)),
        (ChangeKind::Tls, "now asks for TLS on", tls(true)),
    ]
    .into_iter()
    .filter(|(_, _, addresses)| !addresses.is_empty())
    .map(|(kind, said, addresses)| (kind, verb("addresses", format!("{said} {}", words::listed(&addresses)))))
    .collect();
    let limit = |bind: &Bind| bind.maxconn.as_ref().map(|limit| limit.value);
    for now in new {
        if let Some(was) = find(old, &now.address)
            && limit(&was) != limit(now)
        {
            let change = words::arrow(limit(&was), limit(now), words::number);
            out.push((ChangeKind::Limit, value(format!("maxconn of {}", now.address), change)));
        }
    }
    if out.is_empty() {
        out.push((ChangeKind::Other, value("order of addresses", "changed")));
    }
    out
}

/// Rules that pick a server before the algorithm does.
pub fn server_rules(old: &[Setting<String>], new: &[Setting<String>]) -> Vec<(ChangeKind, Said)> {
    let missing = |from: &[Setting<String>], other: &[Setting<String>], what: &str| -> Vec<(ChangeKind, Said)> {
        let has = |rule: &Setting<String>| other.iter().any(|o| plain(&o.value) == plain(&rule.value));
        let said = |rule: &Setting<String>| Said::Clause(format!("rule “{}” {what}", rule.value));
        from.iter().filter(|rule| !has(rule)).map(|rule| (ChangeKind::Route, said(rule))).collect()
    };
    let mut out = missing(old, new, "removed");
    out.extend(missing(new, old, "added"));
    if out.is_empty() {
        out.push((ChangeKind::Order, Said::Clause("order of the rules that pick a server changed".to_owned())));
    }
    out
}

/// Routes of every listener: added, removed, led elsewhere, in another order. A pool's new name is no change of a
/// route to it.
pub fn routes<'a>(old: &'a Model, new: &'a Model, pools: &Matched, listeners: &Matched, items: &mut Vec<Item<'a>>) {
    let pool_names: HashMap<&str, &str> = pools
        .pairs
        .iter()
        .map(|(before, after)| (old.pools[*before].name.as_str(), new.pools[*after].name.as_str()))
        .filter(|(before, after)| before != after)
        .collect();
    let listener_names: HashMap<&str, &str> = listeners
        .pairs
        .iter()
        .map(|(before, after)| (new.listeners[*after].name.as_str(), old.listeners[*before].name.as_str()))
        .collect();
    // Under the listener's name before; its new name beside it.
    let mut lists: HashMap<&str, (Vec<&'a Route>, Vec<&'a Route>)> = HashMap::new();
    let mut order: Vec<(&'a str, &'a str)> = Vec::new();
    let mut seen = BTreeSet::new();
    for route in &new.routes {
        let before = listener_names.get(route.listener.as_str()).copied();
        let before = before.unwrap_or(&route.listener);
        if seen.insert(before) {
            order.push((before, &route.listener));
        }
        lists.entry(before).or_default().1.push(route);
    }
    let new_names: HashMap<&str, &str> = listener_names.iter().map(|(new, old)| (*old, *new)).collect();
    for route in &old.routes {
        if seen.insert(&route.listener) {
            let now = new_names.get(route.listener.as_str()).copied();
            order.push((&route.listener, now.unwrap_or(&route.listener)));
        }
        lists.entry(&route.listener).or_default().0.push(route);
    }
    let gone: BTreeSet<&str> = listeners.gone.iter().map(|at| old.listeners[*at].name.as_str()).collect();
    let come: BTreeSet<&str> = listeners.come.iter().map(|at| new.listeners[*at].name.as_str()).collect();
    for (before, after) in order {
        let Some((olds, news)) = lists.remove(before) else { continue };
        let from = items.len();
        of_listener(new.kind, (before, after), &olds, &news, &pool_names, items);
        // A listener that came or went did so with its routes.
        let whole = (gone.contains(before) && news.is_empty()) || (come.contains(after) && olds.is_empty());
        let owner = |item: &&mut Item| item.kind == ChangeKind::Listener && item.listener == Some(after);
        if whole && items.len() > from {
            let found: Vec<Item> = items.drain(from..).collect();
            if let Some(listener) = items.iter_mut().find(owner) {
                found.into_iter().for_each(|item| listener.edits.extend(item.edits));
            } else {
                items.extend(found);
            }
        }
    }
}

fn of_listener<'a>(
    kind: BalancerKind,
    (before, after): (&'a str, &'a str),
    olds: &[&'a Route],
    news: &[&'a Route],
    names: &HashMap<&str, &str>,
    items: &mut Vec<Item<'a>>,
) {
    let condition = |route: &Route| match &route.condition {
        Some(condition) => plain(condition),
        None => String::new(),
    };
    let conditions = |routes: &[&'a Route]| routes.iter().map(|route| condition(route)).collect::<Vec<_>>();
    let (old_keys, new_keys) = (conditions(olds), conditions(news));
    let matched = Matched::by_name(old_keys.iter().map(String::as_str), new_keys.iter().map(String::as_str));
    let from = items.len();
    let mut push = |kind: ChangeKind, said: Said, edit: ListEdit<Route, _>, old: Option<&Route>, new: Option<&Route>| {
        let item = Item::new(kind, said)
            .edit(Edit::Routes { listener: before.to_owned(), edit })
            .places(old.map(|route| &route.place), new.map(|route| &route.place));
        items.push(Item { listener: Some(after), ..item });
    };
    let when = |route: &Route| route.condition.as_ref().map_or_else(String::new, |condition| format!(" {condition}"));
    for at in &matched.gone {
        let route = olds[*at];
        let said = verb("routes", format!("no longer sends to {}{}", words::target(&route.target), when(route)));
        push(ChangeKind::Route, said, ListEdit::Removed { at: *at }, Some(route), None);
    }
    for at in &matched.come {
        let route = news[*at];
        let said = verb("routes", format!("now sends to {}{}", words::target(&route.target), when(route)));
        let item = Box::new(Route { listener: before.to_owned(), ..route.clone() });
        push(ChangeKind::Route, said, ListEdit::Added { at: *at, item }, None, Some(route));
    }
    for (old_at, new_at) in &matched.pairs {
        let (old, new) = (olds[*old_at], news[*new_at]);
        let target = renamed(&old.target, names);
        if target != new.target {
            let label =
                old.condition.clone().map_or_else(|| "default route".to_owned(), |condition| format!("route {condition}"));
            let change = format!("{} → {}", words::target(&old.target), words::target(&new.target));
            let (before, after) = (RoutePart::Target(target), RoutePart::Target(new.target.clone()));
            push(ChangeKind::Route, value(label, change), ListEdit::Changed { at: *old_at, before, after }, Some(old), Some(new));
        }
        let meant = |route: &Route| route.definitions.iter().map(|definition| plain(definition)).collect::<Vec<_>>();
        if meant(old) != meant(new) {
            let missing = |from: &Route, other: &Route| {
                let other = meant(other);
                let left = from.definitions.iter().filter(|definition| !other.contains(&plain(definition)));
                left.map(|definition| format!("“{definition}”")).collect::<Vec<_>>()
            };
            let none = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { words::listed(&list) };
            let change = format!("{} → {}", none(missing(old, new)), none(missing(new, old)));
            let (before, after) =
                (RoutePart::Definitions(old.definitions.clone()), RoutePart::Definitions(new.definitions.clone()));
            let label = format!("condition of the route to {}{}", words::target(&new.target), when(new));
            push(ChangeKind::Route, value(label, change), ListEdit::Changed { at: *old_at, before, after }, Some(old), Some(new));
        }
    }
    let kept = matched.kept();
    let meant: Vec<usize> = kept.iter().copied().filter(|at| tried_in_turn(kind, olds[*at])).collect();
    if let Some(turn) = meant.windows(2).find(|pair| pair[0] > pair[1]) {
        let name =
            |at: usize| format!("{} to {}", olds[at].condition.clone().unwrap_or_default(), words::target(&olds[at].target));
        let said = Said::Clause(format!("order of routes changed: {} is now tried before {}", name(turn[0]), name(turn[1])));
        push(ChangeKind::Order, said, ListEdit::Reordered { kept }, Some(olds[turn[0]]), Some(olds[turn[1]]));
    } else if !kept.is_sorted()
        && let Some(item) = items[from..].iter_mut().find(|item| item.after.len() > item.before.len())
    {
        // Only where the new routes stand among the others matters.
        item.edits.push(Edit::Routes { listener: before.to_owned(), edit: ListEdit::Reordered { kept } });
    }
}

/// Whether a route's place among the others decides. The one that takes the rest comes last wherever it stands; of
/// nginx's locations only those with a pattern are tried in turn.
pub fn tried_in_turn(kind: BalancerKind, route: &Route) -> bool {
    match (&route.condition, kind) {
        (None, _) => false,
        (Some(condition), BalancerKind::Nginx) => condition.contains('~'),
        (Some(_), _) => true,
    }
}
