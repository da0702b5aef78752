//! Secrets by their looks, anywhere in the text: PEM blocks, JSON web tokens, hashed passwords, passwords in addresses,
//! headers written out. `services` knows tokens of known services, `assigned` forms such as `password=…`.
//!
//! Each scan goes over the text once. Offsets of the lower-cased copy are those of the text, because only
//! ASCII letters are lowered.

use std::ops::Range;

use super::value::is_scheme;
use super::{assigned, services};

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    pem(text, found);
    json_web_tokens(text, found);
    services::find(text, found);
    hashed_passwords(text, found);
    addresses(text, found);
    logins(text, found);
    assigned::find(text, found);
    headers(text, &lower, found);
}

/// Between `-----BEGIN X-----` and `-----END X-----` (RFC 7468). A block that is cut off ends with the last
/// line that looks like its inside.
fn pem(text: &str, found: &mut Vec<Range<usize>>) {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    let mut done = 0;
    for (at, _) in text.match_indices(BEGIN) {
        if at < done {
            continue;
        }
        let label_start = at + BEGIN.len();
        let is_label = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ';
        let label_end = label_start + text[label_start..].find(|c| !is_label(c)).unwrap_or(0);
        let label = &text[label_start..label_end];
        let start = label_end + DASHES.len();
        if label.is_empty() || !text[label_end..].starts_with(DASHES) {
            continue;
        }
        let end = text[start..].find(DASHES).map(|end| start + end);
        let closed = end.filter(|end| {
            let rest = text[end + DASHES.len()..].strip_prefix("END ").and_then(|rest| rest.strip_prefix(label));
            rest.is_some_and(|rest| rest.starts_with(DASHES))
        });
        done = closed.unwrap_or_else(|| cut_off(text, start));
        found.push(start..done);
    }
}

/// Whether `value` is one or more blocks, so that what they hold is found by [`find`] and the lines around may stay.
pub(super) fn is_pem(value: &str) -> bool {
    let bare = value.trim().trim_end_matches(['\\', 'n', ' ', '\n', '\r']);
    let mut inside = Vec::new();
    pem(bare, &mut inside);
    let starts = inside.first().is_some_and(|span| bare.starts_with("-----BEGIN ") && !bare[..span.start].contains('\n'));
    starts && inside.last().is_some_and(|span| span.end < bare.len() && bare.ends_with("-----"))
}

/// Where a block without an end stops: after the first line, and all that follow of base64, of PEM headers and of
/// blank lines under those.
fn cut_off(text: &str, start: usize) -> usize {
    let mut lines = text[start..].split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if let Some(quote) = first.find(['"', '\'']) {
        return start + quote;
    }
    let mut end = start + first.trim_end().len();
    let (mut at, mut under_header) = (start + first.len(), false);
    for line in lines {
        let content = line.trim_end().trim_start_matches(['#', ' ', '\t']);
        let base64 = content.len() >= 8 && content.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        let header = ["Proc-Type:", "DEK-Info:"].iter().any(|name| content.starts_with(name));
        let blank = content.is_empty() && under_header;
        if !(base64 || header || blank) {
            break;
        }
        under_header = header;
        end = at + line.trim_end().len();
        at += line.len();
    }
    end
}

fn json_web_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (at, _) in text.match_indices("eyJ") {
        if at < done || text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        done = run(text, at, b"-_.");
        let mut parts = text[at..done].split('.');
        let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if head.len() >= 10 && body.len() >= 4 {
            found.push(at..done);
        }
    }
}

/// The password in `scheme://user:password@host`.
fn addresses(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ',' | '<' | '>');
        let authority = &text[start..start + text[start..].find(ends).unwrap_or(text.len() - start)];
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some(colon) = user.find(':')
        {
            found.push(start + colon + 1..start + user.len());
        }
    }
}

/// `user:password@host` without a scheme, as in the names of data sources: `app:pw@tcp(db:3306)/shop`.
fn logins(text: &str, found: &mut Vec<Range<usize>>) {
    let ends = |b: u8| b.is_ascii_whitespace() || b"\"'`/@,;<>(){}|".contains(&b);
    for (at, _) in text.match_indices('@') {
        let bytes = text.as_bytes();
        let near = at.saturating_sub(200);
        let start = (near..at).rev().find(|n| ends(bytes[*n])).map_or(near, |n| n + 1);
        let Some((user, password)) = text.get(start..at).and_then(|login| login.split_once([':', '='])) else { continue };
        let host = bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        let scheme = ["mailto", "sip", "sips", "xmpp", "acct", "ssh"].contains(&user.to_ascii_lowercase().as_str());
        let named = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if host && named && !scheme && password.len() >= 4 && !password.starts_with(['$', '%']) {
            found.push(at - password.len()..at);
        }
    }
}

/// Hashes of passwords as crypt(3), htpasswd and Argon2 write them: `$6$salt$hash`, `$2y$05$…`, `{SHA}…`.
fn hashed_passwords(text: &str, found: &mut Vec<Range<usize>>) {
    const KINDS: [&str; 15] = [
        "$1$", "$5$", "$6$", "$7$", "$y$", "$2a$", "$2b$", "$2x$", "$2y$", "$apr1$", "$argon2", "$scrypt$", "$pbkdf2", "{SHA}",
        "{SSHA}",
    ];
    for kind in KINDS {
        let mut done = 0;
        for (at, _) in text.match_indices(kind) {
            if at < done {
                continue;
            }
            let start = if text[..at].ends_with('$') { at - 1 } else { at };
            done = run(text, at + kind.len(), b"$./+=,-");
            if done - at - kind.len() >= 16 {
                found.push(start..done);
            }
        }
    }
}

/// Headers written out, as in `option httpchk GET / HTTP/1.1\r\nAuthorization:\ Basic\ dXNlcjpwYXNz`.
fn headers(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for name in ["authorization:", "api-key:", "apikey:", "auth-token:", "cookie:"] {
        let mut done = 0;
        for (at, _) in lower.match_indices(name) {
            if at < done {
                continue;
            }
            let mut start = skip_blanks(text, at + name.len());
            let word = run(text, start, b"-_");
            let after = skip_blanks(text, word);
            if is_scheme(&text[start..word]) && after > word {
                start = after;
            }
            let rest = &text[start..];
            // Expressions, and further levels of YAML and JSON.
            if rest.starts_with(['|', '>', '{', '[', '&', '*']) || rest.starts_with("%[") {
                continue;
            }
            let word = &rest[..assigned::bare_length(rest)];
            if name == "cookie:" && !word.contains('=') {
                // A field of that name, not a header.
                continue;
            }
            done = start + ["\\r", "\\n"].iter().filter_map(|mark| word.find(mark)).min().unwrap_or(word.len());
            found.push(start..done);
        }
    }
}

/// Past spaces, bare or escaped.
fn skip_blanks(text: &str, from: usize) -> usize {
    let mut rest = &text[from..];
    while let Some(shorter) = rest.strip_prefix("\\ ").or_else(|| rest.strip_prefix([' ', '\t'])) {
        rest = shorter;
    }
    text.len() - rest.len()
}

/// Where the run of letters, digits and `extra` that begins at `from` ends.
pub(super) fn run(text: &str, from: usize, extra: &[u8]) -> usize {
    let length = text[from..].bytes().position(|b| !b.is_ascii_alphanumeric() && !extra.contains(&b));
    length.map_or(text.len(), |length| from + length)
}
