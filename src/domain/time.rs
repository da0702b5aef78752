//! Instants, spans and how they are written for people.
//!
//! Every stored time is UTC, cut to microseconds (PostgreSQL keeps no more), with the offset that was
//! typed kept beside it where a person typed one. No text made here prints a time without its zone.

use chrono::{DateTime, Duration, FixedOffset, NaiveDate, SubsecRound, TimeZone, Utc};

use super::error::Error;

/// A UTC instant.
pub type Timestamp = DateTime<Utc>;

/// Where "now" comes from; tests hand in a clock that stands still.
pub trait Clock: Send + Sync {
    /// The current instant, cut to microseconds.
    fn now(&self) -> Timestamp;
}

/// Cuts to what both databases keep.
pub fn to_micros(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}

/// Whether a time is one that people mean: the years 1970 to 9999. Outside of it arithmetic with windows and
/// durations has no room.
pub fn is_meant(at: Timestamp) -> bool {
    (0..253_402_300_800).contains(&at.timestamp())
}

/// A time zone as an offset from UTC, in minutes. Kept with what a person typed.
pub fn offset(minutes: i32) -> FixedOffset {
    FixedOffset::east_opt(minutes.clamp(-14 * 60, 14 * 60) * 60).unwrap_or_else(|| Utc.fix_offset())
}

trait FixUtc {
    fn fix_offset(&self) -> FixedOffset;
}

impl FixUtc for Utc {
    fn fix_offset(&self) -> FixedOffset {
        chrono::Offset::fix(self)
    }
}

/// Reads an RFC 3339 time with any offset; returns the instant and the offset in minutes.
///
/// Naive times are refused: `2026-11-21T14:03` could be any of 26 instants.
pub fn parse_rfc3339(field: &str, text: &str) -> Result<(Timestamp, i32), Error> {
    match DateTime::parse_from_rfc3339(text.trim()) {
        Ok(at) => Ok((to_micros(at.with_timezone(&Utc)), at.offset().local_minus_utc() / 60)),
        Err(_) => Err(Error::invalid(
            field,
            "not_a_time",
            format!(
                "“{}” is not a time with a zone; write it like 2026-11-21T14:03:00Z or 2026-11-21T15:03:00+01:00",
                shorten(text, 60)
            ),
        )),
    }
}

/// What `<input type=datetime-local>` and a zone choice send: `2026-11-21T14:03[:05]` with an offset in minutes.
pub fn parse_local(field: &str, text: &str, offset_minutes: i32) -> Result<Timestamp, Error> {
    let text = text.trim();
    for format in ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"] {
        if let Ok(naive) = chrono::NaiveDateTime::parse_from_str(text, format)
            && let chrono::LocalResult::Single(at) = offset(offset_minutes).from_local_datetime(&naive)
        {
            return Ok(to_micros(at.with_timezone(&Utc)));
        }
    }
    parse_rfc3339(field, text).map(|(at, _)| at)
}

/// `2026-11-21`.
pub fn parse_date(field: &str, text: &str) -> Result<NaiveDate, Error> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map_err(|_| {
        Error::invalid(field, "not_a_date", format!("“{}” is not a date; write it like 2026-11-21", shorten(text, 40)))
    })
}

/// `+02:00`, or `UTC` for no offset.
pub fn offset_name(minutes: i32) -> String {
    if minutes == 0 {
        return "UTC".to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// `2026-11-21 14:03 UTC`.
pub fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-11-21 14:03:07 UTC`.
pub fn second(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2026-11-21T14:03:07Z`, for `<time datetime>` and front matter.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// A span as people say it: `48 s`, `23 min`, `3 h 04 min`, `2 d 5 h`. Negative spans keep their sign.
pub fn humane(span: Duration) -> String {
    let seconds = span.num_seconds();
    if seconds < 0 {
        return format!("−{}", humane(-span));
    }
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if hours < 24 && minutes % 60 == 0 => format!("{hours} h"),
        () if hours < 24 => format!("{hours} h {:02} min", minutes % 60),
        () if hours % 24 == 0 => format!("{days} d"),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// The first `limit` characters, with an ellipsis when something was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A half-open span of time `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Window {
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    pub fn length(&self) -> Duration {
        self.to - self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_say_them() {
        let said = |s: i64| humane(Duration::seconds(s));
        assert_eq!([said(0), said(59), said(60), said(3599)], ["0 s", "59 s", "1 min", "59 min"]);
        assert_eq!([said(3600), said(11_040), said(86_400), said(190_800)], ["1 h", "3 h 04 min", "1 d", "2 d 5 h"]);
        assert_eq!(said(-120), "−2 min");
    }

    #[test]
    fn naive_times_are_refused_and_offsets_kept() {
        let (at, offset) = parse_rfc3339("occurred_at", "2026-11-21T15:03:00.1234567+01:00").expect("offset");
        assert_eq!((rfc3339(at).as_str(), offset), ("2026-11-21T14:03:00.123456Z", 60));
        for text in ["2026-11-21T14:03:00", "14:03", "", "yesterday", "2026-13-40T00:00:00Z"] {
            assert!(parse_rfc3339("occurred_at", text).is_err(), "{text}");
        }
        assert_eq!(rfc3339(parse_local("at", "2026-11-21T14:03", 120).expect("local")), "2026-11-21T12:03:00Z");
    }

    #[test]
    fn shorten_cuts_between_characters() {
        assert_eq!(shorten("größer", 3), "grö…");
        assert_eq!(shorten("ab", 3), "ab");
    }
}
