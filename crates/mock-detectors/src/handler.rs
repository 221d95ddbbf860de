//! One request: decide, wait, answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use detector_api::header;
use fault_profile::queue::Overflow;
use fault_profile::{Decision, Failure, Key, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use crate::body::{Body, BoxError};
use crate::carry_out::{Outcome, carry_out};
use crate::connection::Line;
use crate::control::Live;
use crate::detector::Detector;
use crate::dialect::{self, Call, Question};
use crate::journal::Entry;
use crate::metrics;
use crate::reply::{Prepared, prepare};
use crate::server::Site;

/// Bodies may be this long.
const BODY_BYTES: usize = 8 << 20;

/// Answers one HTTP request.
pub(crate) async fn handle(
    site: Arc<Site>,
    line: Line,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, BoxError> {
    let detector = &site.detector;
    if request.method() != Method::POST || !dialect::is_call(detector.dialect, request.uri().path())
    {
        return Ok(site.route(request).await);
    }
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the body is longer than {BODY_BYTES} bytes");
            return Ok(crate::reply::error(
                detector,
                StatusCode::PAYLOAD_TOO_LARGE,
                &message,
            ));
        }
        Err(error) => return Err(error),
    };
    match detect(detector, &line, &parts, body).await {
        Outcome::Respond(response) => Ok(response),
        Outcome::Fail(error) => Err(error),
        // The connection is being taken over, or the request hangs.
        Outcome::Silence => std::future::pending().await,
    }
}

async fn detect(detector: &Arc<Detector>, line: &Line, parts: &Parts, body: Bytes) -> Outcome {
    let mut visit = Visit::begin(detector, parts);
    let call = Call {
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        body: &body,
    };
    let question = match dialect::read(detector.dialect, &call) {
        Ok(question) => question,
        Err(bad) => {
            visit.entry.fault = metrics::BAD_REQUEST;
            let prepared = Prepared::error(detector, bad.status, Some(&bad.message));
            return visit.end(line, prepared);
        }
    };
    visit.know(parts, &question);
    let mut live = detector.control.live();
    visit.entry.revision = live.revision;
    if let Err(wait) = visit.take_token(&live) {
        visit.entry.fault = metrics::RATE_LIMITED;
        let prepared =
            Prepared::error(detector, StatusCode::TOO_MANY_REQUESTS, None).retry_after(wait);
        return visit.end(line, prepared);
    }
    let mut decision = visit.decide(&live, parts);
    let base = match visit.queue(&live, &decision).await {
        Ok(base) => base,
        Err(full) => return visit.overflow(line, full, &question).await,
    };
    loop {
        let prepared = prepare(detector, &question, &decision, &visit.request_id);
        let due = visit.plan(base, &decision);
        if visit.wait(due, &live).await {
            return visit.end_decided(line, prepared, decision);
        }
        live = detector.control.live();
        visit.entry.revision = live.revision;
        decision = visit.decide(&live, parts);
    }
}

/// A request while it is here; in the journal when it leaves, however it leaves.
struct Visit {
    detector: Arc<Detector>,
    arrived: Instant,
    entry: Entry,
    request_id: String,
    /// The caller named it; otherwise its place in the stream is its key.
    named: bool,
    chars: u64,
    items: u64,
    ended: bool,
}

impl Visit {
    fn begin(detector: &Arc<Detector>, parts: &Parts) -> Self {
        let tenant = text(parts, header::TENANT_ID).unwrap_or_default();
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let attempt = text(parts, header::ATTEMPT).and_then(|text| text.parse().ok());
        detector.metrics.in_flight.inc();
        let entry = Entry {
            unix_us: unix.as_micros() as u64,
            revision: detector.control.revision(),
            tenant: tenant.into(),
            attempt: attempt.unwrap_or(1),
            index: detector.tally.next(tenant),
            fault: metrics::NO_FAULT,
            ..Entry::empty()
        };
        Self {
            detector: detector.clone(),
            arrived: Instant::now(),
            entry,
            request_id: String::new(),
            named: false,
            chars: 0,
            items: 1,
            ended: false,
        }
    }

    fn know(&mut self, parts: &Parts, question: &Question) {
        let id = text(parts, header::REQUEST_ID).or(question.id.as_deref());
        self.named = id.is_some();
        self.request_id = id.map_or_else(|| format!("req-{}", self.entry.index), str::to_owned);
        self.entry.key = self.request_id.as_str().into();
        self.chars = question
            .contents
            .iter()
            .map(|content| content.chars().count() as u64)
            .sum();
        self.items = question.contents.len() as u64;
        self.entry.findings = question.found.iter().map(Vec::len).sum::<usize>() as u32;
    }

    fn request(&self, live: &Live) -> Request<'_> {
        let index = self.entry.index;
        Request {
            tenant: &self.entry.tenant,
            key: if self.named {
                Key::Named(&self.entry.key)
            } else {
                Key::Index(index)
            },
            attempt: self.entry.attempt,
            index,
            chars: self.chars,
            items: self.items,
            at: live.at(self.arrived),
        }
    }

    fn take_token(&self, live: &Live) -> Result<(), Duration> {
        match &live.model.behaviour(&self.request(live)).rate_limit {
            Some(limit) => self
                .detector
                .gate
                .admit(limit, &self.entry.tenant, self.arrived),
            None => Ok(()),
        }
    }

    fn decide(&mut self, live: &Live, parts: &Parts) -> Decision {
        let mut decision = live.model.decide(&self.request(live));
        if self.detector.listener.override_headers {
            overrule(&mut decision, parts);
        }
        self.entry.fault = decision
            .failure
            .as_ref()
            .map_or(metrics::NO_FAULT, Failure::name);
        self.entry.false_positive = decision.false_positive;
        self.entry.false_negative = decision.false_negative;
        decision
    }

    /// Waits for a worker, where there are workers. Gives the time from which delays count.
    async fn queue(&mut self, live: &Live, decision: &Decision) -> Result<Instant, Overflow> {
        let Some(queue) = live.model.behaviour(&self.request(live)).queue.clone() else {
            return Ok(self.arrived);
        };
        let gate = self.detector.gate.clone();
        let place = gate
            .join(&queue, decision.service, self.arrived)
            .ok_or(queue.overflow)?;
        let turn = place.turn(self.arrived).await.ok_or(queue.overflow)?;
        self.entry.queued_us = turn.queued.as_micros() as u64;
        Ok(turn.done)
    }

    /// When the answer is due.
    fn plan(&mut self, base: Instant, decision: &Decision) -> Instant {
        let due = match decision.failure {
            Some(Failure::Timeout { after_ms }) => {
                self.arrived + Duration::from_secs_f64(after_ms / 1_000.0)
            }
            _ => base + decision.latency,
        };
        let planned = due.saturating_duration_since(self.arrived).as_micros() as u64;
        self.entry.planned_us = planned.saturating_sub(self.entry.queued_us);
        due
    }

    /// Waits until `due`. False: the profile has changed and wants a new decision.
    async fn wait(&self, due: Instant, live: &Live) -> bool {
        if due <= self.arrived {
            return true;
        }
        tokio::select! {
            biased;
            () = self.detector.timer.sleep_until(due) => {
                self.detector.metrics.note_lateness(due.elapsed());
                true
            }
            () = live.ended.cancelled() => !live.redraws(),
        }
    }

    async fn overflow(mut self, line: &Line, overflow: Overflow, question: &Question) -> Outcome {
        self.entry.fault = metrics::OVERFLOW;
        let detector = self.detector.clone();
        match overflow {
            Overflow::Reject { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
                self.end(line, Prepared::error(&detector, status, None))
            }
            Overflow::Hang {} => {
                self.finish(0);
                Outcome::Silence
            }
            Overflow::Slow { after_ms } => {
                let after = Duration::from_secs_f64(after_ms / 1_000.0);
                self.entry.planned_us = after.as_micros() as u64;
                let live = detector.control.live();
                self.wait(self.arrived + after, &live).await;
                let decision = Decision {
                    failure: None,
                    latency: after,
                    service: Duration::ZERO,
                    false_positive: false,
                    false_negative: false,
                    content_seed: 0,
                };
                let prepared = prepare(&detector, question, &decision, &self.request_id);
                self.end(line, prepared)
            }
        }
    }

    fn end(self, line: &Line, prepared: Prepared) -> Outcome {
        let decision_seed = 0;
        self.carry_out(line, prepared, None, decision_seed)
    }

    fn end_decided(self, line: &Line, prepared: Prepared, decision: Decision) -> Outcome {
        self.carry_out(line, prepared, decision.failure, decision.content_seed)
    }

    fn carry_out(
        mut self,
        line: &Line,
        mut prepared: Prepared,
        failure: Option<Failure>,
        seed: u64,
    ) -> Outcome {
        self.entry.actual_us = self.arrived.elapsed().as_micros() as u64;
        let degraded = self.detector.metrics.is_degraded();
        prepared.decision = Some(crate::decision_header::value(&self.entry, degraded));
        if !self.request_id.is_empty() && prepared.request_id.is_none() {
            prepared.request_id = Some(std::mem::take(&mut self.request_id));
        }
        let (outcome, status) = carry_out(&self.detector, line, prepared, (failure, seed));
        self.finish(status);
        outcome
    }

    fn finish(&mut self, status: u16) {
        self.ended = true;
        self.entry.status = status;
        let entry = std::mem::replace(&mut self.entry, Entry::empty());
        self.detector.metrics.count(&entry);
        self.detector.journal.record(entry);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.detector.metrics.in_flight.dec();
        if !self.ended {
            self.entry.cancelled = true;
            self.entry.actual_us = self.arrived.elapsed().as_micros() as u64;
            self.finish(0);
        }
    }
}

fn text<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let value = parts.headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then_some(value)
}

/// Headers by which a caller asks for a fate, where the listener allows that. They go over
/// schedule, pattern and rate; what cannot be read is ignored.
fn overrule(decision: &mut Decision, parts: &Parts) {
    if let Some(kind) = text(parts, header::FAULT) {
        match crate::config::failure_of(kind) {
            Ok(failure) => decision.failure = failure,
            Err(error) => tracing::debug!(%error, "{} is ignored", header::FAULT),
        }
    }
    let latency_ms = text(parts, header::LATENCY_MS).and_then(|text| text.parse::<f64>().ok());
    if let Some(ms) = latency_ms.filter(|ms| (0.0..=86_400_000.0).contains(ms)) {
        decision.latency = Duration::from_secs_f64(ms / 1_000.0);
    }
}
