//! Findings for people: the line with the fault underlined, as compilers show it.
//!
//! Drawn by annotate-snippets, the crate that the Rust project keeps for its own compiler and package manager: released
//! every few weeks, no dependency that clap does not bring already, and it takes a text with a starting line, so that
//! one line of a config of a million is enough. (miette wants its diagnostics as error types; ariadne wants whole files.)

use std::collections::HashMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::report::{Outcome, Report, SEVERITIES};
use crate::balancer::audit::Severity;
use crate::balancer::model::Gravity;
use crate::balancer::source::Place;
use crate::cli::configs::spot;
use crate::domain::time::shorten;

/// Diagnostics of one rule that are drawn; 5,000 servers without a check are one problem.
const MOST_EACH: usize = 20;
/// Other places that are shown with a finding.
const MOST_PLACES: usize = 2;

pub fn render(report: &Report, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for (gravity, level) in [(Gravity::Error, Level::ERROR), (Gravity::Warning, Level::WARNING)] {
        let notices = report.notices(gravity).map(|notice| Diagnostic {
            level: level.clone(),
            id: None,
            message: &notice.text,
            remedy: "",
            places: std::slice::from_ref(&notice.place),
        });
        draw(report, &renderer, notices, &mut out);
    }
    let findings = report.findings.iter().map(|finding| Diagnostic {
        level: level(finding.severity),
        id: Some(finding.rule),
        message: &finding.message,
        remedy: &finding.remedy,
        places: &finding.places,
    });
    draw(report, &renderer, findings, &mut out);
    let notes: Vec<_> = report.notices(Gravity::Note).collect();
    for note in notes.iter().take(MOST_EACH) {
        let file = report.source(&note.place).map_or("", |source| &source.name);
        let place =
            if file.is_empty() { String::new() } else { format!("{}: ", spot(file, note.place.line(), note.place.column())) };
        out += &format!("note: {place}{}\n", lines(&note.text));
    }
    if notes.len() > MOST_EACH {
        out += &format!("note: and {} more notes; --format json has them all\n", notes.len() - MOST_EACH);
    }
    if let Some(changes) = report.changes.as_ref().filter(|changes| !changes.is_empty()) {
        out += &format!("{} since the config before:\n", count(changes.len(), "change", "changes"));
        for change in changes.iter().take(MOST_EACH) {
            out += &format!("  {}\n", change.sentence);
        }
        if changes.len() > MOST_EACH {
            out += &format!("  and {} more; `afterload diff` has them all\n", changes.len() - MOST_EACH);
        }
    }
    out + &summary(report)
}

/// Stands where a part of a line is left out.
const CUT: char = '…';

struct Diagnostic<'a> {
    level: Level<'static>,
    id: Option<&'a str>,
    message: &'a str,
    remedy: &'a str,
    places: &'a [Place],
}

fn level(severity: Severity) -> Level<'static> {
    let level = match severity {
        Severity::Critical | Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low => Level::NOTE,
        Severity::Info => Level::INFO,
    };
    level.with_name(severity.said())
}

fn draw<'a>(report: &Report, renderer: &Renderer, all: impl Iterator<Item = Diagnostic<'a>>, out: &mut String) {
    let mut seen: HashMap<Option<&str>, usize> = HashMap::new();
    for one in all {
        let times = seen.entry(one.id).or_default();
        *times += 1;
        if *times > MOST_EACH {
            continue;
        }
        let message = lines(one.message);
        let title = one.level.primary_title(message);
        let mut group = Group::with_title(match one.id {
            Some(id) => title.id(id),
            None => title,
        });
        for (at, place) in one.places.iter().take(MOST_PLACES + 1).enumerate() {
            group = shown(group, report, place, at == 0);
        }
        if one.places.len() > MOST_PLACES + 1 {
            group = group.element(
                Level::NOTE.message(format!("and {}", count(one.places.len() - MOST_PLACES - 1, "more place", "more places"))),
            );
        }
        if !one.remedy.is_empty() {
            group = group.element(Level::HELP.message(lines(one.remedy)));
        }
        *out += &renderer.render(&[group]);
        *out += "\n\n";
    }
    let mut cut: Vec<_> = seen.into_iter().filter(|(_, times)| *times > MOST_EACH).collect();
    cut.sort();
    for (id, times) in cut {
        *out += &format!("and {} more of {}; --format json has them all\n\n", times - MOST_EACH, id.unwrap_or("these"));
    }
}

fn shown<'a>(group: Group<'a>, report: &Report, place: &Place, is_main: bool) -> Group<'a> {
    let Some(source) = report.source(place) else { return group };
    let origin = Origin::path(source.name.clone()).line(place.line()).char_column(place.column().max(1));
    let Some((line, span)) = excerpt(&source.text, place) else { return group.element(origin) };
    let kind = if is_main { AnnotationKind::Primary } else { AnnotationKind::Context };
    // Of a line whose beginning is cut off the snippet would count wrong columns.
    let is_whole = !line.starts_with(CUT);
    let snippet = Snippet::source(line).line_start(place.line()).annotation(kind.span(span));
    if is_whole { group.element(snippet.path(source.name.clone())) } else { group.element(origin).element(snippet) }
}

/// The line of a place, and the bytes of it that the place covers. A long line (a whole config can stand on one) is
/// cut around the place; nothing in it can move the cursor of a terminal.
fn excerpt(text: &str, place: &Place) -> Option<(String, Range<usize>)> {
    const BEFORE: usize = 60;
    const MOST: usize = 200;
    let begin = text.get(..place.span().start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[begin..].split('\n').next().unwrap_or_default().trim_end();
    let (start, end) = (place.span().start - begin, place.span().end.max(place.span().start + 1) - begin);
    let column = line.get(..start)?.chars().count();
    let from = if line.len() > MOST { column.saturating_sub(BEFORE) } else { 0 };
    let mut out = if from > 0 { CUT.to_string() } else { String::new() };
    let mut span = None::<Range<usize>>;
    for (count, (at, c)) in line.char_indices().skip(from).enumerate() {
        if count == MOST {
            out.push(CUT);
            break;
        }
        let here = out.len();
        out.push(if c.is_control() && c != '\t' { '\u{fffd}' } else { c });
        if (start..end).contains(&at) {
            span = Some(span.map_or(here, |span| span.start)..out.len());
        }
    }
    let end_of_line = out.len()..out.len();
    Some((out, span.unwrap_or(end_of_line)))
}

/// A sentence with nothing in it that a terminal would obey; lines of a quoted output stay lines.
fn lines(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The last line: what was read, what was found, and what that means for the exit status.
pub fn summary(report: &Report) -> String {
    let files = match report.model.files.as_slice() {
        [only] => only.clone(),
        files => count(files.len(), "file", "files"),
    };
    let version = report.model.version.as_deref().map_or(String::new(), |version| format!(" {}", shorten(version, 40)));
    let notices = |gravity| report.notices(gravity).count();
    let mut found = Vec::new();
    for (number, one, many) in [(notices(Gravity::Error), "error", "errors"), (notices(Gravity::Warning), "warning", "warnings")]
    {
        found.extend((number > 0).then(|| count(number, one, many)));
    }
    let counts = SEVERITIES.map(|severity| (report.count(severity), severity.said()));
    found.extend(counts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let counted = report.findings.iter().filter(|finding| report.counts(finding)).count();
    let verdict = match report.outcome() {
        Outcome::Clean => format!("nothing at or above {}", report.bar.said()),
        Outcome::Found => format!("{counted} at or above {}", report.bar.said()),
        Outcome::Refused => "not all of it could be read, or the balancer would refuse it".to_owned(),
    };
    format!("{files} ({}{version}): {found}; {verdict}\n", report.model.kind.said())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::source::Origin;

    fn underlined(text: &str, span: Range<usize>) -> (String, String) {
        let place = Place::new(&Origin::new(0, text), span);
        let (line, span) = excerpt(text, &place).expect("a line");
        (line[span].to_owned(), line)
    }

    #[test]
    fn the_line_of_a_place_is_shown_with_what_it_covers() {
        let text = "a\n\tserver ä\u{1b}[31m b  \r\nlast";
        let at = text.find("ä").expect("there");
        let (marked, line) = underlined(text, at..at + 4);
        assert_eq!((marked.as_str(), line.as_str()), ("ä\u{fffd}[", "\tserver ä\u{fffd}[31m b"));
        // A block is underlined on its first line alone; what lies behind the last character is a point.
        assert_eq!(underlined(text, at..text.len()).0, "ä\u{fffd}[31m b");
        assert_eq!(underlined(text, text.len()..text.len()), (String::new(), "last".to_owned()));
        assert_eq!(underlined("", 0..0), (String::new(), String::new()));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}HERE{}", "ö".repeat(100_000), "x".repeat(100_000));
        let at = text.find("HERE").expect("there");
        let (marked, line) = underlined(&text, at..at + 4);
        assert_eq!(marked, "HERE");
        assert!(line.starts_with(CUT) && line.ends_with(CUT) && line.chars().count() < 220, "{}", line.len());
    }

    #[test]
    fn a_place_that_is_none_shows_no_line() {
        let place = |span| Place::new(&Origin::new(0, "another text"), span);
        assert_eq!(excerpt("ää", &place(1..9)), None);
        assert_eq!(excerpt("", &place(2..9)), None);
    }
}
