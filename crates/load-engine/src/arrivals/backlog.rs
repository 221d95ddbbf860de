//! Arrivals that wait for a VU because the generator stalled: its machine was busy, or the process was stopped.
//!
//! A service that is too slow for the VUs drops iterations, as in k6: a punctual arrival that finds no free VU is
//! dropped at once. After a stall, however, all arrivals of the stalled time come together and find no free VU,
//! which the service has not caused. They wait, within two bounds: the catch-up lasts only a multiple of the stall,
//! and no arrival begins later than [`MOST_LATE`]. Meanwhile punctual arrivals wait behind them, since without the
//! stall they would find a free VU. Their lateness is measured like that of any other start.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Arrival;

/// A generator that is late by less than this has not stalled: timers and wake-ups take as long.
const NOTICED: Duration = Duration::from_millis(1);

/// The time for catching up, as a multiple of the stall: enough for VUs that are busy half of their time.
const CATCH_UP: u32 = 2;

/// An arrival that has not begun this long after its planned time is dropped.
pub(super) const MOST_LATE: Duration = Duration::from_millis(500);

/// The maximum number of waiting arrivals: those of [`MOST_LATE`] at 260 000/s.
const MOST: usize = 1 << 17;

/// Waiting arrivals in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Arrival>,
    /// The end of the catch-up.
    until: Option<Instant>,
}

impl Backlog {
    /// Records that the generator is late by this much.
    pub(super) fn note_stall(&mut self, late: Duration, now: Instant) {
        if late >= NOTICED {
            let until = now + (late * CATCH_UP).min(MOST_LATE);
            self.until = self.until.max(Some(until));
        }
    }

    /// Queues the arrival; false if no catch-up is in progress, or the arrival is too late.
    pub(super) fn wait(&mut self, arrival: Arrival, now: Instant) -> bool {
        let waits = self.waiting.len() < MOST && self.may_wait(&arrival, now);
        if waits {
            self.waiting.push_back(arrival);
        }
        waits
    }

    /// Removes the arrivals that have waited too long; returns their number.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut expired = 0;
        while let Some(first) = self.waiting.front()
            && !self.may_wait(first, now)
        {
            self.waiting.pop_front();
            expired += 1;
        }
        expired
    }

    /// Removes the arrival that is due first.
    pub(super) fn next(&mut self) -> Option<Arrival> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Removes all arrivals; returns their number.
    pub(super) fn clear(&mut self) -> u64 {
        let count = self.waiting.len() as u64;
        self.waiting.clear();
        count
    }

    fn may_wait(&self, arrival: &Arrival, now: Instant) -> bool {
        let in_time = |scheduled: Instant| now.duration_since(scheduled) <= MOST_LATE;
        self.until.is_some_and(|until| now < until) && arrival.scheduled.is_none_or(in_time)
    }
}
