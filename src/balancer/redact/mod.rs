//! Secrets out of config text before anything is stored, a keyed fingerprint in.
//!
//! The fingerprint is the same for the same secret and key, so that a diff can say "secret changed" or
//! "same secret twice" while nobody can read or guess the value. It hides what it knows: directives that
//! carry secrets (`directives`) and strings that look like secrets anywhere (`patterns`), also in comments.
//! It does not guess by randomness of a string: names and hashes of certificates would be lost.

mod directives;
mod patterns;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

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
/// Two passes are the rule: one that replaces, one that finds nothing. Only text where one secret runs into
/// another takes more.
const MAX_PASSES: usize = 8;

/// Replaces every secret by `REDACTED-` and 12 hex digits of its HMAC-SHA256; every other byte stays.
/// Redacting twice changes nothing more. Linear in the length of the text.
pub fn redact(text: &str, key: &RedactionKey) -> Redacted {
    let mut out = Redacted { text: text.to_owned(), secrets: 0 };
    for _ in 0..MAX_PASSES {
        let found = find(&out.text);
        if found.is_empty() {
            break;
        }
        out.secrets += found.len();
        out.text = replace(&out.text, &found, key);
    }
    out
}

/// Where the secrets stand: ascending, none touching another's bytes.
fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    directives::find(text, &mut found);
    patterns::find(text, &mut found);
    found.retain(|range| !is_plain(&text[range.clone()]));
    found.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn replace(text: &str, found: &[Range<usize>], key: &RedactionKey) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for range in found {
        out.push_str(&text[copied..range.start]);
        out.push_str(&mark(&text[range.clone()], key));
        copied = range.end;
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

/// Whether a value gives nothing away: empty, redacted already, or only the name of an environment variable.
fn is_plain(value: &str) -> bool {
    if let Some(hex) = value.strip_prefix(MARK) {
        return hex.len() == DIGITS && hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let variable = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    value.trim().is_empty() || variable.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Whether a value is an expression that HAProxy fills in per request, such as `%[req.hdr(host)]` or `Bearer
/// %[var(txn.token)]`. One that holds a literal string is not.
fn is_computed(value: &str) -> bool {
    let expression = value.split_once(' ').filter(|(scheme, _)| is_scheme(scheme)).map_or(value, |(_, rest)| rest);
    let literal = ["str(", "bin(", "\"", "'"].iter().any(|part| expression.contains(part));
    expression.starts_with("%[") && expression.ends_with(']') && expression.matches("%[").count() == 1 && !literal
}

/// The word before the credentials in an `Authorization` header.
fn is_scheme(word: &str) -> bool {
    ["basic", "bearer", "token", "digest", "apikey"].contains(&word.to_ascii_lowercase().as_str())
}
