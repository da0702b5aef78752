//! Secrets by chance: long strings that nobody would type, only a random generator writes.
//!
//! A run of 20 or more letters and digits counts as random when it changes between capitals, small letters and digits
//! about as often as chance does. Names do that seldom (`HttpConnectionManagerV3`), random strings at every second or
//! third character. Left alone are hashes and ids that their name or prefix tells (`sha256:`, `fingerprint`, `spki`),
//! UUIDs, host names, paths, images in base64, cipher lists.

use std::ops::Range;

use super::{DIGITS, MARK};

/// Shortest string that is judged.
const LEAST: usize = 20;
/// Words that tell on the same line, or up to [`NEAR`] bytes before, that what follows is no secret.
const TOLD: [&str; 30] = [
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "sha-",
    "md5",
    "fingerprint",
    "spki",
    "thumbprint",
    "digest",
    "checksum",
    "integrity",
    "etag",
    "certificate_hash",
    "cert_hash",
    "commit",
    "revision",
    "version_info",
    "build",
    "serial",
    "uuid",
    "guid",
    "trust_der",
    "ca_cert",
    "leaf_cert",
    "data:image",
    "data:font",
    "nonce=",
    "image:",
    "hostname",
];
/// How far before a string a word may stand that tells what it is.
const NEAR: usize = 60;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().position(|b| !is_part(*b)).unwrap_or(bytes.len() - at);
        let run = at..at + length;
        at = run.end;
        if length >= LEAST && !is_told(text, run.start) {
            pieces(text, run, found);
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_+/=~".contains(&byte)
}

/// The parts of a run that are no marks.
fn pieces(text: &str, run: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut start = run.start;
    while let Some(mark) = text[start..run.end].find(MARK) {
        judge(text, start..start + mark, found);
        start = (start + mark + MARK.len() + DIGITS).min(run.end);
    }
    judge(text, start..run.end, found);
}

fn judge(text: &str, run: Range<usize>, found: &mut Vec<Range<usize>>) {
    let part = &text[run.clone()];
    // A path has names in it, and may have a secret between two of its slashes.
    let path =
        part.contains('/') && (part.starts_with('/') || text[..run.start].ends_with(['.', ':', '}', '~']) || has_names(part));
    // `name=value`: the value alone.
    let separators: &[char] = if path { &['/', '='] } else { &['='] };
    let body = part.trim_end_matches('=');
    let mut start = run.start;
    for piece in body.split(separators) {
        let mut span = start..start + piece.len();
        start = span.end + 1;
        if is_random(piece) && !is_host(text, &span) && !is_name(text, &span) {
            if !path && span.end == run.start + body.len() {
                // Padding belongs to base64.
                span.end = run.end;
            }
            let trimmed = text[span.clone()].trim_start_matches(['-', '_', '+', '~']).len();
            found.push(span.end - trimmed..span.end);
        }
    }
}

/// Whether between two slashes of a path stands a word of small letters only.
fn has_names(path: &str) -> bool {
    path.split('/').filter(|name| name.len() > 2 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')).count() > 1
}

fn is_told(text: &str, at: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(NEAR));
    let line = text[from..at].rsplit('\n').next().unwrap_or_default().to_ascii_lowercase();
    TOLD.iter().any(|word| line.contains(word))
}

/// Part of a host name: labels in one case, with a dot behind and letters after it.
fn is_host(text: &str, span: &Range<usize>) -> bool {
    let label = &text[span.clone()];
    let one_case = !(label.contains(|c: char| c.is_ascii_lowercase()) && label.contains(|c: char| c.is_ascii_uppercase()));
    let next = text[span.end..]
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()));
    one_case && next
}

/// A name, which configs and run-time state share: right behind a word such as `backend`, before a colon as a key, or
/// before the provider that it came from (`@docker`).
fn is_name(text: &str, span: &Range<usize>) -> bool {
    const BEFORE: [&str; 22] = [
        "server",
        "backend",
        "use_backend",
        "default_backend",
        "frontend",
        "listen",
        "upstream",
        "acl",
        "name",
        "cluster",
        "cluster_name",
        "service",
        "service_name",
        "stat_prefix",
        "zone",
        "router",
        "table",
        "track",
        "peers",
        "peer",
        "host",
        "hostname",
    ];
    let from = text.floor_char_boundary(span.start.saturating_sub(NEAR));
    let before = text[from..span.start].trim_end_matches([' ', '\t', '"', '\'', ':', '=', '[']);
    // The beginning of the name, up to here.
    let begun = before.len() == span.start - from;
    let before = if begun {
        before.trim_end_matches(|c: char| !c.is_whitespace() && c != '"').trim_end_matches([' ', '"', ':'])
    } else {
        before
    };
    let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    let after = text[span.end..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let unquoted = after.strip_prefix(['"', '\'']).unwrap_or(after);
    let key = unquoted
        .strip_prefix(':')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n', '"', '{', '[']));
    let provider = after.strip_prefix('@').is_some_and(|rest| {
        ["docker", "kubernetes", "file", "consul", "nomad", "swarm", "ecs", "redis", "etcd", "http", "internal", "rest"]
            .iter()
            .any(|name| rest.starts_with(name))
    });
    BEFORE.contains(&word) || key || provider
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
}

/// Whether chance wrote `text`.
pub(super) fn is_random(text: &str) -> bool {
    let class = |b: u8| match b {
        b'A'..=b'Z' => Some(Class::Upper),
        b'a'..=b'z' => Some(Class::Lower),
        b'0'..=b'9' => Some(Class::Digit),
        _ => None,
    };
    let classes: Vec<Class> = text.bytes().filter_map(class).collect();
    if classes.len() < LEAST || variety(text) < 3.0 {
        return false;
    }
    // Names are cut by dashes into words.
    let longest = text.split(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|part| part.len()).unwrap_or_default();
    let longest: Vec<Class> = longest.bytes().filter_map(class).collect();
    let has = |class: Class| classes.contains(&class);
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64 / (classes.len() - 1) as f64;
    let words = longest.len() < 12 || has_words(&classes) || has_words(&longest);
    match (has(Class::Upper), has(Class::Lower), has(Class::Digit)) {
        // 62 % by chance.
        (true, true, true) => changes >= 0.33 && !words,
        // 50 % by chance.
        (true, true, false) => classes.len() >= 24 && changes >= 0.38 && !words,
        // 40 to 47 % by chance.
        (_, _, true) => changes >= 0.25 && longest.len() >= if is_hex(text) { 32 } else { LEAST },
        _ => false,
    }
}

/// Whether only hexadecimal digits are in it: short ones are mostly hashes that belong to a name.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Whether half of a string or more are three small letters and more in a row, as in `GetAddrInfoDnsResolverConfig`; a
/// sixth to a quarter is by chance.
fn has_words(classes: &[Class]) -> bool {
    let words = classes.chunk_by(|a, b| a == b).filter(|run| run[0] == Class::Lower && run.len() >= 3).map(<[Class]>::len);
    words.sum::<usize>() * 2 >= classes.len()
}

/// Shannon entropy of the characters, in bits each.
fn variety(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let total = text.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / total).map(|p| -p * p.log2()).sum()
}
