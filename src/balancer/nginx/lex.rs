//! nginx's tokens, each with its bytes: what `ngx_conf_read_token` (src/core/ngx_conf_file.c) does, and a reader for
//! the Lua in `*_by_lua_block`, as OpenResty's modules do it.
//!
//! It knows no directive. Tokens tile the text: white space and comments are tokens too, and what nginx refuses is
//! told as a fault and read on.

use std::borrow::Cow;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The mark (U+FEFF) that some editors put before a text.
    ByteOrderMark,
    Space,
    /// From `#` to the end of the line, without it.
    Comment,
    /// A name or an argument, its quotes included.
    Word {
        quoted: bool,
    },
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    End,
    /// Lua between the braces of a `*_by_lua_block`.
    Code,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// Something that nginx refuses, in words that can stand before "in file … line …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub span: Range<usize>,
    pub text: String,
}

/// A word or a comment with the byte after it has to be shorter, in bytes (`NGX_CONF_BUFFER`).
pub const WORD_MAX: usize = 4096;

/// Most faults that are kept of one text.
pub const FAULTS_MAX: usize = 10_000;

/// The tokens of a text, in order and without gaps.
pub fn tokens(text: &str) -> (Vec<Token>, Vec<Fault>) {
    let mut tokens = Vec::new();
    let faults = each_token(text, |token| tokens.push(token));
    (tokens, faults)
}

/// Hands over the tokens of a text as they are read.
pub fn each_token(text: &str, take: impl FnMut(Token)) -> Vec<Fault> {
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, take, faults: Vec::new() };
    lexer.run();
    lexer.faults
}

/// What nginx makes of a word's bytes: quotes taken off, `\"`, `\'`, `\\`, `\t`, `\r`, `\n` read. Any other backslash
/// stays.
pub fn decoded(raw: &str, quoted: bool) -> Cow<'_, str> {
    let inner = if quoted { unquoted(raw) } else { raw };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        let read = match (c, chars.peek()) {
            ('\\', Some('t')) => '\t',
            ('\\', Some('r')) => '\r',
            ('\\', Some('n')) => '\n',
            ('\\', Some(&next @ ('"' | '\'' | '\\'))) => next,
            _ => {
                out.push(c);
                continue;
            }
        };
        chars.next();
        out.push(read);
    }
    Cow::Owned(out)
}

/// A quoted word without its quotes; the closing one is missing where the text ends before it.
fn unquoted(raw: &str) -> &str {
    let Some(quote) = raw.chars().next() else { return raw };
    let inner = &raw[1..];
    let escaped = inner.bytes().rev().skip(1).take_while(|b| *b == b'\\').count() % 2 == 1;
    if escaped { inner } else { inner.strip_suffix(quote).unwrap_or(inner) }
}

/// Whether nginx's white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Bytes that have no meaning of their own in a word without quotes.
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let special = b" \t\r\n\\$;{";
    let mut at = 0;
    while at < special.len() {
        plain[special[at] as usize] = false;
        at += 1;
    }
    plain
};

struct Lexer<'a, F> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    take: F,
    faults: Vec<Fault>,
}

impl<F: FnMut(Token)> Lexer<'_, F> {
    fn run(&mut self) {
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
            self.push(Kind::ByteOrderMark, 0);
        }
        // Where the name of the directive that is being read stands, for Lua blocks.
        let mut name: Option<Range<usize>> = None;
        while let Some(&byte) = self.bytes.get(self.at) {
            let start = self.at;
            match byte {
                b if is_space(b) => {
                    self.skip_while(is_space);
                    self.push(Kind::Space, start);
                }
                b'#' => {
                    self.skip_while(|b| b != b'\n');
                    self.push(Kind::Comment, start);
                    self.measure(start..self.at, start);
                }
                b';' | b'{' | b'}' => {
                    self.at += 1;
                    let kind = match byte {
                        b';' => Kind::End,
                        b'{' => Kind::Open,
                        _ => Kind::Close,
                    };
                    self.push(kind, start);
                    if kind == Kind::Open && name.take().is_some_and(|name| self.is_lua(name)) {
                        self.code(start);
                    }
                    name = None;
                }
                quote @ (b'"' | b'\'') => {
                    self.quoted(quote);
                    name.get_or_insert(start..self.at);
                }
                _ => {
                    self.bare();
                    name.get_or_insert(start..self.at);
                }
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        (self.take)(Token { kind, span: start..self.at });
    }

    fn fault(&mut self, span: Range<usize>, text: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { span, text: text.into() });
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        self.at = self.bytes[self.at..].iter().position(|b| !wanted(*b)).map_or(self.bytes.len(), |n| self.at + n);
    }

    fn is_lua(&self, name: Range<usize>) -> bool {
        let raw = &self.text[name];
        decoded(raw, raw.starts_with(['"', '\''])).ends_with("_by_lua_block")
    }

    /// A word without quotes at its beginning. A quote further on is a letter like any other, and so is the `{` of
    /// `${name}`.
    fn bare(&mut self) {
        let start = self.at;
        let mut variable = false;
        loop {
            let plain = self.bytes[self.at..].iter().take_while(|byte| PLAIN[usize::from(**byte)]).count();
            self.at += plain;
            variable &= plain == 0;
            let Some(&byte) = self.bytes.get(self.at) else { break };
            match byte {
                b'\\' => {
                    // The escaped byte is not looked at; if it begins a character, the rest of that is harmless.
                    self.at = (self.at + 2).min(self.bytes.len());
                    while !self.text.is_char_boundary(self.at) {
                        self.at += 1;
                    }
                    variable = false;
                    continue;
                }
                b'$' => variable = true,
                b'{' if variable => {}
                b';' | b'{' => break,
                b if is_space(b) => break,
                _ => variable = false,
            }
            self.at += 1;
        }
        self.push(Kind::Word { quoted: false }, start);
        let space = usize::from(self.bytes.get(self.at).is_some_and(|b| is_space(*b)));
        self.measure(start..self.at + space, start);
    }

    fn quoted(&mut self, quote: u8) {
        let start = self.at;
        self.at += 1;
        let mut closed = false;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'\\' {
                self.at = (self.at + 1).min(self.bytes.len());
                while !self.text.is_char_boundary(self.at) {
                    self.at += 1;
                }
            } else if byte == quote {
                closed = true;
                break;
            }
        }
        self.push(Kind::Word { quoted: true }, start);
        if !closed {
            let quote = char::from(quote);
            self.fault(
                start..start + 1,
                format!("the quote {quote} that begins here is never closed: put a {quote} after the text"),
            );
            return;
        }
        let space = usize::from(self.bytes.get(self.at).is_some_and(|b| is_space(*b)));
        self.measure(start + 1..self.at + space, start);
        let next = self.text[self.at..].chars().next();
        if let Some(next) = next.filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '{' | ')')) {
            let text = format!("unexpected {:?} straight after a quoted text: put a space or a ; between them", next.to_string());
            self.fault(self.at..self.at + next.len_utf8(), text);
        }
    }

    /// nginx has to find what follows the bytes that it `held` within its buffer of [`WORD_MAX`] bytes.
    fn measure(&mut self, held: Range<usize>, start: usize) {
        if held.len() >= WORD_MAX && held.end < self.bytes.len() {
            self.fault(
                start..self.at,
                format!("a word or comment of {WORD_MAX} bytes or more, which nginx refuses: make it shorter"),
            );
        }
    }

    /// Lua up to the brace that closes the block whose `{` stands at `open`.
    fn code(&mut self, open: usize) {
        let start = self.at;
        match lua_end(self.bytes, start) {
            Some(end) => self.at = end,
            None => {
                self.at = self.bytes.len();
                self.fault(open..open + 1, "the Lua block that begins here is never closed: a } is missing");
            }
        }
        if self.at > start {
            self.push(Kind::Code, start);
        }
    }
}

/// Where the `}` stands that closes a Lua block whose code begins at `at`: strings, long brackets and comments are
/// jumped over.
pub fn lua_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b'"' | b'\'' => {
                at = lua_string_end(bytes, at);
                continue;
            }
            b'[' => {
                if let Some(level) = long_bracket(bytes, at) {
                    at = long_bracket_end(bytes, at + level + 2, level)?;
                    continue;
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += 2;
                at = match long_bracket(bytes, at) {
                    Some(level) => long_bracket_end(bytes, at + level + 2, level)?,
                    None => bytes[at..].iter().position(|b| *b == b'\n').map(|n| at + n)?,
                };
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The byte after a Lua string; one that is not closed ends with its line.
fn lua_string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at,
            b if b == bytes[start] => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The number of `=` in `[==[`, if that stands at `at`.
fn long_bracket(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|b| **b == b'=').count();
    (rest.get(level) == Some(&b'[')).then_some(level)
}

/// The byte after the `]==]` that closes a long bracket.
fn long_bracket_end(bytes: &[u8], mut at: usize, level: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b']')? + 1;
        let equals = bytes[at..].iter().take_while(|b| **b == b'=').count();
        if equals == level && bytes.get(at + level) == Some(&b']') {
            return Some(at + level + 1);
        }
        at += equals;
    }
}
