//! Directives of `defaults`, `frontend`, `backend` and `listen` (configuration manual, chapter 4.2).

use super::draft::{Draft, Given, Kind};
use super::reader::{Reader, behind};
use super::words::{Words, shown};
use super::{address, check, keywords, shapes};
use crate::balancer::model::{Bind, Mode, Setting};
use crate::balancer::{clean_name, printable};

impl Reader<'_> {
    pub(super) fn proxy(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let first = words.get(0);
        if ["no", "default"].contains(&first) {
            let rest = Words { tokens: behind(words.tokens), ..*words };
            return match rest.get(0) {
                "option" => self.option(draft, &rest, first == "default", false),
                "log" => {}
                _ => self.told.error(
                    words.whole(),
                    format!("`{first}` stands before `option …` or `log`, not before {}", shown(rest.get(0))),
                ),
            };
        }
        let known = self.look_up("listen", words, 0, "directive");
        if known.is_none() && !words.variable(0) {
            return;
        }
        let kind = draft.kind;
        if words.get(1).is_empty()
            && !words.variable(1)
            && keywords::find("listen alone", first, None).is_none()
            && first != "stick"
        {
            return self.told.error(words.whole(), format!("`{first}` needs something after it"));
        }
        self.follows(known.and_then(|known| known.shape), words, 0);
        if matches!(first, "compression" | "capture" | "monitor") {
            let known = shapes::has(first, words.get(1));
            if !known && !words.variable(1) {
                self.told.error(words.at(1), format!("`{first}` knows no {}", shown(words.get(1))));
            }
            self.shape(first, words, 1);
        }
        if matches!(first, "force-persist" | "ignore-persist" | "monitor") {
            self.condition(&draft.acls, words, 1);
        }
        match first {
            "bind" => self.bind(draft, words),
            "server" | "server-template" | "default-server" if kind == Kind::Frontend => {
                self.told.error(words.whole(), format!("a frontend has no servers; put `{first}` into a backend"));
            }
            "server" | "server-template" | "use-server" | "acl" | "stick" | "stick-table" | "use_backend" | "dispatch" | "id"
            | "guid" | "capture" | "monitor" | "description" | "filter" | "redirect" | "force-persist" | "ignore-persist"
            | "declare" | "use-fcgi-app"
                if kind == Kind::Defaults =>
            {
                self.told.error(words.whole(), format!("`{first}` cannot stand in a defaults section; put it into the proxy"));
            }
            "server" => self.server(draft, words),
            "server-template" => self.template(draft, words),
            "default-server" => self.default_server(&mut draft.given, words),
            "acl" => self.acl(draft, words),
            "use_backend" => self.use_backend(draft, words),
            "default_backend" => self.default_backend(draft, words),
            "use-server" => self.use_server(draft, words),
            "stick" => self.stick(draft, words),
            "stick-table" => self.stick_table(draft, words),
            "http-request" | "http-response" | "http-after-response" | "tcp-request" | "tcp-response" | "redirect" => {
                draft.given.l7_retry_bounded |= words.get(1) == "disable-l7-retry";
                self.rule(draft, words)
            }
            "http-check" | "tcp-check" => self.check_rule(&mut draft.given, words),
            "option" => self.option(draft, words, false, true),
            "stats" => self.stats_page(draft, words),
            "log" => self.log(words),
            "dispatch" => {
                draft.dispatch = true;
                if address::parse(words.get(1)).port.is_empty() && !words.variable(1) {
                    self.told.error(words.whole(), "`dispatch` needs an address with a port");
                }
            }
            "cookie" => self.cookie(draft, words),
            "timeout" | "clitimeout" | "contimeout" | "srvtimeout" => self.timeout(&mut draft.given, words),
            "balance" if kind == Kind::Frontend => self.ignored(words, kind),
            "balance" => self.balance(&mut draft.given, words),
            "hash-type" => self.hash_type(&mut draft.given, words),
            "hash-balance-factor" => self.balance_factor(&mut draft.given, words),
            _ => self.small(draft, words),
        }
    }

    fn ignored(&mut self, words: &Words<'_>, kind: Kind) {
        self.told.warn(words.whole(), format!("HAProxy ignores `{}` in a {} section", words.get(0), kind.word()));
    }

    /// Directives of one value.
    fn small(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let (value, kind) = (words.get(1), draft.kind);
        let given = &mut draft.given;
        match words.get(0) {
            "mode" => {
                let mode = match value {
                    "http" => Mode::Http,
                    "tcp" => Mode::Tcp,
                    "log" if self.release.is_none_or(|release| release >= (2, 9)) => Mode::Other,
                    "spop" if self.release.is_none_or(|release| release >= (3, 1)) => Mode::Other,
                    _ if self.depends(words, 1, "mode") => return,
                    _ => return self.told.error(words.whole(), format!("the mode is `http` or `tcp`, not {}", shown(value))),
                };
                given.mode = Some(Setting::new(mode, words.whole()));
            }
            "maxconn" if kind == Kind::Backend => {
                self.told.warn(
                    words.whole(),
                    "HAProxy ignores `maxconn` in a backend; `fullconn`, or `maxconn` of each server, was perhaps meant",
                );
            }
            "maxconn" => {
                if let Some(limit) = self.count(words, 1, "maxconn") {
                    // 0 is the default: as much as the process takes.
                    given.maxconn = Some(limit).filter(|limit| !limit.is_zero());
                }
            }
            "fullconn" if kind == Kind::Frontend => self.ignored(words, kind),
            "fullconn" => given.limits.connections = self.count(words, 1, "fullconn").filter(|limit| !limit.is_zero()),
            "retries" => given.retry.count = self.count(words, 1, "retries"),
            "retry-on" => self.retry_on(given, words),
            "http-reuse" => {
                if !["never", "safe", "aggressive", "always"].contains(&value) && !words.variable(1) {
                    return self.told.error(
                        words.whole(),
                        format!("`http-reuse` is never, safe, aggressive or always, not {}", shown(value)),
                    );
                }
                given.limits.keepalive = (value == "never").then(|| Setting::new(0, words.whole()));
            }
            "disabled" => given.disabled = true,
            "enabled" => given.disabled = false,
            "backlog" | "max-keep-alive-queue" => drop(self.count(words, 1, words.get(0))),
            "transparent" => draft.dispatch = true,
            "monitor"
            | "monitor-uri"
            | "http-send-name-header"
            | "description"
            | "log-format"
            | "log-tag"
            | "errorfiles"
            | "filter"
            | "unique-id-format"
            | "unique-id-header"
            | "errorloc"
            | "errorloc302"
            | "errorloc303"
            | "errorfile"
                if value.is_empty() =>
            {
                self.told.error(words.whole(), format!("`{}` needs a value after it", words.get(0)));
            }
            "id" => {
                let id = super::units::leading(value);
                if let Some(other) = self.facts.ids.insert(id, draft.name.clone()).filter(|_| id > 0) {
                    self.told
                        .error(words.whole(), format!("the proxy {} has the id {id} already; give each its own", shown(&other)));
                }
            }
            "errorfiles" => self.facts.http_errors_used.push(Setting::new(clean_name(value), words.at(1))),
            "email-alert"
                if value == "level"
                    && !["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"].contains(&words.get(2)) =>
            {
                self.told.error(words.whole(), format!("{} is no log level", shown(words.get(2))));
            }
            "block" | "grace" | "reqadd" | "reqallow" | "reqdel" | "reqdeny" | "reqidel" | "reqiallow" | "reqirep" | "reqrep"
            | "rspadd" | "rspdel" | "rspdeny" | "rsprep" | "appsession" | "monitor-net" => {
                self.told.error(
                    words.at(0),
                    format!("`{}` is no longer supported; `http-request` and `http-response` rules replace it", words.get(0)),
                );
            }
            _ => {}
        }
    }

    fn retry_on(&mut self, given: &mut Given, words: &Words<'_>) {
        const KNOWN: [&str; 18] = [
            "none",
            "conn-failure",
            "empty-response",
            "junk-response",
            "response-timeout",
            "0rtt-rejected",
            "all-retryable-errors",
            "401",
            "403",
            "404",
            "408",
            "425",
            "429",
            "500",
            "501",
            "502",
            "503",
            "504",
        ];
        if words.len() < 2 {
            return self.told.error(words.whole(), "`retry-on` needs at least one word that says when, such as `conn-failure`");
        }
        if words.len() > 2 && (1..words.len()).any(|at| words.get(at) == "none") {
            self.told.error(words.whole(), "`retry-on none` stands alone");
        }
        for at in 1..words.len() {
            if !KNOWN.contains(&words.get(at)) && !words.variable(at) {
                self.told
                    .error(words.at(at), format!("`retry-on` knows no {}; it takes {}", shown(words.get(at)), KNOWN.join(", ")));
            }
        }
        given.retry.on = words.tokens.iter().skip(1).map(|token| printable(&*token.text)).collect();
        given.retry.place = words.whole();
    }

    fn bind(&mut self, draft: &mut Draft, words: &Words<'_>) {
        match draft.kind {
            Kind::Defaults => {
                return self.told.error(words.whole(), "`bind` cannot stand in a defaults section; put it into a frontend");
            }
            Kind::Backend => return self.ignored(words, Kind::Backend),
            _ => {}
        }
        if words.len() < 2 {
            return self.told.error(words.whole(), "`bind` needs an address, such as `bind :80`");
        }
        let mut tls = false;
        let mut maxconn = None;
        let mut at = 2;
        while at < words.len() {
            let Some(known) = keywords::find("bind", words.get(at), self.release) else {
                if !words.variable(at) && !words.get(at).is_empty() {
                    self.unknown("bind", words.at(at), words.get(at), "bind parameter");
                }
                at += 1;
                continue;
            };
            if known.value && words.get(at + 1).is_empty() {
                self.told.error(words.at(at), format!("{} needs a value after it", shown(words.get(at))));
                break;
            }
            match words.get(at) {
                "ssl" => tls = true,
                "maxconn" => maxconn = self.count(words, at + 1, "maxconn"),
                "id" if !self.facts.bind_ids.insert((draft.name.clone(), super::units::leading(words.get(at + 1)))) => {
                    self.told.error(words.place(at..at + 2), "another bind of this proxy has this id already");
                }
                "process" => self.told.error(words.at(at), "`process` is no longer supported; write `thread`"),
                "mss" if !(1..=65_535).contains(&super::units::leading(words.get(at + 1)).abs()) => {
                    self.told.error(words.place(at..at + 2), "`mss` is a number from 1 to 65535");
                }
                "thread"
                    if !words.get(at + 1).starts_with(|c: char| c.is_ascii_digit())
                        && !["all", "odd", "even"].contains(&words.get(at + 1)) =>
                {
                    self.told.error(words.place(at..at + 2), "`thread` is all, odd, even or numbers such as 1-4");
                }
                _ => self.value_follows(known.shape, words, at),
            }
            at += if known.value { 2 } else { 1 };
        }
        let certificate =
            ["crt", "crt-list", "default-crt", "generate-certificates", "acme"].iter().any(|word| words.find(word).is_some());
        if tls && !certificate && !words.get(1).starts_with("quic") {
            self.told.error(words.whole(), "a `bind` with `ssl` needs a certificate: `crt FILE` or `crt-list FILE`");
        }
        for written in words.get(1).split(',').filter(|written| !written.is_empty()) {
            let found = address::parse(written);
            if found.host.contains('.')
                && found.is_name()
                && found.host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && !words.variable(1)
            {
                self.told.error(words.at(1), format!("{} is no address", shown(&found.host)));
            }
            if let Some(text) = address::port_fault(&found, true).filter(|_| !words.variable(1)) {
                self.told.error(words.at(1), text);
            }
            draft.binds.push(Bind {
                address: printable(found.listened()),
                tls,
                maxconn: maxconn.clone(),
                proxy_protocol: words.find("accept-proxy").is_some(),
                place: words.whole(),
                ..Default::default()
            });
        }
    }

    /// `option X`, `no option X`, `default option X` (which is like not written).
    fn option(&mut self, draft: &mut Draft, words: &Words<'_>, default: bool, on: bool) {
        let option = words.get(1);
        if option.is_empty() {
            return self.told.error(words.whole(), "`option` needs an option's name after it");
        }
        if !self.knows("option", words, 1, "option") {
            return;
        }
        if !on && keywords::find("option always", option, None).is_some() {
            return self.told.error(words.whole(), format!("`option {option}` cannot be switched off; leave it out"));
        }
        if on {
            self.shape("option", words, 1);
        }
        let given = &mut draft.given;
        match option {
            "redispatch" => given.retry.redispatch = (!default).then(|| Setting::new(on, words.whole())),
            "transparent" => draft.transparent = on,
            "allbackups" => given.all_backups = on,
            _ if check::OPTIONS.contains(&option) && draft.kind == Kind::Frontend => {
                let text = format!("HAProxy ignores `option {option}` in a frontend; put it into the backend");
                self.told.warn(words.whole(), text);
            }
            _ if check::OPTIONS.contains(&option) => self.check_option(given, words, on),
            _ => {}
        }
    }

    fn timeout(&mut self, given: &mut Given, words: &Words<'_>) {
        let (what, at) = match words.get(0) {
            "timeout" => (words.get(1), 2),
            "clitimeout" => ("client", 1),
            "contimeout" => ("connect", 1),
            _ => ("server", 1),
        };
        if words.get(0) != "timeout" {
            return self.told.error(words.at(0), format!("`{}` is no longer supported; write `timeout {what}`", words.get(0)));
        }
        if !self.knows("timeout", words, 1, "timeout") {
            return;
        }
        let time = self.time(words, at, &format!("timeout {what}"), 1_000);
        if words.len() > at + 1 && !words.get(at + 1).is_empty() {
            self.told
                .error(words.at(at + 1), format!("`timeout {what}` takes one time; {} is too much", shown(words.get(at + 1))));
        }
        let Some(time) = time.map(|time| Setting { place: words.whole(), ..time }) else { return };
        let timeouts = &mut given.timeouts;
        let slot = match what {
            "client" => &mut timeouts.client,
            "connect" => &mut timeouts.connect,
            "server" => &mut timeouts.server,
            "queue" => &mut timeouts.queue,
            "check" => &mut timeouts.check,
            "http-request" => &mut timeouts.headers,
            "http-keep-alive" => &mut timeouts.keepalive,
            "tunnel" => &mut timeouts.tunnel,
            _ => return,
        };
        *slot = Some(time);
    }

    fn stats_page(&mut self, draft: &mut Draft, words: &Words<'_>) {
        if !self.knows("stats", words, 1, "stats option") {
            return;
        }
        if words.get(1) == "http-request" && !["allow", "deny", "auth"].contains(&words.get(2)) {
            self.told
                .error(words.whole(), format!("`stats http-request` takes allow, deny or auth, not {}", shown(words.get(2))));
        }
        if words.get(1) != "admin" || draft.kind != Kind::Defaults {
            self.shape("stats", words, 1);
        }
        let stats = &mut draft.given.stats;
        if !stats.enabled {
            stats.place = words.whole();
        }
        // Every `stats` directive switches the page on.
        stats.enabled = true;
        match words.get(1) {
            "uri" => stats.uri = clean_name(words.get(2)),
            "auth" => stats.guarded = true,
            "http-request" => stats.guarded |= matches!(words.get(2), "auth" | "deny"),
            "admin" => stats.writes = words.get(3) != "FALSE",
            _ => {}
        }
        let value = matches!(words.get(1), "uri" | "auth" | "scope" | "refresh" | "admin");
        if value && words.get(2).is_empty() {
            self.told.error(words.whole(), format!("`stats {}` needs a value after it", words.get(1)));
        } else if words.get(1) == "refresh" {
            self.time(words, 2, "stats refresh", 1_000_000);
        } else if matches!(words.get(1), "admin" | "http-request") {
            let at = if words.get(1) == "admin" { 2 } else { 3 };
            self.condition(&draft.acls, words, at);
        }
    }
}
