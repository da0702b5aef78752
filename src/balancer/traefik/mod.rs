//! Traefik: dynamic files (YAML, TOML), the static file, and what `/api/rawdata` and `/api/entrypoints` answer.
//!
//! Several files are read as one, as a directory of the file provider is. Names of the file provider lose their
//! `@file`, so that a file and the running Traefik speak of the same pools. Reads no labels and no Kubernetes objects:
//! the running Traefik's answer shows what it made of them. Sources: Traefik's reference of routing and install
//! configuration; `pkg/config/dynamic`, `pkg/server/service/loadbalancer`.

mod link;
mod middleware;
mod router;
mod service;
mod state;
mod static_config;

use std::collections::{BTreeMap, VecDeque};

pub use state::state;

use super::clean_name;
use super::data::{self, Fields, Node, ProblemKind, Reader, Syntax, Value, go_duration_ms};
use super::model::{Gravity, Model, Notice, Process, Setting};
use super::source::{Files, Place, Source};
use crate::balancer::maps::HashSet;
use crate::domain::balancer::BalancerKind;

/// Most files that one config may name.
const FILES_MAX: usize = 500;

/// What is balanced; names are apart for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Http,
    Tcp,
    Udp,
}

/// A name within its protocol.
type Key = (Protocol, String);

#[derive(Default)]
struct Parts {
    process: Process,
    /// By name, in the order in which they are written.
    entries: Vec<static_config::Entry>,
    routers: Vec<router::Router>,
    services: Vec<(Key, service::Service)>,
    /// Names of the services and of the routers that were read.
    known: HashSet<Key>,
    routed: HashSet<Key>,
    middlewares: BTreeMap<Key, middleware::Middleware>,
    transports: BTreeMap<Key, service::Transport>,
    /// Whether the whole of the running config was seen, so that a missing name is missing indeed.
    whole: bool,
    version: Option<String>,
    watched: Vec<Setting<String>>,
    notices: Vec<Notice>,
}

/// Reads configs; several sources are read as one. `files` answers for files of the file provider.
pub fn parse(sources: &[Source], files: &mut dyn Files, version: Option<&str>) -> Model {
    let mut parts = Parts::default();
    let mut names: Vec<String> = Vec::new();
    let mut waiting: VecDeque<Source> = sources.iter().cloned().collect();
    while let Some(source) = waiting.pop_front() {
        parts.read(names.len(), &source);
        names.push(source.name.clone());
        for wanted in std::mem::take(&mut parts.watched) {
            match files.read(&wanted.value, &source.name) {
                Ok(found) => {
                    let new = |file: &Source| !names.contains(&file.name) && !waiting.iter().any(|known| known.name == file.name);
                    let found: Vec<_> = found.into_iter().filter(new).take(FILES_MAX.saturating_sub(names.len())).collect();
                    waiting.extend(found);
                }
                // Whoever gives the files of a directory gives them beside the file that names it.
                Err(_) if sources.len() > 1 => {}
                Err(why) => {
                    let text = format!("{} belongs to this config and was not read: {why}", clean_name(&wanted.value));
                    parts.notices.push(Notice { gravity: Gravity::Note, text, place: wanted.place });
                }
            }
        }
    }
    let mut model = Model { kind: BalancerKind::Traefik, files: names, ..Model::default() };
    model.version = version.map(str::to_owned).or(parts.version.take());
    link::link(parts, &mut model);
    model
}

const SECTIONS: [(&str, Protocol); 3] = [("http", Protocol::Http), ("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];

/// Whether a text is a config of Traefik or an answer of its API.
pub fn is_config(text: &str) -> bool {
    let tree = data::parse(data::syntax_of("", text), text);
    let Some(root) = tree.documents.first() else { return false };
    let parts = ["routers", "services", "middlewares", "serversTransports"];
    let dynamic = SECTIONS.iter().any(|(name, _)| {
        root.get(name)
            .is_some_and(|section| parts.iter().any(|part| section.get(part).is_some_and(|part| !part.entries().is_empty())))
    });
    let addressed = |entry: &data::Entry<'_>| entry.node.get("address").is_some();
    let static_config = root.get("entryPoints").is_some_and(|points| points.entries().iter().any(addressed))
        || root.get("providers").is_some_and(|providers| {
            [
                "file",
                "docker",
                "swarm",
                "kubernetesCRD",
                "kubernetesIngress",
                "kubernetesGateway",
                "consulCatalog",
                "consul",
                "nomad",
                "ecs",
                "etcd",
                "redis",
                "zooKeeper",
                "http",
                "rest",
            ]
            .iter()
            .any(|name| providers.get(name).is_some())
        });
    dynamic || static_config || raw(root)
}

/// Whether it is an answer of `/api/rawdata`: its names hold their provider.
fn raw(root: &Node<'_>) -> bool {
    ["routers", "services", "tcpRouters", "tcpServices", "udpRouters", "udpServices", "middlewares"]
        .iter()
        .any(|part| root.get(part).is_some_and(|part| part.entries().iter().any(|entry| entry.key.contains('@'))))
}

/// A name without the provider, where that is the file.
fn plain(name: &str) -> String {
    clean_name(name.strip_suffix("@file").unwrap_or(name))
}

/// The full name of what `name` means where `owner` is written: names without a provider are of the owner's.
fn meant(name: &str, owner: &str) -> String {
    match owner.rsplit_once('@') {
        Some((_, provider)) if !name.contains('@') => plain(&format!("{name}@{provider}")),
        _ => plain(name),
    }
}

/// A duration as Traefik writes it (a Go duration or plain seconds), in milliseconds.
fn duration(fields: &Fields<'_, '_>, name: &str) -> Option<Setting<u64>> {
    fields.duration(name, "30s", |node| {
        let text = node.text()?;
        let seconds =
            || text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0).map(|seconds| (seconds * 1000.0).ceil() as u64);
        // `/api/entrypoints` tells nanoseconds as text with a unit, files plain seconds.
        go_duration_ms(text).or_else(seconds)
    })
}

impl Parts {
    fn read(&mut self, file: usize, source: &Source) {
        let syntax = data::syntax_of(&source.name, &source.text);
        let tree = data::parse(syntax, &source.text);
        let reader = Reader::new(file, &source.text);
        reader.problems(&tree, |kind| match kind {
            ProblemKind::Syntax => Some(Gravity::Error),
            // YAML and TOML refuse it; of JSON's two the last counts.
            ProblemKind::Duplicate if syntax != Syntax::Json => Some(Gravity::Error),
            ProblemKind::Duplicate | ProblemKind::Limit => Some(Gravity::Warning),
            ProblemKind::Merge => None,
        });
        if let Some(second) = tree.documents.get(1) {
            reader.warn(second, "Traefik reads only the first document of a file: what follows the `---` is not in force");
        }
        match tree.documents.first() {
            Some(root) if templated(&source.text) => {
                reader
                    .note(root, "the file is a Go template: what it becomes is known only to the running Traefik (/api/rawdata)");
                self.root(&reader, root);
            }
            Some(root) => self.root(&reader, root),
            None if tree.problems.is_empty() => {
                let place = Place::of_line(file, 1);
                reader.tell(Gravity::Warning, place, "the file is empty");
            }
            None => {}
        }
        self.notices.append(&mut reader.into_notices());
    }

    fn root(&mut self, reader: &Reader, root: &Node<'_>) {
        if let Value::List(items) = &root.value {
            // `/api/entrypoints`
            for item in items.iter().filter(|item| item.get("address").is_some()) {
                let name = item.get("name").and_then(Node::text).unwrap_or_default();
                self.entries.push(static_config::entry(reader, name, item));
            }
            return;
        }
        let fields = Fields::new(reader, root, "config");
        if raw(root) || (root.get("http").is_none() && root.get("routers").is_some_and(|part| !part.entries().is_empty())) {
            self.whole = true;
            for (prefix, protocol) in [("", Protocol::Http), ("tcp", Protocol::Tcp), ("udp", Protocol::Udp)] {
                self.section(reader, protocol, |part| fields.get(&format!("{prefix}{part}")));
            }
        }
        for (name, protocol) in SECTIONS {
            if let Some(section) = fields.get(name) {
                let section = Fields::new(reader, section, name);
                self.section(reader, protocol, |part| section.get(part));
                section.done();
            }
        }
        static_config::read(reader, &fields, self);
        fields.skip(&[
            "tls",
            "log",
            "accessLog",
            "metrics",
            "tracing",
            "global",
            "certificatesResolvers",
            "experimental",
            "core",
            "spiffe",
        ]);
        fields.done();
    }

    /// Routers, services, middlewares and transports of one protocol.
    fn section<'n, 'a: 'n>(&mut self, reader: &Reader, protocol: Protocol, get: impl Fn(&str) -> Option<&'n Node<'a>>) {
        let entries = |part: &str| get(part).map(Node::entries).unwrap_or_default();
        for entry in entries("middlewares") {
            self.middlewares.insert((protocol, plain(&entry.key)), middleware::middleware(reader, &entry.key, &entry.node));
        }
        for entry in entries("serversTransports") {
            self.transports.insert((protocol, plain(&entry.key)), service::transport(reader, &entry.node));
        }
        for entry in entries("services") {
            let key = (protocol, plain(&entry.key));
            // Some of Traefik's own, such as `api@internal`.
            if entry.key.ends_with("@internal") {
                continue;
            }
            if !self.known.insert(key.clone()) {
                reader.warn(
                    &entry.node,
                    format!("service {} is there already in another file: Traefik takes only one of them", key.1),
                );
                continue;
            }
            if self.services.len() >= data::POOLS_MAX {
                reader.note(&entry.node, format!("more than {} services: this one is not looked at", data::POOLS_MAX));
                continue;
            }
            let service = service::service(reader, protocol, &entry.key, &entry.node);
            self.services.push((key, service));
        }
        for entry in entries("routers") {
            let router = router::router(reader, protocol, &entry.key, &entry.node);
            if !self.routed.insert((protocol, router.name.clone())) {
                reader.warn(
                    &entry.node,
                    format!("router {} is there already in another file: Traefik takes only one of them", router.name),
                );
                continue;
            }
            self.routers.push(router);
        }
    }
}

/// Whether a file is a Go template, which the file provider fills in before it reads it.
fn templated(text: &str) -> bool {
    text.contains("{{") && text.contains("}}")
}

#[cfg(test)]
mod tests;
