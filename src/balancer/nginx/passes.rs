//! What `proxy_pass` and its like name: an upstream, an address, or an expression.

use super::catalogue::{Contexts, STREAM_SERVER};
use super::declared::Declared;
use super::tree::Directive;
use super::values::Address;

pub const PASSES: [&str; 6] = ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub tls: bool,
    pub address: Address,
    /// What follows the address, from its `/`; only `proxy_pass` takes one.
    pub path: Option<String>,
}

/// Schemes that a directive takes, with whether they mean TLS, and whether one has to be there.
fn schemes(name: &str, stream: bool) -> (&'static [(&'static str, bool)], bool) {
    match name {
        "proxy_pass" if !stream => (&[("http://", false), ("https://", true)], true),
        "grpc_pass" => (&[("grpc://", false), ("grpcs://", true)], false),
        "uwsgi_pass" => (&[("uwsgi://", false), ("suwsgi://", true)], false),
        _ => (&[], false),
    }
}

/// Takes the scheme off; the error is what nginx says.
pub fn scheme<'a>(name: &str, text: &'a str, stream: bool) -> Result<(bool, &'a str), String> {
    let (known, needed) = schemes(name, stream);
    for (scheme, tls) in known {
        if text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return Ok((*tls, &text[scheme.len()..]));
        }
    }
    if needed { Err(format!("{name} takes a URL that begins with http:// or https://, not {text:?}")) } else { Ok((false, text)) }
}

/// Reads what a directive passes to, without variables.
pub fn read(name: &str, text: &str, stream: bool) -> Result<Url, String> {
    let (tls, rest) = scheme(name, text, stream)?;
    let with_path = name == "proxy_pass" && !stream;
    let (host, path) = match rest.strip_prefix("unix:") {
        Some(socket) if with_path => match socket.split_once(':') {
            Some((socket, path)) => (&rest[..5 + socket.len()], Some(path)),
            None => (rest, None),
        },
        None if with_path => rest.find(['/', '?']).map_or((rest, None), |at| (&rest[..at], Some(&rest[at..]))),
        _ => (rest, None),
    };
    let address = Address::parse(host, false).map_err(|why| format!("{why} in {text:?}"))?;
    Ok(Url { tls, address, path: path.filter(|path| !path.is_empty()).map(str::to_owned) })
}

/// Whether nginx refuses what the directive passes to.
pub fn refused(declared: &Declared, directive: &Directive, context: Contexts) -> Option<(usize, String)> {
    let name = directive.name.text.as_str();
    let text = directive.argument(0)?;
    if text.contains('$') {
        return None;
    }
    let stream = context == STREAM_SERVER;
    let url = match read(name, text, stream) {
        Ok(url) => url,
        Err(why) => return Some((0, why)),
    };
    let known = declared.upstreams[usize::from(stream)].contains(&url.address.host.to_ascii_lowercase());
    if known {
        let host = &url.address.host;
        return url
            .address
            .port
            .map(|port| (0, format!("the upstream {host:?} is named with the port {port}: take the port away")));
    }
    let needs_port = (stream || matches!(name, "fastcgi_pass" | "grpc_pass" | "memcached_pass" | "scgi_pass" | "uwsgi_pass"))
        && !url.address.host.starts_with("unix:");
    (needs_port && declared.complete && url.address.port.is_none())
        .then(|| (0, format!("no port in {text:?}, and no upstream has that name: add the port")))
}
