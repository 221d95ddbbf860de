//! A timer that is finer than tokio's, whose wheel turns once per millisecond.
//!
//! All sleeps share one alarm, which wakes a task of the runtime; that one wakes the sleepers, on the worker
//! that it runs on itself. A separate thread that waits for the next deadline would cost one more thread switch
//! per delay, and each switch may have to wait for a core.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::task::JoinHandle;

use crate::alarm::Alarm;

/// Starts sleeps. Clones share one task, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Timer(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    driver: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    alarm: Alarm,
}

#[derive(Debug, Default)]
struct State {
    /// Waiting tasks, by deadline; the number distinguishes equal deadlines.
    wakers: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
}

impl Timer {
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// The system has no timer left.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            alarm: Alarm::new()?,
        });
        let driver = tokio::spawn(drive(shared.clone()));
        Ok(Self(Arc::new(Owner { shared, driver })))
    }

    /// Completes at `deadline`, typically within 0.1 ms.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            shared: self.0.shared.clone(),
            deadline,
            id: None,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Wakes the tasks that are due, each time the alarm rings.
async fn drive(shared: Arc<Shared>) {
    let mut due = Vec::new();
    while let Ok(()) = shared.alarm.rang().await.inspect_err(|error| {
        tracing::error!(%error, "the timer failed; delays no longer end");
    }) {
        shared.take_due(Instant::now(), &mut due);
        due.drain(..).for_each(Waker::wake);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the wakers that are due to `due`, and sets the alarm to the next deadline.
    fn take_due(&self, now: Instant, due: &mut Vec<Waker>) {
        let mut state = self.lock();
        while let Some(first) = state.wakers.first_entry() {
            let (deadline, _) = *first.key();
            if deadline > now {
                // The lock is held, so that no earlier deadline is set in between.
                return self.alarm.set(deadline);
            }
            due.push(first.remove());
        }
    }
}

/// A sleep; releases its place on drop.
#[derive(Debug)]
pub struct Sleep {
    shared: Arc<Shared>,
    deadline: Instant,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut state = this.shared.lock();
        if let Some(id) = this.id {
            return match state.wakers.get_mut(&(this.deadline, id)) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                // It was woken between the check of the clock and the lock.
                None => Poll::Ready(()),
            };
        }
        let id = state.next_id;
        state.next_id += 1;
        let first = state.wakers.first_key_value();
        if first.is_none_or(|((next, _), _)| this.deadline < *next) {
            this.shared.alarm.set(this.deadline);
        }
        state
            .wakers
            .insert((this.deadline, id), context.waker().clone());
        this.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // An alarm without a sleeper rings once, without effect.
            self.shared.lock().wakers.remove(&(self.deadline, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn sleeps_end_in_the_order_of_their_deadlines_and_never_early() {
        let timer = Timer::start().expect("a runtime");
        let begin = Instant::now();
        let sleeps = [30, 10, 20, 10].map(|ms| {
            let (timer, deadline) = (timer.clone(), begin + Duration::from_millis(ms));
            tokio::spawn(async move {
                timer.sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
                (ms, Instant::now())
            })
        });
        let mut ended = Vec::new();
        for sleep in sleeps {
            ended.push(sleep.await.expect("no panic"));
        }
        ended.sort_by_key(|(_, at)| *at);
        assert_eq!(
            ended.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(),
            [10, 10, 20, 30]
        );
    }

    #[tokio::test]
    async fn a_dropped_sleep_leaves_nothing_behind_and_delays_no_other() {
        let timer = Timer::start().expect("a runtime");
        let far = Instant::now() + Duration::from_secs(3600);
        let sleep = tokio::time::timeout(Duration::from_millis(5), timer.sleep_until(far));
        assert!(sleep.await.is_err());
        assert!(timer.0.shared.lock().wakers.is_empty());
        timer
            .sleep_until(Instant::now() + Duration::from_millis(5))
            .await;
    }

    #[tokio::test]
    async fn the_task_ends_with_the_last_timer() {
        let timer = Timer::start().expect("a runtime");
        let shared = Arc::downgrade(&timer.0.shared);
        drop(timer);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
