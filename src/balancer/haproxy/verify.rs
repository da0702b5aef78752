//! What can be said only when all is read: finished proxies, and names that have to exist
//! (src/cfgparse.c `check_config_validity`).

use super::balance;
use super::draft::{Draft, Kind, Table};
use super::reader::{Names, Reader, USUAL_MAX};
use super::words::shown;
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{
    AdminSurface, Check, HashMethod, Listener, Mode, Persistence, PersistenceKind, Pool, Retry, Route, Server, Setting, Target,
    Timeouts,
};
use crate::balancer::source::Place;

/// What lines name, and what there is.
#[derive(Default)]
pub(super) struct Facts {
    /// Counters that `track-sc` can use.
    pub counters: u32,
    pub external_check: bool,
    pub http_errors: Names,
    pub bind_ids: HashSet<(String, i64)>,
    /// Words of `global` that stand there once.
    pub once: Names,
    pub http_errors_used: Vec<Setting<String>>,
    /// What the current section still has to say.
    pub needed: Option<(&'static str, Place)>,
    /// Users and groups of the userlists, and those that are named there: userlist/name.
    pub users: Names,
    pub users_used: Vec<Setting<String>>,
    /// Proxies by the id that they ask for.
    pub ids: HashMap<i64, String>,
    pub crlf: bool,
    pub resolvers: Names,
    pub resolvers_used: Vec<Setting<String>>,
    pub peers: Names,
    pub peers_used: Vec<Setting<String>>,
    pub userlists: Names,
    /// Stick tables, by the proxy that has them.
    pub tables: HashMap<String, Table>,
    pub tables_used: Vec<Setting<String>>,
    /// Persistence by a stick table: its pool and its number in it, and whose table, which may stand further down.
    pub sticks: Vec<(usize, usize, String)>,
    /// Servers with TLS and no certificate authority: what their `verify` says.
    pub unverified: Vec<Setting<Option<bool>>>,
    pub verifies_nothing: bool,
    /// `track`: pool, and what it names.
    pub tracks: Vec<(String, Setting<String>)>,
    pub listeners: HashMap<String, Declared>,
    pub pools: HashMap<String, Declared>,
}

pub(super) struct Declared {
    place: Place,
    mode: Mode,
    word: &'static str,
}

impl Reader<'_> {
    /// Tells of a name that is taken.
    pub(super) fn proxy_name(&mut self, draft: &Draft) {
        let names = if draft.kind.listens() { &self.facts.listeners } else { &self.facts.pools };
        let taken = names.get(&draft.name).filter(|before| before.place.when() == draft.place.when());
        if let Some(before) = taken.filter(|_| !draft.name.is_empty()) {
            let text = format!(
                "{} {} has the name of the {} in line {}; give each its own",
                draft.kind.word(),
                shown(&draft.name),
                before.word,
                before.place.line()
            );
            self.told.error(draft.place.clone(), text);
        }
        let declared = || Declared { place: draft.place.clone(), mode: Mode::Tcp, word: draft.kind.word() };
        if draft.kind.listens() {
            self.facts.listeners.entry(draft.name.clone()).or_insert_with(declared);
        }
        if draft.kind.balances() {
            self.facts.pools.entry(draft.name.clone()).or_insert_with(declared);
        }
    }

    /// A proxy whose lines are all read goes into the model.
    pub(super) fn finish(&mut self, mut draft: Draft) {
        let mode = balance::mode(&draft.given);
        for names in [&mut self.facts.listeners, &mut self.facts.pools] {
            if let Some(declared) = names.get_mut(&draft.name).filter(|declared| declared.place.is(&draft.place)) {
                declared.mode = mode;
            }
        }
        self.warn_of(&draft, mode);
        let (name, place) = (draft.name.clone(), draft.place.clone());
        let given = &draft.given;
        if given.stats.enabled && draft.kind != Kind::Defaults && mode == Mode::Http {
            self.model.process.admin.push(AdminSurface {
                what: "stats page".to_owned(),
                address: draft.binds.first().map(|bind| bind.address.clone()).unwrap_or_default(),
                guarded: given.stats.guarded,
                writes: given.stats.writes,
                place: given.stats.place.clone(),
            });
        }
        // A disabled proxy is read and not started.
        if draft.kind.listens() && !given.disabled {
            let Timeouts { client, headers, keepalive, .. } = &given.timeouts;
            let timeouts =
                Timeouts { client: client.clone(), headers: headers.clone(), keepalive: keepalive.clone(), ..Default::default() };
            let own = draft.kind == Kind::Listen;
            let routes = std::mem::take(&mut draft.routes).into_iter();
            self.model.routes.extend(routes.map(|route| Route { listener: name.clone(), ..route }));
            let rest = match (&given.default_backend, own) {
                (Some(backend), _) => Some((backend.value.clone(), backend.place.clone())),
                (None, true) => Some((name.clone(), place.clone())),
                (None, false) => None,
            };
            if let Some((pool, place)) = rest {
                let route = Route { listener: name.clone(), target: Target::Pool { name: pool }, place, ..Default::default() };
                self.model.routes.push(route);
            }
            let maxconn = given.maxconn.clone();
            self.model.listeners.push(Listener {
                name: name.clone(),
                mode,
                binds: std::mem::take(&mut draft.binds),
                maxconn,
                timeouts,
                place: place.clone(),
                ..Default::default()
            });
        }
        if draft.kind.balances() {
            self.finish_pool(draft, mode);
        }
    }

    /// Tells of names that two servers have.
    fn server_names(&mut self, servers: &[Server]) {
        // Most pools count their servers upwards.
        if servers.is_sorted_by(|a, b| a.name < b.name) {
            return;
        }
        let mut sorted: Vec<_> = servers.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in sorted.windows(2).filter(|pair| pair[0].name == pair[1].name && pair[0].place.when() == pair[1].place.when())
        {
            let text = format!(
                "a server called {} stands already in line {} of this pool; give each its own name",
                shown(&pair[0].name),
                pair[0].place.line()
            );
            self.told.error(pair[1].place.clone(), text);
        }
    }

    fn finish_pool(&mut self, mut draft: Draft, mode: Mode) {
        let (mut servers, mut owns) = (std::mem::take(&mut draft.servers), std::mem::take(&mut draft.owns));
        self.server_names(&servers);
        debug_assert_eq!(servers.len(), owns.len(), "each server has its own");
        for (server, own) in servers.iter_mut().zip(&mut owns) {
            if let Some(track) = &own.track {
                self.facts.tracks.push((draft.name.clone(), track.as_ref().clone()));
            }
            self.finish_server(&draft.given, server, own);
        }
        owns.clear();
        self.spare = owns;
        self.usual = servers.len().min(USUAL_MAX);
        for used in &draft.used_servers {
            if !servers.iter().any(|server| server.name == used.value) {
                self.told.error(
                    used.place.clone(),
                    format!("pool {} has no server called {}", shown(&draft.name), shown(&used.value)),
                );
            }
        }
        let given = draft.given;
        // A cookie is looked at before the tables are.
        let mut persistence: Vec<Persistence> = given.cookie.iter().cloned().collect();
        for stick in draft.sticks {
            let name = stick.table.unwrap_or_else(|| draft.name.clone());
            if stick.reads {
                self.facts.sticks.push((self.model.pools.len(), persistence.len(), name.clone()));
                let place = stick.place.clone();
                let kind = PersistenceKind::Table;
                persistence.push(Persistence { kind, key: stick.key, said: stick.said, place, ..Default::default() });
            }
            self.facts.tables_used.push(Setting::new(name, stick.place));
        }
        if let Some(table) = draft.table {
            self.facts.tables.insert(draft.name.clone(), table);
        }
        let checked = given.server.own.checked || servers.iter().any(|server| server.check.is_some());
        let check = checked.then(|| {
            let (own, base) = (&given.server.own.check, given.check.check());
            let place = if base.place.is_written() { base.place.clone() } else { own.place.clone() };
            let timeout_ms = given.timeouts.check.as_ref().filter(|time| !time.unknown).map(|time| time.value);
            Box::new(Check { interval_ms: own.interval_ms, fall: own.fall, rise: own.rise, timeout_ms, place, ..base })
        });
        if draft.transparent && !servers.is_empty() && given.balance.is_some() {
            self.told.error(draft.place.clone(), "a proxy is transparent or balances between servers, not both");
        }
        if given.check.external && !self.facts.external_check {
            self.told.error(given.check.place.clone(), "`option external-check` needs `external-check` in the global section");
        }
        let algorithm = self.algorithm(&given, &draft.place);
        let Timeouts { connect, server, queue, tunnel, check: check_time, .. } = given.timeouts;
        let passive = servers
            .first()
            .and_then(|server| server.passive.clone())
            .filter(|first| servers.iter().all(|server| server.passive.as_ref() == Some(first)));
        self.model.pools.push(Pool {
            name: draft.name,
            mode,
            algorithm,
            persistence,
            check,
            passive,
            limits: given.limits,
            timeouts: Timeouts { connect, server, queue, tunnel, check: check_time, ..Default::default() },
            retry: Retry { non_idempotent: sends_again(&given.retry.on) && !given.l7_retry_bounded, ..given.retry },
            all_backups: given.all_backups,
            server_rules: draft.server_rules,
            servers,
            place: draft.place,
            ..Default::default()
        });
    }

    fn warn_of(&mut self, draft: &Draft, mode: Mode) {
        let (given, name, word) = (&draft.given, shown(&draft.name), draft.kind.word());
        if given.disabled {
            return self.told.note(draft.place.clone(), format!("{word} {name} is disabled: HAProxy does not start it"));
        }
        if draft.kind.listens() && draft.binds.is_empty() {
            self.told.warn(draft.place.clone(), format!("{word} {name} listens nowhere; give it a `bind`"));
        }
        let time = &given.timeouts;
        let wanted = [
            ("client", &time.client, draft.kind.listens()),
            ("connect", &time.connect, draft.kind.balances()),
            ("server", &time.server, draft.kind.balances()),
        ];
        let missing: Vec<String> = wanted
            .into_iter()
            .filter(|(_, time, needed)| *needed && time.as_ref().is_none_or(Setting::is_zero))
            .map(|(name, ..)| format!("`timeout {name}`"))
            .collect();
        let used = !draft.kind.balances() || draft.kind.listens() || !draft.servers.is_empty();
        if !missing.is_empty() && used {
            self.told.warn(
                draft.place.clone(),
                format!(
                    "{word} {name} has no {}: connections that hang are kept forever; write them here or in defaults",
                    missing.join(", ")
                ),
            );
        }
        if !draft.kind.balances() {
            return;
        }
        if mode != Mode::Http {
            if let Some(balance) = given.balance.as_ref().filter(|balance| balance::needs_http(balance)) {
                let text = format!(
                    "`balance {}` looks at HTTP requests and the mode of {name} is not `http`: HAProxy takes turns instead",
                    balance.name.as_deref().unwrap_or_default()
                );
                self.told.warn(balance.place.clone(), text);
            }
            if let Some(cookie) = &given.cookie {
                self.told.warn(cookie.place.clone(), format!("`cookie` needs `mode http`; HAProxy ignores it in {name}"));
            }
        }
        if let Some(rules) = given.check.http_rules.as_ref().filter(|_| !given.check.http) {
            self.told.warn(rules.clone(), format!("`http-check` rules are ignored in {name} without `option httpchk`"));
        }
        if let Some(rules) = given.check.tcp_rules.as_ref().filter(|_| !given.check.tcp) {
            self.told.warn(rules.clone(), format!("`tcp-check` rules are ignored in {name} without `option tcp-check`"));
        }
        if let Some(factor) = given.balance_factor.as_ref().filter(|_| given.hash_method != HashMethod::Ring) {
            self.told.warn(
                factor.place.clone(),
                format!("`hash-balance-factor` needs `hash-type consistent`; HAProxy ignores it in {name}"),
            );
        }
    }

    /// Names that lines use have to exist.
    pub(super) fn verify(&mut self) {
        self.targets();
        let facts = std::mem::take(&mut self.facts);
        let mut missing = |used: &[Setting<String>], there: &Names, what: &str| {
            for name in used.iter().filter(|name| !there.contains(&name.value)) {
                self.told.error(name.place.clone(), format!("there is no {what} called {}", shown(&name.value)));
            }
        };
        // `default` is made from the system's own resolvers.
        let known: Names = facts.resolvers.iter().cloned().chain(["default".to_owned()]).collect();
        missing(&facts.resolvers_used, &known, "resolvers section");
        missing(&facts.http_errors_used, &facts.http_errors, "http-errors section");
        missing(&facts.users_used, &facts.users, "user or group");
        missing(&facts.peers_used, &facts.peers, "peers section");
        let tables: Names = facts.tables.keys().cloned().collect();
        missing(&facts.tables_used, &tables, "stick table");
        for (pool, number, name) in &facts.sticks {
            let Some(table) = facts.tables.get(name) else { continue };
            let persistence = &mut self.model.pools[*pool].persistence[*number];
            (persistence.expires_ms, persistence.shared) = (table.expires_ms, table.peers.is_some());
        }
        for server in facts.unverified.iter().filter(|server| server.value == Some(true) || !facts.verifies_nothing) {
            self.told.error(
                server.place.clone(),
                "a server with `ssl` needs `ca-file FILE` to verify its certificate, or `verify none`",
            );
        }
        self.tracks(&facts.tracks);
        self.told.list.sort_by_key(|notice| (notice.place.file(), notice.place.span().start));
    }

    fn targets(&mut self) {
        let mut wrong: Vec<(Place, String, bool)> = Vec::new();
        let (listeners, pools) = (&self.facts.listeners, &self.facts.pools);
        for route in &self.model.routes {
            let from = listeners.get(&route.listener);
            match &route.target {
                Target::Pool { name } => match (pools.get(name), from) {
                    (None, _) if !name.contains('$') => {
                        let other = if listeners.contains_key(name) { "only a frontend is" } else { "no backend is" };
                        wrong.push((
                            route.place.clone(),
                            format!("{other} called {}; write the backend, or mend the name", shown(name)),
                            true,
                        ));
                    }
                    (Some(pool), Some(from)) if pool.mode != from.mode && from.mode != Mode::Tcp => {
                        let text = format!(
                            "{} is in mode http and backend {} is not; give both the same mode",
                            shown(&route.listener),
                            shown(name)
                        );
                        wrong.push((route.place.clone(), text, true));
                    }
                    _ => {}
                },
                Target::Dynamic { candidates, .. } => {
                    for name in candidates.iter().filter(|name| !pools.contains_key(*name)) {
                        wrong.push((
                            route.place.clone(),
                            format!("the map names {}, and no backend is called so", shown(name)),
                            false,
                        ));
                    }
                }
                _ => {}
            }
        }
        for (place, text, refused) in wrong {
            if refused { self.told.error(place, text) } else { self.told.warn(place, text) }
        }
    }

    fn tracks(&mut self, tracks: &[(String, Setting<String>)]) {
        if tracks.is_empty() {
            return;
        }
        let known: HashSet<(&str, &str)> = self
            .model
            .pools
            .iter()
            .flat_map(|pool| pool.servers.iter().map(|server| (pool.name.as_str(), server.name.as_str())))
            .collect();
        for (pool, track) in tracks {
            let wanted = track.value.split_once('/').unwrap_or((pool.as_str(), track.value.as_str()));
            if !known.contains(&wanted) && !track.value.contains('$') {
                self.told.error(
                    track.place.clone(),
                    format!("there is no server {} to track", shown(&format!("{}/{}", wanted.0, wanted.1))),
                );
            }
        }
    }
}

/// Whether a request that a server has seen may be sent again: HAProxy asks for no method there (manual, `retry-on`).
fn sends_again(on: &[String]) -> bool {
    on.iter().any(|when| !matches!(when.as_str(), "none" | "conn-failure" | "0rtt-rejected" | "425"))
}
