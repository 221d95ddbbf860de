//! When a VU that works for a scenario begins its next iteration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::executor::ArrivalSeat;
use crate::vu::Interrupt;

/// Says when to begin the next iteration, or that there is none.
#[derive(Debug)]
pub(crate) enum Source {
    /// At once, until the seat is taken away.
    Seat(Arc<Seat>),
    /// At once, as long as there are shared iterations left.
    Shared(Arc<SharedIterations>),
    /// At once, a number of times.
    Own { left: u64, stop: Arc<AtomicBool> },
    /// When an arrival comes.
    Arrivals(mpsc::Receiver<Arrival>, ArrivalSeat),
}

/// An iteration that is to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Its number over all instances, when the plan gives one.
    pub(crate) in_test: Option<u64>,
    /// When the plan wanted it.
    pub(crate) scheduled: Option<Instant>,
}

/// A counter of iterations that several VUs take from.
#[derive(Debug)]
pub(crate) struct SharedIterations {
    pub(crate) total: u64,
    pub(crate) taken: AtomicU64,
    pub(crate) stop: AtomicBool,
}

impl SharedIterations {
    fn take(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let step = |taken| (taken < self.total).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .is_ok()
    }
}

/// A place for one VU of a looping executor. Taken away, the VU leaves after its iteration; given
/// back before that, it stays.
#[derive(Debug, Default)]
pub(crate) struct Seat(AtomicU8);

const STAY: u8 = 0;
const LEAVE: u8 = 1;
const LEFT: u8 = 2;

impl Seat {
    /// Asks the VU to leave after its iteration.
    pub(crate) fn take_away(&self) {
        let _ = self
            .0
            .compare_exchange(STAY, LEAVE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Lets the VU stay after all; false when it has left.
    pub(crate) fn give_back(&self) -> bool {
        match self
            .0
            .compare_exchange(LEAVE, STAY, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(STAY) => true,
            Err(_) => false,
        }
    }

    fn stays(&self) -> bool {
        match self
            .0
            .compare_exchange(LEAVE, LEFT, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => false,
            Err(state) => state == STAY,
        }
    }
}

impl Source {
    /// Waits for the next iteration; `None` ends the VU's work for the scenario.
    pub(crate) async fn next(&mut self, interrupt: &Interrupt) -> Option<Arrival> {
        const NOW: Arrival = Arrival {
            in_test: None,
            scheduled: None,
        };
        if interrupt.is_cancelled() {
            return None;
        }
        match self {
            Self::Seat(seat) => seat.stays().then_some(NOW),
            Self::Shared(shared) => shared.take().then_some(NOW),
            Self::Own { left, stop } => {
                if *left == 0 || stop.load(Ordering::Relaxed) {
                    return None;
                }
                *left -= 1;
                Some(NOW)
            }
            Self::Arrivals(arrivals, _) => tokio::select! {
                biased;
                () = interrupt.cancelled() => None,
                arrival = arrivals.recv() => arrival,
            },
        }
    }

    /// To be told when the VU has done all that it does before it can begin an iteration.
    pub(crate) fn vu_is_ready(&self) {
        if let Self::Arrivals(_, seat) = self {
            seat.is_ready();
        }
    }

    /// To be told after each iteration.
    pub(crate) fn iteration_ended(&self) {
        if let Self::Arrivals(_, seat) = self {
            seat.is_free();
        }
    }

    /// Iterations that this VU was to do and will not.
    pub(crate) fn undone(&self) -> u64 {
        match self {
            Self::Own { left, .. } => *left,
            _ => 0,
        }
    }
}
