//! A machine's memory as a level: used = base + in flight + stores + caches + sockets + leaked +
//! garbage, in kB of 1 024 bytes.

use super::event::Nanos;

/// The parameters of a level; everything in kB, with aged leak rates.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Bounds {
    pub(super) limit: Option<f64>,
    /// The level at which garbage is collected; `None`: garbage is not modelled.
    pub(super) collect_at: Option<f64>,
    pub(super) base: f64,
    pub(super) per_in_flight: f64,
    pub(super) leak_per_request: f64,
    pub(super) leak_per_s: f64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub(super) bounds: Bounds,
    pub(super) in_flight: usize,
    pub(super) stores: f64,
    pub(super) caches: f64,
    pub(super) sockets: f64,
    /// Excludes the leak over time since `leaking_since`: tiny amounts added to a large number would be
    /// lost.
    leaked: f64,
    leaking_since: Nanos,
    garbage: f64,
    pub(super) collections: u64,
    /// The earliest scheduled event for this level.
    pub(super) scheduled: Option<Nanos>,
}

/// Maximum relative rounding error of the sum of a level's parts.
const ROUNDINGS: f64 = 8.0 * f64::EPSILON;

/// The state of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressure {
    None,
    /// Garbage was collected.
    Collected,
    /// The memory is exhausted even after garbage was collected.
    Exceeded,
}

impl Memory {
    pub(super) fn set_bounds(&mut self, now: Nanos, bounds: Bounds) {
        self.leaked = self.leaked(now);
        self.leaking_since = self.leaking_since.max(now);
        self.bounds = bounds;
        if bounds.collect_at.is_none() {
            self.garbage = 0.0;
        }
    }

    /// A request or a visit begins.
    pub(super) fn enter(&mut self) {
        self.in_flight += 1;
        self.leaked += self.bounds.leak_per_request;
    }

    pub(super) fn exit(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn allocate(&mut self, kb: f64) {
        if self.bounds.collect_at.is_some() {
            self.garbage += kb;
        }
    }

    pub(super) fn used(&self, now: Nanos) -> f64 {
        self.without_garbage() + self.garbage + self.leaking(now)
    }

    pub(super) fn leaked(&self, now: Nanos) -> f64 {
        self.leaked + self.leaking(now)
    }

    pub(super) fn garbage(&self) -> f64 {
        self.garbage
    }

    pub(super) fn in_flight_kb(&self) -> f64 {
        self.in_flight as f64 * self.bounds.per_in_flight
    }

    fn leaking(&self, now: Nanos) -> f64 {
        now.saturating_sub(self.leaking_since) as f64 * 1e-9 * self.bounds.leak_per_s
    }

    fn without_garbage(&self) -> f64 {
        self.bounds.base
            + self.in_flight_kb()
            + self.stores
            + self.caches
            + self.sockets
            + self.leaked
    }

    /// The amount that may be added before a bound is reached; `None`: unlimited.
    pub(super) fn room(&self, now: Nanos) -> Option<f64> {
        Some(self.bounds.limit? - self.used(now))
    }

    /// Collects garbage if it is due. While the CPU is stopped by a collection, no other begins unless
    /// memory is exhausted.
    pub(super) fn settle(&mut self, now: Nanos, collecting: bool) -> Pressure {
        let Some(limit) = self.bounds.limit else {
            return Pressure::None;
        };
        let used = self.used(now);
        let due = self.garbage > 0.0
            && (used > limit || !collecting && self.bounds.collect_at.is_some_and(|at| used >= at));
        if due {
            self.garbage = 0.0;
            self.collections += 1;
        }
        if self.used(now) > limit {
            Pressure::Exceeded
        } else if due {
            Pressure::Collected
        } else {
            Pressure::None
        }
    }

    /// When the leak alone reaches the next bound.
    pub(super) fn next(&self, now: Nanos) -> Option<Nanos> {
        let rate = self.bounds.leak_per_s;
        let limit = self.bounds.limit.filter(|_| rate > 0.0)?;
        let used = self.used(now);
        let collect_at = self.bounds.collect_at.filter(|_| self.garbage > 0.0);
        let bound = collect_at.filter(|at| *at > used).unwrap_or(limit);
        // A margin of several rounding errors, so that the bound has been passed for certain: an event that
        // is too early would find the level unchanged, and be repeated endlessly.
        let left_s = ((bound - used).max(0.0) + used.max(bound) * ROUNDINGS) / rate;
        Some(now.saturating_add((left_s * 1e9).ceil() as u64 + 1))
    }

    /// Resets the level as after a restart: only the base remains.
    pub(super) fn reset(&mut self, now: Nanos) {
        *self = Self {
            bounds: self.bounds,
            collections: self.collections,
            leaking_since: now,
            scheduled: self.scheduled,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_collected_at_its_share_and_only_live_memory_exceeds_the_limit() {
        let mut memory = Memory::default();
        memory.set_bounds(
            0,
            Bounds {
                limit: Some(100.0),
                collect_at: Some(75.0),
                base: 10.0,
                per_in_flight: 1.0,
                ..Bounds::default()
            },
        );
        memory.allocate(64.0);
        assert_eq!(memory.settle(0, false), Pressure::None);
        memory.enter();
        assert_eq!(
            memory.settle(0, true),
            Pressure::None,
            "the CPU stands still"
        );
        assert_eq!(memory.settle(0, false), Pressure::Collected);
        assert_eq!(memory.used(0), 11.0);
        memory.stores = 90.0;
        assert_eq!(memory.settle(0, false), Pressure::Exceeded);
        memory.reset(0);
        assert_eq!((memory.used(0), memory.collections), (10.0, 1));
    }

    #[test]
    fn a_leak_in_time_reaches_the_limit_when_it_says() {
        let mut memory = Memory::default();
        memory.set_bounds(
            0,
            Bounds {
                limit: Some(100.0),
                base: 40.0,
                leak_per_s: 20.0,
                ..Bounds::default()
            },
        );
        let at = memory.next(0).expect("it leaks");
        assert!((3_000_000_001..=3_000_000_002).contains(&at), "{at}");
        assert_eq!(memory.settle(2_999_999_999, false), Pressure::None);
        assert_eq!(memory.settle(at, false), Pressure::Exceeded);
    }

    #[test]
    fn a_slow_leak_into_a_large_memory_is_not_lost_in_roundings() {
        let mut memory = Memory::default();
        let base = 4e6;
        memory.set_bounds(
            0,
            Bounds {
                limit: Some(base + 1e-3),
                base,
                leak_per_s: 1e-6,
                ..Bounds::default()
            },
        );
        let mut now = 0;
        for events in 0.. {
            assert!(events < 5, "an event finds the level where it was");
            now = memory.next(now).expect("it leaks");
            if memory.settle(now, false) == Pressure::Exceeded {
                break;
            }
        }
        let seconds = now as f64 * 1e-9;
        assert!((seconds - 1_000.0).abs() < 0.1, "{seconds}");
    }
}
