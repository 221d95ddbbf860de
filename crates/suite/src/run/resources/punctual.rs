//! The driver's lateness from one sample to the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use load_driver::RunHandle;
use load_engine::health::{HealthReport, Punctuality};

/// The current run of the driver, for observers.
#[derive(Debug, Clone, Default)]
pub struct Current(Arc<Mutex<(u64, Option<RunHandle>)>>);

impl Current {
    /// Called when another run begins.
    pub fn show(&self, seen: &RunHandle) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Some(seen.clone()));
    }

    fn get(&self) -> (u64, Option<RunHandle>) {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

/// Reads the health of the driver repeatedly.
#[derive(Debug)]
pub struct Punctual {
    current: Current,
    /// The run that was read last, with its counters at that time.
    run: u64,
    seen: Option<RunHandle>,
    before: HealthReport,
}

impl Punctual {
    pub fn new(current: Current) -> Self {
        Self {
            current,
            run: 0,
            seen: None,
            before: HealthReport::default(),
        }
    }

    /// The changes since the last reading: `lateness_ms`, and how many starts, or looks at the event loops, were
    /// late; empty before a run.
    pub fn read(&mut self) -> BTreeMap<String, f64> {
        let mut found = Found::default();
        self.take(&mut found);
        let (run, seen) = self.current.get();
        if run != self.run {
            self.run = run;
            self.seen = seen;
            self.before = HealthReport::default();
            self.take(&mut found);
        }
        found.shown()
    }

    fn take(&mut self, found: &mut Found) {
        let Some(health) = self.seen.as_ref().and_then(RunHandle::health) else {
            return;
        };
        let now = health.report();
        found.latest = found.latest.max(health.take_recent());
        found.starts.add(now.starts, self.before.starts);
        found.looks.add(now.looks, self.before.looks);
        self.before = now;
    }
}

#[derive(Debug, Default)]
struct Found {
    latest: Duration,
    starts: Counts,
    looks: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    all: u64,
    late: u64,
    very_late: u64,
}

impl Counts {
    fn add(&mut self, now: Punctuality, before: Punctuality) {
        self.all += now.all - before.all;
        self.late += now.late - before.late;
        self.very_late += now.very_late - before.very_late;
    }
}

impl Found {
    fn shown(&self) -> BTreeMap<String, f64> {
        let mut shown = BTreeMap::new();
        for (name, counts) in [("starts", &self.starts), ("looks", &self.looks)] {
            if counts.all > 0 {
                shown.insert(name.to_owned(), counts.all as f64);
                shown.insert(format!("late_{name}"), counts.late as f64);
                shown.insert(format!("very_late_{name}"), counts.very_late as f64);
            }
        }
        if !shown.is_empty() {
            shown.insert("lateness_ms".to_owned(), self.latest.as_secs_f64() * 1e3);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_counted() {
        let of = |all, late, very_late| Punctuality {
            all,
            late,
            very_late,
            latest: Duration::ZERO,
        };
        let mut found = Found {
            latest: Duration::from_millis(12),
            ..Found::default()
        };
        found.starts.add(of(30, 5, 1), of(10, 2, 1));
        found.starts.add(of(4, 1, 0), of(0, 0, 0));
        let shown = found.shown();
        let at = |name: &str| shown.get(name).copied();
        assert_eq!(
            ["starts", "late_starts", "very_late_starts", "lateness_ms"].map(at),
            [Some(24.0), Some(4.0), Some(0.0), Some(12.0)]
        );
        assert_eq!(at("looks"), None, "none was looked at");
        assert!(Found::default().shown().is_empty());
        assert!(
            Punctual::new(Current::default()).read().is_empty(),
            "no run"
        );
    }
}
