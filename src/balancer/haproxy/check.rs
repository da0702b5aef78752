//! Health checks of a proxy: `option httpchk` and its kin, `http-check`, `tcp-check` (configuration manual 4.2).

use std::sync::Arc;

use super::draft::Given;
use super::reader::Reader;
use super::words::{Words, shown};
use crate::balancer::model::{Check, CheckKind};
use crate::balancer::source::Place;

/// What a proxy's servers are asked when they are checked.
#[derive(Debug, Clone, Default)]
pub struct ProxyCheck {
    pub kind: CheckKind,
    pub request: Option<Arc<str>>,
    pub expects: Option<Arc<str>>,
    pub place: Place,
    /// Whether `option httpchk` stands there.
    pub http: bool,
    /// Whether `option external-check` stands there.
    pub external: bool,
    /// Whether `option tcp-check` stands there.
    pub tcp: bool,
    /// The first `http-check` rule that only `option httpchk` gives a meaning.
    pub http_rules: Option<Place>,
    pub tcp_rules: Option<Place>,
    /// Whether a rule says where to connect.
    pub connects: bool,
    /// Whether `tcp-check` sends or expects something, and whether it says to connect.
    pub tcp_steps: bool,
    pub tcp_connects: bool,
    /// Whether a rule connects with TLS.
    pub tls: bool,
}

impl ProxyCheck {
    pub fn check(&self) -> Check {
        let (kind, request, expects) = (self.kind, self.request.clone(), self.expects.clone());
        Check { kind, request, expects, place: self.place.clone(), ..Default::default() }
    }
}

/// `option` words that choose how servers are checked.
pub const OPTIONS: &[&str] = &[
    "httpchk",
    "tcp-check",
    "ssl-hello-chk",
    "mysql-check",
    "pgsql-check",
    "redis-check",
    "ldap-check",
    "smtpchk",
    "spop-check",
    "external-check",
];

impl Reader<'_> {
    /// `option httpchk …`, `no option httpchk`.
    pub(super) fn check_option(&mut self, given: &mut Given, words: &Words<'_>, on: bool) {
        let option = words.get(1);
        let check = &mut given.check;
        if !on {
            check.http &= option != "httpchk";
            check.tcp &= option != "tcp-check";
            if !check.http && !check.tcp {
                check.kind = CheckKind::Tcp;
                check.request = None;
            }
            return;
        }
        // Rules of the other family mean nothing to it.
        if check.http != (option == "httpchk") {
            check.expects = None;
        }
        check.place = words.whole();
        check.http = option == "httpchk";
        check.tcp = option == "tcp-check";
        check.external = option == "external-check";
        check.request = (words.len() > 2).then(|| words.rest(2).into());
        check.kind = match option {
            "httpchk" => CheckKind::Http,
            "ssl-hello-chk" => CheckKind::Tls,
            "tcp-check" if check.tcp_rules.is_none() => CheckKind::Tcp,
            _ => CheckKind::Protocol,
        };
        match option {
            "httpchk" => {
                // One word is the path; the default is `OPTIONS /`.
                let (method, path) = if words.len() > 3 { (words.get(2), words.get(3)) } else { ("OPTIONS", words.get(2)) };
                let path = if path.is_empty() { "/" } else { path };
                check.request = Some(format!("{method} {path}").into());
                if words.len() > 5 && !words.get(5).is_empty() {
                    self.told.error(
                        words.at(5),
                        format!("`option httpchk` takes method, path and version; {} is too much", shown(words.get(5))),
                    );
                }
            }
            "mysql-check" if words.len() > 2 && (words.get(2) != "user" || words.len() < 4) => {
                self.told.error(words.whole(), "`option mysql-check` takes `user NAME` and perhaps `pre-41` or `post-41`");
            }
            "pgsql-check" if words.get(2) != "user" || words.len() < 4 => {
                self.told.error(words.whole(), "`option pgsql-check` needs `user NAME` after it");
            }
            _ => {}
        }
    }

    /// `http-check …` and `tcp-check …`.
    pub(super) fn check_rule(&mut self, given: &mut Given, words: &Words<'_>) {
        let group = words.get(0);
        if words.len() < 2 {
            return self.told.error(words.whole(), format!("`{group}` needs an action after it"));
        }
        if !self.knows(group, words, 1, "check action") {
            return;
        }
        self.shape(group, words, 1);
        let http = group == "http-check";
        if !http && words.get(1) == "connect" && given.check.tcp_steps && !given.check.tcp_connects {
            self.told.error(words.whole(), "where a `tcp-check connect` stands, one has to be the first step");
        }
        given.check.tcp_connects |= !http && words.get(1) == "connect";
        given.check.tcp_steps |= !http && words.get(1).starts_with(['s', 'e']) && !words.get(1).starts_with("set-var");
        given.check.tls |= words.get(1) == "connect" && words.find("ssl").is_some();
        given.check.connects |= words.get(1) == "connect" && words.find("port").is_some();
        match words.get(1) {
            "expect" => {
                self.expect(words);
                given.check.expects = Some(words.rest(2).into());
            }
            "send" if http => {
                let value = |name: &str| words.find(name).map(|at| words.get(at + 1)).unwrap_or_default();
                let method = if value("meth").is_empty() { "OPTIONS" } else { value("meth") };
                let path = [value("uri"), value("uri-lf"), "/"].into_iter().find(|path| !path.is_empty()).unwrap_or("/");
                if given.check.http || given.check.request.is_none() {
                    given.check.request = Some(format!("{method} {path}").into());
                }
            }
            "send" | "send-lf" | "send-binary" | "send-binary-lf" => {
                if words.len() < 3 {
                    self.told.error(words.whole(), format!("`tcp-check {}` needs something to send", words.get(1)));
                }
                given.check.request.get_or_insert_with(|| words.rest(2).into());
            }
            "disable-on-404" | "send-state" => return,
            _ => {}
        }
        let rules = if http { &mut given.check.http_rules } else { &mut given.check.tcp_rules };
        rules.get_or_insert_with(|| words.whole());
        if !http && given.check.tcp {
            given.check.kind = CheckKind::Protocol;
        }
    }

    fn expect(&mut self, words: &Words<'_>) {
        let http = words.get(0) == "http-check";
        let mut at = 2;
        // Options come before the match.
        while let word @ ("comment" | "min-recv" | "ok-status" | "error-status" | "tout-status" | "on-success" | "on-error"
        | "status-code" | "linger") = words.get(at)
        {
            at += if word == "linger" { 1 } else { 2 };
        }
        let kind = words.get(at);
        let (kind, next) =
            if kind == "!" { (words.get(at + 1), at + 2) } else { (kind.strip_prefix('!').unwrap_or(kind), at + 1) };
        let known: &[&str] = match http {
            true => &["status", "rstatus", "string", "rstring", "string-lf", "hdr", "fhdr"],
            false => &["string", "rstring", "string-lf", "binary", "rbinary", "binary-lf"],
        };
        if !known.contains(&kind) && !words.variable(at) {
            let place = words.place(at.min(words.len() - 1)..at + 1);
            return self.told.error(place, format!("`{} expect` takes {}, not {}", words.get(0), known.join(", "), shown(kind)));
        }
        if words.get(next).is_empty() {
            return self.told.error(words.whole(), format!("`{} expect {kind}` needs what to expect after it", words.get(0)));
        }
        if matches!(kind, "rstatus" | "rstring")
            && let Some(why) = super::formats::regex_fault(words.get(next))
        {
            self.told.error(words.at(next), format!("{} is no regular expression: {why}", shown(words.get(next))));
        }
        if kind == "binary"
            && (!words.get(next).len().is_multiple_of(2) || !words.get(next).bytes().all(|b| b.is_ascii_hexdigit()))
        {
            self.told.error(words.at(next), format!("{} is not hexadecimal", shown(words.get(next))));
        }
        if matches!(kind, "hdr" | "fhdr") {
            if !matches!(words.get(next), "name" | "name-lf") || words.get(next + 1).is_empty() {
                self.told.error(words.at(next), format!("write `{} expect {kind} name NAME value VALUE`", words.get(0)));
            }
        } else if !words.get(next + 1).is_empty() && words.get(next + 1) != "comment" {
            self.told
                .error(words.at(next + 1), format!("{} is too much; quote what has spaces in it", shown(words.get(next + 1))));
        }
        if kind == "status" && !words.variable(next) {
            let fine = words.get(next).split(',').all(|part| {
                let (low, high) = part.split_once('-').unwrap_or((part, part));
                let code = |text: &str| text.parse::<u32>().ok().filter(|code| (0..1000).contains(code));
                matches!((code(low), code(high)), (Some(low), Some(high)) if low <= high)
            });
            if !fine {
                self.told.error(
                    words.at(next),
                    format!("{} is no list of status codes such as `200,300-399`", shown(words.get(next))),
                );
            }
        }
    }
}
