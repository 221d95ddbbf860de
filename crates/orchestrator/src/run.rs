//! One request from plan to reply: cache, shared flight, fan-out, aggregation.

mod fly;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use detector_api::orchestrate::{
    DetectorTimeline, ErrorCode, Priority, ProcessingMode, RoutingDecision, Verdict,
};
use futures_util::FutureExt;
use http::HeaderValue;
use serde::Serialize;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

pub use self::fly::context;
use self::fly::fly;
use crate::app::App;
use crate::cache::{self, CacheStatus, Key, Question};
use crate::call::Called;
use crate::error::ApiError;
use crate::intake::Accepted;
use crate::invalidations::Since;
use crate::json;
use crate::metrics::Finished;
use crate::select::{Plan, Rules, plan};
use crate::shared_answers::Looked;
use crate::store::redis::cache::Marks;

/// Room for what is not the same for all, and for each detector's timeline in it.
const HEAD_BYTES: usize = 512;
const TIMELINE_BYTES: usize = 256;
/// Room for the `Server-Timing` header.
const TIMING_BYTES: usize = 96;

/// What belongs to one client's request and to no other.
#[derive(Debug, Clone)]
pub struct Origin {
    pub request_id: String,
    pub traceparent: Option<HeaderValue>,
    pub idempotency_key: Option<String>,
    pub started: Instant,
    pub mode: ProcessingMode,
    pub job_id: Option<String>,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone)]
pub struct Reply {
    pub body: Bytes,
    /// Coverage is below the threshold.
    pub partial: bool,
    pub cache: CacheStatus,
    pub age: Option<Duration>,
    pub timing: Timing,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    pub routing: Duration,
    pub detectors: Duration,
    pub aggregation: Duration,
}

/// The outcome of one fan-out, for everybody who waits for it and for the cache.
pub struct Answered {
    pub about: About,
    /// Set when nobody that had to answer did.
    pub error: Option<ApiError>,
    pub partial: bool,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    pub timeline: Vec<DetectorTimeline>,
    pub timing: Timing,
    /// Brings what is missing; only of a partial answer.
    pub resume_token: Option<String>,
    pub complete: bool,
    /// A stale answer of a detector stands in.
    pub fallback: bool,
    /// The part of the answer that is the same for all, as the inside of a JSON object.
    pub shared: Bytes,
}

/// What an answer is about, for invalidation.
#[derive(Default)]
pub struct About {
    pub tenant: String,
    pub bundle: Arc<str>,
    pub detectors: Vec<Arc<str>>,
}

impl Answered {
    /// Nobody was asked.
    fn refused(error: ApiError) -> Self {
        Self {
            about: About::default(),
            error: Some(error),
            partial: false,
            verdict: Verdict::Block,
            reasons: Vec::new(),
            timeline: Vec::new(),
            timing: Timing::default(),
            resume_token: None,
            complete: false,
            fallback: false,
            shared: Bytes::new(),
        }
    }

    /// Whether every detector gave a valid answer.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

#[derive(Serialize)]
struct Head<'a> {
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    processing_mode: ProcessingMode,
    total_processing_time_ms: u64,
    fallback_used: bool,
    verdict: Verdict,
    verdict_reasons: &'a [String],
    timeline: &'a [DetectorTimeline],
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_token: Option<&'a str>,
    timestamp: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// Runs one request and counts it.
///
/// # Errors
/// As [`run`].
pub async fn counted(
    app: &Arc<App>,
    request: Accepted,
    origin: &Origin,
) -> Result<Reply, ApiError> {
    let (tenant, policy) = (request.tenant.clone(), request.bundle.clone());
    let in_flight = InFlight::enter(app);
    let result = run(app, request, origin).await;
    drop(in_flight);
    let status = match &result {
        Ok(reply) if reply.partial => "partial",
        Ok(_) => "success",
        Err(_) => "error",
    };
    app.metrics.finished(&Finished {
        tenant: &tenant,
        policy: &policy,
        status,
        mode: origin.mode,
        duration: origin.started.elapsed(),
    });
    result
}

/// Counts a request while it is worked on, even if its client leaves.
struct InFlight<'a>(&'a App);

impl<'a> InFlight<'a> {
    fn enter(app: &'a App) -> Self {
        app.metrics.in_flight.inc();
        Self(app)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}

/// Runs one request.
///
/// # Errors
/// Nothing can be asked, nobody answered, or the time was up.
pub async fn run(app: &Arc<App>, request: Accepted, origin: &Origin) -> Result<Reply, ApiError> {
    let mut planned = Planned::new(app, request, origin)?;
    let routing = origin.started.elapsed();
    let bypass = planned.request.priority == Priority::Critical || !app.cache.is_enabled();
    let mut looked = Looked::default();
    let kept_as = (!bypass).then(|| (planned.keys(), planned.about(app)));
    if let Some((keys, about)) = &kept_as {
        looked = app.fresh(&keys.answer, about).await;
    }
    planned.marks = looked.marks;
    if let Some((answered, age)) = looked.found {
        app.metrics.looked_up(CacheStatus::Hit.name());
        app.metrics.overhead(origin.started.elapsed());
        let reply = Reply {
            age: Some(age),
            ..reply(&answered, origin, CacheStatus::Hit)
        };
        return Ok(reply);
    }
    let status = if bypass {
        CacheStatus::Bypass
    } else {
        CacheStatus::Miss
    };
    let keys = kept_as.as_ref().map(|(keys, _)| *keys);
    let answered = flight(app, planned, keys, origin).await;
    let stale = match (&answered, &kept_as) {
        (Err(error), Some((keys, about))) if is_outage(error.code) => {
            Box::pin(app.stale(&keys.answer, about)).await
        }
        _ => None,
    };
    if let Some((old, age)) = stale {
        app.metrics.looked_up(CacheStatus::Stale.name());
        return Ok(Reply {
            age: Some(age),
            ..reply(&old, origin, CacheStatus::Stale)
        });
    }
    app.metrics.looked_up(status.name());
    let answered = answered?;
    let mut reply = reply(&answered, origin, status);
    reply.timing.routing = routing;
    app.metrics.overhead(
        origin
            .started
            .elapsed()
            .saturating_sub(answered.timing.detectors),
    );
    Ok(reply)
}

/// Completes a partial answer: asks only who has not answered yet.
///
/// # Errors
/// As [`run`], and when the token does not fit.
pub async fn resume(
    app: &Arc<App>,
    token: &str,
    (tenant, content): (&str, Arc<str>),
    origin: &Origin,
) -> Result<Reply, ApiError> {
    let partial = app.partials.find(token, tenant, &content)?;
    let mut planned = Planned::new(app, partial.request(content), origin)?;
    if planned.rules.version != partial.version {
        let message = "made under an older policy; send the whole request again";
        return Err(ApiError::invalid("resume_token", message));
    }
    planned.kept = partial.known(&planned.plan);
    planned.token = Some(token.to_owned());
    let keys = planned.keys();
    planned.marks = app.fresh(&keys.answer, &planned.about(app)).await.marks;
    // Who completes the same answer at the same time shares the calls.
    let answered = flight(app, planned, Some(keys), origin).await?;
    Ok(reply(&answered, origin, CacheStatus::Miss))
}

/// What a request is known by.
#[derive(Clone, Copy)]
pub struct Keys {
    /// Of its answer.
    pub answer: Key,
    /// Of what every detector is asked.
    asked: Key,
}

/// A request with its plan and its time.
pub struct Planned {
    pub request: Accepted,
    pub plan: Plan,
    rules: Rules,
    pub deadline: Instant,
    pub sla: Duration,
    /// What is known already, by place in the plan.
    kept: Vec<Option<Called>>,
    /// Set when an earlier answer is completed.
    token: Option<String>,
    since: Since,
    /// Set when the question was asked of all replicas.
    marks: Option<Marks>,
}

impl Planned {
    /// # Errors
    /// POLICY_NOT_FOUND, or nothing can be asked.
    pub fn new(app: &App, request: Accepted, origin: &Origin) -> Result<Self, ApiError> {
        let rules = app.rules(&request.tenant, &request.bundle)?;
        let plan = plan(&request, &app.registry.load(), &rules)?;
        let sla = match request.mode {
            ProcessingMode::Sync => app.config.sla.of(request.priority),
            ProcessingMode::Async => app.config.sla.asynchronous,
        };
        Ok(Self {
            deadline: origin.started + sla,
            sla,
            request,
            plan,
            rules,
            kept: Vec::new(),
            token: None,
            since: app.invalidations.now(),
            marks: None,
        })
    }

    /// What it is known by; only who shares anything needs it.
    pub fn keys(&self) -> Keys {
        let (request, rules) = (&self.request, &self.rules);
        let policy = (&*rules.bundle, rules.version, &rules.digest);
        let content = (request.content_type, &*request.content);
        let asked = cache::ask(&request.tenant, policy, content);
        let question = Question {
            asked: &asked,
            detectors: self.plan.names(),
            required: request.required.iter().map(String::as_str),
        };
        Keys {
            answer: question.key(),
            asked,
        }
    }

    /// What its answer is about; empty where nobody else has answers.
    pub fn about(&self, app: &App) -> About {
        if app.shared_cache.is_none() {
            return About::default();
        }
        About {
            tenant: self.request.tenant.clone(),
            bundle: self.rules.bundle.clone(),
            detectors: self.plan.canonical_names(),
        }
    }

    /// How the detectors were chosen.
    pub fn routing(&self) -> RoutingDecision {
        self.plan.routing(&self.rules.bundle)
    }
}

/// Joins or begins the flight for this request and waits for it, no longer than the request may
/// take. Without keys nothing is shared.
async fn flight(
    app: &Arc<App>,
    planned: Planned,
    keys: Option<Keys>,
    origin: &Origin,
) -> Result<Arc<Answered>, ApiError> {
    let Some(keys) = keys else {
        return alone(app, planned, origin).await;
    };
    let unique = planned.token.as_ref().map_or(0, |it| token_number(it));
    // Nobody joins a flight from before an invalidation; priorities have different deadlines.
    let marks = planned.marks.as_ref().map_or(0, marks_number);
    let unique = unique ^ marks ^ u128::from(planned.since.number());
    let board_key = (
        keys.answer,
        planned.request.priority,
        planned.request.mode,
        unique,
    );
    let deadline = planned.deadline;
    let (mut seat, joined) = app.flights.board(board_key, || {
        let (app, origin) = (app.clone(), origin.clone());
        async move {
            let (since, marks) = (planned.since, planned.marks.clone());
            let answered = Arc::new(fly(&app, planned, Some(keys), &origin).await);
            app.keep(keys.answer, &answered, (since, marks.as_ref()))
                .await;
            answered
        }
    });
    if joined {
        app.metrics.coalesced.inc();
    }
    landed(timeout_at(deadline, seat.answer()).await)
}

/// Who does not use the cache shares nothing either, and needs no task that outlives it: a client
/// that leaves ends the calls.
async fn alone(
    app: &Arc<App>,
    planned: Planned,
    origin: &Origin,
) -> Result<Arc<Answered>, ApiError> {
    let deadline = planned.deadline;
    let flight = Box::pin(fly(app, planned, None, origin));
    // One request's broken invariant is no reason to break the connection.
    let flight = AssertUnwindSafe(flight).catch_unwind();
    let answered = timeout_at(deadline, flight).await;
    landed(answered.map(|it| it.ok().map(Arc::new)))
}

/// What a flight brought: late, broken, or an answer that may be an error.
fn landed(answered: Result<Option<Arc<Answered>>, Elapsed>) -> Result<Arc<Answered>, ApiError> {
    match answered {
        Ok(Some(answered)) => match &answered.error {
            Some(error) => Err(error.clone()),
            None => Ok(answered),
        },
        Ok(None) => Err(ApiError::new(
            ErrorCode::InternalError,
            "the request could not be worked on",
        )),
        Err(_) => {
            let message = "no detector answered in the time that the request may take";
            Err(ApiError::new(ErrorCode::RequestTimeout, message))
        }
    }
}

fn marks_number(marks: &Marks) -> u128 {
    let hash = marks.all();
    let (start, _) = hash.split_first_chunk().expect("it has 32 bytes");
    u128::from_le_bytes(*start)
}

/// Tokens are made of 128 random bits.
fn token_number(token: &str) -> u128 {
    u128::from_str_radix(token, 16).unwrap_or(u128::MAX)
}

/// Whether an expired answer may stand in for this error.
fn is_outage(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AllDetectorsUnavailable
            | ErrorCode::DetectorCommunicationFailed
            | ErrorCode::RequestTimeout
            | ErrorCode::DetectorOverloaded
            | ErrorCode::Overloaded
    )
}

/// The answer of a flight as this client gets it.
fn reply(answered: &Answered, origin: &Origin, cache: CacheStatus) -> Reply {
    let stale = cache == CacheStatus::Stale;
    let kept = stale || cache == CacheStatus::Hit;
    let mut reasons = std::borrow::Cow::Borrowed(&answered.reasons);
    let mut verdict = answered.verdict;
    if stale {
        verdict = verdict.max(Verdict::Degraded);
        reasons
            .to_mut()
            .push("no detector answered; this is an earlier, expired answer".to_owned());
    }
    let total = origin.started.elapsed();
    let head = Head {
        request_id: &origin.request_id,
        job_id: origin.job_id.as_deref(),
        processing_mode: origin.mode,
        total_processing_time_ms: u64::try_from(total.as_millis()).unwrap_or(u64::MAX),
        fallback_used: stale || answered.partial || answered.fallback,
        verdict,
        verdict_reasons: &reasons,
        // A kept answer took no detector's time.
        timeline: if kept { &[] } else { &answered.timeline },
        resume_token: answered.resume_token.as_deref(),
        timestamp: jiff::Timestamp::now(),
        idempotency_key: origin.idempotency_key.as_deref(),
    };
    let head_bytes = HEAD_BYTES + TIMELINE_BYTES * head.timeline.len();
    let mut body = Vec::with_capacity(head_bytes + answered.shared.len());
    json::write(&head, &mut body).expect("keys are strings, numbers are finite");
    body.pop();
    body.push(b',');
    body.extend_from_slice(&answered.shared[1..]);
    Reply {
        body: body.into(),
        partial: answered.partial,
        cache,
        age: None,
        timing: if kept {
            Timing::default()
        } else {
            answered.timing
        },
    }
}

impl Timing {
    /// As the `Server-Timing` header, in milliseconds.
    pub fn header(&self) -> HeaderValue {
        let mut text = BytesMut::with_capacity(TIMING_BYTES);
        for (name, took) in [
            ("routing;dur=", self.routing),
            (", detectors;dur=", self.detectors),
            (", aggregation;dur=", self.aggregation),
        ] {
            let us = took.as_micros();
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(itoa::Buffer::new().format(us / 1_000).as_bytes());
            let digits = [100, 10, 1].map(|place| b'0' + (us / place % 10) as u8);
            text.extend_from_slice(b".");
            text.extend_from_slice(&digits);
        }
        HeaderValue::from_maybe_shared(text.freeze()).expect("digits and ASCII words")
    }
}

impl App {
    /// The policy of this bundle.
    ///
    /// # Errors
    /// POLICY_NOT_FOUND.
    pub fn rules(&self, tenant: &str, bundle: &str) -> Result<Rules, ApiError> {
        let Some(current) = self.policies.current(tenant, bundle) else {
            let message = "policy_bundle: the tenant has no policy of this name";
            return Err(ApiError::new(ErrorCode::PolicyNotFound, message));
        };
        Ok(Rules {
            policy: current.policy,
            bundle: bundle.into(),
            version: current.version,
            digest: current.digest,
            default_coverage: self.config.partial_coverage_threshold,
        })
    }
}
