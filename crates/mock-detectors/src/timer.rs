//! A timer that is finer than tokio's, whose wheel turns once per millisecond.
//!
//! One thread sleeps on a condition variable until the next deadline, with the kernel's timer
//! slack (50 µs by default) set to its minimum, and wakes the tasks. Spinning would be finer still
//! and would take a core away from what is measured.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

/// Starts sleeps. Clones share one thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub(crate) struct Timer(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct State {
    deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Who waits; a deadline without an entry was given up.
    wakers: HashMap<u64, Waker>,
    next_id: u64,
    stopped: bool,
}

impl Timer {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("mock-timer".to_owned());
        let thread = Some(thread.spawn(move || own.run())?);
        Ok(Self(Arc::new(Owner { shared, thread })))
    }

    /// Completes at `deadline`, typically within 0.1 ms.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            shared: self.0.shared.clone(),
            deadline,
            id: None,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.earlier.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
            tracing::debug!(%error, "timer slack cannot be set; delays are coarser");
        }
        let mut due = Vec::new();
        let mut state = self.lock();
        while !state.stopped {
            let now = Instant::now();
            let next = state.take_due(now, &mut due);
            if !due.is_empty() {
                drop(state);
                due.drain(..).for_each(Waker::wake);
                state = self.lock();
                continue;
            }
            state = match next {
                Some(next) => {
                    let wait = self.earlier.wait_timeout(state, next - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .earlier
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl State {
    /// Moves the wakers that are due to `due` and returns the next deadline.
    fn take_due(&mut self, now: Instant, due: &mut Vec<Waker>) -> Option<Instant> {
        while let Some(Reverse((deadline, id))) = self.deadlines.peek().copied() {
            let given_up = !self.wakers.contains_key(&id);
            if deadline > now && !given_up {
                return Some(deadline);
            }
            self.deadlines.pop();
            due.extend(self.wakers.remove(&id));
        }
        None
    }
}

/// A sleep; gives its place up when dropped.
#[derive(Debug)]
pub(crate) struct Sleep {
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
        let mut state = self.shared.lock();
        if let Some(id) = self.id {
            match state.wakers.get_mut(&id) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    return Poll::Pending;
                }
                // It was woken between the look at the clock and the lock.
                None => return Poll::Ready(()),
            }
        }
        let id = state.next_id;
        state.next_id += 1;
        let first = state
            .deadlines
            .peek()
            .is_none_or(|Reverse((next, _))| self.deadline < *next);
        state.deadlines.push(Reverse((self.deadline, id)));
        state.wakers.insert(id, context.waker().clone());
        drop(state);
        if first {
            self.shared.earlier.notify_one();
        }
        self.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.lock().wakers.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn sleeps_end_in_the_order_of_their_deadlines_and_never_early() {
        let timer = Timer::start().expect("threads are available");
        let begin = Instant::now();
        let sleeps = [30, 10, 20].map(|ms| {
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
            [10, 20, 30]
        );
    }

    #[tokio::test]
    async fn a_dropped_sleep_leaves_nothing_behind() {
        let timer = Timer::start().expect("threads are available");
        let far = Instant::now() + Duration::from_secs(3600);
        let sleep = tokio::time::timeout(Duration::from_millis(5), timer.sleep_until(far));
        assert!(sleep.await.is_err());
        assert!(timer.0.shared.lock().wakers.is_empty());
    }
}
