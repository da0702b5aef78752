//! nginx's directives as a tree, each with the bytes where it stands.
//!
//! It knows no directive's meaning. A broken text gives faults and as much of the tree as can be had.

use std::fmt::Write as _;
use std::ops::Range;

use super::lex::{self, Fault, Kind, Token};
use crate::balancer::printable;

/// Most blocks within each other; what stands deeper is left out with a fault.
pub const DEPTH_MAX: usize = 200;

/// A name or an argument.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// As nginx reads it: without quotes, escapes read. On one line: it becomes a name, or stands in a message.
    pub text: String,
    pub quoted: bool,
    /// Its bytes, the quotes included.
    pub span: Range<usize>,
}

/// What follows a directive's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Body {
    /// `;`
    #[default]
    None,
    /// `{ … }`
    Block(Vec<Directive>),
    /// The Lua of a `*_by_lua_block`.
    Code(Word),
}

#[derive(Debug, Clone, Default)]
pub struct Directive {
    pub name: Word,
    pub arguments: Vec<Word>,
    pub body: Body,
    /// From the name to the `;` or `}`.
    pub span: Range<usize>,
    /// From the name to the `;` or `{`.
    pub head: Range<usize>,
    /// Number of the file in which it stands; 0 until files are put together.
    pub file: usize,
}

/// Words are equal when nginx reads the same in them.
impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Directives are equal when they say the same, wherever they stand.
impl PartialEq for Directive {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments && self.body == other.body
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    pub directives: Vec<Directive>,
    /// What nginx refuses, in the order of the text.
    pub faults: Vec<Fault>,
}

impl Directive {
    pub fn is(&self, name: &str) -> bool {
        self.name.text == name
    }

    /// The text of argument number `index`, from 0.
    pub fn argument(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(|word| word.text.as_str())
    }

    /// The directives of its block; none without one.
    pub fn block(&self) -> &[Directive] {
        match &self.body {
            Body::Block(directives) => directives,
            Body::None | Body::Code(_) => &[],
        }
    }
}

/// Reads one file.
pub fn read(text: &str) -> Tree {
    let mut builder = Builder { text, open: Vec::new(), done: Vec::new(), words: Vec::new(), faults: Vec::new(), too_deep: 0 };
    let faults = lex::each_token(text, |token| builder.take(token));
    builder.finish(faults)
}

/// Writes directives, one a line, so that [`read`] gives equal ones.
pub fn print(directives: &[Directive]) -> String {
    let mut out = String::new();
    print_into(directives, 0, &mut out);
    out
}

fn print_into(directives: &[Directive], depth: usize, out: &mut String) {
    for directive in directives {
        for _ in 0..depth {
            out.push_str("    ");
        }
        print_word(&directive.name.text, out);
        for argument in &directive.arguments {
            out.push(' ');
            print_word(&argument.text, out);
        }
        match &directive.body {
            Body::None => out.push_str(";\n"),
            Body::Code(code) => {
                // `String` takes every write.
                let _ = writeln!(out, " {{{}}}", code.text);
            }
            Body::Block(inner) => {
                out.push_str(" {\n");
                print_into(inner, depth + 1, out);
                for _ in 0..depth {
                    out.push_str("    ");
                }
                out.push_str("}\n");
            }
        }
    }
}

/// Quotes a word where nginx would read it otherwise without.
fn print_word(text: &str, out: &mut String) {
    let special = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '{' | '}' | '"' | '\'' | '\\' | '#' | '\u{feff}');
    if !text.is_empty() && !text.contains(special) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

struct Builder<'a> {
    text: &'a str,
    /// Blocks that are not closed yet: the directive, and the directives that stood before it in its own block.
    open: Vec<(Directive, Vec<Directive>)>,
    /// Directives of the innermost open block.
    done: Vec<Directive>,
    /// Words of the directive that is being read.
    words: Vec<Word>,
    faults: Vec<Fault>,
    /// Blocks open beyond [`DEPTH_MAX`].
    too_deep: usize,
}

impl Builder<'_> {
    fn take(&mut self, Token { kind, span }: Token) {
        if self.too_deep > 0 {
            match kind {
                Kind::Open => self.too_deep += 1,
                Kind::Close => self.too_deep -= 1,
                _ => {}
            }
            return;
        }
        match kind {
            Kind::Space | Kind::Comment => {}
            Kind::ByteOrderMark => {
                self.fault(span, "a byte order mark before the first word, which nginx takes for a part of it: save the file as UTF-8 without BOM");
            }
            Kind::Word { quoted } => {
                let text = printable(lex::decoded(&self.text[span.clone()], quoted));
                self.words.push(Word { text, quoted, span });
            }
            Kind::Code => {
                let code = Word { text: self.text[span.clone()].to_owned(), quoted: false, span };
                if let Some((directive, _)) = self.open.last_mut() {
                    directive.body = Body::Code(code);
                }
            }
            Kind::End => match self.directive(span.clone()) {
                Some(directive) => self.done.push(directive),
                None => self.fault(span, "unexpected \";\": no directive stands before it, take it away"),
            },
            Kind::Open => match self.directive(span.clone()) {
                None => {
                    self.fault(span.clone(), "unexpected \"{\": no directive stands before it, name the block");
                    let nameless = Directive { span: span.clone(), head: span, ..Directive::default() };
                    self.enter(nameless);
                }
                Some(directive) => self.enter(directive),
            },
            Kind::Close => self.close(span),
        }
    }

    fn fault(&mut self, span: Range<usize>, text: impl Into<String>) {
        if self.faults.len() < lex::FAULTS_MAX {
            self.faults.push(Fault { span, text: text.into() });
        }
    }

    /// The words read so far, as a directive whose head ends with `end`.
    fn directive(&mut self, end: Range<usize>) -> Option<Directive> {
        let mut words = self.words.drain(..);
        let name = words.next()?;
        let span = name.span.start..end.end;
        Some(Directive { name, arguments: words.collect(), body: Body::None, head: span.clone(), span, file: 0 })
    }

    fn enter(&mut self, directive: Directive) {
        if self.open.len() >= DEPTH_MAX {
            self.fault(
                directive.head.clone(),
                format!("more than {DEPTH_MAX} blocks within each other: what stands deeper is not read"),
            );
            self.done.push(directive);
            self.too_deep = 1;
            return;
        }
        self.open.push((directive, std::mem::take(&mut self.done)));
    }

    fn close(&mut self, span: Range<usize>) {
        if let Some(directive) = self.directive(span.start..span.start) {
            let name = directive.name.text.clone();
            self.fault(
                directive.head.clone(),
                format!("unexpected \"}}\": the directive {name:?} before it has no \";\" at its end"),
            );
            self.done.push(directive);
        }
        if self.open.is_empty() {
            self.fault(span, "unexpected \"}\": no block is open here, take it away or look for a { that is missing before");
        } else {
            self.leave(span.end);
        }
    }

    /// Ends the innermost open block at byte `end`.
    fn leave(&mut self, end: usize) {
        let Some((mut directive, before)) = self.open.pop() else { return };
        let inner = std::mem::replace(&mut self.done, before);
        directive.span.end = end;
        if !matches!(directive.body, Body::Code(_)) {
            directive.body = if is_code(&directive) { Body::Code(Word::default()) } else { Body::Block(inner) };
        }
        self.done.push(directive);
    }

    /// With the faults of its tokens.
    fn finish(mut self, mut faults: Vec<Fault>) -> Tree {
        let end = self.text.len();
        if let Some(directive) = self.directive(end..end) {
            let text = format!("unexpected end of file: the directive {:?} has no \";\" at its end", directive.name.text);
            self.fault(directive.head.clone(), text);
            self.done.push(directive);
        }
        if let Some((directive, _)) = self.open.last() {
            let text = format!("unexpected end of file: the block {:?} that begins here has no }}", directive.name.text);
            self.fault(directive.head.clone(), text);
        }
        while !self.open.is_empty() {
            self.leave(end);
        }
        faults.append(&mut self.faults);
        faults.truncate(lex::FAULTS_MAX);
        faults.sort_by_key(|fault| fault.span.start);
        Tree { directives: self.done, faults }
    }
}

fn is_code(directive: &Directive) -> bool {
    directive.name.text.ends_with("_by_lua_block")
}
