//! Changes of run-time state and of the config together, as one truthful list: what is in force first, what is
//! written where it says something else.

use super::group::{Item, group};
use super::state::{as_model, items as state_items};
use super::walk::Walk;
use super::words::{self, Said, value};
use crate::balancer::change::{Change, ChangeKind, Edit, ListEdit, PoolPart, ServerPart};
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Model, Role};
use crate::balancer::state::{PoolState, ServerState, State};

/// What changed between two moments of which config, run-time state or both are known. What only one moment knows is
/// no change.
pub fn changes(before: (Option<&Model>, Option<&State>), after: (Option<&Model>, Option<&State>)) -> Vec<Change> {
    let states = before.1.zip(after.1).map(|(old, new)| (as_model(old), as_model(new)));
    let running = states.as_ref().map(|(old, new)| state_items(old, new)).unwrap_or_default();
    let written = match before.0.zip(after.0) {
        Some((old, new)) => Walk::new(old, new, false).all(),
        None => Vec::new(),
    };
    let Some(state) = after.1 else { return group(written) };
    let mut seen = HashMap::default();
    for (at, item) in running.iter().enumerate() {
        seen.entry(key(item)).or_insert(at);
    }
    let mut merged = Merged { seen, items: running.into_iter().map(Some).collect(), now: Running::of(state) };
    let left: Vec<Item> = written.into_iter().filter_map(|item| merged.take(item)).collect();
    group(merged.items.into_iter().flatten().chain(left).collect())
}

type Key<'a> = (ChangeKind, bool, Option<&'a str>, Option<&'a str>);

/// Two items of one key speak of the same.
fn key<'a>(item: &Item<'a>) -> Key<'a> {
    (item.kind, item.written_only, item.pool, item.server)
}

/// What runs, by name.
struct Running<'a>(HashMap<&'a str, (&'a PoolState, HashMap<&'a str, &'a ServerState>)>);

impl<'a> Running<'a> {
    fn of(state: &'a State) -> Self {
        let servers = |pool: &'a PoolState| pool.servers.iter().rev().map(|server| (server.name.as_str(), server)).collect();
        Self(state.pools.iter().rev().map(|pool| (pool.name.as_str(), (pool, servers(pool)))).collect())
    }
}

struct Merged<'a, 's> {
    /// Positions of what changed at run time.
    seen: HashMap<Key<'a>, usize>,
    /// None where the config says it better.
    items: Vec<Option<Item<'a>>>,
    now: Running<'s>,
}

impl<'a> Merged<'a, '_> {
    /// What is left to say of a change of the config.
    fn take(&mut self, mut item: Item<'a>) -> Option<Item<'a>> {
        let seen = self.seen.get(&key(&item)).copied();
        let pool = item.pool.and_then(|pool| self.now.0.get(pool));
        let server = pool.and_then(|(_, servers)| servers.get(item.server?).copied());
        match (item.edits.first().cloned(), pool, server) {
            (Some(Edit::Servers { edit: ListEdit::Changed { before, after, .. }, .. }), Some(_), Some(now)) => {
                self.server(item, seen, now, (&before, &after))
            }
            (Some(Edit::Servers { edit: ListEdit::Removed { .. }, .. }), Some(_), now) if seen.is_none() => {
                if now.is_some() {
                    self.not_yet(&mut item, " from the config, still running");
                }
                Some(item)
            }
            (Some(Edit::Servers { edit: ListEdit::Added { .. }, .. }), Some(_), None) => {
                self.not_yet(&mut item, " to the config, not running yet");
                Some(item)
            }
            // Called by its address, which is a new one.
            (Some(Edit::Servers { edit: ListEdit::Changed { .. }, .. }), Some(_), None)
                if item.kind == ChangeKind::ServerReaddressed =>
            {
                self.not_yet(&mut item, " in the config, not running yet");
                Some(item)
            }
            (
                Some(Edit::Pools(ListEdit::Changed { before: PoolPart::Algorithm(was), after: PoolPart::Algorithm(is), .. })),
                Some((now, _)),
                _,
            ) => {
                let word = |name: &Option<String>| name.as_deref().map(first_word).map(str::to_owned);
                let (was, is, now) = (word(&was.name), word(&is.name), word(&now.algorithm));
                match seen {
                    // The config says more: the arguments, the hash.
                    Some(at) if now == is => {
                        self.items[at] = None;
                        Some(item)
                    }
                    None if now.is_some() && now == was && now != is => {
                        if let Said::Value { label, change } = item.said {
                            let now = now.unwrap_or_default();
                            item.said = value(format!("configured {label}"), format!("{change}, {now} still in force"));
                        }
                        item.written_only = true;
                        Some(item)
                    }
                    _ => Some(item),
                }
            }
            (Some(Edit::Pools(ListEdit::Added { .. })), None, _) => {
                self.not_yet(&mut item, " to the config, not running yet");
                Some(item)
            }
            (Some(Edit::Pools(ListEdit::Removed { .. })), Some(_), _) => {
                self.not_yet(&mut item, " from the config, still running");
                Some(item)
            }
            _ => self.plain(item, seen),
        }
    }

    fn server(
        &mut self,
        mut item: Item<'a>,
        seen: Option<usize>,
        now: &ServerState,
        parts: (&ServerPart, &ServerPart),
    ) -> Option<Item<'a>> {
        let (what, from, to, force) = match parts {
            (ServerPart::Weight(from), ServerPart::Weight(to)) if !from.unknown && !to.unknown => {
                ("weight", from.value.to_string(), to.value.to_string(), now.weight.to_string())
            }
            (ServerPart::Admin(from), ServerPart::Admin(to)) => {
                ("state", from.said().to_owned(), to.said().to_owned(), now.admin.said().to_owned())
            }
            (ServerPart::Role(from), ServerPart::Role(to)) => {
                let force = if now.backup { Role::Backup } else { Role::Active };
                ("role", words::role(*from).to_owned(), words::role(*to).to_owned(), words::role(force).to_owned())
            }
            (ServerPart::Address(from), ServerPart::Address(to)) => {
                // A name would run as the number that it has.
                let literal = to.starts_with("unix:") || to.parse::<std::net::SocketAddr>().is_ok();
                let Some(force) = now.address.clone().filter(|_| literal) else { return Some(item) };
                ("address", from.clone(), to.clone(), force)
            }
            // A new name, and what no running balancer tells.
            _ => return self.plain(item, seen),
        };
        // The state's own word of the configured weight is the same news.
        if what == "weight"
            && let Some(at) = self.seen.remove(&(ChangeKind::Weight, true, item.pool, item.server))
        {
            self.items[at] = None;
        }
        if force == to
            && let Some(at) = seen
        {
            return self.absorb(at, item);
        }
        let rest = match (force == to, force == from || seen.is_none()) {
            (true, _) => ", as already in force".to_owned(),
            (false, true) => format!(", {force} still in force"),
            (false, false) => format!(", {force} in force"),
        };
        item.said = value(format!("configured {what}"), format!("{from} → {to}{rest}"));
        (item.lost, item.written_only) = (0.0, true);
        Some(item)
    }

    fn plain(&mut self, item: Item<'a>, seen: Option<usize>) -> Option<Item<'a>> {
        let same = |at: &usize| presence(item.kind) || self.items[*at].as_ref().is_some_and(|seen| seen.said == item.said);
        match seen.filter(same) {
            Some(at) => self.absorb(at, item),
            None => Some(item),
        }
    }

    fn absorb(&mut self, at: usize, item: Item<'a>) -> Option<Item<'a>> {
        if let Some(running) = &mut self.items[at] {
            running.absorb(item);
        }
        None
    }

    fn not_yet(&self, item: &mut Item<'a>, rest: &str) {
        if let Said::Each { one, .. } = &mut item.said {
            one.push_str(rest);
        }
        (item.lost, item.written_only) = (0.0, true);
    }
}

/// Kinds of which file and running balancer can only say the same.
fn presence(kind: ChangeKind) -> bool {
    matches!(
        kind,
        ChangeKind::ServerAdded
            | ChangeKind::ServerRemoved
            | ChangeKind::ServerRenamed
            | ChangeKind::PoolAdded
            | ChangeKind::PoolRemoved
            | ChangeKind::PoolRenamed
    )
}

/// `hdr(x-user)` and `random(2)` run as `hdr` and `random`.
fn first_word(name: &str) -> &str {
    let end = name.find(|c: char| c != '-' && c != '_' && !c.is_alphanumeric()).unwrap_or(name.len());
    &name[..end]
}
