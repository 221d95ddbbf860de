//! A request in progress.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use detector_api::header;
use fault_profile::queue::Overflow;
use fault_profile::{Decision, Failure, Key, Request};
use hyper::StatusCode;
use hyper::http::HeaderName;
use hyper::http::request::Parts;
use simulated_server::decision_header;

use crate::carry_out::{Fault, Outcome, carry_out};
use crate::course::Live;
use crate::detector::Detector;
use crate::dialect::{BadRequest, Question};
use crate::journal::{Entry, bounded};
use crate::metrics;
use crate::reply::{Prepared, prepare, wrong_verdicts};
use crate::takeover::ConnectionHandle;

/// The admission of a request, from which its delay counts.
pub(crate) enum Entrance {
    At(Instant),
    Full(Overflow),
    /// The profile changed while it was queued, and releases the waiting requests.
    Changed,
}

/// A request in progress; recorded in the journal on drop, however it ends.
pub(crate) struct Visit {
    pub(crate) detector: Arc<Detector>,
    arrived: Instant,
    pub(crate) entry: Entry,
    pub(crate) request_id: String,
    /// Whether the caller sent a key; otherwise its index in the stream is the key.
    named: bool,
    chars: u64,
    items: u64,
    overrides: Overrides,
    ended: bool,
}

impl Visit {
    pub(crate) fn begin(detector: &Arc<Detector>, parts: &Parts) -> Self {
        // It is stored in tables and in the journal, so its length is bounded.
        let tenant = bounded(text(parts, header::TENANT_ID).unwrap_or_default());
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let attempt = text(parts, header::ATTEMPT).and_then(|text| text.parse().ok());
        let overrides = if detector.listener.override_headers {
            Overrides::of(parts)
        } else {
            Overrides::default()
        };
        detector.metrics.in_flight.inc();
        let entry = Entry {
            unix_us: unix.as_micros() as u64,
            revision: detector.control.revision(),
            index: detector.tally.next(&tenant),
            tenant: tenant.into_owned().into(),
            attempt: attempt.unwrap_or(1),
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
            overrides,
            ended: false,
        }
    }

    pub(crate) fn know(&mut self, parts: &Parts, question: &Question) {
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

    /// The profile in force, which applies to the request from now on.
    pub(crate) fn take_profile(&mut self) -> Arc<Live> {
        let live = self.detector.control.live();
        self.entry.revision = live.revision;
        live
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

    pub(crate) fn take_token(&self, live: &Live) -> Result<(), Duration> {
        match &live.model.behaviour(&self.request(live)).rate_limit {
            Some(limit) => self
                .detector
                .gate
                .admit(limit, &self.entry.tenant, self.arrived),
            None => Ok(()),
        }
    }

    pub(crate) fn decide(&mut self, live: &Live, question: &Question) -> Decision {
        let mut decision = live.model.decide(&self.request(live));
        self.overrides.overrule(&mut decision);
        self.entry.fault = decision
            .failure
            .as_ref()
            .map_or(metrics::NO_FAULT, Failure::name);
        (self.entry.false_positive, self.entry.false_negative) =
            wrong_verdicts(question, &decision);
        decision
    }

    /// Waits for a worker, if there are workers. `worker` is the start of service.
    pub(crate) async fn enter(
        &mut self,
        live: &Live,
        decision: &Decision,
        worker: &mut Option<Instant>,
    ) -> Entrance {
        let Some(queue) = live.model.behaviour(&self.request(live)).queue.clone() else {
            return Entrance::At(self.arrived);
        };
        if let Some(began) = worker {
            return Entrance::At(*began + decision.service);
        }
        let gate = self.detector.gate.clone();
        let Some(place) = gate.join(&queue, decision.service, self.arrived) else {
            return Entrance::Full(queue.overflow);
        };
        let turn = tokio::select! {
            biased;
            turn = place.turn(self.arrived) => turn,
            () = live.ended() => {
                self.entry.queued_us = self.arrived.elapsed().as_micros() as u64;
                return Entrance::Changed;
            }
        };
        let Some(turn) = turn else {
            return Entrance::Full(queue.overflow);
        };
        self.entry.queued_us = turn.queued.as_micros() as u64;
        *worker = Some(turn.began);
        Entrance::At(turn.done)
    }

    /// The due time of the answer.
    pub(crate) fn plan(&mut self, base: Instant, decision: &Decision) -> Instant {
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

    /// Waits until `due`. False when the profile has changed, which requires a new decision.
    pub(crate) async fn wait(&self, due: Instant, live: &Live) -> bool {
        if due <= self.arrived {
            return true;
        }
        tokio::select! {
            biased;
            () = self.detector.timer.sleep_until(due) => {
                self.detector.metrics.note_lateness(due.elapsed());
                true
            }
            () = live.ended() => !live.redraws(),
        }
    }

    pub(crate) async fn overflow(
        mut self: Box<Self>,
        handle: &ConnectionHandle,
        overflow: Overflow,
        question: &Question,
    ) -> Outcome {
        self.entry.fault = metrics::OVERFLOW;
        let detector = self.detector.clone();
        match overflow {
            Overflow::Reject { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
                self.end(handle, Prepared::error(&detector, status, None))
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
                let decision = Decision::right(after);
                let prepared = prepare(&detector, question, &decision, &self.request_id);
                self.end(handle, prepared)
            }
        }
    }

    pub(crate) fn refuse(
        mut self: Box<Self>,
        handle: &ConnectionHandle,
        bad: &BadRequest,
    ) -> Outcome {
        self.entry.fault = metrics::BAD_REQUEST;
        let prepared = Prepared::error(&self.detector, bad.status, Some(&bad.message));
        self.end(handle, prepared)
    }

    pub(crate) fn end(self: Box<Self>, handle: &ConnectionHandle, prepared: Prepared) -> Outcome {
        let fault = Fault {
            failure: None,
            seed: 0,
        };
        self.carry_out(handle, prepared, fault)
    }

    pub(crate) fn end_decided(
        self: Box<Self>,
        handle: &ConnectionHandle,
        prepared: Prepared,
        decision: Decision,
    ) -> Outcome {
        let fault = Fault {
            failure: decision.failure,
            seed: decision.content_seed,
        };
        self.carry_out(handle, prepared, fault)
    }

    fn carry_out(
        mut self: Box<Self>,
        handle: &ConnectionHandle,
        mut prepared: Prepared,
        fault: Fault,
    ) -> Outcome {
        self.entry.actual_us = self.arrived.elapsed().as_micros() as u64;
        let degraded = self.detector.metrics.is_degraded();
        prepared.decision = Some(decision_header::value(&self.entry.decided(degraded)));
        if !self.request_id.is_empty() && prepared.request_id.is_none() {
            prepared.request_id = Some(std::mem::take(&mut self.request_id));
        }
        let (outcome, status) = carry_out(&self.detector, handle, prepared, fault);
        self.finish(status);
        outcome
    }

    fn finish(&mut self, status: u16) {
        self.ended = true;
        self.entry.status = status;
        let mut entry = std::mem::replace(&mut self.entry, Entry::empty());
        // The decision used the whole key.
        if let Cow::Owned(key) = bounded(&entry.key) {
            entry.key = key.into();
        }
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

/// An unreadable header that names the caller or the request, which would otherwise count as absent.
pub(crate) fn unreadable(parts: &Parts) -> Option<HeaderName> {
    let is_unreadable = |name: &HeaderName| {
        let mut values = parts.headers.get_all(name).iter();
        values.any(|value| value.to_str().is_err())
    };
    [header::TENANT_ID, header::REQUEST_ID]
        .into_iter()
        .find(is_unreadable)
}

fn text(parts: &Parts, name: HeaderName) -> Option<&str> {
    let value = parts.headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then_some(value)
}

/// Overrides by request headers, if the listener allows them. They take precedence over schedule, pattern and
/// rate; an invalid one is ignored.
#[derive(Debug, Default)]
struct Overrides {
    /// `Some(None)` means a correct answer.
    failure: Option<Option<Failure>>,
    latency: Option<Duration>,
}

impl Overrides {
    fn of(parts: &Parts) -> Self {
        let failure = text(parts, header::FAULT).and_then(|kind| {
            let failure = crate::config::failure_of(kind).inspect_err(|error| {
                tracing::debug!(%error, "{} is ignored", header::FAULT);
            });
            failure.ok()
        });
        let ms = text(parts, header::LATENCY_MS).and_then(|text| text.parse::<f64>().ok());
        let latency = ms
            .filter(|ms| (0.0..=86_400_000.0).contains(ms))
            .map(|ms| Duration::from_secs_f64(ms / 1_000.0));
        Self { failure, latency }
    }

    fn overrule(&self, decision: &mut Decision) {
        if let Some(failure) = &self.failure {
            decision.failure.clone_from(failure);
        }
        if let Some(latency) = self.latency {
            decision.latency = latency;
        }
    }
}
