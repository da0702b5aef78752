//! Found changes to sentences: alike ones together, the gravest first, always in the same order.

use std::collections::BTreeMap;

use super::words::{Said, listed, servers};
use crate::balancer::change::{Change, ChangeKind, Edit};
use crate::balancer::maps::HashMap;
use crate::balancer::source::Place;

/// More sentences of one kind than this in one pool become one; likewise one change of more pools than this.
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
    pub lost: u64,
    pub capacity: u64,
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
            lost: 0,
            capacity: 0,
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

/// All items as changes, sorted.
pub fn group(items: Vec<Item<'_>>) -> Vec<Change> {
    let mut found: Vec<(Grade, u64, Change)> = Vec::new();
    let (of_servers, of_pools): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.server.is_some());
    for bucket in buckets(of_servers, |item| (item.kind, item.pool.map(str::to_owned), item.label().to_owned())) {
        one_pool(bucket, &mut found);
    }
    let key = |item: &Item| {
        let (label, alike) = match &item.said {
            Said::Each { all, .. } => ((*all).to_owned(), String::new()),
            _ => (item.label().to_owned(), item.alike(0).2),
        };
        (item.kind, item.pool.is_some(), item.listener.is_some(), label, alike)
    };
    for bucket in buckets(of_pools, key) {
        if joins(bucket[0].kind) && (bucket.len() > MAX_ALIKE || written_once(&bucket) || by_version(&bucket)) {
            found.push(pools_alike(bucket));
        } else {
            found.extend(bucket.into_iter().map(alone));
        }
    }
    found.sort_by_key(|(grade, lost, _)| (*grade, u64::MAX - lost));
    found.into_iter().map(|(_, _, change)| change).collect()
}

/// Items of one key together, in the order in which the keys come first.
fn buckets<'a, K: std::hash::Hash + Eq>(items: Vec<Item<'a>>, key: impl Fn(&Item<'a>) -> K) -> Vec<Vec<Item<'a>>> {
    let mut at: HashMap<K, usize> = HashMap::default();
    let mut out: Vec<Vec<Item<'a>>> = Vec::new();
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

/// Whether all of several items stand at one place before, and at one after: `defaults` changed, not they.
fn written_once(items: &[Item<'_>]) -> bool {
    let spot = |place: &Place| (place.file(), place.span().start);
    let first = |item: &Item| (item.before.first().map(spot), item.after.first().map(spot));
    let once = first(&items[0]);
    items.len() > 1
        && items[0].after.first().is_some_and(|place| place.is_written())
        && items.iter().all(|item| first(item) == once)
}

/// Whether several items are what another version makes of what nobody wrote.
fn by_version(items: &[Item<'_>]) -> bool {
    items.len() > 1 && items[0].kind == ChangeKind::DefaultByVersion
}

/// Whether one change of many pools may be one sentence. What costs sessions or capacity is told pool by pool.
fn joins(kind: ChangeKind) -> bool {
    !matches!(kind, ChangeKind::Persistence | ChangeKind::Weight | ChangeKind::Role | ChangeKind::Order | ChangeKind::Route)
}

fn grade(kind: ChangeKind, lost: bool, many: bool) -> Grade {
    match kind {
        ChangeKind::PoolRemoved => Grade::PoolGone,
        ChangeKind::ServerRemoved if many && lost => Grade::CapacityLost,
        ChangeKind::ServerRemoved => Grade::ServerGone,
        ChangeKind::Weight | ChangeKind::AdminState | ChangeKind::Role if lost => Grade::CapacityLost,
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

/// Items of servers of one pool with one label.
fn one_pool(items: Vec<Item<'_>>, found: &mut Vec<(Grade, u64, Change)>) {
    let mut groups: BTreeMap<(bool, usize, String), Vec<Item>> = BTreeMap::new();
    for (at, item) in items.into_iter().enumerate() {
        groups.entry(item.alike(at)).or_default().push(item);
    }
    if groups.len() > MAX_ALIKE {
        let all: Vec<Item> = groups.into_values().flatten().collect();
        let percent = percent(&all);
        let count = all.len();
        let text = match &all[0].said {
            Said::Each { all: verb, .. } => {
                let of = if matches!(all[0].kind, ChangeKind::ServerRemoved | ChangeKind::ServerReaddressed) {
                    format!(" of {}", all[0].total)
                } else {
                    String::new()
                };
                format!("{}{of} {verb}", servers(count))
            }
            _ => format!("{} of {count} of {} changed", all[0].label(), servers(all[0].total)),
        };
        let sentence = format!("{}{text}{}", subject(&all[0]), loss(percent, 1));
        found.push(change(all, percent, sentence, true));
        return;
    }
    for group in groups.into_values() {
        let percent = percent(&group);
        let (first, count) = (&group[0], group.len());
        let name = first.server.unwrap_or_default();
        let who = if count == 1 { name.to_owned() } else { format!("{count} of {}", servers(first.total)) };
        let of = |label: &str| if count == 1 { format!("{name} {label}") } else { format!("{label} of {who}") };
        let text = match &first.said {
            Said::Weight { to, .. } => {
                let all =
                    || group.iter().filter_map(|item| if let Said::Weight { from, .. } = item.said { Some(from) } else { None });
                let (low, high) = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
                let from = if low == high { low.to_string() } else { format!("{low} to {high}") };
                format!("{} {from} → {to}{}", of("weight"), loss(percent, 1))
            }
            Said::Value { label, change } => format!("{} {change}", of(label)),
            Said::Verb { verb, loss_from, .. } => format!("{who} {verb}{}", loss(percent, *loss_from)),
            Said::Each { one, .. } => format!("server {one}"),
            Said::Clause(text) => format!("{who} {text}"),
        };
        let sentence = format!("{}{text}", subject(first));
        found.push(change(group, percent, sentence, false));
    }
}

/// One change of a pool, a listener or the process.
fn alone(item: Item<'_>) -> (Grade, u64, Change) {
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
    change(items, percent, text.trim_start().to_owned(), false)
}

/// One change that many pools or listeners have.
fn pools_alike(items: Vec<Item<'_>>) -> (Grade, u64, Change) {
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
        Said::Clause(text) => format!("{who}, {text}{which}"),
        Said::Verb { verb, .. } => format!("{who} {verb}{which}"),
        Said::Each { all, .. } => format!("{who} {all}{which}"),
        Said::Weight { .. } => format!("weight of {who} changed{which}"),
    };
    let percent = percent(&items);
    let (grade, lost, mut change) = change(items, percent, sentence, true);
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
    let lost: u64 = items.iter().map(|item| item.lost).sum();
    match items[0].capacity {
        0 => 0.0,
        capacity => (lost as f64 * 100.0 / capacity as f64).min(100.0),
    }
}

fn loss(percent: f64, from: u32) -> String {
    let whole = percent as u32;
    if whole >= from && whole > 0 { format!(", {whole} % of capacity removed") } else { String::new() }
}

fn change(items: Vec<Item<'_>>, percent: f64, sentence: String, many: bool) -> (Grade, u64, Change) {
    let first = &items[0];
    let grade = match (&first.said, first.kind) {
        _ if first.written_only => Grade::Rest,
        (Said::Each { all: "removed", .. }, ChangeKind::Listener) => Grade::PoolGone,
        (Said::Each { all: "added", .. }, ChangeKind::Listener) => Grade::Servers,
        (Said::Each { .. }, ChangeKind::Listener) => Grade::Rest,
        (_, kind) => grade(kind, percent >= 1.0, many),
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
