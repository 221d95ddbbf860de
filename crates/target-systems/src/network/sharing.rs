//! Processor sharing: all jobs progress concurrently, each at the same speed.
//!
//! The service that every present job has received since the station was last empty is one number, the
//! attained service (Kleinrock, "Queueing Systems" II, 4.4): a job that joins at attained service v with
//! demand d is complete at v + d. The number is reset to 0 whenever the station is empty, which preserves
//! its precision.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::event::Nanos;
use super::slab::Id;
use crate::plan::Usl;

/// The speed of n jobs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Law {
    /// Each at full speed.
    Unlimited,
    /// Each at min(1, cores / n).
    Cores(f64),
    /// Each at 1 / (1 + sigma (n − 1) + kappa n (n − 1)).
    Usl(Usl),
}

#[derive(Debug, Clone, Copy)]
struct Job {
    /// The attained service at which the job is complete, in seconds.
    done: f64,
    sequence: u64,
    task: Id,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_work = self.done.total_cmp(&other.done);
        by_work.then(self.sequence.cmp(&other.sequence))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Sharing {
    law: Law,
    jobs: BinaryHeap<Reverse<Job>>,
    /// The attained service, in seconds.
    attained: f64,
    at: Nanos,
    sequence: u64,
    paused: bool,
    /// Work done for all jobs, seconds.
    work_s: f64,
    /// The earliest scheduled event for this station.
    pub(super) scheduled: Option<Nanos>,
}

/// An event that is early by at most this many nanoseconds counts as on time: the difference is a rounding
/// error.
const ROUNDING_NS: f64 = 1e-3;

impl Sharing {
    pub(super) fn new(law: Law) -> Self {
        Self {
            law,
            jobs: BinaryHeap::new(),
            attained: 0.0,
            at: 0,
            sequence: 0,
            paused: false,
            work_s: 0.0,
            scheduled: None,
        }
    }

    /// The speed of each job.
    fn speed(&self) -> f64 {
        let n = self.jobs.len();
        match self.law {
            _ if self.paused => 0.0,
            Law::Unlimited => 1.0,
            Law::Cores(cores) => (cores / n.max(1) as f64).min(1.0),
            Law::Usl(usl) => 1.0 / usl.slowdown(n),
        }
    }

    fn pass(&mut self, now: Nanos) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let Some(Reverse(first)) = self.jobs.peek() else {
            return;
        };
        if self.paused {
            return;
        }
        let attained = self.attained + passed as f64 * 1e-9 * self.speed();
        self.reach(attained.min(first.done));
    }

    fn reach(&mut self, attained: f64) {
        self.work_s += (attained - self.attained) * self.jobs.len() as f64;
        self.attained = attained;
    }

    pub(super) fn join(&mut self, now: Nanos, task: Id, demand: Nanos) {
        self.pass(now);
        self.sequence += 1;
        self.jobs.push(Reverse(Job {
            done: self.attained + demand as f64 * 1e-9,
            sequence: self.sequence,
            task,
        }));
    }

    /// When the first job will be complete, if nothing changes.
    pub(super) fn next(&self) -> Option<Nanos> {
        let Reverse(first) = self.jobs.peek()?;
        let speed = self.speed();
        let left_ns = (first.done - self.attained) / speed * 1e9;
        (speed > 0.0).then(|| {
            self.at
                .saturating_add((left_ns - ROUNDING_NS).max(0.0).ceil() as u64)
        })
    }

    /// A job that is complete by `now`.
    pub(super) fn pop(&mut self, now: Nanos) -> Option<Id> {
        self.pass(now);
        self.next().filter(|next| *next <= now)?;
        let Reverse(first) = *self.jobs.peek()?;
        self.reach(first.done);
        self.jobs.pop();
        if self.jobs.is_empty() {
            self.attained = 0.0;
        }
        Some(first.task)
    }

    /// Removes all jobs.
    pub(super) fn clear(&mut self, now: Nanos) {
        self.pass(now);
        self.jobs.clear();
        self.attained = 0.0;
    }

    pub(super) fn set_law(&mut self, now: Nanos, law: Law) {
        self.pass(now);
        self.law = law;
    }

    /// No work proceeds while the station is paused.
    pub(super) fn set_paused(&mut self, now: Nanos, paused: bool) {
        self.pass(now);
        self.paused = paused;
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Core-seconds of work done by `now`.
    pub(super) fn work_s(&self, now: Nanos) -> f64 {
        let Some(Reverse(first)) = self.jobs.peek() else {
            return self.work_s;
        };
        let passed = now.saturating_sub(self.at) as f64 * 1e-9;
        let attained = (self.attained + passed * self.speed()).min(first.done);
        self.work_s + (attained - self.attained) * self.jobs.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::slab::Slab;
    use super::*;

    const MS: Nanos = 1_000_000;

    fn run(law: Law, jobs: &[(Nanos, Nanos)]) -> (Vec<Nanos>, Sharing) {
        let mut ids = Slab::default();
        let mut station = Sharing::new(law);
        let ids: Vec<Id> = jobs.iter().map(|_| ids.insert(())).collect();
        let mut done = vec![0; jobs.len()];
        let mut waiting = jobs.iter().enumerate().peekable();
        loop {
            let arrival = waiting.peek().map(|(_, job)| job.0);
            match (station.next(), arrival) {
                (Some(at), arrival) if arrival.is_none_or(|arrival| at <= arrival) => {
                    while let Some(task) = station.pop(at) {
                        let place = ids.iter().position(|id| *id == task).expect("one of ours");
                        done[place] = at;
                    }
                }
                (_, Some(_)) => {
                    let (place, (at, demand)) = waiting.next().expect("peeked");
                    station.join(*at, ids[place], *demand);
                }
                (_, None) => return (done, station),
            }
        }
    }

    #[test]
    fn jobs_share_the_core_and_a_lone_job_has_at_most_one() {
        // Two jobs of 10 ms on one core: both run at half speed; the later one has 5 ms left at 15 ms.
        let (done, _) = run(Law::Cores(1.0), &[(0, 10 * MS), (5 * MS, 10 * MS)]);
        assert_eq!(done, [15 * MS, 20 * MS]);
        let (done, _) = run(Law::Cores(4.0), &[(0, 10 * MS), (5 * MS, 10 * MS)]);
        assert_eq!(done, [10 * MS, 15 * MS]);
        let (done, _) = run(Law::Cores(0.5), &[(0, 10 * MS)]);
        assert_eq!(done, [20 * MS], "half a core takes twice the time");
    }

    #[test]
    fn work_done_is_the_sum_of_the_demands() {
        let jobs: Vec<(Nanos, Nanos)> = (0..1_000u64)
            .map(|n| (n * 3_000_017, 1 + n * 7_919 % (9 * MS)))
            .collect();
        let demanded: u64 = jobs.iter().map(|job| job.1).sum();
        let (_, station) = run(Law::Cores(1.5), &jobs);
        assert!((station.work_s(Nanos::MAX) - demanded as f64 * 1e-9).abs() < 1e-9);
        assert_eq!(station.len(), 0);
    }
}
