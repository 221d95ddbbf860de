//! The state that all calls of one request share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use detector_api::detect::DetectRequest;
use detector_api::header as names;
use http::{HeaderMap, HeaderValue, header};
use resilience::limit::Rank;
use tokio::time::Instant;

use crate::ask::dialect::Bodies;
use crate::ask::transport::Transport;
use crate::metrics::Metrics;
use crate::request::envelope::Envelope;
use crate::request::intake::Accepted;
use crate::share::answers::Answers;
use crate::share::question::Question;

/// The size of the request body around the content.
const BYTES: usize = 512;

/// The state that all calls of one fan-out share.
#[derive(Clone)]
pub struct Context {
    pub transport: Transport,
    pub metrics: Arc<Metrics>,
    pub content: Arc<str>,
    /// The bodies in the needed dialects, each serialized once.
    pub bodies: Bodies,
    pub request_id: HeaderValue,
    /// The headers of every attempt, with room for those that differ.
    pub headers: HeaderMap,
    pub deadline_ms: DeadlineMs,
    /// The arrival of the request.
    pub started: Instant,
    /// The deadline of the calls, some time before the client's own.
    pub deadline: Instant,
    /// The base limit of an answer's size; see [`Context::answer_limit_bytes`].
    pub answer_bytes: usize,
    /// Requests that wait for a place are admitted in order of rank.
    pub rank: Rank,
    /// Cached answers and calls in progress; `None` if nothing is shared.
    pub shared: Option<(Arc<Answers>, Question)>,
}

/// The HTTP client of the calls, and the limit of their answers.
pub struct Caller<'a> {
    pub transport: &'a Transport,
    pub metrics: &'a Arc<Metrics>,
    /// The base limit of an answer's size.
    pub answer_bytes: usize,
}

/// The additional answer bytes per byte of content: a finding for every other character.
const ANSWER_BYTES_PER_BYTE: usize = 64;

impl Context {
    /// For the calls of one request, which end by `deadline`. Nothing is shared.
    pub fn new(
        caller: &Caller<'_>,
        request: &Accepted,
        envelope: &Envelope,
        deadline: Instant,
    ) -> Self {
        let question = DetectRequest {
            content: request.content.to_string(),
            content_type: request.content_type,
            request_id: Some(envelope.request_id.clone()),
        };
        let mut body = Vec::with_capacity(question.content.len() + BYTES);
        serde_json::to_writer(&mut body, &question).expect("strings are always valid JSON");
        let id = HeaderValue::from_str(&envelope.request_id);
        let id = id.expect("request ids are made of printable ASCII");
        let tenant = HeaderValue::from_str(&request.tenant).ok();
        Self {
            transport: caller.transport.clone(),
            metrics: caller.metrics.clone(),
            content: request.content.clone(),
            headers: headers(&id, body.len(), tenant, envelope.traceparent.clone()),
            bodies: Bodies::new(body.into()),
            deadline_ms: DeadlineMs::default(),
            request_id: id,
            started: envelope.started,
            deadline,
            answer_bytes: caller.answer_bytes,
            shared: None,
            rank: request.priority as u8,
        }
    }

    /// The limit of an answer's size, which grows with the content.
    pub fn answer_limit_bytes(&self) -> usize {
        let for_content = self.content.len().saturating_mul(ANSWER_BYTES_PER_BYTE);
        self.answer_bytes.saturating_add(for_content)
    }
}

/// The header with the remaining time. The attempts of one request begin together and usually share one value.
#[derive(Debug, Clone, Default)]
pub struct DeadlineMs(OnceLock<(u64, HeaderValue)>);

impl DeadlineMs {
    /// The header value for a duration.
    pub fn of(&self, left: Duration) -> HeaderValue {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let (first_ms, value) = self.0.get_or_init(|| (left_ms, HeaderValue::from(left_ms)));
        if left_ms == *first_ms {
            value.clone()
        } else {
            HeaderValue::from(left_ms)
        }
    }
}

/// The headers of all attempts of one request. Those that each attempt replaces exist already, since inserting
/// eight names per attempt was a measurable part of its cost.
fn headers(
    request_id: &HeaderValue,
    native_bytes: usize,
    tenant: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
) -> HeaderMap {
    let replaced = HeaderValue::from_static("");
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, replaced.clone());
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(native_bytes));
    headers.insert(names::REQUEST_ID, request_id.clone());
    headers.insert(names::ATTEMPT, HeaderValue::from_static("1"));
    headers.insert(names::DEADLINE_MS, replaced);
    headers.extend(tenant.map(|value| (names::TENANT_ID, value)));
    headers.extend(traceparent.map(|value| (names::TRACEPARENT, value)));
    headers
}
