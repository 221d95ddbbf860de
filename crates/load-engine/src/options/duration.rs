//! Durations as Go writes and reads them.

use std::time::Duration;

/// The reason why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a Go duration; the text is Go's.
    #[error("{0}")]
    Syntax(String),
    /// Below zero.
    #[error("the duration '{0}' must not be negative")]
    Negative(String),
}

/// Reads `1d2h3m4.5s`; a bare number is milliseconds.
///
/// # Errors
/// The text is neither a duration nor a number.
pub fn parse_extended(text: &str) -> Result<Duration, DurationError> {
    if let Ok(millis) = text.parse::<f64>() {
        return from_millis(millis).ok_or_else(|| DurationError::Negative(text.to_owned()));
    }
    let Some((days, rest)) = text.split_once('d') else {
        return parse(text);
    };
    let days: u64 = days.parse().map_err(|_| invalid(text))?;
    let rest = if rest.is_empty() {
        Duration::ZERO
    } else {
        parse(rest)?
    };
    let days = Duration::from_secs(days.saturating_mul(86_400));
    Ok(days.saturating_add(rest))
}

/// Reads a Go duration: `1h2m3.5s`, `150ms`, `0`.
///
/// # Errors
/// The text is not a duration, or negative.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Some(positive) = unsigned.strip_prefix('-') {
        parse(positive).map_err(|_| invalid(text))?;
        return Err(DurationError::Negative(text.to_owned()));
    }
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    if unsigned.is_empty() {
        return Err(invalid(text));
    }
    let mut rest = unsigned;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !is_of_number(c)).unwrap_or(rest.len()));
        if !number.contains(|c: char| c.is_ascii_digit()) || number.matches('.').count() > 1 {
            return Err(invalid(text));
        }
        let (unit, next) = after.split_at(after.find(is_of_number).unwrap_or(after.len()));
        if unit.is_empty() {
            let why = format!("time: missing unit in duration {text:?}");
            return Err(DurationError::Syntax(why));
        }
        let Some(nanos) = nanos_of(unit) else {
            let why = format!("time: unknown unit {unit:?} in duration {text:?}");
            return Err(DurationError::Syntax(why));
        };
        let part = part(number, nanos).ok_or_else(|| invalid(text))?;
        total = total.checked_add(part).ok_or_else(|| invalid(text))?;
        rest = next;
    }
    Ok(total)
}

fn invalid(text: &str) -> DurationError {
    DurationError::Syntax(format!("time: invalid duration {text:?}"))
}

/// Milliseconds, with fractions, as a duration; `None` when negative or out of range.
pub fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1e3).ok()
}

/// Writes a duration as Go does: `1m30s`, `1.5s`, `150ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000 {
        return format!("{nanos}ns");
    }
    if nanos < 1_000_000 {
        return format!("{}µs", decimal(nanos, 1_000));
    }
    if nanos < 1_000_000_000 {
        return format!("{}ms", decimal(nanos, 1_000_000));
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let last = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{last}s"),
        (0, minutes) => format!("{minutes}m{last}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{last}s"),
    }
}

fn nanos_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn part(number: &str, unit_nanos: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = whole.checked_mul(unit_nanos)?;
    if !fraction.is_empty() {
        let share: f64 = format!("0.{fraction}").parse().ok()?;
        nanos = nanos.checked_add((share * unit_nanos as f64).round() as u64)?;
    }
    Some(Duration::from_nanos(nanos))
}

/// `value / unit` with all its decimals.
fn decimal(value: u128, unit: u128) -> String {
    let width = unit.ilog10() as usize;
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        let cases = [
            ("0", "0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("1h0m0.25s", "1h0m0.25s"),
            ("150ms", "150ms"),
            ("1500us", "1.5ms"),
            ("2500", "2.5s"),
            ("1d2h", "26h0m0s"),
            ("1d", "24h0m0s"),
            ("7ns", "7ns"),
        ];
        for (text, written) in cases {
            assert_eq!(format(parse_extended(text).expect(text)), written, "{text}");
        }
    }

    #[test]
    fn an_invalid_duration_is_refused() {
        for text in [
            "", "s", " 1s", "1s ", "1x", "1s2", "-1s", "-5", "1.s.", "d", "1hh",
        ] {
            assert!(parse_extended(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_gos_words() {
        for (text, expected) in [
            ("", r#"time: invalid duration """#),
            ("x", r#"time: invalid duration "x""#),
            ("-x", r#"time: invalid duration "-x""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("1h2x", r#"time: unknown unit "x" in duration "1h2x""#),
            ("1 s", r#"time: unknown unit " s" in duration "1 s""#),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), expected);
        }
    }
}
