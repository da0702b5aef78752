//! Numbers, sizes, times and addresses as nginx reads them (src/core/ngx_string.c, ngx_parse.c, ngx_inet.c).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Decimal digits only.
pub fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= i64::MAX as u64)
}

/// Bytes: a number with `k` or `m`; with `g` too where the directive takes large ones.
pub fn size(text: &str, large: bool) -> Option<u64> {
    let (digits, scale) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') if large => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    number(digits)?.checked_mul(scale).filter(|n| *n <= i64::MAX as u64)
}

/// A time such as `1h 30m`, `500ms` or `10` (seconds), in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    time(text, false)
}

/// A time of whole seconds, which may be months and years, in seconds.
pub fn seconds(text: &str) -> Option<u64> {
    time(text, true)
}

/// Units in the order in which they may follow each other, with their seconds.
const UNITS: [(&str, u64); 8] =
    [("y", 31_536_000), ("M", 2_592_000), ("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1), ("ms", 0)];

fn time(text: &str, whole: bool) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    // The first unit that may still come; no months and years with milliseconds.
    let mut next = if whole { 0 } else { 2 };
    let thousand = if whole { 1 } else { 1000 };
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value = if digits == 0 { 0 } else { number(&rest[..digits])? };
        any |= digits > 0;
        rest = &rest[digits..];
        let unit = match rest.as_bytes() {
            [] => None,
            [b'm', b's', ..] => Some(7),
            [b' ', ..] => Some(8),
            [letter, ..] => Some(UNITS.iter().position(|(name, _)| name.as_bytes() == [*letter])?),
        };
        let (scale, length) = match unit {
            None => (thousand, 0),
            // A number and a space are seconds, and nothing may follow.
            Some(8) if next <= 6 => {
                next = 9;
                (thousand, 1)
            }
            Some(7) if !whole && next <= 7 => {
                next = 8;
                (1, 2)
            }
            Some(at) if at < 7 && at >= next => {
                next = at + 1;
                (UNITS[at].1 * thousand, 1)
            }
            Some(_) => return None,
        };
        total = total.checked_add(value.checked_mul(scale)?).filter(|n| *n <= i64::MAX as u64)?;
        rest = rest[length..].trim_start_matches(' ');
    }
    any.then_some(total)
}

/// What a server or a listener is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 address, `[v6]`, `unix:/path` or `*`; empty where only a port is written.
    pub host: String,
    pub port: Option<u16>,
    /// Whether the host is a number, a socket or every address.
    pub literal: bool,
}

impl Address {
    /// Reads `host[:port]`; where `port_only` a number alone is a port (`listen 80`). The error is what nginx says.
    pub fn parse(text: &str, port_only: bool) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err("no path in the unix domain socket"),
                108.. => Err("too long path in the unix domain socket"),
                _ => Ok(Self { host: text.to_owned(), port: None, literal: true }),
            };
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (inner, rest) = bracketed.split_once(']').ok_or("invalid host")?;
            inner.parse::<Ipv6Addr>().map_err(|_| "invalid IPv6 address")?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port_number(port)?),
                None if rest.is_empty() => None,
                None => return Err("invalid host"),
            };
            return Ok(Self { host: format!("[{inner}]"), port, literal: true });
        }
        if text.contains('/') {
            return Err("invalid host");
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port_number(port)?)),
            None if port_only && number(text).is_some() => ("", Some(port_number(text)?)),
            None => (text, None),
        };
        if host.is_empty() && (port.is_none() || !port_only || text.starts_with(':')) {
            return Err("no host");
        }
        if host == "*" && !port_only {
            return Err("no host, but a wildcard that only listen takes,");
        }
        let literal = host.is_empty() || host == "*" || host.parse::<Ipv4Addr>().is_ok();
        Ok(Self { host: host.to_owned(), port, literal })
    }

    /// `host:port` as people write it; every address is `*`.
    pub fn said(&self) -> String {
        let host = if self.host.is_empty() { "*" } else { &self.host };
        let Some(port) = self.port else { return host.to_owned() };
        let mut said = String::with_capacity(host.len() + ":65535".len());
        // `String` takes every write.
        let _ = write!(said, "{host}:{port}");
        said
    }
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    let port = number(text).ok_or("invalid port")?;
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or("invalid port")
}

/// An address, or one with the bits of its network.
pub fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let most = address.parse::<IpAddr>().map(|address| if address.is_ipv4() { 32 } else { 128 });
    most.is_ok_and(|most| bits.is_none_or(|bits| number(bits).is_some_and(|bits| bits <= most)))
}
