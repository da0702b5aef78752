//! `global` and the sections that are no proxies: limits of the process, who may command it, names that others use.

use super::draft::Table;
use super::keywords;
use super::reader::Reader;
use super::words::{Words, shown};
use crate::balancer::clean_name;
use crate::balancer::model::{AdminSurface, Setting};

impl Reader<'_> {
    /// A section begins that is no proxy.
    pub(super) fn named_section(&mut self, section: &str, name: &str, words: &Words<'_>) {
        let needs_name = matches!(
            section,
            "peers"
                | "resolvers"
                | "userlist"
                | "mailers"
                | "cache"
                | "program"
                | "http-errors"
                | "ring"
                | "log-forward"
                | "fcgi-app"
        );
        if needs_name && name.is_empty() {
            self.told.error(words.whole(), format!("this {section} section has no name; write `{section} NAME`"));
        }
        let strict = matches!(section, "resolvers" | "peers") && !words.variable(1);
        if let Some(odd) = name.chars().find(|c| !super::reader::is_name_char(*c)).filter(|_| strict) {
            self.told.error(
                words.at(1),
                format!("`{}` is not allowed in a name; use letters, digits, and any of `.:_-`", odd.escape_default()),
            );
        }
        let most = if needs_name { 2 } else { 1 };
        if words.len() > most
            && !matches!(section, "log-profile" | "crt-store" | "acme" | "healthcheck" | "log-forward" | "traces")
        {
            self.told.error(words.at(most), format!("{} is too much behind `{section}`", shown(words.get(most))));
        }
        self.facts.needed = match section {
            "cache" => Some(("total-max-size", words.whole())),
            "fcgi-app" => Some(("docroot", words.whole())),
            _ => None,
        };
        let names = match section {
            "http-errors" => &mut self.facts.http_errors,
            "resolvers" => &mut self.facts.resolvers,
            "peers" => &mut self.facts.peers,
            "userlist" => &mut self.facts.userlists,
            _ => return,
        };
        if !names.insert(name.to_owned()) && words.origin.when().is_none() && section != "userlist" {
            self.told.error(words.whole(), format!("a {section} section called {} stands already above", shown(name)));
        }
    }

    pub(super) fn other(&mut self, section: &str, name: &str, group: &'static str, words: &Words<'_>) {
        if group.is_empty() {
            return;
        }
        let bare =
            Words { tokens: if words.get(0) == "no" { super::reader::behind(words.tokens) } else { words.tokens }, ..*words };
        if !self.knows(group, &bare, 0, "directive") {
            return;
        }
        if self.facts.needed.as_ref().is_some_and(|(needed, _)| *needed == words.get(0)) {
            self.facts.needed = None;
        }
        match section {
            "cache" if words.get(0) == "total-max-size" && !super::units::whole(words.get(1)) && !words.variable(1) => {
                self.told.error(words.whole(), "`total-max-size` needs a number of megabytes");
            }
            "userlist" => self.userlist(name, words),
            "global" if words.get(0) == "no" && keywords::find("global no", bare.get(0), None).is_none() => {
                self.told.error(words.whole(), format!("`no` cannot stand before {}", shown(bare.get(0))));
            }
            "global" => self.global(&bare),
            "mailers" if words.get(0) == "timeout" => drop(self.time(words, 2, "timeout mail", 1_000)),
            "resolvers" => self.resolvers(words),
            // A table of its own: `peers/table`.
            "peers" if words.get(0) == "table" => {
                // A table of the section is shared with its peers.
                let expires = words.find("expire").and_then(|at| self.time(words, at + 1, "expire", 1_000));
                let expires_ms = expires.filter(|time| !time.unknown).map(|time| time.value);
                let table = Table { expires_ms, peers: Some(name.to_owned()) };
                self.facts.tables.insert(format!("{name}/{}", words.get(1)), table);
            }
            "peers" if words.get(0) == "peer" && words.len() < 2 => {
                self.told.error(words.whole(), "write `peer NAME ADDRESS:PORT`");
            }
            "peers" if words.get(0) == "peer" && words.len() > 2 => self.needs_port(words, 2),
            "mailers" => self.shape("mailers", words, 0),
            "ring" => self.shape("ring", words, 0),
            _ => {}
        }
    }

    /// `log ADDRESS [len N] [format F] [sample …] FACILITY [LEVEL [MINIMUM]]`.
    pub(super) fn log(&mut self, words: &Words<'_>) {
        if words.get(1) == "global" && words.len() == 2 || words.variable(1) && words.len() == 2 {
            return;
        }
        let mut at = 2;
        while matches!(words.get(at), "len" | "format" | "sample" | "profile") {
            at += 2;
        }
        const FACILITIES: &str = " kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert cron2 local0 local1 local2 local3 \
            local4 local5 local6 local7 ";
        const LEVELS: &str = " emerg alert crit err warning notice info debug ";
        let known = |list: &str, word: &str| list.contains(&format!(" {word} "));
        if words.get(at).is_empty() {
            self.told.error(words.whole(), "a log needs an address and a facility, such as `log 127.0.0.1:514 local0`");
        } else if !known(FACILITIES, words.get(at)) && !words.variable(at) {
            self.told.error(words.at(at), format!("{} is no log facility; write one such as `local0`", shown(words.get(at))));
        }
        for level in [at + 1, at + 2].into_iter().filter(|level| !words.get(*level).is_empty() && !words.variable(*level)) {
            if !known(LEVELS, words.get(level)) {
                self.told.error(words.at(level), format!("{} is no log level; write one of{LEVELS}", shown(words.get(level))));
            }
        }
    }

    fn resolvers(&mut self, words: &Words<'_>) {
        self.shape("resolvers", words, 0);
        if words.get(0) == "nameserver" && words.len() > 2 {
            self.needs_port(words, 2);
        }
        match words.get(0) {
            "nameserver" if words.len() < 3 => self.told.error(words.whole(), "write `nameserver NAME ADDRESS:PORT`"),
            "timeout" => match words.get(1) {
                "resolve" | "retry" => drop(self.time(words, 2, &format!("timeout {}", words.get(1)), 1_000)),
                other => self
                    .told
                    .error(words.whole(), format!("resolvers have `timeout resolve` and `timeout retry`, not {}", shown(other))),
            },
            "hold" => match words.get(1) {
                "nx" | "other" | "refused" | "timeout" | "valid" | "obsolete" => {
                    drop(self.time(words, 2, &format!("hold {}", words.get(1)), 1_000))
                }
                other => self.told.error(
                    words.whole(),
                    format!("`hold` takes nx, other, refused, timeout, valid or obsolete, not {}", shown(other)),
                ),
            },
            _ => {}
        }
    }

    fn userlist(&mut self, list: &str, words: &Words<'_>) {
        let kind = words.get(0);
        if words.get(1).is_empty() {
            return self.told.error(words.whole(), format!("`{kind}` needs a name after it"));
        }
        self.facts.users.insert(format!("{kind} {} of {list}", words.get(1)));
        let (word, other) = if kind == "user" { ("groups", "group") } else { ("users", "user") };
        if kind == "user" && words.len() > 2 && !["password", "insecure-password", "groups"].contains(&words.get(2)) {
            self.told
                .error(words.at(2), format!("a user has password, insecure-password and groups, not {}", shown(words.get(2))));
        }
        if let Some(at) = words.find(word).filter(|at| *at > 1 && !words.variable(at + 1)) {
            let named = words.get(at + 1).split(',').filter(|name| !name.is_empty());
            self.facts.users_used.extend(named.map(|name| Setting::new(format!("{other} {name} of {list}"), words.at(at + 1))));
        }
    }

    fn needs_port(&mut self, words: &Words<'_>, at: usize) {
        let found = super::address::parse(words.get(at));
        if found.port.is_empty() && !found.socket && !words.variable(at) {
            self.told.error(words.at(at), format!("{} has no port; write `address:port`", shown(words.get(at))));
        }
    }

    /// A number of `global`: there HAProxy is strict.
    fn limit(&mut self, words: &Words<'_>, what: &str) -> Option<Setting<u64>> {
        let value = words.get(1);
        if !words.variable(1) && !value.is_empty() && !super::units::whole(value) {
            self.told.error(words.at(1), format!("{what} {} is not a number", shown(value)));
            return None;
        }
        self.count(words, 1, what)
    }

    fn global(&mut self, words: &Words<'_>) {
        let first = words.get(0);
        if words.get(1).is_empty() && !words.variable(1) && keywords::find("global alone", first, None).is_none() {
            return self.told.error(words.whole(), format!("`{first}` needs a value after it"));
        }
        self.shape("global", words, 0);
        if matches!(first, "spread-checks") && !self.facts.once.insert(first.to_owned()) {
            self.told.warn(words.whole(), format!("`{first}` stands already above; HAProxy keeps the first"));
        }
        match words.get(0) {
            "maxconn" => self.model.process.maxconn = self.limit(words, "maxconn").filter(|limit| !limit.is_zero()),
            "nbthread" => {
                let threads = self.limit(words, "nbthread");
                if threads.as_ref().is_some_and(|threads| threads.is_zero() || threads.value > 4_096) {
                    return self
                        .told
                        .error(words.whole(), format!("{} threads cannot be; write a number from 1 on", words.get(1)));
                }
                self.model.process.threads = threads;
            }
            "ulimit-n" => self.model.process.files = self.count(words, 1, "ulimit-n"),
            "external-check" => self.facts.external_check = true,
            "tune.stick-counters" => {
                let counters = self.count(words, 1, "tune.stick-counters").filter(|number| !number.unknown);
                let counters = counters.and_then(|number| u32::try_from(number.value).ok());
                self.facts.counters = counters.unwrap_or(self.facts.counters);
            }
            "log" => self.log(words),
            "set-var" | "set-var-fmt" if !words.get(1).starts_with("proc.") => {
                self.told.error(words.at(1), "in global only variables of the scope `proc.` can be set");
            }
            "nbproc" if self.limit(words, "nbproc").is_some_and(|number| number.value != 1) => {
                self.told.error(words.whole(), "several processes are no longer supported; write `nbthread`");
            }
            "ssl-server-verify" => match words.get(1) {
                "none" => self.facts.verifies_nothing = true,
                "required" => self.facts.verifies_nothing = false,
                other => self.told.error(words.whole(), format!("`ssl-server-verify` is none or required, not {}", shown(other))),
            },
            "stats" => self.stats_socket(words),
            _ => {}
        }
    }

    fn stats_socket(&mut self, words: &Words<'_>) {
        match words.get(1) {
            "socket" if words.get(2).is_empty() => self.told.error(words.whole(), "`stats socket` needs a path or an address"),
            "socket" => {
                let level = words.find("level").map_or("operator", |at| words.get(at + 1));
                if !["user", "operator", "admin"].contains(&level) {
                    self.told.error(words.whole(), format!("the level is user, operator or admin, not {}", shown(level)));
                }
                let found = super::address::parse(words.get(2));
                self.model.process.admin.push(AdminSurface {
                    what: "runtime socket".to_owned(),
                    address: clean_name(&found.listened()),
                    // Who may open the file decides; over TCP nobody is asked for anything.
                    guarded: found.socket,
                    writes: level == "admin",
                    place: words.whole(),
                });
            }
            "timeout" => drop(self.time(words, 2, "stats timeout", 1_000)),
            "maxconn" if super::units::leading(words.get(2)) <= 0 => {
                self.told.error(words.whole(), "`stats maxconn` needs a number from 1 on");
            }
            "maxconn" | "bind-process" => {}
            other => self
                .told
                .error(words.whole(), format!("`stats` in global takes socket, timeout or maxconn, not {}", shown(other))),
        }
    }
}
