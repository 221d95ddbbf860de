//! A single server in order of arrival: a disk or a link.

use std::collections::VecDeque;

use super::event::Nanos;
use super::slab::Id;

/// The demand of a job: service = operations × time per operation + bytes × time per byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    pub(super) operations: f64,
    pub(super) bytes: f64,
}

/// Seconds per operation and per byte; 0 if unlimited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    pub(super) operation_s: f64,
    pub(super) byte_s: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Fifo {
    pace: Pace,
    line: VecDeque<(Id, Load)>,
    /// The start of the first job in the queue, and its end.
    began: Nanos,
    done: Nanos,
    /// The busy time of completed jobs.
    busy: Nanos,
    operations: f64,
    bytes: f64,
    pub(super) scheduled: Option<Nanos>,
}

impl Fifo {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            line: VecDeque::new(),
            began: 0,
            done: 0,
            busy: 0,
            operations: 0.0,
            bytes: 0.0,
            scheduled: None,
        }
    }

    /// The service time of a load, without waiting.
    pub(super) fn service(&self, load: Load) -> Nanos {
        self.pace.service(load)
    }

    /// Adds a load, and returns whether it takes time.
    pub(super) fn join(&mut self, now: Nanos, task: Id, load: Load) -> bool {
        self.operations += load.operations;
        self.bytes += load.bytes;
        let service = self.service(load);
        if service == 0 {
            return false;
        }
        if self.line.is_empty() {
            self.began = now;
            self.done = now + service;
        }
        self.line.push_back((task, load));
        true
    }

    pub(super) fn next(&self) -> Option<Nanos> {
        (!self.line.is_empty()).then_some(self.done)
    }

    /// A job that is complete by `now`.
    pub(super) fn pop(&mut self, now: Nanos) -> Option<Id> {
        self.next().filter(|done| *done <= now)?;
        let (task, _) = self.line.pop_front()?;
        self.busy += self.done - self.began;
        self.began = self.done;
        if let Some((_, load)) = self.line.front() {
            self.done += self.service(*load);
        }
        Some(task)
    }

    pub(super) fn clear(&mut self, now: Nanos) {
        self.busy = self.busy_ns(now);
        self.line.clear();
    }

    /// Changes the pace; the job in service keeps the same remaining share of its work.
    pub(super) fn set_pace(&mut self, now: Nanos, pace: Pace) {
        let before = self.pace;
        self.pace = pace;
        let Some((_, load)) = self.line.front() else {
            return;
        };
        let whole = before.service(*load).max(1) as f64;
        let left = self.done.saturating_sub(now) as f64 / whole;
        self.done = now.max(self.began) + (left * pace.service(*load) as f64).ceil() as u64;
    }

    /// The busy time by `now`, in nanoseconds.
    pub(super) fn busy_ns(&self, now: Nanos) -> Nanos {
        if self.line.is_empty() {
            return self.busy;
        }
        self.busy + now.min(self.done).saturating_sub(self.began)
    }

    pub(super) fn operations(&self) -> f64 {
        self.operations
    }

    pub(super) fn bytes(&self) -> f64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }
}

impl Pace {
    fn service(self, load: Load) -> Nanos {
        let seconds = load.operations * self.operation_s + load.bytes * self.byte_s;
        (seconds * 1e9 + 0.5).min(MAX_SERVICE_NS) as u64
    }
}

/// A day: longer than any deadline, and far from an overflow of sums of times.
const MAX_SERVICE_NS: f64 = 86_400e9;

#[cfg(test)]
mod tests {
    use super::super::slab::Slab;
    use super::*;

    const MS: Nanos = 1_000_000;
    const ONE: Load = Load {
        operations: 1.0,
        bytes: 0.0,
    };

    #[test]
    fn jobs_are_done_in_order_and_a_new_pace_keeps_the_share_that_is_left() {
        let mut ids = Slab::default();
        let (a, b) = (ids.insert(()), ids.insert(()));
        let pace = |operation_s| Pace {
            operation_s,
            byte_s: 0.0,
        };
        let mut disk = Fifo::new(pace(0.010));
        assert!(disk.join(0, a, ONE));
        assert!(disk.join(2 * MS, b, ONE));
        assert_eq!(disk.pop(9 * MS), None);
        disk.set_pace(5 * MS, pace(0.020));
        assert_eq!(disk.next(), Some(15 * MS), "half of it was left");
        assert_eq!(disk.pop(15 * MS), Some(a));
        assert_eq!(disk.next(), Some(35 * MS));
        assert_eq!(disk.busy_ns(25 * MS), 25 * MS);
        assert_eq!(disk.pop(40 * MS), Some(b));
        assert_eq!(disk.busy_ns(50 * MS), 35 * MS);
        assert_eq!(disk.operations(), 2.0);
    }

    #[test]
    fn an_unlimited_station_counts_and_takes_no_time() {
        let mut ids = Slab::default();
        let task = ids.insert(());
        let mut link = Fifo::new(Pace {
            operation_s: 0.0,
            byte_s: 0.0,
        });
        assert!(!link.join(
            0,
            task,
            Load {
                operations: 0.0,
                bytes: 8e3
            }
        ));
        assert_eq!((link.bytes(), link.len()), (8e3, 0));
    }
}
