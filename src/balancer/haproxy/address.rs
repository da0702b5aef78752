//! Addresses of binds and servers (`str2sa_range` in src/tools.c; configuration manual, chapters 4 and 11).

use std::borrow::Cow;
use std::net::IpAddr;

/// An address, brought into one form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Without brackets; empty for every address. For a socket all of it, such as `unix:/run/x.sock`.
    pub host: Cow<'a, str>,
    /// As written: `80`, `80-90`, `+100`, or empty.
    pub port: &'a str,
    pub socket: bool,
    /// Whether the host is an address in numbers.
    pub ip: bool,
}

impl Address<'_> {
    /// `host:port`, `[v6]:port`, `unix:/path`, or the host alone where no port is written.
    pub fn shown(&self) -> String {
        if self.socket {
            return self.host.to_string();
        }
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let colon = if self.port.is_empty() { "" } else { ":" };
        [open, &*self.host, close, colon, self.port].concat()
    }

    /// As listeners show it: every address is `*`.
    pub fn listened(&self) -> String {
        match &*self.host {
            "" | "0.0.0.0" => Self { host: Cow::Borrowed("*"), ..self.clone() }.shown(),
            _ => self.shown(),
        }
    }

    /// Whether somebody has to look the name up.
    pub fn is_name(&self) -> bool {
        !self.socket && !self.host.is_empty() && self.host != "*" && !self.ip
    }
}

const KINDS: &[&str] = &[
    "ipv4@",
    "ipv6@",
    "tcp@",
    "tcp4@",
    "tcp6@",
    "udp@",
    "udp4@",
    "udp6@",
    "quic4@",
    "quic6@",
    "stream+ipv4@",
    "stream+ipv6@",
    "dgram+ipv4@",
    "dgram+ipv6@",
    "mptcp@",
    "mptcp4@",
    "mptcp6@",
];

pub fn parse(written: &str) -> Address<'_> {
    let text = written.strip_prefix("stream+").filter(|rest| rest.contains('@')).unwrap_or(written);
    let socket = |host: String| Address { host: Cow::Owned(host), socket: true, ..Address::default() };
    let kind = text.contains('@');
    for (prefix, shown) in [
        ("unix@", "unix:"),
        ("uxst@", "unix:"),
        ("uxdg@", "unix:"),
        ("abns@", "abns:"),
        ("abnsz@", "abns:"),
        ("fd@", "fd:"),
        ("sockpair@", "sockpair:"),
        ("rhttp@", "rhttp:"),
        ("rev@", "rhttp:"),
    ] {
        if kind && let Some(rest) = text.strip_prefix(prefix) {
            return socket(format!("{shown}{rest}"));
        }
    }
    if text.starts_with('/') {
        return socket(format!("unix:{text}"));
    }
    let text = KINDS.iter().filter(|_| kind).find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) if rest.is_empty() || rest.starts_with(':') => (host, rest.strip_prefix(':').unwrap_or_default()),
        Some(_) => (text, ""),
        // The last colon, also in `:::80`.
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let host = if host == "*" { "" } else { host };
    Address { host: Cow::Borrowed(host), port, socket: false, ip: is_ip(host) }
}

pub fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// What is wrong with a server's address, its port left out; none when nothing is, as far as the text tells.
pub fn fault(written: &str, address: &Address<'_>) -> Option<String> {
    let shown = || super::words::shown(written);
    let kind = written.split('@').next().filter(|_| written.contains('@')).unwrap_or_default();
    match kind {
        "fd" => return Some(format!("{}: a server cannot be an open file; write its address", shown())),
        "udp" | "udp4" | "udp6" | "quic4" | "quic6" | "dgram+ipv4" | "dgram+ipv6" => {
            return Some(format!("{}: servers are reached over TCP or a socket", shown()));
        }
        "ipv6" if address.host.parse::<std::net::Ipv4Addr>().is_ok() => return Some(format!("{} is no IPv6 address", shown())),
        _ if address.socket || address.host.is_empty() || address.ip => return None,
        _ => {}
    }
    let odd = address.host.contains(['@', ',', '[', ']', '/', ' ']);
    let digits = address.host.contains('.') && address.host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (odd || digits).then(|| format!("{} is neither an address nor a name", shown()))
}

/// What is wrong with the port of a bind (`listens`) or of a server; none when nothing is.
pub fn port_fault(address: &Address<'_>, listens: bool) -> Option<String> {
    let port = address.port;
    if address.socket {
        return None;
    }
    if port.is_empty() {
        return listens.then(|| "the address to listen on has no port; write `address:port`".to_owned());
    }
    let number = |text: &str| text.parse::<u32>().ok().filter(|port| *port <= 65_535);
    let fine = match (listens, port.split_once('-')) {
        (true, Some((low, high))) => matches!((number(low), number(high)), (Some(low), Some(high)) if low > 0 && low <= high),
        (true, None) => number(port).is_some_and(|port| port > 0),
        (false, _) => number(port.strip_prefix(['+', '-']).unwrap_or(port)).is_some(),
    };
    (!fine).then(|| format!("{} is no port; write a number from {} to 65535", super::words::shown(port), u8::from(listens)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_into_one_form() {
        let shown = |text: &str| parse(text).shown();
        for (written, wanted) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("ipv4@10.0.0.2:8080", "10.0.0.2:8080"),
            ("ipv6@::1:80", "[::1]:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("[::1]", "[::1]"),
            ("web.example.com", "web.example.com"),
            ("web:+100", "web:+100"),
            ("/run/x.sock", "unix:/run/x.sock"),
            ("unix@/run/x.sock", "unix:/run/x.sock"),
            ("abns@x", "abns:x"),
            ("fd@3", "fd:3"),
        ] {
            assert_eq!(shown(written), wanted);
        }
        assert_eq!(
            ["*:80", ":80", "0.0.0.0:80", ":::80"].map(|text| parse(text).listened()),
            ["*:80", "*:80", "*:80", "[::]:80"]
        );
        assert!(
            parse("web:80").is_name() && !parse("10.0.0.1:1").is_name() && !parse("/x").is_name() && !parse("[::1]:1").is_name()
        );
        for (text, listens, fine) in [
            (":80-90", true, true),
            (":90-80", true, false),
            (":", true, false),
            (":0", true, false),
            ("a:+5", false, true),
            ("a:99999", false, false),
            ("a:x", false, false),
        ] {
            assert_eq!(port_fault(&parse(text), listens).is_none(), fine, "{text}");
        }
    }
}
