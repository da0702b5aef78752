//! Reads the parts of a written time: numbers, days, clocks, offsets. What they amount to is `moment`'s.

use chrono::{NaiveDate, NaiveTime};

/// Something that begins like a clock time but is none: `25:00`, `14:03:99`, `14:03-14:20`.
pub(super) struct NotATime;

pub(super) enum Day {
    /// Only a clock time: the last time it was that late.
    Bare,
    Today,
    Yesterday,
    Date(NaiveDate),
    /// A day and a month: the last such day.
    Yearless(u32, u32),
}

pub(super) struct Zone {
    pub minutes: i32,
    /// `-14:20` right after a clock time may have been meant as its end.
    pub may_be_a_span: bool,
}

/// What is left to read. Copied to look ahead.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    pub rest: &'a str,
}

impl<'a> Scan<'a> {
    /// Takes `text` in any case of its ASCII letters.
    pub fn eat(&mut self, text: &str) -> bool {
        match self.rest.split_at_checked(text.len()) {
            Some((head, rest)) if head.eq_ignore_ascii_case(text) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes blanks but no line break: a time stands on one line.
    pub fn blanks(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
        let any = rest.len() < self.rest.len();
        self.rest = rest;
        any
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest;
        head
    }

    /// Takes a whole run of digits if its length fits.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
        let run = self.take_while(|c| c.is_ascii_digit());
        if digits.contains(&run.len()) { run.parse().ok() } else { None }
    }

    /// Whether the time may end here: at a blank, at the end, or at `:` or `,` before one of these.
    pub fn ended(self) -> bool {
        let rest = self.rest.strip_prefix([':', ',']).unwrap_or(self.rest);
        rest.chars().next().is_none_or(char::is_whitespace)
    }

    /// `30m` as 30 and 60 seconds. After a blank only a word counts that can be nothing but a unit.
    pub fn amount(&mut self, may_be_apart: bool) -> Option<(i64, i64)> {
        let number = i64::from(self.number(1..=6)?);
        let apart = self.blanks();
        let unit = match self.take_while(|c| c.is_ascii_alphabetic()).to_ascii_lowercase().as_str() {
            "s" | "m" | "h" | "d" if apart => return None,
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        (may_be_apart || !apart).then_some((number, unit))
    }

    /// Takes a day that something follows; `Err` is a date that the calendar does not have.
    pub fn day(&mut self) -> Result<Day, NotATime> {
        let mut scan = *self;
        let day = if scan.eat("yesterday") {
            Ok(Day::Yesterday)
        } else if scan.eat("today") {
            Ok(Day::Today)
        } else if let Some((year, month, day)) = scan.iso_date() {
            scan.eat("T");
            NaiveDate::from_ymd_opt(year, month, day).map(Day::Date).ok_or(NotATime)
        } else if let Some((day, month, year)) = scan.day_and_month() {
            match year {
                Some(year) => NaiveDate::from_ymd_opt(year, month, day).map(Day::Date).ok_or(NotATime),
                None => Ok(Day::Yearless(day, month)),
            }
        } else {
            return Ok(Day::Bare);
        };
        scan.eat(",");
        scan.blanks();
        *self = scan;
        day
    }

    /// A year of this millennium: `0206-11-20` is a slip of the finger.
    fn year(&mut self) -> Option<i32> {
        self.number(4..=4).and_then(|year| i32::try_from(year).ok()).filter(|year| (2000..3000).contains(year))
    }

    fn iso_date(&mut self) -> Option<(i32, u32, u32)> {
        let mut scan = *self;
        let year = scan.year()?;
        let month = scan.eat("-").then(|| scan.number(2..=2))??;
        let day = scan.eat("-").then(|| scan.number(2..=2))??;
        *self = scan;
        Some((year, month, day))
    }

    /// `20 Nov`, `20 November 2026`.
    fn day_and_month(&mut self) -> Option<(u32, u32, Option<i32>)> {
        const MONTHS: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let mut scan = *self;
        let day = scan.number(1..=2)?;
        scan.blanks();
        let name = scan.take_while(|c| c.is_ascii_alphabetic()).to_ascii_lowercase();
        let month = MONTHS.iter().position(|month| name.len() >= 3 && month.starts_with(&name))?;
        *self = scan;
        let mut ahead = scan;
        let year = ahead.blanks().then(|| ahead.year()).flatten();
        if year.is_some() {
            *self = ahead;
        }
        Some((day, u32::try_from(month).ok()? + 1, year))
    }

    pub fn hour_and_minute(&mut self) -> Option<(u32, u32)> {
        let hour = self.number(1..=2)?;
        let minute = self.eat(":").then(|| self.number(2..=2))??;
        Some((hour, minute))
    }

    /// Seconds, a fraction that log lines have, and the half of the day.
    pub fn rest_of_clock(&mut self, hour: u32, minute: u32) -> Option<NaiveTime> {
        let mut second = 0;
        let mut micros = 0;
        let mut ahead = *self;
        if ahead.eat(":") && ahead.rest.starts_with(|c: char| c.is_ascii_digit()) {
            second = ahead.number(2..=2)?;
            *self = ahead;
            if ahead.eat(".")
                && let digits = ahead.take_while(|c| c.is_ascii_digit())
                && !digits.is_empty()
            {
                micros = digits.chars().chain("000000".chars()).take(6).collect::<String>().parse().ok()?;
                *self = ahead;
            }
        }
        let hour = match (self.half_of_day(hour), hour) {
            (Some(Half::Morning), 12) => 0,
            (Some(Half::Evening), 1..12) => hour + 12,
            _ => hour,
        };
        NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
    }

    /// `am` and `pm`, where they can be meant: `17:14 pm` is written, `17:14 am` begins a German sentence.
    fn half_of_day(&mut self, hour: u32) -> Option<Half> {
        let mut scan = *self;
        scan.blanks();
        let half = if scan.eat("a.m.") || scan.eat("am") {
            Half::Morning
        } else if scan.eat("p.m.") || scan.eat("pm") {
            Half::Evening
        } else {
            return None;
        };
        let fits = matches!((&half, hour), (Half::Morning, 0..=12) | (Half::Evening, 1..=23));
        if !fits || !scan.ended() {
            return None;
        }
        *self = scan;
        Some(half)
    }

    /// `Z`, `UTC`, `UTC+2`, `+02:00`, `+0200`, `+02`.
    pub fn zone(&mut self) -> Option<Zone> {
        let mut scan = *self;
        let apart = scan.blanks();
        let named = scan.eat("UTC") || scan.eat("GMT");
        let zone = if !named && scan.eat("Z") {
            Zone { minutes: 0, may_be_a_span: false }
        } else {
            match scan.numeric_offset(named, apart) {
                Some(zone) => zone,
                None if named => Zone { minutes: 0, may_be_a_span: false },
                None => return None,
            }
        };
        if !scan.ended() {
            return None;
        }
        *self = scan;
        Some(zone)
    }

    fn numeric_offset(&mut self, named: bool, apart: bool) -> Option<Zone> {
        let mut scan = *self;
        let sign = match () {
            () if scan.eat("+") => 1,
            () if scan.eat("-") || scan.eat("−") => -1,
            () => return None,
        };
        let digits = scan.take_while(|c| c.is_ascii_digit());
        let colon = scan.rest.starts_with(':') && !scan.ended();
        let (hours, minutes) = match digits.len() {
            1 | 2 if colon && scan.eat(":") => (digits.parse::<i32>().ok()?, i32::try_from(scan.number(2..=2)?).ok()?),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
            1 | 2 if named => (digits.parse().ok()?, 0),
            2 if !apart => (digits.parse().ok()?, 0),
            _ => return None,
        };
        let total = sign * (hours * 60 + minutes);
        // Every zone in use is a multiple of 15 minutes from UTC-12:00 to UTC+14:00.
        if minutes % 15 != 0 || minutes > 45 || !(-12 * 60..=14 * 60).contains(&total) {
            return None;
        }
        *self = scan;
        Some(Zone { minutes: total, may_be_a_span: sign < 0 && colon && !named })
    }

    /// The next word, if it is the name of a zone that needs a database, or a guess, to become an offset.
    pub fn zone_name(mut self) -> Option<&'a str> {
        const NAMES: [&str; 31] = [
            "CET", "CEST", "WET", "WEST", "EET", "EEST", "BST", "IST", "MSK", "EST", "EDT", "ET", "CST", "CDT", "CT", "MST",
            "MDT", "MT", "PST", "PDT", "PT", "AKST", "HST", "JST", "KST", "AEST", "AEDT", "SAST", "WAT", "CAT", "EAT",
        ];
        self.blanks();
        let word = self.take_while(char::is_alphanumeric);
        NAMES.contains(&word).then_some(word)
    }
}

enum Half {
    Morning,
    Evening,
}
