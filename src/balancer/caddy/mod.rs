//! Caddy: its JSON config, as `GET /config/` and `caddy adapt` give it.
//!
//! Reads no Caddyfile: what one means is known only after `caddy adapt`, which whoever may start programs runs before.
//! Caddy's pools have no names; they are called by the server and the condition under which they are used. Sources:
//! Caddy's JSON reference; `modules/caddyhttp/reverseproxy`.

mod layer4;
mod proxy;
mod routes;
mod state;

pub use state::state;

use super::clean_name;
use super::data::{self, Fields, Node, ProblemKind, Reader, Syntax, go_duration_ms};
use super::model::{AdminSurface, Bind, Gravity, Listener, Mode, Model, Notice, Setting};
use super::source::{Files, Place, Source};
use crate::balancer::maps::HashMap;
use crate::domain::balancer::BalancerKind;

/// Where the admin API is unless the config says otherwise.
const ADMIN_DEFAULT: &str = "localhost:2019";

/// Reads configs. Several are read one after the other, though Caddy runs only one. Nothing is included from JSON.
pub fn parse(sources: &[Source], _files: &mut dyn Files, version: Option<&str>) -> Model {
    let mut model = Model { kind: BalancerKind::Caddy, version: version.map(str::to_owned), ..Model::default() };
    for (file, source) in sources.iter().enumerate() {
        model.files.push(source.name.clone());
        if is_caddyfile(&source.text) {
            let text = "this is a Caddyfile: run `caddy adapt --config FILE` and give what it prints".to_owned();
            let place = Place::of_line(file, 1);
            model.notices.push(Notice { gravity: Gravity::Note, text, place });
            continue;
        }
        let tree = data::parse(Syntax::Json, &source.text);
        let reader = Reader::new(file, &source.text);
        reader.problems(&tree, |kind| {
            Some(match kind {
                ProblemKind::Syntax => Gravity::Error,
                _ => Gravity::Warning,
            })
        });
        if let Some(root) = tree.documents.first() {
            self::root(&reader, root, &mut model);
        }
        model.notices.append(&mut reader.into_notices());
    }
    model
}

/// Whether a text is a config of Caddy: its JSON, or a Caddyfile (for which [`parse`] says what to do).
pub fn is_config(text: &str) -> bool {
    if is_caddyfile(text) {
        return true;
    }
    if data::syntax_of("", text) != Syntax::Json {
        return false;
    }
    let tree = data::parse(Syntax::Json, text);
    tree.documents.first().is_some_and(|root| {
        let app = |apps: &Node<'_>| apps.entries().iter().any(|app| !app.node.entries().is_empty());
        root.get("apps").is_some_and(app)
            || root
                .get("admin")
                .is_some_and(|admin| ["listen", "disabled", "enforce_origin"].iter().any(|name| admin.get(name).is_some()))
    })
}

/// Whether a text is a Caddyfile: blocks in braces, directives of Caddy, and no `;` at the ends of lines.
pub fn is_caddyfile(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "reverse_proxy",
        "file_server",
        "lb_policy",
        "php_fastcgi",
        "handle",
        "handle_path",
        "auto_https",
        "encode",
        "respond",
        "redir",
        "tls",
        "root",
    ];
    const MINE: [&str; 6] = ["reverse_proxy", "file_server", "lb_policy", "php_fastcgi", "auto_https", "handle_path"];
    let (mut mine, mut ends, mut words) = (0, 0, 0);
    for line in text.lines().take(20_000) {
        let line = line.trim();
        let first = line.split_whitespace().next().unwrap_or_default();
        if line.ends_with(';') || line.starts_with('"') || line.starts_with('[') {
            ends += 1;
        }
        mine += usize::from(MINE.contains(&first));
        words += usize::from(WORDS.contains(&first));
    }
    let address = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    // A short one has no block: an address, then directives.
    let opens =
        text.contains('{') || address.is_some_and(|line| line.starts_with(':') || line.contains('.') && !line.contains(' '));
    ends == 0 && opens && (mine > 0 || words > 1) && !address.is_some_and(|line| line.ends_with(':'))
}

/// A duration as Caddy writes it (a Go duration, or nanoseconds), in milliseconds.
fn duration(fields: &Fields<'_, '_>, name: &str) -> Option<Setting<u64>> {
    fields.duration(name, "5s", |node| match &node.value {
        data::Value::Number(_) => node.u64().map(|nanoseconds| nanoseconds.div_ceil(1_000_000)),
        _ => node.text().and_then(go_duration_ms),
    })
}

/// `host:port`, `*:port` or `unix:/path` of one of Caddy's network addresses (`unix//run/x.sock`, `tcp/:80`), and
/// whether it is UDP.
fn address(said: &str) -> (String, bool) {
    let (network, rest) = match said.split_once('/') {
        Some((network, rest)) if network.starts_with("unix") || !network.contains([':', '.', '[', '{']) => (network, rest),
        _ => ("", said),
    };
    if network.starts_with("unix") || network == "fd" || network == "fdgram" {
        // A file mode may follow.
        let path = rest.split('|').next().unwrap_or_default();
        return (format!("{}:{}", network.trim_end_matches('+'), clean_name(path)).replace("unixgram", "unix"), false);
    }
    let rest = rest.trim_start_matches("0.0.0.0").trim_start_matches("[::]");
    let address = if rest.starts_with(':') { format!("*{rest}") } else { rest.to_owned() };
    (clean_name(&address), network.starts_with("udp"))
}

fn root(reader: &Reader, root: &Node<'_>, model: &mut Model) {
    let fields = Fields::new(reader, root, "config");
    fields.skip(&["logging", "storage", "@id"]);
    admin(reader, root, fields.get("admin"), model);
    if let Some(apps) = fields.get("apps") {
        let fields = Fields::new(reader, apps, "apps");
        fields.skip(&["tls", "pki", "events"]);
        if let Some(http) = fields.get("http") {
            self::http(reader, http, model);
        }
        if let Some(layer4) = fields.get("layer4") {
            layer4::read(reader, layer4, model);
        }
        fields.done();
    }
    fields.done();
}

/// The admin API is there unless it is switched off.
fn admin(reader: &Reader, root: &Node<'_>, node: Option<&Node<'_>>, model: &mut Model) {
    let empty = Node::empty();
    let fields = Fields::new(reader, node.unwrap_or(&empty), "admin");
    fields.skip(&["config", "identity", "origins"]);
    if fields.bool("disabled") != Some(true) {
        let said = fields.text("listen").filter(|listen| !listen.is_empty()).unwrap_or(ADMIN_DEFAULT);
        let address = address(said).0;
        let guarded = address.starts_with("unix:");
        fields.skip(&["enforce_origin"]);
        let place = reader.place(fields.get("listen").or(node).unwrap_or(root));
        model.process.admin.push(AdminSurface { what: "admin API".into(), address, guarded, writes: true, place });
    }
    if let Some(remote) = fields.get("remote") {
        let said = remote.get("listen").and_then(Node::text).unwrap_or(":2021");
        // Clients have to show a certificate.
        model.process.admin.push(AdminSurface {
            what: "remote admin API".into(),
            address: address(said).0,
            guarded: true,
            writes: true,
            place: reader.place(remote),
        });
    }
    fields.done();
}

fn http(reader: &Reader, node: &Node<'_>, model: &mut Model) {
    let fields = Fields::new(reader, node, "http");
    fields.skip(&["metrics", "grace_period", "shutdown_delay"]);
    let http_port = fields.u64("http_port").unwrap_or(80);
    fields.skip(&["https_port"]);
    let mut bound: HashMap<String, String> = HashMap::default();
    for server in fields.get("servers").map(Node::entries).unwrap_or_default() {
        let name = clean_name(&server.key);
        let fields = Fields::new(reader, &server.node, format!("server {name}"));
        fields.skip(&[
            "logs",
            "errors",
            "protocols",
            "trusted_proxies",
            "client_ip_headers",
            "strict_sni_host",
            "metrics",
            "named_routes",
        ]);
        fields.skip(&[
            "listener_wrappers",
            "max_header_bytes",
            "enable_full_duplex",
            "allow_h2c",
            "experimental_http3",
            "keepalive_interval",
        ]);
        let mut listener =
            Listener { name: name.clone(), mode: Mode::Http, place: reader.place(&server.node), ..Listener::default() };
        listener.timeouts.client = duration(&fields, "read_timeout");
        listener.timeouts.headers = duration(&fields, "read_header_timeout");
        listener.timeouts.request = duration(&fields, "write_timeout");
        listener.timeouts.keepalive = duration(&fields, "idle_timeout");
        let policies = !fields.list("tls_connection_policies").is_empty();
        let automatic = fields.get("automatic_https").and_then(|auto| auto.get("disable")).and_then(Node::bool) != Some(true);
        let hosts = fields.list("routes").iter().any(routes::names_host);
        let wrapped = |wrapper: &Node<'_>| wrapper.get("wrapper").and_then(Node::text) == Some("proxy_protocol");
        let proxy_protocol = fields.list("listener_wrappers").iter().any(wrapped);
        for node in fields.list("listen") {
            let Some(said) = node.text() else { continue };
            let (address, udp) = self::address(said);
            if udp {
                reader.note(node, format!("{address} is for HTTP/3"));
            }
            let plain = address.rsplit_once(':').is_some_and(|(_, port)| port == http_port.to_string());
            // Caddy takes out certificates by itself for the hosts that its routes name.
            let tls = policies || (automatic && hosts && !plain && !address.starts_with("unix:"));
            let place = reader.place(node);
            if let Some(other) = bound.insert(address.clone(), name.clone()) {
                let text = format!("servers {other} and {name} listen on one address, {address}: Caddy refuses it");
                reader.tell(Gravity::Error, place.clone(), text);
            }
            listener.binds.push(Bind { address, tls, proxy_protocol, place, ..Bind::default() });
        }
        model.listeners.push(listener);
        let mut walk = routes::Walk::new(reader, model, &name, server.node.get("named_routes"));
        walk.routes(fields.list("routes"), &[], 0);
        fields.done();
    }
    fields.done();
}

#[cfg(test)]
mod tests;
