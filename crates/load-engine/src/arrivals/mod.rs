//! Iterations that arrive: the VUs of an arrival-rate scenario, and which of them are free.

mod backlog;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use self::backlog::Backlog;

/// An iteration to start.
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
    drops: Drops,
}

#[derive(Debug, Default)]
struct Inner {
    vus: Vec<Receiving>,
    /// In the order in which they became free. While there is one, no arrival waits.
    free: VecDeque<usize>,
    /// Arrivals that were assigned, in order; those at the front have not begun.
    handed: VecDeque<Handed>,
    backlog: Backlog,
}

/// A VU's side of the dispatch.
#[derive(Debug)]
struct Receiving {
    arrivals: mpsc::Sender<Arrival>,
    /// The time at which it last received an arrival.
    handed: Option<Instant>,
}

/// An arrival that was assigned to a VU.
#[derive(Debug, Clone, Copy)]
struct Handed {
    vu: usize,
    at: Instant,
}

/// Arrivals that found no VU free and have not been counted.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    count: AtomicU64,
    notify: Notify,
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
        let number = {
            let mut inner = self.lock();
            inner.vus.push(Receiving {
                arrivals: send,
                handed: None,
            });
            inner.vus.len() - 1
        };
        self.give_work(number);
        let slots = std::sync::Arc::clone(self);
        (VuSlot { slots, number }, receive)
    }

    /// Gives the arrival to the VU that has been free for longest. When none is free, the arrival is dropped,
    /// unless a stall of the generator is the reason; then it waits for a VU.
    pub(crate) fn begin(&self, arrival: Arrival) {
        let now = Instant::now();
        let late = arrival
            .scheduled
            .map_or(Duration::ZERO, |scheduled| now.duration_since(scheduled));
        loop {
            let next = {
                let mut inner = self.lock();
                inner.backlog.note_stall(late, now);
                self.drops.note(inner.backlog.expire(now));
                let next = inner.next_free(now);
                if next.is_none() {
                    let stall = inner.unbegun_for(now);
                    inner.backlog.note_stall(stall, now);
                    if !inner.backlog.wait(arrival, now) {
                        self.drops.note(1);
                    }
                }
                next
            };
            // The other thread is woken after the lock is released. A VU that has ended accepts no arrival.
            match next {
                Some(arrivals) if arrivals.try_send(arrival).is_err() => {}
                _ => return,
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
        self.lock().vus.len() as u64
    }

    /// The arrivals that were dropped.
    pub(crate) fn drops(&self) -> &Drops {
        &self.drops
    }

    /// No more arrivals: every VU ends its work after its iteration, and waiting arrivals are dropped.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.vus.clear();
        inner.free.clear();
        inner.handed.clear();
        self.drops.note(inner.backlog.clear());
    }

    /// Assigns to a free VU the arrival that has waited longest, or registers the VU for the next one.
    fn give_work(&self, number: usize) {
        let next = {
            let mut inner = self.lock();
            if number >= inner.vus.len() {
                return;
            }
            if inner.backlog.is_empty() {
                inner.free.push_back(number);
                return;
            }
            self.drops.note(inner.backlog.expire(Instant::now()));
            match inner.backlog.next() {
                Some(arrival) => (inner.vus[number].arrivals.clone(), arrival),
                None => {
                    inner.free.push_back(number);
                    return;
                }
            }
        };
        // The channel is full or closed only when the VU has ended.
        let (arrivals, arrival) = next;
        if arrivals.try_send(arrival).is_err() {
            self.drops.note(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Removes the VU that has been free longest, which now receives an arrival.
    fn next_free(&mut self, now: Instant) -> Option<mpsc::Sender<Arrival>> {
        let number = self.free.pop_front()?;
        self.forget_begun();
        self.handed.push_back(Handed {
            vu: number,
            at: now,
        });
        let vu = &mut self.vus[number];
        vu.handed = Some(now);
        Some(vu.arrivals.clone())
    }

    /// The time for which a VU has not begun its assigned arrival: the threads of VUs have stalled.
    fn unbegun_for(&mut self, now: Instant) -> Duration {
        self.forget_begun();
        let oldest = self.handed.front();
        oldest.map_or(Duration::ZERO, |oldest| now.duration_since(oldest.at))
    }

    fn forget_begun(&mut self) {
        let vus = &self.vus;
        let is_unbegun = |handed: &Handed| {
            let vu = &vus[handed.vu];
            vu.handed == Some(handed.at) && vu.arrivals.capacity() == 0
        };
        while self.handed.front().is_some_and(|it| !is_unbegun(it)) {
            self.handed.pop_front();
        }
        // Entries behind that of a VU that never begins; at most one is left for each VU.
        if self.handed.len() > 2 * vus.len() {
            self.handed.retain(is_unbegun);
        }
    }
}

impl Drops {
    fn note(&self, count: u64) {
        if count > 0 {
            self.count.fetch_add(count, Ordering::Relaxed);
            self.notify.notify_one();
        }
    }

    /// Waits until there are dropped arrivals.
    pub(crate) async fn some(&self) {
        self.notify.notified().await;
    }

    /// Takes the number of dropped arrivals.
    pub(crate) fn take(&self) -> u64 {
        self.count.swap(0, Ordering::Relaxed)
    }
}

impl VuSlot {
    /// The VU is prepared and can take an arrival.
    pub(crate) fn is_ready(&self) {
        self.slots.ready.send_modify(|ready| *ready += 1);
    }

    /// The VU can take the next arrival.
    pub(crate) fn is_free(&self) {
        self.slots.give_work(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::advance;

    use super::backlog::MOST_LATE;
    use super::*;

    const ARRIVAL: Arrival = Arrival {
        in_test: None,
        scheduled: None,
    };

    /// An arrival that is due now.
    fn due() -> Arrival {
        Arrival {
            in_test: None,
            scheduled: Some(Instant::now()),
        }
    }

    /// Whether the arrival is given to a VU or dropped at once.
    fn begins(slots: &VuSlots, arrival: Arrival) -> bool {
        slots.begin(arrival);
        slots.drops().take() == 0
    }

    #[tokio::test(start_paused = true)]
    async fn the_vu_that_has_been_free_for_longest_is_next() {
        let slots = Arc::new(VuSlots::default());
        let (first, mut at_first) = slots.add();
        let (_second, mut at_second) = slots.add();
        assert!(begins(&slots, ARRIVAL) && at_first.try_recv().is_ok());
        first.is_free();
        assert!(begins(&slots, ARRIVAL) && at_second.try_recv().is_ok());
        assert!(begins(&slots, ARRIVAL) && at_first.try_recv().is_ok());
        assert!(!begins(&slots, ARRIVAL));
    }

    #[tokio::test(start_paused = true)]
    async fn a_vu_that_has_ended_is_skipped() {
        let slots = Arc::new(VuSlots::default());
        let (_, receiver) = slots.add();
        drop(receiver);
        let (_second, mut at_second) = slots.add();
        assert!(begins(&slots, ARRIVAL) && at_second.try_recv().is_ok());
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

    #[tokio::test(start_paused = true)]
    async fn closed_slots_neither_take_nor_yield_arrivals() {
        let slots = Arc::new(VuSlots::default());
        let (slot, mut arrivals) = slots.add();
        slots.close();
        slot.is_free();
        assert!(!begins(&slots, ARRIVAL));
        assert!(arrivals.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn arrivals_of_a_stalled_dispatcher_wait_for_a_vu() {
        let slots = Arc::new(VuSlots::default());
        let (vu, mut arrivals) = slots.add();
        let stalled = [due(); 3];
        advance(Duration::from_millis(100)).await;
        stalled.into_iter().for_each(|it| slots.begin(it));
        // A punctual arrival waits behind them.
        slots.begin(due());
        for late_ms in [100, 100, 100, 0] {
            let arrival = arrivals.try_recv().expect("it has waited for the VU");
            let scheduled = arrival.scheduled.expect("all have a time");
            assert_eq!(scheduled.elapsed(), Duration::from_millis(late_ms));
            vu.is_free();
        }
        assert!(arrivals.try_recv().is_err(), "there are no more");
        assert_eq!(slots.drops().take(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn vus_that_do_not_begin_are_a_stall_and_vus_that_are_busy_are_not() {
        let slots = Arc::new(VuSlots::default());
        let (vu, mut arrivals) = slots.add();
        slots.begin(due());
        advance(Duration::from_millis(20)).await;
        assert!(begins(&slots, due()), "the first has not begun: this waits");
        assert!(arrivals.try_recv().is_ok());
        vu.is_free();
        assert!(arrivals.try_recv().is_ok());
        advance(Duration::from_millis(200)).await;
        assert!(!begins(&slots, due()), "the VU is in its iteration");
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_vu_is_bounded() {
        let slots = Arc::new(VuSlots::default());
        let (vu, mut arrivals) = slots.add();
        let stalled = [due(); 3];
        advance(Duration::from_millis(100)).await;
        stalled.into_iter().for_each(|it| slots.begin(it));
        assert!(arrivals.try_recv().is_ok());
        // After twice the stall, the service is the cause of the delay.
        advance(Duration::from_millis(201)).await;
        assert!(!begins(&slots, due()));
        vu.is_free();
        assert!(arrivals.try_recv().is_err(), "none waits any more");
        // Nothing starts later than the greatest lateness, however long the stall was.
        let too_late = due();
        advance(MOST_LATE).await;
        let late = due();
        advance(Duration::from_millis(300)).await;
        for arrival in [too_late, too_late, late] {
            slots.begin(arrival);
        }
        assert_eq!(slots.drops().take(), 1, "the VU was free for the first");
        assert!(arrivals.try_recv().is_ok());
        advance(Duration::from_millis(199)).await;
        vu.is_free();
        assert!(arrivals.try_recv().is_ok());
        assert_eq!(slots.drops().take(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_is_dropped() {
        let slots = Arc::new(VuSlots::default());
        let (_vu, _arrivals) = slots.add();
        let stalled = [due(); 3];
        advance(Duration::from_millis(10)).await;
        stalled.into_iter().for_each(|it| slots.begin(it));
        slots.close();
        assert_eq!(slots.drops().take(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_vu_that_never_begins_does_not_make_the_list_grow() {
        let slots = Arc::new(VuSlots::default());
        let (_stuck, _never_read) = slots.add();
        slots.begin(due());
        let (vu, mut arrivals) = slots.add();
        for _ in 0..100 {
            slots.begin(due());
            assert!(arrivals.try_recv().is_ok());
            vu.is_free();
        }
        assert!(slots.lock().handed.len() <= 5);
    }
}
