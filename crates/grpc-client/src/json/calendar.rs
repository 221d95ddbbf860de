//! Instants and durations as text: `2024-01-02T03:04:05.5Z` and `1.5s`.

const DAY_SECONDS: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;
/// The first and the last second that a timestamp has: the years 1 to 9999.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// The longest duration, in either direction.
const LONGEST_SECONDS: i64 = 315_576_000_000;

/// Reads a timestamp by RFC 3339: seconds since 1970, and nanoseconds.
pub(super) fn read_time(text: &str) -> Option<(i64, i32)> {
    let (date, time) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-');
    let mut part = |length| digits(parts.next()?, length);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let (clock, offset) = split_offset(time)?;
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, read_fraction(fraction)?),
        None => (clock, 0),
    };
    let mut parts = clock.splitn(3, ':');
    let mut part = || digits(parts.next()?, 2);
    let (hour, minute, second) = (part()?, part()?, part()?);
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    TIMES.contains(&seconds).then_some((seconds, fraction))
}

/// Writes a timestamp; `None` if there is no such time.
pub(super) fn write_time(seconds: i64, nanos: i32) -> Option<String> {
    if !TIMES.contains(&seconds) || !(0..NANOS).contains(&i64::from(nanos)) {
        return None;
    }
    let (year, month, day) = date_of(seconds.div_euclid(DAY_SECONDS));
    let rest = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let fraction = write_fraction(nanos.unsigned_abs());
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"
    ))
}

/// The error of the text of a duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoDuration {
    Malformed,
    OutOfRange,
}

/// Reads a duration: seconds and nanoseconds, both with its sign.
pub(super) fn read_duration(text: &str) -> Result<(i64, i32), NoDuration> {
    let parsed = || {
        let rest = text.strip_suffix('s')?;
        let (rest, sign) = match rest.strip_prefix('-') {
            Some(rest) => (rest, -1),
            None => (rest.strip_prefix('+').unwrap_or(rest), 1),
        };
        let (whole, fraction) = match rest.split_once('.') {
            Some((whole, fraction)) => (whole, read_fraction(fraction)?),
            None => (rest, 0),
        };
        if whole.is_empty() && !rest.starts_with('.') {
            return None;
        }
        if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let seconds = match whole {
            "" => 0,
            digits => digits.parse().unwrap_or(i64::MAX),
        };
        Some((seconds, fraction, sign))
    };
    let (seconds, nanos, sign) = parsed().ok_or(NoDuration::Malformed)?;
    if seconds > LONGEST_SECONDS {
        return Err(NoDuration::OutOfRange);
    }
    Ok((seconds * i64::from(sign), nanos * sign))
}

/// Writes a duration; `None` if it is out of range.
pub(super) fn write_duration(seconds: i64, nanos: i32) -> Option<String> {
    let is_mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    let is_long = seconds.unsigned_abs() > LONGEST_SECONDS.unsigned_abs();
    if is_mixed || is_long || i64::from(nanos).abs() >= NANOS {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let fraction = write_fraction(nanos.unsigned_abs());
    Some(format!("{sign}{}{fraction}s", seconds.unsigned_abs()))
}

/// No, three, six or nine digits, as many as it needs.
fn write_fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        _ if nanos.is_multiple_of(1_000_000) => format!(".{:03}", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    }
}

fn read_fraction(text: &str) -> Option<i32> {
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text.len() > 9 || !are_digits {
        return None;
    }
    format!("{text:0<9}").parse().ok()
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() == length && are_digits)
        .then(|| text.parse().ok())
        .flatten()
}

/// A time of day, and by how many seconds its zone is ahead.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = hours * 3600 + minutes * 60;
    let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
    Some((&time[..at], sign * ahead))
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Its inverse, `civil_from_days`.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            (
                "2024-02-29T03:04:05.120Z",
                Some((1_709_175_845, 120_000_000)),
            ),
            (
                "2024-01-02T03:04:05.123456789+02:00",
                Some((1_704_157_445, 123_456_789)),
            ),
            ("0001-01-01T00:00:00Z", Some((*TIMES.start(), 0))),
            (
                "9999-12-31T23:59:59.999999999Z",
                Some((*TIMES.end(), 999_999_999)),
            ),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-02", None),
            ("2024-01-02t03:04:05z", None),
            ("2024-01-02T24:00:00Z", None),
            ("2024-01-02T03:04:05", None),
            ("0000-01-01T00:00:00Z", None),
        ] {
            assert_eq!(read_time(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_have_a_sign_and_up_to_nine_digits() {
        for (text, expected) in [
            ("3s", Ok((3, 0))),
            ("1.5s", Ok((1, 500_000_000))),
            (".5s", Ok((0, 500_000_000))),
            ("-0.000000001s", Ok((0, -1))),
            ("1m", Err(NoDuration::Malformed)),
            ("s", Err(NoDuration::Malformed)),
            ("1.1234567891s", Err(NoDuration::Malformed)),
            ("315576000001s", Err(NoDuration::OutOfRange)),
            ("99999999999999999999999s", Err(NoDuration::OutOfRange)),
        ] {
            assert_eq!(read_duration(text), expected, "{text}");
        }
        assert_eq!(write_duration(1, -1), None);
        assert_eq!(write_duration(i64::MIN, 0), None);
    }

    proptest! {
        #[test]
        fn times_and_durations_survive(seconds in TIMES, nanos in 0..1_000_000_000) {
            let text = write_time(seconds, nanos).expect("in range");
            prop_assert_eq!(read_time(&text), Some((seconds, nanos)));
            let (seconds, nanos) = if seconds < 0 { (seconds, -nanos) } else { (seconds, nanos) };
            let text = write_duration(seconds, nanos).expect("in range");
            prop_assert_eq!(read_duration(&text), Ok((seconds, nanos)));
        }
    }
}
