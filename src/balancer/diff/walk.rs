//! Two models side by side: every difference as an [`Item`], nothing said twice.

use super::defaults::Defaults;
use super::group::Item;
use super::lists::{self, Found};
use super::matching::{self, Matched};
use super::parts::{self, differing};
use super::words::{self, Said, value};
use crate::balancer::change::{ChangeKind, Edit, ListEdit, ListenerPart, PoolPart, ProcessPart, ServerPart};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Family, Groups, HashMethod, Listener, Model, Pool, Role, Server};
use crate::balancer::state::Admin;
use crate::domain::balancer::BalancerKind;

/// Compares two models, or two run-time states in the shape of models.
pub struct Walk<'a> {
    pub old: &'a Model,
    pub new: &'a Model,
    /// An empty address says that the source does not tell it.
    pub by_state: bool,
    pub items: Vec<Item<'a>>,
    /// The defaults before and after.
    laid: (Defaults, Defaults),
    /// Pools that some route leads to, before and after.
    reached: (HashSet<&'a str>, HashSet<&'a str>),
    /// What differs only because a route leads to a pool or no longer does.
    of_routes: Vec<Edit>,
}

impl<'a> Walk<'a> {
    pub fn new(old: &'a Model, new: &'a Model, by_state: bool) -> Self {
        let reached = |model: &'a Model| model.routes.iter().flat_map(|route| route.target.pools()).collect();
        Self {
            old,
            new,
            by_state,
            items: Vec::new(),
            laid: (Defaults::of(old), Defaults::of(new)),
            reached: (reached(old), reached(new)),
            of_routes: Vec::new(),
        }
    }

    pub fn all(mut self) -> Vec<Item<'a>> {
        let (old, new) = (self.old, self.new);
        let pools = matching::pools(old, new);
        self.pools(&pools);
        self.listeners(&pools);
        if let Some(route) = self.items.iter_mut().rfind(|item| item.kind == ChangeKind::Route) {
            route.edits.append(&mut self.of_routes);
        } else if let Some(item) = self.items.last_mut() {
            item.edits.append(&mut self.of_routes);
        }
        self.process();
        if old.kind != new.kind {
            let said = Said::Clause(format!("balancer {} → {}", old.kind.said(), new.kind.said()));
            self.items.push(Item::new(ChangeKind::Other, said).edit(Edit::Kind { before: old.kind, after: new.kind }));
        }
        if let (Some(from), Some(to)) = (&old.version, &new.version)
            && from != to
        {
            let edit = Edit::Version { before: Some(from.clone()), after: Some(to.clone()) };
            self.items.push(Item::new(ChangeKind::Other, Said::Clause(format!("version {from} → {to}"))).edit(edit));
        }
        self.items
    }

    fn pools(&mut self, matched: &Matched) {
        let (old, new) = (self.old, self.new);
        for at in &matched.gone {
            let pool = &old.pools[*at];
            let one = format!("{} removed, it had {}", pool.name, words::servers(pool.servers.len()));
            let capacity = capacity(pool, &Groups::of(pool, Server::configured_weight));
            let item = Item::new(ChangeKind::PoolRemoved, Said::Each { one, all: "removed" })
                .edit(Edit::Pools(ListEdit::Removed { at: *at }))
                .places(Some(&pool.place), None);
            self.items.push(Item { pool: Some(&pool.name), total: old.pools.len(), lost: capacity, capacity, ..item });
        }
        let mut reordered = matched.reordered();
        let partner: HashMap<usize, usize> = matched.pairs.iter().map(|(old, new)| (*new, *old)).collect();
        for (at, pool) in new.pools.iter().enumerate() {
            match partner.get(&at) {
                Some(before) => self.pool(*before, &old.pools[*before], pool),
                None => {
                    let one = format!("{} added with {}", pool.name, words::servers(pool.servers.len()));
                    let item = Item::new(ChangeKind::PoolAdded, Said::Each { one, all: "added" })
                        .edit(Edit::Pools(ListEdit::Added { at, item: Box::new(pool.clone()) }))
                        .places(None, Some(&pool.place));
                    let mut item = Item { pool: Some(&pool.name), total: new.pools.len(), ..item };
                    item.edits.extend(reordered.take().map(Edit::Pools));
                    self.items.push(item);
                }
            }
        }
    }

    fn pool(&mut self, at: usize, old: &'a Pool, new: &'a Pool) {
        if self.laid.0 == self.laid.1 && old == new {
            return;
        }
        if old.name != new.name {
            let (before, after) = (PoolPart::Name(old.name.clone()), PoolPart::Name(new.name.clone()));
            let said = Said::Each { one: format!("{} renamed to {}", old.name, new.name), all: "renamed" };
            let item = Item::new(ChangeKind::PoolRenamed, said)
                .edit(Edit::Pools(ListEdit::Changed { at, before, after }))
                .places(Some(&old.place), Some(&new.place));
            self.items.push(Item { pool: Some(&new.name), total: self.new.pools.len(), ..item });
        }
        let first = self.items.len();
        self.servers(at, old, new);
        self.settings(at, old, new, first);
    }

    /// What holds for the pool as a whole; its servers' items begin at `first`.
    fn settings(&mut self, at: usize, old: &'a Pool, new: &'a Pool, first: usize) {
        let (laid_old, laid_new) = (self.laid.0.pool(old), self.laid.1.pool(new));
        for (number, before, after) in differing(&laid_old, &laid_new, parts::POOL) {
            let unwritten = match &before {
                PoolPart::Algorithm(_) if self.by_state => false,
                PoolPart::Algorithm(_) => !old.algorithm.written && !new.algorithm.written,
                _ => parts::POOL[number](old) == parts::POOL[number](new),
            };
            // A default that is not known is no default that changed.
            if (unwritten || self.by_state)
                && matches!(before, PoolPart::Algorithm(_))
                && (old.algorithm.name.is_none() || new.algorithm.name.is_none())
            {
                continue;
            }
            let said: Vec<Found> = match &before {
                PoolPart::Persistence(_) => lists::few(lists::persistence(&old.persistence, &new.persistence), "persistence"),
                PoolPart::ServerRules(_) => {
                    lists::few(lists::server_rules(&old.server_rules, &new.server_rules), "use-server rules")
                }
                _ => vec![Found::from(words::pool(self.new.kind, &before, &after))],
            };
            let places = (before.place(old), after.place(new));
            let edit = Some(Edit::Pools(ListEdit::Changed { at, before: before.clone(), after }));
            // Where its servers' checks have been said, the pool's are the same news.
            let checks = |item: &&mut Item| item.kind == ChangeKind::HealthCheck && item.server.is_some();
            if matches!(before, PoolPart::Check(_) | PoolPart::Passive(_))
                && let Some(item) = self.items[first..].iter_mut().find(checks)
            {
                item.edits.extend(edit);
                continue;
            }
            if follows_routes(self.new.kind, &before)
                && self.reached.0.contains(old.name.as_str()) != self.reached.1.contains(new.name.as_str())
            {
                self.of_routes.extend(edit);
                continue;
            }
            for found in said {
                let (kind, said) = if unwritten { self.by_default(found.kind, found.said) } else { (found.kind, found.said) };
                let places = found.places.unwrap_or((Some(places.0), Some(places.1)));
                let mut item = Item::new(kind, said).places(places.0, places.1);
                item.edits.extend(edit.clone());
                self.items.push(Item { pool: Some(&new.name), total: self.new.pools.len(), ..item });
            }
        }
    }

    fn by_default(&self, kind: ChangeKind, said: Said) -> (ChangeKind, Said) {
        match (said, &self.old.version, &self.new.version) {
            (Said::Value { label, change }, Some(from), Some(to)) => {
                (ChangeKind::DefaultByVersion, value(format!("default {label}"), format!("{change} with version {from} → {to}")))
            }
            (said, _, _) => (kind, said),
        }
    }

    fn servers(&mut self, pool: usize, old: &'a Pool, new: &'a Pool) {
        let matched = matching::servers(old, new);
        let (was, is) = (Groups::of(old, Server::configured_weight), Groups::of(new, Server::configured_weight));
        let capacity = capacity(old, &was);
        let scale = scale((old, &was), (new, &is), &matched);
        let net = net((old, &was), (new, &is), &matched, scale);
        let first = self.items.len();
        let mut ranks: Vec<(usize, Item<'a>)> = Vec::new();
        let item =
            |server: &'a Server, kind: ChangeKind, said: Said, total: usize, lost: f64, edit: ListEdit<Server, ServerPart>| {
                let item = Item::new(kind, said).edit(Edit::Servers { pool, edit });
                Item { pool: Some(&new.name), server: Some(&server.name), total, lost, capacity, ..item }
            };
        for at in &matched.gone {
            let server = &old.servers[*at];
            let said = Said::Each { one: format!("{} removed", with_address(server)), all: "removed" };
            let edit = ListEdit::Removed { at: *at };
            let lost = carries(&was, server) * net;
            let item = item(server, ChangeKind::ServerRemoved, said, old.servers.len(), lost, edit);
            ranks.push((1, item.places(Some(&server.place), None)));
        }
        for at in &matched.come {
            let server = &new.servers[*at];
            let said = Said::Each { one: format!("{} added", with_address(server)), all: "added" };
            let edit = ListEdit::Added { at: *at, item: Box::new(Server { now: None, ..server.clone() }) };
            let item = item(server, ChangeKind::ServerAdded, said, new.servers.len(), 0.0, edit);
            ranks.push((2, item.places(None, Some(&server.place))));
        }
        for (old_at, new_at) in &matched.pairs {
            let (before, after) = (&old.servers[*old_at], &new.servers[*new_at]);
            if self.laid.0 == self.laid.1 && before == after {
                continue;
            }
            let mut changed: Vec<(usize, ServerPart, ServerPart)> = Vec::new();
            let by_address = matching::is_address(before) && matching::is_address(after);
            // Another spelling of the same address is no change.
            if before.name != after.name && !(by_address && before.address == after.address) {
                changed.push((0, ServerPart::Name(before.name.clone()), ServerPart::Name(after.name.clone())));
            }
            let (laid_before, laid_after) = (self.laid.0.server(before), self.laid.1.server(after));
            let found = differing(&laid_before, &laid_after, parts::SERVER);
            changed.extend(found.into_iter().map(|(number, from, to)| (number + 3, from, to)));
            for (rank, from, to) in changed {
                if self.by_state
                    && let (ServerPart::Address(from), ServerPart::Address(to)) = (&from, &to)
                    && (from.is_empty() || to.is_empty())
                {
                    continue;
                }
                let tls = before.tls != after.tls;
                let (mut kind, mut said) = words::server(self.new.kind, &after.name, &from, &to);
                if by_address && matches!(to, ServerPart::Name(_)) {
                    (kind, said) = words::address(&before.name, &after.name);
                }
                if tls && after.tls && laid_after.tls_verified == Some(false) && matches!(to, ServerPart::Tls(_)) {
                    said = words::verb("TLS", "now reached over TLS without a check of the certificate");
                }
                let places = (from.place(before), to.place(after));
                let lost = lost((&was, before), (&is, after), &to, scale) * net;
                // TLS has been said with whether the certificate is verified, a new address with the name made of it, a
                // priority with the role that comes of it.
                let follows = (tls && matches!(to, ServerPart::TlsVerified(_)))
                    || (before.role != after.role && matches!(to, ServerPart::Priority(_)))
                    || (by_address && before.name != after.name && matches!(to, ServerPart::Address(_)));
                let edit = ListEdit::Changed { at: *old_at, before: from, after: to };
                let item = item(after, kind, said, new.servers.len(), lost, edit).places(Some(places.0), Some(places.1));
                match ranks.last_mut() {
                    Some((_, last)) if follows => last.edits.extend(item.edits),
                    _ => ranks.push((rank, item)),
                }
            }
        }
        ranks.sort_by_key(|(rank, _)| *rank);
        self.items.extend(ranks.into_iter().map(|(_, item)| item));
        self.order(pool, old, new, &matched, first);
    }

    fn order(&mut self, pool: usize, old: &'a Pool, new: &'a Pool, matched: &Matched, first: usize) {
        let kept = matched.kept();
        let meant: Vec<usize> =
            matched.pairs.iter().filter(|(_, at)| ordered(self.new.kind, new, &new.servers[*at])).map(|(old, _)| *old).collect();
        if self.by_state || kept.is_sorted() {
            return;
        }
        if meant.is_sorted() {
            // Only where a new server stands among them matters.
            let come = |item: &&mut Item| item.kind == ChangeKind::ServerAdded && item.pool == Some(new.name.as_str());
            if let Some(item) = self.items[first..].iter_mut().find(come) {
                item.edits.push(Edit::Servers { pool, edit: ListEdit::Reordered { kept } });
            }
            return;
        }
        let mut was = meant.clone();
        was.sort_unstable();
        let said = |order: &[usize]| order.iter().map(|at| old.servers[*at].name.as_str()).collect::<Vec<_>>().join(", ");
        let change = if meant.len() > 5 { "changed".to_owned() } else { format!("{} → {}", said(&was), said(&meant)) };
        let item = Item::new(ChangeKind::Order, value("order of servers", change))
            .edit(Edit::Servers { pool, edit: ListEdit::Reordered { kept } })
            .places(Some(&old.place), Some(&new.place));
        self.items.push(Item { pool: Some(&new.name), ..item });
    }

    fn listeners(&mut self, pools: &Matched) {
        let (old, new) = (self.old, self.new);
        let matched = matching::listeners(old, new);
        for at in &matched.gone {
            let listener = &old.listeners[*at];
            let item = Item::new(ChangeKind::Listener, Said::Each { one: format!("{} removed", listener.name), all: "removed" })
                .edit(Edit::Listeners(ListEdit::Removed { at: *at }))
                .places(Some(&listener.place), None);
            self.items.push(Item { listener: Some(&listener.name), total: old.listeners.len(), ..item });
        }
        let mut reordered = matched.reordered();
        for at in &matched.come {
            let listener = &new.listeners[*at];
            let mut item = Item::new(ChangeKind::Listener, Said::Each { one: format!("{} added", listener.name), all: "added" })
                .edit(Edit::Listeners(ListEdit::Added { at: *at, item: Box::new(listener.clone()) }))
                .places(None, Some(&listener.place));
            item.edits.extend(reordered.take().map(Edit::Listeners));
            self.items.push(Item { listener: Some(&listener.name), total: new.listeners.len(), ..item });
        }
        for (before, after) in &matched.pairs {
            self.listener(*before, &old.listeners[*before], &new.listeners[*after]);
        }
        lists::routes(old, new, pools, &matched, &mut self.items);
    }

    fn listener(&mut self, at: usize, old: &'a Listener, new: &'a Listener) {
        let total = self.new.listeners.len();
        let push = |items: &mut Vec<Item<'a>>, item: Item<'a>| items.push(Item { listener: Some(&new.name), total, ..item });
        let first = self.items.len();
        if old.name != new.name {
            let (before, after) = (ListenerPart::Name(old.name.clone()), ListenerPart::Name(new.name.clone()));
            let item = Item::new(
                ChangeKind::Listener,
                Said::Each { one: format!("{} renamed to {}", old.name, new.name), all: "renamed" },
            )
            .edit(Edit::Listeners(ListEdit::Changed { at, before, after }))
            .places(Some(&old.place), Some(&new.place));
            push(&mut self.items, item);
        }
        let renamed = self.items.len() > first;
        let (laid_old, laid_new) = (self.laid.0.listener(old), self.laid.1.listener(new));
        for (number, before, after) in differing(&laid_old, &laid_new, parts::LISTENER) {
            let places = (before.place(old), after.place(new));
            let said: Vec<Found> = if matches!(before, ListenerPart::Binds(_)) {
                lists::few(lists::binds(&old.binds, &new.binds), "addresses")
            } else if matches!(before, ListenerPart::Hosts(_)) {
                lists::hosts(&laid_old.hosts, &laid_new.hosts)
            } else {
                let (kind, text) = words::listener(self.new.kind, &before, &after);
                let unwritten = parts::LISTENER[number](old) == parts::LISTENER[number](new);
                vec![Found::from(if unwritten { self.by_default(kind, text) } else { (kind, text) })]
            };
            let edit = Some(Edit::Listeners(ListEdit::Changed { at, before, after }));
            for Found { kind, said, places: own } in said {
                let places = own.unwrap_or((Some(places.0), Some(places.1)));
                let mut item = Item::new(kind, said).places(places.0, places.1);
                item.edits.extend(edit.clone());
                push(&mut self.items, item);
            }
        }
        if renamed {
            self.named_after(first);
        }
    }

    /// Listeners of nginx are called by what they listen on: its change is the news.
    fn named_after(&mut self, first: usize) {
        if self.new.kind == BalancerKind::Nginx && self.items.len() > first + 1 {
            let name = self.items.remove(first);
            self.items[first].edits.extend(name.edits);
        }
    }

    fn process(&mut self) {
        let (old, new) = (self.laid.0.process(&self.old.process), self.laid.1.process(&self.new.process));
        for (number, before, after) in differing(&old, &new, parts::PROCESS) {
            let places = (before.place(&self.old.process), after.place(&self.new.process));
            let mut said = Vec::new();
            if matches!(before, ProcessPart::Admin(_)) {
                said = lists::few(lists::surfaces(&self.old.process.admin, &self.new.process.admin), "admin surfaces");
            }
            if said.is_empty() {
                let text = words::process(self.new.kind, &before, &after);
                let unwritten = parts::PROCESS[number](&self.old.process) == parts::PROCESS[number](&self.new.process);
                said.push(Found::from(if unwritten {
                    self.by_default(ChangeKind::Process, text)
                } else {
                    (ChangeKind::Process, text)
                }));
            }
            let edit = Some(Edit::Process { before, after });
            for Found { kind, said, places: own } in said {
                let places = own.unwrap_or(places);
                let mut item = Item::new(kind, said).places(places.0, places.1);
                item.edits.extend(edit.clone());
                self.items.push(item);
            }
        }
    }
}

/// Whether a part of a pool is written where a route leads to it (nginx locations, Envoy routes).
fn follows_routes(kind: BalancerKind, part: &PoolPart) -> bool {
    matches!(kind, BalancerKind::Nginx | BalancerKind::Envoy)
        && matches!(part, PoolPart::Timeout(..) | PoolPart::Retry(_) | PoolPart::KeepaliveInert(_))
}

fn with_address(server: &Server) -> String {
    let told = server.address.is_empty() || matching::is_address(server);
    if told { server.name.clone() } else { format!("{} ({})", server.name, server.address) }
}

/// A pool with the shares of its groups.
type Side<'m> = (&'m Pool, &'m Groups<'m>);

/// What a server adds to its pool's capacity.
fn carries(groups: &Groups<'_>, server: &Server) -> f64 {
    if server.admin == Admin::Ready && server.role == Role::Active { weighs(groups, server) } else { 0.0 }
}

/// A server's weight, its group's share laid in.
fn weighs(groups: &Groups<'_>, server: &Server) -> f64 {
    f64::from(server.configured_weight()) * groups.factor(server)
}

fn capacity(pool: &Pool, groups: &Groups<'_>) -> f64 {
    pool.servers.iter().map(|server| carries(groups, server)).sum()
}

/// The servers of both sides that are the same, with what each carried and carries.
fn pairs<'m>((old, was): Side<'m>, (new, is): Side<'m>, matched: &'m Matched) -> impl Iterator<Item = (f64, f64)> {
    matched.pairs.iter().map(move |(old_at, new_at)| (carries(was, &old.servers[*old_at]), carries(is, &new.servers[*new_at])))
}

/// What a weight of 1 before is now: weights are relative, and what all servers lost alike is no loss.
fn scale(old: Side<'_>, new: Side<'_>, matched: &Matched) -> f64 {
    let both = pairs(old, new, matched).filter(|(was, _)| *was > 0.0);
    let most = both.map(|(was, is)| is / was).fold(0.0, f64::max);
    if most > 0.0 { most.min(1.0) } else { 1.0 }
}

/// The part of what goes away that nothing makes good: servers that come, or serve again, carry what others carried.
fn net(old: Side<'_>, new: Side<'_>, matched: &Matched, scale: f64) -> f64 {
    if new.0.discovered {
        return 0.0;
    }
    let mut gone: f64 = matched.gone.iter().map(|at| carries(old.1, &old.0.servers[*at])).sum();
    let mut come: f64 = matched.come.iter().map(|at| carries(new.1, &new.0.servers[*at]) / scale).sum();
    for (was, is) in pairs(old, new, matched) {
        let is = is / scale;
        gone += (was - is).max(0.0);
        come += if was > 0.0 { 0.0 } else { is };
    }
    if gone > come { 1.0 - come / gone } else { 0.0 }
}

/// What goes away with one part of a server. What a drain takes is said with the drain, not with the weight.
fn lost(was: (&Groups<'_>, &Server), is: (&Groups<'_>, &Server), part: &ServerPart, scale: f64) -> f64 {
    let (before, after) = (was.1, is.1);
    let left = match part {
        // How much is lost to a weight that is not known is not known either.
        ServerPart::Weight(weight) if weight.unknown => return 0.0,
        ServerPart::Weight(_) => weighs(is.0, after),
        // A new share comes with the weight where both change.
        ServerPart::Group(_) if before.configured_weight() == after.configured_weight() => weighs(is.0, after),
        ServerPart::Admin(_) | ServerPart::Role(_) => carries(is.0, after),
        _ => return 0.0,
    };
    (carries(was.0, before) - left / scale).max(0.0)
}

/// Whether a server's place among the others decides what it gets.
pub fn ordered(kind: BalancerKind, pool: &Pool, server: &Server) -> bool {
    let map = pool.algorithm.hash.as_ref().is_some_and(|hash| hash.method == HashMethod::Modulo);
    match (kind, pool.algorithm.family) {
        (BalancerKind::Haproxy, Family::First | Family::StaticRoundRobin) => true,
        (BalancerKind::Haproxy, Family::Hash) if map => true,
        // Only the first backup serves.
        (BalancerKind::Haproxy, _) => server.role == Role::Backup && !pool.all_backups,
        // The first one wins a tie.
        (BalancerKind::Nginx, Family::Hash) => map,
        (BalancerKind::Nginx, family) => family != Family::Random,
        (BalancerKind::Caddy, Family::First) => true,
        _ => false,
    }
}
