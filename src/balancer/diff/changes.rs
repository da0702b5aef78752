//! Changes in plain sentences, the gravest first: what people would say to each other in the incident's channel.
//!
//! Servers are matched by name, then by address (a rename). Alike changes of several servers are one sentence.
//! What a source does not tell is no change.

use std::collections::{BTreeMap, HashMap};

use crate::balancer::model::{Listener, Model, Pool, Server};
use crate::balancer::state::{Admin, PoolState, ServerState, State};

/// More sentences of one kind than this in one pool become one.
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

#[derive(Default)]
struct Sentences(Vec<(Grade, u32, String)>);

impl Sentences {
    fn say(&mut self, grade: Grade, text: String) {
        self.0.push((grade, 0, text));
    }

    /// `percent` of the pool's capacity goes with it; 0 when none does.
    fn say_loss(&mut self, percent: u32, otherwise: Grade, text: String) {
        match percent {
            0 => self.say(otherwise, text),
            _ => self.0.push((Grade::CapacityLost, percent, text)),
        }
    }

    fn sorted(mut self) -> Vec<String> {
        self.0.sort_by_key(|(grade, percent, _)| (*grade, u32::MAX - percent));
        self.0.into_iter().map(|(_, _, text)| text).collect()
    }
}

/// What people or a reload changed at run time. Empty when `before` is none: a first sight is no change.
pub fn state_changes(before: Option<&State>, after: &State) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let mut out = Sentences::default();
    pools(before, after, &mut out);
    if let (Some(old), Some(new)) = (&before.version, &after.version)
        && old != new
    {
        out.say(Grade::Rest, format!("version {old} → {new}"));
    }
    out.sorted()
}

/// What a config says differently. Empty when `before` is none, and when only text changed that the model does not
/// hold: the caller says so.
pub fn config_changes(before: Option<&Model>, after: &Model) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let mut out = Sentences::default();
    pools(&as_state(before), &as_state(after), &mut out);
    let old_pools: HashMap<&str, &Pool> = before.pools.iter().rev().map(|p| (p.name.as_str(), p)).collect();
    for new in &after.pools {
        if let Some(old) = old_pools.get(new.name.as_str()) {
            settings(old, new, &mut out);
        }
    }
    listeners(before, after, &mut out);
    out.sorted()
}

/// The part of a config that a state tells too, so that both are compared by the same code.
fn as_state(model: &Model) -> State {
    let server = |server: &Server| ServerState {
        name: server.name.clone(),
        address: Some(server.address.clone()),
        // HAProxy's default: written out or not is the same.
        weight: server.weight.unwrap_or(1),
        weight_configured: None,
        admin: if server.disabled { Admin::Maintenance } else { Admin::Ready },
        backup: server.backup,
    };
    let pool = |pool: &Pool| PoolState {
        name: pool.name.clone(),
        algorithm: Some(pool.algorithm.clone().unwrap_or_else(|| "the default".to_owned())),
        servers: pool.servers.iter().map(server).collect(),
    };
    State { version: None, pools: model.pools.iter().map(pool).collect() }
}

fn pools(before: &State, after: &State, out: &mut Sentences) {
    // Reversed, so that of two pools with one name the first counts.
    let by_name = |state: &'_ State| -> HashMap<String, usize> {
        state.pools.iter().enumerate().rev().map(|(at, pool)| (pool.name.clone(), at)).collect()
    };
    let (old_names, new_names) = (by_name(before), by_name(after));
    for old in before.pools.iter().filter(|old| !new_names.contains_key(&old.name)) {
        out.say(Grade::PoolGone, format!("pool {} removed, it had {}", old.name, servers(old.servers.len())));
    }
    for (at, new) in after.pools.iter().enumerate() {
        match old_names.get(&new.name) {
            None => out.say(Grade::Servers, format!("pool {} added with {}", new.name, servers(new.servers.len()))),
            Some(old) if new_names.get(&new.name) == Some(&at) => pool(&before.pools[*old], new, out),
            // The second of two pools with one name.
            Some(_) => {}
        }
    }
}

fn servers(count: usize) -> String {
    if count == 1 { "1 server".to_owned() } else { format!("{count} servers") }
}

/// One server before and after.
type Pair<'a> = (&'a ServerState, &'a ServerState);

fn pool(old: &PoolState, new: &PoolState, out: &mut Sentences) {
    let name = &new.name;
    let capacity: u64 = old.servers.iter().map(carries).sum();
    let percent = |lost: u64| match capacity {
        0 => 0,
        all => u32::try_from(lost * 100 / all).unwrap_or(100),
    };

    let old_by_name: HashMap<&str, &ServerState> = old.servers.iter().rev().map(|s| (s.name.as_str(), s)).collect();
    let new_by_name: HashMap<&str, &ServerState> = new.servers.iter().rev().map(|s| (s.name.as_str(), s)).collect();
    let mut gone: Vec<&ServerState> = old.servers.iter().filter(|s| !new_by_name.contains_key(s.name.as_str())).collect();
    let mut come: Vec<&ServerState> = new.servers.iter().filter(|s| !old_by_name.contains_key(s.name.as_str())).collect();
    let mut pairs: Vec<Pair> = new.servers.iter().filter_map(|s| old_by_name.get(s.name.as_str()).map(|old| (*old, s))).collect();

    let renamed = renames(&mut gone, &mut come);
    let sentences = renamed.iter().map(|(old, new)| format!("server {} renamed to {}", old.name, new.name)).collect();
    several(name, sentences, &format!("{} renamed", servers(renamed.len())), |text| out.say(Grade::Rest, text));
    pairs.extend(renamed);

    let lost = percent(gone.iter().map(|s| carries(s)).sum());
    let sentences = gone.iter().map(|s| format!("server {} removed", with_address(s))).collect();
    let all = format!("{} of {} removed{}", servers(gone.len()), old.servers.len(), loss(lost, 1));
    several(name, sentences, &all, |text| out.say_loss(if gone.len() > MAX_ALIKE { lost } else { 0 }, Grade::ServerGone, text));
    let sentences = come.iter().map(|s| format!("server {} added", with_address(s))).collect();
    several(name, sentences, &format!("{} added", servers(come.len())), |text| out.say(Grade::Servers, text));

    let moved: Vec<(&Pair, &String, &String)> = pairs
        .iter()
        .filter_map(|pair| Some((pair, pair.0.address.as_ref()?, pair.1.address.as_ref()?)))
        .filter(|(_, old, new)| old != new)
        .collect();
    let sentences = moved.iter().map(|((_, s), old, new)| format!("server {} re-addressed {old} → {new}", s.name)).collect();
    several(name, sentences, &format!("{} of {} re-addressed", servers(moved.len()), new.servers.len()), |text| {
        out.say(Grade::Moved, text);
    });

    if let (Some(old), Some(new)) = (&old.algorithm, &new.algorithm)
        && old != new
    {
        out.say(Grade::Algorithm, format!("pool {name}: algorithm {old} → {new}"));
    }

    weights(new, &pairs, percent, out);

    let mut admin: BTreeMap<(&str, &str), Vec<Pair>> = BTreeMap::new();
    for pair in pairs.iter().filter(|(old, new)| old.admin != new.admin) {
        admin.entry((pair.0.admin.said(), pair.1.admin.said())).or_default().push(*pair);
    }
    for ((from, to), group) in admin {
        let lost = percent(group.iter().map(|(old, new)| carries(old).saturating_sub(carries(new))).sum());
        out.say_loss(lost, Grade::Servers, format!("pool {name}: {} {from} → {to}{}", who(&group, new), loss(lost, 50)));
    }
    for (is, said) in [(true, "now backup"), (false, "no longer backup")] {
        let group: Vec<Pair> = pairs.iter().filter(|(old, new)| old.backup != new.backup && new.backup == is).copied().collect();
        if !group.is_empty() {
            let lost = percent(group.iter().map(|(old, new)| carries(old).saturating_sub(carries(new))).sum());
            out.say_loss(lost, Grade::Servers, format!("pool {name}: {} {said}{}", who(&group, new), loss(lost, 1)));
        }
    }
}

/// Gone and come with the same address, which no other of them has: the same server under a new name.
fn renames<'a>(gone: &mut Vec<&'a ServerState>, come: &mut Vec<&'a ServerState>) -> Vec<Pair<'a>> {
    let once = |servers: &[&'a ServerState]| {
        let mut by_address: HashMap<&'a str, Option<&'a ServerState>> = HashMap::new();
        for server in servers {
            if let Some(address) = server.address.as_deref() {
                by_address.entry(address).and_modify(|found| *found = None).or_insert(Some(server));
            }
        }
        by_address
    };
    let (old, new) = (once(gone), once(come));
    let partner = |server: &ServerState, others: &HashMap<&'a str, Option<&'a ServerState>>| {
        server.address.as_deref().and_then(|address| others.get(address).copied().flatten())
    };
    let pairs: Vec<Pair<'a>> = gone
        .iter()
        .filter_map(|server| {
            let address = server.address.as_deref()?;
            Some((old.get(address).copied().flatten()?, partner(server, &new)?))
        })
        .collect();
    gone.retain(|server| !pairs.iter().any(|(old, _)| std::ptr::eq(*old, *server)));
    come.retain(|server| !pairs.iter().any(|(_, new)| std::ptr::eq(*new, *server)));
    pairs
}

fn weights(pool: &PoolState, pairs: &[Pair], percent: impl Fn(u64) -> u32, out: &mut Sentences) {
    // By direction and new weight: `100 → 0` and `50 → 0` are one thing to people.
    let mut groups: BTreeMap<(bool, u32), Vec<Pair>> = BTreeMap::new();
    for pair in pairs.iter().filter(|(old, new)| old.weight != new.weight) {
        groups.entry((pair.1.weight > pair.0.weight, pair.1.weight)).or_default().push(*pair);
    }
    let name = &pool.name;
    let lost = |group: &[Pair]| -> u64 {
        // What a drain takes is said with the drain.
        let by_weight =
            |(old, new): &Pair| carries(old).saturating_sub(carries(&ServerState { weight: new.weight, ..(*old).clone() }));
        group.iter().map(by_weight).sum()
    };
    if groups.len() > MAX_ALIKE {
        let all: Vec<Pair> = groups.into_values().flatten().collect();
        let percent = percent(lost(&all));
        let text = format!("pool {name}: weight of {} of {} changed{}", all.len(), servers(pool.servers.len()), loss(percent, 1));
        out.say_loss(percent, Grade::Servers, text);
    } else {
        for ((_, to), group) in groups {
            let from = |pick: fn(u32, u32) -> u32| group.iter().map(|(old, _)| old.weight).reduce(pick).unwrap_or_default();
            let (low, high) = (from(u32::min), from(u32::max));
            let from = if low == high { low.to_string() } else { format!("{low} to {high}") };
            let subject = match group.as_slice() {
                [(_, one)] => format!("{} weight", one.name),
                _ => format!("weight of {} of {}", group.len(), servers(pool.servers.len())),
            };
            let percent = percent(lost(&group));
            out.say_loss(percent, Grade::Servers, format!("pool {name}: {subject} {from} → {to}{}", loss(percent, 1)));
        }
    }
    // A reload can change the weight that a restart would bring, while a command keeps the one in force.
    let configured: Vec<(&Pair, u32, u32)> = pairs
        .iter()
        .filter_map(|pair| Some((pair, pair.0.weight_configured?, pair.1.weight_configured?)))
        .filter(|((old, new), from, to)| from != to && (old.weight == new.weight || new.weight != *to))
        .collect();
    let sentences = configured.iter().map(|((_, s), from, to)| format!("{} configured weight {from} → {to}", s.name)).collect();
    several(name, sentences, &format!("configured weight of {} changed", servers(configured.len())), |text| {
        out.say(Grade::Rest, text);
    });
}

/// What a server adds to its pool's capacity.
fn carries(server: &ServerState) -> u64 {
    if server.admin == Admin::Ready && !server.backup { u64::from(server.weight) } else { 0 }
}

fn loss(percent: u32, from: u32) -> String {
    if percent >= from && percent > 0 { format!(", {percent} % of capacity removed") } else { String::new() }
}

fn who(group: &[Pair], pool: &PoolState) -> String {
    match group {
        [(_, one)] => one.name.clone(),
        _ => format!("{} of {}", group.len(), servers(pool.servers.len())),
    }
}

fn with_address(server: &ServerState) -> String {
    match &server.address {
        Some(address) => format!("{} ({address})", server.name),
        None => server.name.clone(),
    }
}

/// Says each sentence, or `all` in their place when they are many.
fn several(pool: &str, sentences: Vec<String>, all: &str, mut say: impl FnMut(String)) {
    match sentences.len() {
        0 => {}
        count if count > MAX_ALIKE => say(format!("pool {pool}: {all}")),
        _ => sentences.into_iter().for_each(|text| say(format!("pool {pool}: {text}"))),
    }
}

/// What only a config tells: persistence, limits, health checks.
fn settings(old: &Pool, new: &Pool, out: &mut Sentences) {
    let name = &new.name;
    for (list, other, verb) in [(&old.persistence, &new.persistence, "removed"), (&new.persistence, &old.persistence, "added")] {
        for line in list.iter().filter(|line| !other.contains(line)) {
            out.say(Grade::Persistence, format!("pool {name}: persistence “{line}” {verb}"));
        }
    }
    let old_by_name: HashMap<&str, &Server> = old.servers.iter().rev().map(|s| (s.name.as_str(), s)).collect();
    let pairs = || new.servers.iter().filter_map(|s| old_by_name.get(s.name.as_str()).map(|old| (*old, s)));
    let count = |group: &[&Server]| match group {
        [one] => one.name.clone(),
        _ => format!("{} of {}", group.len(), servers(new.servers.len())),
    };
    let mut limits: BTreeMap<(Option<u64>, Option<u64>), Vec<&Server>> = BTreeMap::new();
    for (old, new) in pairs().filter(|(old, new)| old.maxconn != new.maxconn) {
        limits.entry((old.maxconn, new.maxconn)).or_default().push(new);
    }
    let sentences = limits
        .iter()
        .map(|((from, to), group)| match group.as_slice() {
            [one] => format!("{} maxconn {} → {}", one.name, limit(*from), limit(*to)),
            _ => format!("maxconn of {} {} → {}", count(group), limit(*from), limit(*to)),
        })
        .collect();
    let changed: usize = limits.values().map(Vec::len).sum();
    several(name, sentences, &format!("maxconn of {changed} of {} changed", servers(new.servers.len())), |text| {
        out.say(Grade::Limit, text);
    });
    for (is, said) in [(false, "no longer health-checked"), (true, "now health-checked")] {
        let group: Vec<&Server> =
            pairs().filter(|(old, new)| old.check != new.check && new.check == is).map(|(_, new)| new).collect();
        if !group.is_empty() {
            out.say(Grade::Limit, format!("pool {name}: {} {said}", count(&group)));
        }
    }
}

fn limit(value: Option<u64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn listeners(before: &Model, after: &Model, out: &mut Sentences) {
    fn by_name(model: &Model) -> HashMap<&str, &Listener> {
        model.listeners.iter().rev().map(|l| (l.name.as_str(), l)).collect()
    }
    let (old_names, new_names) = (by_name(before), by_name(after));
    for old in before.listeners.iter().filter(|old| !new_names.contains_key(old.name.as_str())) {
        out.say(Grade::PoolGone, format!("listener {} removed", old.name));
    }
    for new in &after.listeners {
        let name = &new.name;
        let Some(old) = old_names.get(name.as_str()) else {
            out.say(Grade::Servers, format!("listener {name} added"));
            continue;
        };
        let missing = |from: &[String], other: &[String]| from.iter().filter(|x| !other.contains(x)).cloned().collect::<Vec<_>>();
        for (list, said) in [
            (missing(&old.binds, &new.binds), "no longer listens on"),
            (missing(&new.binds, &old.binds), "now listens on"),
            (missing(&old.pools, &new.pools), "no longer sends to"),
            (missing(&new.pools, &old.pools), "now sends to"),
        ] {
            if !list.is_empty() {
                let shown = list.iter().take(MAX_ALIKE).cloned().collect::<Vec<_>>().join(", ");
                let more = if list.len() > MAX_ALIKE { format!(" and {} more", list.len() - MAX_ALIKE) } else { String::new() };
                out.say(Grade::Moved, format!("listener {name} {said} {shown}{more}"));
            }
        }
        if old.maxconn != new.maxconn {
            out.say(Grade::Limit, format!("listener {name}: maxconn {} → {}", limit(old.maxconn), limit(new.maxconn)));
        }
    }
}
