//! Envoy: bootstrap files, files of resources that it watches, and what `/config_dump` answers.
//!
//! Reads what decides where traffic goes and names the rest. What Envoy gets from a control plane while it runs is
//! there only in a dump; a file without it is told as such, never filled in. Sources: the API reference of Envoy v3
//! (`envoy.config.{bootstrap,cluster,listener,route,endpoint}.v3`, `envoy.admin.v3`).

mod algorithm;
mod cluster;
mod endpoint;
mod link;
mod listener;
mod matcher;
mod route;
mod scopes;
mod state;

use std::collections::{BTreeMap, VecDeque};

pub use state::state;

use super::clean_name;
use super::data::{self, Fields, Node, ProblemKind, Reader, proto_duration_ms};
use super::model::{AdminSurface, Gravity, Listener, Model, Notice, Process, Server, Setting};
use super::source::{Files, Place, Source};
use crate::domain::balancer::BalancerKind;

/// `max_connections` of a cluster whose circuit breakers do not say it (`envoy.config.cluster.v3.CircuitBreakers`).
pub const DEFAULT_MAX_CONNECTIONS: u64 = 1024;
/// `max_pending_requests`, likewise.
pub const DEFAULT_MAX_PENDING_REQUESTS: u64 = 1024;
/// `max_requests`, likewise.
pub const DEFAULT_MAX_REQUESTS: u64 = 1024;
/// `max_retries`, likewise.
pub const DEFAULT_MAX_RETRIES: u64 = 3;
/// `healthy_panic_threshold` of a cluster that does not say it, in percent.
pub const DEFAULT_PANIC_PERCENT: u64 = 50;
/// `connect_timeout` of a cluster that does not say it, in milliseconds.
pub const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 5_000;
/// `timeout` of a route that does not say it, in milliseconds.
pub const DEFAULT_ROUTE_TIMEOUT_MS: u64 = 15_000;

/// Most files that one config may name.
const FILES_MAX: usize = 200;

/// What was read so far, before names are looked up.
#[derive(Default)]
struct Parts {
    clusters: Vec<cluster::Cluster>,
    listeners: Vec<listener::Chains>,
    routes: BTreeMap<String, route::Routes>,
    /// Servers by the name under which a cluster asks for them.
    endpoints: BTreeMap<String, Vec<Server>>,
    /// Scopes that come from elsewhere than their listener.
    scopes: Vec<scopes::Scope>,
    process: Process,
    version: Option<String>,
    /// Files that Envoy watches, and where they are named.
    watched: Vec<Setting<String>>,
    /// Whether clusters come from elsewhere too, so that an unknown name may be known there.
    more_clusters: bool,
    notices: Vec<Notice>,
}

/// Reads configs; several sources are read as one. `files` answers for files that Envoy watches.
pub fn parse(sources: &[Source], files: &mut dyn Files, version: Option<&str>) -> Model {
    let mut parts = Parts::default();
    let mut names = Vec::new();
    let mut waiting: VecDeque<Source> = sources.iter().cloned().collect();
    while let Some(source) = waiting.pop_front() {
        parts.read(names.len(), &source);
        names.push(source.name.clone());
        for wanted in std::mem::take(&mut parts.watched) {
            let known = names.contains(&wanted.value) || waiting.iter().any(|source| source.name == wanted.value);
            if known || names.len() + waiting.len() >= FILES_MAX {
                continue;
            }
            match files.read(&wanted.value, &source.name) {
                Ok(found) => waiting.extend(found.into_iter().filter(|file| !names.contains(&file.name))),
                Err(why) => {
                    let text = format!("{} is watched by Envoy and was not read: {why}", clean_name(&wanted.value));
                    parts.notices.push(Notice { gravity: Gravity::Note, text, place: wanted.place });
                }
            }
        }
    }
    let mut model = Model { kind: BalancerKind::Envoy, files: names, ..Model::default() };
    model.version = version.map(str::to_owned).or(parts.version.take());
    link::link(parts, &mut model);
    model
}

/// Whether a text is a config of Envoy or a dump of one.
pub fn is_config(text: &str) -> bool {
    let tree = data::parse(data::syntax_of("", text), text);
    tree.documents.first().is_some_and(|root| {
        root.get("static_resources").is_some()
            || root.get("dynamic_resources").is_some()
            || listed(root, "configs").chain(listed(root, "resources")).any(|item| kind_of(item).contains("envoy."))
            || (root.get("admin").is_some_and(|admin| admin.get("address").is_some_and(|at| !at.entries().is_empty())))
    })
}

fn listed<'n, 'a>(node: &'n Node<'a>, name: &str) -> impl Iterator<Item = &'n Node<'a>> {
    node.get(name).map(Node::items).unwrap_or_default().iter()
}

/// The type of a value of `google.protobuf.Any`, without the address before it; empty where it has none.
fn kind_of<'n>(node: &'n Node<'_>) -> &'n str {
    let kind = node.entries().iter().find(|entry| entry.key == "@type").and_then(|entry| entry.node.text());
    kind.map_or("", |kind| kind.rsplit('/').next().unwrap_or(kind))
}

/// The last word of [`kind_of`]: `RingHash`.
fn short_kind<'n>(node: &'n Node<'_>) -> &'n str {
    kind_of(node).rsplit('.').next().unwrap_or_default()
}

/// A duration in milliseconds.
fn duration(fields: &Fields<'_, '_>, name: &str) -> Option<Setting<u64>> {
    fields.duration(name, "5s", |node| node.text().and_then(proto_duration_ms))
}

/// A word of an enumeration; Envoy takes either case, and the number of the word in `words`.
fn word(fields: &Fields<'_, '_>, name: &str, words: &[&str]) -> Option<Setting<String>> {
    let node = fields.get(name)?;
    let said = clean_name(fields.text(name)?);
    let found = match node.u64() {
        Some(number) => usize::try_from(number).ok().and_then(|number| words.get(number)).filter(|word| !word.is_empty()),
        None => words.iter().find(|word| word.eq_ignore_ascii_case(&said)),
    };
    if let Some(word) = found {
        return Some(fields.reader().setting((*word).to_owned(), node));
    }
    let known: Vec<_> = words.iter().filter(|word| !word.is_empty()).copied().collect();
    fields.reader().error(node, format!("`{name}`: Envoy does not know `{said}`; it knows {}", known.join(", ")));
    None
}

/// A number in a wrapper (`{value: 50}`) or alone.
fn percent(fields: &Fields<'_, '_>, name: &str) -> Option<u64> {
    let node = fields.get(name)?;
    let said = node.get("value").unwrap_or(node);
    let value = said.text().and_then(|text| text.parse::<f64>().ok());
    match value {
        Some(value) if (0.0..=100.0).contains(&value) => Some(value.round() as u64),
        // `{}` is the default of a number, which is 0.
        None if node.entries().is_empty() && said.text().is_none() => Some(0),
        _ => {
            fields.reader().error(said, format!("`{name}` has to be a number from 0 to 100"));
            None
        }
    }
}

impl Parts {
    fn read(&mut self, file: usize, source: &Source) {
        let tree = data::parse(data::syntax_of(&source.name, &source.text), &source.text);
        let reader = Reader::new(file, &source.text);
        reader.problems(&tree, |kind| {
            Some(match kind {
                ProblemKind::Syntax | ProblemKind::Merge => Gravity::Error,
                ProblemKind::Duplicate | ProblemKind::Limit => Gravity::Warning,
            })
        });
        if let Some(second) = tree.documents.get(1) {
            reader.warn(second, "Envoy reads only the first document of a file: what follows the `---` is not in force");
        }
        match tree.documents.first() {
            Some(root) => self.root(&reader, root),
            None if tree.problems.is_empty() => {
                let place = Place::of_line(file, 1);
                reader.tell(Gravity::Error, place, "the file is empty: Envoy wants a bootstrap config");
            }
            None => {}
        }
        self.notices.append(&mut reader.into_notices());
    }

    fn root(&mut self, reader: &Reader, root: &Node<'_>) {
        if root.get("configs").is_some() {
            self.dump(reader, root);
        } else if root.get("resources").is_some() {
            for resource in listed(root, "resources") {
                self.resource(reader, resource.get("resource").unwrap_or(resource));
            }
        } else if root.get("version_info").is_none() {
            self.bootstrap(reader, root, true);
        }
    }

    /// What `/config_dump` answers (`envoy.admin.v3.ConfigDump`).
    fn dump(&mut self, reader: &Reader, root: &Node<'_>) {
        let parts = |name: &'static str| listed(root, "configs").filter(move |part| short_kind(part) == name);
        // The dump holds static clusters and listeners twice, also within the bootstrap config.
        let apart = parts("ClustersConfigDump").next().is_some();
        for part in listed(root, "configs") {
            match short_kind(part) {
                "BootstrapConfigDump" => {
                    if let Some(bootstrap) = part.get("bootstrap") {
                        self.bootstrap(reader, bootstrap, !apart);
                    }
                }
                "ClustersConfigDump" | "ListenersConfigDump" | "RoutesConfigDump" | "EndpointsConfigDump" => {
                    for list in part.entries() {
                        self.dumped(reader, &list.key, &list.node);
                    }
                }
                // `/config_dump?resource=dynamic_active_clusters` and a plain resource.
                "DynamicCluster"
                | "StaticCluster"
                | "StaticListener"
                | "DynamicListener"
                | "StaticRouteConfig"
                | "DynamicRouteConfig"
                | "StaticEndpointConfig"
                | "DynamicEndpointConfig" => self.held(reader, part),
                "ScopedRoutesConfigDump" => {
                    // Those that stand in listeners are read there.
                    for list in listed(part, "dynamic_scoped_route_configs") {
                        for scope in listed(list, "scoped_route_configs") {
                            self.scopes.push(scopes::scope(reader, scope));
                        }
                    }
                }
                "SecretsConfigDump" | "EcdsConfigDump" => {
                    if part.entries().len() > 1 {
                        reader.note(part, format!("{} is not looked at", short_kind(part)));
                    }
                }
                _ => self.resource(reader, part),
            }
        }
    }

    fn dumped(&mut self, reader: &Reader, list: &str, node: &Node<'_>) {
        if node.items().is_empty() {
            return;
        }
        if list.contains("warming") || list.contains("draining") {
            reader.note(node, format!("{} {} not in force yet or no longer", node.items().len(), clean_name(list)));
            return;
        }
        for held in node.items() {
            self.held(reader, held);
        }
    }

    /// A resource with its version and time around it.
    fn held(&mut self, reader: &Reader, held: &Node<'_>) {
        let held = match held.get("active_state") {
            Some(active) => active,
            None if held.get("warming_state").is_some() || held.get("draining_state").is_some() => return,
            None => held,
        };
        for name in ["cluster", "listener", "route_config", "endpoint_config"] {
            if let Some(resource) = held.get(name) {
                self.resource(reader, resource);
            }
        }
    }

    fn resource(&mut self, reader: &Reader, node: &Node<'_>) {
        match short_kind(node) {
            "Cluster" => self.cluster(reader, node),
            "Listener" => self.listener(reader, node),
            "RouteConfiguration" => {
                let name = node.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
                let routes = route::configuration(reader, node, false);
                self.routes.entry(name).or_insert(routes);
            }
            "ClusterLoadAssignment" => {
                let name = node.get("cluster_name").and_then(Node::text).map(clean_name).unwrap_or_default();
                let servers = endpoint::assignment(reader, node, &endpoint::Kind::Eds);
                self.endpoints.insert(name, servers);
            }
            "ScopedRouteConfiguration" => self.scopes.push(scopes::scope(reader, node)),
            "" => reader.note(node, "a resource without `@type` is not looked at"),
            kind => reader.note(node, format!("a resource of type {} is not looked at", clean_name(kind))),
        }
    }

    fn cluster(&mut self, reader: &Reader, node: &Node<'_>) {
        if self.clusters.len() >= data::POOLS_MAX {
            reader.note(node, format!("more than {} clusters: this one is not looked at", data::POOLS_MAX));
            return;
        }
        let (cluster, watched) = cluster::cluster(reader, node);
        self.watched.extend(watched);
        self.clusters.push(cluster);
    }

    fn listener(&mut self, reader: &Reader, node: &Node<'_>) {
        let chains = listener::listener(reader, node);
        self.watched.extend(chains.watched.iter().cloned());
        self.listeners.push(chains);
    }

    /// `envoy.config.bootstrap.v3.Bootstrap`; `whole` if its static clusters and listeners are to be read too.
    fn bootstrap(&mut self, reader: &Reader, node: &Node<'_>, whole: bool) {
        let fields = Fields::new(reader, node, "bootstrap config");
        fields.skip(&["stats_sinks", "stats_config", "stats_flush_interval", "application_log_config", "watchdogs"]);
        if let Some(about) = fields.get("node") {
            self.version = version(about);
        }
        if let Some(resources) = fields.get("static_resources").filter(|_| whole) {
            let fields = Fields::new(reader, resources, "static_resources");
            fields.skip(&["secrets"]);
            for cluster in fields.list("clusters") {
                self.cluster(reader, cluster);
            }
            for listener in fields.list("listeners") {
                self.listener(reader, listener);
            }
            fields.done();
        }
        if let Some(dynamic) = fields.get("dynamic_resources") {
            self.more_clusters = dynamic.get("cds_config").is_some();
            for name in ["cds_config", "lds_config", "ads_config"] {
                let Some(from) = dynamic.get(name) else { continue };
                match watched(reader, from) {
                    Some(path) => self.watched.push(path),
                    None if whole => reader.note(
                        from,
                        format!("`{name}` comes from a control plane while Envoy runs: only /config_dump?include_eds shows it"),
                    ),
                    None => {}
                }
            }
        }
        if let Some(admin) = fields.get("admin") {
            let fields = Fields::new(reader, admin, "admin");
            fields.skip(&["access_log", "access_log_path", "profile_path", "socket_options", "ignore_global_conn_limit"]);
            if let Some(address) = fields.get("address") {
                let address = endpoint::address(reader, address).unwrap_or_default();
                let guarded = address.starts_with("unix:");
                let place = reader.place(admin);
                self.process.admin.push(AdminSurface { what: "admin API".into(), address, guarded, writes: true, place });
            }
            fields.done();
        }
        self.process.maxconn = overload(reader, node).or(self.process.maxconn.take());
        fields.skip(&["overload_manager", "layered_runtime"]);
        fields.done();
    }
}

/// Connections at once of the whole process: the overload manager's resource monitor, or the runtime key before it.
fn overload(reader: &Reader, node: &Node<'_>) -> Option<Setting<u64>> {
    let monitors = node.get("overload_manager").into_iter().flat_map(|manager| listed(manager, "resource_monitors"));
    let monitored = monitors
        .filter_map(|monitor| monitor.get("typed_config")?.get("max_active_downstream_connections"))
        .find_map(|limit| Some(reader.setting(limit.u64()?, limit)));
    let layers = node.get("layered_runtime").into_iter().flat_map(|runtime| listed(runtime, "layers"));
    let layered = || {
        layers
            .filter_map(|layer| {
                let layer = layer.get("static_layer")?;
                let nested = || layer.get("overload")?.get("global_downstream_max_connections");
                layer.get("overload.global_downstream_max_connections").or_else(nested)
            })
            .find_map(|limit| Some(reader.setting(limit.u64()?, limit)))
    };
    monitored.or_else(layered)
}

/// The version that a running Envoy tells of itself in its dump.
fn version(node: &Node<'_>) -> Option<String> {
    let version = node.get("user_agent_build_version")?.get("version")?;
    let number = |name: &str| version.get(name).and_then(Node::u64).unwrap_or(0);
    version.get("major_number")?;
    Some(format!("{}.{}.{}", number("major_number"), number("minor_number"), number("patch")))
}

/// The file of a config source, where it is one.
fn watched(reader: &Reader, source: &Node<'_>) -> Option<Setting<String>> {
    let path = source.get("path").or_else(|| source.get("path_config_source")?.get("path"))?;
    Some(reader.setting(path.text()?.to_owned(), path))
}

/// What a listener is called: its name, else its address, as Envoy's messages do.
fn called(listener: &Listener) -> String {
    if listener.name.is_empty() {
        listener.binds.first().map_or("", |bind| &bind.address).to_owned()
    } else {
        listener.name.clone()
    }
}

#[cfg(test)]
mod tests;
