//! Recent latencies of successful calls: quantiles over one to two windows, for hedging and forecasts.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Microseconds from 1 to 10 minutes, two digits.
const LONGEST_US: u64 = 600_000_000;
const DIGITS: u8 = 2;

/// Two alternating histograms: one fills, the other has the previous period.
#[derive(Debug)]
pub struct Latency {
    filling: Histogram<u32>,
    before: Histogram<u32>,
    turned: Instant,
    window: Duration,
}

impl Latency {
    pub fn new(window: Duration, now: Instant) -> Self {
        let empty = || {
            Histogram::new_with_max(LONGEST_US, DIGITS).expect("the bounds above make a histogram")
        };
        Self {
            filling: empty(),
            before: empty(),
            turned: now,
            window,
        }
    }

    /// Records one successful call.
    pub fn record(&mut self, now: Instant, took: Duration) {
        self.turn(now);
        let us = u64::try_from(took.as_micros())
            .unwrap_or(LONGEST_US)
            .clamp(1, LONGEST_US);
        self.filling.saturating_record(us);
    }

    /// The time within which this share of the calls was answered; `None` with fewer than
    /// `minimum` calls.
    pub fn quantile(&mut self, now: Instant, share: f64, minimum: u64) -> Option<Duration> {
        self.turn(now);
        let full = [&self.filling, &self.before]
            .into_iter()
            .find(|it| it.len() >= minimum.max(1));
        full.map(|histogram| Duration::from_micros(histogram.value_at_quantile(share)))
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.turned);
        if passed < self.window {
            return;
        }
        std::mem::swap(&mut self.filling, &mut self.before);
        self.filling.reset();
        if passed >= 2 * self.window {
            self.before.reset();
        }
        self.turned = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_quantile_needs_enough_calls_and_forgets_old_ones() {
        let start = Instant::now();
        let mut latency = Latency::new(1_000 * MS, start);
        for ms in 1..100 {
            latency.record(start, ms * MS);
        }
        assert_eq!(latency.quantile(start, 0.95, 100), None);
        latency.record(start, 100 * MS);
        let p95 = latency.quantile(start, 0.95, 100).expect("100 calls");
        assert!((94 * MS..97 * MS).contains(&p95), "{p95:?}");
        assert!(latency.quantile(start + 1_500 * MS, 0.95, 100).is_some());
        assert_eq!(latency.quantile(start + 4_000 * MS, 0.95, 1), None);
    }
}
