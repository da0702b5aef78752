//! Which thing of one list is which of another: by name, and where names changed by what else tells.

use std::collections::VecDeque;

use crate::balancer::change::ListEdit;
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Listener, Model, Pool, Server};

/// Positions in both lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Old and new, in the order of the new list.
    pub pairs: Vec<(usize, usize)>,
    pub gone: Vec<usize>,
    pub come: Vec<usize>,
}

impl Matched {
    /// Pairs equal names; of a name that is there twice the first with the first. Linear.
    pub fn by_name<'a>(old: impl Iterator<Item = &'a str>, new: impl Iterator<Item = &'a str>) -> Self {
        let mut positions: HashMap<&str, VecDeque<usize>> = HashMap::default();
        for (at, name) in old.enumerate() {
            positions.entry(name).or_default().push_back(at);
        }
        let mut out = Self::default();
        for (at, name) in new.enumerate() {
            match positions.get_mut(name).and_then(VecDeque::pop_front) {
                Some(old) => out.pairs.push((old, at)),
                None => out.come.push(at),
            }
        }
        out.gone = positions.into_values().flatten().collect();
        out.gone.sort_unstable();
        out
    }

    /// Pairs gone with come where exactly one of each has a key: the same thing under another name. Answers the new
    /// pairs, in the order of the old list; they stand among all pairs too.
    pub fn by_key(
        &mut self,
        old: impl Fn(usize) -> Option<String>,
        new: impl Fn(usize) -> Option<String>,
    ) -> Vec<(usize, usize)> {
        if self.gone.is_empty() || self.come.is_empty() {
            return Vec::new();
        }
        let once = |positions: &[usize], key: &dyn Fn(usize) -> Option<String>| {
            let mut found: HashMap<String, Option<usize>> = HashMap::default();
            for at in positions {
                if let Some(key) = key(*at) {
                    found.entry(key).and_modify(|found| *found = None).or_insert(Some(*at));
                }
            }
            found
        };
        let (olds, news) = (once(&self.gone, &old), once(&self.come, &new));
        let mut pairs: Vec<(usize, usize)> =
            olds.into_iter().filter_map(|(key, old)| Some((old?, news.get(&key).copied().flatten()?))).collect();
        self.add(&mut pairs);
        pairs
    }

    /// Pairs gone with come that share more than half of the marks of both, counting only marks that one of the gone
    /// and one of the come has. Linear in the number of marks.
    pub fn by_majority(&mut self, old: impl Fn(usize) -> Vec<String>, new: impl Fn(usize) -> Vec<String>) -> Vec<(usize, usize)> {
        if self.gone.is_empty() || self.come.is_empty() {
            return Vec::new();
        }
        let marks = |positions: &[usize], marks: &dyn Fn(usize) -> Vec<String>| {
            let mut owners: HashMap<String, Option<usize>> = HashMap::default();
            let mut counts: HashMap<usize, usize> = HashMap::default();
            for at in positions {
                for mark in marks(*at) {
                    *counts.entry(*at).or_default() += 1;
                    owners.entry(mark).and_modify(|owner| *owner = None).or_insert(Some(*at));
                }
            }
            (owners, counts)
        };
        let ((old_owners, old_counts), (new_owners, new_counts)) = (marks(&self.gone, &old), marks(&self.come, &new));
        let mut shared: HashMap<(usize, usize), usize> = HashMap::default();
        for (mark, owner) in old_owners {
            if let (Some(old), Some(Some(new))) = (owner, new_owners.get(&mark)) {
                *shared.entry((old, *new)).or_default() += 1;
            }
        }
        let over_half = |count: usize, of: Option<&usize>| of.is_some_and(|of| count * 2 > *of);
        let mut pairs: Vec<(usize, usize)> = shared
            .into_iter()
            .filter(|((old, new), count)| over_half(*count, old_counts.get(old)) && over_half(*count, new_counts.get(new)))
            .map(|(pair, _)| pair)
            .collect();
        self.add(&mut pairs);
        pairs
    }

    fn add(&mut self, pairs: &mut [(usize, usize)]) {
        pairs.sort_unstable();
        let (old, new): (HashSet<usize>, HashSet<usize>) = pairs.iter().copied().unzip();
        self.gone.retain(|at| !old.contains(at));
        self.come.retain(|at| !new.contains(at));
        self.pairs.extend_from_slice(pairs);
        self.pairs.sort_unstable_by_key(|(_, new)| *new);
    }

    /// The order of what stays, where it is another one. Where order means nothing it goes with what came, so that the
    /// positions of what came are true.
    pub fn reordered<T, P>(&self) -> Option<ListEdit<T, P>> {
        let kept = self.kept();
        (!kept.is_sorted()).then_some(ListEdit::Reordered { kept })
    }

    /// The old positions of what stays, in the order of the new list.
    pub fn kept(&self) -> Vec<usize> {
        self.pairs.iter().map(|(old, _)| *old).collect()
    }
}

/// Names with how often each is there.
struct Names<'a>(HashMap<&'a str, usize>);

impl<'a> Names<'a> {
    fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = HashMap::default();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        Self(counts)
    }

    /// Whether `name` can have become another one: it is here once, and not on the other side.
    fn may_be_renamed(&self, name: &str, other: &Self) -> bool {
        self.0.get(name) == Some(&1) && !other.0.contains_key(name)
    }
}

/// Whether a server is called by its address, perhaps as a URL or without the port that is the default.
pub fn is_address(server: &Server) -> bool {
    let bare = server.name.split_once("://").map_or(server.name.as_str(), |(_, rest)| rest).trim_end_matches('/');
    let rest = if bare.is_empty() { None } else { server.address.strip_prefix(bare) };
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Servers of two pools; a rename is one whose address stays. One that is called by its address stays the same
/// with another port.
pub fn servers(old: &Pool, new: &Pool) -> Matched {
    let names = |pool: &'_ Pool| -> Vec<String> { pool.servers.iter().map(|server| server.name.clone()).collect() };
    let (olds, news) = (names(old), names(new));
    let mut out = Matched::by_name(olds.iter().map(String::as_str), news.iter().map(String::as_str));
    if out.gone.is_empty() || out.come.is_empty() {
        return out;
    }
    let (olds, news) = (Names::of(olds.iter().map(String::as_str)), Names::of(news.iter().map(String::as_str)));
    let key = |server: &Server, own: &Names, other: &Names| {
        (own.may_be_renamed(&server.name, other) && !server.address.is_empty()).then(|| server.address.clone())
    };
    out.by_key(|at| key(&old.servers[at], &olds, &news), |at| key(&new.servers[at], &news, &olds));
    let host = |server: &Server, own: &Names, other: &Names| {
        let (host, _) = server.address.rsplit_once(':').filter(|(host, _)| *host != "unix")?;
        (own.may_be_renamed(&server.name, other) && is_address(server)).then(|| host.to_owned())
    };
    out.by_key(|at| host(&old.servers[at], &olds, &news), |at| host(&new.servers[at], &news, &olds));
    out
}

/// Pools of two models; a rename is told by the servers: all of them, their addresses, or most addresses.
pub fn pools(old: &Model, new: &Model) -> Matched {
    let mut out = Matched::by_name(old.pools.iter().map(|p| p.name.as_str()), new.pools.iter().map(|p| p.name.as_str()));
    if out.gone.is_empty() || out.come.is_empty() {
        return out;
    }
    let olds = Names::of(old.pools.iter().map(|pool| pool.name.as_str()));
    let news = Names::of(new.pools.iter().map(|pool| pool.name.as_str()));
    let known = |pool: &Pool, own: &Names, other: &Names| own.may_be_renamed(&pool.name, other) && !pool.servers.is_empty();
    let marks = |pool: &Pool, named: bool| -> Vec<String> {
        let mark =
            |s: &Server| if named { format!("{} {} {}", s.name, s.address, s.configured_weight()) } else { s.address.clone() };
        let mut marks: Vec<String> = pool.servers.iter().filter(|s| !s.address.is_empty()).map(mark).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    };
    for named in [true, false] {
        let key = |pool: &Pool, own: &Names, other: &Names| {
            let all = if known(pool, own, other) { marks(pool, named) } else { Vec::new() };
            (!all.is_empty()).then(|| all.join("\n"))
        };
        out.by_key(|at| key(&old.pools[at], &olds, &news), |at| key(&new.pools[at], &news, &olds));
    }
    let some = |pool: &Pool, own: &Names, other: &Names| if known(pool, own, other) { marks(pool, false) } else { Vec::new() };
    out.by_majority(|at| some(&old.pools[at], &olds, &news), |at| some(&new.pools[at], &news, &olds));
    out
}

/// Listeners of two models; a rename is one whose addresses or most hosts stay.
pub fn listeners(old: &Model, new: &Model) -> Matched {
    let names = |model: &'_ Model| -> Vec<String> { model.listeners.iter().map(|listener| listener.name.clone()).collect() };
    let (olds, news) = (names(old), names(new));
    let mut out = Matched::by_name(olds.iter().map(String::as_str), news.iter().map(String::as_str));
    let (olds, news) = (Names::of(olds.iter().map(String::as_str)), Names::of(news.iter().map(String::as_str)));
    let known = |listener: &Listener, own: &Names, other: &Names| own.may_be_renamed(&listener.name, other);
    for hosts in [true, false] {
        let key = |listener: &Listener, own: &Names, other: &Names| {
            let mut all: Vec<&str> = listener.binds.iter().map(|bind| bind.address.as_str()).collect();
            all.extend(listener.hosts.iter().filter(|_| hosts).map(String::as_str));
            all.sort_unstable();
            (known(listener, own, other) && !all.is_empty()).then(|| all.join("\n"))
        };
        out.by_key(|at| key(&old.listeners[at], &olds, &news), |at| key(&new.listeners[at], &news, &olds));
    }
    let hosts = |listener: &Listener, own: &Names, other: &Names| {
        if known(listener, own, other) { listener.hosts.clone() } else { Vec::new() }
    };
    out.by_majority(|at| hosts(&old.listeners[at], &olds, &news), |at| hosts(&new.listeners[at], &news, &olds));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(old: &[&str], new: &[&str]) -> Matched {
        Matched::by_name(old.iter().copied(), new.iter().copied())
    }

    #[test]
    fn names_pair_and_what_is_there_twice_pairs_in_order() {
        let found = matched(&["a", "b", "a", "c"], &["a", "a", "d", "b"]);
        assert_eq!(found, Matched { pairs: vec![(0, 0), (2, 1), (1, 3)], gone: vec![3], come: vec![2] });
        assert_eq!(found.kept(), [0, 2, 1]);
    }

    #[test]
    fn keys_pair_only_what_is_unique() {
        let (old, new) = (["x", "y", "z"], ["1", "2", "3"]);
        let keys = |key: &'static [&'static str]| move |at: usize| key.get(at).map(|key| (*key).to_owned());
        let mut found = matched(&old, &new);
        assert_eq!(found.by_key(keys(&["k", "m", "m"]), keys(&["m", "k", "q"])), [(0, 1)]);
        assert_eq!((found.gone, found.come), (vec![1, 2], vec![0, 2]));
        let mut found = matched(&["old", "o2"], &["n2", "new"]);
        let marks = |marks: &'static [&'static str]| move |at: usize| marks[at].chars().map(String::from).collect::<Vec<_>>();
        assert_eq!(found.by_majority(marks(&["abc", "de"]), marks(&["dx", "abz"])), [(0, 1)], "half is not enough");
    }
}
