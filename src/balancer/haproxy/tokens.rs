//! One line of HAProxy config into words, by the rules of HAProxy's `parse_line` (src/tools.c) and of the
//! chapter "Quoting and escaping" in its configuration manual.
//!
//! Environment variables are left as written: their values belong to another process. HAProxy has no line
//! continuation, so that a line can be read without its neighbours.

use std::borrow::Cow;
use std::ops::Range;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'l> {
    /// Quotes and escapes resolved, variables as written.
    pub text: Cow<'l, str>,
    /// Bytes of the line that it was written in, quotes and backslashes included.
    pub span: Range<usize>,
    /// Whether an environment variable decides what the word is.
    pub variable: bool,
}

/// Something that HAProxy refuses, and where in the line it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub text: &'static str,
}

/// The words of one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line<'l> {
    pub tokens: Vec<Token<'l>>,
    /// Where the comment's `#` stands.
    pub comment: Option<usize>,
    /// The quote that was never closed.
    pub unclosed: Option<char>,
    pub faults: Vec<Fault>,
}

/// What a stretch of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    Word,
    Space,
    Comment,
}

impl Line<'_> {
    /// Words, the space between them and the comment: together they are the whole line, which is `length` bytes long.
    pub fn pieces(&self, length: usize) -> Vec<(Piece, Range<usize>)> {
        let mut pieces = Vec::new();
        let mut at = 0;
        let comment = self.comment.map(|from| (Piece::Comment, from..length));
        for (piece, span) in self.tokens.iter().map(|token| (Piece::Word, token.span.clone())).chain(comment) {
            if at < span.start {
                pieces.push((Piece::Space, at..span.start));
            }
            at = span.end;
            pieces.push((piece, span));
        }
        if at < length {
            pieces.push((Piece::Space, at..length));
        }
        pieces
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

/// Whether the first line of `text` begins with space, and holds more than that.
pub fn is_indented(text: &str) -> bool {
    text.starts_with([' ', '\t']) && text.bytes().find(|byte| !is_space(*byte)).is_some_and(|byte| byte != b'\n')
}

/// Splits `line`, which holds no line feed. Every byte sequence has an answer: an unclosed quote takes the
/// rest of the line, an unknown escape is kept as written.
pub fn split(line: &str) -> Line<'_> {
    let mut out = Line::default();
    split_into(line, &mut out);
    out
}

/// The same in the place of what `out` held, whose memory is used again.
pub fn split_into<'l>(line: &'l str, out: &mut Line<'l>) {
    let bytes = line.as_bytes();
    out.tokens.clear();
    out.faults.clear();
    (out.comment, out.unclosed) = (None, None);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            byte if is_space(byte) => at += 1,
            b'#' => {
                out.comment = Some(at);
                break;
            }
            _ => {
                // Most words are only what they are.
                let end = plain_end(bytes, at);
                at = match bytes.get(end) {
                    Some(byte) if !is_space(*byte) && *byte != b'#' => word(line, at, end, out),
                    _ => {
                        out.tokens.push(Token { text: Cow::Borrowed(&line[at..end]), span: at..end, variable: false });
                        end
                    }
                };
            }
        }
    }
}

/// Bytes that have no meaning of their own, in quotes or outside.
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let special = b" \t\r\x0b\x0c#\"'\\$";
    let mut at = 0;
    while at < special.len() {
        plain[special[at] as usize] = false;
        at += 1;
    }
    plain
};

/// Where the bytes from `at` on end that are only what they are.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // What has a meaning is less than `(`, or a backslash: eight bytes are looked at at once. The lowest high bit that
    // is left is of the first such byte; those above it may be wrong.
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let chunk = u64::from_le_bytes(*chunk);
        let low = chunk.wrapping_sub(ONES * u64::from(b'(')) & !chunk;
        let backslash = chunk ^ (ONES * u64::from(b'\\'));
        let found = (low | backslash.wrapping_sub(ONES) & !backslash) & (ONES << 7);
        at += (found.trailing_zeros() / 8) as usize;
        if found != 0 {
            if !PLAIN[usize::from(bytes[at])] {
                return at;
            }
            at += 1;
        }
    }
    bytes[at..].iter().position(|byte| !PLAIN[usize::from(*byte)]).map_or(bytes.len(), |length| at + length)
}

/// Reads the word that begins at `start` and is plain up to `at`; answers where it ends. What is looked for is ASCII,
/// so that every cut is between characters.
fn word<'l>(line: &'l str, start: usize, mut at: usize, out: &mut Line<'l>) -> usize {
    let bytes = line.as_bytes();
    let mut text = String::new();
    let mut quote: Option<u8> = None;
    let mut variable = false;
    // From `plain` to `at`: seen, not yet copied.
    let mut plain = start;
    loop {
        at = plain_end(bytes, at);
        let Some(&byte) = bytes.get(at) else { break };
        match (quote, byte) {
            (None, b'#') => break,
            (None, byte) if is_space(byte) => break,
            (None, b'"' | b'\'') => {
                text.push_str(&line[plain..at]);
                quote = Some(byte);
                at += 1;
                plain = at;
            }
            (Some(open), byte) if open == byte => {
                text.push_str(&line[plain..at]);
                quote = None;
                at += 1;
                plain = at;
            }
            (None | Some(b'"'), b'\\') => match escape(line, at, quote.is_some()) {
                Ok(Some((c, length))) => {
                    text.push_str(&line[plain..at]);
                    text.push(c);
                    at += length;
                    plain = at;
                }
                Ok(None) => at += 1,
                Err(fault) => {
                    out.faults.push(Fault { at, text: fault });
                    at += 1;
                }
            },
            (Some(b'"'), b'$') => {
                variable = true;
                if let Some(fault) = variable_fault(&line[at + 1..]) {
                    out.faults.push(Fault { at, text: fault });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    let text = match plain == start {
        true => Cow::Borrowed(&line[start..at]),
        false => Cow::Owned(text + &line[plain..at]),
    };
    if let Some(open) = quote {
        out.unclosed = Some(char::from(open));
    }
    out.tokens.push(Token { text, span: start..at, variable });
    at
}

/// What the backslash at `at` and the next bytes stand for, and how many bytes those are; none when the backslash is
/// only a backslash.
fn escape(line: &str, at: usize, double_quoted: bool) -> Result<Option<(char, usize)>, &'static str> {
    let next = line.as_bytes().get(at + 1).copied();
    Ok(match next {
        Some(byte @ (b' ' | b'\\' | b'#' | b'"' | b'\'')) => Some((char::from(byte), 2)),
        Some(b'$') if double_quoted => Some(('$', 2)),
        Some(b'n') => Some(('\n', 2)),
        Some(b'r') => Some(('\r', 2)),
        Some(b't') => Some(('\t', 2)),
        Some(b'x') => {
            let hex = line.get(at + 2..at + 4).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            return byte
                .map(|byte| Some((char::from(byte), 4)))
                .ok_or("`\\x` needs two hexadecimal digits after it, such as `\\x41`");
        }
        _ => None,
    })
}

/// What is wrong with the variable after a `$`: `NAME`, `{NAME}`, `{NAME-default}` or `{NAME[*]}`.
fn variable_fault(rest: &str) -> Option<&'static str> {
    let (name, braced) = rest.strip_prefix('{').map_or((rest, false), |name| (name, true));
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.')) {
        return Some("after `$` in double quotes stands the name of a variable; write `\\$` for a dollar sign");
    }
    if !braced {
        return None;
    }
    let after = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let after = after.strip_prefix("[*]").unwrap_or(after);
    let closed = after.starts_with('}') || after.starts_with('-') && after.contains('}');
    (!closed).then_some("the brace of `${` is not closed behind the variable's name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).tokens.into_iter().map(|t| t.text.into_owned()).collect()
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
        assert_eq!(words("a!b%c&d(e)f*g+h ünd·soweiter\u{7f}% x"), ["a!b%c&d(e)f*g+h", "ünd·soweiter\u{7f}%", "x"]);
    }

    #[test]
    fn an_unclosed_quote_is_told_and_takes_the_rest() {
        let line = split("acl x path 'a b # c");
        assert_eq!((line.unclosed, line.comment, &*line.tokens[3].text), (Some('\''), None, "a b # c"));
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
