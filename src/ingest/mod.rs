//! Turns the body of a hook into alert reports. Pure: bytes in, reports or a named place of the fault out.
//!
//! It knows no identity of a sender, no stored state and no clock; what a report does to an incident is
//! decided elsewhere. It refuses nothing that can be read with some sense: a time, a link or a label that
//! makes no sense is left out with a note, and only a body whose shape is wrong is an error.

mod alertmanager;
mod fields;
mod generic;
mod grafana;
mod sample;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use crate::domain::alert::Reports;
use crate::domain::integration::Format;
use crate::domain::time::Timestamp;

pub use sample::sample;

/// Why a body was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// A JSON pointer such as `/alerts/3/status` (empty for the whole body), or `line 1 column 2`.
    pub place: String,
    /// What is wrong there and what would be right.
    pub detail: String,
}

impl ParseError {
    fn at(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: place.into(), detail: detail.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the body" } else { &self.place };
        write!(f, "{place}: {}", self.detail)
    }
}

impl std::error::Error for ParseError {}

/// Reads one delivery. `received` is when it arrived: it judges times that cannot be meant, and tells
/// firing from resolved where the sender only gives an end.
///
/// Two reports with one `dedup_key` in the same body become one, the later of them. A time that the
/// sender gave but that could not be used is kept as written in the annotation `starts_at_raw` or
/// `ends_at_raw`, with the reason in `starts_at_note` or `ends_at_note`.
///
/// A report that is *firing* may carry `ended_at` in the future: then the sender did not say that it
/// resolved, but that it lapses at that time unless it is repeated (only `/api/v2/alerts` does that).
pub fn parse(format: Format, body: &[u8], received: Timestamp) -> Result<Reports, ParseError> {
    let value = json(body)?;
    let reports = match format {
        Format::Alertmanager => alertmanager::parse(value, received),
        Format::Grafana => grafana::parse(value, received),
        Format::Generic => generic::parse(value, received),
    }?;
    Ok(last_of_each_key(reports))
}

fn json(body: &[u8]) -> Result<Value, ParseError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        ParseError::at(format!("line {line} column {column}"), "not UTF-8; send the JSON encoded as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(ParseError::at("", "empty; a JSON document is expected"));
    }
    // The parser stops at 128 levels by itself, so a hostile depth costs neither stack nor time.
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let reason = said.split(" at line ").next().unwrap_or(&said);
        ParseError::at(format!("line {} column {}", error.line(), error.column()), format!("not JSON: {reason}"))
    })
}

fn last_of_each_key(reports: Reports) -> Reports {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(reports.alerts.len());
    let mut alerts = Vec::with_capacity(reports.alerts.len());
    for alert in reports.alerts {
        match places.get(&alert.dedup_key) {
            Some(place) => alerts[*place] = alert,
            None => {
                places.insert(alert.dedup_key.clone(), alerts.len());
                alerts.push(alert);
            }
        }
    }
    Reports { alerts, ..reports }
}
