//! The address of who asks, also behind proxies. Only what a trusted proxy says of others is believed: anybody can send
//! an `X-Forwarded-For`.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Goes through the header from its end, as far as trusted proxies wrote it. `peer` is the other end of the connection.
/// What cannot be read ends the way: then it is the last proxy that asks.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut client = peer.to_canonical();
    for hop in said.into_iter().rev() {
        if !trusted.iter().any(|net| net.contains(&client)) {
            break;
        }
        let Some(before) = read(hop) else { break };
        client = before.to_canonical();
    }
    client
}

/// An address, with a port or without.
fn read(hop: &str) -> Option<IpAddr> {
    let socket = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(socket)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().expect("a net")).collect();
        for (peer, lines, client) in [
            // Nobody in front: what a stranger claims is worth nothing.
            ("203.0.113.9", vec!["192.0.2.1"], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.1"], "192.0.2.1"),
            // What the client wrote itself stands before what the proxy added.
            ("10.0.0.1", vec!["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.7", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("::ffff:10.0.0.1", vec!["192.0.2.1:4711"], "192.0.2.1"),
            ("fd00::1", vec!["[2001:db8::5]:80"], "2001:db8::5"),
            ("10.0.0.1", vec!["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            assert_eq!(address(peer.parse().expect("peer"), &headers, &trusted).to_string(), client, "{peer} {lines:?}");
        }
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().expect("a name"), HeaderValue::from_static("192.0.2.1"))]);
        assert_eq!(address("10.0.0.1".parse().expect("peer"), &headers, &[]).to_string(), "10.0.0.1");
    }
}
