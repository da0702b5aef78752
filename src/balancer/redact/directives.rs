//! Secrets by their place in HAProxy's config language: known directives, headers, converters.
//!
//! Lines that were commented out are read like the others: that is where old passwords are kept.

use std::ops::Range;

use super::{is_computed, is_scheme};
use crate::balancer::haproxy::tokens::{self, Token};

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut rest = line.trim_end_matches(['\n', '\r']);
        let mut at = start;
        loop {
            let split = tokens::split(rest);
            Words { line: rest, at, tokens: &split.tokens, found: &mut *found }.read();
            let Some(comment) = split.comment else { break };
            let body = rest[comment..].trim_start_matches('#');
            at += rest.len() - body.len();
            rest = body;
        }
        start += line.len();
    }
}

/// The words of one line, and where the line stands in the whole text.
struct Words<'a> {
    line: &'a str,
    at: usize,
    tokens: &'a [Token],
    found: &'a mut Vec<Range<usize>>,
}

impl Words<'_> {
    fn word(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text.as_str())
    }

    /// The bytes inside the word's quotes.
    fn inside(&self, index: usize) -> Range<usize> {
        let span = self.tokens[index].span.clone();
        let raw = &self.line[span.clone()];
        let quoted = raw.len() >= 2 && ['"', '\''].iter().any(|quote| raw.starts_with(*quote) && raw.ends_with(*quote));
        if quoted { span.start + 1..span.end - 1 } else { span }
    }

    fn hide_range(&mut self, range: Range<usize>) {
        self.found.push(self.at + range.start..self.at + range.end);
    }

    fn hide(&mut self, index: usize) {
        if index < self.tokens.len() && !is_computed(self.word(index)) {
            self.hide_range(self.inside(index));
        }
    }

    /// Hides what follows `mark` inside a word.
    fn hide_after(&mut self, index: usize, mark: &str) {
        let inside = self.inside(index);
        if let Some(at) = self.line[inside.clone()].find(mark) {
            self.hide_range(inside.start + at + mark.len()..inside.end);
        }
    }

    fn read(&mut self) {
        match [self.word(0), self.word(1)] {
            ["user", _] => {
                let password = |t: &Token| t.text == "password" || t.text == "insecure-password";
                if let Some(at) = self.tokens.iter().position(password) {
                    self.hide(at + 1);
                }
            }
            ["stats", "auth"] if self.tokens.len() > 2 => self.hide_after(2, ":"),
            ["setenv" | "presetenv", _] => self.hide(2),
            ["dynamic-cookie-key" | "cluster-secret", _] => self.hide(1),
            // Redis: `tcp-check send AUTH\ password\r\n`.
            ["tcp-check", "send" | "send-lf"] if self.word(2).to_ascii_lowercase().starts_with("auth ") => self.redis(),
            _ => {}
        }
        for index in 0..self.tokens.len() {
            if ["set-header", "add-header", "hdr", "replace-header", "replace-value"].contains(&self.word(index)) {
                let value = if self.word(index).starts_with("replace") { index + 3 } else { index + 2 };
                if is_secret_name(self.word(index + 1)) {
                    self.hide(value);
                }
            }
            self.converters(index);
        }
        self.comparisons();
    }

    fn redis(&mut self) {
        let inside = self.inside(2);
        let raw = &self.line[inside.clone()];
        let Some(space) = raw.find(' ') else { return };
        let end = raw.find("\\r").or_else(|| raw.find("\\n")).unwrap_or(raw.len());
        if space + 1 < end {
            self.hide_range(inside.start + space + 1..inside.start + end);
        }
    }

    /// Literal keys of `hmac(alg,KEY)`, `jwt_verify(alg,KEY)`, `aes_gcm_dec(bits,nonce,KEY,tag)` and the like.
    fn converters(&mut self, index: usize) {
        const KEYED: [(&str, usize); 8] = [
            ("hmac(", 1),
            ("jwt_verify(", 1),
            ("jwt_decrypt_secret(", 0),
            ("aes_gcm_enc(", 2),
            ("aes_gcm_dec(", 2),
            ("aes_cbc_enc(", 2),
            ("aes_cbc_dec(", 2),
            ("aes_ecb_dec(", 1),
        ];
        let span = self.tokens[index].span.clone();
        let raw = &self.line[span.clone()];
        let mut hidden = Vec::new();
        for (name, wanted) in KEYED {
            for (at, _) in raw.match_indices(name) {
                if let Some(argument) = argument(raw, at + name.len(), wanted)
                    && !is_reference(&raw[argument.clone()])
                {
                    hidden.push(span.start + argument.start..span.start + argument.end);
                }
            }
        }
        hidden.into_iter().for_each(|range| self.hide_range(range));
    }

    /// What a secret header is compared with: `acl known req.hdr(x-api-key) -m str KEY`.
    fn comparisons(&mut self) {
        let mut comparing = false;
        let mut index = 0;
        while index < self.tokens.len() {
            let word = self.word(index);
            match word {
                "{" | "!{" | "}" | "if" | "unless" | "or" | "||" => comparing = false,
                "-m" if comparing => {
                    // These are followed by patterns of a shape, not by values.
                    comparing = !["found", "reg", "len", "int", "bool"].contains(&self.word(index + 1));
                    index += 1;
                }
                "-f" | "-M" if comparing => index += 1,
                _ if fetches_secret(word) => comparing = true,
                _ if comparing && !word.starts_with('-') && !is_scheme(word.trim().trim_start_matches('^')) => self.hide(index),
                _ => {}
            }
            index += 1;
        }
    }
}

/// The `wanted`-th argument from `from` on, without its quotes. Stops at the parenthesis that closes the call.
fn argument(raw: &str, from: usize, wanted: usize) -> Option<Range<usize>> {
    let mut quote = None;
    let (mut count, mut start) = (0, from);
    // An argument ends somewhere near; a megabyte of open calls must not be walked to its end for each.
    for (at, c) in raw[from..].char_indices().take(512).map(|(at, c)| (from + at, c)).chain([(raw.len(), ')')]) {
        match (quote, c) {
            (None, ',' | ')') => {
                if count == wanted {
                    let part = raw.get(start..at)?;
                    let inner = part.trim_matches([' ', '"', '\'', '\\']);
                    let skipped = part.len() - part.trim_start_matches([' ', '"', '\'', '\\']).len();
                    return Some(start + skipped..start + skipped + inner.len());
                }
                if c == ')' {
                    return None;
                }
                count += 1;
                start = at + 1;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// A variable, a file, or an empty place: nothing literal.
fn is_reference(argument: &str) -> bool {
    let scopes = ["proc.", "sess.", "txn.", "req.", "res.", "check."];
    let files = [".pem", ".crt", ".cer", ".pub", ".key"];
    argument.is_empty()
        || scopes.iter().any(|scope| argument.starts_with(scope))
        || argument.starts_with('@')
        || files.iter().any(|ending| argument.ends_with(ending))
}

/// Whether a header of this name carries credentials.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["cookie", "set-cookie"].contains(&name.as_str()) || is_credential(&name)
}

fn is_credential(name: &str) -> bool {
    const PARTS: [&str; 10] =
        ["token", "secret", "api-key", "apikey", "api_key", "passw", "credential", "access-key", "auth-key", "private-key"];
    ["authorization", "proxy-authorization"].contains(&name) || name.ends_with("-auth") || PARTS.iter().any(|p| name.contains(p))
}

/// `req.hdr(x-api-key)`, `hdr_beg(authorization)`, `url_param(token)`, `req.cook(token)`. Cookies as a whole are
/// left out: rules that send people to a pool by a cookie are no secret.
fn fetches_secret(word: &str) -> bool {
    let Some((fetch, rest)) = word.split_once('(') else { return word == "http_auth_bearer" };
    let known = ["hdr", "url_param", "urlp", "cook"].iter().any(|name| fetch.contains(name));
    let name = rest.split([',', ')']).next().unwrap_or_default();
    known && is_credential(&name.trim().to_ascii_lowercase())
}
