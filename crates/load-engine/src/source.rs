//! The source of a VU's next iteration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::arrivals::{Arrival, VuSlot};
use crate::script::Interrupt;

/// Determines when the next iteration begins, or that there is none.
#[derive(Debug)]
pub(crate) enum Source {
    /// At once, until the slot is closed.
    Slot(Arc<LoopSlot>),
    /// At once, as long as there are shared iterations left.
    Shared(Arc<SharedIterations>),
    /// At once, a fixed number of times.
    Own { left: u64, stop: Arc<AtomicBool> },
    /// On each arrival.
    Arrivals(mpsc::Receiver<Arrival>, VuSlot),
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

/// A slot for one VU of a looping executor. When it is closed, the VU leaves after its iteration; when it is
/// reopened before that, the VU stays.
#[derive(Debug, Default)]
pub(crate) struct LoopSlot(AtomicU8);

const STAY: u8 = 0;
const LEAVE: u8 = 1;
const LEFT: u8 = 2;

impl LoopSlot {
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
            Self::Slot(slot) => slot.stays().then_some(NOW),
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

    /// Reports that the VU is ready to begin an iteration.
    pub(crate) fn vu_is_ready(&self) {
        if let Self::Arrivals(_, slot) = self {
            slot.is_ready();
        }
    }

    /// Reports the end of an iteration.
    pub(crate) fn iteration_ended(&self) {
        if let Self::Arrivals(_, slot) = self {
            slot.is_free();
        }
    }

    /// Iterations that were planned for this VU and will not run.
    pub(crate) fn undone(&self) -> u64 {
        match self {
            Self::Own { left, .. } => *left,
            _ => 0,
        }
    }
}
