//! What a line typed into the timeline composer means.
//!
//! A time may stand at the start of the line, then a mark that says what kind of entry it is; names,
//! servers and a severity may stand anywhere. What is not understood stays in the text as it was typed:
//! nothing is refused here and no word is changed, because a note taken at 3 a.m. must not be lost.

mod moment;
mod scan;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::incident::Severity;
use super::time::{Timestamp, offset, shorten};
use super::timeline::EntryKind;

/// A line, understood. Shown as chips before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Understood {
    pub kind: EntryKind,
    /// `None` is now: the time of the first key.
    pub occurred_at: Option<Timestamp>,
    /// Minutes east of UTC: the zone typed with the time, else the reader's.
    pub utc_offset_minutes: i32,
    /// The time as it was typed, such as `at 14:03 UTC`.
    pub time_text: Option<String>,
    /// What follows the time and the mark, unaltered but for blanks at both ends.
    pub text: String,
    /// The text begins with `todo:`.
    pub is_task: bool,
    /// From `#sev2`; of several the last.
    pub severity: Option<Severity>,
    /// Handles from `@mk`, in lower case, each once.
    pub mentions: Vec<String>,
    /// Server names and addresses from `>web-03`, each once.
    pub servers: Vec<String>,
    /// What the writer should know before sending, each a short sentence.
    pub warnings: Vec<String>,
}

/// Reads a line at the instant `now` by a reader whose zone is `utc_offset_minutes` east of UTC.
///
/// A time at the start of the line is one of
/// - `-5m`, `-1h30m`, `-90s`, `-2d`, `-5 min`: that long before now (a lone letter must touch its
///   number, so that `-5 m` stays text);
/// - `14:03`, `14:03:20`, `2:03 pm`, with `Z`, `UTC`, `GMT` or an offset such as `+02:00` if not in the
///   reader's zone; if that is more than 5 minutes ahead, it was yesterday;
/// - the same after `yesterday`, `today`, `2026-11-20`, `20 Nov` or `20 Nov 2026`; a day without a
///   clock time is text;
/// - any of the last two after `at`.
///
/// A colon or comma that touches the time goes with it. Then `?` makes a hypothesis, `!` an action and
/// `todo:` a task, if something follows.
pub fn understand(line: &str, now: Timestamp, utc_offset_minutes: i32) -> Understood {
    let line = line.trim();
    let mut warnings = Vec::new();
    let found = moment::read(line, now, utc_offset_minutes, &mut warnings);
    let after_time = found.as_ref().map_or(line, |found| line[found.taken..].trim_start());
    let (kind, is_task, text) = marked(after_time);
    if found.is_some() && text.is_empty() {
        warnings.push("only a time: say what happened".to_owned());
    }
    let tags = Tags::of(text, &mut warnings);
    Understood {
        kind,
        occurred_at: found.as_ref().map(|found| found.at),
        utc_offset_minutes: found
            .as_ref()
            .map_or(offset(utc_offset_minutes).local_minus_utc() / 60, |found| found.utc_offset_minutes),
        time_text: found.map(|found| line[..found.length].to_owned()),
        text: text.to_owned(),
        is_task,
        severity: tags.severity,
        mentions: tags.mentions,
        servers: tags.servers,
        warnings,
    }
}

/// Takes the mark at the start of the text. A mark with nothing after it, and one that is part of
/// something else (`???`, `!=`, `![image]`), is text.
fn marked(text: &str) -> (EntryKind, bool, &str) {
    let plain = (EntryKind::Note, false, text);
    if let Some((head, rest)) = text.split_at_checked(5)
        && head.eq_ignore_ascii_case("todo:")
    {
        let rest = rest.trim_start();
        return if rest.is_empty() { plain } else { (EntryKind::Note, true, rest) };
    }
    let (kind, rest) = match text.split_at_checked(1) {
        Some(("?", rest)) => (EntryKind::Hypothesis, rest),
        Some(("!", rest)) => (EntryKind::Action, rest),
        _ => return plain,
    };
    match rest.chars().next() {
        Some(c) if c.is_whitespace() || c.is_alphanumeric() || "@#>\"'`".contains(c) => (kind, false, rest.trim_start()),
        _ => plain,
    }
}

/// Most names and most servers taken from one line.
const TAGS_MAX: usize = 50;

#[derive(Default)]
struct Tags {
    severity: Option<Severity>,
    mentions: Vec<String>,
    servers: Vec<String>,
}

impl Tags {
    fn of(text: &str, warnings: &mut Vec<String>) -> Self {
        let mut tags = Self::default();
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            let begins = before.is_whitespace() || "([{\"'".contains(before);
            before = c;
            if begins && matches!(c, '#' | '@' | '>') {
                let rest = &text[at + 1..];
                match c {
                    '#' => tags.severity(run(rest, "_-"), warnings),
                    '@' => add(&mut tags.mentions, handle(run(rest, "._-"))),
                    _ => add(&mut tags.servers, server(run(rest, "._-:/"))),
                }
            }
        }
        tags
    }

    fn severity(&mut self, word: &str, warnings: &mut Vec<String>) {
        let word = word.to_lowercase();
        let Some(digits) = word.strip_prefix("sev").filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())) else { return };
        match word.parse() {
            Ok(severity) => self.severity = Some(severity),
            Err(_) if digits.is_empty() || warnings.len() >= TAGS_MAX => {}
            Err(_) => warnings.push(format!("“#{}” is no severity; there are #sev1 to #sev4", shorten(&word, 20))),
        }
    }
}

fn add(list: &mut Vec<String>, name: Option<String>) {
    if let Some(name) = name
        && list.len() < TAGS_MAX
        && !list.contains(&name)
    {
        list.push(name);
    }
}

/// The letters, digits and `others` at the start, without the punctuation that ends a sentence.
fn run<'a>(text: &'a str, others: &str) -> &'a str {
    let end = text.find(|c: char| !c.is_alphanumeric() && !others.contains(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':', '/', '-'])
}

/// The same shape as a person's handle (`NewPerson::checked`).
fn handle(word: &str) -> Option<String> {
    (word.is_ascii() && (2..=32).contains(&word.len())).then(|| word.to_ascii_lowercase())
}

/// A name begins with a letter; `>500ms` and `>5` are figures, not servers.
fn server(word: &str) -> Option<String> {
    let named = word.starts_with(char::is_alphabetic) || word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok();
    (named && word.len() <= 255).then(|| word.to_owned())
}
