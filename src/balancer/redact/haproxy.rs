//! Secrets by their place in HAProxy's config language: directives, headers, variables, converters, comparisons.
//!
//! Source: HAProxy's configuration manual, sections 3.4 (userlists), 4.2 (keywords), 7.3.1 (converters). HAProxy has no
//! line continuation, so that each line is read alone and a broken one harms no other. Lines that were commented out are
//! read like the others: that is where old passwords are kept.

use std::ops::Range;

use super::names::{is_cookie, is_secret, is_secret_header};
use super::value::{self, is_scheme};
use crate::balancer::haproxy::tokens::{self, Token};
use crate::domain::balancer::BalancerKind;

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
    tokens: &'a [Token<'a>],
    found: &'a mut Vec<Range<usize>>,
}

impl Words<'_> {
    fn word(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &*token.text)
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
        if index < self.tokens.len() {
            let inside = self.inside(index);
            if let Some(part) = value::secret_part(BalancerKind::Haproxy, &self.line[inside.clone()]) {
                self.hide_range(inside.start + part.start..inside.start + part.end);
            }
        }
    }

    /// Hides what follows `mark` inside a word.
    fn hide_after(&mut self, index: usize, mark: &str) {
        let inside = self.inside(index);
        if let Some(at) = self.line[inside.clone()].find(mark) {
            self.hide_range(inside.start + at + mark.len()..inside.end);
        }
    }

    /// Hides the words from `index` on that belong to an action, up to its condition.
    fn hide_arguments(&mut self, index: usize) {
        for index in index..self.tokens.len() {
            if ["if", "unless"].contains(&self.word(index)) {
                break;
            }
            self.hide(index);
        }
    }

    fn read(&mut self) {
        // In a comment, other words may stand before a directive.
        for index in 0..self.tokens.len() {
            match [self.word(index), self.word(index + 1)] {
                ["insecure-password" | "dynamic-cookie-key", _] => self.hide(index + 1),
                ["stats", "auth"] if index + 2 < self.tokens.len() => self.hide_after(index + 2, ":"),
                _ => {}
            }
        }
        match [self.word(0), self.word(1)] {
            ["user", _] => {
                if let Some(at) = self.tokens.iter().position(|token| token.text == "password") {
                    self.hide(at + 1);
                }
            }
            ["setenv" | "presetenv", _] => self.hide(2),
            ["cluster-secret" | "acme-vars", _] => self.hide(1),
            ["lua-load" | "lua-load-per-thread", _] => self.hide_arguments(2),
            [_, action] if action.starts_with("lua.") => self.hide_arguments(2),
            ["tcp-check", "send" | "send-lf"] if self.tokens.len() > 2 => self.login(),
            _ => {}
        }
        for index in 0..self.tokens.len() {
            self.named(index);
            self.converters(index);
        }
        self.comparisons();
    }

    /// Headers, FastCGI parameters and variables with the name of a secret.
    fn named(&mut self, index: usize) {
        let word = self.word(index);
        let name = self.word(index + 1);
        match word {
            "set-header" | "add-header" | "hdr" if is_secret_header(name) => self.hide(index + 2),
            "replace-header" | "replace-value" if is_secret_header(name) => self.hide(index + 3),
            "set-param" if is_secret(name) || name.strip_prefix("HTTP_").is_some_and(is_secret_header) => self.hide(index + 2),
            _ if word.starts_with("set-var") => {
                let variable = word.split_once('(').map_or("", |(_, rest)| rest.split([',', ')']).next().unwrap_or_default());
                if !is_secret(variable) {
                } else if word.starts_with("set-var-fmt") {
                    self.hide(index + 1);
                } else if ["str(", "bin("].iter().any(|call| name.starts_with(call)) {
                    let span = self.tokens[index + 1].span.clone();
                    if let Some(literal) = argument(&self.line[span.clone()], 4, 0).filter(|literal| !literal.is_empty()) {
                        self.hide_range(span.start + literal.start..span.start + literal.end);
                    }
                }
            }
            _ => {}
        }
    }

    /// Logins of a health check: `tcp-check send AUTH\ password\r\n` (Redis), `PASS password`, `LOGIN user password`.
    fn login(&mut self) {
        let inside = self.inside(2);
        let raw = &self.line[inside.clone()];
        let mut words = raw.split(['\\', ' ']).filter(|word| !word.is_empty());
        let skipped = match words.find(|word| word.len() > 2).unwrap_or_default().to_ascii_lowercase().as_str() {
            "auth" | "pass" => 1,
            "login" => 2,
            _ => return,
        };
        let mut start = 0;
        for _ in 0..skipped {
            let Some(space) = raw[start..].find(' ') else { return };
            start += space + 1;
        }
        let end = raw.find("\\r").or_else(|| raw.find("\\n")).unwrap_or(raw.len());
        if start < end {
            self.hide_range(inside.start + start..inside.start + end);
        }
    }

    /// Literal keys of `hmac(alg,KEY)`, `jwt_verify(alg,KEY)`, `aes_gcm_dec(bits,nonce,KEY,tag)` and the like.
    fn converters(&mut self, index: usize) {
        const KEYED: [(&str, usize); 10] = [
            ("hmac(", 1),
            ("jwt_verify(", 1),
            ("jwt_decrypt_secret(", 0),
            ("jwt_decrypt_jwk(", 0),
            ("aes_gcm_enc(", 2),
            ("aes_gcm_dec(", 2),
            ("aes_cbc_enc(", 2),
            ("aes_cbc_dec(", 2),
            ("aes_ecb_enc(", 1),
            ("aes_ecb_dec(", 1),
        ];
        let span = self.tokens[index].span.clone();
        let raw = &self.line[span.clone()];
        if !raw.contains('(') {
            return;
        }
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
    let from = raw.get(from..).map_or(raw.len(), |_| from);
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

/// `req.hdr(x-api-key)`, `hdr_beg(authorization)`, `url_param(token)`, `req.cook(token)`, `var(txn.token)`. Cookies as a
/// whole are left out: rules that send people to a pool by a cookie are no secret.
fn fetches_secret(word: &str) -> bool {
    let Some((fetch, rest)) = word.split_once('(') else {
        return ["http_auth_bearer", "http_auth_pass"].contains(&word);
    };
    if fetch.starts_with("set-var") {
        return false;
    }
    let name = rest.split([',', ')']).next().unwrap_or_default().trim();
    let fetches = |names: &[&str]| names.iter().any(|name| fetch.contains(name));
    (fetches(&["hdr"]) && is_secret_header(name) && !is_cookie(name))
        || (fetches(&["url_param", "urlp", "cook", "var"]) && is_secret(name))
        || fetches(&["http_auth_bearer"])
}
