//! Servers and locations: where connections come in, and which pool they are sent to.

use super::blocks::{self, Match};
use super::buffers;
use super::declared::Declared;
use super::levels::Levels;
use super::listen;
use super::load::Config;
use super::parts;
use super::passes;
use super::tree::{Body, Directive};
use super::upstream;
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{AdminSurface, Bind, Check, Gravity, Listener, Mode, Model, Own, Route, Target};

/// Directives that answer a request without a pool.
const ANSWERS: [&str; 14] = [
    "return",
    "try_files",
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
    /// Pools that have their timeouts from a route.
    pub(super) used: HashSet<usize>,
    /// Checks that locations ask for, by the pool's name.
    pub checks: HashMap<String, Check>,
    /// What the last pass says other than its pools.
    pub(super) own: Own,
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
            pools: HashMap::default(),
            used: HashSet::default(),
            checks: HashMap::default(),
            own: Own::default(),
            listeners: HashMap::default(),
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
                        let address = upstream::with_port(listen.address, port);
                        let place = self.config.at(directive);
                        listener.binds.push(Bind {
                            address,
                            tls: listen.tls,
                            default_server: listen.default_server,
                            proxy_protocol: listen.proxy_protocol,
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
        if listener.binds.is_empty() && mode == Mode::Http && !parts::is_put(server) {
            listener.binds.push(Bind { address: "*:80".to_owned(), place: self.config.at(server), ..Bind::default() });
        }
        if self.levels.one("ssl").is_some_and(|ssl| ssl.argument(0) == Some("on")) {
            listener.binds.iter_mut().for_each(|bind| bind.tls = true);
        }
        if !parts::is_put(server) {
            self.certificate(server, &listener);
        }
        if mode == Mode::Http {
            buffers::check(self.config, &self.levels, server, true);
        }
        let near = |bind: &Bind| ["127.", "[::1]", "unix:", "localhost"].iter().any(|start| bind.address.starts_with(start));
        self.local = !listener.binds.is_empty() && listener.binds.iter().all(near);
        listener.timeouts = self.levels.client(self.config);
        let part = parts::is_put(server).then(|| self.config.file_name(server.file));
        listener.name = self.listener_name(&listener, part);
        let routes = if mode == Mode::Other { Vec::new() } else { self.server_routes(server) };
        let name = listener.name.clone();
        self.model.listeners.push(listener);
        self.model.routes.extend(routes.into_iter().map(|route| Route { listener: name.clone(), ..route }));
        self.levels.leave();
    }

    /// `first host on first address`, or the name of the file that is read as part of one; with a number where that is
    /// taken.
    fn listener_name(&mut self, listener: &Listener, part: Option<String>) -> String {
        let address = listener.binds.first().map(|bind| bind.address.clone()).or(part).unwrap_or_else(|| "nowhere".to_owned());
        let host = listener.hosts.iter().find(|host| !host.is_empty() && *host != "_");
        let name = host.map_or_else(|| address.clone(), |host| format!("{host} on {address}"));
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
        if let Some(certificate) = self.levels.one("ssl_certificate").filter(|_| self.levels.one("ssl_certificate_key").is_none())
        {
            self.config.error(certificate, "a certificate without its key: add ssl_certificate_key FILE;");
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
                "rewrite" if !self.stream => {
                    let pattern = directive.argument(0).unwrap_or_default();
                    routes.push(self.route(directive, Some(format!("rewrite {pattern}")), other(directive)));
                }
                "proxy_pass" if self.stream => {
                    let target = self.target(directive);
                    if let Some(check) = server.block().iter().find(|directive| directive.is("health_check")) {
                        self.health_check(check, &target);
                    }
                    routes.push(self.route(directive, None, target));
                }
                "pass" if self.stream => routes.push(self.route(directive, None, other(directive))),
                _ => {}
            }
        }
        routes.extend(self.locations(server.block()));
        let rest = routes.iter().any(|route| route.condition.is_none());
        if !rest && !self.stream && !parts::is_put(server) {
            let files = self.levels.one("root").map_or_else(|| "files".to_owned(), said);
            routes.push(self.route(server, None, Target::Other { said: files }));
        }
        routes
    }

    fn route(&mut self, directive: &Directive, condition: Option<String>, target: Target) -> Route {
        let own = Some(Box::new(std::mem::take(&mut self.own))).filter(|own| **own != Own::default());
        let definitions = match &target {
            Target::Dynamic { expression, .. } => self.declared.tables(expression),
            _ => Vec::new(),
        };
        Route { condition, definitions, target, own, place: self.config.at(directive), ..Route::default() }
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
        let target = self
            .answer(location)
            .unwrap_or_else(|| Target::Other { said: self.levels.one("root").map_or_else(|| "files".to_owned(), said) });
        routes.push(self.route(location, condition, target));
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
            .or_else(|| find(&|name| name == "rewrite"))
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
}

/// A directive and its arguments, as people write them.
pub fn said(directive: &Directive) -> String {
    let words = std::iter::once(&directive.name).chain(&directive.arguments).map(|word| word.text.as_str());
    words.collect::<Vec<_>>().join(" ")
}

pub fn other(directive: &Directive) -> Target {
    let code = if matches!(directive.body, Body::Code(_)) { " { … }" } else { "" };
    Target::Other { said: format!("{}{code}", said(directive)) }
}
