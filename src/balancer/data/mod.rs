//! One tree for configs written as JSON, YAML or TOML: each key and each value with the bytes that it covers.
//!
//! Knows no balancer, and refuses to guess: a broken text gives what stands before the break and a problem with its
//! place. Depth, number of values, size and alias expansion are bounded, so that no text can exhaust stack or memory.
//!
//! Crates: tokens of JSON from `jsonc-parser` (kept up by the dprint project, borrows strings, gives byte offsets);
//! YAML events from `granit-parser` (what `serde-saphyr` stands on, so that it is in the house already); TOML from
//! `toml` (the language's own crate, spans and recovery after errors).

mod build;
mod fields;
mod json;
mod said;
mod toml;
mod units;
mod yaml;

use std::borrow::Cow;
use std::ops::Range;

pub use fields::{Fields, Reader};
pub use said::{compact, snake};
pub use units::{go_duration_ms, proto_duration_ms};

/// Deepest nesting that is read.
pub const DEPTH_MAX: usize = 128;
/// Most values of a text, repeated ones of YAML aliases counted each time.
pub const NODES_MAX: usize = 1_500_000;
/// Longest text, in bytes.
pub const TEXT_MAX: usize = 64 << 20;
/// Most pools that are made of one config; each takes some kilobytes.
pub const POOLS_MAX: usize = 50_000;
/// Most problems that are told of one text.
const PROBLEMS_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Json,
    Yaml,
    Toml,
}

/// What a text says, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree<'a> {
    pub syntax: Syntax,
    /// One for JSON and TOML, any number for YAML; none when nothing could be read.
    pub documents: Vec<Node<'a>>,
    pub problems: Vec<Problem>,
}

/// Something that is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    pub span: Range<usize>,
    /// One sentence.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The text breaks the rules of its syntax; what follows may be missing from the tree.
    Syntax,
    /// A key that its map holds already. Both are kept.
    Duplicate,
    /// A YAML merge key (`<<`); it is carried out.
    Merge,
    /// Deeper, larger or more often repeated than is read; what follows is missing from the tree.
    Limit,
}

/// A value and the bytes that it covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    pub value: Value<'a>,
    start: u32,
    end: u32,
    /// Whether it stands here by reference (YAML alias or merge key): then its span is where it is written.
    pub shared: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// In the order in which they are written.
    Map(Vec<Entry<'a>>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    pub key: Cow<'a, str>,
    key_start: u32,
    key_end: u32,
    pub node: Node<'a>,
}

/// Reads `text`. Never fails: see [`Tree::problems`].
pub fn parse(syntax: Syntax, text: &str) -> Tree<'_> {
    if text.len() > TEXT_MAX {
        let told = format!(
            "the file has {} MB, more than the {} MB that are read: give only the part about routes, pools and servers",
            text.len() >> 20,
            TEXT_MAX >> 20
        );
        let problem = Problem { kind: ProblemKind::Limit, span: 0..0, text: told };
        return Tree { syntax, documents: Vec::new(), problems: vec![problem] };
    }
    match syntax {
        Syntax::Json => json::parse(text),
        Syntax::Yaml => yaml::parse(text),
        Syntax::Toml => toml::parse(text),
    }
}

/// The syntax of a file by its name, else by how its text begins.
pub fn syntax_of(name: &str, text: &str) -> Syntax {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("json") => return Syntax::Json,
        Some("yaml" | "yml") => return Syntax::Yaml,
        Some("toml") => return Syntax::Toml,
        _ => {}
    }
    let text = text.trim_start_matches('\u{feff}');
    let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')) else {
        return Syntax::Yaml;
    };
    let begins_header = |line: &str| line.strip_prefix('[').is_some_and(|rest| rest.starts_with(['[', '"', '\'']) || bare(rest));
    match first.as_bytes().first() {
        // A YAML flow map begins so too, but hardly with a quoted key or an end of line.
        Some(b'{') if matches!(first[1..].trim_start().as_bytes().first(), None | Some(b'"' | b'}')) => Syntax::Json,
        Some(b'[') if begins_header(first) && first.trim_end().ends_with(']') && !first.contains(',') => Syntax::Toml,
        Some(b'[') => Syntax::Json,
        _ => match first.find(['=', ':']) {
            Some(at) if first.as_bytes()[at] == b'=' && bare(first) => Syntax::Toml,
            _ => Syntax::Yaml,
        },
    }
}

/// Whether `text` begins like a bare key of TOML.
fn bare(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

impl<'a> Node<'a> {
    fn new(value: Value<'a>, span: Range<usize>) -> Self {
        Self { value, start: offset(span.start), end: offset(span.end), shared: false }
    }

    /// A map without fields that stands nowhere: for what is left out and has defaults.
    pub fn empty() -> Self {
        Self::new(Value::Map(Vec::new()), 0..0)
    }

    /// Bytes of the text that it covers.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The value of field `name` of a map, the last where it is written twice; see [`same_name`].
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.entry(name).map(|entry| &entry.node)
    }

    pub fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries().iter().rev().find(|entry| same_name(&entry.key, name))
    }

    /// Fields of a map; nothing for any other value.
    pub fn entries(&self) -> &[Entry<'a>] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Items of a list; nothing for any other value.
    pub fn items(&self) -> &[Node<'a>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The words of a single value: text, or a number or truth value as written.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            _ => None,
        }
    }

    /// A truth value, also where it is quoted.
    pub fn bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text == "true" => Some(true),
            Value::Text(text) if text == "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number, also where it is quoted (64-bit numbers of proto3 JSON) or written as `5.0` or `1e3`.
    pub fn i64(&self) -> Option<i64> {
        let (Value::Number(text) | Value::Text(text)) = &self.value else { return None };
        units::whole(text)
    }

    /// See [`Node::i64`]; none for a number below zero.
    pub fn u64(&self) -> Option<u64> {
        self.i64().and_then(|number| u64::try_from(number).ok())
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }
}

impl Entry<'_> {
    /// Bytes of the text that the key covers, quotes included.
    pub fn key_span(&self) -> Range<usize> {
        self.key_start as usize..self.key_end as usize
    }
}

/// Whether a written key is the field `name`: `lb_policy` is also `lbPolicy` (proto3 JSON), and case does not matter
/// (Go's JSON and Traefik's files).
pub fn same_name(written: &str, name: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> + '_ {
        text.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase())
    }
    written == name || letters(written).eq(letters(name))
}

/// Texts are shorter than [`TEXT_MAX`], so that every offset fits.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
