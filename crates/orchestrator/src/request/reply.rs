//! The response for one client.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use detector_api::orchestrate::{DetectorTimeline, ProcessingMode, Verdict};
use http::HeaderValue;
use serde::Serialize;

use crate::request::envelope::Envelope;
use crate::share::answered::{Answered, Timing};
use crate::share::cache::CacheStatus;

/// Bytes for the parts that are not shared, and for each detector's timeline.
const HEAD_BYTES: usize = 512;
const TIMELINE_BYTES: usize = 256;
/// Bytes for the `Server-Timing` header.
const TIMING_BYTES: usize = 96;

/// A response that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Reply {
    pub body: Bytes,
    /// Coverage is below the threshold.
    pub partial: bool,
    pub cache: CacheStatus,
    pub age: Option<Duration>,
    pub timing: Timing,
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

/// The result of a request, for all that share it.
#[derive(Clone)]
pub struct SharedResult {
    pub answered: Arc<Answered>,
    pub cache: CacheStatus,
    pub age: Option<Duration>,
    /// The time of planning.
    pub routing: Duration,
}

impl SharedResult {
    /// The response for this client.
    pub fn reply(&self, envelope: &Envelope) -> Reply {
        let mut reply = reply(&self.answered, envelope, self.cache);
        reply.age = self.age;
        if self.age.is_none() {
            reply.timing.routing = self.routing;
        }
        reply
    }
}

fn reply(answered: &Answered, envelope: &Envelope, cache: CacheStatus) -> Reply {
    let stale = cache == CacheStatus::Stale;
    let kept = stale || cache == CacheStatus::Hit;
    let mut reasons = Cow::Borrowed(&answered.reasons);
    let mut verdict = answered.verdict;
    if stale {
        verdict = verdict.max(Verdict::Degraded);
        reasons
            .to_mut()
            .push("no detector answered; this is an earlier, expired result".to_owned());
    }
    let total = envelope.started.elapsed();
    let head = Head {
        request_id: &envelope.request_id,
        job_id: envelope.job_id.as_deref(),
        processing_mode: envelope.mode,
        total_processing_time_ms: u64::try_from(total.as_millis()).unwrap_or(u64::MAX),
        fallback_used: stale || answered.partial || answered.fallback,
        verdict,
        verdict_reasons: &reasons,
        // A cached answer took no detector's time.
        timeline: if kept { &[] } else { &answered.timeline },
        resume_token: answered.resume_token.as_deref(),
        timestamp: jiff::Timestamp::now(),
        idempotency_key: envelope.idempotency_key.as_deref(),
    };
    let head_bytes = HEAD_BYTES + TIMELINE_BYTES * head.timeline.len();
    let mut body = Vec::with_capacity(head_bytes + answered.shared.len());
    serde_json::to_writer(&mut body, &head).expect("keys are strings, numbers are finite");
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
