//! Detection of late delays: a server that is late on a busy machine reports it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// The lateness above which a delay breaks the server's promise.
pub const DELAY_ERROR_BOUND: Duration = Duration::from_micros(300);
/// Two further bounds, coarse enough to judge the measurements of a load test.
const LATE: Duration = Duration::from_millis(10);
const VERY_LATE: Duration = Duration::from_millis(100);
/// The share of delays in a window that may break it.
const LATE_SHARE: f64 = 0.01;
const WINDOW: Duration = Duration::from_secs(1);
/// How long a bad window counts, unless a good one follows.
const MEMORY: Duration = Duration::from_secs(15);
/// Windows with fewer delays are not evaluated.
const MIN_DELAYS: u64 = 50;

/// Counts late delays by window.
#[derive(Debug)]
pub struct Lateness {
    delays: AtomicU64,
    late: AtomicU64,
    /// Since the start.
    all: AtomicU64,
    late_in_all: AtomicU64,
    very_late: AtomicU64,
    /// The end of the degradation, in milliseconds from `origin`; 0 means none.
    degraded_until_ms: AtomicU64,
    origin: Instant,
    window_begin: Mutex<Instant>,
}

/// How late a server was since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub delays: u64,
    /// More than 10 ms after their time.
    pub late: u64,
    /// More than 100 ms after their time.
    pub very_late: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self::new()
    }
}

impl Lateness {
    pub fn new() -> Self {
        let origin = Instant::now();
        Self {
            delays: AtomicU64::new(0),
            late: AtomicU64::new(0),
            all: AtomicU64::new(0),
            late_in_all: AtomicU64::new(0),
            very_late: AtomicU64::new(0),
            degraded_until_ms: AtomicU64::new(0),
            origin,
            window_begin: Mutex::new(origin),
        }
    }

    /// Whether the server currently breaks its promise about delays. Reads the clock only if it has been
    /// broken.
    pub fn is_degraded(&self, now: impl FnOnce() -> Instant) -> bool {
        let until_ms = self.degraded_until_ms.load(Ordering::Relaxed);
        until_ms > 0 && self.since_origin_ms(now()) < until_ms
    }

    /// Delays since the start, and how many of them ended late.
    pub fn totals(&self) -> Totals {
        Totals {
            delays: self.all.load(Ordering::Relaxed),
            late: self.late_in_all.load(Ordering::Relaxed),
            very_late: self.very_late.load(Ordering::Relaxed),
        }
    }

    fn since_origin_ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_millis() as u64
    }

    /// Records the lateness of a delay that ended at `now`.
    pub fn note(&self, lateness: Duration, now: Instant) {
        let late = lateness > DELAY_ERROR_BOUND;
        self.delays.fetch_add(1, Ordering::Relaxed);
        self.late.fetch_add(u64::from(late), Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
        if lateness > LATE {
            self.late_in_all.fetch_add(1, Ordering::Relaxed);
        }
        if lateness > VERY_LATE {
            self.very_late.fetch_add(1, Ordering::Relaxed);
        }
        // The holder of the lock closes the window; others need not wait for that.
        let Ok(mut begin) = self.window_begin.try_lock() else {
            return;
        };
        if now.saturating_duration_since(*begin) < WINDOW {
            return;
        }
        *begin = now;
        let delays = self.delays.swap(0, Ordering::Relaxed);
        let late = self.late.swap(0, Ordering::Relaxed);
        let degraded = delays >= MIN_DELAYS && late as f64 > LATE_SHARE * delays as f64;
        let until_ms = if degraded {
            self.since_origin_ms(now + MEMORY)
        } else {
            0
        };
        self.degraded_until_ms.store(until_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_with_too_many_late_delays_degrades_and_a_good_one_recovers() {
        let late = Lateness::new();
        let delay = |late: bool| DELAY_ERROR_BOUND + Duration::from_nanos(u64::from(late));
        let begin = Instant::now() + WINDOW;
        let window = |number: u32, late_delays: u32| {
            for index in 0..100 {
                late.note(delay(index < late_delays), begin + WINDOW * number);
            }
            late.note(delay(false), begin + WINDOW * (number + 1));
            late.is_degraded(|| begin + WINDOW * (number + 1))
        };
        assert!(!window(0, 1), "1 of 100 is within the promise");
        assert!(window(2, 5));
        assert!(!window(4, 0));
        assert!(window(6, 100));
        assert!(
            !late.is_degraded(|| begin + WINDOW * 7 + MEMORY),
            "a server without requests mends with time"
        );
    }

    #[test]
    fn all_delays_are_counted_with_those_that_a_load_test_would_see() {
        let late = Lateness::new();
        for ms in [0, 9, 10, 11, 500] {
            late.note(Duration::from_millis(ms), Instant::now());
        }
        let expected = Totals {
            delays: 5,
            late: 2,
            very_late: 1,
        };
        assert_eq!(late.totals(), expected);
    }
}
