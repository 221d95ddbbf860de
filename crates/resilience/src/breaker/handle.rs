//! The shared handle around the core: one short lock per decision, permits that release themselves.

// A wrapper: it reads the clock for the core.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::Instant as Clock;

use super::window::Counts;
use super::{Config, Core, Outcome, Rejected, Report, State, Ticket, Transition};
use crate::sync::{Mutex, MutexGuard};

/// A breaker that many tasks share. Clones are the same breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

type Listener = dyn Fn(Transition) + Send + Sync;

struct Shared {
    core: Mutex<Core>,
    on_transition: Box<Listener>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.core.fmt(formatter)
    }
}

impl Breaker {
    /// `on_transition` is called once per change of state, outside the lock.
    pub fn new(config: Config, on_transition: impl Fn(Transition) + Send + Sync + 'static) -> Self {
        let core = Mutex::new(Core::new(config, now()));
        Self {
            shared: Arc::new(Shared {
                core,
                on_transition: Box::new(on_transition),
            }),
        }
    }

    /// Permission for one call.
    ///
    /// # Errors
    /// It is open, or half_open with all trials in flight.
    pub fn acquire(&self) -> Result<Permit, Rejected> {
        let ticket = self.decide(|core| core.acquire(now(), &mut rand::rng()))?;
        Ok(Permit {
            breaker: self.clone(),
            ticket: Some(ticket),
        })
    }

    /// Permission for one call although it is open; see [`Core::last_resort`].
    pub fn last_resort(&self) -> Option<Permit> {
        let ticket = self.decide(|core| core.last_resort(now()))?;
        Some(Permit {
            breaker: self.clone(),
            ticket: Some(ticket),
        })
    }

    /// A health check passed: starts a recovery that is due.
    pub fn probe_succeeded(&self) {
        self.decide(|core| core.probe_succeeded(now(), &mut rand::rng()));
    }

    pub fn force_open(&self) {
        self.decide(Core::force_open);
    }

    pub fn reset(&self) {
        self.decide(|core| core.reset(now()));
    }

    pub fn state(&self) -> State {
        self.lock().state()
    }

    /// The counts of the window; empty unless closed.
    pub fn counts(&self) -> Counts {
        self.lock().counts(now())
    }

    fn decide<T>(&self, decision: impl FnOnce(&mut Core) -> T) -> T {
        let (answer, transitions) = {
            let mut core = self.lock();
            let answer = decision(&mut core);
            (answer, core.take_transitions())
        };
        for transition in transitions {
            (self.shared.on_transition)(transition);
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // No statement of the core can panic, so its invariants always hold.
        self.shared
            .core
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Permission for one call. Dropped without a report (cancelled, panicked, rejected elsewhere), it releases
/// itself and counts as neither success nor failure.
#[derive(Debug)]
#[must_use = "dropping the permit gives it back uncounted"]
pub struct Permit {
    breaker: Breaker,
    ticket: Option<Ticket>,
}

impl Permit {
    /// Records the result of the call.
    pub fn report(mut self, outcome: Outcome, elapsed: Duration, retry_after: Option<Duration>) {
        if let Some(ticket) = self.ticket.take() {
            let report = Report {
                outcome,
                elapsed,
                retry_after,
            };
            self.breaker
                .decide(|core| core.report(ticket, now(), report, &mut rand::rng()));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.decide(|core| core.release(ticket));
        }
    }
}

/// Tokio's clock, so that tests may pause it.
fn now() -> Instant {
    Clock::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> (Breaker, Arc<Mutex<Vec<Transition>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let config = Config {
            consecutive_failures: 1,
            jitter: 0.0,
            ..Config::default()
        };
        let breaker = Breaker::new(config, move |step| {
            log.lock().expect("not poisoned").push(step);
        });
        (breaker, seen)
    }

    fn fail(breaker: &Breaker) {
        breaker
            .acquire()
            .expect("closed")
            .report(Outcome::Failure, Duration::ZERO, None);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_trials_release_their_permits() {
        let (breaker, _) = breaker();
        fail(&breaker);
        assert_eq!(
            breaker.acquire().expect_err("open").retry_after,
            Duration::from_secs(60)
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        for _ in 0..100 {
            let permits: Vec<_> = std::iter::from_fn(|| breaker.acquire().ok()).collect();
            assert_eq!(permits.len(), 3);
        }
        for _ in 0..2 {
            breaker
                .acquire()
                .expect("trial")
                .report(Outcome::Success, Duration::ZERO, None);
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn every_transition_is_reported_once() {
        let (breaker, seen) = breaker();
        fail(&breaker);
        tokio::time::advance(Duration::from_secs(61)).await;
        breaker.probe_succeeded();
        breaker.force_open();
        breaker.reset();
        let to: Vec<State> = seen
            .lock()
            .expect("not poisoned")
            .iter()
            .map(|step| step.to)
            .collect();
        assert_eq!(
            to,
            [State::Open, State::HalfOpen, State::Open, State::Closed]
        );
    }
}
