//! Secrets that changed or came to stand twice, told from the marks in redacted text without any value.

use std::collections::VecDeque;

use super::words::listed;
use crate::balancer::maps::HashMap;
use crate::balancer::printable;
use crate::balancer::redact::fingerprints;
use crate::balancer::source::{Lines, Source};
use crate::domain::time::shorten;

/// Longest name of a directive in a sentence, in characters.
const NAME: usize = 60;

/// Bytes of a line before and after a secret that are looked at.
const WINDOW: usize = 200;

/// One secret in a text.
struct Secret<'a> {
    mark: &'a str,
    /// "`stats auth` at line 12".
    place: String,
    /// The directive alone.
    name: String,
    /// What stands around it in its line, every mark blanked: what tells it from others.
    context: String,
}

/// Which secrets are others than before, and which stand at several places now and did not: one sentence each, in
/// the order of the lines. Both texts are redacted with one key; a text of several files is one as
/// [`Source::joined`] writes it. Linear in the length of the texts.
pub fn secret_changes(before: &str, after: &str) -> Vec<String> {
    let (old_files, new_files) = (Source::split("", before), Source::split("", after));
    let (old, new) = (secrets(&old_files), secrets(&new_files));
    let was = partners(&old, &new);
    let mut changed: Vec<((&str, &str), Vec<&Secret<'_>>)> = Vec::new();
    let mut at: HashMap<(&str, &str), usize> = HashMap::default();
    for (secret, was) in new.iter().zip(&was) {
        if let Some(was) = was.filter(|was| *was != secret.mark) {
            let next = changed.len();
            let index = *at.entry((was, secret.mark)).or_insert(next);
            if index == next {
                changed.push(((was, secret.mark), Vec::new()));
            }
            changed[index].1.push(secret);
        }
    }
    let mut out: Vec<String> = changed
        .into_iter()
        .map(|(_, places)| match places.as_slice() {
            [one] => format!("secret of {} changed", one.place),
            all => format!("secret that stands at {} places changed: {}", all.len(), places_of(all)),
        })
        .collect();
    out.extend(shared(&old, &new, &was));
    out
}

fn places_of(secrets: &[&Secret<'_>]) -> String {
    listed(&secrets.iter().map(|secret| secret.place.clone()).collect::<Vec<_>>())
}

/// Secrets that stand at more places than before, unless one secret gave way to another at all of them.
fn shared(old: &[Secret<'_>], new: &[Secret<'_>], was: &[Option<&str>]) -> Vec<String> {
    let mut before: HashMap<&str, usize> = HashMap::default();
    for secret in old {
        *before.entry(secret.mark).or_default() += 1;
    }
    let mut order: Vec<&str> = Vec::new();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::default();
    for (at, secret) in new.iter().enumerate() {
        let all = places.entry(secret.mark).or_default();
        if all.is_empty() {
            order.push(secret.mark);
        }
        all.push(at);
    }
    let mut out = Vec::new();
    for mark in order {
        let at = &places[mark];
        let replaced = was[at[0]].is_some() && at.iter().all(|place| was[*place] == was[at[0]]);
        if at.len() < 2 || at.len() <= before.get(mark).copied().unwrap_or(0) || replaced {
            continue;
        }
        let all: Vec<&Secret<'_>> = at.iter().map(|at| &new[*at]).collect();
        let what = if all.iter().all(|secret| secret.name.starts_with("server ")) { "servers" } else { "places" };
        let on = if what == "servers" { "on" } else { "at" };
        out.push(format!("the same secret now stands {on} {} {what}: {}", all.len(), places_of(&all)));
    }
    out
}

/// For each of `new` the mark that stood at its place: in the same line apart from secrets, else in the only line of
/// the same directive.
fn partners<'a>(old: &[Secret<'a>], new: &[Secret<'_>]) -> Vec<Option<&'a str>> {
    let mut by_context: HashMap<&str, VecDeque<usize>> = HashMap::default();
    for (at, secret) in old.iter().enumerate() {
        by_context.entry(&secret.context).or_default().push_back(at);
    }
    let mut taken = vec![false; old.len()];
    let mut out: Vec<Option<&str>> = Vec::with_capacity(new.len());
    for secret in new {
        let found = by_context.get_mut(secret.context.as_str()).and_then(VecDeque::pop_front);
        out.push(found.map(|at| {
            taken[at] = true;
            old[at].mark
        }));
    }
    let mut by_name: HashMap<&str, (usize, usize, &'a str)> = HashMap::default();
    for (secret, _) in old.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        by_name.entry(&secret.name).or_insert((0, 0, secret.mark)).0 += 1;
    }
    for (secret, _) in new.iter().zip(&out).filter(|(_, found)| found.is_none()) {
        if let Some(counts) = by_name.get_mut(secret.name.as_str()) {
            counts.1 += 1;
        }
    }
    for (secret, found) in new.iter().zip(&mut out).filter(|(_, found)| found.is_none()) {
        if let Some((1, 1, mark)) = by_name.get(secret.name.as_str()) {
            *found = Some(mark);
        }
    }
    out
}

fn secrets(files: &[Source]) -> Vec<Secret<'_>> {
    let mut out = Vec::new();
    for file in files {
        let text = &*file.text;
        let lines = Lines::new(text);
        let (mut begin, mut seen) = (0, 0);
        for (span, mark) in fingerprints(text) {
            begin = text[seen..span.start].rfind('\n').map_or(begin, |at| seen + at + 1);
            seen = span.end;
            // A whole file may be one line.
            let from = text.floor_char_boundary(begin.max(span.start.saturating_sub(WINDOW)));
            let to = text.floor_char_boundary(text.len().min(span.end + WINDOW));
            let to = text[span.end..to].find('\n').map_or(to, |at| span.end + at);
            let name = name(&text[from..span.start], from > begin);
            let (number, _) = lines.locate(text, span.start);
            let at = if files.len() > 1 { format!("{}:{number}", file.name) } else { format!("line {number}") };
            let place = if name.is_empty() { at } else { format!("`{name}` at {at}") };
            let context = format!("{}\n{}", blanked(&text[from..span.start]), blanked(&text[span.end..to]));
            out.push(Secret { mark, place, name, context });
        }
    }
    out
}

/// The words before a secret that say what it is for: the first three of a line, or the key before it where the line
/// is JSON or long.
fn name(before: &str, long: bool) -> String {
    let name = if long || before.trim_start().starts_with(['{', '[', '"']) {
        let mut words = before.split(|c: char| c.is_whitespace() || "\"'{}[],:=".contains(c));
        words.rfind(|word| !word.is_empty()).unwrap_or_default().to_owned()
    } else {
        // The beginning of the secret's own word goes: `admin:` of `stats auth admin:secret`.
        let glued = before.ends_with(|c: char| !c.is_whitespace() && !"\"'=".contains(c)) && before.trim().contains(' ');
        let words = before.rfind(char::is_whitespace).filter(|_| glued).map_or(before, |at| &before[..at]);
        let bare = |word: &str| word.trim_matches(|c: char| "\"':=,{}[](".contains(c)).to_owned();
        words.split_whitespace().map(bare).filter(|word| !word.is_empty()).take(3).collect::<Vec<_>>().join(" ")
    };
    shorten(&printable(&name), NAME).replace('`', "'")
}

/// A line with every mark blanked and its white space as one.
fn blanked(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut copied = 0;
    for (span, _) in fingerprints(line) {
        out.push_str(&line[copied..span.start]);
        out.push('\u{0}');
        copied = span.end;
    }
    out.push_str(&line[copied..]);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: u32) -> String {
        format!("REDACTED-{n:012x}")
    }

    #[test]
    fn a_secret_that_changed_is_said_with_its_directive_and_line() {
        let text = |secret: u32| format!("listen stats\n\n  stats  auth admin:{}\n  stats refresh 5s\n", mark(secret));
        assert_eq!(secret_changes(&text(1), &text(2)), ["secret of `stats auth` at line 3 changed"]);
        assert_eq!(secret_changes(&text(1), &text(1)), [] as [&str; 0]);
        let other = text(2).replace("listen", "# why\nlisten").replace("admin", "root");
        assert_eq!(secret_changes(&text(1), &other), ["secret of `stats auth` at line 4 changed"], "the user changed too");
        assert_eq!(secret_changes(&text(1), "listen stats\n"), [] as [&str; 0]);
    }

    #[test]
    fn one_secret_at_several_places_is_said_once() {
        let text = |secrets: [u32; 3]| {
            let line = |(at, secret): (usize, &u32)| format!("  server web{at} 10.0.0.{at}:80 key {}\n", mark(*secret));
            secrets.iter().enumerate().map(line).collect::<String>()
        };
        let places =
            "`server web0 10.0.0.0:80` at line 1, `server web1 10.0.0.1:80` at line 2, `server web2 10.0.0.2:80` at line 3";
        assert_eq!(
            secret_changes(&text([1, 1, 1]), &text([2, 2, 2])),
            [format!("secret that stands at 3 places changed: {places}")]
        );
        assert_eq!(
            secret_changes(&text([1, 2, 3]), &text([3, 3, 3])),
            [
                "secret of `server web0 10.0.0.0:80` at line 1 changed".to_owned(),
                "secret of `server web1 10.0.0.1:80` at line 2 changed".to_owned(),
                format!("the same secret now stands on 3 servers: {places}"),
            ]
        );
        let more = text([1, 1, 1]) + "user a password " + &mark(1);
        assert_eq!(
            secret_changes(&text([1, 1, 1]), &more),
            [format!("the same secret now stands at 4 places: {places}, `user a password` at line 4")]
        );
    }

    #[test]
    fn files_are_named_where_there_are_several_and_may_move() {
        let file = |name: &str, text: &str| Source::new(name, text);
        let old = Source::joined(&[file("a.conf", &format!("auth_key {};\n", mark(1))), file("b.conf", "x;\n")]);
        let new = Source::joined(&[file("a.conf", ""), file("b.conf", &format!("x;\nauth_key {};\n", mark(2)))]);
        assert_eq!(secret_changes(&old, &new), ["secret of `auth_key` at b.conf:2 changed"]);
        let json = |n: u32| format!("{{\"user\": \"a\", \"token\": \"{}\"}}", mark(n));
        assert_eq!(secret_changes(&json(1), &json(2)), ["secret of `token` at line 1 changed"]);
    }

    #[test]
    fn one_line_of_many_secrets_takes_no_longer_than_many_lines() {
        let pair = |at: u32, from: u32| format!("{{\"ä{at}\":\"{}\"}},", mark(from + at));
        let text = |from: u32| (0..4_000).map(|at| pair(at, from)).collect::<String>();
        let (old, new) = (text(0), text(50_000));
        let began = std::time::Instant::now();
        assert_eq!(secret_changes(&old, &new).len(), 4_000);
        // Far above what it takes; the bound only catches a quadratic step.
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_it_and_no_value_gets_out(a in "[a-c REDACTED\\-0-9\n\"ä]{0,80}", b in "(REDACTED-[0-9a-f]{12}|[x \n:ä]){0,12}") {
            for sentence in secret_changes(&a, &b).into_iter().chain(secret_changes(&b, &a)) {
                proptest::prop_assert!(fingerprints(&sentence).is_empty(), "{}", sentence);
            }
            proptest::prop_assert!(secret_changes(&b, &b).is_empty());
        }
    }
}
