//! The time at the start of a composer line. Plain offsets only: no zone database, no names of zones.

use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveTime, TimeZone, Utc};

use super::scan::{Day, NotATime, Scan};
use crate::domain::time::{Timestamp, offset, offset_name, shorten, to_micros};

/// A time that was found.
pub(super) struct Found {
    pub at: Timestamp,
    pub utc_offset_minutes: i32,
    /// Bytes of the time as typed.
    pub length: usize,
    /// Bytes up to the text: the time and a colon or comma after it.
    pub taken: usize,
}

/// A clock may be this much behind the one that the writer reads the time from.
const AHEAD: Duration = Duration::minutes(5);
/// Nobody counts back further than this.
const BACK_MAX: Duration = Duration::days(366);

pub(super) fn read(line: &str, now: Timestamp, reader_minutes: i32, warnings: &mut Vec<String>) -> Option<Found> {
    let reader = offset(reader_minutes);
    if let Some((back, scan)) = relative(line) {
        return found(line, scan, now.checked_sub_signed(back)?, reader);
    }
    match absolute(line, now, reader, warnings) {
        Some(Ok((at, zone, scan))) => found(line, scan, at, zone),
        Some(Err(NotATime)) => {
            let word = line.split_whitespace().find(|word| word.contains(':')).unwrap_or(line);
            warnings.push(format!("“{}” is not read as a time, so the entry is stamped now", shorten(word, 20)));
            None
        }
        None => None,
    }
}

fn found(line: &str, scan: Scan, at: Timestamp, zone: FixedOffset) -> Option<Found> {
    let length = line.len() - scan.rest.len();
    let taken = length + usize::from(scan.rest.starts_with([':', ',']));
    Some(Found { at: to_micros(at), utc_offset_minutes: zone.local_minus_utc() / 60, length, taken })
}

fn absolute<'a>(
    line: &'a str,
    now: Timestamp,
    reader: FixedOffset,
    warnings: &mut Vec<String>,
) -> Option<Result<(Timestamp, FixedOffset, Scan<'a>), NotATime>> {
    let mut scan = Scan { rest: line };
    let mut after_at = scan;
    if after_at.eat("at") && after_at.blanks() {
        scan = after_at;
    }
    let day = scan.day();
    let (hour, minute) = scan.hour_and_minute()?;
    let Ok(day) = day else { return Some(Err(NotATime)) };
    let Some(time) = scan.rest_of_clock(hour, minute) else { return Some(Err(NotATime)) };
    let zone = scan.zone();
    if !scan.ended() {
        return Some(Err(NotATime));
    }
    let clock = time.format("%H:%M");
    match &zone {
        Some(zone) if zone.may_be_a_span && zone.minutes.abs() > time_minutes(time) => {
            warnings.push(format!("read as {clock} in {}, not as a span", offset_name(zone.minutes)));
        }
        None => {
            if let Some(name) = scan.zone_name() {
                let reader = offset_name(reader.local_minus_utc() / 60);
                warnings.push(format!(
                    "“{name}” is not read as a zone: {clock} is taken in {reader}; write an offset such as +02:00"
                ));
            }
        }
        _ => {}
    }
    let zone = zone.map_or(reader, |zone| offset(zone.minutes));
    Some(match instant(&day, time, now, zone, warnings) {
        Some(at) => Ok((at, zone, scan)),
        None => Err(NotATime),
    })
}

fn time_minutes(time: NaiveTime) -> i32 {
    i32::try_from(time.signed_duration_since(NaiveTime::MIN).num_minutes()).unwrap_or(0)
}

fn instant(day: &Day, time: NaiveTime, now: Timestamp, zone: FixedOffset, warnings: &mut Vec<String>) -> Option<Timestamp> {
    let latest = now.checked_add_signed(AHEAD)?;
    let today = now.with_timezone(&zone).date_naive();
    let on = |date: NaiveDate| {
        zone.from_local_datetime(&date.and_time(time)).single().map(|at: DateTime<FixedOffset>| at.with_timezone(&Utc))
    };
    let at = match day {
        Day::Bare => {
            let at = on(today)?;
            if at <= latest {
                return Some(at);
            }
            warnings.push("taken as yesterday".to_owned());
            return on(today.pred_opt()?);
        }
        Day::Today => on(today)?,
        Day::Yesterday => on(today.pred_opt()?)?,
        Day::Date(date) => on(*date)?,
        Day::Yearless(day, month) => {
            // Eight years hold a 29 February, whatever the century.
            let years = (0..=8).map(|back| today.year() - back);
            let days = years.filter_map(|year| NaiveDate::from_ymd_opt(year, *month, *day));
            let (date, at) = days.filter_map(|date| Some((date, on(date)?))).find(|(_, at)| *at <= latest)?;
            if date.year() != today.year() {
                warnings.push(format!("taken as {}", date.format("%-d %b %Y")));
            }
            at
        }
    };
    if at > latest {
        warnings.push("this time is in the future".to_owned());
    }
    Some(at)
}

/// `-1h30m`: units shrink, blanks may stand between the parts (`-1h 30m`).
fn relative(line: &str) -> Option<(Duration, Scan<'_>)> {
    let mut scan = Scan { rest: line };
    // Phones and word processors turn the hyphen into a dash or a minus.
    if !(scan.eat("-") || scan.eat("−") || scan.eat("–")) {
        return None;
    }
    let (first, mut unit) = scan.amount(true)?;
    let mut total = first * unit;
    loop {
        let mut next = scan;
        next.blanks();
        match next.amount(false) {
            Some((amount, smaller)) if smaller < unit => {
                total += amount * smaller;
                unit = smaller;
                scan = next;
            }
            _ => break,
        }
    }
    let total = Duration::seconds(total);
    (scan.ended() && total <= BACK_MAX).then_some((total, scan))
}
