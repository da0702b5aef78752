//! Numbers, times and sizes as HAProxy reads them (`parse_time_err` and `atol` in src/tools.c; configuration manual,
//! "Time format" and "Size format").

/// Why a time cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// This character is out of place.
    Character(char),
    /// More than 2,147,483,647 ms.
    TooLong,
}

/// HAProxy keeps times in 31 bits of milliseconds.
pub const LONGEST_MS: u64 = 0x7fff_ffff;

/// Milliseconds; a number without unit counts `unit_us` microseconds. What is less than a millisecond counts as one.
pub fn milliseconds(text: &str, unit_us: u64) -> Result<u64, TimeError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let odd = |rest: &str| TimeError::Character(rest.chars().next().unwrap_or(' '));
    if digits.is_empty() && !unit.is_empty() {
        return Err(odd(unit));
    }
    // What follows a unit is passed over: `1h1m` is an hour.
    let us: u64 = match unit.as_bytes() {
        [] => unit_us,
        [b'u', b's', ..] => 1,
        [b'm', b's', ..] => 1_000,
        [b's', ..] => 1_000_000,
        [b'm', ..] => 60_000_000,
        [b'h', ..] => 3_600_000_000,
        [b'd', ..] => 86_400_000_000,
        _ => return Err(odd(unit)),
    };
    let number: u64 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| TimeError::TooLong)? };
    let ms = number.checked_mul(us).ok_or(TimeError::TooLong)?.div_ceil(1_000);
    if ms > LONGEST_MS { Err(TimeError::TooLong) } else { Ok(ms) }
}

/// What C's `atol` makes of a text: the number that it begins with, else 0.
pub fn leading(text: &str) -> i64 {
    let text = if text.starts_with(|c: char| c.is_ascii_digit()) { text } else { text.trim_start() };
    let (minus, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let digits = digits.iter().map_while(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')));
    let number = digits.fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(digit));
    if minus { -number } else { number }
}

/// Whether the text is a number and nothing else.
pub fn whole(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A size such as `10k`; k, m and g are powers of 1,024.
pub fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sizes_and_numbers() {
        let ms = |text| milliseconds(text, 1_000);
        assert_eq!(
            [ms("5s"), ms("1m"), ms("250"), ms("1us"), ms("2h"), ms("1d")],
            [5_000, 60_000, 250, 1, 7_200_000, 86_400_000].map(Ok)
        );
        assert_eq!(milliseconds("30", 1_000_000), Ok(30_000));
        assert_eq!([ms("25d"), ms("99999999999999999999")], [Err(TimeError::TooLong); 2]);
        assert_eq!(["1x", "1.5s", "-1", "s"].map(|t| ms(t).unwrap_err()), ['x', '.', '-', 's'].map(TimeError::Character));
        assert_eq!([ms("1h1m"), ms("10sec")], [Ok(3_600_000), Ok(10_000)]);
        assert_eq!([size("10k"), size("1m"), size("7"), size("x"), size("")], [Some(10_240), Some(1 << 20), Some(7), None, None]);
        assert_eq!(
            ["12x", "x", "-3", "", " +7", "9223372036854775808", "99999999999999999999"].map(leading),
            [12, 0, -3, 0, 7, i64::MAX, i64::MAX]
        );
        assert!(whole("-3") && !whole("3x") && !whole(""));
    }
}
