//! Found changes to sentences: alike ones together, the gravest first, always in the same order.

use std::collections::BTreeMap;

use super::words::{Said, listed, servers};
use crate::balancer::change::{Change, ChangeKind, Edit};
use crate::balancer::maps::HashMap;
use crate::balancer::source::Place;

/// More sentences of one kind than this in one pool or listener become one; likewise one change of more pools.
const MAX_ALIKE: usize = 5;

/// How grave a change is; sentences are sorted by it, then by the capacity that they remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    PoolGone,
    CapacityLost,
    ServerGone,
    Moved,
    Algorithm,
    Persistence,
    Limit,
    Servers,
    Rest,
}

/// One change of one thing.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    pub kind: ChangeKind,
    pub pool: Option<&'a str>,
    pub listener: Option<&'a str>,
    pub server: Option<&'a str>,
    pub said: Said,
    /// Servers of the pool, pools or listeners of the model: "3 of 5".
    pub total: usize,
    /// Weight that no longer carries traffic, and the weight that the pool had.
    pub lost: f64,
    pub capacity: f64,
    /// Written, while something else is in force: of no consequence yet.
    pub written_only: bool,
    pub edits: Vec<Edit>,
    pub before: Vec<Place>,
    pub after: Vec<Place>,
}

impl<'a> Item<'a> {
    pub fn new(kind: ChangeKind, said: Said) -> Self {
        Item {
            kind,
            pool: None,
            listener: None,
            server: None,
            said,
            total: 0,
            lost: 0.0,
            capacity: 0.0,
            written_only: false,
            edits: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// Where it stood and stands.
    pub fn places(mut self, before: Option<&Place>, after: Option<&Place>) -> Self {
        self.before.extend(before.cloned());
        self.after.extend(after.cloned());
        self
    }

    /// Takes over what another item found of the same change.
    pub fn absorb(&mut self, other: Self) {
        self.edits.extend(other.edits);
        self.before.extend(other.before);
        self.after.extend(other.after);
    }

    fn label(&self) -> &str {
        match &self.said {
            Said::Value { label, .. } => label,
            Said::Weight { .. } => "weight",
            Said::Verb { label, .. } => label,
            Said::Each { all, .. } => all,
            Said::Clause(text) => text,
        }
    }

    /// What makes two items of one label the same change.
    fn alike(&self, at: usize) -> (bool, usize, String) {
        match &self.said {
            Said::Weight { from, to } => (to > from, *to as usize, String::new()),
            Said::Value { change, .. } => (false, 0, change.clone()),
            Said::Verb { verb, .. } => (false, 0, verb.clone()),
            Said::Each { .. } => (false, at, String::new()),
            Said::Clause(_) => (false, 0, String::new()),
        }
    }
}

/// A change with how grave it is and the share of capacity, in percent, that it removes.
type Graded = (Grade, u64, Change);

/// All items as changes, sorted.
pub fn group(items: Vec<Item<'_>>) -> Vec<Change> {
    let mut found: Vec<Graded> = Vec::new();
    let (of_servers, rest): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.server.is_some());
    let (routes, of_pools): (Vec<Item>, Vec<Item>) =
        rest.into_iter().partition(|item| item.kind == ChangeKind::Route && item.listener.is_some());
    let mut groups: Vec<Vec<Item>> = Vec::new();
    for bucket in buckets(of_servers, |item| (item.kind, item.pool.map(str::to_owned), item.label().to_owned())) {
        one_pool(bucket, &mut groups, &mut found);
    }
    let key = |group: &Vec<Item>| (group[0].kind, group[0].label().to_owned(), said(group), percent(group) as u64);
    for bucket in buckets(groups, key) {
        if bucket.len() > MAX_ALIKE || written_once(bucket.iter().flatten()) {
            found.push(servers_of_pools(bucket));
        } else {
            found.extend(bucket.into_iter().map(servers_of_pool));
        }
    }
    for bucket in buckets(routes, |item| (item.listener.map(str::to_owned), many_routes(item))) {
        if bucket.len() > MAX_ALIKE {
            found.push(routes_alike(bucket));
        } else {
            found.extend(bucket.into_iter().map(alone));
        }
    }
    let key = |item: &Item| {
        let (label, alike) = match &item.said {
            Said::Each { all, .. } => ((*all).to_owned(), String::new()),
            _ => (item.label().to_owned(), item.alike(0).2),
        };
        (item.kind, item.pool.is_some(), item.listener.is_some(), label, alike)
    };
    for bucket in buckets(of_pools, key) {
        let named = bucket[0].pool.or(bucket[0].listener).is_some();
        if named && (bucket.len() > MAX_ALIKE || written_once(bucket.iter()) || by_version(&bucket)) {
            found.push(pools_alike(bucket));
        } else {
            found.extend(bucket.into_iter().map(alone));
        }
    }
    found.sort_by_key(|(grade, lost, _)| (*grade, u64::MAX - lost));
    found.into_iter().map(|(_, _, change)| change).collect()
}

/// Items of one key together, in the order in which the keys come first.
fn buckets<T, K: std::hash::Hash + Eq>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut at: HashMap<K, usize> = HashMap::default();
    let mut out: Vec<Vec<T>> = Vec::new();
    for item in items {
        let next = out.len();
        let index = *at.entry(key(&item)).or_insert(next);
        if index == next {
            out.push(Vec::new());
        }
        out[index].push(item);
    }
    out
}

/// Whether all of several items of different pools stand at one place before, or at one after: `defaults` changed, not
/// they.
fn written_once<'i>(mut items: impl Iterator<Item = &'i Item<'i>>) -> bool {
    let spot = |place: Option<&Place>| place.filter(|place| place.is_written()).map(|place| (place.file(), place.span().start));
    let of = |item: &'i Item<'i>| (spot(item.before.first()), spot(item.after.first()), (item.pool, item.listener));
    let Some((was, is, owner)) = items.next().map(of) else { return false };
    let (mut all_was, mut all_is, mut several) = (was.is_some(), is.is_some(), false);
    for item in items {
        let other = of(item);
        (all_was, all_is) = (all_was && other.0 == was, all_is && other.1 == is);
        several |= other.2 != owner;
    }
    several && (all_was || all_is)
}

/// Whether several items are what another version makes of what nobody wrote.
fn by_version(items: &[Item<'_>]) -> bool {
    items.len() > 1 && items[0].kind == ChangeKind::DefaultByVersion
}

fn grade(kind: ChangeKind, lost: bool) -> Grade {
    match kind {
        ChangeKind::PoolRemoved => Grade::PoolGone,
        ChangeKind::ServerRemoved | ChangeKind::Weight | ChangeKind::AdminState | ChangeKind::Role if lost => Grade::CapacityLost,
        ChangeKind::ServerRemoved => Grade::ServerGone,
        ChangeKind::Route | ChangeKind::Listener | ChangeKind::Tls | ChangeKind::ServerReaddressed | ChangeKind::Order => {
            Grade::Moved
        }
        ChangeKind::Algorithm | ChangeKind::DefaultByVersion => Grade::Algorithm,
        ChangeKind::Persistence => Grade::Persistence,
        ChangeKind::HealthCheck | ChangeKind::Limit | ChangeKind::Timeout | ChangeKind::Retry | ChangeKind::Process => {
            Grade::Limit
        }
        ChangeKind::ServerAdded | ChangeKind::PoolAdded | ChangeKind::Weight | ChangeKind::AdminState | ChangeKind::Role => {
            Grade::Servers
        }
        ChangeKind::ServerRenamed | ChangeKind::PoolRenamed | ChangeKind::Other => Grade::Rest,
    }
}

/// Items of servers of one pool with one label: alike ones together, or all as one change where there are many.
fn one_pool<'a>(items: Vec<Item<'a>>, alike: &mut Vec<Vec<Item<'a>>>, found: &mut Vec<Graded>) {
    let mut groups: BTreeMap<(bool, usize, String), Vec<Item>> = BTreeMap::new();
    for (at, item) in items.into_iter().enumerate() {
        groups.entry(item.alike(at)).or_default().push(item);
    }
    if groups.len() <= MAX_ALIKE {
        alike.extend(groups.into_values());
        return;
    }
    let all: Vec<Item> = groups.into_values().flatten().collect();
    let (percent, count, total) = (percent(&all), all.len(), servers(all[0].total));
    let sentence = match &all[0].said {
        Said::Each { all: verb, .. } => {
            let of = matches!(all[0].kind, ChangeKind::ServerRemoved | ChangeKind::ServerReaddressed);
            let who = if of { format!("{count} of {total}") } else { servers(count) };
            format!("{}{who} {verb}{}", subject(&all[0]), with(percent))
        }
        _ => format!("{}{} of {count} of {total} changed{}", subject(&all[0]), all[0].label(), loss(percent)),
    };
    found.push(change(all, percent, sentence));
}

/// What alike items of one pool say, without whom it concerns.
fn said(group: &[Item<'_>]) -> String {
    match &group[0].said {
        Said::Weight { to, .. } => {
            let all =
                || group.iter().filter_map(|item| if let Said::Weight { from, .. } = item.said { Some(from) } else { None });
            let (low, high) = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
            let from = if low == high { low.to_string() } else { format!("{low} to {high}") };
            format!("{from} → {to}")
        }
        Said::Value { change, .. } => change.clone(),
        Said::Verb { verb, .. } => verb.clone(),
        Said::Each { one, .. } => one.clone(),
        Said::Clause(text) => text.clone(),
    }
}

/// Alike items of one pool.
fn servers_of_pool(group: Vec<Item<'_>>) -> Graded {
    let (first, count, percent) = (&group[0], group.len(), percent(&group));
    let name = first.server.unwrap_or_default();
    let who = if count == 1 { name.to_owned() } else { format!("{count} of {}", servers(first.total)) };
    let of = |label: &str| if count == 1 { format!("{name} {label}") } else { format!("{label} of {who}") };
    let said = said(&group);
    let text = match &first.said {
        Said::Weight { .. } | Said::Value { .. } => format!("{} {said}{}", of(first.label()), loss(percent)),
        Said::Verb { .. } | Said::Clause(_) => format!("{who} {said}{}", loss(percent)),
        Said::Each { .. } => format!("server {said}{}", with(percent)),
    };
    let sentence = format!("{}{text}", subject(first));
    change(group, percent, sentence)
}

/// The same change of servers of several pools.
fn servers_of_pools(groups: Vec<Vec<Item<'_>>>) -> Graded {
    let (percent, said) = (percent(&groups[0]), said(&groups[0]));
    let names: Vec<String> = groups.iter().filter_map(|group| group[0].pool).map(str::to_owned).collect();
    let items: Vec<Item> = groups.into_iter().flatten().collect();
    let pools = format!("{} pools", names.len());
    let who = format!("{} in {pools}", servers(items.len()));
    let each = loss(percent).replace("capacity", "the capacity of each");
    let text = match &items[0].said {
        Said::Weight { .. } | Said::Value { .. } => format!("{} of {who} {said}{each}", items[0].label()),
        Said::Verb { .. } | Said::Clause(_) => format!("{who} {said}{each}"),
        Said::Each { .. } => format!("server {said}{} in {pools}", with(percent).replace("capacity", "the capacity of each")),
    };
    several(items, percent, format!("{text}: {}", listed(&names)))
}

/// What many changes of one kind to the routes of one listener are called together.
fn many_routes(item: &Item<'_>) -> &'static str {
    match item.said {
        Said::Verb { label, .. } => label,
        _ => "routes changed",
    }
}

fn routes_alike(items: Vec<Item<'_>>) -> Graded {
    let (first, count) = (&items[0], items.len());
    let one = match &first.said {
        Said::Verb { verb, .. } => verb.trim_start_matches("no longer ").trim_start_matches("now ").to_owned(),
        Said::Value { label, change } => format!("is {label} {change}"),
        said => format!("{said:?}"),
    };
    let sentence = format!("{}{count} of {} {}; the first {one}", subject(first), first.total, many_routes(first));
    change(items, 0.0, sentence)
}

/// One change of a pool, a listener or the process.
fn alone(item: Item<'_>) -> Graded {
    let subject = subject(&item);
    let text = match &item.said {
        Said::Value { label, change } => format!("{subject}{label} {change}"),
        Said::Clause(text) => format!("{subject}{text}"),
        Said::Verb { verb, .. } => format!("{} {verb}", subject.trim_end_matches([':', ' '])),
        Said::Each { one, .. } => format!("{} {one}", if item.pool.is_some() { "pool" } else { "listener" }),
        Said::Weight { from, to } => format!("{subject}weight {from} → {to}"),
    };
    let items = vec![item];
    let percent = percent(&items);
    change(items, percent, text)
}

/// One change that many pools or listeners have.
fn pools_alike(items: Vec<Item<'_>>) -> Graded {
    let (first, count) = (&items[0], items.len());
    let noun = if first.pool.is_some() { "pools" } else { "listeners" };
    let names: Vec<String> = items.iter().filter_map(|item| item.pool.or(item.listener)).map(str::to_owned).collect();
    let who = match &first.said {
        Said::Each { .. } => format!("{count} {noun}"),
        _ => format!("{count} of {} {noun}", first.total),
    };
    let which = if count == first.total && !matches!(first.said, Said::Each { .. }) {
        String::new()
    } else {
        format!(": {}", listed(&names))
    };
    let sentence = match &first.said {
        Said::Value { label, change } => format!("{label} of {who} {change}{which}"),
        Said::Clause(text) => format!("{text} in {who}{which}"),
        Said::Verb { verb, .. } => format!("{who} {verb}{which}"),
        Said::Each { all, .. } => format!("{who} {all}{which}"),
        Said::Weight { .. } => format!("weight of {who} changed{which}"),
    };
    let percent = percent(&items);
    several(items, percent, sentence)
}

/// A change of no one pool or listener.
fn several(items: Vec<Item<'_>>, percent: f64, sentence: String) -> Graded {
    let (grade, lost, mut change) = change(items, percent, sentence);
    (change.pool, change.listener) = (None, None);
    (grade, lost, change)
}

/// Whom it concerns, ready to be followed by what; a listener or pool that is the subject itself loses its colon.
fn subject(item: &Item<'_>) -> String {
    match (item.pool, item.listener) {
        (Some(pool), _) => format!("pool {pool}: "),
        (None, Some(listener)) => format!("listener {listener}: "),
        (None, None) if item.kind == ChangeKind::Process => "process: ".to_owned(),
        (None, None) => String::new(),
    }
}

/// Share of its pool's capacity that goes away with all of them, 0 to 100.
fn percent(items: &[Item<'_>]) -> f64 {
    let lost: f64 = items.iter().map(|item| item.lost).sum();
    if lost > 0.0 { lost * 100.0 / items[0].capacity.max(lost) } else { 0.0 }
}

fn loss(percent: f64) -> String {
    if percent >= 1.0 { format!(", {} % of capacity removed", percent as u32) } else { String::new() }
}

fn with(percent: f64) -> String {
    if percent >= 1.0 { format!(" with {} % of capacity", percent as u32) } else { String::new() }
}

fn change(items: Vec<Item<'_>>, percent: f64, sentence: String) -> Graded {
    let first = &items[0];
    let grade = match (&first.said, first.kind) {
        _ if first.written_only => Grade::Rest,
        (Said::Each { all: "removed", .. }, ChangeKind::Listener) => Grade::PoolGone,
        (Said::Each { all: "added", .. }, ChangeKind::Listener) => Grade::Servers,
        (Said::Each { .. }, ChangeKind::Listener) => Grade::Rest,
        (_, kind) => grade(kind, percent >= 1.0),
    };
    let lost = if grade == Grade::CapacityLost { percent as u64 } else { 0 };
    let mut out = Change {
        kind: first.kind,
        pool: first.pool.map(str::to_owned),
        listener: first.listener.map(str::to_owned),
        servers: items.iter().filter_map(|item| item.server.map(str::to_owned)).collect(),
        sentence,
        lost_percent: percent,
        ..Change::default()
    };
    let spot = |place: &Place| (place.file(), place.span().start);
    let add = |to: &mut Vec<Place>, from: Vec<Place>| {
        let last = to.last().map(spot);
        to.extend(from.into_iter().filter(|place| Some(spot(place)) != last));
    };
    for item in items {
        add(&mut out.before, item.before);
        add(&mut out.after, item.after);
        out.edits.extend(item.edits);
    }
    (grade, lost, out)
}
