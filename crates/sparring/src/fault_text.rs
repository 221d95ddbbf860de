//! Faults in their short form: `30s`, `100ms..2s`, `reset`, `status:503`.

use std::time::Duration;

use live_config::strict;
use serde_json::{Value, json};

/// A time such as `250ms`, `1.5s`, `2m`; a plain number is in milliseconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let at = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "us" => 1e-6,
        "" | "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("`{unit}` is not a unit; use us, ms, s, m or h")),
    };
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a time"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| format!("`{text}` is out of range"))
}

/// A positive time: the duration of a change.
pub fn lasting(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(1) {
        return Err(format!("`{text}` is too short; use at least 1ms"));
    }
    Ok(time)
}

/// A latency: a time, a range, or a distribution as JSON.
pub fn latency(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return strict::read(text.as_bytes()).map_err(|error| error.to_string());
    }
    let ms = |text: &str| Ok::<_, String>(duration(text)?.as_secs_f64() * 1e3);
    match text.split_once("..") {
        Some((min, max)) => Ok(json!({ "uniform": { "min_ms": ms(min)?, "max_ms": ms(max)? } })),
        None => Ok(json!({ "constant": { "ms": ms(text)? } })),
    }
}

/// A kind of failure: its name, `status:CODE`, or in full as JSON.
pub fn kind(text: &str) -> Result<Value, String> {
    if let Some(code) = text.strip_prefix("status:") {
        let code: u16 = code
            .parse()
            .map_err(|_| format!("`{code}` is not a status code"))?;
        return Ok(json!({ "status": { "code": code } }));
    }
    match mock_detectors::failure_of(text) {
        Ok(Some(failure)) => serde_json::to_value(failure).map_err(|error| error.to_string()),
        Ok(None) => Err("`none` is not a failure; use --failure-rate 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, us) in [
            ("250ms", 250_000),
            ("1.5s", 1_500_000),
            ("30", 30_000),
            ("2m", 120_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(us)), "{text}");
        }
        for text in ["", "s", "3 parsecs", "-1s", "1e99h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_lasts_at_least_a_millisecond() {
        for text in ["0", "0s", "0.5us", "0.9ms", "-1s"] {
            assert!(lasting(text).is_err(), "{text}");
        }
        assert_eq!(lasting("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn json_that_says_a_thing_twice_is_refused() {
        let twice = r#"{"constant": {"ms": 1, "ms": 2}}"#;
        assert!(latency(twice).is_err_and(|error| error.contains("constant.ms is duplicated")));
        let twice = r#"{"status": {"code": 500, "code": 503}}"#;
        assert!(kind(twice).is_err());
    }

    #[test]
    fn latencies_are_times_ranges_or_distributions() {
        assert_eq!(latency("200ms"), Ok(json!({"constant": {"ms": 200.0}})));
        assert_eq!(
            latency("100ms..2s"),
            Ok(json!({"uniform": {"min_ms": 100.0, "max_ms": 2000.0}}))
        );
        assert_eq!(
            latency(r#"{"exponential": {"mean_ms": 5}}"#),
            Ok(json!({"exponential": {"mean_ms": 5}}))
        );
    }

    #[test]
    fn kinds_have_names_and_settings() {
        assert_eq!(kind("status:503"), Ok(json!({"status": {"code": 503}})));
        assert_eq!(kind("reset"), Ok(json!({"reset": {"at": "before_head"}})));
        assert!(kind("explode").is_err_and(|error| error.contains("drip")));
    }
}
