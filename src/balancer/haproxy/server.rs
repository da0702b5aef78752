//! `server`, `server-template` and `default-server` (configuration manual, chapter 5.2; src/server.c).

use super::address;
use super::draft::{Draft, Given};
use super::keywords;
use super::reader::{Reader, is_name_char};
use super::shapes::Shape;
use super::words::{Words, shown};
use crate::balancer::clean_name;
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Check, CheckKind, Passive, Resolution, Role, Server, Setting};
use crate::balancer::source::Place;
use crate::balancer::state::Admin;

/// `server-template x 1-4000000000` must not fill the memory.
pub(super) const MAX_FROM_TEMPLATES: usize = 10_000;

/// What `default-server` hands down to the servers after it.
#[derive(Debug, Clone, Default)]
pub struct ServerDraft {
    pub server: Server,
    pub own: Own,
}

/// What a server's line says that counts once its proxy is read.
#[derive(Debug, Clone, Default)]
pub struct Own {
    pub checked: bool,
    pub check: OwnCheck,
    pub agent: Option<Box<Check>>,
    pub observe: Option<Place>,
    pub error_limit: Option<u64>,
    pub resolvers: Option<Box<Setting<String>>>,
    /// Whether `ca-file` is written.
    pub ca: bool,
    pub track: Option<Box<Setting<String>>>,
    pub named: bool,
    pub id: Option<i64>,
    /// Whether `port`, `agent-port` is written.
    pub check_port: bool,
    pub agent_port: bool,
    pub check_tls: bool,
    /// Whether the address has a port of its own.
    pub port: bool,
}

/// What a server says of its check beside the pool, wherever it is written.
#[derive(Debug, Clone, Default)]
pub struct OwnCheck {
    pub interval_ms: Option<u64>,
    pub fall: Option<u64>,
    pub rise: Option<u64>,
    /// Where `check` stands.
    pub place: Place,
}

impl Reader<'_> {
    pub(super) fn default_server(&mut self, given: &mut Given, words: &Words<'_>) {
        let ServerDraft { server, own } = &mut given.server;
        self.parameters(server, own, words, 1, true);
    }

    pub(super) fn server(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let (name, written) = (words.get(1), words.get(2));
        if name.is_empty() || written.is_empty() {
            return self.told.error(words.whole(), "a server needs a name and an address: `server NAME ADDRESS:PORT`");
        }
        self.server_name(words, name);
        let Draft { name: pool, given, servers, owns, server_ids, .. } = draft;
        // Written where they will stand: they are large.
        servers.push(Server { name: clean_name(name), place: words.whole(), ..given.server.server.clone() });
        owns.push(given.server.own.clone());
        let (Some(server), Some(own)) = (servers.last_mut(), owns.last_mut()) else { return };
        self.address(server, own, words, 2);
        self.parameters(server, own, words, 3, false);
        self.known(pool, server_ids, server, own);
    }

    /// `server-template web 1-5 web.example:80 …` is web1 to web5, all at one name that DNS resolves.
    pub(super) fn template(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let (prefix, range) = (words.get(1), words.get(2));
        if words.get(3).is_empty() {
            return self.told.error(words.whole(), "write `server-template PREFIX COUNT ADDRESS:PORT`");
        }
        if prefix.chars().any(|c| !is_name_char(c)) && !words.variable(1) {
            self.told
                .error(words.at(1), format!("{} is no name for servers; use letters, digits, and any of `.:_-`", shown(prefix)));
        }
        let (low, high) = range.split_once('-').unwrap_or(("1", range));
        let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>()) else {
            if !self.depends(words, 2, "the number of servers") {
                self.told.error(words.at(2), format!("{} is not a count or a range such as 1-5", shown(range)));
            }
            return;
        };
        if high < low || high == 0 {
            self.told.error(
                words.at(2),
                format!("{} counts no servers; write a count or a range such as 1-5, from 1 on", shown(range)),
            );
        }
        let ServerDraft { mut server, mut own } = draft.given.server.clone();
        server.place = words.whole();
        self.address(&mut server, &mut own, words, 3);
        self.parameters(&mut server, &mut own, words, 4, false);
        // Ids are given out one after the other from here on.
        own.id = None;
        for number in low..=high {
            if self.from_templates == MAX_FROM_TEMPLATES {
                return self
                    .told
                    .note(words.whole(), format!("templates make more than {MAX_FROM_TEMPLATES} servers; the rest is left out"));
            }
            self.from_templates += 1;
            let one = Server { name: clean_name(&format!("{prefix}{number}")), ..server.clone() };
            self.known(&draft.name, &mut draft.server_ids, &one, &own);
            draft.servers.push(one);
            draft.owns.push(own.clone());
        }
    }

    fn server_name(&mut self, words: &Words<'_>, name: &str) {
        if let Some(odd) = name.chars().find(|c| !is_name_char(*c)).filter(|_| !words.variable(1)) {
            let text =
                format!("`{}` is not allowed in a server's name; use letters, digits, and any of `.:_-`", odd.escape_default());
            self.told.error(words.at(1), text);
        }
    }

    /// Tells of an id that another server of `pool` has, and of a server that follows itself.
    fn known(&mut self, pool: &str, ids: &mut HashMap<i64, String>, server: &Server, own: &Own) {
        if let Some(id) = own.id
            && let Some(other) = ids.insert(id, server.name.clone())
        {
            self.told
                .error(server.place.clone(), format!("the server {} has the id {id} already; give each its own", shown(&other)));
        }
        if own.track.as_ref().is_some_and(|track| {
            track.value.rsplit('/').next() == Some(&server.name)
                && track.value.split_once('/').is_none_or(|(other, _)| other == pool)
        }) {
            self.told.error(server.place.clone(), "a server cannot track itself");
        }
    }

    fn address(&mut self, server: &mut Server, own: &mut Own, words: &Words<'_>, at: usize) {
        let found = address::parse(words.get(at));
        if let Some(text) = address::port_fault(&found, false).filter(|_| !words.variable(at)) {
            self.told.error(words.at(at), text);
        }
        own.port = found.socket || words.variable(at) || super::units::leading(found.port) > 0 && !found.port.starts_with('+');
        if let Some(text) = address::fault(words.get(at), &found).filter(|_| !words.variable(at)) {
            self.told.error(words.at(at), text);
        }
        own.named = found.is_name() && !words.variable(at);
        server.address = crate::balancer::printable(found.shown());
    }

    /// Reads the parameters from word `at` on.
    fn parameters(&mut self, server: &mut Server, own: &mut Own, words: &Words<'_>, mut at: usize, default: bool) {
        while at < words.len() {
            let word = words.get(at);
            let Some(known) = keywords::find("server", word, self.release) else {
                if word.is_empty() {
                    at += 1;
                    continue;
                }
                if !words.variable(at) {
                    self.unknown("server", words.at(at), word, "server parameter");
                } else {
                    self.depends(words, at, "a server parameter");
                }
                at += 1;
                continue;
            };
            if known.value && words.get(at + 1).is_empty() && !words.variable(at + 1) {
                let loose = ["init-addr", "maxconn", "maxqueue", "minconn", "resolve-opts", "shard", "weight"].contains(&word);
                match loose {
                    true => {
                        self.told.warn(words.at(at), format!("{} has no value; HAProxy reads it as 0 or nothing", shown(word)))
                    }
                    false => self.told.error(words.at(at), format!("{} needs a value after it", shown(word))),
                }
                return;
            }
            if default && matches!(word, "id" | "guid") {
                self.told.warn(words.at(at), format!("{} is of one server; HAProxy ignores it in `default-server`", shown(word)));
            }
            self.parameter(server, own, words, at, known.shape);
            at += if known.value { 2 } else { 1 };
            // `source ADDRESS usesrc WHAT`, `interface NAME`.
            while matches!(words.get(at), "usesrc" | "interface") && words.find("source").is_some_and(|source| source < at) {
                if words.get(at + 1).is_empty() {
                    self.told.error(words.at(at), format!("`{}` needs a value after it", words.get(at)));
                }
                at += 2;
            }
        }
    }

    fn parameter(&mut self, server: &mut Server, own: &mut Own, words: &Words<'_>, at: usize, shape: Option<&Shape>) {
        let value = words.get(at + 1);
        let place = || words.place(at..at + 2);
        match words.get(at) {
            "weight" => {
                let Some(weight) = self.count(words, at + 1, "weight") else {
                    server.weight = None;
                    return;
                };
                if weight.unknown {
                    server.weight = Some(Setting { value: 1, ..Setting::unknown(place()) });
                } else if (0..=256).contains(&super::units::leading(value)) {
                    server.weight = u32::try_from(weight.value).ok().map(|weight| Setting::new(weight, place()));
                } else {
                    self.told.error(place(), format!("weight {value} is not between 0 and 256"));
                }
            }
            "maxconn" => server.slots = self.count(words, at + 1, "maxconn").filter(|slots| !slots.is_zero()),
            "minconn" => server.slots_low = self.count(words, at + 1, "minconn").filter(|slots| !slots.is_zero()).map(Box::new),
            "maxqueue" => server.queue = self.count(words, at + 1, "maxqueue").filter(|queue| !queue.is_zero()).map(Box::new),
            "slowstart" => {
                let time = self.time(words, at + 1, "slowstart", 1_000).filter(|time| !time.is_zero());
                server.slow_start_ms = time.map(Box::new);
            }
            "backup" => server.role = Role::Backup,
            "no-backup" => server.role = Role::Active,
            "disabled" => server.admin = Admin::Maintenance,
            "enabled" => server.admin = Admin::Ready,
            "init-state" => {
                server.admin = match value {
                    "none" | "up" | "fully-up" | "down" | "fully-down" => server.admin,
                    _ => {
                        return self.told.error(
                            place(),
                            format!("`init-state` is up, down, fully-up, fully-down or none, not {}", shown(value)),
                        );
                    }
                }
            }
            "cookie" => server.cookie = Some(clean_name(value)),
            "ssl" => server.tls = true,
            "no-ssl" => server.tls = false,
            "ca-file" => own.ca = true,
            "verify" => match value {
                "none" => server.tls_verified = Some(false),
                "required" => server.tls_verified = Some(true),
                _ if words.variable(at + 1) => server.tls_verified = None,
                _ => self.told.error(place(), format!("`verify` is `none` or `required`, not {}", shown(value))),
            },
            "check" => {
                own.checked = true;
                own.check.place = words.at(at);
            }
            "no-check" => own.checked = false,
            word @ ("inter" | "fastinter" | "downinter" | "agent-inter") => {
                let time = self.time(words, at + 1, word, 1_000);
                if time.as_ref().is_some_and(Setting::is_zero) {
                    return self.told.error(place(), format!("`{word} 0` is no pause between checks; write at least 1ms"));
                }
                let ms = time.filter(|time| !time.unknown).map(|time| time.value);
                match word {
                    "inter" => own.check.interval_ms = ms,
                    "agent-inter" => own.agent.get_or_insert_default().interval_ms = ms,
                    _ => {}
                }
            }
            word @ ("fall" | "rise" | "error-limit") => {
                let count = self.count(words, at + 1, word);
                if count.as_ref().is_some_and(Setting::is_zero) {
                    return self.told.error(place(), format!("`{word}` has to be more than 0"));
                }
                let count = count.filter(|count| !count.unknown).map(|count| count.value);
                match word {
                    "fall" => own.check.fall = count,
                    "rise" => own.check.rise = count,
                    _ => own.error_limit = count,
                }
            }
            "agent-check" => {
                let agent = own.agent.get_or_insert_default();
                (agent.kind, agent.place) = (CheckKind::Agent, words.at(at));
            }
            "no-agent-check" => own.agent = None,
            "observe" => match value {
                "none" => own.observe = None,
                "layer4" | "layer7" => own.observe = Some(place()),
                _ => self.told.error(place(), format!("`observe` is none, layer4 or layer7, not {}", shown(value))),
            },
            "on-error" if !["fastinter", "fail-check", "sudden-death", "mark-down"].contains(&value) => {
                self.told.error(
                    place(),
                    format!("`on-error` is fastinter, fail-check, sudden-death or mark-down, not {}", shown(value)),
                );
            }
            "on-marked-down" if value != "shutdown-sessions" => {
                self.told.error(place(), format!("`on-marked-down` is shutdown-sessions, not {}", shown(value)));
            }
            "on-marked-up" if value != "shutdown-backup-sessions" => {
                self.told.error(place(), format!("`on-marked-up` is shutdown-backup-sessions, not {}", shown(value)));
            }
            "resolvers" => own.resolvers = Some(Box::new(Setting::new(clean_name(value), place()))),
            "resolve-prefer" if !["ipv4", "ipv6"].contains(&value) => {
                self.told.error(place(), format!("`resolve-prefer` is ipv4 or ipv6, not {}", shown(value)));
            }
            "track" => {
                server.tracks = Some(clean_name(value));
                own.track = Some(Box::new(Setting::new(clean_name(value), place())));
            }
            "id" if super::units::leading(value) < 1 && !words.variable(at + 1) => {
                self.told.error(place(), "an id is a number from 1 on")
            }
            "id" => own.id = Some(super::units::leading(value)).filter(|id| *id > 0),
            "port" => own.check_port = true,
            "check-ssl" => own.check_tls = true,
            "no-check-ssl" => own.check_tls = false,
            "agent-port" => own.agent_port = true,
            "init-addr" => {
                let known = |how: &str| ["libc", "last", "none"].contains(&how) || address::is_ip(how);
                if !value.split(',').all(known) {
                    self.told.error(place(), format!("`init-addr` takes libc, last, none or an address, not {}", shown(value)));
                }
            }
            "resolve-opts" if !value.split(',').all(|one| ["allow-dup-ip", "prevent-dup-ip", "ignore-weight"].contains(&one)) => {
                self.told.error(
                    place(),
                    format!("`resolve-opts` takes allow-dup-ip, prevent-dup-ip, ignore-weight, not {}", shown(value)),
                );
            }
            "resolve-net" if !value.split(',').all(|net| address::is_ip(net.split('/').next().unwrap_or_default())) => {
                self.told.error(place(), format!("{} is no network", shown(value)));
            }
            "proxy-v2-options" => {
                let known = ["ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id"];
                if !value.split(',').all(|one| known.contains(&one)) {
                    self.told.error(place(), format!("`proxy-v2-options` knows no {}", shown(value)));
                }
            }
            "source" => {
                let from = address::parse(value).host;
                if !address::is_ip(&from) && !from.is_empty() && !words.variable(at + 1) {
                    self.told.error(place(), format!("{} is no address to connect from", shown(value)));
                }
            }
            _ => self.value_follows(shape, words, at),
        }
    }

    fn check_server(&mut self, given: &Given, server: &Server, own: &Own) {
        let place = || server.place.clone();
        if own.checked && own.track.is_some() {
            self.told
                .error(place(), "a server is checked or tracks another one, not both; write `no-check` or leave `track` out");
        }
        if own.checked && !own.port && !own.check_port && !given.check.connects {
            self.told.error(place(), "a server that is checked needs a port, in its address or with `port`");
        }
        if own.agent.as_ref().is_some_and(|agent| agent.kind == CheckKind::Agent) && !own.agent_port {
            self.told.error(place(), "`agent-check` needs `agent-port`");
        }
    }

    /// Lays check and resolution into a server of a finished pool.
    pub(super) fn finish_server(&mut self, given: &Given, server: &mut Server, own: &mut Own) {
        self.check_server(given, server, own);
        if given.disabled {
            server.admin = Admin::Maintenance;
        }
        if own.checked && own.track.is_none() {
            let check = std::mem::take(&mut own.check);
            let place = if check.place.is_written() { check.place } else { server.place.clone() };
            let timeout_ms = given.timeouts.check.as_ref().filter(|time| !time.unknown).map(|time| time.value);
            let base = given.check.check();
            server.check = Some(Box::new(Check {
                interval_ms: check.interval_ms,
                fall: check.fall,
                rise: check.rise,
                timeout_ms,
                place,
                ..base
            }));
        } else if let Some(agent) = own.agent.take().filter(|agent| agent.kind == CheckKind::Agent) {
            server.check = Some(agent);
        }
        if let Some(place) = own.observe.take() {
            // 10 failures unless it says otherwise (src/server.c).
            server.passive =
                Some(Box::new(Passive { max_fails: Some(own.error_limit.unwrap_or(10)), place, ..Default::default() }));
        }
        server.resolution = match (own.named, &own.resolvers) {
            (false, _) => Resolution::Literal,
            (true, None) => Resolution::AtStart,
            (true, Some(_)) => Resolution::Followed,
        };
        if let Some(resolvers) = own.resolvers.take() {
            self.facts.resolvers_used.push(*resolvers);
        }
        if !server.tls && own.checked && (given.check.tls || own.check_tls) && server.tls_verified != Some(false) && !own.ca {
            self.facts.unverified.push(Setting::new(server.tls_verified, server.place.clone()));
        }
        if !server.tls {
            server.tls_verified = None;
        } else if server.tls_verified != Some(false) && !own.ca {
            self.facts.unverified.push(Setting::new(server.tls_verified, server.place.clone()));
        }
    }
}
