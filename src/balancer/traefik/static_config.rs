//! The static file: entry points, the API, providers of files.

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader};
use super::super::model::{AdminSurface, Bind, Listener, Mode};
use super::service::transport;
use super::{Parts, Protocol, duration};

/// Where connections come in.
pub struct Entry {
    pub listener: Listener,
    /// Whether routers that name no entry point use it.
    pub default: bool,
    /// Middlewares that stand before every router's own.
    pub middlewares: Vec<String>,
}

pub fn read(reader: &Reader, root: &Fields<'_, '_>, parts: &mut Parts) {
    for point in root.get("entryPoints").map(Node::entries).unwrap_or_default() {
        parts.entries.push(entry(reader, &point.key, &point.node));
    }
    if let Some(api) = root.get("api") {
        let fields = Fields::new(reader, api, "api");
        fields.skip(&["dashboard", "debug", "disableDashboardAd", "basePath", "dashboardName"]);
        if fields.bool("insecure") == Some(true) {
            parts.process.admin.push(surface(reader, "API and dashboard", false, api, parts));
        }
        fields.done();
    }
    // The transport to servers that name none.
    if let Some(node) = root.get("serversTransport") {
        parts.transports.insert((Protocol::Http, "default".into()), transport(reader, node));
    }
    if let Some(node) = root.get("tcpServersTransport") {
        parts.transports.insert((Protocol::Tcp, "default".into()), transport(reader, node));
    }
    if let Some(ping) = root.get("ping").and_then(|ping| ping.get("manualRouting")) {
        reader.note(ping, "ping is answered by a router of its own");
    }
    let Some(providers) = root.get("providers") else { return };
    if providers.get("rest").and_then(|rest| rest.get("insecure")).and_then(Node::bool) == Some(true) {
        parts.process.admin.push(surface(reader, "REST provider", true, providers, parts));
    }
    for provider in providers.entries() {
        if !provider.key.eq_ignore_ascii_case("file") {
            let told =
                format!("what provider {} brings is known only to the running Traefik (/api/rawdata)", clean_name(&provider.key));
            if !provider.key.eq_ignore_ascii_case("providersThrottleDuration") {
                reader.note(&provider.node, told);
            }
            continue;
        }
        if let Some(name) = provider.node.get("filename") {
            parts.watched.push(reader.setting(name.text().unwrap_or_default().to_owned(), name));
        } else if let Some(folder) = provider.node.get("directory") {
            let folder_name = folder.text().unwrap_or_default().trim_end_matches('/');
            for ending in ["yml", "yaml", "toml"] {
                parts.watched.push(reader.setting(format!("{folder_name}/*.{ending}"), folder));
            }
        }
    }
}

/// Where the API is without a router of its own: at the entry point `traefik`, on port 8080 of every address unless
/// the config says otherwise.
fn surface(reader: &Reader, what: &str, writes: bool, node: &Node<'_>, parts: &Parts) -> AdminSurface {
    let point =
        parts.entries.iter().find(|entry| entry.listener.name == "traefik").and_then(|entry| entry.listener.binds.first());
    let address = point.map_or("*:8080", |bind| &bind.address).to_owned();
    AdminSurface { what: what.into(), address, guarded: false, writes, place: reader.place(node) }
}

pub fn entry(reader: &Reader, name: &str, node: &Node<'_>) -> Entry {
    let name = clean_name(name);
    let fields = Fields::new(reader, node, format!("entry point {name}"));
    fields.skip(&[
        "name",
        "forwardedHeaders",
        "http2",
        "proxyProtocol",
        "observability",
        "reusePort",
        "allowACMEByPass",
        "http3",
    ]);
    let said = fields.name("address");
    let (address, mode) = match said.rsplit_once('/') {
        Some((address, "udp")) => (address, Mode::Udp),
        Some((address, "tcp")) => (address, Mode::Http),
        _ => (said.as_str(), Mode::Http),
    };
    if said.is_empty() {
        reader.error(node, format!("entry point {name} lacks `address`, such as `:80`"));
    }
    let mut listener = Listener { name, mode, place: reader.place(node), ..Listener::default() };
    let mut middlewares = Vec::new();
    let mut tls = false;
    if let Some(http) = fields.get("http") {
        let http = Fields::new(reader, http, "http");
        http.skip(&["redirections", "encodeQuerySemicolons", "sanitizePath", "encodedCharacters", "maxHeaderBytes"]);
        tls = http.entry("tls").is_some_and(|tls| tls.bool() != Some(false));
        middlewares = http.list("middlewares").iter().filter_map(|name| Some(super::plain(name.text()?))).collect();
        http.done();
    }
    let place = fields.get("address").map_or_else(|| reader.place(node), |at| reader.place(at));
    let proxy_protocol = fields.get("proxyProtocol").is_some();
    listener.binds.push(Bind { address: address_of(address), tls, proxy_protocol, place, ..Bind::default() });
    if let Some(transport) = fields.get("transport") {
        let transport = Fields::new(reader, transport, "transport");
        transport.skip(&["lifeCycle"]);
        if let Some(times) = transport.get("respondingTimeouts") {
            let times = Fields::new(reader, times, "respondingTimeouts");
            listener.timeouts.client = duration(&times, "readTimeout");
            listener.timeouts.request = duration(&times, "writeTimeout");
            listener.timeouts.keepalive = duration(&times, "idleTimeout");
            times.done();
        }
        transport.done();
    }
    if let Some(udp) = fields.get("udp").filter(|_| mode == Mode::Udp) {
        listener.timeouts.client = duration(&Fields::new(reader, udp, "udp"), "timeout");
    }
    let default = fields.bool("asDefault").unwrap_or(false);
    fields.done();
    Entry { listener, default, middlewares }
}

/// `:80` is every address.
fn address_of(said: &str) -> String {
    match said.strip_prefix("0.0.0.0:").or_else(|| said.strip_prefix("[::]:")).or_else(|| said.strip_prefix(':')) {
        Some(port) => format!("*:{port}"),
        None => said.to_owned(),
    }
}
