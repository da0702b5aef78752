//! The `listen` directive of http and stream servers.

use super::load::Config;
use super::tree::Directive;
use super::values::{self, Address};
use crate::balancer::maps::HashMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub address: Address,
    pub default_server: bool,
    pub tls: bool,
    /// Datagrams: stream's `udp`, or HTTP/3.
    pub udp: bool,
    pub quic: bool,
    pub proxy_protocol: bool,
    /// Whether it sets options of the socket, which only one server may do for an address.
    options: bool,
}

impl Listen {
    /// What two `listen` of the same socket have in common.
    fn key(&self, stream: bool) -> String {
        let host = match self.address.host.as_str() {
            "" | "*" | "0.0.0.0" => "*",
            host => host,
        };
        let port = self.address.port.or((!stream && !host.starts_with("unix:")).then_some(80));
        let socket = Address { host: host.to_owned(), port, literal: true }.said();
        if self.udp { format!("udp {socket}") } else { socket }
    }
}

/// Reads a `listen`. The error is the argument that nginx refuses, and why.
pub fn parse(directive: &Directive, stream: bool) -> Result<Listen, (usize, String)> {
    let written = directive.argument(0).unwrap_or_default();
    let refused = |why: &str| (0, format!("{why} in {written:?}: listen takes ADDRESS:PORT, a port, an address or unix:/PATH"));
    // `8000-8010` is several sockets.
    let (text, last) = match written.rsplit_once('-') {
        Some((first, last)) if !written.starts_with("unix:") && values::number(last).is_some() => (first, values::number(last)),
        _ => (written, None),
    };
    let address = Address::parse(text, true).map_err(refused)?;
    if last.is_some_and(|last| last > 65_535 || address.port.is_none_or(|port| u64::from(port) > last)) {
        return Err(refused("invalid port range"));
    }
    if stream && address.port.is_none() && !address.host.starts_with("unix:") {
        return Err(refused("no port"));
    }
    let mut listen =
        Listen { address, default_server: false, tls: false, udp: false, quic: false, proxy_protocol: false, options: false };
    for (index, word) in directive.arguments.iter().enumerate().skip(1) {
        let (name, value) = word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
        let fits = match (name, value) {
            ("default_server", None) => {
                listen.default_server = true;
                true
            }
            ("default", None) if !stream => {
                listen.default_server = true;
                true
            }
            ("ssl", None) => {
                listen.tls = true;
                true
            }
            ("udp", None) if stream => {
                listen.udp = true;
                true
            }
            ("quic", None) if !stream => {
                listen.udp = true;
                listen.quic = true;
                listen.tls = true;
                true
            }
            ("http2", None) => !stream,
            ("proxy_protocol", None) => {
                listen.proxy_protocol = true;
                true
            }
            _ => {
                listen.options = true;
                is_socket_option(name, value)
            }
        };
        if !fits {
            return Err((index, format!("listen does not take {:?}: correct it or take it away", word.text)));
        }
    }
    if listen.udp && stream {
        let other = |text: &str| {
            ["ssl", "proxy_protocol", "deferred", "multipath"].contains(&text)
                || ["backlog=", "so_keepalive=", "fastopen="].iter().any(|start| text.starts_with(start))
        };
        if let Some((index, word)) = directive.arguments.iter().enumerate().find(|(_, word)| other(&word.text)) {
            return Err((index, format!("{:?} does not go together with udp: take one away", word.text)));
        }
    }
    Ok(listen)
}

fn is_socket_option(name: &str, value: Option<&str>) -> bool {
    match (name, value) {
        ("bind" | "deferred" | "reuseport" | "multipath", None) | ("accept_filter", Some(_)) => true,
        ("setfib" | "fastopen", Some(value)) => values::number(value).is_some(),
        ("backlog", Some(value)) => values::number(value).is_some_and(|n| n > 0),
        ("rcvbuf" | "sndbuf", Some(value)) => values::size(value, false).is_some(),
        ("ipv6only", Some(value)) => value == "on" || value == "off",
        ("so_keepalive", Some(value)) => is_keepalive(value),
        _ => false,
    }
}

/// `on`, `off`, or `idle:interval:count` of which some may be left out.
fn is_keepalive(value: &str) -> bool {
    if value == "on" || value == "off" {
        return true;
    }
    let parts: Vec<_> = value.split(':').collect();
    let [idle, interval, count] = parts.as_slice() else { return false };
    let time = |text: &str| text.is_empty() || values::seconds(text).is_some();
    value != "::" && time(idle) && time(interval) && (count.is_empty() || values::number(count).is_some())
}

/// Refuses what several servers may not say of one socket.
pub fn servers(config: &mut Config, servers: &[&Directive], stream: bool) {
    /// Of one socket: the last server that listens there, and whether one set options or is the default.
    #[derive(Default)]
    struct Socket {
        last: Option<usize>,
        options: bool,
        default: bool,
    }
    let mut sockets: HashMap<String, Socket> = HashMap::default();
    for (number, server) in servers.iter().enumerate() {
        for directive in server.block().iter().filter(|directive| directive.is("listen")) {
            let Ok(listen) = parse(directive, stream) else { continue };
            let key = listen.key(stream);
            let socket = sockets.entry(key.clone()).or_default();
            if socket.last.replace(number) == Some(number) {
                config.error(directive, format!("this server listens on {key} twice: take one away"));
            }
            if listen.options && socket.options {
                config.error(directive, format!("another server sets socket options for {key} already: set them in one place"));
            }
            if listen.default_server && socket.default {
                config.error(directive, format!("another server is the default for {key} already: only one can be"));
            }
            socket.options |= listen.options;
            socket.default |= listen.default_server;
        }
    }
}
