//! How times, spans, shares and severities are written on pages. No time leaves here without its zone.
//!
//! Values are taken as `impl Borrow`, because templates hold references and code holds values.

use std::borrow::Borrow;

use askama::filters::Safe;
use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, Timelike};

use crate::domain::time::{self, Timestamp};

/// The zone that a reader chose (`z`), as an offset from UTC. The script knows daylight saving and
/// corrects what it changes; without scripts the offset of the last visit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone {
    /// Minutes east of UTC.
    pub minutes: i32,
    /// The year that needs no saying; 0 when every year is said.
    pub year: i32,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Zone {
    /// Reads the cookie: `utc` or minutes east of UTC.
    pub fn from_cookie(text: &str) -> Self {
        Self { minutes: text.parse().ok().filter(|minutes: &i32| minutes.abs() <= 14 * 60).unwrap_or(0), year: 0 }
    }

    /// The same for a reader at `now`.
    pub fn at(self, now: Timestamp) -> Self {
        Self { year: self.local(now).year(), ..self }
    }

    /// `UTC`, `+02` or `+05:30`: short enough to stand behind every time.
    pub fn label(self) -> String {
        if self.minutes == 0 {
            return "UTC".to_owned();
        }
        let (sign, minutes) = (if self.minutes < 0 { '−' } else { '+' }, self.minutes.abs());
        match minutes % 60 {
            0 => format!("{sign}{:02}", minutes / 60),
            rest => format!("{sign}{:02}:{rest:02}", minutes / 60),
        }
    }

    /// `UTC` or `UTC+02:00`.
    pub fn name(self) -> String {
        time::offset_name(self.minutes)
    }

    fn local(self, at: Timestamp) -> DateTime<FixedOffset> {
        at.with_timezone(&time::offset(self.minutes))
    }

    fn tag(self, at: Timestamp, form: &str, text: &str) -> Safe<String> {
        Safe(format!("<time datetime=\"{}\" data-t=\"{form}\">{text}</time>", time::rfc3339(at)))
    }

    /// `14:03 UTC`.
    pub fn clock(self, at: impl Borrow<Timestamp>) -> Safe<String> {
        let local = self.local(*at.borrow());
        let text = format!("{:02}:{:02} <small>{}</small>", local.hour(), local.minute(), self.label());
        self.tag(*at.borrow(), "clock", &text)
    }

    /// `21 Nov 14:03 UTC`, in another year than the reader's `21 Nov 2024 14:03 UTC`.
    pub fn short(self, at: impl Borrow<Timestamp>) -> Safe<String> {
        let local = self.local(*at.borrow());
        let (day, month, hour, minute) = (local.day(), MONTHS[local.month0() as usize % 12], local.hour(), local.minute());
        let year = if local.year() == self.year { String::new() } else { format!(" {}", local.year()) };
        let text = format!("{day} {month}{year} {hour:02}:{minute:02} <small>{}</small>", self.label());
        self.tag(*at.borrow(), "short", &text)
    }

    /// `2026-11-21 14:03:07 UTC`.
    pub fn full(self, at: impl Borrow<Timestamp>) -> Safe<String> {
        let text = format!("{} <small>{}</small>", self.local(*at.borrow()).format("%Y-%m-%d %H:%M:%S"), self.label());
        self.tag(*at.borrow(), "full", &text)
    }

    /// `Saturday, 21 November 2026`.
    pub fn day(self, at: impl Borrow<Timestamp>) -> String {
        self.local(*at.borrow()).format("%A, %-d %B %Y").to_string()
    }

    /// Tells days apart.
    pub fn date(self, at: impl Borrow<Timestamp>) -> NaiveDate {
        self.local(*at.borrow()).date_naive()
    }

    /// The value of `<input type=datetime-local step=1>`, in the shortest form, as browsers send it back.
    pub fn input(self, at: impl Borrow<Timestamp>) -> String {
        let text = self.local(*at.borrow()).format("%Y-%m-%dT%H:%M:%S").to_string();
        text.strip_suffix(":00").filter(|short| short.len() == 16).map_or(text.clone(), str::to_owned)
    }
}

/// `23 min`, kept fresh by the script while `live`; `at` is where it counts from.
pub fn since(at: impl Borrow<Timestamp>, now: impl Borrow<Timestamp>) -> Safe<String> {
    let (at, now) = (*at.borrow(), *now.borrow());
    Safe(format!("<time datetime=\"{}\" data-t=\"since\">{}</time>", time::rfc3339(at), time::humane(now - at)))
}

/// `23 min ago`.
pub fn ago(at: impl Borrow<Timestamp>, now: impl Borrow<Timestamp>) -> Safe<String> {
    let (at, now) = (*at.borrow(), *now.borrow());
    Safe(format!("<time datetime=\"{}\" data-t=\"ago\">{} ago</time>", time::rfc3339(at), time::humane(now - at)))
}

/// `23 min` from seconds.
pub fn span(seconds: impl Borrow<i64>) -> String {
    time::humane(Duration::try_seconds(*seconds.borrow()).unwrap_or_default())
}

/// A fraction as `90 %`, `98.6 %`, `0.02 %`.
pub fn percent(share: impl Borrow<f64>) -> String {
    let percent = share.borrow() * 100.0;
    let digits = if percent == percent.round() || percent.abs() >= 99.95 {
        0
    } else if percent.abs() < 0.1 {
        2
    } else {
        1
    };
    format!("{percent:.digits$} %")
}

/// `1,000,000`.
pub fn count(number: impl Borrow<i64>) -> String {
    let number = *number.borrow();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first letters of a handle, for the chip in the bar.
pub fn initials(handle: &str) -> String {
    handle.chars().filter(|c| c.is_alphanumeric()).take(2).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_carries_its_zone() {
        let at: Timestamp = "2026-11-21T23:30:07Z".parse().expect("time");
        let zone = |cookie| Zone::from_cookie(cookie);
        assert_eq!(
            zone("utc").clock(at).0,
            "<time datetime=\"2026-11-21T23:30:07Z\" data-t=\"clock\">23:30 <small>UTC</small></time>"
        );
        assert!(zone("330").clock(at).0.contains("05:00 <small>+05:30</small>"));
        assert_eq!((zone("60").date(at).to_string(), zone("-60").label()), ("2026-11-22".to_owned(), "−01".to_owned()));
        assert_eq!(zone("0").input(at), "2026-11-21T23:30:07");
        assert_eq!(zone("0").input("2026-11-21T23:00:00Z".parse::<Timestamp>().expect("time")), "2026-11-21T23:00");
        assert_eq!((zone("99999").minutes, zone("x").minutes), (0, 0));
    }

    #[test]
    fn figures_read_well() {
        assert_eq!([percent(0.9), percent(0.986), percent(0.0002), percent(1.0)], ["90 %", "98.6 %", "0.02 %", "100 %"]);
        assert_eq!([count(0), count(999), count(1_000_000), count(-1234)], ["0", "999", "1,000,000", "−1,234"]);
    }
}
