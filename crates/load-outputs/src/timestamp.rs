//! The formats of times in files of samples.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use load_metrics::UnixNanos;

/// Writes RFC 3339 times of one zone. Caches the last second, since samples arrive nearly in order.
#[derive(Debug)]
pub(super) struct Rfc3339 {
    zone: TimeZone,
    second: Option<i64>,
    /// `2026-11-21T01:12:39` of that second.
    date: String,
    /// `Z` or `+05:30`.
    offset: String,
}

const NANOS: i64 = 1_000_000_000;

impl Rfc3339 {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            second: None,
            date: String::new(),
            offset: String::new(),
        }
    }

    /// Appends the time without fractions of seconds.
    pub(super) fn push_seconds(&mut self, out: &mut String, at: UnixNanos) {
        self.look_at(at.0.div_euclid(NANOS));
        out.push_str(&self.date);
        out.push_str(&self.offset);
    }

    /// Appends the time with the digits of the fraction, without trailing zeros.
    pub(super) fn push_nanos(&mut self, out: &mut String, at: UnixNanos) {
        self.look_at(at.0.div_euclid(NANOS));
        out.push_str(&self.date);
        let fraction = at.0.rem_euclid(NANOS);
        if fraction > 0 {
            let _ = write!(out, ".{fraction:09}"); // writing to a string cannot fail
            let kept = out.trim_end_matches('0').len();
            out.truncate(kept);
        }
        out.push_str(&self.offset);
    }

    fn look_at(&mut self, second: i64) {
        if self.second == Some(second) {
            return;
        }
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let zoned = Zoned::new(at, self.zone.clone());
        self.date = zoned.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        self.offset = match zoned.offset().seconds() {
            0 => "Z".to_owned(),
            _ => zoned.strftime("%:z").to_string(),
        };
        self.second = Some(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset_seconds: i32, at: i64, seconds: &str, nanos: &str) {
        let offset = jiff::tz::Offset::from_seconds(offset_seconds).unwrap();
        let mut writer = Rfc3339::new(TimeZone::fixed(offset));
        let (mut short, mut long) = (String::new(), String::new());
        writer.push_seconds(&mut short, UnixNanos(at));
        writer.push_nanos(&mut long, UnixNanos(at));
        assert_eq!((short.as_str(), long.as_str()), (seconds, nanos));
    }

    #[test]
    fn times_carry_the_zone_and_no_trailing_zeros() {
        let at = 1_795_223_634_619_955_127;
        check(
            0,
            at,
            "2026-11-21T01:13:54Z",
            "2026-11-21T01:13:54.619955127Z",
        );
        check(
            -12_600,
            at,
            "2026-11-20T21:43:54-03:30",
            "2026-11-20T21:43:54.619955127-03:30",
        );
        let tenth = 1_795_223_634_100_000_000;
        check(
            19_800,
            tenth,
            "2026-11-21T06:43:54+05:30",
            "2026-11-21T06:43:54.1+05:30",
        );
        check(0, 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
    }
}
