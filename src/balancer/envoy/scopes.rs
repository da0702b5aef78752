//! Scoped routes: which route table a request is held against, by a key made of the request
//! (`envoy.config.route.v3.ScopedRouteConfiguration`).

use super::super::clean_name;
use super::super::data::{Node, Reader, compact};
use super::listener::From;
use super::{listed, route};

/// One scope with its table.
#[derive(Clone)]
pub struct Scope {
    key: Vec<String>,
    pub table: From,
}

pub fn scope(reader: &Reader, node: &Node<'_>) -> Scope {
    let part = |fragment: &Node<'_>| match fragment.get("string_key").and_then(Node::text) {
        Some(key) => clean_name(key),
        None => compact(fragment),
    };
    let key = node.get("key").into_iter().flat_map(|key| listed(key, "fragments")).map(part).collect();
    let table = match node.get("route_configuration") {
        Some(table) => From::Here(route::configuration(reader, table, true)),
        None => {
            let name = node.get("route_configuration_name").and_then(Node::text).map(clean_name).unwrap_or_default();
            From::Named(name, reader.place(node))
        }
    };
    Scope { key, table }
}

/// What a key is made of, part by part: `header x-tenant`.
pub fn parts(scoped: &Node<'_>) -> Vec<String> {
    let fragments = scoped.get("scope_key_builder").into_iter().flat_map(|builder| listed(builder, "fragments"));
    let said = |fragment: &Node<'_>| {
        let Some(header) = fragment.get("header_value_extractor") else { return compact(fragment) };
        let text = |node: &Node<'_>, name: &str| node.get(name).and_then(Node::text).map(clean_name).unwrap_or_default();
        let name = text(header, "name");
        match (header.get("element"), header.get("index").and_then(Node::u64)) {
            (Some(element), _) => format!("{} in header {name}", text(element, "key")),
            (None, Some(index)) if index > 0 => format!("part {} of header {name}", index + 1),
            (None, _) => format!("header {name}"),
        }
    };
    fragments.map(said).collect()
}

impl Scope {
    /// "scope header x-tenant is a".
    pub fn said(&self, parts: &[String]) -> String {
        let pairs = self.key.iter().enumerate().map(|(at, key)| match parts.get(at) {
            Some(part) => format!("{part} is {key}"),
            None => key.clone(),
        });
        format!("scope {}", pairs.collect::<Vec<_>>().join(", "))
    }
}
