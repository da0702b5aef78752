//! Ways from a listener to a pool, and what they ask: `use_backend`, `default_backend`, `use-server`, ACLs and rules
//! (configuration manual, chapters 4.2 and 7).

use super::draft::{Draft, Kind};
use super::reader::{MAX_WORDS, Reader};
use super::words::{Words, shown};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Route, Setting, Target};
use crate::balancer::{clean_name, printable};
use crate::domain::time::shorten;

/// Values that are kept of all map files together.
const MAX_MAPPED: usize = 20_000;

/// Bytes of the ACLs that are kept with all routes together.
pub(super) const MAX_DEFINED: usize = 16 << 20;

/// ACLs that need no definition (configuration manual 7.4).
const GIVEN: &[&str] = &[
    "FALSE",
    "TRUE",
    "HTTP",
    "HTTP_1.0",
    "HTTP_1.1",
    "HTTP_2.0",
    "HTTP_3.0",
    "HTTP_CONTENT",
    "HTTP_URL_ABS",
    "HTTP_URL_SLASH",
    "HTTP_URL_STAR",
    "LOCALHOST",
    "METH_CONNECT",
    "METH_DELETE",
    "METH_GET",
    "METH_HEAD",
    "METH_OPTIONS",
    "METH_POST",
    "METH_PUT",
    "METH_TRACE",
    "RDP_COOKIE",
    "REQ_CONTENT",
    "WAIT_END",
];

impl Reader<'_> {
    pub(super) fn acl(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let name = words.get(1);
        if name.is_empty() || words.len() < 3 {
            return self.told.error(words.whole(), "an ACL needs a name and what it looks at: `acl NAME FETCH [VALUE…]`");
        }
        if let Some(odd) = name.chars().find(|c| !super::reader::is_name_char(*c)).filter(|_| !words.variable(1)) {
            self.told.error(
                words.at(1),
                format!("`{}` is not allowed in an ACL's name; use letters, digits, and any of `.:_-`", odd.escape_default()),
            );
        }
        if ["or", "if", "unless"].contains(&name) {
            self.told.error(words.at(1), format!("{} cannot be an ACL's name: conditions use this word", shown(name)));
        }
        self.test(words, 2, words.len());
        draft.acls.entry(clean_name(name)).or_default().push(words.rest(2));
    }

    /// The fetch of an ACL with its converters, and the flags and patterns behind it.
    fn test(&mut self, words: &Words<'_>, at: usize, end: usize) {
        let written = words.get(at);
        self.sample(words, at);
        let mut matching = if written.ends_with("_reg") || written.contains("_reg(") { "reg" } else { "" };
        let mut next = at + 1;
        while next < end && words.get(next).starts_with('-') {
            match words.get(next) {
                "-m" => {
                    matching = words.get(next + 1);
                    let known = ["found", "bool", "int", "ip", "bin", "len", "str", "beg", "sub", "dir", "dom", "end", "reg"];
                    if !known.contains(&matching) && !words.variable(next + 1) {
                        return self.told.error(
                            words.place(next..next + 2),
                            format!("`-m` takes {}, not {}", known.join(", "), shown(matching)),
                        );
                    }
                    next += 2;
                }
                "-f" | "-M" if words.get(next) == "-M" => next += 1,
                "-f" => return,
                "-u" => next += 2,
                "--" => {
                    next += 1;
                    break;
                }
                _ => next += 1,
            }
        }
        for pattern in (next..end).filter(|at| !words.variable(*at)) {
            let value = words.get(pattern);
            let wrong = match written {
                "src" | "dst" if matching.is_empty() => (!is_network(value)).then_some("an address such as 10.0.0.0/8"),
                "src_port" | "dst_port" | "fc_rtt" | "status" if matching.is_empty() => (!is_number(value)).then_some("a number"),
                _ if matching == "int" => (!is_number(value)).then_some("a number"),
                _ if matching == "reg" => super::formats::regex_fault(value).map(|_| "a regular expression whose brackets close"),
                _ => None,
            };
            if let Some(wanted) = wrong {
                return self.told.error(words.at(pattern), format!("{} is not {wanted}", shown(value)));
            }
        }
    }

    /// A condition that begins at word `at` with `if` or `unless`, if there is one there; nothing else may stand there.
    pub(super) fn condition<'a>(&mut self, acls: &HashMap<String, Vec<String>>, words: &Words<'a>, from: usize) -> Vec<&'a str> {
        let Some(at) = (from..words.len()).find(|at| matches!(words.get(*at), "if" | "unless")) else { return Vec::new() };
        if at + 1 >= words.len() {
            let text = format!(
                "`{}` has no condition after it: HAProxy reads it as one that never holds; write the condition",
                words.get(at)
            );
            self.told.warn(words.at(at), text);
        }
        let mut named = Vec::new();
        let mut index = at + 1;
        while index < words.len() {
            let word = words.get(index);
            let name = word.trim_start_matches('!');
            index += 1;
            match name {
                "or" | "||" | "" => {}
                "{" => {
                    let close = (index..words.len()).find(|at| words.get(*at) == "}");
                    let Some(close) = close else {
                        self.told.error(words.at(index - 1), "`{` is not closed: an ACL in a condition ends with ` }`");
                        return named;
                    };
                    if close == index {
                        self.told.error(words.place(index - 1..close + 1), "there is nothing between `{` and `}`");
                    } else {
                        self.test(words, index, close);
                    }
                    index = close + 1;
                }
                _ if words.variable(index - 1) => {}
                _ => match acls.get(name) {
                    Some(_) if named.len() >= MAX_WORDS || named.contains(&name) => {}
                    Some(_) => named.push(name),
                    None if GIVEN.contains(&name) => {}
                    None => self.told.error(words.at(index - 1), format!("no ACL above is called {}", shown(name))),
                },
            }
        }
        named
    }

    /// The lines of ACLs, as routes keep them. Thousands of routes may name an ACL of thousands of lines: when there is
    /// no room left they go without, which is told.
    fn definitions(&mut self, acls: &HashMap<String, Vec<String>>, names: &[&str], words: &Words<'_>) -> Vec<String> {
        let lines = names.iter().flat_map(|name| acls.get(*name).into_iter().flatten().map(move |line| (name, line)));
        let mut out = Vec::new();
        for (name, line) in lines {
            self.defined += name.len() + line.len();
            if self.defined > MAX_DEFINED {
                if !std::mem::replace(&mut self.undefined, true) {
                    let text = "the routes of this config name so many lines of ACLs that those from here on are not kept with \
                                them: a change of an ACL alone may go untold";
                    self.told.note(words.whole(), text);
                }
                break;
            }
            out.push(format!("{name}: {line}"));
        }
        out
    }

    pub(super) fn use_backend(&mut self, draft: &mut Draft, words: &Words<'_>) {
        if draft.kind == Kind::Backend {
            if words.get(1) == draft.name {
                self.told.error(words.whole(), format!("backend {} sends to itself", shown(&draft.name)));
            }
            return self.told.warn(words.whole(), "HAProxy ignores `use_backend` in a backend; put it into a frontend");
        }
        if words.get(1).is_empty() {
            return self.told.error(words.whole(), "`use_backend` needs a backend's name after it");
        }
        let condition = (words.len() > 2).then(|| words.rest(2));
        if condition.is_some() && !matches!(words.get(2), "if" | "unless") {
            self.told
                .error(words.at(2), format!("after the backend's name stands `if` or `unless`, not {}", shown(words.get(2))));
        }
        let names = self.condition(&draft.acls, words, 2);
        let definitions = self.definitions(&draft.acls, &names, words);
        let target = self.target(words, 1);
        if matches!(&target, Target::Pool { name } if *name == draft.name) {
            self.told
                .error(words.at(1), format!("{} sends to itself; its own servers take what no rule takes", shown(&draft.name)));
        }
        draft.routes.push(Route { condition, target, definitions, place: words.whole(), ..Default::default() });
    }

    pub(super) fn default_backend(&mut self, draft: &mut Draft, words: &Words<'_>) {
        if draft.kind == Kind::Backend {
            if words.get(1) == draft.name {
                self.told.error(words.whole(), format!("backend {} sends to itself", shown(&draft.name)));
            }
            return self.told.warn(words.whole(), "HAProxy ignores `default_backend` in a backend; put it into a frontend");
        }
        if words.get(1).is_empty() {
            return self.told.error(words.whole(), "`default_backend` needs a backend's name after it");
        }
        if words.len() > 2 && !words.get(2).is_empty() {
            self.told.error(words.at(2), format!("`default_backend` takes one name; {} is too much", shown(words.get(2))));
        }
        draft.given.default_backend = Some(Setting::new(clean_name(words.get(1)), words.whole()));
    }

    fn target(&mut self, words: &Words<'_>, at: usize) -> Target {
        let written = words.get(at);
        if !written.contains("%[") && !words.variable(at) {
            return Target::Pool { name: clean_name(written) };
        }
        self.format(words, at);
        let (before, rest) = written.split_once("%[").unwrap_or((written, ""));
        let after = rest.rsplit_once(']').map_or("", |(_, after)| after);
        let mut candidates = Vec::new();
        let mut seen = HashSet::default();
        for (path, default) in maps(rest) {
            for value in self.mapped(words, path).into_iter().chain((!default.is_empty()).then(|| default.to_owned())) {
                let name = clean_name(&format!("{before}{value}{after}"));
                if seen.insert(name.clone()) {
                    candidates.push(name);
                }
            }
        }
        if candidates.is_empty() {
            let text = format!("which pool {} picks is known only while running", shown(written));
            self.told.note(words.at(at), text);
        }
        Target::Dynamic { expression: shorten(&printable(written), 1_000), candidates }
    }

    /// The values of a map file: each line is a key and a value.
    fn mapped(&mut self, words: &Words<'_>, path: &str) -> Vec<String> {
        if let Some(known) = self.maps.get(path) {
            return known.clone();
        }
        let file = ["opt@", "file@", "virt@"].iter().find_map(|kind| path.strip_prefix(kind)).unwrap_or(path);
        let from = self.model.files.get(words.origin.file).cloned().unwrap_or_default();
        let mut values = Vec::new();
        match self.files.read(file, &from) {
            Ok(sources) => {
                let room = MAX_MAPPED.saturating_sub(self.maps.values().map(Vec::len).sum());
                let lines = sources.iter().flat_map(|source| source.text.lines()).map(str::trim);
                let mut seen = HashSet::default();
                for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                    let value = line.split_once(char::is_whitespace).map_or("", |(_, value)| value.trim());
                    if values.len() < room && !value.is_empty() && seen.insert(value) {
                        values.push(value.to_owned());
                    }
                }
            }
            Err(why) => {
                self.told.note(words.whole(), format!("the pools that the map {} names are not known: {why}", shown(path)))
            }
        }
        self.maps.insert(path.to_owned(), values.clone());
        values
    }

    pub(super) fn use_server(&mut self, draft: &mut Draft, words: &Words<'_>) {
        if draft.kind == Kind::Frontend {
            return self
                .told
                .error(words.whole(), "a frontend has no servers that `use-server` could pick; put it into the backend");
        }
        if words.get(1).is_empty() || !matches!(words.get(2), "if" | "unless") {
            return self.told.error(words.whole(), "write `use-server NAME if CONDITION`");
        }
        self.condition(&draft.acls, words, 2);
        if !words.get(1).contains("%[") && !words.variable(1) {
            draft.used_servers.push(Setting::new(clean_name(words.get(1)), words.at(1)));
        }
        draft.server_rules.push(Setting::new(words.rest(1), words.whole()));
    }

    fn redirect(&mut self, words: &Words<'_>, from: usize) {
        let target = (from..words.len()).any(|at| matches!(words.get(at), "location" | "prefix" | "scheme"));
        if !target {
            self.told.error(words.whole(), "a redirect needs `location`, `prefix` or `scheme`");
        }
    }

    /// `track-sc0 KEY [table NAME]`: the table is the proxy's own where none is named.
    fn track(&mut self, draft: &Draft, words: &Words<'_>, at: usize) {
        let Some(number) = words.get(at).strip_prefix("track-sc") else { return };
        // As many counters as `tune.stick-counters` says, 3 if it says nothing.
        if number.parse::<u32>().map_or(true, |number| number >= self.facts.counters) {
            self.told.error(
                words.at(at),
                format!("there are {} counters, from `track-sc0` on; `tune.stick-counters` makes more", self.facts.counters),
            );
        }
        if words.get(at + 1).is_empty() {
            return self.told.error(words.whole(), format!("`{}` needs what to track, such as `src`", words.get(at)));
        }
        self.sample(words, at + 1);
        let name = match words.get(at + 2) {
            "table" if words.get(at + 3).is_empty() => {
                return self.told.error(words.whole(), "`table` needs a table's name after it");
            }
            "table" => clean_name(words.get(at + 3)),
            _ => draft.name.clone(),
        };
        if draft.kind != Kind::Defaults {
            self.facts.tables_used.push(Setting::new(name, words.whole()));
        }
    }

    /// `set-var(SCOPE.NAME) EXPRESSION`.
    fn set_var(&mut self, words: &Words<'_>, at: usize) {
        let Some((action, rest)) =
            words.get(at).split_once('(').filter(|(action, _)| matches!(*action, "set-var" | "set-var-fmt" | "unset-var"))
        else {
            return;
        };
        let scope = rest.split('.').next().unwrap_or_default();
        if !["proc", "sess", "txn", "req", "res", "check"].contains(&scope) {
            self.told.error(words.at(at), "a variable's name begins with its scope: proc, sess, txn, req, res or check");
        }
        if action == "unset-var" {
            return;
        }
        if words.get(at + 1).is_empty() {
            self.told.error(words.whole(), format!("`{action}` needs a value after it"));
        } else if action == "set-var" {
            self.sample(words, at + 1);
        } else {
            self.format(words, at + 1);
        }
    }

    /// `http-request`, `tcp-request` and the like: kept for what they do to inheritance, and looked at for their names.
    pub(super) fn rule(&mut self, draft: &mut Draft, words: &Words<'_>) {
        draft.given.rules = true;
        let first = words.get(0);
        if draft.kind == Kind::Defaults && (draft.name.is_empty() || first == "redirect") {
            return self.told.error(
                words.whole(),
                format!("`{first}` cannot stand in a defaults section that has no name; put it into the proxy"),
            );
        }
        if draft.kind == Kind::Frontend && first == "tcp-response" {
            return self.told.error(words.whole(), "`tcp-response` rules are for backends");
        }
        if first == "redirect" {
            self.shape("redirect", words, 0);
            self.redirect(words, 1);
            self.condition(&draft.acls, words, 1);
            return;
        }
        let action = words.get(1);
        if action.is_empty() {
            return self.told.error(words.whole(), format!("`{first}` needs an action after it"));
        }
        match first {
            "tcp-request" | "tcp-response" => match (first, action) {
                ("tcp-request" | "tcp-response", "inspect-delay") => {
                    self.time(words, 2, "inspect-delay", 1_000);
                }
                ("tcp-request", "connection" | "session" | "content") | ("tcp-response", "content") => {
                    let group = format!("{first} {action}");
                    if draft.kind == Kind::Backend && matches!(action, "connection" | "session") {
                        return self.told.error(words.whole(), format!("`{group}` is for frontends"));
                    }
                    if self.knows(&group, words, 2, "action") {
                        self.shape(&group, words, 2);
                        self.track(draft, words, 2);
                        self.condition(&draft.acls, words, 3);
                    }
                }
                _ => self.told.error(
                    words.at(1),
                    format!("`{first}` takes inspect-delay, connection, session or content, not {}", shown(action)),
                ),
            },
            _ => {
                if self.knows(first, words, 1, "action") {
                    self.shape(first, words, 1);
                    if action == "redirect" {
                        self.redirect(words, 2);
                    }
                    self.track(draft, words, 1);
                    self.set_var(words, 1);
                    self.condition(&draft.acls, words, 2);
                }
            }
        }
    }
}

/// Numbers, ranges such as `1:5`, and the words that compare.
fn is_number(text: &str) -> bool {
    ["gt", "ge", "lt", "le", "eq"].contains(&text)
        || text.split([':', '.']).all(|part| part.is_empty() || super::units::whole(part))
}

fn is_network(text: &str) -> bool {
    use std::net::{IpAddr, Ipv4Addr};
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    let Ok(address) = address.parse::<IpAddr>() else {
        // Names are looked up.
        return address.contains(|c: char| c.is_ascii_alphabetic()) && address.contains('.');
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    mask.is_none_or(|mask| mask.parse::<u8>().is_ok_and(|bits| bits <= most) || mask.parse::<Ipv4Addr>().is_ok())
}

/// File and default of each `map(file,default)` in an expression.
fn maps(expression: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("map").take(8) {
        let rest = expression[at + 3..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let whole =
            at == 0 || !expression[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'));
        if let Some(arguments) = rest.strip_prefix('(').filter(|_| whole) {
            let arguments = arguments.split(')').next().unwrap_or_default();
            let (path, default) = arguments.split_once(',').unwrap_or((arguments, ""));
            found.push((path.trim_matches(['"', '\'', ' ']), default.trim_matches(['"', '\'', ' '])));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_found() {
        assert_eq!(maps("req.hdr(host),lower,map(/etc/hosts.map,be_default)]"), [("/etc/hosts.map", "be_default")]);
        assert_eq!(maps("base,map_beg(/m)]"), [("/m", "")]);
        assert_eq!(maps("hdr(map),lower"), []);
    }
}
