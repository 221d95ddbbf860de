//! The call of one detector for a request: breaker, bulkhead, limit, and attempts within the budget, all before
//! one deadline. It ends by the deadline whatever the detector does.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use detector_api::orchestrate::{AttemptTimeline, DetectorStatus, DetectorTimeline};
use futures_util::future::{Either, select};
use resilience::breaker::Outcome;
use resilience::limit::Sample;
use tokio::time::{Instant, sleep};

use crate::answer::attested::AttestedAnswer;
use crate::ask::attempt::{Progress, SHORTEST, Target, attempt};
use crate::ask::called::{Called, Source, since};
use crate::ask::context::Context;
use crate::ask::failure::Failure;
use crate::ask::registry::Detector;
use crate::ask::replicas::Replica;
use crate::metrics::milliseconds;

/// Asks one detector, with retries where they are allowed, and ends by the context's deadline. A `required` one
/// is tried at intervals even while all its breakers are open.
pub async fn call(context: &Context, detector: &Detector, required: bool) -> Called {
    let started = Instant::now();
    let mut log = Log::new(context, detector, started);
    let outcome = if detector.is_in_rotation() {
        let last = LastEndpoint::new(required);
        detector.budget.deposit(started.into_std());
        attempts(context, detector, &mut log, &last).await
    } else {
        Err(Failure::OutOfRotation)
    };
    let ended = Instant::now();
    let duration = ended - started;
    let status = outcome
        .as_ref()
        .map_or_else(|it| it.status(), |_| DetectorStatus::Success);
    detector.metrics.answered(status, duration);
    log.timeline.end_ms = log.at(ended);
    Called {
        outcome,
        duration,
        attempts: log.attempts,
        timeline: log.timeline,
        hedged: log.hedged,
        source: Source::OwnCall,
    }
}

async fn attempts(
    context: &Context,
    detector: &Detector,
    log: &mut Log,
    last: &LastEndpoint,
) -> Result<AttestedAnswer, Failure> {
    let mut outcome = first(context, detector, log, last).await;
    for retry in 1..=detector.settings.max_retries {
        let Err(failure) = outcome else { break };
        let Some(wait) = leave_to_retry(context, detector, failure, retry) else {
            break;
        };
        detector.metrics.retries.inc();
        let paused = Instant::now();
        sleep(wait).await;
        log.timeline.backoff_ms += milliseconds(paused.elapsed());
        let progress = Progress::new(log.attempts + 1);
        let done = Box::pin(guarded(context, detector, &progress, last)).await;
        outcome = log.note(done, &progress);
    }
    outcome
}

/// The first attempt, and a second one beside it if the detector is hedged and the first takes unusually long.
/// The first answer wins; the other attempt is dropped and does not count for or against the detector.
async fn first(
    context: &Context,
    detector: &Detector,
    log: &mut Log,
    last: &LastEndpoint,
) -> Result<AttestedAnswer, Failure> {
    let one = Progress::new(1);
    let Some(delay) = detector.hedge_delay() else {
        return log.note(guarded(context, detector, &one, last).await, &one);
    };
    // On the heap, so that not every call has room for two.
    let first = Box::pin(guarded(context, detector, &one, last));
    let first = match select(first, pin!(sleep(delay))).await {
        Either::Left((done, _)) => return log.note(done, &one),
        Either::Right(((), first)) => first,
    };
    let now = Instant::now();
    if now + SHORTEST > context.deadline || !detector.budget.withdraw(now.into_std()) {
        return log.note(first.await, &one);
    }
    detector.metrics.hedges.inc();
    log.hedged = true;
    let two = Progress::hedge(2);
    let second = Box::pin(guarded(context, detector, &two, last));
    match select(first, second).await {
        Either::Left((done, other)) => {
            log.better(AttemptRun(done, &one), AttemptRun(other, &two))
                .await
        }
        Either::Right((done, other)) => {
            log.better(AttemptRun(done, &two), AttemptRun(other, &one))
                .await
        }
    }
}

/// The wait before the next attempt; `None` when there is none. The budget is charged here, when the decision
/// is made.
fn leave_to_retry(
    context: &Context,
    detector: &Detector,
    failure: Failure,
    retry: u32,
) -> Option<Duration> {
    if !failure.is_repeatable() {
        return None;
    }
    let retrying = &detector.settings.retry;
    let backoff = || retrying.backoff(retry, &mut rand::rng());
    let wait = failure.retry_after().unwrap_or_else(backoff);
    let now = Instant::now();
    if now + wait + SHORTEST > context.deadline {
        return None;
    }
    // A detector that fails most of its calls is down, so a retry would not help.
    let counts = detector.replicas.counts();
    if counts.calls >= detector.settings.breaker.minimum_calls && counts.failure_rate() > 0.5 {
        return None;
    }
    if !detector.budget.withdraw(now.into_std()) {
        detector.metrics.budget_exhausted.inc();
        return None;
    }
    Some(wait)
}

/// An attempt, finished or not, and its progress.
struct AttemptRun<'a, T>(T, &'a Progress);

/// The record of one attempt.
struct Attempted {
    outcome: Result<AttestedAnswer, Failure>,
    queued: Duration,
    ended: Instant,
}

impl Attempted {
    fn unsent(failure: Failure, queued: Duration) -> Self {
        Self {
            outcome: Err(failure),
            queued,
            ended: Instant::now(),
        }
    }
}

/// The endpoint that was called last; the next attempt prefers another one.
struct LastEndpoint {
    place: AtomicUsize,
    required: bool,
}

impl LastEndpoint {
    fn new(required: bool) -> Self {
        Self {
            place: AtomicUsize::new(usize::MAX),
            required,
        }
    }

    fn get(&self) -> Option<usize> {
        let place = self.place.load(Ordering::Relaxed);
        (place != usize::MAX).then_some(place)
    }

    fn set(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }
}

/// One attempt behind breaker, bulkhead and limit. All are released if it is cancelled.
async fn guarded(
    context: &Context,
    detector: &Detector,
    progress: &Progress,
    last: &LastEndpoint,
) -> Attempted {
    let picked = match detector.replicas.pick(last.get(), last.required) {
        Ok(picked) => picked,
        Err(rejected) => return Attempted::unsent(rejected.into(), Duration::ZERO),
    };
    let replica = picked.replica;
    last.set(picked.place);
    let queued = Instant::now();
    let until = patience(context, detector, replica);
    let entered = async {
        let place = detector.bulkhead.enter(until).await.ok()?;
        Some((place, replica.gate.enter(context.rank, until).await.ok()?))
    };
    let Some((_place, pass)) = entered.await else {
        detector.metrics.bulkhead_rejected.inc();
        return Attempted::unsent(Failure::Busy, queued.elapsed());
    };
    let started = *progress.started.get_or_init(|| pass.started());
    let _counted = InFlight::enter(detector);
    let outcome = attempt(context, Target { detector, replica }, progress, started).await;
    let ended = Instant::now();
    let took = ended - started;
    let (said, asked) = match &outcome {
        Ok(_) => (Outcome::Success, None),
        Err(failure) => {
            context
                .metrics
                .failed_attempt(detector.name(), failure.class());
            let unusual = failure.is_late() && detector.is_unusual(context.content.len());
            let said = if unusual {
                Outcome::Ignored
            } else {
                failure.for_breaker()
            };
            (said, failure.retry_after())
        }
    };
    pass.report(if said == Outcome::Ignored {
        Sample::Ignored
    } else {
        sample(&outcome, took)
    });
    if picked.report(said, took, ended, asked) {
        detector.metrics.ejections.inc();
    }
    if outcome.is_ok() {
        detector.managed(context.content.len());
        if progress.number == 1 {
            detector.took(took, ended);
        }
    }
    Attempted {
        outcome,
        queued: started - queued,
        ended,
    }
}

/// The longest wait for a place: an attempt that starts later would usually miss the deadline.
fn patience(context: &Context, detector: &Detector, replica: &Replica) -> Instant {
    if !replica.gate.is_full() {
        return context.deadline;
    }
    let usual = detector.usual_time(0.5).unwrap_or(SHORTEST);
    context
        .deadline
        .checked_sub(usual)
        .unwrap_or(context.deadline)
}

/// The sample for the adaptive limit: only answers show the latency, and only time-outs and refusals show
/// overload. Other failures can take any time.
fn sample(outcome: &Result<AttestedAnswer, Failure>, took: Duration) -> Sample {
    match outcome {
        Ok(_) | Err(Failure::Deadline) => Sample::Answered(took),
        Err(Failure::Timeout) => Sample::Lost,
        Err(failure) if failure.for_breaker() == Outcome::Overload => Sample::Lost,
        Err(_) => Sample::Ignored,
    }
}

/// The timeline of a call in progress.
struct Log {
    epoch: Instant,
    attempts: u32,
    hedged: bool,
    timeline: DetectorTimeline,
}

impl Log {
    fn new(context: &Context, detector: &Detector, started: Instant) -> Self {
        let start_ms = since(context.started, started);
        Self {
            epoch: context.started,
            attempts: 0,
            hedged: false,
            timeline: DetectorTimeline {
                detector: detector.name.text().clone(),
                start_ms,
                end_ms: start_ms,
                queued_ms: 0.0,
                backoff_ms: 0.0,
                attempts: Vec::with_capacity(1),
                source: None,
            },
        }
    }

    fn at(&self, instant: Instant) -> f64 {
        since(self.epoch, instant)
    }

    /// Records an attempt and returns its outcome.
    fn note(
        &mut self,
        attempted: Attempted,
        progress: &Progress,
    ) -> Result<AttestedAnswer, Failure> {
        self.timeline.queued_ms += milliseconds(attempted.queued);
        let outcome = attempted.outcome.as_ref();
        let outcome = outcome.map_or_else(|it| it.class(), |_| "success");
        self.sent(progress, attempted.ended, outcome);
        attempted.outcome
    }

    /// Records an attempt that was sent.
    fn sent(&mut self, progress: &Progress, ended: Instant, outcome: &'static str) {
        let Some(started) = progress.started.get() else {
            return;
        };
        self.attempts += 1;
        self.timeline.attempts.push(AttemptTimeline {
            start_ms: self.at(*started),
            connected_ms: progress.connected.get().map(|it| self.at(*it)),
            end_ms: self.at(ended),
            outcome: outcome.into(),
            hedge: progress.hedge,
        });
    }

    /// The first of two attempts to finish if it succeeded, else the other one.
    async fn better(
        &mut self,
        first: AttemptRun<'_, Attempted>,
        second: AttemptRun<'_, impl Future<Output = Attempted>>,
    ) -> Result<AttestedAnswer, Failure> {
        let (AttemptRun(done, progress), AttemptRun(other, others)) = (first, second);
        let (good, ended) = (done.outcome.is_ok(), done.ended);
        let outcome = self.note(done, progress);
        if good {
            self.sent(others, ended, "cancelled");
            return outcome;
        }
        let other = other.await;
        self.note(other, others)
    }
}

/// Counts a call as in flight until it ends or is cancelled.
struct InFlight<'a>(&'a Detector);

impl<'a> InFlight<'a> {
    fn enter(detector: &'a Detector) -> Self {
        detector.metrics.in_flight.inc();
        Self(detector)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}
