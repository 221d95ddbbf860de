//! A component's workers at run time.

use super::cache::Lru;
use super::event::Nanos;
use super::ledger::Level;
use super::sharing::{Law, Sharing};
use super::wait_queue::WaitQueue;
use crate::plan::Component;

/// A component's workers on one machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Post {
    /// Slots in use.
    pub(super) busy: usize,
    /// Visits that wait for a slot or hold one.
    pub(super) present: usize,
    pub(super) line: WaitQueue,
    /// Visits in their service time, if they slow each other.
    pub(super) service: Option<Sharing>,
    pub(super) cache: Lru,
    pub(super) connections: usize,
    /// Number of visits that it received.
    pub(super) sent: u64,
}

/// A component.
#[derive(Debug, Clone, Default)]
pub(super) struct Unit {
    /// One for each machine of the host.
    pub(super) posts: Vec<Post>,
    /// The queue of all posts, if they share one.
    pub(super) shared: WaitQueue,
    /// Where the next round of the balancing begins.
    pub(super) turn: usize,
    pub(super) tally: Tally,
}

/// Counters of the visits of a component.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) begun: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    /// Visits that had to wait for a slot.
    pub(super) waited: u64,
    /// Total waiting time for slots, of completed waits.
    pub(super) wait: u128,
    /// Total time in the component, of completed visits.
    pub(super) residence: u128,
    /// Visits in the component.
    pub(super) level: Level,
    /// Messages that the bus rejected.
    pub(super) lost_messages: u64,
    pub(super) messages: u64,
    pub(super) batches: u64,
    /// Connections that were opened.
    pub(super) connected: u64,
}

impl Post {
    pub(super) fn new(component: &Component) -> Self {
        Self {
            service: component
                .usl_concurrency
                .map(|usl| Sharing::new(Law::Usl(usl))),
            ..Self::default()
        }
    }

    pub(super) fn has_room(&self, component: &Component) -> bool {
        component.slots.is_none_or(|slots| self.busy < slots)
    }

    /// Removes everything that was here.
    pub(super) fn clear(&mut self, now: Nanos) {
        self.busy = 0;
        self.present = 0;
        self.line.clear();
        self.cache.clear();
        self.connections = 0;
        if let Some(service) = &mut self.service {
            service.clear(now);
        }
    }
}

impl Unit {
    pub(super) fn new(component: &Component, machines: usize) -> Self {
        Self {
            posts: (0..machines).map(|_| Post::new(component)).collect(),
            ..Self::default()
        }
    }

    pub(super) fn waiting(&self) -> usize {
        let lines = self.posts.iter().map(|post| post.line.waiting());
        self.shared.waiting() + lines.sum::<usize>()
    }
}
