//! Iterations that arrive: the VUs of an arrival-rate scenario, and which of them are free.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// An iteration that is to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Its number over all instances, if the plan has one.
    pub(crate) in_test: Option<u64>,
    /// Its planned start.
    pub(crate) scheduled: Option<Instant>,
}

/// The slots of an arrival-rate scenario's VUs. The dispatcher and the VUs share them; the VUs report that they
/// are free, and the lock is never held across a wait.
#[derive(Debug, Default)]
pub(crate) struct VuSlots {
    inner: Mutex<Inner>,
    /// The number of VUs that have become ready.
    ready: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    arrivals: Vec<mpsc::Sender<Arrival>>,
    /// In the order in which they became free.
    free: VecDeque<usize>,
}

/// A VU's own slot.
#[derive(Debug, Clone)]
pub(crate) struct VuSlot {
    slots: std::sync::Arc<VuSlots>,
    number: usize,
}

impl VuSlots {
    /// Adds a free VU. Returns its slot and the receiver of its arrivals.
    pub(crate) fn add(self: &std::sync::Arc<Self>) -> (VuSlot, mpsc::Receiver<Arrival>) {
        // Room for one: a VU gets the next arrival only after it has ended the last one.
        let (send, receive) = mpsc::channel(1);
        let mut inner = self.lock();
        let number = inner.arrivals.len();
        inner.arrivals.push(send);
        inner.free.push_back(number);
        let slots = std::sync::Arc::clone(self);
        (VuSlot { slots, number }, receive)
    }

    /// Gives the arrival to the VU that has been free for longest; false when none is free.
    pub(crate) fn begin(&self, arrival: Arrival) -> bool {
        loop {
            let next = {
                let mut inner = self.lock();
                let slot = inner.free.pop_front();
                slot.map(|slot| inner.arrivals[slot].clone())
            };
            match next {
                None => return false,
                // The other thread is woken after the lock is released. A VU that has ended takes nothing.
                Some(arrivals) if arrivals.try_send(arrival).is_ok() => return true,
                Some(_) => {}
            }
        }
    }

    /// Waits until `count` VUs are ready.
    pub(crate) async fn are_ready(&self, count: usize) {
        let mut ready = self.ready.subscribe();
        // This object owns the sender, so it is not dropped.
        let _ = ready.wait_for(|ready| *ready >= count).await;
    }

    /// The number of VUs.
    pub(crate) fn count(&self) -> u64 {
        self.lock().arrivals.len() as u64
    }

    /// No more arrivals: every VU ends its work after its iteration.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.arrivals.clear();
        inner.free.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VuSlot {
    /// The VU is prepared and can take an arrival.
    pub(crate) fn is_ready(&self) {
        self.slots.ready.send_modify(|ready| *ready += 1);
    }

    /// The VU can take the next arrival.
    pub(crate) fn is_free(&self) {
        let mut inner = self.slots.lock();
        if self.number < inner.arrivals.len() {
            inner.free.push_back(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const ARRIVAL: Arrival = Arrival {
        in_test: None,
        scheduled: None,
    };

    #[test]
    fn the_vu_that_has_been_free_for_longest_is_next() {
        let slots = Arc::new(VuSlots::default());
        let (first, mut at_first) = slots.add();
        let (_second, mut at_second) = slots.add();
        assert!(slots.begin(ARRIVAL) && at_first.try_recv().is_ok());
        first.is_free();
        assert!(slots.begin(ARRIVAL) && at_second.try_recv().is_ok());
        assert!(slots.begin(ARRIVAL) && at_first.try_recv().is_ok());
        assert!(!slots.begin(ARRIVAL));
    }

    #[test]
    fn a_vu_that_has_ended_is_skipped() {
        let slots = Arc::new(VuSlots::default());
        let (_, receiver) = slots.add();
        drop(receiver);
        let (_second, mut at_second) = slots.add();
        assert!(slots.begin(ARRIVAL) && at_second.try_recv().is_ok());
    }

    #[tokio::test]
    async fn the_wait_ends_when_enough_vus_are_ready() {
        let slots = Arc::new(VuSlots::default());
        let (first, _) = slots.add();
        let (second, _) = slots.add();
        first.is_ready();
        assert!(futures_util::poll!(std::pin::pin!(slots.are_ready(2))).is_pending());
        second.is_ready();
        slots.are_ready(2).await;
    }

    #[test]
    fn closed_slots_neither_take_nor_yield_arrivals() {
        let slots = Arc::new(VuSlots::default());
        let (slot, mut arrivals) = slots.add();
        slots.close();
        slot.is_free();
        assert!(!slots.begin(ARRIVAL));
        assert!(arrivals.try_recv().is_err());
    }
}
