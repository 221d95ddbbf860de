//! Durations as Go writes and reads them.

use std::time::Duration;

/// The reason why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a Go duration.
    #[error("'{0}' is not a valid duration; write for example '30s', '1m30s', '1d2h'")]
    Syntax(String),
    /// Below zero.
    #[error("the duration '{0}' must not be negative")]
    Negative(String),
}

/// Reads `1d2h3m4.5s`; a bare number is milliseconds.
///
/// # Errors
/// The text is neither.
pub fn parse_extended(text: &str) -> Result<Duration, DurationError> {
    if let Ok(millis) = text.parse::<f64>() {
        return from_millis(millis).ok_or_else(|| DurationError::Negative(text.to_owned()));
    }
    let Some((days, rest)) = text.split_once('d') else {
        return parse(text);
    };
    let days: u64 = days
        .parse()
        .map_err(|_| DurationError::Syntax(text.to_owned()))?;
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
    let syntax = || DurationError::Syntax(text.to_owned());
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Some(positive) = unsigned.strip_prefix('-') {
        parse(positive)?;
        return Err(DurationError::Negative(text.to_owned()));
    }
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    if unsigned.is_empty() {
        return Err(syntax());
    }
    let mut rest = unsigned;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(syntax)?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let part = part(number, unit).ok_or_else(syntax)?;
        total = total.checked_add(part).ok_or_else(syntax)?;
        rest = next;
    }
    Ok(total)
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

fn part(number: &str, unit: &str) -> Option<Duration> {
    let unit_nanos: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
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
}
