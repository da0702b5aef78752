//! What people type into a search box, read into words, phrases and filters. No text is an error: what is no filter is
//! words, what has no words says nothing.
//!
//! ```text
//! checkout deadlock        both words, whole, in any order
//! "connection refused"     the words in this order
//! -drill  -"load test"     not these
//! time*                    words that begin so
//! status:open service:checkout after:7d
//! ```

mod document;
pub mod excerpt;
pub mod words;

use std::fmt;

use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::id::Reference;
use super::incident::{IncidentKind, Severity, Status, words as named};
use super::time::{Timestamp, is_meant, parse_date, parse_local};
use super::timeline::EntryKind;

pub use document::Document;

/// What is read of a longer text, in characters, and the most terms and filters.
const TEXT_MAX: usize = 1_000;
const PARTS_MAX: usize = 32;

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    Incident,
    Entry,
    Task,
    Postmortem,
    Balancer,
}
named!(Found {
    Incident => "incident" / "Incident",
    Entry => "entry" / "Entry",
    Task => "task" / "Task",
    Postmortem => "postmortem" / "Postmortem",
    Balancer => "balancer" / "Balancer",
});

/// Folded words in their order; with `prefix` the last is only the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub words: Vec<String>,
    pub prefix: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    Open,
    Status(Status),
    Severity(Severity),
    Found(Found),
    EntryKind(EntryKind),
    IncidentKind(IncidentKind),
    Service(String),
    /// A label, and its value when one was said.
    Label(String, Option<String>),
    /// At this time or later.
    After(Timestamp),
    /// Before this time.
    Before(Timestamp),
}

/// All of `wanted`, none of `unwanted`, and each filter holds (or, with `false`, does not).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    pub wanted: Vec<Term>,
    pub unwanted: Vec<Term>,
    pub filters: Vec<(bool, Filter)>,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub found: Found,
    pub id: Uuid,
    pub incident: Option<Reference>,
    pub severity: Option<Severity>,
    pub status: Option<Status>,
    pub entry_kind: Option<EntryKind>,
    pub at: Timestamp,
    pub title: String,
    pub body: String,
}

impl Search {
    /// Reads any text. Days begin in the zone of whoever asks; `7d` and the like count back from `now`.
    pub fn parse(text: &str, now: Timestamp, utc_offset_minutes: i32) -> Self {
        let mut search = Self::default();
        for part in parts(text).into_iter().take(PARTS_MAX) {
            let (holds, part) = match part.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => (false, rest),
                _ => (true, part.as_str()),
            };
            if let Some(filter) = filter(part, now, utc_offset_minutes) {
                search.filters.push((holds, filter));
            } else if let Some(term) = term(part) {
                if holds { &mut search.wanted } else { &mut search.unwanted }.push(term);
            }
        }
        search
    }

    /// The same with all that is wanted as beginnings: for a list that is narrowed, where half a word is enough.
    pub fn by_beginnings(mut self) -> Self {
        self.wanted.iter_mut().for_each(|term| term.prefix = true);
        self
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty() && self.filters.is_empty()
    }

    /// Filters without words, and no word on what kind of thing is wanted: that means incidents, not all their entries.
    pub fn means_incidents(&self) -> bool {
        let says_kind = |filter: &Filter| matches!(filter, Filter::Found(_) | Filter::EntryKind(_));
        self.wanted.is_empty() && !self.filters.iter().any(|(_, filter)| says_kind(filter))
    }

    /// What is searched for, in words, one for each part.
    pub fn said(&self) -> Vec<String> {
        let wanted = self.wanted.iter().map(Term::to_string);
        let unwanted = self.unwanted.iter().map(|term| format!("without {term}"));
        let filters = self.filters.iter().map(|(holds, filter)| format!("{}{filter}", if *holds { "" } else { "not: " }));
        wanted.chain(unwanted).chain(filters).collect()
    }
}

/// Cuts at spaces outside of quotes; a quote that nobody closed goes on to the end.
fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    for c in text.chars().take(TEXT_MAX) {
        match c {
            '"' | '“' | '”' | '„' => {
                quoted = !quoted;
                part.push('"');
            }
            // A control character is nothing that people type; PostgreSQL refuses some.
            c if c.is_control() && !c.is_whitespace() => {}
            c if c.is_whitespace() && !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

fn term(part: &str) -> Option<Term> {
    let words: Vec<String> = words::words(part).into_iter().map(|word| word.text).collect();
    // The star of a quoted beginning may stand inside the quotes.
    (!words.is_empty()).then(|| Term { words, prefix: part.trim_end_matches('"').ends_with('*') })
}

fn filter(part: &str, now: Timestamp, utc_offset_minutes: i32) -> Option<Filter> {
    let (name, value) = part.split_once(':')?;
    let value = value.replace('"', "");
    let value = value.trim();
    let word = value.to_lowercase().replace('-', "_");
    match name.to_lowercase().as_str() {
        _ if value.is_empty() => None,
        "status" if word == "open" => Some(Filter::Open),
        "status" => word.parse().ok().map(Filter::Status),
        "severity" => word.parse().or_else(|_| format!("sev{word}").parse()).ok().map(Filter::Severity),
        "kind" => word.parse().map(Filter::Found).ok().or_else(|| match word.parse() {
            Ok(kind) => Some(Filter::EntryKind(kind)),
            Err(_) => word.parse().ok().map(Filter::IncidentKind),
        }),
        "service" => Some(Filter::Service(value.to_owned())),
        "label" => Some(match value.split_once(['=', ':']) {
            Some((name, wanted)) => Filter::Label(name.trim().to_owned(), Some(wanted.trim().to_owned())),
            None => Filter::Label(value.to_owned(), None),
        }),
        "after" => moment(&word, now, utc_offset_minutes).map(Filter::After),
        "before" => moment(&word, now, utc_offset_minutes).map(Filter::Before),
        _ => None,
    }
}

/// `2026-11-21`, the beginning of that day; `36h`, `7d`, `2w`, that long ago.
fn moment(word: &str, now: Timestamp, utc_offset_minutes: i32) -> Option<Timestamp> {
    if let Ok(day) = parse_date("", &word.replace('_', "-")) {
        return parse_local("", &format!("{day}T00:00"), utc_offset_minutes).ok().filter(|at| is_meant(*at));
    }
    let unit = word.chars().next_back()?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return None,
    };
    let count: u16 = word[..word.len() - unit.len_utf8()].parse().ok()?;
    now.checked_sub_signed(TimeDelta::hours(i64::from(count) * hours)).filter(|at| is_meant(*at))
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}{}”", self.words.join(" "), if self.prefix { "…" } else { "" })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => write!(f, "open incidents"),
            Self::Status(status) => write!(f, "status {}", status.said()),
            Self::Severity(severity) => write!(f, "severity {}", severity.said()),
            Self::Found(found) => write!(f, "kind {}", found.said()),
            Self::EntryKind(kind) => write!(f, "entries of kind {}", kind.said()),
            Self::IncidentKind(kind) => write!(f, "incidents of kind {}", kind.said()),
            Self::Service(service) => write!(f, "service {service}"),
            Self::Label(name, Some(value)) => write!(f, "label {name} = {value}"),
            Self::Label(name, None) => write!(f, "label {name}"),
            Self::After(at) => write!(f, "since {}", super::time::minute(*at)),
            Self::Before(at) => write!(f, "before {}", super::time::minute(*at)),
        }
    }
}

#[cfg(test)]
mod tests;
