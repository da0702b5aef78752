//! HAProxy config text into [`Model`]: listeners, pools, servers, with what `defaults` hands down.
//!
//! Sections and inheritance follow chapters 2 and 4 of HAProxy's configuration manual; both branches of
//! `.if` are kept, because the environment that decides is not ours. Rules and ACLs are not modelled.

use std::collections::{HashMap, HashSet};

use super::{keywords, tokens};
use crate::balancer::model::{Listener, Model, Notice, Pool, Server};
use crate::balancer::{clean_name, printable};
use crate::domain::time::shorten;

/// A file of nothing but mistakes is told about once, not 20,000 times.
pub(super) const MAX_NOTICES: usize = 100;
/// `server-template x 1-4000000000` must not fill the memory.
pub(super) const MAX_FROM_TEMPLATES: usize = 10_000;

/// What a `defaults` section hands down to the proxies that follow it.
#[derive(Clone, Default)]
struct Defaults {
    algorithm: Option<String>,
    cookie: Option<String>,
    default_backend: Option<String>,
    maxconn: Option<u64>,
    server: Server,
}

/// Where the current line belongs.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Before the first section.
    Outside,
    Defaults,
    /// `frontend`, `backend`, `listen`: index of its listener, of its pool, or of both.
    Proxy {
        listener: Option<usize>,
        pool: Option<usize>,
    },
    /// A section that says nothing about routing.
    Other,
}

struct Parser {
    model: Model,
    place: Place,
    named: HashMap<String, Defaults>,
    /// The last `defaults` section, and its name.
    last: Defaults,
    last_name: Option<String>,
    /// What holds in the current proxy: starts as its defaults, `default-server` adds to it.
    current: Defaults,
    has_default_backend: bool,
    sends_to: HashSet<String>,
    from_templates: usize,
    line: usize,
}

/// Whether the text has at least one section of HAProxy's: any other file is none of our business.
pub fn is_config(text: &str) -> bool {
    text.lines().any(|line| line.split_whitespace().next().is_some_and(|first| keywords::SECTIONS.contains(&first)))
}

/// Reads `text` as far as it goes; never fails. Lines may end in CR LF.
pub fn parse(text: &str) -> Model {
    let mut parser = Parser {
        model: Model::default(),
        place: Place::Outside,
        named: HashMap::new(),
        last: Defaults::default(),
        last_name: None,
        current: Defaults::default(),
        has_default_backend: false,
        sends_to: HashSet::new(),
        from_templates: 0,
        line: 0,
    };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        parser.line += 1;
        let indented = |line: &str| line.starts_with([' ', '\t']) && !line.trim().is_empty();
        let opens_block = !indented(line) && lines.peek().is_some_and(|next| indented(next));
        parser.read(line, opens_block);
    }
    parser.leave();
    parser.model
}

impl Parser {
    fn notice(&mut self, text: impl Into<String>) {
        let text = match self.model.notices.len() {
            MAX_NOTICES => return,
            n if n + 1 == MAX_NOTICES => "more lines from here on could not be understood".to_owned(),
            _ => text.into(),
        };
        self.model.notices.push(Notice { line: self.line, text });
    }

    fn read(&mut self, line: &str, opens_block: bool) {
        if line.contains('\0') {
            self.notice("the line holds a NUL byte; HAProxy reads no further than that");
        }
        let split = tokens::split(line);
        if let Some(quote) = split.unclosed {
            let kind = if quote == '"' { "double" } else { "single" };
            self.notice(format!("a {kind} quote is opened and never closed; HAProxy refuses such a line"));
        }
        // Everything that the model keeps is made of these words.
        let words: Vec<String> = split.tokens.iter().map(|t| printable(&t.text)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some(&first) = words.first() else { return };
        // `.if`, `.else`, `.notice`, …
        if first.starts_with('.') {
            return;
        }
        if keywords::SECTIONS.contains(&first) {
            self.leave();
            return self.enter(first, &words[1..]);
        }
        match self.place {
            Place::Outside => {
                let shown = shorten(first, 40);
                self.notice(format!("“{shown}” stands before any section, or is no section that HAProxy knows; skipped"));
                if opens_block {
                    self.place = Place::Other;
                }
            }
            _ if opens_block && words.len() <= 2 && !keywords::DIRECTIVES.contains(&first) => {
                let shown = shorten(first, 40);
                self.notice(format!("“{shown}” is no section that HAProxy knows; skipped up to the next section"));
                self.leave();
                self.place = Place::Other;
            }
            Place::Defaults => self.defaults(&words),
            Place::Proxy { listener, pool } => self.proxy(&words, listener, pool),
            Place::Other => {}
        }
    }

    fn enter(&mut self, section: &str, words: &[&str]) {
        let from = words.iter().position(|w| *w == "from").and_then(|at| words.get(at + 1)).copied();
        let name = words.first().filter(|w| **w != "from").map(|w| clean_name(w));
        let handed_down = match from.map(|from| (from, self.named.get(&clean_name(from)))) {
            Some((_, Some(found))) => found.clone(),
            Some((from, None)) => {
                self.notice(format!("“from {}”: there is no defaults section of this name above", shorten(from, 40)));
                Defaults::default()
            }
            // A later `defaults` starts afresh; a proxy takes the one above it.
            None if section == "defaults" => Defaults::default(),
            None => self.last.clone(),
        };
        self.current = handed_down;
        self.has_default_backend = false;
        self.sends_to.clear();
        let (listens, pools) = match section {
            "defaults" => {
                self.last_name = name;
                self.place = Place::Defaults;
                return;
            }
            "frontend" => (true, false),
            "backend" => (false, true),
            "listen" => (true, true),
            _ => {
                self.place = Place::Other;
                return;
            }
        };
        let Some(name) = name else {
            self.notice(format!("this {section} section has no name; skipped"));
            self.place = Place::Other;
            return;
        };
        let mut place = (None, None);
        if listens {
            let (maxconn, line) = (self.current.maxconn, self.line);
            self.model.listeners.push(Listener { name: name.clone(), maxconn, line, ..Default::default() });
            place.0 = Some(self.model.listeners.len() - 1);
        }
        if pools {
            let persistence = self.current.cookie.iter().cloned().collect();
            let algorithm = self.current.algorithm.clone();
            self.model.pools.push(Pool { name: name.clone(), algorithm, persistence, servers: Vec::new(), line: self.line });
            place.1 = Some(self.model.pools.len() - 1);
        }
        self.place = Place::Proxy { listener: place.0, pool: place.1 };
        if let (Some(listener), true) = (place.0, pools) {
            self.send_to(listener, &name);
        }
    }

    /// Closes the section that ends here.
    fn leave(&mut self) {
        match self.place {
            Place::Defaults => {
                self.last = self.current.clone();
                if let Some(name) = self.last_name.take() {
                    self.named.insert(name, self.last.clone());
                }
            }
            Place::Proxy { listener: Some(listener), .. } if !self.has_default_backend => {
                if let Some(name) = self.current.default_backend.clone() {
                    self.send_to(listener, &name);
                }
            }
            _ => {}
        }
    }

    fn defaults(&mut self, words: &[&str]) {
        match words {
            ["balance", rest @ ..] if !rest.is_empty() => self.current.algorithm = Some(rest.join(" ")),
            ["cookie", ..] => self.current.cookie = Some(words.join(" ")),
            ["default_backend", name, ..] => self.current.default_backend = Some((*name).to_owned()),
            ["maxconn", value, ..] => self.current.maxconn = self.number(value, "maxconn"),
            ["default-server", rest @ ..] => self.default_server(rest),
            _ => {}
        }
    }

    fn proxy(&mut self, words: &[&str], listener: Option<usize>, pool: Option<usize>) {
        match (words, listener, pool) {
            (["bind", addresses, ..], Some(at), _) => {
                self.model.listeners[at].binds.extend(addresses.split(',').filter(|a| !a.is_empty()).map(str::to_owned));
            }
            (["maxconn", value, ..], Some(at), _) => self.model.listeners[at].maxconn = self.number(value, "maxconn"),
            (["use_backend", name, ..], Some(at), _) => self.send_to(at, name),
            (["default_backend", name, ..], Some(at), _) => {
                self.has_default_backend = true;
                self.send_to(at, name);
            }
            (["balance", rest @ ..], _, Some(at)) if !rest.is_empty() => {
                self.model.pools[at].algorithm = Some(rest.join(" "));
            }
            (["cookie", ..], _, Some(at)) => {
                let persistence = &mut self.model.pools[at].persistence;
                // The last `cookie` line wins, also over an inherited one.
                persistence.retain(|p| !p.starts_with("cookie "));
                persistence.push(words.join(" "));
            }
            (["stick", "on" | "match", ..], _, Some(at)) => self.model.pools[at].persistence.push(words.join(" ")),
            (["default-server", rest @ ..], _, Some(_)) => self.default_server(rest),
            (["server", name, address, rest @ ..], _, Some(at)) => {
                let server = self.server(name, address, rest);
                self.model.pools[at].servers.push(server);
            }
            (["server-template", prefix, range, address, rest @ ..], _, Some(at)) => {
                self.template(at, prefix, range, address, rest);
            }
            (["server" | "server-template", ..], _, Some(_)) => self.notice("a server needs a name and an address; skipped"),
            _ => {}
        }
    }

    fn send_to(&mut self, listener: usize, pool: &str) {
        let pool = clean_name(pool);
        if pool.contains("%[") {
            self.notice("use_backend picks the pool by an expression; which pools that can be is not known");
        } else if self.sends_to.insert(pool.clone()) {
            self.model.listeners[listener].pools.push(pool);
        }
    }

    fn default_server(&mut self, parameters: &[&str]) {
        let mut server = std::mem::take(&mut self.current.server);
        self.parameters(&mut server, parameters);
        self.current.server = server;
    }

    fn server(&mut self, name: &str, address: &str, parameters: &[&str]) -> Server {
        let (name, address, line) = (clean_name(name), address.to_owned(), self.line);
        let mut server = Server { name, address, line, ..self.current.server.clone() };
        self.parameters(&mut server, parameters);
        server
    }

    /// `server-template web 1-5 web.example:80 …` is web1 to web5, all at one name that DNS resolves.
    fn template(&mut self, pool: usize, prefix: &str, range: &str, address: &str, parameters: &[&str]) {
        let (low, high) = range.split_once('-').unwrap_or(("1", range));
        let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>()) else {
            return self.notice(format!("“{}” is not a count or a range such as 1-5; skipped", shorten(range, 40)));
        };
        let server = self.server("", address, parameters);
        for number in low..=high {
            if self.from_templates == MAX_FROM_TEMPLATES {
                return self.notice(format!("templates make more than {MAX_FROM_TEMPLATES} servers; the rest is left out"));
            }
            self.from_templates += 1;
            self.model.pools[pool].servers.push(Server { name: clean_name(&format!("{prefix}{number}")), ..server.clone() });
        }
    }

    fn parameters(&mut self, server: &mut Server, words: &[&str]) {
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "weight" => {
                    let value = words.next().unwrap_or_default();
                    match value.parse::<u32>() {
                        Ok(weight) if weight <= 256 => server.weight = Some(weight),
                        // A variable is a value too, only not one that is known here.
                        _ if value.contains('$') => server.weight = None,
                        _ => self.notice(format!("weight “{}” is not a number from 0 to 256", shorten(value, 40))),
                    }
                }
                "maxconn" => server.maxconn = self.number(words.next().unwrap_or_default(), "maxconn"),
                "backup" => server.backup = true,
                "no-backup" => server.backup = false,
                "disabled" => server.disabled = true,
                "enabled" | "no-disabled" => server.disabled = false,
                "check" => server.check = true,
                "no-check" => server.check = false,
                _ if keywords::takes_value(word) => {
                    words.next();
                }
                _ => {}
            }
        }
    }

    fn number(&mut self, value: &str, what: &str) -> Option<u64> {
        let number = value.parse::<u64>().ok();
        if number.is_none() && !value.contains('$') {
            self.notice(format!("{what} “{}” is not a number", shorten(value, 40)));
        }
        number
    }
}
