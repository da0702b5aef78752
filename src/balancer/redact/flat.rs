//! JSON, YAML and TOML read without their structure: names, and the values behind them, one after the other.
//!
//! For text that does not parse, where a tree would end at the first fault, and for what is commented out. It hides by
//! the same names as `data`, but does not know what stands within what.

use std::ops::Range;

use super::data::{VALUES, WHOLE, inside, plain_name};
use super::names::{is_cookie, is_secret, is_secret_header};
use super::{Secret, value};
use crate::balancer::data::Syntax;
use crate::domain::balancer::BalancerKind;

/// Reads all of `text`.
pub(super) fn find(kind: BalancerKind, syntax: Syntax, text: &str, found: &mut Vec<Secret>) {
    let mut reader = Reader { kind, syntax, text, found, name: String::new(), given: false, lists: 0, pair: 0, key: None };
    let mut start = 0;
    let mut never_closed = false;
    while start < text.len() {
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
        let rest = reader.line(start..end);
        start = end;
        match rest {
            None => {}
            Some(Rest::Deeper(head)) => {
                let deeper = |line: &&str| line.trim().is_empty() || depth(line) > head;
                let length = text[start..].split_inclusive('\n').take_while(deeper).map(str::len).sum::<usize>();
                reader.block(start..start + length);
                start += length;
            }
            Some(Rest::Until(quote)) if !never_closed => match text[start..].find(quote) {
                Some(length) => {
                    reader.block(start..start + length);
                    start += length + quote.len();
                }
                None => never_closed = true,
            },
            Some(Rest::Until(_)) => {}
        }
    }
}

/// What follows a line.
enum Rest {
    /// A block scalar: all lines that stand deeper than this, or are blank.
    Deeper(usize),
    /// A string of several lines, which ends with these quotes.
    Until(&'static str),
}

/// Reads the runs of lines that are comments, the `#` left out.
pub(super) fn find_in_comments(kind: BalancerKind, syntax: Syntax, text: &str, found: &mut Vec<Secret>) {
    let mut reader = Reader { kind, syntax, text, found, name: String::new(), given: false, lists: 0, pair: 0, key: None };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if line.trim_start().starts_with('#') {
            reader.line(start..end);
        } else {
            reader.name.clear();
            reader.pair = 0;
        }
        start = end;
    }
}

/// How far a line is indented, comment signs and list dashes included.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '#', '-']).len()
}

/// The head of a table in TOML: `[providers.redis]`.
fn is_table(line: &str) -> bool {
    let inside = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-[]\"".contains(&b)))
}

struct Reader<'a> {
    kind: BalancerKind,
    syntax: Syntax,
    text: &'a str,
    found: &'a mut Vec<Secret>,
    /// The name whose value comes next.
    name: String,
    /// Whether it has a value already; more may follow in a list.
    given: bool,
    /// Brackets that are open since the name.
    lists: usize,
    /// How many names further a value belongs to the header or parameter named before: `key: x-api-key`, `value: …`.
    pair: usize,
    /// The last `key: …`, which is secret if it is told whose it is: `client: …`.
    key: Option<Range<usize>>,
}

impl Reader<'_> {
    /// Reads a line; what follows if a text of several lines begins at its end.
    fn line(&mut self, line: Range<usize>) -> Option<Rest> {
        let raw = &self.text[line.clone()];
        let dashed = raw.trim_start_matches([' ', '\t', '#']).starts_with('-');
        if self.given && self.lists == 0 && !dashed {
            self.name.clear();
        }
        if is_table(raw.trim_end()) {
            self.name.clear();
            return None;
        }
        let mut at = line.start + depth(raw);
        let mut flow = 0_usize;
        while at < line.end {
            let rest = &self.text[at..line.end];
            match rest.as_bytes()[0] {
                open @ (b'{' | b'[') => {
                    self.lists += usize::from(open == b'[');
                    flow += 1;
                    at += 1;
                }
                close @ (b'}' | b']') => {
                    self.lists = self.lists.saturating_sub(usize::from(close == b']'));
                    flow = flow.saturating_sub(1);
                    self.name.clear();
                    at += 1;
                }
                b if b.is_ascii_whitespace() || b == b',' || b == b':' || b == b'=' => at += 1,
                b'#' => break,
                b'|' | b'>' if rest.trim_end().len() <= 3 => return Some(Rest::Deeper(depth(raw))),
                b'"' if rest.trim_end() == "\"\"\"" => return Some(Rest::Until("\"\"\"")),
                b'\'' if rest.trim_end() == "'''" => return Some(Rest::Until("'''")),
                _ => {
                    let scalar = self.scalar(at..line.end, flow > 0);
                    // Nothing but white space that is no ASCII has no end of its own.
                    at = scalar.end.max(at + rest.chars().next().map_or(1, char::len_utf8));
                    let after = self.text[at..line.end].trim_start_matches([' ', '\t']);
                    let spaced = self.text[at..line.end].starts_with([' ', '\t']);
                    let named = after.starts_with('=') || (after.starts_with(':') && (!spaced || after.starts_with(": ")));
                    if named { self.named(scalar) } else { self.valued(scalar) }
                }
            }
        }
        None
    }

    /// The bytes of the scalar that begins here, quotes included.
    fn scalar(&self, part: Range<usize>, flow: bool) -> Range<usize> {
        let raw = &self.text[part.clone()];
        let bytes = raw.as_bytes();
        let quote = bytes[0];
        let length = if quote == b'"' || quote == b'\'' {
            let mut at = 1;
            // YAML doubles a single quote that it means.
            let doubled = |at: usize| self.syntax == Syntax::Yaml && quote == b'\'' && bytes[at..].starts_with(b"''");
            while at < bytes.len() && (bytes[at] != quote || doubled(at)) && bytes[at] != b'\n' {
                at += if (bytes[at] == b'\\' && quote == b'"') || doubled(at) { 2 } else { 1 };
            }
            (at + usize::from(bytes.get(at) == Some(&quote))).min(bytes.len())
        } else {
            let ends = |(at, c): (usize, char)| match c {
                ',' | '}' | ']' | '{' | '[' => flow,
                ':' => raw[at + 1..].starts_with([' ', '\t', '\r', '\n']) || at + 1 == raw.len(),
                '=' => self.syntax == Syntax::Toml,
                '#' => raw[..at].ends_with(' '),
                _ => c == '\n',
            };
            let end = raw.char_indices().find(|found| ends(*found)).map_or(raw.len(), |(at, _)| at);
            raw[..end].trim_end().len()
        };
        part.start..self.text.floor_char_boundary(part.start + length)
    }

    fn named(&mut self, scalar: Range<usize>) {
        self.name = self.text[inside(self.text, scalar)].chars().take(100).collect();
        self.given = false;
        self.lists = 0;
        self.pair = self.pair.saturating_sub(1);
        let key = self.key.take();
        if self.name == "configuration" {
            self.pair = 3;
        } else if let Some(key) = key.filter(|_| self.name == "client") {
            self.push(key);
        }
    }

    fn valued(&mut self, scalar: Range<usize>) {
        let inside = inside(self.text, scalar.clone());
        self.given = true;
        let field = plain_name(&self.name);
        let text = &self.text[inside.clone()];
        self.key = (field == "key").then(|| inside.clone());
        let part = if ["key", "name", "headername"].contains(&field.as_str()) && (is_secret_header(text) || is_secret(text)) {
            self.pair = 3;
            None
        } else if field == "users" {
            text.rfind(':').map(|colon| colon + 1..text.len())
        } else if self.is_secret_field(&field) {
            value::secret_part(self.kind, text)
        } else {
            None
        };
        if let Some(part) = part {
            self.push(inside.start + part.start..inside.start + part.end);
        }
    }

    fn is_secret_field(&self, field: &str) -> bool {
        let header = self.name.contains('-') && is_secret_header(&self.name);
        ["inlinestring", "inlinebytes"].contains(&field)
            || WHOLE.contains(&field)
            || (self.pair > 0 && VALUES.contains(&field))
            || header
            || is_cookie(&self.name)
            || is_secret(&self.name)
    }

    /// The lines of a block scalar that belongs to the name before it.
    fn block(&mut self, lines: Range<usize>) {
        let body = self.text[lines.clone()].trim();
        let start = lines.start + (self.text[lines.clone()].len() - self.text[lines].trim_start().len());
        if self.is_secret_field(&plain_name(&self.name))
            && let Some(part) = value::secret_part(self.kind, body)
        {
            self.push(start + part.start..start + part.end);
        }
        self.name.clear();
    }

    fn push(&mut self, span: Range<usize>) {
        // A number in JSON would need quotes, but what does not parse need not parse afterwards.
        self.found.push(Secret { span, bare: false });
    }
}
