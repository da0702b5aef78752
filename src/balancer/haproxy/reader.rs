//! Sections and lines: decides which line belongs where, and hands it to who knows its words.
//!
//! Sections and inheritance follow chapters 2 and 4 of HAProxy's configuration manual.

use std::sync::Arc;

use memchr::{memchr, memmem};

use super::conditions::Conditions;
use super::draft::{Draft, Given, Kind};
use super::keywords::{self, NEWEST, Release};
use super::parts::{self, PARTS, Part};
use super::server::Own;
use super::tokens::{self, Token};
use super::verify::Facts;
use super::words::{Notices, Words, shown};
use crate::balancer::maps::{HashMap, HashSet};
use crate::balancer::model::{Model, Setting};
use crate::balancer::source::{Files, Origin, Place, Source};
use crate::balancer::{clean_name, printable};
use crate::domain::balancer::BalancerKind;

/// Words of one line; HAProxy takes no more (`MAX_LINE_ARGS`).
pub(super) const MAX_WORDS: usize = 64;

/// Most pools or routes for which room is made before they are read.
const ROOM_MAX: usize = 10_000;

/// Most servers of a pool for which it is.
pub(super) const USUAL_MAX: usize = 64;

/// Unknown words of one config for which a known one is looked for, which takes a while.
pub(super) const MAX_GUESSES: usize = 1_000;

/// Where the current line belongs.
enum Section {
    /// Before the first section of a file.
    Outside,
    Proxy(Box<Draft>),
    /// A section of this word and name; the list of its words, empty where they are not looked at.
    Other {
        word: String,
        name: String,
        group: &'static str,
    },
    /// Nothing is known of it.
    Unknown,
}

/// A `defaults` section that was read.
#[derive(Clone)]
pub(super) struct Handed {
    given: Given,
    place: Place,
    twice: bool,
}

pub(super) struct Reader<'f> {
    pub model: Model,
    pub told: Notices,
    pub release: Option<Release>,
    pub files: &'f mut dyn Files,
    pub facts: Facts,
    /// Values of map files by path.
    pub maps: HashMap<String, Vec<String>>,
    pub from_templates: usize,
    /// Bytes of the ACLs that are kept with routes, and whether there was no room for all.
    pub defined: usize,
    pub undefined: bool,
    /// Words that were not known.
    pub(super) strange: usize,
    section: Section,
    pub(super) named: HashMap<String, Handed>,
    pub(super) last: Given,
    /// Room for what the servers of a proxy say, used again and again.
    pub(super) spare: Vec<Own>,
    /// Sections that are no proxies, which decide how proxies are read.
    pub(super) others: usize,
    /// How many servers the last pool has, [`USUAL_MAX`] at most: the next one perhaps has as many.
    pub(super) usual: usize,
}

impl<'f> Reader<'f> {
    pub fn new(files: &'f mut dyn Files, version: Option<&str>) -> Self {
        Self {
            model: Model { kind: BalancerKind::Haproxy, version: version.map(printable), ..Default::default() },
            told: Notices::default(),
            release: version.and_then(keywords::release),
            files,
            facts: Facts { counters: 3, ..Default::default() },
            maps: HashMap::default(),
            from_templates: 0,
            defined: 0,
            undefined: false,
            strange: 0,
            section: Section::Outside,
            named: HashMap::default(),
            last: Given::default(),
            spare: Vec::new(),
            others: 0,
            usual: 0,
        }
    }

    pub fn source(&mut self, source: &Source) {
        let file = self.model.files.len();
        self.model.files.push(printable(&source.name));
        let origin = Origin::new(file, source.text.clone());
        let threads = match source.text.len() < parts::FROM {
            true => 1,
            false => std::thread::available_parallelism().map_or(1, usize::from).min(4),
        };
        let most = if threads < 2 { 1 } else { PARTS };
        self.parts(&source.text, &origin, &parts::cut(&source.text, most), threads);
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            let begin = source.text.rfind('\n').map_or(0, |at| at + 1);
            let end = Words { tokens: &[], text: &source.text[begin..], origin: &origin, line: 0, start: begin };
            self.told.error(
                end.span(end.text.len()..end.text.len()),
                "the file's last line has no line feed at its end: HAProxy takes the file for cut off; end it with an empty line",
            );
        }
        // Each file begins anew, only `defaults` go on.
        self.leave();
    }

    /// Makes room for what `text` seems to hold, so that it is not moved again and again.
    pub(super) fn make_room(&mut self, text: &str) {
        let count = |word| memmem::find_iter(text.as_bytes(), word).take(ROOM_MAX).count();
        let pools = count("\nbackend ");
        self.model.pools.reserve(pools);
        self.facts.pools.reserve(pools);
        self.model.routes.reserve(count(" use_backend "));
    }

    /// Reads the lines of a part of `text`, a file of `origin`. The section that it ends in stays open.
    pub(super) fn part(&mut self, text: &str, origin: &Arc<Origin>, part: &Part) {
        let mut conditions = Conditions::new(origin.clone());
        let mut start = part.bytes.start;
        let mut split = tokens::Line::default();
        let mut last = Words { tokens: &[], text: "", origin, line: part.line, start };
        let mut rest = &text[part.bytes.clone()];
        let nul = memchr(0, rest.as_bytes()).is_some();
        for number in part.line.. {
            if rest.is_empty() {
                break;
            }
            let (whole, below) = rest.split_at(memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |feed| feed + 1));
            rest = below;
            let text = whole.strip_suffix('\n').unwrap_or(whole);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let marked = if start == 0 { text.strip_prefix('\u{feff}') } else { None };
            let shift = if marked.is_some() { '\u{feff}'.len_utf8() } else { 0 };
            let text = marked.unwrap_or(text);
            let opens = !tokens::is_indented(text) && tokens::is_indented(below);
            tokens::split_into(text, &mut split);
            let begin = start + shift;
            let words = Words { tokens: &split.tokens, text, origin, line: number, start: begin };
            let here = Words { origin: conditions.here(), ..words };
            self.line_faults(&here, &split, whole, shift);
            if nul && let Some(at) = text.find('\0') {
                self.told.refuse(here.span(at..at + 1), "the line holds a NUL byte; HAProxy reads no further than that");
            }
            // HAProxy refuses a line with more words than these.
            let words = Words { tokens: split.tokens.get(..MAX_WORDS).unwrap_or(&split.tokens), ..words };
            if words.get(0).starts_with('.') {
                conditions.read(&words, self.release, &mut self.told);
            } else if words.len() > 0 && !conditions.never() {
                self.line(Words { origin: conditions.here(), ..words }, opens);
            }
            last = Words { tokens: &[], text, origin, line: number, start: begin };
            start += whole.len();
        }
        conditions.end(&last, &mut self.told);
    }

    fn line_faults(&mut self, words: &Words<'_>, split: &tokens::Line<'_>, whole: &str, shift: usize) {
        if shift > 0 {
            self.told.refuse(
                words.span(0..0),
                "the file begins with a byte order mark, which HAProxy takes for a part of the first word; save it without one",
            );
        }
        if whole.ends_with("\r\n") && !self.facts.crlf {
            self.facts.crlf = true;
            self.told.note(words.whole(), "lines end in CR LF; HAProxy reads them like others, other tools may not");
        }
        if let Some(quote) = split.unclosed {
            let kind = if quote == '"' { "double" } else { "single" };
            let place = words.place(words.len().saturating_sub(1)..words.len());
            self.told.refuse(place, format!("a {kind} quote is opened and never closed on this line"));
        }
        for fault in &split.faults {
            self.told.refuse(words.span(fault.at..words.text.len()), fault.text);
        }
        if words.len() > MAX_WORDS {
            let place = words.at(MAX_WORDS);
            self.told.refuse(place, format!("the line has {} words; HAProxy takes at most {MAX_WORDS}", words.len()));
        }
    }

    fn line(&mut self, words: Words<'_>, opens: bool) {
        let first = words.get(0);
        // `[scope]` lines are passed over, and so is a word of nothing.
        if first.is_empty() || first.starts_with('[') {
            return self.told.note(words.whole(), format!("HAProxy passes over {}", shown(words.text.trim())));
        }
        if let Some(group) = keywords::section(first) {
            if !keywords::section_since(first, self.release) {
                self.told.error(words.at(0), format!("the section {} came after this release, which refuses it", shown(first)));
            }
            self.leave();
            return self.enter(&words, group);
        }
        // A word that opens an indented block and is no directive was meant for a section.
        let group = match &self.section {
            Section::Outside => None,
            Section::Proxy(_) => Some("listen"),
            Section::Other { group, .. } => Some(*group),
            Section::Unknown => Some(""),
        };
        let known = |group| keywords::find(group, first, None).is_some();
        let directive =
            || ["no", "default"].contains(&first) || group.is_some_and(known) || ["global", "listen"].into_iter().any(known);
        if opens && words.len() <= 2 && group != Some("") && !directive() || group.is_none() {
            match group.is_none() && directive() {
                true => self.told.error(words.at(0), format!("{} stands before any section; HAProxy refuses it", shown(first))),
                false => self.unknown("sections", words.at(0), first, "section"),
            }
            if opens {
                self.leave();
                self.others += 1;
                self.section = Section::Unknown;
            }
            return;
        }
        match std::mem::replace(&mut self.section, Section::Unknown) {
            Section::Proxy(mut draft) => {
                self.proxy(&mut draft, &words);
                self.section = Section::Proxy(draft);
            }
            Section::Other { word, name, group } => {
                self.other(&word, &name, group, &words);
                self.section = Section::Other { word, name, group };
            }
            other => self.section = other,
        }
    }

    /// Tells of a word that is not known for this release.
    pub fn unknown(&mut self, group: &str, place: Place, word: &str, what: &str) {
        let word_shown = shown(word);
        if keywords::find(group, word, None).is_some() {
            let release = self.release.map_or(String::new(), |(a, b)| format!(" {a}.{b}"));
            return self.told.error(place, format!("the {what} {word_shown} came after HAProxy{release}, which refuses it"));
        }
        self.strange += 1;
        let near = if self.strange > MAX_GUESSES { None } else { keywords::near(group, word) };
        match near {
            Some(near) => self.told.error(place, format!("HAProxy knows no {what} {word_shown}; `{near}` was perhaps meant")),
            None if self.release.is_some_and(|release| release <= NEWEST) => {
                self.told.error(place, format!("HAProxy knows no {what} {word_shown}"));
            }
            None => self
                .told
                .note(place, format!("the {what} {word_shown} is not known here; HAProxy refuses it unless it is very new")),
        }
    }

    /// Whether `word` of `group` is known; tells of it otherwise.
    pub fn knows(&mut self, group: &str, words: &Words<'_>, at: usize, what: &str) -> bool {
        self.look_up(group, words, at, what).is_some() || words.variable(at)
    }

    /// What is known of `word` of `group`; tells of it where that is nothing.
    pub fn look_up(&mut self, group: &str, words: &Words<'_>, at: usize, what: &str) -> Option<keywords::Word> {
        let known = keywords::find(group, words.get(at), self.release);
        if known.is_none() && !words.variable(at) {
            self.unknown(group, words.at(at), words.get(at), what);
        }
        known
    }

    fn enter(&mut self, words: &Words<'_>, group: &'static str) {
        let section = words.get(0);
        let kind = Kind::of(section);
        self.others += usize::from(kind.is_none_or(|kind| kind == Kind::Defaults));
        let Some(kind) = kind else {
            let name = clean_name(words.get(1));
            self.named_section(section, &name, words);
            self.section = Section::Other { word: section.to_owned(), name, group };
            return;
        };
        let (name, from) = match (words.get(1), words.get(2)) {
            ("from", from) if kind == Kind::Defaults && !from.is_empty() => ("", Some(2)),
            (name, "from") => (name, Some(3)),
            (name, _) => (name, None),
        };
        if kind != Kind::Defaults && name.is_empty() {
            self.told.error(words.whole(), format!("this {section} section has no name; write `{section} NAME`"));
        } else if let Some(odd) =
            name.chars().find(|c| !is_name_char(*c)).filter(|_| kind != Kind::Defaults && !words.variable(1))
        {
            self.told.error(
                words.at(1),
                format!("`{}` is not allowed in a name; use letters, digits, and any of `.:_-`", odd.escape_default()),
            );
        }
        if words.len() > from.map_or(2, |from| from + 1) || from.is_some_and(|from| words.len() <= from) {
            let text = format!(
                "a {section} section begins with `{section} NAME` or `{section} NAME from DEFAULTS`; HAProxy passes over this line and takes the lines below for the section above"
            );
            match kind.listens() || words.len() > 4 {
                true => self.told.error(words.whole(), format!("{text}; listening addresses go to `bind`")),
                false => self.told.warn(words.whole(), text),
            }
        }
        let given = match from.map(|at| (at, self.named.get(words.get(at)))) {
            Some((at, Some(found))) => {
                if let Some(odd) = words.get(at).chars().find(|c| !is_name_char(*c)) {
                    self.told.error(
                        words.at(at),
                        format!("`{}` is not allowed in the name of a defaults section that others name", odd.escape_default()),
                    );
                }
                if found.twice {
                    self.told.error(
                        words.at(at),
                        format!("several defaults sections are called {}; give each its own name", shown(words.get(at))),
                    );
                }
                found.given.clone()
            }
            Some((at, None)) => {
                if !words.get(at).is_empty() && !words.variable(at) {
                    self.told.error(words.at(at), format!("no defaults section above is called {}", shown(words.get(at))));
                }
                Given::default()
            }
            // A later `defaults` starts afresh; a proxy takes the one above it.
            None if kind == Kind::Defaults => Given::default(),
            None => self.last.clone(),
        };
        let servers = Vec::with_capacity(if kind.balances() { self.usual } else { 0 });
        let owns = std::mem::take(&mut self.spare);
        let draft = Draft { kind, name: clean_name(name), place: words.whole(), given, servers, owns, ..Default::default() };
        if kind != Kind::Defaults {
            self.proxy_name(&draft);
        }
        self.section = Section::Proxy(Box::new(draft));
    }

    /// Closes the section that ends here.
    pub(super) fn leave(&mut self) {
        if let Some((needed, place)) = self.facts.needed.take() {
            self.told.error(place, format!("this section needs `{needed}`"));
        }
        if let Section::Proxy(draft) = std::mem::replace(&mut self.section, Section::Outside) {
            if draft.kind != Kind::Defaults {
                return self.finish(*draft);
            }
            self.last = draft.given.clone();
            if !draft.name.is_empty() {
                let twice = self.named.get(&draft.name).is_some_and(|before| !before.place.is(&draft.place));
                self.named.insert(draft.name, Handed { given: draft.given, place: draft.place, twice });
            }
        }
    }

    /// A number as HAProxy reads most of them: what does not begin with digits is 0. None for what is refused.
    pub fn count(&mut self, words: &Words<'_>, at: usize, what: &str) -> Option<Setting<u64>> {
        let value = words.get(at);
        let place = words.place(at.saturating_sub(1)..at + 1);
        if value.is_empty() {
            self.told.error(words.whole(), format!("{what} needs a number after it"));
            return None;
        }
        if self.depends(words, at, what) {
            return Some(Setting::unknown(place));
        }
        let number = super::units::leading(value);
        if !super::units::whole(value) {
            self.told.warn(place.clone(), format!("{what} {} is not a number; HAProxy reads it as {number}", shown(value)));
        }
        Some(Setting::new(u64::try_from(number).unwrap_or(0), place))
    }

    /// Milliseconds; a number without unit counts `unit_us` microseconds. None for what is refused.
    pub fn time(&mut self, words: &Words<'_>, at: usize, what: &str, unit_us: u64) -> Option<Setting<u64>> {
        let value = words.get(at);
        if value.is_empty() {
            self.told.error(words.whole(), format!("{what} needs a time after it, such as `5s`"));
            return None;
        }
        if self.depends(words, at, what) {
            return Some(Setting::unknown(words.place(at.saturating_sub(1)..at + 1)));
        }
        match super::units::milliseconds(value, unit_us) {
            Ok(ms) => Some(Setting::new(ms, words.place(at.saturating_sub(1)..at + 1))),
            Err(super::units::TimeError::Character(odd)) => {
                let odd = odd.escape_default();
                self.told.error(
                    words.at(at),
                    format!(
                        "{what} {} is no time: `{odd}` is out of place; write a number and one of us, ms, s, m, h, d",
                        shown(value)
                    ),
                );
                None
            }
            Err(super::units::TimeError::TooLong) => {
                self.told.error(words.at(at), format!("{what} {} is too long; HAProxy takes up to 24 days", shown(value)));
                None
            }
        }
    }

    /// Whether the environment decides the value; says so.
    pub fn depends(&mut self, words: &Words<'_>, at: usize, what: &str) -> bool {
        if words.variable(at) {
            self.told.note(
                words.at(at),
                format!("{what} is set by the environment ({}), so that it is not known here", shown(words.get(at))),
            );
        }
        words.variable(at)
    }

    pub fn done(mut self) -> Model {
        self.leave();
        self.verify();
        self.model.notices = self.told.list;
        self.model
    }
}

pub fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-')
}

/// Names in a set, each told to be new or not.
pub type Names = HashSet<String>;

/// The words without the first one: `no option …`, `default option …`.
pub fn behind<'t, 'l>(tokens: &'t [Token<'l>]) -> &'t [Token<'l>] {
    tokens.get(1..).unwrap_or_default()
}
