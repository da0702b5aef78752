//! One line of HAProxy config into words, by the rules of HAProxy's `parse_line` (src/tools.c) and of the
//! chapter "Quoting and escaping" in its configuration manual.
//!
//! Environment variables are left as written: their values belong to another process. HAProxy has no line
//! continuation, so that a line can be read without its neighbours.

use std::ops::Range;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Quotes and escapes resolved.
    pub text: String,
    /// Bytes of the line that it was written in, quotes and backslashes included.
    pub span: Range<usize>,
}

/// The words of one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pub tokens: Vec<Token>,
    /// Where the comment's `#` stands.
    pub comment: Option<usize>,
    /// The quote that was never closed.
    pub unclosed: Option<char>,
}

/// Splits `line`, which holds no line feed. Every byte sequence has an answer: an unclosed quote takes the
/// rest of the line, an unknown escape is kept as written.
pub fn split(line: &str) -> Line {
    let mut out = Line::default();
    let mut word: Option<(usize, String)> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\r' | '\x0b' | '\x0c') => {
                if let Some((start, text)) = word.take() {
                    out.tokens.push(Token { text, span: start..at });
                }
                continue;
            }
            (None, '#') => {
                out.comment = Some(at);
                if let Some((start, text)) = word.take() {
                    out.tokens.push(Token { text, span: start..at });
                }
                break;
            }
            _ => {}
        }
        let (_, text) = word.get_or_insert_with(|| (at, String::new()));
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                let Some(&(next_at, next)) = chars.peek() else {
                    text.push('\\');
                    continue;
                };
                let plain = match next {
                    ' ' | '\\' | '#' | '"' | '\'' => Some(next),
                    '$' if quote.is_some() => Some(next),
                    'n' => Some('\n'),
                    'r' => Some('\r'),
                    't' => Some('\t'),
                    _ => None,
                };
                let hex = line
                    .get(next_at + 1..next_at + 3)
                    .filter(|_| next == 'x')
                    .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
                if let Some(plain) = plain {
                    text.push(plain);
                    chars.next();
                } else if let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
                    text.push(char::from(byte));
                    chars.nth(2);
                } else {
                    text.push('\\');
                }
            }
            _ => text.push(c),
        }
    }
    if let Some((start, text)) = word {
        out.tokens.push(Token { text, span: start..line.len() });
    }
    out.unclosed = quote;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).tokens.into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn words_follow_haproxys_quoting() {
        assert_eq!(words("\t server  s\\ 3 unix@/x check # why"), ["server", "s 3", "unix@/x", "check"]);
        assert_eq!(
            words(r#"log "${HOST-127.0.0.1}:514" 'a "b" \n' "c \"d\" \$e""#),
            ["log", "${HOST-127.0.0.1}:514", r#"a "b" \n"#, r#"c "d" $e"#]
        );
        assert_eq!(words(r#""a"'b'c d#e"#), ["abc", "d"]);
        assert_eq!(words(r"a\#b \x41\x4 \q GET\r\n"), ["a#b", r"A\x4", r"\q", "GET\r\n"]);
        assert_eq!(words(r#""" x"#), ["", "x"]);
        assert_eq!(words("a \\"), ["a", "\\"]);
        assert_eq!(words(r"\x4ü"), [r"\x4ü"]);
    }

    #[test]
    fn an_unclosed_quote_is_told_and_takes_the_rest() {
        let line = split("acl x path 'a b # c");
        assert_eq!((line.unclosed, line.comment, line.tokens[3].text.as_str()), (Some('\''), None, "a b # c"));
        assert_eq!(split(r#"a "b\""#).unclosed, Some('"'));
        assert_eq!(split(r#"a "b" 'c'"#).unclosed, None);
    }

    #[test]
    fn spans_are_the_bytes_as_written() {
        let text = r#"user x password "p w" # y"#;
        let line = split(text);
        assert_eq!(&text[line.tokens[3].span.clone()], r#""p w""#);
        assert_eq!(&text[line.comment.expect("comment")..], "# y");
    }
}
