//! Numbers formatted for people. A figure that was not measured is a dash, never 0.

/// The placeholder of a missing figure.
pub const DASH: &str = "–";

/// The figure formatted by `form`, or a dash if it is missing or not finite.
pub fn or_dash(value: Option<f64>, form: fn(f64) -> String) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| DASH.to_owned(), form)
}

/// Two to four significant digits, with separators between thousands: `5.8e-7`, `0.042`, `9.81`, `98.1`,
/// `981`, `12,345`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return DASH.to_owned();
    }
    let size = value.abs();
    if size > 0.0 && size < 1e-4 {
        return format!("{value:.1e}");
    }
    let decimals = match size {
        _ if size >= 99.95 || (size - size.round()).abs() < 1e-9 * size.max(1e-9) => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.0995 => 2,
        // Two significant digits, however small the number is.
        _ => (1 - size.log10().floor() as i32).clamp(3, 6) as usize,
    };
    grouped(&format!("{value:.decimals$}"))
}

/// A whole number, with separators between thousands.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// `1 more request`, `1,234 more requests`.
pub fn more_requests(more: u64) -> String {
    let noun = if more == 1 { "request" } else { "requests" };
    format!("{} more {noun}", count(more))
}

/// A share as a percentage. Only 0 is "0 %" and only 1 is "100 %".
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return DASH.to_owned();
    }
    let percent = 100.0 * ratio;
    match percent {
        _ if percent == 0.0 => "0 %".to_owned(),
        _ if (percent - 100.0).abs() < 1e-12 => "100 %".to_owned(),
        _ if percent > 0.0 && percent < 0.01 => "< 0.01 %".to_owned(),
        _ if percent > 99.99 && percent < 100.0 => "> 99.99 %".to_owned(),
        _ if percent.abs() < 9.995 || (percent > 90.0 && percent < 100.0) => {
            format!("{percent:.2} %")
        }
        _ => format!("{percent:.1} %"),
    }
}

/// A change relative to a baseline, with its sign: 0.2 is `+20.0 %`.
pub fn change(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{:+.1} %", 100.0 * ratio)
    } else {
        DASH.to_owned()
    }
}

/// A latency: `0.42 ms`, `43.1 ms`, `1.23 s`.
pub fn milliseconds(ms: f64) -> String {
    if ms.abs() >= 1000.0 {
        format!("{} s", figure(ms / 1000.0))
    } else {
        format!("{} ms", figure(ms))
    }
}

/// A length of time: `3.2 s`, `2 min 5 s`, `4 h 10 min`.
pub fn seconds(length: f64) -> String {
    if !length.is_finite() || length < 0.0 {
        return DASH.to_owned();
    }
    if length < 60.0 {
        let digits = format!("{length:.1}");
        return format!("{} s", digits.trim_end_matches(".0"));
    }
    let whole = length.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes, seconds) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A size in decimal units: `512 B`, `1.20 kB`, `3.40 GB`.
pub fn bytes(size: f64) -> String {
    let mut size = size;
    for unit in ["B", "kB", "MB", "GB"] {
        if size.abs() < 1000.0 {
            return format!("{} {unit}", figure(size));
        }
        size /= 1000.0;
    }
    format!("{} TB", figure(size))
}

/// A figure with its unit, as judgements state them.
pub fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "ms" => milliseconds(value),
        "s" => seconds(value),
        "ratio" => percent(value),
        "bytes" | "B" => bytes(value),
        "%" | "percent" => percent(value / 100.0),
        "1/s" | "/s" | "rps" | "per_s" | "per second" => format!("{}/s", figure(value)),
        "" => figure(value),
        other => format!("{} {other}", figure(value)),
    }
}

/// Adds commas to the integer part; the rest is unchanged.
fn grouped(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let mut out = String::with_capacity(text.len() + 4);
    out.push_str(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_matter() {
        let check = |value: f64, expected: &str| assert_eq!(figure(value), expected, "{value}");
        check(0.0, "0");
        check(0.000_123, "0.00012");
        check(-0.000_000_58, "-5.8e-7");
        check(0.042, "0.042");
        check(0.5, "0.50");
        check(12.0, "12");
        check(9.814, "9.81");
        check(98.14, "98.1");
        check(99.97, "100");
        check(981.4, "981");
        check(-12_345.6, "-12,346");
        check(1e15, "1,000,000,000,000,000");
        check(f64::NAN, DASH);
    }

    #[test]
    fn only_zero_is_0_percent_and_only_one_is_100_percent() {
        let check = |value: f64, expected: &str| assert_eq!(percent(value), expected, "{value}");
        check(0.0, "0 %");
        check(0.000_001, "< 0.01 %");
        check(0.001, "0.10 %");
        check(0.5, "50.0 %");
        check(0.9993, "99.93 %");
        check(0.999_999, "> 99.99 %");
        check(1.0, "100 %");
    }

    #[test]
    fn times_and_sizes_have_the_unit_that_suits_them() {
        assert_eq!(milliseconds(43.12), "43.1 ms");
        assert_eq!(milliseconds(1234.0), "1.23 s");
        assert_eq!(seconds(3.0), "3 s");
        assert_eq!(seconds(125.0), "2 min 5 s");
        assert_eq!(seconds(15_000.0), "4 h 10 min");
        assert_eq!(bytes(1_200.0), "1.20 kB");
        assert_eq!(or_dash(None, percent), DASH);
        assert_eq!(with_unit(0.031, "ratio"), "3.10 %");
    }
}
