//! Text that was given to be read, and places in it.
//!
//! Opens no file: whoever may do that hands the text in, and answers [`Files`] for what a config includes.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::time::shorten;

/// One file of a config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The path as people write it; what stands in messages.
    pub name: String,
    /// Shared with the places in it.
    pub text: Arc<str>,
}

/// Marks the beginning of a file in a text that holds several, as `nginx -T` prints it. It is a comment in the
/// config languages of HAProxy, nginx, YAML and TOML.
const FILE_MARK: &str = "# configuration file ";

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The files of a text whose first line with words is `# configuration file PATH:`, as `nginx -T` prints it and
    /// as [`Source::joined`] writes it; any other text is one file called `name`.
    pub fn split(name: &str, text: &str) -> Vec<Self> {
        let begins = |line: &str| -> Option<String> {
            let path = line.trim_end().strip_prefix(FILE_MARK)?.strip_suffix(':')?;
            (!path.is_empty()).then(|| path.to_owned())
        };
        let first = text.lines().find(|line| !line.trim().is_empty()).and_then(begins);
        if first.is_none() {
            return vec![Self::new(name, text)];
        }
        // The first byte of each file behind its mark; blank lines before the first one belong to none.
        let mut files: Vec<(String, Range<usize>)> = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            at += line.len();
            match (begins(line), files.last_mut()) {
                (Some(path), _) => files.push((path, at..at)),
                (None, Some((_, bytes))) => bytes.end = at,
                (None, None) => {}
            }
        }
        files.into_iter().map(|(path, bytes)| Self::new(path, &text[bytes])).collect()
    }

    /// The bytes of `text` that are contents of files: all of it, or what stands between the marks of several.
    pub fn spans(text: &str) -> Vec<Range<usize>> {
        let begins =
            |line: &str| line.trim_end().strip_prefix(FILE_MARK).is_some_and(|path| path.len() > 1 && path.ends_with(':'));
        if !text.lines().find(|line| !line.trim().is_empty()).is_some_and(begins) {
            return std::iter::once(0..text.len()).collect();
        }
        let (mut spans, mut start, mut at) = (Vec::new(), 0, 0);
        for line in text.split_inclusive('\n') {
            if begins(line) {
                spans.push(start..at);
                start = at + line.len();
            }
            at += line.len();
        }
        spans.push(start..at);
        spans
    }

    /// One text that [`Source::split`] takes apart again. A file that stands alone is left as it is.
    pub fn joined(files: &[Self]) -> String {
        if let [only] = files {
            return only.text.to_string();
        }
        let mut out = String::new();
        for file in files {
            out.push_str(FILE_MARK);
            out.push_str(&file.name);
            out.push_str(":\n");
            out.push_str(&file.text);
            if !file.text.ends_with('\n') {
                out.push('\n');
            }
        }
        out
    }
}

/// Answers what a config asks to include.
pub trait Files: Send {
    /// The files that `pattern` (a path, or one with `*`) names, sorted by path, seen from the file called `from`.
    /// The error is one sentence for people.
    fn read(&mut self, pattern: &str, from: &str) -> Result<Vec<Source>, String>;

    /// Whether it can look at all: if not, what it does not find may well be there.
    fn opens(&self) -> bool {
        true
    }
}

/// Nothing can be opened: what a config includes stays out, and is told as a notice.
#[derive(Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, _pattern: &str, _from: &str) -> Result<Vec<Source>, String> {
        Err("only the text itself was given, so that files which it includes are not looked at".to_owned())
    }

    fn opens(&self) -> bool {
        false
    }
}

/// Longest raw text that a place shows, in characters.
pub const RAW_MAX: usize = 300;

/// What the places of a file share: its text, and the conditions (HAProxy `.if`) around them.
#[derive(Debug, Default)]
pub struct Origin {
    /// Index into the model's `files`.
    pub file: usize,
    text: Arc<Text>,
    when: Option<String>,
}

#[derive(Debug, Default)]
struct Text {
    text: Arc<str>,
    /// Number of the first line; 0 for no place at all.
    first: usize,
    /// Made when the first line or column is asked for.
    lines: OnceLock<Lines>,
}

impl Origin {
    /// `file` is the index of the file in the model.
    pub fn new(file: usize, text: impl Into<Arc<str>>) -> Arc<Self> {
        Self::from_line(file, text.into(), 1)
    }

    fn from_line(file: usize, text: Arc<str>, first: usize) -> Arc<Self> {
        let text = Arc::new(Text { text, first, lines: OnceLock::new() });
        Arc::new(Self { file, text, when: None })
    }

    /// The same file where `when` decides whether it is read.
    pub fn under(&self, when: Option<String>) -> Arc<Self> {
        Arc::new(Self { file: self.file, text: self.text.clone(), when })
    }

    /// The conditions that decide whether this is read at all, as written.
    pub fn when(&self) -> Option<&str> {
        self.when.as_deref()
    }
}

/// Where a node of a model stands. Two places are always equal: two configs that say the same have equal models,
/// wherever and however they say it.
///
/// A model has a handful of them for every line, so that they are small: offsets into the text that all places of a
/// file share, 4 GiB at most. Lines and columns are counted when they are asked for.
#[derive(Clone, Default)]
pub struct Place {
    /// None for no place at all.
    origin: Option<Arc<Origin>>,
    start: u32,
    end: u32,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Place {
    /// The bytes `span` of `origin`.
    pub fn new(origin: &Arc<Origin>, span: Range<usize>) -> Self {
        let [start, end] = [span.start, span.end].map(offset);
        Self { origin: Some(origin.clone()), start, end }
    }

    /// A line of a file of which no text is at hand.
    pub fn of_line(file: usize, line: usize) -> Self {
        Self::new(&Origin::from_line(file, Arc::default(), line), 0..0)
    }

    /// Whether it is a place at all: what comes from nowhere in a config has none.
    pub fn is_written(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.text.first > 0)
    }

    /// Whether both begin at the same byte of the same file, and are not only equal as all places are.
    pub fn is(&self, other: &Self) -> bool {
        (self.file(), self.start) == (other.file(), other.start)
    }

    /// Index into the model's `files`.
    pub fn file(&self) -> usize {
        self.origin.as_ref().map_or(0, |origin| origin.file)
    }

    /// 1-based; 0 for no place at all.
    pub fn line(&self) -> usize {
        self.spot().0
    }

    /// 1-based, in characters; 0 for no place at all.
    pub fn column(&self) -> usize {
        self.spot().1
    }

    /// Line and column.
    pub fn spot(&self) -> (usize, usize) {
        let Some(origin) = &self.origin else { return (0, 0) };
        let Text { text, first, lines } = &*origin.text;
        if *first == 0 {
            return (0, 0);
        }
        let (line, column) = lines.get_or_init(|| Lines::new(text)).locate(text, self.start as usize);
        (first + line - 1, column)
    }

    /// Bytes of the file that say the node: its words, of a block its head.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What stands there, on one line, cut after 300 characters.
    pub fn raw(&self) -> String {
        let Some(origin) = &self.origin else { return String::new() };
        let text = origin.text.text.get(self.span()).unwrap_or_default();
        let (mut raw, mut length, mut space) = (String::new(), 0, false);
        // No further than is shown: one word may be megabytes long, and have thousands of places.
        for c in text.chars() {
            if c.is_whitespace() {
                space = length > 0;
                continue;
            }
            if std::mem::take(&mut space) {
                raw.push(' ');
                length += 1;
            }
            raw.push(c);
            length += 1;
            if length > RAW_MAX {
                break;
            }
        }
        super::printable(shorten(&raw, RAW_MAX))
    }

    /// The conditions (HAProxy `.if`) that decide whether this is read at all, as written.
    pub fn when(&self) -> Option<&str> {
        self.origin.as_ref()?.when()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.spot();
        write!(f, "{}:{line}:{column} {:?}", self.file(), self.raw())
    }
}

/// A [`Place`] for readers outside.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
struct Written<'a> {
    /// Index into the model's `files`.
    file: usize,
    /// 1-based.
    line: usize,
    /// 1-based, in characters.
    column: usize,
    /// Bytes of the file that say the node: its words, of a block its head.
    start: usize,
    end: usize,
    /// What stands there, on one line, cut after 300 characters.
    raw: String,
    /// The conditions (HAProxy `.if`) that decide whether this is read at all, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<&'a str>,
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Range { start, end } = self.span();
        let (line, column) = self.spot();
        Written { file: self.file(), line, column, start, end, raw: self.raw(), when: self.when() }.serialize(serializer)
    }
}

impl PartialSchema for Place {
    fn schema() -> RefOr<Schema> {
        Written::schema()
    }
}

impl ToSchema for Place {}

/// Byte offsets of a text to lines and columns.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Byte offset at which each line begins.
    starts: Vec<usize>,
    /// Characters before each block of the text: a JSON file may be one line of many megabytes.
    blocks: Vec<usize>,
}

/// Bytes of a block of [`Lines`].
const BLOCK: usize = 256;

/// Characters that begin in `bytes`.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

impl Lines {
    pub fn new(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut before = 0;
        let count = |block: &[u8]| {
            let at = before;
            before += characters(block);
            at
        };
        let blocks = text.as_bytes().chunks(BLOCK).map(count).collect();
        Self { starts, blocks }
    }

    /// 1-based line and column (in characters) of byte `at` of `text`, the text that this was made from.
    pub fn locate(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let before = |at: usize| {
            let block = (at / BLOCK).min(self.blocks.len().saturating_sub(1));
            let rest = text.as_bytes().get(block * BLOCK..at).unwrap_or_default();
            self.blocks.get(block).copied().unwrap_or(0) + characters(rest)
        };
        (line, before(at) - before(start) + 1)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_several_files_comes_apart_and_together_again() {
        let dump =
            "\n# configuration file /etc/nginx/nginx.conf:\nevents {}\n# a comment\n# configuration file /etc/nginx/a:\nx;\n";
        let files = Source::split("dump", dump);
        let told: Vec<_> = files.iter().map(|f| (f.name.as_str(), &*f.text)).collect();
        assert_eq!(told, [("/etc/nginx/nginx.conf", "events {}\n# a comment\n"), ("/etc/nginx/a", "x;\n")]);
        assert_eq!(Source::joined(&files), dump.trim_start());
        let contents: Vec<_> = Source::spans(dump).into_iter().map(|span| &dump[span]).collect();
        assert_eq!(contents, ["\n", "events {}\n# a comment\n", "x;\n"]);
        assert_eq!(Source::spans("global\n").first(), Some(&(0..7)));
        assert_eq!(Source::split("haproxy.cfg", "global\n"), [Source::new("haproxy.cfg", "global\n")]);
        assert_eq!(Source::joined(&[Source::new("a", "no end")]), "no end");
    }

    #[test]
    fn a_place_shows_the_beginning_of_what_stands_there() {
        let raw = |text: &str| Place::new(&Origin::new(0, text), 0..text.len()).raw();
        assert_eq!(raw(" a\t \u{a0}b\u{1b}[0m\r\n "), "a b\u{fffd}[0m");
        assert_eq!(raw(&"ä ".repeat(150)), "ä ".repeat(150).trim_end());
        assert_eq!(raw(&"ä ".repeat(151)), "ä ".repeat(150) + "…");
        assert_eq!(raw(&"ä".repeat(301)), "ä".repeat(300) + "…");
        assert_eq!((raw(""), raw(" \n")), (String::new(), String::new()));
    }

    #[test]
    fn places_count_lines_from_one_and_characters() {
        let text = "ä b\n  server\ts1\n";
        let lines = Lines::new(text);
        let at = text.find("server").expect("server");
        let place = Place::new(&Origin::new(0, text), at..text.len());
        assert_eq!((place.line(), place.column(), place.raw().as_str()), (2, 3, "server s1"));
        assert_eq!(lines.locate(text, 3), (1, 3));
        let long = "\nx".to_owned() + &"ä".repeat(10_000);
        assert_eq!(Lines::new(&long).locate(&long, long.len()), (2, 10_002));
        assert_eq!(Lines::new("").locate("", 0), (1, 1));
        assert_eq!(lines.locate(text, text.len()), (3, 1));
    }
}
