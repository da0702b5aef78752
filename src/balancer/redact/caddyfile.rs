//! Secrets by their place in a Caddyfile: accounts, headers by name, tokens of providers, keys of policies.
//!
//! Source: Caddy's documentation of the Caddyfile (directives, global options, `tls`, `reverse_proxy`, `basic_auth`) and
//! of the DNS and storage modules. The JSON that Caddy makes of it is read by `data`.

use std::ops::Range;

use super::names::{is_secret, is_secret_header};
use super::value::{self, is_path};
use crate::domain::balancer::BalancerKind;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut reader = Reader { text, blocks: Vec::new(), found };
    if !reader.read(0..text.len()) {
        return;
    }
    // A quote that is never closed takes all that follows into one word: read line by line as well.
    reader.blocks.clear();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        reader.read(start..start + line.len());
        start += line.len();
    }
}

struct Reader<'a> {
    text: &'a str,
    /// The first words of the blocks that are open.
    blocks: Vec<String>,
    found: &'a mut Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Reads one part of the text; whether a quote was left open.
    fn read(&mut self, part: Range<usize>) -> bool {
        let bytes = self.text.as_bytes();
        // The bytes of each word of the line, quotes left out.
        let mut words: Vec<Range<usize>> = Vec::new();
        let mut open = false;
        let mut at = part.start;
        while at < part.end {
            match bytes[at] {
                b'\n' => {
                    self.line(&words);
                    words.clear();
                    at += 1;
                }
                b if b.is_ascii_whitespace() => at += 1,
                b'#' => {
                    let end = self.text[at..part.end].find('\n').map_or(part.end, |n| at + n);
                    self.comment(at..end);
                    at = end;
                }
                quote @ (b'"' | b'`') => {
                    let start = at + 1;
                    let mut end = start;
                    while end < part.end && bytes[end] != quote {
                        end += if bytes[end] == b'\\' && quote == b'"' { 2 } else { 1 };
                    }
                    open |= end >= part.end;
                    words.push(start..end.min(part.end));
                    at = end.min(part.end) + 1;
                }
                _ => {
                    let length = bytes[at..part.end].iter().position(u8::is_ascii_whitespace).unwrap_or(part.end - at);
                    words.push(at..at + length);
                    at += length;
                }
            }
        }
        self.line(&words);
        open
    }

    /// What was commented out, cut at further `#`.
    fn comment(&mut self, span: Range<usize>) {
        let blocks = std::mem::take(&mut self.blocks);
        let mut at = span.start;
        for part in self.text[span].split('#') {
            self.blocks.clear();
            self.blocks.extend(blocks.last().cloned());
            self.line(&words_of(part, at));
            at += part.len() + 1;
        }
        self.blocks = blocks;
    }

    fn word(&self, words: &[Range<usize>], index: usize) -> &str {
        words.get(index).and_then(|span| self.text.get(span.clone())).unwrap_or_default()
    }

    fn line(&mut self, words: &[Range<usize>]) {
        let closing = (0..words.len()).take_while(|at| self.word(words, *at) == "}").count();
        self.blocks.truncate(self.blocks.len().saturating_sub(closing));
        let words = &words[closing..];
        if words.is_empty() {
            return;
        }
        self.directive(words);
        if self.word(words, words.len() - 1) == "{" {
            let matcher = self.word(words, 0).starts_with('@');
            let name = self.word(words, usize::from(matcher && words.len() > 2)).to_owned();
            self.blocks.push(name);
        }
    }

    fn directive(&mut self, words: &[Range<usize>]) {
        let name = self.word(words, 0).to_owned();
        let block = self.blocks.last().map_or("", String::as_str).to_owned();
        match (block.as_str(), name.as_str()) {
            // `user hash [salt]`
            ("basic_auth" | "basicauth", _) => self.hide_from(words, 1),
            (_, "lb_policy") if self.word(words, 1) == "cookie" => self.hide(words, 3),
            (_, "acme_dns" | "dns" | "provider") => self.hide_from(words, 2),
            (_, "crypto") if self.word(words, 1) == "key" => self.hide(words, words.len() - 1),
            (_, "env" | "vars" | "set") if is_secret(self.word(words, 1)) => self.hide(words, 2),
            ("header" | "request_header" | "header_up" | "header_down" | "health_headers" | "headers", _) if is_header(&name) => {
                self.hide_from(words, 1);
            }
            _ if is_secret(&name) && words.len() > 1 && !is_path(self.word(words, 1)) => self.hide(words, 1),
            _ => {}
        }
        const HEADERS: [&str; 6] = ["header", "header_up", "header_down", "request_header", "header_regexp", "set_header"];
        if let Some(at) = (0..words.len().min(3)).find(|at| HEADERS.contains(&self.word(words, *at))) {
            // A matcher may stand between: `header /api/* X-Api-Key value`.
            let named = (at + 1..words.len().min(at + 3)).find(|at| is_header(self.word(words, *at)));
            if let Some(named) = named {
                self.hide_from(words, named + 1);
            }
        }
    }

    fn hide_from(&mut self, words: &[Range<usize>], index: usize) {
        (index..words.len()).for_each(|index| self.hide(words, index));
    }

    fn hide(&mut self, words: &[Range<usize>], index: usize) {
        let value = self.word(words, index);
        if value == "{" || value.is_empty() {
            return;
        }
        if let Some(part) = value::secret_part(BalancerKind::Caddy, value) {
            let start = words[index].start;
            self.found.push(start + part.start..start + part.end);
        }
    }
}

/// The words of a comment, quotes left out.
fn words_of(part: &str, at: usize) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    for (n, c) in part.char_indices().chain([(part.len(), ' ')]) {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) if n < part.len() => {}
            (None, '"' | '`') if start.is_none() => {
                quote = Some(c);
                start = Some(n);
            }
            _ if c.is_whitespace() => {
                if let Some(begin) = start.take() {
                    let word = part[begin..n].trim_matches(['"', '`']);
                    let skipped = part[begin..n].len() - part[begin..n].trim_start_matches(['"', '`']).len();
                    words.push(at + begin + skipped..at + begin + skipped + word.len());
                }
                quote = None;
            }
            _ => {
                start.get_or_insert(n);
            }
        }
    }
    words
}

/// A secret header's name as the Caddyfile writes it: `+X-Api-Key`, `>Authorization`, `Cookie:`.
fn is_header(word: &str) -> bool {
    is_secret_header(word.trim_start_matches(['+', '-', '?', '>']).trim_end_matches(':'))
}
