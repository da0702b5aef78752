//! Secrets by their looks, anywhere in the text: PEM blocks, JSON web tokens, tokens of known services,
//! passwords in addresses, `password=…`.
//!
//! Each scan goes over the text once. Offsets of the lower-cased copy are those of the text, because only
//! ASCII letters are lowered.

use std::ops::Range;

use super::is_scheme;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let lower = text.to_ascii_lowercase();
    pem(text, found);
    json_web_tokens(text, found);
    service_tokens(text, found);
    addresses(text, found);
    assignments(text, &lower, found);
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

/// Prefixes that services give to their tokens so that scanners find them, with the least number of
/// characters that must follow.
const SERVICES: [(&str, usize); 38] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("xoxb-", 10),
    ("xoxa-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("sk_test_", 10),
    ("whsec_", 10),
    ("SG.", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 16),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("shpat_", 20),
    ("dapi", 32),
    ("glsa_", 20),
    ("hooks.slack.com/services/", 20),
    ("/api/webhooks/", 30),
];

fn service_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    for (prefix, least) in SERVICES {
        let mut done = 0;
        for (at, _) in text.match_indices(prefix) {
            let inside_word = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if at < done || (inside_word && !prefix.contains('/')) {
                continue;
            }
            let (start, extra): (usize, &[u8]) = match prefix.contains('/') {
                // The host stays readable, the path is the secret.
                true => (at + prefix.len(), b"-_/"),
                false => (at, b"-_."),
            };
            done = run(text, at + prefix.len(), extra);
            if done - (at + prefix.len()) >= least {
                found.push(start..done);
            }
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

/// Names whose value is a secret, with whether they may be the end of a longer word: `bypass=` is no password.
const NAMES: [(&str, bool); 14] = [
    ("password", true),
    ("passwd", true),
    ("passphrase", true),
    ("secret", true),
    ("token", true),
    ("apikey", true),
    ("api_key", true),
    ("api-key", true),
    ("secret_key", true),
    ("secret-key", true),
    ("access_key", true),
    ("private_key", true),
    ("pass", false),
    ("pwd", false),
];

/// `password=…`, `api_key = …`, `"token": "…"`.
fn assignments(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for (name, ends_word) in NAMES {
        let mut done = 0;
        for (at, _) in lower.match_indices(name) {
            if at < done || (!ends_word && text[..at].ends_with(|c: char| c.is_ascii_alphabetic())) {
                continue;
            }
            if let Some(value) = assigned(text, at + name.len()) {
                done = value.end;
                found.push(value);
            }
        }
    }
}

fn assigned(text: &str, from: usize) -> Option<Range<usize>> {
    // A key in quotes, as in JSON, may itself stand in an escaped string.
    let rest = &text[from..];
    let unquoted = rest.strip_prefix("\\\"").or_else(|| rest.strip_prefix(['"', '\''])).unwrap_or(rest);
    let spaced = unquoted.trim_start_matches([' ', '\t']);
    let value = spaced.strip_prefix('=').or_else(|| spaced.strip_prefix(':'))?;
    let roomy = spaced.len() < unquoted.len() || spaced.starts_with(':');
    let value = if roomy { value.trim_start_matches([' ', '\t']) } else { value };
    let opened = ["\\\"", "\"", "'"].into_iter().find(|quote| value.starts_with(quote));
    if (spaced.starts_with(':') && opened.is_none())
        || (opened.is_some() && unquoted.len() < rest.len() && spaced.starts_with('='))
    {
        return None;
    }
    let start = text.len() - value.len() + opened.map_or(0, str::len);
    let inside = &text[start..];
    // Expressions and patterns for matching only look like values.
    if ["%[", "%{", "(", "[", ".*", ".+", "\\"].iter().any(|shape| inside.starts_with(shape)) {
        return None;
    }
    let length = match opened {
        Some(quote) => {
            let ends = |at: &usize| inside.as_bytes()[*at] == b'\n' || inside.as_bytes()[*at..].starts_with(quote.as_bytes());
            (0..inside.len()).find(ends).unwrap_or(inside.len())
        }
        None => unquoted_length(inside),
    };
    // `pass=%ST`: a variable of a log format.
    let alias = inside.starts_with('%') && length <= 4;
    (!alias).then_some(start..start + length)
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

/// Headers written out, as in `option httpchk GET / HTTP/1.1\r\nAuthorization:\ Basic\ dXNlcjpwYXNz`.
fn headers(text: &str, lower: &str, found: &mut Vec<Range<usize>>) {
    for name in ["authorization:", "api-key:", "apikey:", "auth-token:"] {
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
            if rest.starts_with("%[") {
                continue;
            }
            let word = &rest[..unquoted_length(rest)];
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
fn run(text: &str, from: usize, extra: &[u8]) -> usize {
    let length = text[from..].bytes().position(|b| !b.is_ascii_alphanumeric() && !extra.contains(&b));
    length.map_or(text.len(), |length| from + length)
}
