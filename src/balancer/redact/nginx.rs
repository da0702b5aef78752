//! Secrets by their place in nginx's config language: headers and parameters by name, variables, maps, keys, code.
//!
//! Source: nginx's module references (http core, headers, proxy, fastcgi, uwsgi, scgi, grpc, map, rewrite, secure_link,
//! ssl, auth_jwt, oidc, mail auth_http, otel, core `env`), and those of the Lua, Perl and headers-more modules. Reads
//! tokens rather than the tree, so that neither depth nor a missing brace hides anything from it.

use std::ops::Range;

use super::names::{is_cookie, is_secret, is_secret_header, is_secret_variable};
use super::value::{self, is_path, is_scheme};
use crate::balancer::nginx::lex::{self, Kind};
use crate::domain::balancer::BalancerKind;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut reader = Reader { text, blocks: Vec::new(), words: Vec::new(), unbalanced: false, broken: false, found };
    let faults = reader.read(0..text.len());
    reader.end();
    if !faults && !reader.unbalanced && reader.blocks.is_empty() {
        return;
    }
    // A quote that is never closed takes all that follows into one word, and a brace too many ends the wrong block: read
    // line by line as well.
    reader.blocks.clear();
    reader.broken = true;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        reader.read(start..start + line.len());
        reader.end();
        start += line.len();
    }
    lua_blocks(text, reader.found);
}

/// How far the end of a Lua block is looked for in a broken text.
const LUA_MAX: usize = 64 << 10;

/// Lua blocks, each read from its own beginning on.
fn lua_blocks(text: &str, found: &mut Vec<Range<usize>>) {
    const NAME: &str = "_by_lua_block";
    let mut done = 0;
    for (at, _) in text.match_indices(NAME) {
        let open = at + NAME.len();
        if at < done || !text[open..].trim_start().starts_with('{') {
            continue;
        }
        let start = open + text[open..].len() - text[open..].trim_start().len() + 1;
        let near = &text[start..text.floor_char_boundary(start + LUA_MAX)];
        let code = &near[..lex::lua_end(near.as_bytes(), 0).unwrap_or(near.len())];
        done = start + code.len();
        let begins = start + (code.len() - code.trim_start().len());
        found.push(begins..begins + code.trim().len());
    }
}

struct Word {
    /// As nginx reads it.
    text: String,
    quoted: bool,
    /// Its bytes between the quotes.
    inside: Range<usize>,
}

/// What is needed of a block that is open.
#[derive(Clone, Copy, Default)]
struct Block {
    is_map: bool,
    /// A map from a secret: its keys are secret.
    keys: bool,
    /// A map to a secret: its values are secret.
    values: bool,
    /// Its brace was closed, in a text where that may be wrong.
    closed: bool,
}

struct Reader<'a> {
    text: &'a str,
    blocks: Vec<Block>,
    words: Vec<Word>,
    /// Whether a block was closed that was not open.
    unbalanced: bool,
    /// Whether braces cannot be trusted: then a block holds until the next one begins.
    broken: bool,
    found: &'a mut Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Reads one part of the text; whether nginx would refuse it.
    fn read(&mut self, part: Range<usize>) -> bool {
        let (tokens, faults) = lex::tokens(&self.text[part.clone()]);
        for token in tokens {
            let span = part.start + token.span.start..part.start + token.span.end;
            match token.kind {
                Kind::Word { quoted } => self.word(span, quoted),
                Kind::End => self.end(),
                Kind::Open => self.open(),
                Kind::Close => {
                    self.end();
                    match self.blocks.last_mut() {
                        Some(block) if self.broken => block.closed = true,
                        Some(_) => drop(self.blocks.pop()),
                        None => self.unbalanced = true,
                    }
                }
                Kind::Code => self.code(span),
                Kind::Comment => self.comment(span),
                Kind::Space | Kind::ByteOrderMark => {}
            }
        }
        !faults.is_empty()
    }

    fn word(&mut self, span: Range<usize>, quoted: bool) {
        let raw = &self.text[span.clone()];
        let closed = quoted && raw.len() > 1 && raw.ends_with(&raw[..1]);
        let inside = span.start + usize::from(quoted)..span.end - usize::from(closed);
        self.words.push(Word { text: lex::decoded(raw, quoted).into_owned(), quoted, inside });
    }

    /// What was commented out: that is where old passwords are kept. Read as a whole, and between further `#`, because
    /// one may stand in a quoted word or begin the next comment.
    fn comment(&mut self, span: Range<usize>) {
        let waiting = std::mem::take(&mut self.words);
        let inner = self.blocks.last().copied().into_iter().collect();
        let blocks = std::mem::replace(&mut self.blocks, inner);
        let body = self.text[span.clone()].trim_start_matches(['#', ' ', '\t']);
        let start = span.end - body.len();
        let parts = if body.contains('#') { body.split('#').collect() } else { Vec::new() };
        let mut at = start;
        for part in std::iter::once(body).chain(parts) {
            let (tokens, _) = lex::tokens(part);
            for token in tokens {
                let span = at + token.span.start..at + token.span.end;
                match token.kind {
                    Kind::Word { quoted } => self.word(span, quoted),
                    Kind::End | Kind::Open | Kind::Close => self.end(),
                    Kind::Code => self.code(span),
                    Kind::Comment | Kind::Space | Kind::ByteOrderMark => {}
                }
            }
            self.end();
            // The whole comes first, then its parts from the beginning.
            at = if part.len() == body.len() { start } else { at + part.len() + 1 };
        }
        self.words = waiting;
        self.blocks = blocks;
    }

    fn code(&mut self, span: Range<usize>) {
        let code = &self.text[span.clone()];
        let trimmed = code.trim();
        let start = span.start + (code.len() - code.trim_start().len());
        self.found.push(start..start + trimmed.len());
    }

    fn open(&mut self) {
        let argument = |index: usize| self.words.get(index).map_or("", |word| word.text.as_str());
        let is_map = argument(0) == "map";
        let block = Block {
            is_map,
            keys: is_map && is_secret_variable(argument(1)),
            values: is_map && is_secret_variable(argument(2)),
            closed: false,
        };
        self.end();
        if self.broken {
            self.blocks.clear();
        }
        self.blocks.push(block);
    }

    /// The words since the last `;`, `{` or `}` are one directive.
    fn end(&mut self) {
        let words = std::mem::take(&mut self.words);
        let Some(first) = words.first() else { return };
        match self.blocks.last() {
            Some(block) if block.is_map && (!block.closed || first.quoted || !is_directive(&first.text)) => {
                let Block { keys, values, .. } = *block;
                self.entry(&words, keys, values);
            }
            _ => self.directive(&first.text, &words),
        }
    }

    fn entry(&mut self, words: &[Word], keys: bool, values: bool) {
        if keys && words.len() > 1 && !["default", "include"].contains(&words[0].text.as_str()) {
            self.hide_pattern(&words[0]);
        }
        if let Some(word) = words.get(1).filter(|_| values) {
            self.hide(word);
        }
    }

    fn directive(&mut self, name: &str, words: &[Word]) {
        let argument = |index: usize| words.get(index).map_or("", |word| word.text.as_str());
        let last = words.len() - 1;
        let second = if words.len() > 2 { words.get(2) } else { None };
        match name {
            "proxy_set_header" | "grpc_set_header" | "add_header" | "add_trailer" | "auth_http_header" | "header" => {
                if let Some(word) = second.filter(|_| is_secret_header(argument(1))) {
                    self.hide(word);
                }
            }
            "fastcgi_param" | "uwsgi_param" | "scgi_param" | "proxy_param" => {
                let header = argument(1).strip_prefix("HTTP_").is_some_and(is_secret_header);
                if let Some(word) = second.filter(|_| header || is_secret(argument(1))) {
                    self.hide(word);
                }
            }
            "more_set_headers" | "more_set_input_headers" => words[1..].iter().for_each(|word| self.header(word)),
            "set" | "set_if_empty" | "js_var" => {
                if let Some(word) = second.filter(|_| is_secret(argument(1).trim_start_matches('$'))) {
                    self.hide(word);
                }
            }
            "if" => {
                let compared = |word: &Word| {
                    word.text.trim_start_matches('(').starts_with('$') && is_secret_variable(word.text.trim_start_matches('('))
                };
                if let Some(at) = words.iter().position(compared) {
                    words[at + 1..].iter().for_each(|word| self.hide_pattern(word));
                }
            }
            "secure_link_md5" | "secure_link_secret" | "secure_link_hmac_secret" => {
                words[1..].iter().for_each(|word| self.hide_literals(word));
            }
            "env" => {
                if let Some((word, at)) = words.get(1).and_then(|word| Some((word, self.text[word.inside.clone()].find('=')?))) {
                    self.found.push(word.inside.start + at + 1..word.inside.end);
                }
            }
            "perl" | "perl_set" => self.block_text(&words[last]),
            _ if name.ends_with("_by_lua") && last > 0 => self.block_text(&words[last]),
            _ if name.ends_with("certificate_key") || name == "external_account_key" => {
                for word in &words[1..] {
                    // Blocks are found by their looks, with the lines around them left.
                    let key = self.text[word.inside.clone()].strip_prefix("data:");
                    if let Some(key) = key.filter(|key| !key.starts_with("-----BEGIN ")) {
                        let start = word.inside.end - key.len();
                        let part = value::secret_part(BalancerKind::Nginx, key);
                        self.found.extend(part.map(|part| start + part.start..start + part.end));
                    }
                }
            }
            _ if is_secret_directive(name) => {
                if let Some(word) = words.get(1).filter(|word| !is_path(&word.text)) {
                    self.hide(word);
                }
            }
            _ => {}
        }
    }

    fn hide(&mut self, word: &Word) {
        if let Some(part) = value::secret_part(BalancerKind::Nginx, &self.text[word.inside.clone()]) {
            self.found.push(word.inside.start + part.start..word.inside.start + part.end);
        }
    }

    /// Code in quotes, all of it.
    fn block_text(&mut self, word: &Word) {
        self.code(word.inside.clone());
    }

    /// What stands between variables: `"$expires$uri secret"`.
    fn hide_literals(&mut self, word: &Word) {
        let raw = &self.text[word.inside.clone()];
        for span in value::literals(BalancerKind::Nginx, raw) {
            let literal = raw[span.clone()].trim();
            let start = word.inside.start + span.start + (raw[span.clone()].len() - raw[span].trim_start().len());
            if literal.contains(|c: char| c.is_alphanumeric()) {
                self.found.push(start..start + literal.len());
            }
        }
    }

    /// `Name: value` in one word.
    fn header(&mut self, word: &Word) {
        let raw = &self.text[word.inside.clone()];
        if let Some((name, text)) = raw.split_once(':').filter(|(name, _)| is_secret_header(name)) {
            let start = word.inside.start + name.len() + 1 + (text.len() - text.trim_start().len());
            if let Some(part) = value::secret_part(BalancerKind::Nginx, &self.text[start..word.inside.end]) {
                self.found.push(start + part.start..start + part.end);
            }
        }
    }

    /// A value, or an expression that a value is compared with, which is left alone when it only tells a shape.
    fn hide_pattern(&mut self, word: &Word) {
        let raw = &self.text[word.inside.clone()];
        let literal = raw.trim_start_matches(['~', '*', '^', '!', '=']);
        let start = word.inside.end - literal.len();
        let literal = literal.trim_end_matches(['$', ')']);
        let shape = raw.starts_with('~') && literal.contains(['(', '[', '*', '+', '|', '?']);
        if !shape
            && !is_scheme(literal.trim())
            && literal.contains(|c: char| c.is_alphanumeric())
            && let Some(part) = value::secret_part(BalancerKind::Nginx, literal)
        {
            self.found.push(start + part.start..start + part.end);
        }
    }
}

/// Whether a word is written like the name of a directive.
fn is_directive(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Whether a directive's own name says that its argument is a secret: `client_secret`, `encrypted_session_key`,
/// `redis_password`. Not the many `*_pass`, which name upstreams, nor `auth_jwt`, which names a realm.
fn is_secret_directive(name: &str) -> bool {
    let pass = name.contains("_pass") && !["_password", "_passphrase", "_passwd"].iter().any(|part| name.contains(part));
    let jwt = name.starts_with("auth_jwt") && !["auth_jwt_key", "auth_jwt_secret"].contains(&name);
    !pass && !jwt && !is_cookie(name) && (is_secret(name) || name == "encrypted_session_iv" || name == "auth_jwt_key")
}
