//! Routers: which requests of which entry points go to which service.

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader};
use super::super::model::Gravity;
use super::super::source::Place;
use super::{Protocol, meant, plain};

pub struct Router {
    pub protocol: Protocol,
    pub name: String,
    pub entries: Vec<String>,
    /// None for the rule that takes everything.
    pub condition: Option<String>,
    /// Higher is tried first; the length of the rule unless it is written.
    pub priority: i64,
    pub service: String,
    pub middlewares: Vec<String>,
    pub tls: bool,
    pub place: Place,
}

pub fn router(reader: &Reader, protocol: Protocol, name: &str, node: &Node<'_>) -> Router {
    let fields = Fields::new(reader, node, format!("router {}", clean_name(name)));
    fields.skip(&["status", "using", "ruleSyntax", "observability", "name", "provider", "parentRefs"]);
    for error in fields.list("error") {
        let text = format!("Traefik says of router {}: {}", plain(name), clean_name(error.text().unwrap_or_default()));
        reader.tell(Gravity::Warning, reader.place(node), text);
    }
    let rule = fields.text("rule").map(str::trim).unwrap_or_default();
    if rule.is_empty() && protocol != Protocol::Udp {
        reader.warn(node, format!("router {} lacks `rule`: Traefik leaves it out", plain(name)));
    }
    // Traefik counts bytes.
    let length = i64::try_from(rule.len()).unwrap_or(i64::MAX);
    // 0 stands for the default; large ones are rounded in JSON.
    let priority = match fields.get("priority").map(|node| node.i64().unwrap_or(i64::MAX)) {
        // What takes every connection is tried last.
        None | Some(0) if rule.replace('"', "`") == "HostSNI(`*`)" => -1,
        None | Some(0) => length,
        Some(priority) => priority,
    };
    let rest = ["", "PathPrefix(`/`)", "PathPrefix(\"/\")", "HostSNI(`*`)", "HostSNI(\"*\")", "ClientIP(`0.0.0.0/0`)"];
    // `tls: {}` and, in YAML, `tls:` alone.
    let tls = fields.entry("tls").is_some_and(|tls| tls.bool() != Some(false));
    let condition = match (!rest.contains(&rule)).then(|| super::super::printable(rule)) {
        Some(rule) if tls => Some(format!("{rule} over TLS")),
        None if tls => Some("over TLS".to_owned()),
        condition => condition,
    };
    let service = fields.text("service").unwrap_or_default();
    if service.is_empty() {
        reader.warn(node, format!("router {} lacks `service`", plain(name)));
    }
    let names = |list: &[Node<'_>]| list.iter().filter_map(|item| item.text().map(str::to_owned)).collect::<Vec<_>>();
    let router = Router {
        protocol,
        name: plain(name),
        entries: names(fields.list("entryPoints")).iter().map(|entry| clean_name(entry)).collect(),
        condition,
        priority,
        service: meant(service, name),
        middlewares: names(fields.list("middlewares")).iter().map(|other| meant(other, name)).collect(),
        tls,
        place: reader.place(node),
    };
    fields.done();
    router
}
