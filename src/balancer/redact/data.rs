//! Secrets by their place in JSON, YAML and TOML: the configs of Envoy and Traefik, and Caddy's JSON.
//!
//! Source: Envoy's API (fields marked `udpa.annotations.sensitive`, `DataSource`, `HeaderValue`, the filters oauth2,
//! basic_auth, api_key_auth, jwt_authn, lua, wasm, redis_proxy, credential_injector), Traefik's reference of its static and
//! dynamic configuration, Caddy's JSON modules. Text that does not parse, and what is commented out, is read by `flat`.

use std::ops::Range;

use super::names::{is_cookie, is_secret, is_secret_header};
use super::value::{self, is_path};
use super::{Secret, flat};
use crate::balancer::data::{self, Node, ProblemKind, Syntax, Value};
use crate::domain::balancer::BalancerKind;

/// Strings that Envoy reads as they stand, which are no secrets where these fields hold them. Everywhere else they are
/// hidden: a `DataSource` mostly holds keys, passwords or code.
const PUBLIC: [&str; 16] = [
    "response",
    "responsebody",
    "body",
    "textformatsource",
    "jsonformat",
    "trustedca",
    "certificatechain",
    "certchain",
    "rootcerts",
    "crl",
    "ocspstaple",
    "bodyformat",
    "authusername",
    "downstreamauthusername",
    "signedcertificatetimestamp",
    "defaultvalue",
];

/// What holds the value beside the name of a header or of a parameter.
pub(super) const VALUES: [&str; 14] = [
    "value",
    "values",
    "rawvalue",
    "exactmatch",
    "prefixmatch",
    "suffixmatch",
    "containsmatch",
    "stringmatch",
    "exact",
    "prefix",
    "suffix",
    "contains",
    "valuestring",
    "default",
];

/// Fields that are code, or keys under a name that says nothing.
pub(super) const WHOLE: [&str; 5] = ["inlinecode", "jsonkey", "salt", "hmacencoded", "caddyfile"];

pub(super) fn find(kind: BalancerKind, text: &str, found: &mut Vec<Secret>) {
    let syntax = data::syntax_of("", text);
    let tree = data::parse(syntax, text);
    let before = found.len();
    let mut walk = Walk { kind, text, syntax, found };
    for document in &tree.documents {
        walk.visit(document, "");
    }
    let faults = tree.problems.iter().filter(|problem| problem.kind == ProblemKind::Syntax).map(|problem| problem.span.start);
    if let Some(fault) = faults.min() {
        // What a reader makes of the line with the first fault, and of what follows, is a guess.
        let fault = text.get(..fault).and_then(|before| before.rfind('\n')).unwrap_or(0);
        let mut n = 0;
        found.retain(|secret| {
            n += 1;
            n <= before || secret.span.end <= fault
        });
    }
    match tree.problems.is_empty() {
        true => flat::find_in_comments(kind, syntax, text, found),
        false => flat::find(kind, syntax, text, found),
    }
}

/// A field's name without underscores, dashes and capitals: `inline_string` is also `inlineString`.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).take(100).collect()
}

struct Walk<'a> {
    kind: BalancerKind,
    text: &'a str,
    syntax: Syntax,
    found: &'a mut Vec<Secret>,
}

impl Walk<'_> {
    /// Reads a value that stands under `name`.
    fn visit(&mut self, node: &Node<'_>, name: &str) {
        for item in node.items() {
            self.visit(item, name);
        }
        let entries = node.entries();
        let named = ["key", "name", "header_name"].iter().filter_map(|field| node.get(field)?.text());
        let pair = named.into_iter().any(|text| is_secret_header(text) || (is_secret(text) && node.get("value").is_some()));
        let wasm = node.get("vm_config").is_some() || name == "vmconfig";
        for entry in entries {
            let field = plain_name(&entry.key);
            let value = &entry.node;
            let inline = field == "inlinestring" || field == "inlinebytes";
            if inline && name == "localjwks" {
                if value.text().is_some_and(is_private_jwks) {
                    self.leaf(value);
                }
            } else if (inline && !PUBLIC.contains(&name))
                || WHOLE.contains(&field.as_str())
                || (pair && VALUES.contains(&field.as_str()))
                || (field == "configuration" && wasm)
                || (field == "keys" && name.starts_with("sessionticket"))
                || (field == "key" && name == "credentials" && node.get("client").is_some())
            {
                self.leaves(value);
            } else if field == "users" {
                self.users(value);
            } else if is_header_map(name) && is_secret_header(&entry.key) {
                self.leaves(value);
            } else if is_secret(&entry.key) || (is_cookie(&entry.key) && is_texts(value)) {
                self.secret(&entry.key, value);
            }
            self.visit(value, &field);
        }
    }

    /// A field whose name says that it is secret: a value or a list of values. What stands deeper has names of its own.
    fn secret(&mut self, name: &str, node: &Node<'_>) {
        let password = name.to_ascii_lowercase().contains("pass");
        for node in node.items().iter().chain([node]) {
            if password || !node.text().is_some_and(is_path) {
                self.leaf(node);
            }
        }
    }

    /// `user:hash` and `user:realm:hash`.
    fn users(&mut self, node: &Node<'_>) {
        for node in node.items() {
            let inside = self.inside(node);
            if matches!(node.value, Value::Text(_))
                && let Some(colon) = self.text[inside.clone()].rfind(':')
            {
                self.push(inside.start + colon + 1..inside.end, false);
            }
        }
    }

    /// Everything below, except the names of types.
    fn leaves(&mut self, node: &Node<'_>) {
        self.leaf(node);
        node.items().iter().for_each(|node| self.leaves(node));
        for entry in node.entries().iter().filter(|entry| entry.key != "@type") {
            self.leaves(&entry.node);
        }
    }

    fn leaf(&mut self, node: &Node<'_>) {
        match node.value {
            Value::Text(_) => {
                let inside = self.inside(node);
                if let Some(part) = value::secret_part(self.kind, &self.text[inside.clone()]) {
                    self.push(inside.start + part.start..inside.start + part.end, false);
                }
            }
            Value::Number(_) => self.push(node.span(), self.syntax != Syntax::Yaml),
            _ => {}
        }
    }

    fn push(&mut self, span: Range<usize>, bare: bool) {
        self.found.push(Secret { span, bare });
    }

    /// The bytes of a text without its quotes, or without the head of a block scalar.
    fn inside(&self, node: &Node<'_>) -> Range<usize> {
        inside(self.text, node.span())
    }
}

pub(super) fn inside(text: &str, span: Range<usize>) -> Range<usize> {
    let Some(raw) = text.get(span.clone()) else { return span.start..span.start };
    if raw.starts_with(['|', '>'])
        && let Some(line) = raw.find('\n')
    {
        let body = raw[line..].trim();
        let start = span.start + line + (raw[line..].len() - raw[line..].trim_start().len());
        return start..start + body.len();
    }
    for quote in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(rest) = raw.strip_prefix(quote) {
            let body = rest.strip_suffix(quote).unwrap_or(rest);
            let begins = body.len() - if quote.len() == 3 { body.trim_start_matches(['\r', '\n']).len() } else { body.len() };
            let start = span.start + quote.len();
            return start + begins..start + body.len();
        }
    }
    let start = span.start + (raw.len() - raw.trim_start().len());
    start..start + raw.trim().len()
}

/// Maps from the names of headers to their values.
fn is_header_map(name: &str) -> bool {
    ["set", "add", "replace", "header", "headers", "request", "response"].contains(&name) || name.ends_with("headers")
}

fn is_texts(node: &Node<'_>) -> bool {
    matches!(node.value, Value::Text(_)) || node.items().iter().any(|node| matches!(node.value, Value::Text(_)))
}

/// Whether a set of JSON web keys holds private or symmetric ones (RFC 7518, section 6).
pub(super) fn is_private_jwks(text: &str) -> bool {
    ["\"d\"", "\"k\"", "\\\"d\\\"", "\\\"k\\\""].iter().any(|field| text.contains(field))
}
