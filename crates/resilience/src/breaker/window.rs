//! The calls that a breaker's rates are taken over: the last N, or those of the last T.

use std::time::{Duration, Instant};

use super::Window as Shape;

/// A time window's resolution. Whole buckets leave it, so that it covers between nine and ten
/// tenths of its span.
const BUCKETS: usize = 10;

/// The number of calls in a window, and of the bad ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub calls: u32,
    pub failed: u32,
    pub slow: u32,
}

impl Counts {
    /// Share of failed calls; 0 for an empty window.
    pub fn failure_rate(self) -> f64 {
        share(self.failed, self.calls)
    }

    /// Share of slow calls; 0 for an empty window.
    pub fn slow_rate(self) -> f64 {
        share(self.slow, self.calls)
    }

    fn add(&mut self, call: Call) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(call.failed));
        self.slow = self.slow.saturating_add(u32::from(call.slow));
    }

    fn remove(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        0.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}

/// One finished call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

impl From<Call> for Counts {
    fn from(call: Call) -> Self {
        let mut counts = Self::default();
        counts.add(call);
        counts
    }
}

#[derive(Debug)]
pub(super) struct Window {
    kind: Kind,
    total: Counts,
}

#[derive(Debug)]
enum Kind {
    Count {
        ring: Vec<Call>,
        next: usize,
        size: usize,
    },
    Time {
        ring: [Counts; BUCKETS],
        current: usize,
        started: Instant,
        width: Duration,
    },
}

impl Window {
    pub(super) fn new(shape: Shape, now: Instant) -> Self {
        let kind = match shape {
            Shape::Count { calls } => Kind::Count {
                ring: Vec::new(),
                next: 0,
                size: calls.max(1) as usize,
            },
            Shape::Time { ms } => Kind::Time {
                ring: [Counts::default(); BUCKETS],
                current: 0,
                started: now,
                width: Duration::from_millis(ms.max(1)) / BUCKETS as u32,
            },
        };
        Self {
            kind,
            total: Counts::default(),
        }
    }

    pub(super) fn add(&mut self, now: Instant, call: Call) {
        self.roll(now);
        match &mut self.kind {
            Kind::Count { ring, next, size } => {
                if ring.len() < *size {
                    ring.push(call);
                } else {
                    self.total.remove(ring[*next].into());
                    ring[*next] = call;
                }
                *next = (*next + 1) % *size;
            }
            Kind::Time { ring, current, .. } => ring[*current].add(call),
        }
        self.total.add(call);
    }

    pub(super) fn counts(&mut self, now: Instant) -> Counts {
        self.roll(now);
        self.total
    }

    /// Drops the buckets that are too old. Moves by whole widths and keeps the remainder, so that
    /// no bucket drifts; an idle time of any length empties the window in ten steps.
    fn roll(&mut self, now: Instant) {
        let Kind::Time {
            ring,
            current,
            started,
            width,
        } = &mut self.kind
        else {
            return;
        };
        let passed = now.saturating_duration_since(*started).as_nanos() / width.as_nanos().max(1);
        if passed == 0 {
            return;
        }
        for _ in 0..passed.min(BUCKETS as u128) {
            *current = (*current + 1) % BUCKETS;
            self.total.remove(std::mem::take(&mut ring[*current]));
        }
        let remainder = now.saturating_duration_since(*started).as_nanos() % width.as_nanos();
        *started = now - Duration::from_nanos(u64::try_from(remainder).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Call = Call {
        failed: true,
        slow: false,
    };
    const GOOD: Call = Call {
        failed: false,
        slow: true,
    };

    #[test]
    fn a_count_window_forgets_its_oldest_call() {
        let now = Instant::now();
        let mut window = Window::new(Shape::Count { calls: 2 }, now);
        for call in [BAD, GOOD, GOOD] {
            window.add(now, call);
        }
        assert_eq!(
            window.counts(now),
            Counts {
                calls: 2,
                failed: 0,
                slow: 2
            }
        );
    }

    #[test]
    fn a_time_window_forgets_by_whole_buckets_and_keeps_the_remainder() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut window = Window::new(Shape::Time { ms: 100 }, start);
        window.add(at(0), BAD);
        window.add(at(15), GOOD);
        let calls: Vec<u32> = [99, 100, 109, 110]
            .map(|ms| window.counts(at(ms)).calls)
            .into_iter()
            .collect();
        assert_eq!(calls, [2, 1, 1, 0]);
    }

    #[test]
    fn an_idle_time_of_any_length_empties_a_time_window() {
        let start = Instant::now();
        let mut window = Window::new(Shape::Time { ms: 10 }, start);
        window.add(start, BAD);
        let later = start + Duration::from_millis(u64::from(u32::MAX) * 2 + 5);
        assert_eq!(window.counts(later), Counts::default());
        window.add(later, BAD);
        assert_eq!(window.counts(later + Duration::from_millis(8)).calls, 1);
    }
}
