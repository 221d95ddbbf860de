//! The decisions of a breaker, without its own clock, lock or randomness.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use super::window::{Call, Counts, Window};
use super::{Config, Outcome, Reason, State, Transition};

/// Permission for one call. Its epoch distinguishes a result of this period from a late one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    epoch: u64,
}

/// No call is allowed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("circuit breaker is {state}")]
pub struct Rejected {
    pub state: State,
    /// The time of the next reasonable attempt.
    pub retry_after: Duration,
}

/// The result of one call.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub outcome: Outcome,
    pub elapsed: Duration,
    /// The delay that the callee requested (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// One breaker.
#[derive(Debug)]
pub struct Core {
    config: Config,
    phase: Phase,
    /// Counts the transitions; a ticket of an older epoch does not count in this one.
    epoch: u64,
    /// Failed recoveries since it last closed.
    failed_cycles: u32,
    transitions: Vec<Transition>,
}

#[derive(Debug)]
enum Phase {
    Closed {
        window: Window,
        consecutive: u32,
    },
    Open {
        until: Instant,
        /// The time from which a call of last resort is allowed.
        last_resort: Instant,
    },
    /// Opened by an operator; only an operator closes it.
    Forced,
    HalfOpen {
        trials: Trials,
    },
}

/// The trial calls of one recovery.
#[derive(Debug, Default)]
struct Trials {
    /// The start of the first trial; a recovery without traffic does not time out.
    since: Option<Instant>,
    in_flight: u32,
    succeeded: u32,
    failed: u32,
}

impl Core {
    pub fn new(config: Config, now: Instant) -> Self {
        let phase = Phase::Closed {
            window: Window::new(config.window, now),
            consecutive: 0,
        };
        Self {
            config,
            phase,
            epoch: 0,
            failed_cycles: 0,
            transitions: Vec::new(),
        }
    }

    /// Permission for one call, which must be completed by [`Core::report`] or [`Core::release`].
    ///
    /// # Errors
    /// It is open, or half_open with all trials in flight.
    pub fn acquire(&mut self, now: Instant, rng: &mut impl Rng) -> Result<Ticket, Rejected> {
        self.advance(now, rng);
        let longest = Duration::from_millis(self.config.half_open_max_ms);
        let permitted = self.config.half_open_calls;
        match &mut self.phase {
            Phase::Closed { .. } => {}
            Phase::Open { until, .. } => {
                return Err(Rejected {
                    state: State::Open,
                    retry_after: until.saturating_duration_since(now),
                });
            }
            Phase::Forced => {
                return Err(Rejected {
                    state: State::Open,
                    retry_after: Duration::from_millis(self.config.max_open_ms),
                });
            }
            Phase::HalfOpen { trials } => {
                if trials.in_flight + trials.succeeded + trials.failed >= permitted {
                    let since = trials.since.unwrap_or(now);
                    let wait = (since + longest).saturating_duration_since(now);
                    return Err(Rejected {
                        state: State::HalfOpen,
                        retry_after: wait,
                    });
                }
                trials.in_flight += 1;
                trials.since.get_or_insert(now);
            }
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// Permission for a call although it is open, for a caller without an alternative that must call: one per
    /// `open_ms`, however long the wait has grown, and none if an operator opened it. It is completed like any
    /// other call. If it succeeds, the recovery begins with it; else nothing changes.
    pub fn last_resort(&mut self, now: Instant) -> Option<Ticket> {
        let interval = Duration::from_millis(self.config.open_ms);
        match &mut self.phase {
            Phase::Open { last_resort, .. } if now >= *last_resort => {
                *last_resort = now + interval;
                Some(Ticket { epoch: self.epoch })
            }
            _ => None,
        }
    }

    /// Records the result of a call. A ticket of an earlier period changes nothing: a late result neither
    /// closes nor re-opens.
    pub fn report(&mut self, ticket: Ticket, now: Instant, report: Report, rng: &mut impl Rng) {
        self.advance(now, rng);
        if ticket.epoch != self.epoch || !self.config.enabled {
            return;
        }
        let slow = self.config.is_slow(report.outcome, report.elapsed);
        let outcome = match report.outcome {
            Outcome::CutOff if !slow => Outcome::Ignored,
            outcome => outcome,
        };
        match (&mut self.phase, outcome) {
            // Only a call of last resort has a ticket of this period.
            (Phase::Open { .. }, Outcome::Success) if !slow => {
                let trials = Trials {
                    since: Some(now),
                    succeeded: 1,
                    ..Trials::default()
                };
                self.enter(Phase::HalfOpen { trials }, Reason::LastResortSucceeded);
                self.decide_recovery(now, report.retry_after, rng);
            }
            (Phase::Forced, _) => {}
            (Phase::Open { last_resort, .. }, _) => {
                let cap = Duration::from_millis(self.config.max_open_ms);
                let asked = report.retry_after.unwrap_or_default().min(cap);
                *last_resort = (*last_resort).max(now + asked);
            }
            (Phase::HalfOpen { trials }, Outcome::Ignored) => trials.give_back(),
            (Phase::Closed { .. }, Outcome::Ignored) => {}
            (Phase::HalfOpen { trials }, outcome) => {
                trials.in_flight = trials.in_flight.saturating_sub(1);
                if outcome == Outcome::Success && !slow {
                    trials.succeeded += 1;
                } else {
                    trials.failed += 1;
                }
                self.decide_recovery(now, report.retry_after, rng);
            }
            (
                Phase::Closed {
                    window,
                    consecutive,
                },
                outcome,
            ) => {
                match outcome {
                    Outcome::Failure => *consecutive = consecutive.saturating_add(1),
                    Outcome::Success => *consecutive = 0,
                    Outcome::Overload | Outcome::CutOff | Outcome::Ignored => {}
                }
                let failed = !matches!(outcome, Outcome::Success | Outcome::CutOff);
                // A timeout is both, since its end is not waited for.
                window.add(now, Call { failed, slow });
                self.decide_trip(now, report.retry_after, rng);
            }
        }
    }

    /// Returns a ticket whose call had no result (cancelled, rejected elsewhere).
    pub fn release(&mut self, ticket: Ticket) {
        if ticket.epoch == self.epoch
            && let Phase::HalfOpen { trials } = &mut self.phase
        {
            trials.give_back();
        }
    }

    /// A health check passed. It may start a recovery that is due, but never closes: only a real call can.
    pub fn probe_succeeded(&mut self, now: Instant, rng: &mut impl Rng) {
        self.advance(now, rng);
    }

    /// Opens until [`Core::reset`].
    pub fn force_open(&mut self) {
        self.enter(Phase::Forced, Reason::Forced);
    }

    /// Closes and resets.
    pub fn reset(&mut self, now: Instant) {
        self.failed_cycles = 0;
        self.close(now, Reason::Reset);
    }

    /// The state as of the last decision. An open one stays `open` until a call or a health check
    /// comes after its wait.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } | Phase::Forced => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// The counts of the window; empty unless closed.
    pub fn counts(&mut self, now: Instant) -> Counts {
        match &mut self.phase {
            Phase::Closed { window, .. } => window.counts(now),
            Phase::Open { .. } | Phase::Forced | Phase::HalfOpen { .. } => Counts::default(),
        }
    }

    /// Takes the transitions since the last call.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.transitions)
    }

    /// Transitions by time alone: an open breaker becomes half_open, an undecided recovery re-opens.
    fn advance(&mut self, now: Instant, rng: &mut impl Rng) {
        match &self.phase {
            Phase::Open { until, .. } if now >= *until => {
                self.enter(
                    Phase::HalfOpen {
                        trials: Trials::default(),
                    },
                    Reason::WaitOver,
                );
            }
            Phase::HalfOpen {
                trials: Trials {
                    since: Some(since), ..
                },
            } if now.saturating_duration_since(*since)
                >= Duration::from_millis(self.config.half_open_max_ms) =>
            {
                self.reopen(now, Reason::TrialsUndecided, None, rng);
            }
            _ => {}
        }
    }

    fn decide_trip(&mut self, now: Instant, asked: Option<Duration>, rng: &mut impl Rng) {
        let Phase::Closed {
            window,
            consecutive,
        } = &mut self.phase
        else {
            return;
        };
        let counts = window.counts(now);
        let enough = counts.calls >= self.config.minimum_calls;
        let limit = self.config.consecutive_failures;
        let reason = if limit > 0 && *consecutive >= limit {
            Reason::ConsecutiveFailures
        } else if enough && counts.failure_rate() >= self.config.failure_rate {
            Reason::FailureRate
        } else if enough && counts.slow_rate() >= self.config.slow_call_rate {
            Reason::SlowCallRate
        } else {
            return;
        };
        self.open(now, reason, asked, rng);
    }

    /// Decides as soon as the result is certain, not only after the last trial.
    fn decide_recovery(&mut self, now: Instant, asked: Option<Duration>, rng: &mut impl Rng) {
        let Phase::HalfOpen { trials } = &self.phase else {
            return;
        };
        let permitted = self.config.half_open_calls;
        let failing = (f64::from(permitted) * self.config.failure_rate)
            .ceil()
            .max(1.0) as u32;
        if trials.failed >= failing {
            self.reopen(now, Reason::TrialsFailed, asked, rng);
        } else if trials.succeeded > permitted - failing {
            self.failed_cycles = 0;
            self.close(now, Reason::TrialsSucceeded);
        }
    }

    fn close(&mut self, now: Instant, reason: Reason) {
        let window = Window::new(self.config.window, now);
        self.enter(
            Phase::Closed {
                window,
                consecutive: 0,
            },
            reason,
        );
    }

    fn reopen(
        &mut self,
        now: Instant,
        reason: Reason,
        asked: Option<Duration>,
        rng: &mut impl Rng,
    ) {
        self.failed_cycles = self.failed_cycles.saturating_add(1);
        self.open(now, reason, asked, rng);
    }

    fn open(&mut self, now: Instant, reason: Reason, asked: Option<Duration>, rng: &mut impl Rng) {
        let factor = 1_u64.checked_shl(self.failed_cycles).unwrap_or(u64::MAX);
        let cap_ms = self.config.max_open_ms;
        let wait_ms = self.config.open_ms.saturating_mul(factor).min(cap_ms);
        let jittered = wait_ms as f64 * (1.0 + self.config.jitter * rng.random::<f64>());
        let wait = Duration::from_secs_f64(jittered / 1e3)
            .max(asked.unwrap_or_default())
            .min(Duration::from_millis(cap_ms));
        let cap = Duration::from_millis(cap_ms);
        let soonest = Duration::from_millis(self.config.open_ms).max(asked.unwrap_or_default());
        self.enter(
            Phase::Open {
                until: now + wait,
                last_resort: now + soonest.min(cap),
            },
            reason,
        );
    }

    fn enter(&mut self, phase: Phase, reason: Reason) {
        let from = self.state();
        self.phase = phase;
        self.epoch += 1;
        self.transitions.push(Transition {
            from,
            to: self.state(),
            reason,
        });
    }
}

impl Trials {
    fn give_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight + self.succeeded + self.failed == 0 {
            self.since = None;
        }
    }
}
