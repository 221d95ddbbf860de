//! The queue in front of a detector's workers, in virtual time.
//!
//! Times are relative to an origin that the caller chooses. Completions happen at the times of the model, not when
//! they are noticed, so that a late wake-up does not delay later requests.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::queue::{Discipline, QueueConfig};

/// A request for service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The id of the job; the caller keeps it unique.
    pub ticket: u64,
    /// The time for which it occupies a worker. A batch takes the time of its first job.
    pub service: Duration,
}

/// A job that has a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub ticket: u64,
    pub at: Duration,
    /// The time at which the answer is ready.
    pub done: Duration,
    /// The number of jobs that are served together.
    pub batch: u32,
}

/// Whether a job was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// The queue is full.
    Overflow,
}

/// The workers, and the jobs that wait for them.
#[derive(Debug, Clone)]
pub struct JobQueue {
    workers: usize,
    capacity: usize,
    discipline: Discipline,
    batch_items: usize,
    batch_wait: Duration,
    /// The times at which busy workers become free.
    busy_until: BinaryHeap<Reverse<Duration>>,
    waiting: VecDeque<(Job, Duration)>,
}

impl JobQueue {
    pub fn new(config: &QueueConfig) -> Self {
        let mut queue = Self {
            workers: 1,
            capacity: 0,
            discipline: Discipline::Fifo,
            batch_items: 1,
            batch_wait: Duration::ZERO,
            busy_until: BinaryHeap::new(),
            waiting: VecDeque::new(),
        };
        queue.configure(config);
        queue
    }

    /// Changes the rules. Jobs in service and in the queue remain.
    pub fn configure(&mut self, config: &QueueConfig) {
        self.workers = config.workers.max(1) as usize;
        self.capacity = config.capacity as usize;
        self.discipline = config.discipline;
        self.batch_items = config
            .batch
            .map_or(1, |batch| batch.max_items.max(1) as usize);
        self.batch_wait = config.batch.map_or(Duration::ZERO, |batch| {
            Duration::from_secs_f64(batch.wait_ms / 1_000.0)
        });
    }

    /// Offers a job. All jobs that start by `now` are appended to `started`.
    pub fn arrive(&mut self, now: Duration, job: Job, started: &mut Vec<Start>) -> Admission {
        self.advance(now, started);
        let room = if self.busy_until.len() < self.workers {
            self.batch_items
        } else {
            0
        };
        if self.waiting.len() >= self.capacity.max(room) {
            return Admission::Overflow;
        }
        self.waiting.push_back((job, now));
        self.dispatch(now, started);
        Admission::Admitted
    }

    /// Advances the model to `now`.
    pub fn advance(&mut self, now: Duration, started: &mut Vec<Start>) {
        while let Some(at) = self.next_event().filter(|at| *at <= now) {
            while self.busy_until.peek().is_some_and(|done| done.0 <= at) {
                self.busy_until.pop();
            }
            self.dispatch(at, started);
        }
        while self.busy_until.peek().is_some_and(|done| done.0 <= now) {
            self.busy_until.pop();
        }
    }

    /// The time of the next event for a waiting job; `None` while no job waits.
    pub fn next_event(&self) -> Option<Duration> {
        let (_, since) = self.waiting.front()?;
        let fills = *since + self.batch_wait;
        match self.busy_until.peek() {
            Some(Reverse(free)) if self.busy_until.len() >= self.workers => Some(*free),
            // A free worker waits for the batch to fill; a second free worker would change nothing.
            _ => Some(fills),
        }
    }

    /// Removes a waiting job. Returns false if it has started or is unknown.
    pub fn leave(&mut self, ticket: u64) -> bool {
        let place = self
            .waiting
            .iter()
            .position(|(job, _)| job.ticket == ticket);
        place.is_some_and(|place| self.waiting.remove(place).is_some())
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn busy(&self) -> usize {
        self.busy_until.len()
    }

    fn dispatch(&mut self, at: Duration, started: &mut Vec<Start>) {
        while self.busy_until.len() < self.workers {
            let Some((_, since)) = self.waiting.front() else {
                return;
            };
            let full = self.waiting.len() >= self.batch_items;
            if !full && *since + self.batch_wait > at {
                return;
            }
            let batch = self.batch_items.min(self.waiting.len());
            let mut done = at;
            for place in 0..batch {
                let next = match self.discipline {
                    Discipline::Fifo => self.waiting.pop_front(),
                    Discipline::Lifo => self.waiting.pop_back(),
                };
                let Some((job, _)) = next else { return };
                if place == 0 {
                    done = at + job.service;
                }
                started.push(Start {
                    ticket: job.ticket,
                    at,
                    done,
                    batch: batch as u32,
                });
            }
            self.busy_until.push(Reverse(done));
        }
    }
}
