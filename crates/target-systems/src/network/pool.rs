//! Connections that flows share.

use fault_profile::draw::Root;

use super::Network;
use super::event::{Class, Nanos, What};
use super::ledger::Level;
use super::slab::Id;
use super::task::{Borrowing, Flow, Frame, Place};
use super::wait_queue::{WaitQueue, Waiter};
use crate::plan::{Discipline, Using};

#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    pub(super) in_use: usize,
    pub(super) line: WaitQueue,
    pub(super) taken: u64,
    pub(super) timeouts: u64,
    /// Total waiting time for connections, of completed waits.
    pub(super) wait: u128,
    /// Connections in use.
    pub(super) level: Level,
}

impl Pool {
    pub(super) fn take(&mut self, now: Nanos) {
        self.in_use += 1;
        self.taken += 1;
        self.level.change(now, 1);
    }

    pub(super) fn give_back(&mut self, now: Nanos) {
        self.in_use -= 1;
        self.level.change(now, -1);
    }
}

impl Network {
    /// Acquires a connection, or waits for one.
    pub(super) fn connect(&mut self, id: Id, using: &Using, root: Root) -> Flow {
        let now = self.now;
        let rules = &self.loaded.plan.pools[using.pool];
        let (size, patience) = (rules.size, rules.wait);
        let pool = &mut self.pools[using.pool];
        let held = pool.in_use < size && pool.line.waiting() == 0;
        if held {
            pool.take(now);
        }
        let borrowing = Borrowing {
            pool: using.pool,
            block: using.block.clone(),
            root,
            since: now,
            held,
            inside: false,
        };
        self.push_frame(id, Frame::Using(Box::new(borrowing)));
        if held {
            return Flow::On;
        }
        let wait = self.rest(id, Place::Pool);
        self.pools[using.pool].line.push(Waiter { task: id, wait });
        if let Some(patience) = patience {
            let at = self.after(patience);
            self.schedule(at, Class::Expiry, What::Patience { task: id, wait });
        }
        let request = self.request_of(id);
        if let Some(request) = self.requests.get_mut(request) {
            request.waited = true;
        }
        Flow::Wait
    }

    /// Called when the connection is available, or its steps are complete.
    pub(super) fn connected(&mut self, id: Id) -> Flow {
        let Some(task) = self.tasks.get_mut(id) else {
            return Flow::Wait;
        };
        match task.frames.last_mut() {
            Some(Frame::Using(borrowing)) if !borrowing.inside => {
                borrowing.inside = true;
                let (block, root) = (borrowing.block.clone(), borrowing.root);
                return self.inside(id, &block, root);
            }
            _ => {}
        }
        if let Some(Frame::Using(borrowing)) = task.frames.pop() {
            self.disconnect(&borrowing);
        }
        Flow::On
    }

    /// Releases a connection, or stops waiting for it.
    pub(super) fn disconnect(&mut self, borrowing: &Borrowing) {
        let tasks = &self.tasks;
        let pool = &mut self.pools[borrowing.pool];
        if borrowing.held {
            pool.give_back(self.now);
            return self.hand_out(borrowing.pool);
        }
        pool.timeouts += 1;
        pool.wait += u128::from(self.now - borrowing.since);
        pool.line.left(|waiter| {
            let task = tasks.get(waiter.task);
            task.is_some_and(|task| task.wait == waiter.wait)
        });
    }

    /// Assigns free connections to waiting requests.
    pub(super) fn hand_out(&mut self, place: usize) {
        let size = self.loaded.plan.pools[place].size;
        while self.pools[place].in_use < size {
            let tasks = &self.tasks;
            let next = self.pools[place].line.pop(Discipline::Fifo, |waiter| {
                let task = tasks.get(waiter.task);
                task.is_some_and(|task| task.wait == waiter.wait)
            });
            let Some(id) = next else {
                return;
            };
            self.pools[place].take(self.now);
            let task = self.tasks.get_mut(id);
            if let Some(Frame::Using(borrowing)) = task.and_then(|task| task.frames.last_mut()) {
                borrowing.held = true;
                self.pools[place].wait += u128::from(self.now - borrowing.since);
            }
            self.wake(id);
        }
    }
}
