//! A timer finer than the runtime's, which knows whole milliseconds only.
//!
//! A thread of its own sleeps until the asked moment and wakes the task. It is started with the first
//! wait that needs it and ends with the clock. On a paused clock (tests) the runtime's timer serves.

use std::cell::OnceCell;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::run::Workers;

/// Wakes tasks at exact moments.
pub(crate) struct FineClock {
    is_real: bool,
    alarm: OnceCell<Option<Sender<Alarm>>>,
}

/// A moment and whom to wake.
struct Alarm {
    at: std::time::Instant,
    wake: oneshot::Sender<()>,
}

/// The runtime's timer may be this late; the rest of a wait is left to the thread.
const COARSE: Duration = Duration::from_millis(3);

impl FineClock {
    pub(crate) fn new(workers: Workers) -> Self {
        Self {
            is_real: workers != Workers::Local,
            alarm: OnceCell::new(),
        }
    }

    /// Waits until the moment, to about a tenth of a millisecond.
    pub(crate) async fn sleep_until(&self, at: Instant) {
        if Instant::now() >= at {
            return;
        }
        let alarm = if self.is_real {
            self.alarm.get_or_init(start).as_ref()
        } else {
            None
        };
        let Some(alarm) = alarm else {
            return sleep_until(at).await;
        };
        if let Some(coarse) = at
            .checked_sub(COARSE)
            .filter(|coarse| *coarse > Instant::now())
        {
            sleep_until(coarse).await;
        }
        let (wake, woken) = oneshot::channel();
        if alarm
            .send(Alarm {
                at: at.into_std(),
                wake,
            })
            .is_err()
            || woken.await.is_err()
        {
            sleep_until(at).await; // the thread has gone: late is better than never
        }
    }
}

/// Starts the thread; without one the runtime's timer has to do.
fn start() -> Option<Sender<Alarm>> {
    let (send, receive) = channel::<Alarm>();
    let body = move || {
        // A newer alarm replaces the one that is waited for: its task has given that one up.
        let mut waiting: Option<Alarm> = None;
        loop {
            let next = match &waiting {
                None => receive.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(alarm) => {
                    let left = alarm
                        .at
                        .saturating_duration_since(std::time::Instant::now());
                    receive.recv_timeout(left)
                }
            };
            match next {
                Ok(alarm) => waiting = Some(alarm),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(alarm) = waiting.take() {
                        // The task may have been ended meanwhile.
                        let _ = alarm.wake.send(());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    std::thread::Builder::new()
        .name("clock".to_owned())
        .spawn(body)
        .ok()?;
    Some(send)
}
