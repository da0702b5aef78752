//! Findings as workflow commands of GitHub Actions, which show them beside the lines of a pull request. The summary
//! goes below them as plain text. GitHub shows ten of each kind for one step; the worst come first.

use std::fmt::Write;

use super::report::Report;
use super::text::summary;
use crate::balancer::audit::{self, Severity};
use crate::balancer::model::Gravity;
use crate::balancer::source::Place;

pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for (gravity, command) in [(Gravity::Error, "error"), (Gravity::Warning, "warning")] {
        for notice in report.notices(gravity) {
            say(&mut out, command, report, Some(&notice.place), "config", &notice.text);
        }
    }
    for finding in &report.findings {
        let command = match finding.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low | Severity::Info => "notice",
        };
        let title = audit::rule(finding.rule).map_or(finding.rule.to_owned(), |rule| format!("{}: {}", rule.id, rule.title));
        let text = format!("{}\n{}", finding.message, finding.remedy);
        say(&mut out, command, report, finding.places.first(), &title, text.trim_end());
    }
    out + &summary(report)
}

/// For a config that could not be read at all.
pub fn refusal(why: &str) -> String {
    format!("::error title=afterload check::{}\n", data(why))
}

fn say(out: &mut String, command: &str, report: &Report, place: Option<&Place>, title: &str, text: &str) {
    let _ = write!(out, "::{command} ");
    if let Some((place, file)) = place.and_then(|place| Some((place, report.file(place)?))) {
        let _ = write!(out, "file={},", property(file));
        if let Some(region) = report.region(place) {
            let _ = write!(out, "line={},", region.line);
            // Columns are taken for one line only.
            if region.exact && region.line == region.end_line {
                let _ = write!(out, "col={},endColumn={},", region.column, region.end_column);
            } else if region.line < region.end_line {
                let _ = write!(out, "endLine={},", region.end_line);
            }
        }
    }
    let _ = writeln!(out, "title={}::{}", property(title), data(text));
}

/// Escapes as the toolkit's own `issueCommand` does: what follows the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value; `,` and `:` would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
