//! The VUs of an arrival-rate scenario and which of them are free.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::source::Arrival;

/// Where arrivals find a VU. Shared by whoever hands arrivals out and by the VUs, which say that they
/// are free; nobody waits while it is locked.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    inner: Mutex<Inner>,
    /// How many VUs have become ready.
    ready: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    arrivals: Vec<mpsc::Sender<Arrival>>,
    /// In the order in which they became free.
    free: VecDeque<usize>,
}

/// A VU's own seat.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    seats: std::sync::Arc<Seats>,
    number: usize,
}

impl Seats {
    /// Adds a VU that is free, and what its arrivals come by.
    pub(super) fn add(self: &std::sync::Arc<Self>) -> (Seat, mpsc::Receiver<Arrival>) {
        // One at a time: the next arrival is for a VU that has ended the last one.
        let (send, receive) = mpsc::channel(1);
        let mut inner = self.lock();
        let number = inner.arrivals.len();
        inner.arrivals.push(send);
        inner.free.push_back(number);
        let seats = std::sync::Arc::clone(self);
        (Seat { seats, number }, receive)
    }

    /// Gives the arrival to the VU that has been free for longest; false when there is none.
    pub(super) fn begin(&self, arrival: Arrival) -> bool {
        loop {
            let next = {
                let mut inner = self.lock();
                let seat = inner.free.pop_front();
                seat.map(|seat| inner.arrivals[seat].clone())
            };
            match next {
                None => return false,
                // Waking another thread is left for after the lock. A VU that has ended takes nothing.
                Some(arrivals) if arrivals.try_send(arrival).is_ok() => return true,
                Some(_) => {}
            }
        }
    }

    /// Waits until so many VUs are ready.
    pub(super) async fn are_ready(&self, count: usize) {
        let mut ready = self.ready.subscribe();
        // The sender is ours: it does not go away.
        let _ = ready.wait_for(|ready| *ready >= count).await;
    }

    /// How many VUs there are.
    pub(super) fn count(&self) -> u64 {
        self.lock().arrivals.len() as u64
    }

    /// No more arrivals: every VU ends its work after its iteration.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.arrivals.clear();
        inner.free.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The VU could take an arrival without doing anything else before.
    pub(crate) fn is_ready(&self) {
        self.seats.ready.send_modify(|ready| *ready += 1);
    }

    /// The VU can take the next arrival.
    pub(crate) fn is_free(&self) {
        let mut inner = self.seats.lock();
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
        let seats = Arc::new(Seats::default());
        let (first, mut at_first) = seats.add();
        let (_second, mut at_second) = seats.add();
        assert!(seats.begin(ARRIVAL) && at_first.try_recv().is_ok());
        first.is_free();
        assert!(seats.begin(ARRIVAL) && at_second.try_recv().is_ok());
        assert!(seats.begin(ARRIVAL) && at_first.try_recv().is_ok());
        assert!(!seats.begin(ARRIVAL));
    }

    #[test]
    fn a_vu_that_has_ended_is_passed_over() {
        let seats = Arc::new(Seats::default());
        let (_, receiver) = seats.add();
        drop(receiver);
        let (_second, mut at_second) = seats.add();
        assert!(seats.begin(ARRIVAL) && at_second.try_recv().is_ok());
    }

    #[tokio::test]
    async fn vus_are_waited_for_until_they_are_ready() {
        let seats = Arc::new(Seats::default());
        let (first, _) = seats.add();
        let (second, _) = seats.add();
        first.is_ready();
        assert!(futures_util::poll!(std::pin::pin!(seats.are_ready(2))).is_pending());
        second.is_ready();
        seats.are_ready(2).await;
    }

    #[test]
    fn closed_seats_take_and_give_nothing() {
        let seats = Arc::new(Seats::default());
        let (seat, mut arrivals) = seats.add();
        seats.close();
        seat.is_free();
        assert!(!seats.begin(ARRIVAL));
        assert!(arrivals.try_recv().is_err());
    }
}
