//! Middlewares that bear on balancing: retries, limits, who may come in. The others are named.

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader};
use super::super::model::{Retry, Setting};
use super::meant;

#[derive(Default)]
pub struct Middleware {
    /// Names of the middlewares that it stands for (`chain`).
    pub chain: Vec<String>,
    pub retry: Option<Retry>,
    /// Requests at once (`inFlightReq`), all clients together.
    pub in_flight: Option<Setting<u64>>,
    /// Whether it lets only chosen people or addresses through.
    pub guards: bool,
}

pub fn middleware(reader: &Reader, name: &str, node: &Node<'_>) -> Middleware {
    let fields = Fields::new(reader, node, format!("middleware {}", clean_name(name)));
    fields.skip(&["status", "usedBy", "error", "type", "provider", "name"]);
    let mut found = Middleware::default();
    if let Some(chain) = fields.get("chain") {
        let names = chain.get("middlewares").map(Node::items).unwrap_or_default();
        found.chain = names.iter().filter_map(|other| Some(meant(other.text()?, name))).collect();
    }
    if let Some(retry) = fields.get("retry") {
        found.retry = Some(self::retry(reader, retry));
    }
    for kind in ["inFlightReq", "inFlightConn"] {
        let Some(limit) = fields.get(kind) else { continue };
        let own = Fields::new(reader, limit, kind);
        let amount = own.number("amount");
        match own.get("sourceCriterion").filter(|criterion| !criterion.entries().is_empty()) {
            Some(_) => reader.note(limit, format!("`{kind}` limits each client, not the pool")),
            // Connections of one client.
            None if kind == "inFlightConn" => {}
            None => found.in_flight = amount,
        }
    }
    for kind in ["basicAuth", "digestAuth", "forwardAuth", "ipAllowList", "ipWhiteList"] {
        found.guards |= fields.get(kind).is_some();
    }
    fields.skip(&[
        "headers",
        "addPrefix",
        "stripPrefix",
        "stripPrefixRegex",
        "replacePath",
        "replacePathRegex",
        "redirectScheme",
    ]);
    fields.skip(&["redirectRegex", "compress", "contentType", "passTLSClientCert", "errors", "grpcWeb"]);
    fields.done();
    found
}

/// `attempts` counts the first try too (`pkg/middlewares/retry`).
fn retry(reader: &Reader, node: &Node<'_>) -> Retry {
    let fields = Fields::new(reader, node, "retry");
    fields.skip(&["initialInterval", "timeout", "maxRequestBodyBytes"]);
    let count = fields.number("attempts").map(|tries| Setting::new(tries.value.saturating_sub(1), tries.place));
    let mut on = Vec::new();
    if fields.bool("disableRetryOnNetworkError") != Some(true) {
        on.push("network-error".to_owned());
    }
    on.extend(fields.list("status").iter().filter_map(|status| Some(format!("http_{}", clean_name(status.text()?)))));
    let non_idempotent = fields.bool("retryNonIdempotentMethod") == Some(true);
    fields.done();
    Retry { count, on, non_idempotent, place: reader.place(node), ..Retry::default() }
}
