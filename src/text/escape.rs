//! Plain text, code and addresses, written so that Markdown takes them for what they are.

use super::address;

/// Plain text such as a title, escaped so that it means nothing to Markdown anywhere on a line.
///
/// Line breaks become spaces. Explicit direction controls (UAX 9, 2.1 to 2.5) are dropped, because one
/// left open would turn around the rest of the line; right-to-left letters need none.
pub fn plain(text: &str) -> String {
    let spaced: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut out = String::with_capacity(spaced.len());
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    push_text(&mut out, &joined, true, true);
    out
}

/// A code span around `code`, which may hold backticks.
pub fn code_span(code: &str, in_table: bool, hugo: bool) -> String {
    let ticks = "`".repeat(longest_run(code) + 1);
    let pad = if code.starts_with('`') || code.ends_with('`') || code.starts_with(' ') && code.ends_with(' ') { " " } else { "" };
    let mut body = verbatim(code, hugo);
    if in_table {
        body = body.replace('|', "\\|");
    }
    format!("{ticks}{pad}{body}{pad}{ticks}")
}

/// A fenced block around `code`, line breaks inside kept.
pub fn fence(language: &str, code: &str, hugo: bool) -> String {
    let ticks = "`".repeat((longest_run(code) + 1).max(3));
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '#' | '.');
    let language: String = language.chars().take_while(plain).collect();
    format!("{ticks}{language}\n{}\n{ticks}", verbatim(code.strip_suffix('\n').unwrap_or(code), hugo))
}

/// An address for the parentheses of a link.
pub fn destination(address: &str) -> String {
    let mut encoded = String::with_capacity(address.len());
    address::push_encoded(&mut encoded, address);
    let mut out = String::with_capacity(encoded.len());
    for (at, c) in encoded.char_indices() {
        match c {
            '&' if entity(&encoded.as_bytes()[at + 1..]) => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

fn longest_run(code: &str) -> usize {
    code.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Code for Hugo, which looks for shortcodes before it looks at Markdown, in code too. A pair that is
/// complete is written as Hugo's manual says (`{{</* … */>}}` comes out as `{{< … >}}`); for half a pair
/// there is no such form, so a zero-width space breaks it.
fn verbatim(code: &str, hugo: bool) -> String {
    if !hugo {
        return code.to_owned();
    }
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = match rest.as_bytes().get(2) {
            Some(b'<') => ">}}",
            Some(b'%') => "%}}",
            _ => {
                out.push('{');
                rest = &rest[1..];
                continue;
            }
        };
        let (open, after) = rest.split_at(3);
        rest = after;
        if let Some(end) = after.find(close) {
            out.push_str(&format!("{open}/*{}*/{close}", &after[..end]));
            rest = &after[end + close.len()..];
        } else {
            out.push_str(&format!("{{{{\u{200B}{}", &open[2..]));
        }
    }
    out.push_str(rest);
    out.replace("<!--more-->", "<!--\u{200B}more-->")
}

/// Escapes `text`. `starts_line` says that block marks would count, `heading` that attributes and closing marks would.
pub(super) fn push_text(out: &mut String, text: &str, starts_line: bool, heading: bool) {
    let bytes = text.as_bytes();
    let word = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
    let number = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        let escape = match byte {
            b'\\' | b'`' | b'*' | b'[' | b']' | b'<' | b'|' | b'~' => "\\",
            b'_' if at == 0 || !word(at - 1) || !word(at + 1) => "\\",
            b'&' if entity(&bytes[at + 1..]) => "\\",
            b'!' if next.is_none_or(|next| *next == b'[') => "\\",
            // Shortcodes of Hugo and tags of Liquid.
            b'%' if at > 0 && bytes[at - 1] == b'{' => "\\",
            b'{' | b'#' if heading => "\\",
            b'#' | b'>' | b'+' | b'-' | b'=' | b':' if starts_line && at == 0 => "\\",
            b'.' | b')' if starts_line && at == number && number > 0 => "\\",
            b'\n' => "&#10;",
            b'\r' => "&#13;",
            b' ' if starts_line && at == 0 => "&#32;",
            b'\t' if starts_line && at == 0 => "&#9;",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        out.push_str(escape);
        done = if escape == "\\" { at } else { at + 1 };
    }
    out.push_str(&text[done..]);
}

/// Whether what follows an ampersand makes it a character reference (CommonMark 0.31, 2.5).
fn entity(after: &[u8]) -> bool {
    let body = after.iter().take(40).take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
    body > 0 && after.get(body) == Some(&b';')
}
