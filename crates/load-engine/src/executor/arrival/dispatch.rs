//! Dispatches arrivals on time.
//!
//! This runs on a thread of its own, since the runtime's timers have a resolution of one millisecond and the
//! driver's main task, which aggregates samples, would delay starts. On a paused clock (tests) it is a task.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread::{JoinHandle, park_timeout};

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::times::Times;
use crate::arrivals::{Arrival, VuSlots};

/// The inputs of a dispatcher.
pub(super) struct Dispatch {
    /// The times of arrivals, after `begin`.
    pub(super) times: Times,
    pub(super) begin: Instant,
    pub(super) slots: Arc<VuSlots>,
    /// Stops the dispatch before the last arrival.
    pub(super) stop: CancellationToken,
}

/// A dispatching thread; [`Thread::end`] must be called.
pub(super) struct Thread {
    handle: JoinHandle<()>,
    stop: CancellationToken,
}

impl Dispatch {
    /// Starts a thread that dispatches arrivals. The receiver is notified when all are dispatched.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(super) fn on_thread(self) -> std::io::Result<(Thread, oneshot::Receiver<()>)> {
        let (done, all_done) = oneshot::channel();
        let stop = self.stop.clone();
        let handle = std::thread::Builder::new()
            .name("arrivals".to_owned())
            .spawn(move || {
                use_exact_timers();
                self.run();
                // After the end of the run there is no receiver any more.
                let _ = done.send(());
            })?;
        Ok((Thread { handle, stop }, all_done))
    }

    fn run(mut self) {
        while let Some(at) = self.times.next() {
            let moment = self.begin + at;
            if !wait_until(moment.into_std(), &self.stop) {
                return;
            }
            self.hand_out(moment);
        }
    }

    /// The same as a task.
    pub(super) async fn run_as_task(mut self) {
        while let Some(at) = self.times.next() {
            let moment = self.begin + at;
            sleep_until(moment).await;
            self.hand_out(moment);
        }
    }

    fn hand_out(&self, scheduled: Instant) {
        self.slots.begin(Arrival {
            in_test: None,
            scheduled: Some(scheduled),
        });
    }
}

impl Thread {
    /// Ends the thread, whether or not all arrivals are dispatched.
    pub(super) fn end(self) {
        self.stop.cancel();
        self.handle.thread().unpark();
        // A panic has been reported by the panic hook.
        let _ = self.handle.join();
    }
}

/// Waits until `moment`; false when it is stopped before.
fn wait_until(moment: std::time::Instant, stop: &CancellationToken) -> bool {
    loop {
        if stop.is_cancelled() {
            return false;
        }
        let left = moment.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return true;
        }
        park_timeout(left);
    }
}

/// By default the system may wake a thread 50 µs late, to wake several at once.
fn use_exact_timers() {
    #[cfg(target_os = "linux")]
    // Without this starts are a little late, and are measured as late.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}
