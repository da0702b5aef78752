//! What of a value is secret: not the scheme before it, not a value that the balancer fills in itself.

use std::ops::Range;

use super::{DIGITS, MARK, is_mark, patterns};
use crate::domain::balancer::BalancerKind;

/// Whether a value gives nothing away: empty, redacted already (here or by the balancer), a switch, or only the name of
/// an environment variable.
pub(super) fn is_plain(value: &str) -> bool {
    // The last ones are what Traefik does with logged headers, and what Envoy writes over a secret in its dumps.
    const WORDS: [&str; 15] = [
        "off",
        "on",
        "none",
        "null",
        "true",
        "false",
        "yes",
        "no",
        "required",
        "optional",
        "drop",
        "keep",
        "redact",
        "[redacted]",
        "W3JlZGFjdGVkXQ==",
    ];
    let value = value.trim();
    let variable = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    value.bytes().all(|b| b == b'*')
        || is_mark(value)
        || WORDS.contains(&value)
        || variable.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// The word before the credentials in an `Authorization` header.
pub(super) fn is_scheme(word: &str) -> bool {
    ["basic", "bearer", "token", "digest", "apikey", "key", "negotiate"].contains(&word.to_ascii_lowercase().as_str())
}

/// A path of a file, which may be shown: `/run/secrets/key`, `license.jwt`.
pub(super) fn is_path(value: &str) -> bool {
    const ENDINGS: [&str; 10] = [".pem", ".crt", ".cer", ".pub", ".key", ".jwt", ".json", ".txt", ".conf", ".jwk"];
    let named = ENDINGS.iter().any(|ending| value.ends_with(ending)) && !value.contains(['\n', ' ']);
    let spelled = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    let rooted = value.starts_with('/') || value.starts_with("./") || value.starts_with("../");
    named || (rooted && value.len() > 1 && value.bytes().all(spelled) && !super::entropy::is_random(value))
}

/// The bytes of `value`, as written between its quotes, that are secret. None where the balancer fills the value in
/// from elsewhere.
pub(super) fn secret_part(kind: BalancerKind, value: &str) -> Option<Range<usize>> {
    let start = after_scheme(value);
    let rest = &value[start..];
    (!is_plain(rest) && !is_computed(kind, rest) && !patterns::is_pem(rest)).then_some(start..value.len())
}

/// Where the credentials begin after `Basic `, `Bearer\ ` and the like.
pub(super) fn after_scheme(value: &str) -> usize {
    let word = value.find([' ', '\\']).unwrap_or(value.len());
    if !is_scheme(&value[..word]) {
        return 0;
    }
    let rest = value[word..].trim_start_matches(' ');
    let rest = rest.strip_prefix("\\ ").unwrap_or(rest).trim_start_matches(' ');
    let start = value.len() - rest.len();
    if start > word { start } else { 0 }
}

/// Whether everything in a value that could be secret is filled in per request or from the environment.
fn is_computed(kind: BalancerKind, value: &str) -> bool {
    let literals = literals(kind, value);
    let whole = literals.len() == 1 && literals[0] == (0..value.len());
    !whole && literals.into_iter().all(|span| value[span].split([';', ',', '&', ' ', '\t']).all(is_frame))
}

/// What may stand around a computed value: `name=`, an attribute of a cookie, a scheme, punctuation.
fn is_frame(part: &str) -> bool {
    const ATTRIBUTES: [&str; 8] = ["path=", "domain=", "max-age=", "expires=", "samesite=", "httponly", "secure", "partitioned"];
    let lower = part.to_ascii_lowercase();
    part.ends_with('=')
        || is_scheme(part)
        || !part.contains(|c: char| c.is_alphanumeric())
        || ATTRIBUTES.iter().any(|attribute| lower.starts_with(attribute))
}

/// The parts of a value that are no variable or expression of the balancer.
pub(super) fn literals(kind: BalancerKind, value: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < value.len() {
        let rest = &value[at..];
        match placeholder(kind, rest) {
            0 => at += rest.chars().next().map_or(1, char::len_utf8),
            length => {
                out.push(start..at);
                at += length;
                start = at;
            }
        }
    }
    out.push(start..value.len());
    out.retain(|span| !value[span.clone()].trim().is_empty());
    out
}

/// Longest expression that is looked for the end of, in bytes.
const EXPRESSION_MAX: usize = 512;

/// The length of the variable, expression or mark that `text` begins with; 0 for none, and for one with a literal in it.
fn placeholder(kind: BalancerKind, text: &str) -> usize {
    if text.get(..MARK.len() + DIGITS).is_some_and(is_mark) {
        return MARK.len() + DIGITS;
    }
    // A mark behind a name is no part of it.
    let name = |text: &str| {
        let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        text[..text.floor_char_boundary(length + 1)].find(MARK).unwrap_or(length)
    };
    let until = |open: &str, close: &str| {
        let inside = text.strip_prefix(open)?;
        let near = &inside[..inside.floor_char_boundary(EXPRESSION_MAX)];
        let end = near.find(close)?;
        Some((&inside[..end], open.len() + end + close.len()))
    };
    match kind {
        BalancerKind::Haproxy => {
            let literal = |inside: &str| ["str(", "bin(", "\"", "'"].iter().any(|part| inside.contains(part));
            until("%[", "]").filter(|(inside, _)| !literal(inside)).map_or(0, |(_, length)| length)
        }
        BalancerKind::Nginx => match text.strip_prefix("${") {
            Some(rest) => Some(name(rest)).filter(|n| *n > 0 && rest[*n..].starts_with('}')).map_or(0, |n| n + 3),
            None => text.strip_prefix('$').map_or(0, |rest| name(rest) + usize::from(name(rest) > 0)),
        },
        BalancerKind::Envoy => {
            let operator = |inside: &str| inside.starts_with(|c: char| c.is_ascii_uppercase());
            until("%", "%").filter(|(inside, _)| operator(inside)).map_or(0, |(_, length)| length)
        }
        BalancerKind::Traefik => until("{{", "}}").map_or(0, |(_, length)| length),
        BalancerKind::Caddy => {
            // `{$NAME:default}` holds a literal.
            let known = |inside: &str| {
                let default = inside.starts_with('$') && inside.contains(':');
                !default && !inside.is_empty() && !inside.contains([' ', '"', '{'])
            };
            until("{", "}").filter(|(inside, _)| known(inside)).map_or(0, |(_, length)| length)
        }
    }
}
