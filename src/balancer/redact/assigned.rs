//! Values that a name before them calls a secret: `password=…`, `api_key: "…"`, `--token …`, and in comments also words
//! such as `old password was …`.
//!
//! It knows no language, so that it also reads what is broken, commented out or written inside of a string.

use std::ops::Range;

use super::names::{is_cookie, is_secret, is_secret_header};
use super::value::{after_scheme, is_plain};

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    signs(text, found);
    options(text, found);
    matchers(text, found);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let comment = line.find('#').filter(|at| line[..*at].trim().is_empty()).or_else(|| line.find(" #"));
        if let Some(comment) = comment {
            prose(text, start + comment..start + line.trim_end().len(), found);
        }
        start += line.len();
    }
}

/// `name=value` and `name: value`.
fn signs(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (at, sign) in text.match_indices(['=', ':']) {
        if at < done {
            continue;
        }
        let Some(name) = name_before(text, at) else { continue };
        let quoted = text[name.end..at].starts_with(['"', '\'', '\\']);
        let word = &text[name.clone()];
        // `key=` alone is a parameter of many addresses, as `pass=` is of many commands.
        let short = sign == "=" && !quoted && ["key", "sig", "signature", "auth"].contains(&word.to_ascii_lowercase().as_str());
        if !short && !is_secret(word) {
            continue;
        }
        if let Some(value) = value_after(text, at, sign == ":", quoted, name.end < at)
            && (!short || value.len() >= 8)
        {
            done = value.end;
            found.push(value);
        }
    }
}

/// The name that ends before the sign at `at`, with spaces or a quote between them.
fn name_before(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text[..at].trim_end_matches([' ', '\t']);
    let before = before.strip_suffix("\\\"").or_else(|| before.strip_suffix(['"', '\''])).unwrap_or(before);
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let length = before.bytes().rev().take(101).take_while(|b| is_name(*b)).count();
    (length > 0).then(|| before.len() - length..before.len())
}

fn value_after(text: &str, at: usize, colon: bool, name_quoted: bool, spaced: bool) -> Option<Range<usize>> {
    let rest = &text[at + 1..];
    let value = if colon || spaced { rest.trim_start_matches([' ', '\t']) } else { rest };
    let opened = ["\\\"", "\"", "'"].into_iter().find(|quote| value.starts_with(quote));
    // `"token"="x"` are words of some other grammar, and so is `a:b:c`.
    if (name_quoted && opened.is_some() && !colon) || (colon && opened.is_none() && value.len() == rest.len()) {
        return None;
    }
    let begin = text.len() - value.len() + opened.map_or(0, str::len);
    // Longer than any scheme.
    let start = begin + after_scheme(&text[begin..text.floor_char_boundary(begin + 16)]);
    let inside = &text[start..];
    // Expressions, patterns for matching and further levels only look like values.
    if ["%[", "%{", "%REQ", "(", "[", "{", "<", ".*", ".+", "\\", "|", ">", "&", "*"]
        .iter()
        .any(|shape| inside.starts_with(shape))
    {
        return None;
    }
    let length = match opened {
        Some(quote) => {
            let ends = |at: &usize| inside.as_bytes()[*at] == b'\n' || closes(inside, *at, quote);
            (0..inside.len()).find(ends).unwrap_or(inside.len())
        }
        None => bare_length(inside),
    };
    let word = &inside[..length];
    // `pass=%ST`: a variable of a log format.
    let alias = word.starts_with('%') && length <= 4;
    // `$arg_token`: a variable of nginx.
    let variable = word.strip_prefix('$').is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let sentence = colon && opened.is_none() && !is_value(word, &inside[length..]);
    (!alias && !variable && !sentence).then_some(start..start + length)
}

/// Whether the quote that opened a string ends it at byte `at`.
fn closes(inside: &str, at: usize, quote: &str) -> bool {
    let bytes = inside.as_bytes();
    let escaped = || quote == "\"" && bytes[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
    bytes[at..].starts_with(quote.as_bytes()) && !escaped()
}

/// Whether a word after a colon is a value rather than the first word of a sentence.
fn is_value(word: &str, after: &str) -> bool {
    let last = after.trim_start_matches([' ', '\t', ',', '"', '\'', '}']).starts_with(['\n', '\r', '#'])
        || after.trim_start().is_empty();
    word.len() >= 3 && (last || is_typed(word))
}

/// Whether people write such a word only as a password: letters with digits or signs, or capitals inside.
fn is_typed(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ':', ';', ')', '!', '?']);
    let letters = word.bytes().any(|b| b.is_ascii_alphabetic());
    let digits = word.bytes().any(|b| b.is_ascii_digit());
    let signs = word.bytes().any(|b| b"!@#$%^&*+=~?".contains(&b));
    word.len() >= 6 && letters && (digits || signs) && !word.contains(['/', '(', '[', '{'])
}

/// `--token VALUE`, `--db-password VALUE` on a command line.
fn options(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("--") {
        let name = text[at + 2..].bytes().take(101).take_while(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.').count();
        let rest = &text[at + 2 + name..];
        if name == 0 || !rest.starts_with([' ', '\t']) || !is_secret(&text[at + 2..at + 2 + name]) {
            continue;
        }
        let value = rest.trim_start_matches([' ', '\t']);
        let start = text.len() - value.len() + usize::from(value.starts_with(['"', '\'']));
        let length = unquoted_length(&text[start..]);
        if length > 0 && !text[start..].starts_with(['-', '$', '{', '<']) {
            found.push(start..start + length);
        }
    }
}

/// Longest name or value of a matcher that is looked for the end of, in bytes.
const MATCHER_MAX: usize = 512;

/// Rules of Traefik that compare a secret: ``Header(`X-Api-Key`, `value`)``, ``Query(`token`, `value`)``.
fn matchers(text: &str, found: &mut Vec<Range<usize>>) {
    // What stands between two quotes at the beginning, and how far into `text` it begins and ends.
    let quoted = |text: &str| -> Option<(usize, usize)> {
        let open = text.len() - text.trim_start_matches([' ', ',']).len();
        let quote = ["`", "\\\"", "\"", "'"].into_iter().find(|quote| text[open..].starts_with(quote))?;
        let start = open + quote.len();
        let near = &text[start..text.floor_char_boundary(start + MATCHER_MAX)];
        Some((start, start + near.find(quote)?))
    };
    for call in ["Header(", "Headers(", "Query("] {
        for (at, _) in text.match_indices(call) {
            let at = at + call.len();
            let near = &text[at..text.floor_char_boundary(at + 3 * MATCHER_MAX)];
            let Some((start, end)) = quoted(near) else { continue };
            let name = &near[start..end];
            let Some((start, end)) = near[end..].find(',').map(|comma| end + comma).and_then(|comma| {
                let (start, end) = quoted(&near[comma..])?;
                Some((comma + start, comma + end))
            }) else {
                continue;
            };
            if (is_secret(name) || is_secret_header(name)) && !is_cookie(name) {
                found.push(at + start..at + end);
            }
        }
    }
}

/// In a comment: the name of a secret, perhaps `is` or `was`, and a word that only a password looks like.
fn prose(text: &str, comment: Range<usize>, found: &mut Vec<Range<usize>>) {
    // How many words after the name may still be its value.
    let mut named = 0_u32;
    let mut next = comment.start;
    for word in text[comment].split([' ', '\t']) {
        let start = next;
        next += word.len() + 1;
        let bare = word.trim_start_matches(['"', '\'', '`', '(', '<']);
        let begin = start + word.len() - bare.len();
        let bare = bare.trim_end_matches(['"', '\'', '`', ')', '>', ',', ';', '.']);
        if named > 0 && is_typed(bare) && !is_secret(bare) && !is_plain(bare) && !bare.starts_with(['$', '%', '{']) {
            found.push(begin..begin + bare.len());
            named = 0;
        } else if is_secret(bare.trim_end_matches([':', '='])) {
            named = 4;
        } else if !word.is_empty() {
            named = named.saturating_sub(1);
        }
    }
}

/// See [`unquoted_length`]; brackets and commas at the end belong to what stands around.
pub(super) fn bare_length(inside: &str) -> usize {
    let word = &inside[..unquoted_length(inside)];
    let bare = word.trim_end_matches([',', ')', '}', ']']);
    if bare.is_empty() { word.len() } else { bare.len() }
}

/// Up to white space, a quote or the next parameter; a backslash keeps the character after it.
fn unquoted_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let stops = c == '\n' || (!escaped && (c.is_whitespace() || matches!(c, '"' | '\'' | '&' | ';')));
        escaped = !escaped && c == '\\';
        stops
    });
    end.unwrap_or(text.len())
}
