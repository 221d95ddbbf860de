//! Numbers as k6's summary writes them.

use load_metrics::{Contains, Kind};

/// A share as a percentage: two decimals, truncated.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", (share * 10_000.0 + 1e-9).trunc() / 100.0)
}

/// A value in its unit.
pub(super) fn value(value: f64, kind: Kind, contains: Contains, time_unit: &str) -> String {
    match (kind, contains) {
        (Kind::Rate, _) => percent(value),
        (_, Contains::Data) => bytes(value),
        (_, Contains::Time) => time(value, time_unit),
        (_, Contains::Default) => plain(value),
    }
}

/// At most six decimals, without trailing zeros.
pub(super) fn plain(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    without_zeros(format!("{value:.6}"))
}

fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    if bytes < 10.0 {
        return format!("{} B", shortest(bytes));
    }
    let power = ((bytes.ln() / 1000_f64.ln()) + 1e-12).floor().min(8.0);
    let scaled = (bytes / 1000_f64.powf(power) * 10.0 + 0.5).floor() / 10.0;
    let unit = UNITS[power as usize];
    if scaled < 10.0 {
        format!("{scaled:.1} {unit}")
    } else {
        format!("{scaled:.0} {unit}")
    }
}

fn time(millis: f64, unit: &str) -> String {
    match unit {
        "s" => return format!("{:.2}s", millis / 1e3),
        "ms" => return format!("{millis:.2}ms"),
        "us" => return format!("{:.2}µs", millis * 1e3),
        _ => {}
    }
    if millis == 0.0 {
        return "0s".to_owned();
    }
    if millis < 0.001 {
        return format!("{}ns", (millis * 1e6).trunc());
    }
    if millis < 1.0 {
        return format!("{}µs", cut(millis * 1e3, 2));
    }
    if millis < 1e3 {
        return format!("{}ms", cut(millis, 2));
    }
    let minutes = (millis / 60_000.0).trunc();
    let seconds = cut(millis % 60_000.0 / 1e3, if minutes > 0.0 { 0 } else { 2 });
    if minutes < 1.0 {
        return format!("{seconds}s");
    }
    let hours = (minutes / 60.0).trunc();
    if hours < 1.0 {
        return format!("{minutes}m{seconds}s");
    }
    format!("{hours}h{}m{seconds}s", minutes % 60.0)
}

/// Truncated to `digits` decimals, without trailing zeros.
fn cut(value: f64, digits: i32) -> String {
    let scale = 10_f64.powi(digits);
    let places = usize::try_from(digits).unwrap_or(0);
    without_zeros(format!("{:.places$}", (value * scale).trunc() / scale))
}

fn without_zeros(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shortest(value: f64) -> String {
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinite_values_are_named_as_in_javascript() {
        assert_eq!(plain(f64::INFINITY), "Infinity");
        assert_eq!(plain(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn times_are_truncated_not_rounded() {
        let cases = [
            (0.0, "0s"),
            (0.0005, "500ns"),
            (0.16631, "166.31µs"),
            (12.3456, "12.34ms"),
            (999.999, "999.99ms"),
            (1500.5678, "1.5s"),
            (65_000.123, "1m5s"),
            (541_643.44, "9m1s"),
            (3_703_040.0, "1h1m43s"),
        ];
        for (millis, text) in cases {
            assert_eq!(time(millis, ""), text, "{millis}");
        }
        assert_eq!(time(65_000.123, "ms"), "65000.12ms");
    }

    #[test]
    fn bytes_and_shares_are_short() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(225.0), "225 B");
        assert_eq!(bytes(1707.0), "1.7 kB");
        assert_eq!(bytes(123_888.0), "124 kB");
        assert_eq!(percent(0.735_294), "73.52%");
        assert_eq!(percent(1.0), "100.00%");
        assert_eq!(plain(14.712_464_4), "14.712464");
        assert_eq!(plain(31.0), "31");
    }
}
