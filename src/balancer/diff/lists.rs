//! What stands in lists: routes of a listener, persistence of a pool, admin surfaces of the process.

use std::collections::BTreeSet;

use super::apply::{mirrored, renamed};
use super::defaults::plain;
use super::details;
use super::group::Item;
use super::matching::Matched;
use super::own;
use super::words::{self, Said, value, verb};
use crate::balancer::change::{ChangeKind, Edit, ListEdit, RoutePart};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{AdminSurface, Bind, Model, Persistence, Route, Setting, Target};
use crate::balancer::source::Place;
use crate::domain::balancer::BalancerKind;

/// One change in a list, with the places of its own entries where it has some.
pub struct Found<'a> {
    pub kind: ChangeKind,
    pub said: Said,
    pub places: Option<(Option<&'a Place>, Option<&'a Place>)>,
}

impl From<(ChangeKind, Said)> for Found<'_> {
    fn from((kind, said): (ChangeKind, Said)) -> Self {
        Self { kind, said, places: None }
    }
}

fn at<'a>(kind: ChangeKind, said: Said, before: Option<&'a Place>, after: Option<&'a Place>) -> Found<'a> {
    Found { kind, said, places: Some((before, after)) }
}

/// More changes of one list than this are counted.
const MAX_TOLD: usize = 5;

/// The first changes of a list and how many more there are: each comes with the whole list as its edit.
pub fn few<'a>(mut found: Vec<Found<'a>>, what: &str) -> Vec<Found<'a>> {
    let more = found.len().saturating_sub(MAX_TOLD);
    if more > 1 {
        let kind = found[MAX_TOLD].kind;
        found.truncate(MAX_TOLD);
        found.push(Found::from((kind, Said::Clause(format!("{more} more changes of its {what}")))));
    }
    found
}

/// What says on which server a client stays: removed, added, another key, another order. Linear.
pub fn persistence<'a>(old: &'a [Persistence], new: &'a [Persistence]) -> Vec<Found<'a>> {
    let text = |p: &Persistence| if p.said.is_empty() { format!("by {}", p.key) } else { format!("“{}”", p.said) };
    let bare = |p: &Persistence| format!("{:?}", Persistence { said: plain(&p.said), place: Place::default(), ..p.clone() });
    let names = |list: &[Persistence]| list.iter().map(bare).collect::<Vec<_>>();
    let (old_names, new_names) = (names(old), names(new));
    let mut matched = Matched::by_name(old_names.iter().map(String::as_str), new_names.iter().map(String::as_str));
    // The only one of its kind is the same one with other words.
    let kind = |p: &Persistence| Some(format!("{:?}", p.kind));
    let again: HashMap<usize, usize> = matched.by_key(|at| kind(&old[at]), |at| kind(&new[at])).into_iter().collect();
    let mut out = Vec::new();
    for (at_old, before) in old.iter().enumerate() {
        let Some(after) = again.get(&at_old).map(|at| &new[*at]) else {
            if matched.gone.binary_search(&at_old).is_ok() {
                let said = Said::Clause(format!("persistence {} removed", text(before)));
                out.push(at(ChangeKind::Persistence, said, Some(&before.place), None));
            }
            continue;
        };
        let (was, is) = (text(before), text(after));
        let said = match (before.key == after.key, was == is) {
            (true, false) => value("persistence", format!("{was} → {is}")),
            (true, true) => details::cookie(before, after),
            (false, true) => value("persistence key", format!("{} → {}", before.key, after.key)),
            (false, false) => value("persistence key", format!("{} → {} ({was} → {is})", before.key, after.key)),
        };
        out.push(at(ChangeKind::Persistence, said, Some(&before.place), Some(&after.place)));
    }
    for after in matched.come.iter().map(|at| &new[*at]) {
        let said = Said::Clause(format!("persistence {} added", text(after)));
        out.push(at(ChangeKind::Persistence, said, None, Some(&after.place)));
    }
    if out.is_empty() {
        let all = |list: &[Persistence]| words::listed(&list.iter().map(text).collect::<Vec<_>>());
        out.push(Found::from((ChangeKind::Order, value("order of persistence", format!("{} → {}", all(old), all(new))))));
    }
    out
}

/// Stats pages, sockets and admin APIs that came, went or changed.
pub fn surfaces<'a>(old: &'a [AdminSurface], new: &'a [AdminSurface]) -> Vec<Found<'a>> {
    let name = |s: &AdminSurface| if s.address.is_empty() { s.what.clone() } else { format!("{} at {}", s.what, s.address) };
    let how = |s: &AdminSurface| {
        let guarded = if s.guarded { "guarded" } else { "open to everybody who reaches it" };
        if s.writes { format!("can change state, {guarded}") } else { format!("read only, {guarded}") }
    };
    let said = |text: String, was: Option<&'a AdminSurface>, is: Option<&'a AdminSurface>| {
        at(ChangeKind::Process, Said::Clause(text), was.map(|s| &s.place), is.map(|s| &s.place))
    };
    let names = |list: &[AdminSurface]| list.iter().map(name).collect::<Vec<_>>();
    let (old_names, new_names) = (names(old), names(new));
    let matched = Matched::by_name(old_names.iter().map(String::as_str), new_names.iter().map(String::as_str));
    let mut out = Vec::new();
    for now in matched.come.iter().map(|at| &new[*at]) {
        out.push(said(format!("{} added: {}", name(now), how(now)), None, Some(now)));
    }
    for (was, now) in matched.pairs.iter().map(|(was, now)| (&old[*was], &new[*now])) {
        if how(was) != how(now) {
            out.push(said(format!("{}: {} → {}", name(now), how(was), how(now)), Some(was), Some(now)));
        }
    }
    out.extend(matched.gone.iter().map(|at| &old[*at]).map(|was| said(format!("{} removed", name(was)), Some(was), None)));
    if out.is_empty() {
        out.push(Found::from((ChangeKind::Process, Said::Clause("order of admin surfaces changed".to_owned()))));
    }
    out
}

/// A bind before and after; none on the side that lacks it.
type Sides<'a> = (Option<&'a Bind>, Option<&'a Bind>);

/// Where a listener listens now and did not, and the other way round; what its addresses ask for.
pub fn binds<'a>(old: &'a [Bind], new: &'a [Bind]) -> Vec<Found<'a>> {
    let index = |binds: &'a [Bind]| -> HashMap<&'a str, &'a Bind> {
        binds.iter().rev().map(|bind| (bind.address.as_str(), bind)).collect()
    };
    let (olds, news) = (index(old), index(new));
    let mut groups: Vec<(ChangeKind, &str, Vec<Sides<'a>>)> = vec![
        (ChangeKind::Listener, "no longer listens on", Vec::new()),
        (ChangeKind::Listener, "now listens on", Vec::new()),
        (ChangeKind::Tls, "no longer asks for TLS on", Vec::new()),
        (ChangeKind::Tls, "now asks for TLS on", Vec::new()),
        (ChangeKind::Listener, "no longer takes requests for unknown hosts on", Vec::new()),
        (ChangeKind::Listener, "now takes requests for unknown hosts on", Vec::new()),
        (ChangeKind::Listener, "no longer expects the PROXY protocol on", Vec::new()),
        (ChangeKind::Listener, "now expects the PROXY protocol on", Vec::new()),
    ];
    groups[0].2.extend(old.iter().filter(|bind| !news.contains_key(bind.address.as_str())).map(|bind| (Some(bind), None)));
    let mut limits = Vec::new();
    for now in new {
        let was = olds.get(now.address.as_str()).copied();
        match was {
            None => groups[1].2.push((None, Some(now))),
            Some(was) if was.tls != now.tls => groups[2 + usize::from(now.tls)].2.push((Some(was), Some(now))),
            Some(_) => {}
        }
        if let Some(was) = was.filter(|was| was.default_server != now.default_server) {
            groups[4 + usize::from(now.default_server)].2.push((Some(was), Some(now)));
        }
        if let Some(was) = was.filter(|was| was.proxy_protocol != now.proxy_protocol) {
            groups[6 + usize::from(now.proxy_protocol)].2.push((Some(was), Some(now)));
        }
        if let Some(was) = was.filter(|was| was.maxconn != now.maxconn) {
            let change = words::settings(&was.maxconn, &now.maxconn, words::number);
            let said = value(format!("maxconn of {}", now.address), change);
            limits.push(at(ChangeKind::Limit, said, Some(&was.place), Some(&now.place)));
        }
    }
    let mut out = Vec::new();
    for (kind, text, binds) in groups.into_iter().filter(|(_, _, binds)| !binds.is_empty()) {
        let name = |(old, new): &Sides<'_>| {
            let secured = |bind: &Bind| kind == ChangeKind::Listener && bind.tls && (old.is_none() || new.is_none());
            let said = |bind: &Bind| format!("{}{}", bind.address, if secured(bind) { " (TLS)" } else { "" });
            old.or(*new).map(said)
        };
        let names: Vec<String> = binds.iter().filter_map(name).collect();
        let said = verb("addresses", format!("{text} {}", words::listed(&names)));
        out.push(at(kind, said, binds[0].0.map(|bind| &bind.place), binds[0].1.map(|bind| &bind.place)));
    }
    out.append(&mut limits);
    if out.is_empty() {
        out.push(Found::from((ChangeKind::Other, value("order of addresses", "changed"))));
    }
    out
}

/// Hosts that a listener answers for.
pub fn hosts<'a>(old: &[String], new: &[String]) -> Vec<Found<'a>> {
    let missing = |from: &[String], other: &[String]| -> Vec<String> {
        let other: HashSet<&String> = other.iter().collect();
        from.iter().filter(|host| !other.contains(host)).cloned().collect()
    };
    [("no longer answers for", missing(old, new)), ("now answers for", missing(new, old))]
        .into_iter()
        .filter(|(_, hosts)| !hosts.is_empty())
        .map(|(text, hosts)| (ChangeKind::Listener, verb("hosts", format!("{text} {}", words::listed(&hosts)))))
        .map(Found::from)
        .collect()
}

/// Rules that pick a server before the algorithm does.
pub fn server_rules<'a>(old: &'a [Setting<String>], new: &'a [Setting<String>]) -> Vec<Found<'a>> {
    let missing = |from: &'a [Setting<String>], other: &[Setting<String>]| -> Vec<&'a Setting<String>> {
        let other: HashSet<String> = other.iter().map(|rule| plain(&rule.value)).collect();
        from.iter().filter(|rule| !other.contains(&plain(&rule.value))).collect()
    };
    let said = |rule: &Setting<String>, what: &str| Said::Clause(format!("use-server rule “{}” {what}", rule.value));
    let gone = missing(old, new).into_iter().map(|rule| at(ChangeKind::Route, said(rule, "removed"), Some(&rule.place), None));
    let come = missing(new, old).into_iter().map(|rule| at(ChangeKind::Route, said(rule, "added"), None, Some(&rule.place)));
    let mut out: Vec<Found<'a>> = gone.chain(come).collect();
    if out.is_empty() {
        let text = "order of the use-server rules changed";
        out.push(Found::from((ChangeKind::Order, Said::Clause(text.to_owned()))));
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
    let mut lists: HashMap<&str, (Vec<&'a Route>, Vec<&'a Route>)> = HashMap::default();
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
    // What came or went with a listener is said there.
    let owners: HashMap<&str, usize> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.kind == ChangeKind::Listener)
        .filter_map(|(at, item)| Some((item.listener?, at)))
        .collect();
    for (before, after) in order {
        let Some((olds, news)) = lists.remove(before) else { continue };
        let from = items.len();
        of_listener(new.kind, (before, after), &olds, &news, &pool_names, items);
        // A listener that came or went did so with its routes.
        let whole = (gone.contains(before) && news.is_empty()) || (come.contains(after) && olds.is_empty());
        if whole && items.len() > from {
            let found: Vec<Item> = items.drain(from..).collect();
            if let Some(at) = owners.get(after) {
                found.into_iter().for_each(|item| items[*at].edits.extend(item.edits));
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
    let mut matched = Matched::by_name(old_keys.iter().map(String::as_str), new_keys.iter().map(String::as_str));
    // The only route to somewhere is the same one under another condition.
    let way = |target: Target| Some(format!("{target:?}"));
    matched.by_key(|at| way(renamed(&olds[at].target, names)), |at| way(news[at].target.clone()));
    let becomes = |item: &Item| {
        let condition =
            |edit: &Edit| matches!(edit, Edit::Routes { edit: ListEdit::Changed { after: RoutePart::Condition(_), .. }, .. });
        item.edits.iter().any(condition)
    };
    let from = items.len();
    let push = |items: &mut Vec<Item<'a>>,
                kind: ChangeKind,
                said: Said,
                edit: ListEdit<Route, _>,
                old: Option<&Route>,
                new: Option<&Route>| {
        let item = Item::new(kind, said)
            .edit(Edit::Routes { listener: before.to_owned(), edit })
            .places(old.map(|route| &route.place), new.map(|route| &route.place));
        items.push(Item { listener: Some(after), total: olds.len().max(news.len()), ..item });
    };
    for at in &matched.gone {
        let route = olds[*at];
        let said = verb("routes removed", format!("no longer {}", words::way(route)));
        push(items, ChangeKind::Route, said, ListEdit::Removed { at: *at }, Some(route), None);
    }
    for at in &matched.come {
        let route = news[*at];
        let said = verb("routes added", format!("now {}", words::way(route)));
        let item = Box::new(Route { listener: before.to_owned(), ..route.clone() });
        push(items, ChangeKind::Route, said, ListEdit::Added { at: *at, item }, None, Some(route));
    }
    for (old_at, new_at) in &matched.pairs {
        let (old, new) = (olds[*old_at], news[*new_at]);
        let target = renamed(&old.target, names);
        if old_keys[*old_at] != new_keys[*new_at] {
            let change = format!("{} → {}", words::condition(old), words::condition(new));
            let (before, after) = (RoutePart::Condition(old.condition.clone()), RoutePart::Condition(new.condition.clone()));
            let said = value(format!("route to {}", words::target(&new.target)), change);
            let edit = ListEdit::Changed { at: *old_at, before, after };
            push(items, ChangeKind::Route, said, edit, Some(old), Some(new));
        }
        if target != new.target {
            let label =
                if old.condition.is_none() { "default route".to_owned() } else { format!("route {}", words::condition(old)) };
            let (was, is) = (words::target(&old.target), words::target(&new.target));
            let change = if was == is {
                format!("still leads to {is}, now called {}", words::target(&target))
            } else {
                format!("{was} → {is}")
            };
            let (before, after) = (RoutePart::Target(target), RoutePart::Target(new.target.clone()));
            let edit = ListEdit::Changed { at: *old_at, before, after };
            push(items, ChangeKind::Route, value(label, change), edit, Some(old), Some(new));
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
            let label = format!("route {} to {},", words::condition(new), words::target(&new.target));
            let edit = ListEdit::Changed { at: *old_at, before, after };
            push(items, ChangeKind::Route, value(label, change), edit, Some(old), Some(new));
        }
    }
    for (old_at, new_at) in &matched.pairs {
        let (old, new) = (olds[*old_at], news[*new_at]);
        let mirrors = mirrored(&old.mirrors, names);
        if mirrors != new.mirrors {
            let change = format!("{} → {}", own::copies(&mirrors), own::copies(&new.mirrors));
            let (before, after) = (RoutePart::Mirrors(mirrors), RoutePart::Mirrors(new.mirrors.clone()));
            let label = format!("copies of {} to {}", own::route(new), words::target(&new.target));
            let edit = ListEdit::Changed { at: *old_at, before, after };
            push(items, ChangeKind::Route, value(label, change), edit, Some(old), Some(new));
        }
        for (kind, said, was, is) in own::changes(kind, old, new) {
            let (from, to) = (RoutePart::Own(old.own.clone()), RoutePart::Own(new.own.clone()));
            let edit = ListEdit::Changed { at: *old_at, before: from, after: to };
            let item = Item::new(kind, said).edit(Edit::Routes { listener: before.to_owned(), edit }).places(Some(was), Some(is));
            items.push(Item { listener: Some(after), total: olds.len().max(news.len()), ..item });
        }
    }
    let kept = matched.kept();
    let in_turn = |(old, new): &&(usize, usize)| tried_in_turn(kind, olds[*old]) || tried_in_turn(kind, news[*new]);
    let meant: Vec<usize> = matched.pairs.iter().filter(in_turn).map(|(old, _)| *old).collect();
    if let Some(turn) = meant.windows(2).find(|pair| pair[0] > pair[1]) {
        let name = |at: usize| format!("{} to {}", words::condition(olds[at]), words::target(&olds[at].target));
        let said = Said::Clause(format!("order of routes changed: {} is now tried before {}", name(turn[0]), name(turn[1])));
        push(items, ChangeKind::Order, said, ListEdit::Reordered { kept }, Some(olds[turn[0]]), Some(olds[turn[1]]));
    } else if !kept.is_sorted()
        && let Some(item) = items[from..].iter_mut().find(|item| item.after.len() > item.before.len() || becomes(item))
    {
        // Only where the new routes stand among the others matters, and those that ask for something else now.
        item.edits.push(Edit::Routes { listener: before.to_owned(), edit: ListEdit::Reordered { kept } });
    }
}

/// Whether a route's place among the others decides. The one that takes the rest comes last wherever it stands; of
/// nginx's locations only those with a pattern are tried in turn, and `if` and `rewrite` of a server.
pub fn tried_in_turn(kind: BalancerKind, route: &Route) -> bool {
    match (&route.condition, kind) {
        (None, _) => false,
        (Some(condition), BalancerKind::Nginx) => condition.contains('~') || !condition.starts_with("location"),
        (Some(_), _) => true,
    }
}
