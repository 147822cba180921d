//! Times as people write them: `30s`, `500ms`, `1.5m`; a bare number is seconds.
//!
//! Options of trials, command lines and impairments all have times, and one parser reads them. The
//! parser is a `const fn`, so that a wrong option of a trial is an error of the compiler.

use std::time::Duration;

/// Returns the time that an option of a trial says.
///
/// # Panics
/// The text is no time, or zero. In a constant that is an error of the compiler.
pub const fn in_option(text: &str) -> Duration {
    match parse(text) {
        Some(time) if !time.is_zero() => time,
        _ => panic!(
            "this is no time that a test could run for: write for example \"30s\", \"500ms\" or \"2m\""
        ),
    }
}

/// Reads a time to the nanosecond, or returns `None` where the text is no time or one too long.
pub const fn parse(text: &str) -> Option<Duration> {
    let Some((whole, _, rest)) = number(text.as_bytes()) else {
        return None;
    };
    let (fraction, power, name) = match rest {
        [b'.', rest @ ..] => match number(rest) {
            Some(found) => found,
            None => return None,
        },
        name => (0, 1, name),
    };
    let Some(unit) = unit(name.trim_ascii()) else {
        return None;
    };
    let nanoseconds = whole * unit + fraction * unit / power;
    let seconds = nanoseconds / 1_000_000_000;
    if seconds > u64::MAX as u128 {
        return None;
    }
    Some(Duration::new(
        seconds as u64,
        (nanoseconds % 1_000_000_000) as u32,
    ))
}

/// Returns the digits that `text` begins with, the power of ten that is one longer, and the rest.
const fn number(mut text: &[u8]) -> Option<(u128, u128, &[u8])> {
    /// Largest power: a larger one would overflow with some unit.
    const MOST: u128 = 10_u128.pow(18);
    let (mut number, mut power) = (0, 1);
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        number = number * 10 + (*digit - b'0') as u128;
        power *= 10;
        text = rest;
        if power > MOST {
            return None;
        }
    }
    if power == 1 {
        return None;
    }
    Some((number, power, text))
}

/// Returns the length of a unit in nanoseconds.
const fn unit(name: &[u8]) -> Option<u128> {
    Some(match name {
        b"ns" => 1,
        // With the micro sign, and with the Greek letter.
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
        b"ms" => 1_000_000,
        b"" | b"s" => 1_000_000_000,
        b"m" | b"min" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("2 min", 120_000),
            ("1.5", 1_500),
            ("0.25h", 900_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("0.000001ms"), Some(Duration::from_nanos(1)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "s",
            "soon",
            "-1s",
            "1.",
            ".5",
            "1.s",
            "1..2",
            "1e3",
            "1 d",
            "1s s",
            "٣s",
            "1,5s",
            "1234567890123456789s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("999999999999999999h").is_none(), "too long");
        assert!(parse("999999999999999999s").is_some());
    }
}
