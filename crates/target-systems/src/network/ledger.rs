//! Counters of the network.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Nanos;
use super::outcome::Cause;

/// A number of things, and its exact integral over time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    count: u64,
    since: Nanos,
    integral: u128,
}

impl Level {
    pub(super) fn change(&mut self, now: Nanos, by: i64) {
        self.integral = self.integral(now);
        self.since = self.since.max(now);
        self.count = self.count.saturating_add_signed(by);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Things × nanoseconds.
    pub(super) fn integral(&self, now: Nanos) -> u128 {
        self.integral + u128::from(self.count) * u128::from(now.saturating_sub(self.since))
    }
}

/// Failures by cause.
#[derive(Debug, Clone, Default)]
pub(super) struct Causes {
    counts: [u64; Cause::KINDS],
    declared: BTreeMap<Arc<str>, u64>,
}

impl Causes {
    pub(super) fn count(&mut self, cause: &Cause) {
        match cause {
            Cause::Declared(name) => *self.declared.entry(name.clone()).or_default() += 1,
            _ => self.counts[cause.place()] += 1,
        }
    }

    /// The causes that have occurred, by `error_type`.
    pub(super) fn by_name(&self) -> BTreeMap<Arc<str>, u64> {
        let mut by_name = self.declared.clone();
        for (cause, count) in Cause::ALL.iter().zip(&self.counts) {
            if *count > 0 {
                *by_name.entry(cause.name().into()).or_default() += count;
            }
        }
        by_name
    }
}

/// The counters of the system.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) arrived: u64,
    pub(super) succeeded: u64,
    /// Failures of requests.
    pub(super) failed: Causes,
    /// Clients that disconnected before their response.
    pub(super) left: u64,
    /// Time in the system of all requests that ended.
    pub(super) residence: u128,
    /// Requests in the system.
    pub(super) level: Level,
    pub(super) background_begun: u64,
    pub(super) background_ended: u64,
    /// Failures of background work.
    pub(super) background_failed: Causes,
}
