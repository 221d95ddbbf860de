//! One detector's part in a request: breaker, bulkhead, limit, attempts under the budget, all
//! before one deadline. Ends by the deadline whatever the detector does.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use detector_api::orchestrate::{AttemptTimeline, DetectorStatus, DetectorTimeline};
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderValue};
use resilience::breaker::Outcome;
use resilience::limit::{Rank, Sample};
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::answers::{Answers, Asked};
use crate::attempt::{DeadlineMs, Progress, SHORTEST, attempt};
use crate::dialect::Bodies;
use crate::failure::Failure;
use crate::metrics::{Metrics, milliseconds};
use crate::registry::Detector;
use crate::replicas::Replica;
use crate::transport::Transport;

/// What every call of one fan-out shares.
#[derive(Clone)]
pub struct Context {
    pub transport: Transport,
    pub metrics: Arc<Metrics>,
    pub content: Arc<str>,
    /// The bodies in the dialects that are needed, each made once.
    pub bodies: Bodies,
    pub request_id: HeaderValue,
    /// What every attempt sends, with room for what differs.
    pub headers: HeaderMap,
    pub deadline_ms: DeadlineMs,
    /// When the request came in.
    pub started: Instant,
    /// When calls must have ended; some time before the client's own deadline.
    pub deadline: Instant,
    pub answer_bytes: usize,
    /// Who waits for a place goes in by rank.
    pub rank: Rank,
    /// Answers that are kept or under way; `None` for who shares nothing.
    pub shared: Option<(Arc<Answers>, Asked)>,
}

/// How one detector's part ended.
#[derive(Debug, Clone)]
pub struct Called {
    pub outcome: Result<Answer, Failure>,
    pub timeline: DetectorTimeline,
    pub duration: Duration,
    pub attempts: u32,
    pub hedged: bool,
    /// Where the answer comes from, if not from this call.
    pub origin: Origin,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// It was asked for.
    #[default]
    Asked,
    /// It was asked for by another request at the same time.
    Shared,
    /// It is this old and fresh.
    Kept(Duration),
    /// It is this old and stands in while the breaker is open.
    Stale(Duration),
}

impl Called {
    /// The outcome of a detector that was not asked.
    pub fn unasked(name: &Arc<str>, failure: Failure) -> Self {
        Self::instant(name, Err(failure), 0.0)
    }

    fn instant(name: &Arc<str>, outcome: Result<Answer, Failure>, at_ms: f64) -> Self {
        Self {
            outcome,
            timeline: DetectorTimeline {
                detector: name.clone(),
                start_ms: at_ms,
                end_ms: at_ms,
                queued_ms: 0.0,
                backoff_ms: 0.0,
                attempts: Vec::new(),
                source: None,
            },
            duration: Duration::ZERO,
            attempts: 0,
            hedged: false,
            origin: Origin::Asked,
        }
    }

    /// An answer that was there already.
    pub fn kept(context: &Context, detector: &Arc<str>, answer: Answer, origin: Origin) -> Self {
        let now = since(context.started, Instant::now());
        let called = Self::instant(detector, Ok(answer), now);
        called.from(origin)
    }

    /// An outcome that another request's call brought, as it looks to this one.
    pub fn shared(self, context: &Context, started: Instant) -> Self {
        let now = Instant::now();
        let name = &self.timeline.detector;
        let mut called = Self::instant(name, self.outcome, since(context.started, now));
        called.timeline.start_ms = since(context.started, started);
        called.duration = now - started;
        called.hedged = self.hedged;
        called.from(Origin::Shared)
    }

    fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self.timeline.source = origin.name().map(Cow::Borrowed);
        self
    }

    /// Whether it was asked for by this request.
    pub fn is_first_hand(&self) -> bool {
        self.origin == Origin::Asked
    }

    /// How old it is, where it is too old to be fresh.
    pub fn stale(&self) -> Option<Duration> {
        match self.origin {
            Origin::Stale(age) => Some(age),
            _ => None,
        }
    }
}

impl Origin {
    /// The word for it in timelines and metrics.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Asked => None,
            Self::Shared => Some("shared"),
            Self::Kept(_) => Some("hit"),
            Self::Stale(_) => Some("stale"),
        }
    }
}

/// Asks one detector, repeating where that is allowed, and ends by the context's deadline. One
/// that is `required` is tried now and then even while all its breakers are open.
pub async fn call(context: &Context, detector: &Detector, required: bool) -> Called {
    let started = Instant::now();
    let mut log = Log::new(context, detector, started);
    let outcome = if detector.is_in_rotation() {
        let last = Last::new(required);
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
        origin: Origin::Asked,
    }
}

async fn attempts(
    context: &Context,
    detector: &Detector,
    log: &mut Log,
    last: &Last,
) -> Result<Answer, Failure> {
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

/// The first attempt, and a second one beside it where the detector is hedged and the first takes
/// unusually long. The first answer wins; the other attempt is dropped and says nothing about the
/// detector.
async fn first(
    context: &Context,
    detector: &Detector,
    log: &mut Log,
    last: &Last,
) -> Result<Answer, Failure> {
    let one = Progress::new(1);
    let Some(delay) = detector.hedge_delay() else {
        return log.note(guarded(context, detector, &one, last).await, &one);
    };
    // On the heap, or every call would carry the room for two.
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
        Either::Left((done, other)) => log.better((done, &one), (other, &two)).await,
        Either::Right((done, other)) => log.better((done, &two), (other, &one)).await,
    }
}

/// The wait before the next attempt; `None` when there must be none. The budget is charged here,
/// when the decision is made.
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
    // A detector that fails most of its calls is down, not unlucky.
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

/// One attempt as it went.
struct Attempted {
    outcome: Result<Answer, Failure>,
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

/// The endpoint that was called last: another attempt prefers another one.
struct Last {
    place: AtomicUsize,
    required: bool,
}

impl Last {
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

/// One attempt behind breaker, bulkhead and limit. All are given back if it is cancelled.
async fn guarded(
    context: &Context,
    detector: &Detector,
    progress: &Progress,
    last: &Last,
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
    let outcome = attempt(context, (detector, replica), (progress, started)).await;
    let ended = Instant::now();
    let took = ended - started;
    let (said, asked) = match &outcome {
        Ok(_) => (Outcome::Success, None),
        Err(failure) => {
            context
                .metrics
                .failed_attempt(detector.name(), failure.class());
            (failure.for_breaker(), failure.retry_after())
        }
    };
    pass.report(sample(&outcome, took));
    if picked.report(said, (took, ended), asked) {
        detector.metrics.ejections.inc();
    }
    if outcome.is_ok() && progress.number == 1 {
        detector.took(took, ended);
    }
    Attempted {
        outcome,
        queued: started - queued,
        ended,
    }
}

/// How long to wait for a place: an attempt begun later than this would usually be too late.
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

/// What the limit learns: only answers tell how long one takes, and only time-outs and refusals
/// that there are too many. Other failures come at any speed.
fn sample(outcome: &Result<Answer, Failure>, took: Duration) -> Sample {
    match outcome {
        Ok(_) | Err(Failure::Deadline) => Sample::Answered(took),
        Err(Failure::Timeout) => Sample::Lost,
        Err(failure) if failure.for_breaker() == Outcome::Overload => Sample::Lost,
        Err(_) => Sample::Ignored,
    }
}

/// Where the time went, as it goes.
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
                detector: detector.shared_name.clone(),
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

    /// Writes an attempt down and takes what it brought.
    fn note(&mut self, attempted: Attempted, progress: &Progress) -> Result<Answer, Failure> {
        self.timeline.queued_ms += milliseconds(attempted.queued);
        let outcome = attempted.outcome.as_ref();
        let outcome = outcome.map_or_else(|it| it.class(), |_| "success");
        self.sent(progress, attempted.ended, outcome);
        attempted.outcome
    }

    /// Writes an attempt down that was sent.
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

    /// The first of two attempts that is done if it is good, else the other one.
    async fn better(
        &mut self,
        (done, progress): (Attempted, &Progress),
        (other, others): (impl Future<Output = Attempted>, &Progress),
    ) -> Result<Answer, Failure> {
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

/// Milliseconds with microseconds' precision: more digits would only be noise on the wire.
fn since(epoch: Instant, instant: Instant) -> f64 {
    let passed = instant.saturating_duration_since(epoch) + Duration::from_nanos(500);
    passed.as_micros() as f64 / 1e3
}

/// Counts a call while it runs, even if it is cancelled.
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
