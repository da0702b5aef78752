//! Numbers and durations as JSON, YAML, TOML, proto3 JSON and Go write them.

/// Whether a plain word of YAML is a number (core schema; infinities and not-a-number left out).
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(rest) = text.strip_prefix("0x") {
        return !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(rest) = text.strip_prefix("0o") {
        return !rest.is_empty() && rest.bytes().all(|b| matches!(b, b'0'..=b'7'));
    }
    let number = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    digits.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(number)
        && digits.parse::<f64>().is_ok()
}

/// A whole number in any of the ways in which it may be written; none when it has a fraction or is too large.
pub fn whole(text: &str) -> Option<i64> {
    let plain = text.replace('_', "");
    let radix = |prefix: &str, radix: u32| plain.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok());
    if let Some(number) = plain.strip_prefix('+').unwrap_or(&plain).parse().ok().or_else(|| radix("0x", 16)) {
        return Some(number);
    }
    if let Some(number) = radix("0o", 8).or_else(|| radix("0b", 2)) {
        return Some(number);
    }
    if !is_number(&plain) {
        return None;
    }
    // Above this a double no longer holds every whole number.
    let number: f64 = plain.parse().ok().filter(|number: &f64| number.abs() <= 9_007_199_254_740_992.0)?;
    (number.fract() == 0.0).then_some(number as i64)
}

/// `google.protobuf.Duration` as proto3 JSON writes it: seconds with up to nine decimals and `s`. In milliseconds,
/// rounded up, so that what is longer than nothing stays so; none when it is written otherwise or is negative.
pub fn proto_duration_ms(text: &str) -> Option<u64> {
    let seconds = text.trim().strip_suffix('s')?;
    if !seconds.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    ceil_ms(seconds.parse::<f64>().ok()? * 1000.0)
}

/// A Go duration: numbers with units, such as `1h30m`, `1.5s`, `300ms`. In milliseconds, rounded up; none when it is
/// written otherwise, has no unit (other than `0`), or is negative.
pub fn go_duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim().strip_prefix('+').unwrap_or(text.trim());
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ns" => 0.000_001,
                "us" | "µs" | "μs" => 0.001,
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                // Caddy's own addition.
                "d" => 86_400_000.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    ceil_ms(total)
}

fn ceil_ms(ms: f64) -> Option<u64> {
    // Thousandths of a millisecond are noise of the arithmetic.
    let ms = ((ms * 1000.0).round() / 1000.0).ceil();
    (ms >= 0.0 && ms < u64::MAX as f64).then_some(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_every_balancer_become_milliseconds() {
        let proto = ["5s", "0.25s", "0s", "3600s", "0.0001s", "5", "-1s", "1m", "1e3s", "s", ""].map(proto_duration_ms);
        let some = |ms| Some(ms);
        assert_eq!(proto, [some(5000), some(250), some(0), some(3_600_000), some(1), None, None, None, None, None, None]);
        let go = ["1m30s", "300ms", "1.5h", "0", "10us", "1d", "5", "s", "-1s", "1s2", "", "0.1s"].map(go_duration_ms);
        let want = [
            some(90_000),
            some(300),
            some(5_400_000),
            some(0),
            some(1),
            some(86_400_000),
            None,
            None,
            None,
            None,
            None,
            some(100),
        ];
        assert_eq!(go, want);
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read =
            ["5", "+5", "-5", "0x1F", "0o17", "5.0", "1e3", "5.5", "1_000", "abc", "", ".", "99999999999999999999"].map(whole);
        let want =
            [Some(5), Some(5), Some(-5), Some(31), Some(15), Some(5), Some(1000), None, Some(1000), None, None, None, None];
        assert_eq!(read, want);
        for (text, is) in [("1", true), (".5", true), ("1.", true), ("-1e5", true), ("1-2", false), ("e5", false), ("+", false)] {
            assert_eq!(is_number(text), is, "{text}");
        }
    }
}
