//! Routes of a server, followed through subroutes to where requests end.

use super::super::clean_name;
use super::super::data::{Fields, Node, POOLS_MAX, Reader, compact};
use super::super::model::{Model, Route, Target};
use super::proxy;
use crate::balancer::maps::HashMap;
use crate::domain::time::shorten;

/// Longest condition, in characters.
pub const SAID_MAX: usize = 600;
/// Deepest nesting of subroutes and named routes.
const DEPTH_MAX: usize = 40;
/// Most handlers of one server, which named routes could multiply.
const HANDLERS_MAX: usize = 100_000;

/// Handlers that change a request or an answer and pass it on.
const PASSING: [&str; 17] = [
    "authentication",
    "copy_response",
    "copy_response_headers",
    "encode",
    "headers",
    "intercept",
    "log_append",
    "map",
    "push",
    "request_body",
    "rewrite",
    "templates",
    "tracing",
    "vars",
    "rate_limit",
    "cache",
    "metrics_append",
];
/// Handlers that answer themselves.
const ANSWERING: [&str; 6] = ["acme_server", "error", "file_server", "metrics", "static_response", "php"];

pub struct Walk<'r, 'm> {
    reader: &'r Reader,
    model: &'m mut Model,
    server: &'r str,
    /// Named routes.
    named: HashMap<&'r str, &'r Node<'r>>,
    /// Handlers that were looked at.
    seen: usize,
    /// How many pools have a name already.
    names: HashMap<String, usize>,
}

impl<'r, 'm> Walk<'r, 'm> {
    pub fn new(reader: &'r Reader, model: &'m mut Model, server: &'r str, named: Option<&'r Node<'r>>) -> Self {
        // The first of each name.
        let named = named.map(Node::entries).unwrap_or_default().iter().rev();
        let named = named.map(|entry| (entry.key.as_ref(), &entry.node)).collect();
        Self { reader, model, server, named, seen: 0, names: HashMap::default() }
    }

    /// Takes a list of routes; `conditions` hold for all of them.
    pub fn routes(&mut self, routes: &[Node<'_>], conditions: &[String], depth: usize) {
        for route in routes {
            if self.seen > HANDLERS_MAX {
                return;
            }
            let fields = Fields::new(self.reader, route, "route");
            fields.skip(&["group", "terminal", "@id"]);
            let mut all = conditions.to_vec();
            all.extend(fields.get("match").and_then(condition));
            for handler in fields.list("handle").iter().take(HANDLERS_MAX.saturating_sub(self.seen) + 1) {
                self.handler(handler, &all, depth);
            }
            fields.done();
        }
    }

    fn handler(&mut self, node: &Node<'_>, conditions: &[String], depth: usize) {
        let kind = node.get("handler").and_then(Node::text).map(clean_name).unwrap_or_default();
        self.seen += 1;
        if self.seen > HANDLERS_MAX || depth > DEPTH_MAX {
            if self.seen <= HANDLERS_MAX + 1 {
                let told = format!(
                    "more than {HANDLERS_MAX} handlers, or nested deeper than {DEPTH_MAX} levels: the rest is not looked at"
                );
                self.reader.note(node, told);
            }
            return;
        }
        match kind.as_str() {
            "subroute" => {
                let fields = Fields::new(self.reader, node, "subroute");
                fields.skip(&["handler", "errors"]);
                self.routes(fields.list("routes"), conditions, depth + 1);
                fields.done();
            }
            "invoke" => {
                let name = node.get("name").and_then(Node::text).unwrap_or_default();
                match self.named.get(name).copied() {
                    Some(route) => self.routes(std::slice::from_ref(route), conditions, depth + 1),
                    None => self.reader.error(node, format!("named route {} is not there", clean_name(name))),
                }
            }
            "reverse_proxy" if self.model.pools.len() >= POOLS_MAX => {
                self.reader.note(node, format!("more than {POOLS_MAX} proxies: this one is not looked at"));
            }
            "reverse_proxy" => {
                let name = self.name(conditions);
                let pool = proxy::pool(self.reader, node, name.clone());
                self.model.pools.push(pool);
                self.add(node, conditions, Target::Pool { name });
            }
            _ if ANSWERING.contains(&kind.as_str()) => {
                let status = node.get("status_code").map(|status| format!(" {}", compact(status))).unwrap_or_default();
                self.add(node, conditions, Target::Other { said: format!("{kind}{status}") });
            }
            _ if PASSING.contains(&kind.as_str()) => {}
            _ => self.reader.note(node, format!("handler {kind} is not looked at")),
        }
    }

    /// What a pool is called: its server and when it is used.
    fn name(&mut self, conditions: &[String]) -> String {
        let name = match conditions {
            [] => self.server.to_owned(),
            conditions => clean_name(&format!("{}: {}", self.server, shorten(&conditions.join("; "), 200))),
        };
        let times = self.names.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 { format!("{name} #{times}") } else { name }
    }

    fn add(&mut self, node: &Node<'_>, conditions: &[String], target: Target) {
        let condition = (!conditions.is_empty()).then(|| shorten(&conditions.join("; "), SAID_MAX));
        let place = self.reader.place(node);
        self.model.routes.push(Route { listener: self.server.to_owned(), condition, target, place, ..Route::default() });
    }
}

/// Sets of matchers in words: `path /api*`; within a set all have to hold, of the sets one.
pub fn condition(node: &Node<'_>) -> Option<String> {
    let words = |value: &Node<'_>| match value.items() {
        [] => compact(value),
        items => items.iter().map(compact).collect::<Vec<_>>().join(", "),
    };
    let set = |set: &Node<'_>| {
        let said: Vec<_> =
            set.entries().iter().map(|entry| format!("{} {}", clean_name(&entry.key), words(&entry.node))).collect();
        said.join(" and ")
    };
    let said: Vec<_> = node.items().iter().map(set).filter(|set| !set.is_empty()).collect();
    // An empty set takes everything, and with it so do all.
    (said.len() == node.items().len() && !said.is_empty()).then(|| shorten(&said.join(" or "), SAID_MAX))
}

/// Whether a route asks for a host.
pub fn names_host(route: &Node<'_>) -> bool {
    route
        .get("match")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .any(|set| set.get("host").is_some_and(|host| !host.items().is_empty()))
}
