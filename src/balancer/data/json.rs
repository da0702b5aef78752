//! JSON (RFC 8259) to the tree. What stands before a break is kept.

use std::ops::Range;

use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::tokens::Token;
use jsonc_parser::{ParseStringErrorKind, Scanner, ScannerOptions};

use super::build::{Builder, Step};
use super::{Syntax, Tree, Value};

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expect {
    Value,
    /// The first value of a list, or its end.
    ValueOrEnd,
    /// The first key of a map, or its end.
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    Nothing,
}

pub fn parse(text: &str) -> Tree<'_> {
    let mut builder = Builder::default();
    let mut reader = Reader { maps: Vec::new(), expect: Expect::Value, reached: 0 };
    // A broken text is told as a problem; the tree is what was read before.
    let _ = reader.read(text, &mut builder);
    builder.finish(Syntax::Json, reader.reached)
}

struct Reader {
    /// For each open list or map whether it is a map.
    maps: Vec<bool>,
    expect: Expect,
    /// End of the last token that was taken.
    reached: usize,
}

impl Reader {
    fn read<'a>(&mut self, text: &'a str, builder: &mut Builder<'a>) -> Step {
        let options = ScannerOptions {
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        // The scanner stops at a byte order mark; Envoy and Caddy do too, but people see nothing there.
        let mark = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut scanner = Scanner::new(&text[mark..], &options);
        loop {
            match scanner.scan() {
                Ok(Some(token)) => {
                    let span = mark + scanner.token_start()..mark + scanner.token_end();
                    self.token(token, span.clone(), builder)?;
                    self.reached = span.end;
                }
                Ok(None) if self.expect == Expect::Nothing => return Ok(()),
                Ok(None) if self.reached == 0 => return builder.broken(0..0, "the file is empty"),
                Ok(None) => {
                    let told = format!("the text ends in the middle: {} expected", self.expected());
                    return builder.broken(self.reached..text.len(), told);
                }
                Err(error) => {
                    let range = error.range();
                    return builder.broken(mark + range.start..mark + range.end, said(error.kind()));
                }
            }
        }
    }

    fn token<'a>(&mut self, token: Token<'a>, span: Range<usize>, builder: &mut Builder<'a>) -> Step {
        let wants_value = matches!(self.expect, Expect::Value | Expect::ValueOrEnd);
        match token {
            Token::CommentLine(_) | Token::CommentBlock(_) => {
                builder.problem(super::ProblemKind::Syntax, span, "JSON has no comments: take it out");
                return Ok(());
            }
            Token::String(key) if matches!(self.expect, Expect::Key | Expect::KeyOrEnd) => {
                self.expect = Expect::Colon;
                return builder.key(key, span);
            }
            Token::Colon if self.expect == Expect::Colon => self.expect = Expect::Value,
            Token::Comma if self.expect == Expect::CommaOrEnd => {
                self.expect = if self.maps.last() == Some(&true) { Expect::Key } else { Expect::Value };
            }
            Token::CloseBrace if self.may_end(true) => self.end(span.end, builder),
            Token::CloseBracket if self.may_end(false) => self.end(span.end, builder),
            Token::OpenBrace if wants_value => {
                builder.open(true, span.start)?;
                self.maps.push(true);
                self.expect = Expect::KeyOrEnd;
            }
            Token::OpenBracket if wants_value => {
                builder.open(false, span.start)?;
                self.maps.push(false);
                self.expect = Expect::ValueOrEnd;
            }
            Token::String(text) if wants_value => return self.scalar(Value::Text(text), span, builder),
            Token::Number(text) if wants_value => return self.scalar(Value::Number(text.into()), span, builder),
            Token::Boolean(value) if wants_value => return self.scalar(Value::Bool(value), span, builder),
            Token::Null if wants_value => return self.scalar(Value::Null, span, builder),
            other => {
                let found = super::super::clean_name(other.as_str());
                let told = match (&other, self.expect) {
                    (_, Expect::Nothing) => "the text goes on after its end: only one value may stand in a JSON file".to_owned(),
                    (Token::CloseBrace | Token::CloseBracket, Expect::Key | Expect::Value) if !self.maps.is_empty() => {
                        format!("{} expected, found `{found}`: take out the comma before it", self.expected())
                    }
                    _ => format!("{} expected, found `{found}`", self.expected()),
                };
                return builder.broken(span, told);
            }
        }
        Ok(())
    }

    fn scalar<'a>(&mut self, value: Value<'a>, span: Range<usize>, builder: &mut Builder<'a>) -> Step {
        self.expect = if self.maps.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
        builder.scalar(value, span)
    }

    fn may_end(&self, map: bool) -> bool {
        let empty = if map { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        self.maps.last() == Some(&map) && (self.expect == Expect::CommaOrEnd || self.expect == empty)
    }

    fn end(&mut self, end: usize, builder: &mut Builder<'_>) {
        builder.close(Some(end));
        self.maps.pop();
        self.expect = if self.maps.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn expected(&self) -> &'static str {
        match self.expect {
            Expect::Value => "a value",
            Expect::ValueOrEnd => "a value or `]`",
            Expect::KeyOrEnd => "a key in double quotes or `}`",
            Expect::Key => "a key in double quotes",
            Expect::Colon => "`:`",
            Expect::CommaOrEnd if self.maps.last() == Some(&true) => "`,` or `}`",
            Expect::CommaOrEnd => "`,` or `]`",
            Expect::Nothing => "nothing more",
        }
    }
}

fn said(kind: &ParseErrorKind) -> String {
    match kind {
        ParseErrorKind::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
            "a string begins here and does not end: a double quote is missing".to_owned()
        }
        other => format!("this is not JSON: {}", other.to_string().to_lowercase()),
    }
}
