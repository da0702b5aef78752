//! Reads the times that alert senders write: RFC 3339 and its near misses, and epoch numbers.
//!
//! A time without a zone is refused: it could be any of 26 instants.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::domain::time::{Timestamp, to_micros};

/// `Ok(None)` is a sender's way to say "none": null, an empty text, zero, or the year 1 that Go writes.
/// `Err` says in a few words why a value cannot be used.
pub(super) fn read(value: &Value) -> Result<Option<Timestamp>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => epoch(&number.to_string()),
        Value::String(text) => match text.trim() {
            "" => Ok(None),
            text if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => epoch(text),
            text => written(text).map(|at| Some(at).filter(|at| at.timestamp() > YEAR_2)),
        },
        _ => Err("not a time"),
    }
}

/// The first second of the year 2; everything before is some language's zero value.
const YEAR_2: i64 = -62_104_060_800;

/// Seconds, milli-, micro- or nanoseconds since 1970, told apart by magnitude as far as the year 5138.
fn epoch(text: &str) -> Result<Option<Timestamp>, &'static str> {
    const NOT: &str = "not a number of seconds, milliseconds, microseconds or nanoseconds since 1970";
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().map_err(|_| NOT)?;
    let micros = match whole {
        0 => return Ok(None),
        ..0 => return Err(NOT),
        1..100_000_000_000 => {
            let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
            whole * 1_000_000 + digits.parse::<i64>().map_err(|_| NOT)?
        }
        100_000_000_000..100_000_000_000_000 => whole * 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => whole,
        _ => whole / 1_000,
    };
    DateTime::from_timestamp_micros(micros).map(Some).ok_or(NOT)
}

fn written(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(to_micros(at.with_timezone(&Utc)));
    }
    if text.len() > 64 {
        return Err("not a time");
    }
    let mut text = match text.split_at_checked(10) {
        Some((date, time)) => format!("{date} {}", time.trim_start_matches(['T', 't', ' '])),
        None => return Err("not a time"),
    };
    for utc in ["Z", "z", " UTC", " GMT"] {
        if let Some(bare) = text.strip_suffix(utc) {
            text = format!("{bare}+0000");
            break;
        }
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%d %H:%M%z", "%Y-%m-%d %H:%M %z"] {
        if let Ok(at) = DateTime::parse_from_str(&text, format) {
            return Ok(to_micros(at.with_timezone(&Utc)));
        }
    }
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"].iter().any(|f| NaiveDateTime::parse_from_str(&text, f).is_ok());
    Err(if naive { "has no zone; write it like 2026-11-21T14:03:00Z" } else { "not a time" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_write_an_instant_is_the_same_instant() {
        for value in [
            json!("2026-11-21T08:36:31.917Z"),
            json!("2026-11-21T08:36:31.917000900Z"),
            json!("2026-11-21T09:36:31.917+01:00"),
            json!("2026-11-21T08:36:31.917+0000"),
            json!("2026-11-21 08:36:31.917 +0000"),
            json!(" 2026-11-21 08:36:31.917Z "),
            json!("2026-11-21 08:36:31.917 UTC"),
            json!(1_795_250_191.917),
            json!("1795250191.917"),
            json!(1_795_250_191_917_i64),
            json!("1795250191917"),
            json!(1_795_250_191_917_000_i64),
            json!(1_795_250_191_917_000_110_i64),
        ] {
            let at = read(&value).expect("understood").expect("some").timestamp_micros();
            assert_eq!(at, 1_795_250_191_917_000, "{value}");
        }
        assert_eq!(read(&json!("2026-11-21T08:36Z")).expect("understood").expect("some").timestamp(), 1_795_250_160);
    }

    #[test]
    fn zero_values_mean_none() {
        for value in
            [json!(null), json!(""), json!(0), json!("0"), json!("0001-01-01T00:00:00Z"), json!("0001-01-01T01:00:00+01:00")]
        {
            assert_eq!(read(&value), Ok(None), "{value}");
        }
    }

    #[test]
    fn naive_times_and_nonsense_are_refused() {
        for value in [json!("2026-11-21T08:36:31"), json!("2026-11-21 08:36:31.917"), json!("2026-11-21 08:36")] {
            assert!(read(&value).expect_err("naive").starts_with("has no zone"), "{value}");
        }
        for value in [
            json!("yesterday"),
            json!("2026-13-40T00:00:00Z"),
            json!(-5),
            json!(1e300),
            json!("1.2.3"),
            json!("."),
            json!("99999999999999999999999"),
            json!(true),
            json!(["2026"]),
            json!("é".repeat(100)),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
    }
}
