//! Servers and locations: where connections come in, and which pool they are sent to.

use std::collections::HashMap;

use super::blocks::{self, Match};
use super::buffers;
use super::declared::Declared;
use super::levels::Levels;
use super::listen;
use super::load::Config;
use super::passes;
use super::tree::{Body, Directive};
use super::upstream;
use super::values;
use crate::balancer::model::{
    AdminSurface, Algorithm, Bind, Check, CheckKind, Family, Gravity, Listener, Mode, Model, Pool, Resolution, Retry, Route,
    Server, Target, Timeouts,
};

/// Directives that answer a request without a pool.
const ANSWERS: [&str; 13] = [
    "return",
    "stub_status",
    "api",
    "status",
    "upstream_conf",
    "vhost_traffic_status_display",
    "check_status",
    "empty_gif",
    "js_content",
    "perl",
    "echo",
    "alias",
    "root",
];

/// Those of them that show or change how the balancer does, with people's name for each.
const SURFACES: [(&str, &str); 7] = [
    ("stub_status", "status page"),
    ("api", "admin API"),
    ("status", "status page"),
    ("upstream_conf", "admin API"),
    ("vhost_traffic_status_display", "status page"),
    ("check_status", "status page"),
    ("dyups_interface", "admin API"),
];

pub struct Walker<'a> {
    pub config: &'a mut Config,
    pub declared: &'a Declared,
    pub model: &'a mut Model,
    pub version: Option<(u32, u32, u32)>,
    pub levels: Levels<'a>,
    pub stream: bool,
    /// Pools by name in small letters.
    pub pools: HashMap<String, usize>,
    /// Number of pools that have their timeouts from a route.
    used: HashMap<usize, usize>,
    listeners: HashMap<String, usize>,
    /// Whether the server that is read can be reached from this machine only.
    local: bool,
}

impl<'a> Walker<'a> {
    pub fn new(config: &'a mut Config, declared: &'a Declared, model: &'a mut Model, version: Option<(u32, u32, u32)>) -> Self {
        Self {
            config,
            declared,
            model,
            version,
            levels: Levels::default(),
            stream: false,
            pools: HashMap::new(),
            used: HashMap::new(),
            listeners: HashMap::new(),
            local: false,
        }
    }

    /// Reads one `server` block.
    pub fn server(&mut self, server: &'a Directive, mode: Mode) {
        self.levels.enter(server.block());
        let mut listener = Listener { mode, place: self.config.at(server), ..Listener::default() };
        for directive in server.block() {
            match directive.name.text.as_str() {
                "listen" => match listen::parse(directive, self.stream) {
                    Ok(listen) => {
                        if listen.udp && self.stream {
                            listener.mode = Mode::Udp;
                        }
                        let port = (!self.stream && mode == Mode::Http).then_some(80);
                        let address = upstream::with_port(&listen.address, port);
                        let place = self.config.at(directive);
                        listener.binds.push(Bind {
                            address,
                            tls: listen.tls,
                            default_server: listen.default_server,
                            place,
                            ..Bind::default()
                        });
                    }
                    Err(_) => {
                        let address = directive.argument(0).unwrap_or_default().to_owned();
                        listener.binds.push(Bind { address, place: self.config.at(directive), ..Bind::default() });
                    }
                },
                "server_name" => listener.hosts.extend(directive.arguments.iter().map(|word| word.text.clone())),
                _ => {}
            }
        }
        if listener.binds.is_empty() && mode == Mode::Http {
            listener.binds.push(Bind { address: "*:80".to_owned(), place: self.config.at(server), ..Bind::default() });
        }
        if self.levels.one("ssl").is_some_and(|ssl| ssl.argument(0) == Some("on")) {
            listener.binds.iter_mut().for_each(|bind| bind.tls = true);
        }
        self.certificate(server, &listener);
        if mode == Mode::Http {
            buffers::check(self.config, &self.levels, server, true);
        }
        let near = |bind: &Bind| ["127.", "[::1]", "unix:", "localhost"].iter().any(|start| bind.address.starts_with(start));
        self.local = !listener.binds.is_empty() && listener.binds.iter().all(near);
        listener.timeouts = self.levels.client(self.config);
        listener.name = self.listener_name(&listener);
        let routes = if mode == Mode::Other { Vec::new() } else { self.server_routes(server) };
        let name = listener.name.clone();
        self.model.listeners.push(listener);
        self.model.routes.extend(routes.into_iter().map(|route| Route { listener: name.clone(), ..route }));
        self.levels.leave();
    }

    /// `first host on first address`, with a number where that is taken.
    fn listener_name(&mut self, listener: &Listener) -> String {
        let address = listener.binds.first().map_or("nowhere", |bind| bind.address.as_str());
        let host = listener.hosts.iter().find(|host| !host.is_empty() && *host != "_");
        let name = host.map_or_else(|| address.to_owned(), |host| format!("{host} on {address}"));
        let count = self.listeners.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}#{count}") }
    }

    fn certificate(&mut self, server: &Directive, listener: &Listener) {
        let has = self.levels.one("ssl_certificate").is_some() || self.levels.is_on("ssl_reject_handshake") == Some(true);
        if !has
            && self.config.complete
            && let Some(bind) = listener.binds.iter().find(|bind| bind.tls)
        {
            let text = "listen with ssl, but no ssl_certificate in this server or around it: add ssl_certificate and ssl_certificate_key";
            self.config.tell(Gravity::Error, bind.place.clone(), text);
        }
        if self.stream && listener.mode != Mode::Other {
            if listener.binds.is_empty() {
                self.config.error(server, "this server listens nowhere: add listen ADDRESS:PORT;");
            }
            let handles = |directive: &Directive| {
                matches!(directive.name.text.as_str(), "proxy_pass" | "return" | "pass" | "js_preread")
                    || super::catalogue::is_foreign(&directive.name.text)
            };
            if !server.block().iter().any(handles) && self.config.complete {
                self.config.error(server, "this server does nothing with its connections: add proxy_pass");
            }
        }
    }

    fn server_routes(&mut self, server: &'a Directive) -> Vec<Route> {
        let mut routes = Vec::new();
        for directive in server.block() {
            match directive.name.text.as_str() {
                "if" if !self.stream => routes.extend(self.inner(directive, said(directive))),
                "return" => routes.push(self.route(directive, None, other(directive))),
                "proxy_pass" if self.stream => {
                    let target = self.target(directive);
                    routes.push(self.route(directive, None, target));
                }
                "pass" if self.stream => routes.push(self.route(directive, None, other(directive))),
                _ => {}
            }
        }
        routes.extend(self.locations(server.block()));
        let rest = routes.iter().any(|route| route.condition.is_none());
        if !rest && !self.stream {
            let files = self.levels.one("root").map_or_else(|| "files".to_owned(), said);
            routes.push(self.route(server, None, Target::Other { said: files }));
        }
        routes
    }

    fn route(&self, directive: &Directive, condition: Option<String>, target: Target) -> Route {
        Route { listener: String::new(), condition, target, place: self.config.at(directive), ..Route::default() }
    }

    /// Routes of the locations of one block, in the order in which nginx tries them.
    fn locations(&mut self, directives: &'a [Directive]) -> Vec<Route> {
        let mut found: Vec<(Match, usize, Vec<Route>)> = Vec::new();
        for (index, directive) in directives.iter().enumerate().filter(|(_, directive)| directive.is("location")) {
            let (how, path) = blocks::location(directive).unwrap_or((Match::Prefix, ""));
            let order = if matches!(how, Match::Firm | Match::Prefix) { usize::MAX - path.len() } else { index };
            let condition = if how == Match::Prefix && path == "/" { None } else { Some(said(directive)) };
            let routes = self.location(directive, condition);
            found.push((how, order, routes));
        }
        found.sort_by_key(|(how, order, _)| (*how, *order));
        found.into_iter().flat_map(|(_, _, routes)| routes).collect()
    }

    fn location(&mut self, location: &'a Directive, condition: Option<String>) -> Vec<Route> {
        self.levels.enter(location.block());
        buffers::check(self.config, &self.levels, location, false);
        let mut routes = Vec::new();
        for directive in location.block().iter().filter(|directive| directive.is("if") || directive.is("limit_except")) {
            routes.extend(self.inner(directive, format!("{} {}", said(location), said(directive))));
        }
        routes.extend(self.locations(location.block()));
        let place = self.config.at(location);
        let target = self
            .answer(location)
            .unwrap_or_else(|| Target::Other { said: self.levels.one("root").map_or_else(|| "files".to_owned(), said) });
        routes.push(Route { condition, target, place, ..Route::default() });
        self.surfaces(location);
        self.levels.leave();
        routes
    }

    /// The route of an `if` or a `limit_except`, where it sends requests somewhere.
    fn inner(&mut self, directive: &'a Directive, condition: String) -> Option<Route> {
        self.levels.enter(directive.block());
        let target = self.answer(directive);
        self.levels.leave();
        target.map(|target| self.route(directive, Some(condition), target))
    }

    /// What a block does with a request, as far as one of its own directives says.
    fn answer(&mut self, block: &'a Directive) -> Option<Target> {
        let find = |wanted: &dyn Fn(&str) -> bool| block.block().iter().find(|directive| wanted(&directive.name.text));
        if let Some(directive) = find(&|name| name == "return") {
            return Some(other(directive));
        }
        if let Some(pass) = find(&|name| passes::PASSES.contains(&name)) {
            let target = self.target(pass);
            if let Some(check) = block.block().iter().find(|directive| directive.is("health_check")) {
                self.health_check(check, &target);
            }
            return Some(target);
        }
        let moved =
            |directive: &&Directive| directive.is("rewrite") && matches!(directive.argument(2), Some("redirect" | "permanent"));
        block
            .block()
            .iter()
            .find(moved)
            .or_else(|| find(&|name| ANSWERS.contains(&name) || name.starts_with("content_by_lua")))
            .map(other)
    }

    fn surfaces(&mut self, location: &'a Directive) {
        for directive in location.block() {
            let Some((name, what)) = SURFACES.iter().find(|(name, _)| directive.is(name)) else { continue };
            let writes = match *name {
                "api" => directive.argument(0) == Some("write=on"),
                name => name == "upstream_conf" || name == "dyups_interface",
            };
            let surface = AdminSurface {
                what: (*what).to_owned(),
                address: location.arguments.last().map(|word| word.text.clone()).unwrap_or_default(),
                guarded: self.local || self.levels.guarded(),
                writes,
                place: self.config.at(directive),
            };
            self.model.process.admin.push(surface);
        }
    }

    /// Where a pass sends to; makes pools of addresses that are written in place.
    fn target(&mut self, pass: &'a Directive) -> Target {
        let name = pass.name.text.as_str();
        let text = pass.argument(0).unwrap_or_default();
        self.trust(pass, text);
        let scheme_end = text.find("://").map_or(0, |at| at + 3);
        let host = text[scheme_end..].split('/').next().unwrap_or_default();
        if !host.contains('$') {
            // Variables may follow in the path.
            let constant = if text.contains('$') { &text[..scheme_end + host.len()] } else { text };
            let Ok(url) = passes::read(name, constant, self.stream) else { return other(pass) };
            let index = self.pool(pass, &url, false);
            return Target::Pool { name: self.model.pools[index].name.clone() };
        }
        let mut candidates = Vec::new();
        for value in self.declared.expand(&text[..scheme_end + host.len()]).unwrap_or_default() {
            // The part before the variable may lack what the variable brings.
            let Ok(url) = passes::read(name, &value, self.stream) else { continue };
            let index = self.pool(pass, &url, true);
            let name = &self.model.pools[index].name;
            if !candidates.contains(name) {
                candidates.push(name.clone());
            }
        }
        Target::Dynamic { expression: text.to_owned(), candidates }
    }

    /// Refuses certificates that are to be verified by nothing.
    fn trust(&mut self, pass: &Directive, text: &str) {
        let protocol = pass.name.text.trim_end_matches("_pass");
        let tls = text.contains('$') || passes::scheme(&pass.name.text, text, self.stream).is_ok_and(|(tls, _)| tls);
        let tls = if self.stream { self.levels.is_on("proxy_ssl") == Some(true) } else { tls };
        let verify = self.levels.is_on(&format!("{protocol}_ssl_verify")) == Some(true);
        if tls && verify && self.config.complete && self.levels.one(&format!("{protocol}_ssl_trusted_certificate")).is_none() {
            let text = format!(
                "{protocol}_ssl_verify is on, but nothing says whom to trust: add {protocol}_ssl_trusted_certificate FILE;"
            );
            self.config.error(pass, text);
        }
    }

    /// The pool that an address names, made if it is none of the upstreams; with the limits that hold here.
    fn pool(&mut self, pass: &Directive, url: &passes::Url, dynamic: bool) -> usize {
        let key = self.key(&url.address.host);
        let index = self.pools.get(&key).copied().unwrap_or_else(|| {
            let said = if url.address.host.starts_with("unix:") { url.address.host.clone() } else { url.address.said() };
            let key = self.key(&said);
            let made = self.pools.get(&key).copied();
            made.unwrap_or_else(|| {
                let pool = self.implicit(pass, url, said, dynamic);
                self.model.pools.push(pool);
                self.pools.insert(key, self.model.pools.len() - 1);
                self.model.pools.len() - 1
            })
        });
        self.hold(pass, index, url.tls);
        index
    }

    /// Pools of `http` and of `stream` are apart.
    pub fn key(&self, name: &str) -> String {
        format!("{}{}", if self.stream { "stream " } else { "" }, name.to_ascii_lowercase())
    }

    fn implicit(&self, pass: &Directive, url: &passes::Url, name: String, dynamic: bool) -> Pool {
        let port = if url.tls { 443 } else { 80 };
        let place = self.config.at(pass);
        let resolution = match (url.address.literal, dynamic) {
            (true, _) => Resolution::Literal,
            (false, true) => Resolution::Followed,
            (false, false) => Resolution::AtStart,
        };
        let address = upstream::with_port(&url.address, pass.is("proxy_pass").then_some(port).filter(|_| !self.stream));
        let server = Server { name: name.clone(), address, resolution, place: place.clone(), ..Server::default() };
        Pool {
            name,
            mode: if self.stream { Mode::Tcp } else { Mode::Http },
            algorithm: Algorithm { family: Family::RoundRobin, ..Algorithm::default() },
            all_backups: true,
            servers: vec![server],
            place,
            ..Pool::default()
        }
    }

    /// Lays timeouts, retries and TLS of this place into the pool; a second place that says otherwise is told.
    fn hold(&mut self, pass: &Directive, index: usize, tls: bool) {
        let protocol = pass.name.text.trim_end_matches("_pass");
        let timeouts = self.levels.server(self.config, protocol, self.stream);
        let retry = self.levels.retry(self.config, protocol);
        let verified = self.levels.is_on(&format!("{protocol}_ssl_verify"));
        let tls = tls || (self.stream && self.levels.is_on("proxy_ssl") == Some(true));
        let again = self.used.contains_key(&index);
        *self.used.entry(index).or_default() += 1;
        let inert = self.inert_keepalive(protocol);
        let pool = &mut self.model.pools[index];
        let kept = Timeouts { keepalive: None, queue: None, ..pool.timeouts.clone() };
        if again && (kept != timeouts || !same(&pool.retry, &retry)) {
            let text = format!(
                "other timeouts or retries hold here than at the first place that uses {}: the model tells those of the first",
                pool.name
            );
            self.config.note(pass, text);
        } else {
            pool.timeouts = Timeouts { keepalive: pool.timeouts.keepalive.take(), queue: pool.timeouts.queue.take(), ..timeouts };
            pool.retry = retry;
        }
        if tls {
            for server in &mut pool.servers {
                server.tls = true;
                server.tls_verified = verified;
            }
        }
        pool.limits.keepalive_inert |= inert.is_some() && self.version.is_some();
        if let (Some(why), Some(keepalive)) = (inert, &pool.limits.keepalive) {
            let newer = self.version.is_some();
            let gravity = if newer { Gravity::Warning } else { Gravity::Note };
            let before = if newer { "" } else { "before nginx 1.29.7 " };
            let text =
                format!("{before}keepalive of {} does nothing where {} stands: {why}", pool.name, place_said(self.config, pass));
            self.config.tell(gravity, keepalive.place.clone(), text);
        }
    }

    /// What idle connections lack here to be used again; none for nothing, and from 1.29.7 on.
    fn inert_keepalive(&self, protocol: &str) -> Option<&'static str> {
        if self.stream || self.version.is_some_and(|version| version >= (1, 29, 7)) {
            return None;
        }
        match protocol {
            "proxy" => {
                let headers = self.levels.all("proxy_set_header");
                let connection =
                    headers.iter().find(|header| header.argument(0).is_some_and(|name| name.eq_ignore_ascii_case("connection")));
                let cleared = connection
                    .is_some_and(|header| header.argument(1).is_some_and(|value| value.is_empty() || value.contains('$')));
                let version = self.levels.one("proxy_http_version").is_some_and(|directive| directive.argument(0) == Some("1.1"));
                (!cleared || !version).then_some("it needs proxy_http_version 1.1; and proxy_set_header Connection \"\";")
            }
            "fastcgi" => (self.levels.is_on("fastcgi_keep_conn") != Some(true)).then_some("it needs fastcgi_keep_conn on;"),
            _ => None,
        }
    }

    /// nginx Plus: `health_check` of a location, for the pool that it passes to.
    fn health_check(&mut self, directive: &Directive, target: &Target) {
        let given = |name: &str| {
            directive
                .arguments
                .iter()
                .find_map(|word| word.text.split_once('=').filter(|(known, _)| *known == name))
                .map(|(_, value)| value)
        };
        let time = |name: &str| given(name).and_then(values::seconds).map(|seconds| seconds.saturating_mul(1000));
        let kind = match given("type") {
            Some("grpc") => CheckKind::Grpc,
            _ if self.stream => CheckKind::Tcp,
            _ => CheckKind::Http,
        };
        let check = Check {
            kind,
            request: given("uri").map(str::to_owned),
            expects: given("match").map(str::to_owned),
            interval_ms: time("interval"),
            timeout_ms: None,
            fall: given("fails").and_then(values::number),
            rise: given("passes").and_then(values::number),
            place: self.config.at(directive),
        };
        for name in target.pools() {
            if let Some(pool) = self.model.pools.iter_mut().find(|pool| pool.name == name) {
                pool.check = Some(check.clone());
                pool.servers.iter_mut().for_each(|server| server.check = Some(check.clone()));
            }
        }
    }
}

/// A directive and its arguments, as people write them.
fn said(directive: &Directive) -> String {
    let words = std::iter::once(&directive.name).chain(&directive.arguments).map(|word| word.text.as_str());
    words.collect::<Vec<_>>().join(" ")
}

fn other(directive: &Directive) -> Target {
    let code = if matches!(directive.body, Body::Code(_)) { " { … }" } else { "" };
    Target::Other { said: format!("{}{code}", said(directive)) }
}

fn same(a: &Retry, b: &Retry) -> bool {
    a == b
}

fn place_said(config: &Config, directive: &Directive) -> String {
    format!("{} of line {}", directive.name.text, config.at(directive).line)
}
