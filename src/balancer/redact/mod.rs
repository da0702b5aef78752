//! Secrets out of config text before anything is stored, a keyed fingerprint in.
//!
//! The fingerprint is the same for the same secret and key, so that a diff can say "secret changed" or "same secret
//! on three servers" while nobody can read or guess the value. Three passes, whose finds are put together:
//!
//! 1. by place: directives, fields and headers that carry secrets in the language of the balancer (`haproxy`,
//!    `nginx`, `caddyfile`, and `data` for JSON, YAML and TOML); `names` holds what a secret is called;
//! 2. by looks, anywhere and in comments too (`patterns`): keys, tokens of known services, passwords in addresses,
//!    `password=…`;
//! 3. by chance (`entropy`): long strings that only a random generator writes, except where hashes, ids and host
//!    names stand.
//!
//! Text that its language cannot read is still read line by line. What is hidden and what is not: docs/redaction.md.

mod assigned;
mod caddyfile;
mod data;
mod entropy;
mod flat;
mod haproxy;
mod names;
mod nginx;
mod patterns;
mod services;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_by_kind;
mod value;

use std::fmt;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::data::Syntax;
use super::source::Source;
use crate::domain::balancer::BalancerKind;

/// The key of the fingerprints. Whoever has it can test guesses against stored text, so that `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedactionKey(pub [u8; 32]);

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    pub text: String,
    /// How many values were replaced by this call; 0 for text that is clean or was redacted before.
    pub secrets: usize,
}

const MARK: &str = "REDACTED-";
/// Hex digits of the fingerprint: 48 bits.
const DIGITS: usize = 12;
/// Two rounds are the rule: one that replaces, one that finds nothing. Only text where one secret runs into another takes
/// more: these at least, and as many as it needs while they read no more than [`READ_MAX`] bytes together.
const ROUNDS: usize = 16;
const READ_MAX: usize = 16 * 1024 * 1024;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Secret {
    span: Range<usize>,
    /// Whether the mark needs quotes, because a number stands here without them.
    bare: bool,
}

/// Replaces every secret of `text`, one config file or several as [`Source::joined`] writes them, by `REDACTED-` and 12
/// hex digits of its HMAC-SHA256; every other byte stays. Redacting twice changes nothing more. Takes any text, also
/// one that is no config. Time grows with the length of the text.
pub fn redact(kind: BalancerKind, text: &str, key: &RedactionKey) -> Redacted {
    let mut out = Redacted { text: text.to_owned(), secrets: 0 };
    for _ in 0..ROUNDS.max(READ_MAX / text.len().max(1)) {
        let found = find(kind, &out.text);
        if found.is_empty() {
            break;
        }
        out.secrets += found.len();
        out.text = replace(&out.text, &found, key);
    }
    out
}

/// The marks in redacted text, in order: the bytes where each stands and the mark itself, `REDACTED-0123456789ab`.
///
/// Equal marks are equal secrets, in one config or in several that were redacted with one key; a mark that gave way
/// to another at the same place is a secret that changed. A secret counts as it is written: the same password with and
/// without escapes gives two marks. [`super::source::Lines`] makes lines of the bytes.
pub fn fingerprints(text: &str) -> Vec<(Range<usize>, &str)> {
    let marks = text.match_indices(MARK).filter_map(|(at, _)| {
        let span = at..at + MARK.len() + DIGITS;
        let mark = text.get(span.clone())?;
        is_mark(mark).then_some((span, mark))
    });
    marks.collect()
}

/// Where the secrets stand: ascending, none touching another's bytes.
fn find(kind: BalancerKind, text: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    for file in Source::spans(text) {
        let part = &text[file.clone()];
        let mut here = Vec::new();
        let mut spans = Vec::new();
        match kind {
            BalancerKind::Haproxy => haproxy::find(part, &mut spans),
            BalancerKind::Nginx => nginx::find(part, &mut spans),
            BalancerKind::Caddy if !is_json(part) => {
                caddyfile::find(part, &mut spans);
                if part.contains("\":") {
                    // JSON that is broken at its beginning.
                    flat::find(kind, Syntax::Json, part, &mut here);
                }
            }
            BalancerKind::Envoy | BalancerKind::Traefik | BalancerKind::Caddy => data::find(kind, part, &mut here),
        }
        patterns::find(part, &mut spans);
        entropy::find(part, &mut spans);
        here.extend(spans.into_iter().map(|span| Secret { span, bare: false }));
        here.retain(|secret| !value::is_plain(&part[secret.span.clone()]));
        found.extend(
            here.into_iter().map(|Secret { span, bare }| Secret { span: file.start + span.start..file.start + span.end, bare }),
        );
    }
    found.sort_by_key(|secret| (secret.span.start, secret.span.end));
    let mut merged: Vec<Secret> = Vec::with_capacity(found.len());
    for secret in found {
        match merged.last_mut() {
            Some(last) if last.span == secret.span => last.bare |= secret.bare,
            Some(last) if secret.span.start < last.span.end => {
                last.bare &= secret.bare;
                last.span.end = last.span.end.max(secret.span.end);
            }
            _ => merged.push(secret),
        }
    }
    merged
}

/// Whether a config of Caddy is JSON rather than a Caddyfile, which may begin with `{` too.
fn is_json(text: &str) -> bool {
    let inside = text.trim_start_matches('\u{feff}').trim_start().strip_prefix('{');
    inside.map(str::trim).is_some_and(|inside| inside.starts_with('"') || inside == "}")
}

fn replace(text: &str, found: &[Secret], key: &RedactionKey) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for Secret { span, bare } in found {
        out.push_str(&text[copied..span.start]);
        let mark = mark(&text[span.clone()], key);
        match bare {
            true => out.extend(["\"", &mark, "\""]),
            false => out.push_str(&mark),
        }
        copied = span.end;
    }
    out.push_str(&text[copied..]);
    out
}

fn mark(secret: &str, key: &RedactionKey) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(secret.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    format!("{MARK}{hex}")
}

fn is_mark(text: &str) -> bool {
    let digits = text.strip_prefix(MARK).map(str::as_bytes);
    digits.is_some_and(|hex| hex.len() == DIGITS && hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}
