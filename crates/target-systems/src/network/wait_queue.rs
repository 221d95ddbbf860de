//! The queue for a slot or a connection.

use std::collections::VecDeque;

use super::slab::Id;
use crate::plan::Discipline;

/// A waiting task. The wait's number distinguishes it from an earlier wait of the same task that ended
/// otherwise, but is still queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) task: Id,
    pub(super) wait: u32,
}

/// Entries of completed waits stay until they reach the front or outnumber the others.
#[derive(Debug, Clone, Default)]
pub(super) struct WaitQueue {
    entries: VecDeque<Waiter>,
    waiting: usize,
}

/// Maximum number of stale entries before they are removed.
const SLACK: usize = 64;

impl WaitQueue {
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn push(&mut self, waiter: Waiter) {
        self.waiting += 1;
        self.entries.push_back(waiter);
    }

    /// The next entry for which `still_waits` is true.
    pub(super) fn pop(
        &mut self,
        discipline: Discipline,
        still_waits: impl Fn(Waiter) -> bool,
    ) -> Option<Id> {
        while let Some(waiter) = match discipline {
            Discipline::Fifo => self.entries.pop_front(),
            Discipline::Lifo => self.entries.pop_back(),
        } {
            if still_waits(waiter) {
                self.waiting -= 1;
                return Some(waiter.task);
            }
        }
        None
    }

    /// Called when a wait ended otherwise; its `still_waits` is false from now on.
    pub(super) fn left(&mut self, still_waits: impl Fn(Waiter) -> bool) {
        self.waiting -= 1;
        if self.entries.len() > 2 * self.waiting + SLACK {
            self.entries.retain(|waiter| still_waits(*waiter));
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.waiting = 0;
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashSet;

    use super::super::slab::Slab;
    use super::*;

    #[test]
    fn waits_that_are_over_do_not_pile_up_under_a_stack() {
        let mut ids = Slab::default();
        let gone: RefCell<HashSet<Id>> = RefCell::default();
        let mut line = WaitQueue::default();
        let still = |waiter: Waiter| !gone.borrow().contains(&waiter.task);
        for _ in 0..10_000 {
            let task = ids.insert(());
            line.push(Waiter { task, wait: 0 });
            gone.borrow_mut().insert(task);
            line.left(still);
        }
        assert_eq!(line.waiting(), 0);
        assert!(line.kept() <= SLACK, "kept {}", line.kept());
        assert_eq!(line.pop(Discipline::Lifo, still), None);
    }
}
