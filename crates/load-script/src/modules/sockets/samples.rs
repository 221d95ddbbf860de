//! The samples of one socket.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http_client::reply::Reply;
use load_engine::Interrupt;
use load_metrics::{MetricId, Recorder, SystemTag, TagSet, Tags, UnixNanos, builtin};
use tokio::time::Instant;

use super::super::tags;
use super::messages::Messages;
use crate::vu::state::{VuState, now};

/// Records the events of a socket, and the session's duration when it is dropped; as in k6, nothing after the
/// interrupt by the end of the scenario.
pub(super) struct Samples {
    recorder: Recorder,
    metadata: Option<Arc<Tags>>,
    interrupt: Interrupt,
    tags: RefCell<TagSet>,
    /// When the socket began to connect.
    begin: Instant,
    began_at: UnixNanos,
    pings: RefCell<HashMap<Vec<u8>, Instant>>,
    last_ping: Cell<u64>,
    is_session: Cell<bool>,
    /// Handshake and messages, if the run records their outcomes.
    messages: Option<Messages>,
}

impl Samples {
    pub(super) fn new(vu: &VuState, url: &str, own: &[(String, String)]) -> Self {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if vu.recorder.wants(SystemTag::Url) {
            pairs.push(("url", url));
        }
        pairs.extend(tags::borrowed(own));
        Self {
            tags: RefCell::new(vu.recorder.extend(&vu.tags(), &pairs)),
            recorder: vu.recorder.clone(),
            metadata: vu.tagging.metadata.borrow().clone(),
            interrupt: vu.interrupt.borrow().clone(),
            begin: Instant::now(),
            began_at: now(),
            pings: RefCell::default(),
            last_ping: Cell::default(),
            is_session: Cell::default(),
            messages: None,
        }
    }

    /// The same for a handshake with these headers.
    pub(super) fn opening(mut self, vu: &VuState, headers: &[(String, String)]) -> Self {
        let exchanges = vu.run.exchanges();
        self.messages = exchanges.map(|log| Messages::open(Arc::clone(log), headers));
        self
    }

    /// The handshake is over; `reply` is the server's response, if there was one.
    pub(super) fn connected(&self, reply: Option<&Reply>) {
        let connecting = self.begin.elapsed();
        if let Some(messages) = &self.messages {
            messages.connected(reply.is_some());
        }
        if let Some(reply) = reply {
            let status = reply.status.to_string();
            let protocol = reply.header("sec-websocket-protocol").unwrap_or_default();
            let remote = reply.remote.map(|remote| remote.ip().to_string());
            let candidates = [
                (SystemTag::Status, status.as_str()),
                (SystemTag::Subproto, protocol.as_str()),
                (SystemTag::Ip, remote.as_deref().unwrap_or_default()),
            ];
            let wanted = candidates
                .iter()
                .filter(|(tag, _)| self.recorder.wants(*tag))
                .map(|(tag, value)| (tag.name(), *value));
            let pairs: Vec<(&str, &str)> = wanted.collect();
            let extended = self.recorder.extend(&self.tags.borrow(), &pairs);
            *self.tags.borrow_mut() = extended;
        }
        self.is_session.set(true);
        self.count(builtin::WS_SESSIONS, self.began_at, 1.0);
        self.time(builtin::WS_CONNECTING, self.began_at, connecting);
    }

    /// A text message was sent.
    pub(super) fn said(&self, text: &str) {
        self.sent();
        if let Some(messages) = &self.messages {
            messages.sent(text);
        }
    }

    /// A text message arrived.
    pub(super) fn heard(&self, text: &str) {
        self.received();
        if let Some(messages) = &self.messages {
            messages.received(text);
        }
    }

    pub(super) fn sent(&self) {
        self.count(builtin::WS_MSGS_SENT, now(), 1.0);
    }

    pub(super) fn received(&self) {
        self.count(builtin::WS_MSGS_RECEIVED, now(), 1.0);
    }

    /// The payload of a new ping.
    pub(super) fn ping(&self) -> Vec<u8> {
        let number = self.last_ping.get() + 1;
        self.last_ping.set(number);
        let payload = number.to_string().into_bytes();
        self.pings
            .borrow_mut()
            .insert(payload.clone(), Instant::now());
        payload
    }

    /// A pong with this payload arrived.
    pub(super) fn pong(&self, payload: &[u8]) {
        let sent = self.pings.borrow_mut().remove(payload);
        if let Some(sent) = sent {
            self.time(builtin::WS_PING, now(), sent.elapsed());
        }
    }

    /// There is no session, or its duration is not recorded.
    pub(super) fn forget(&self) {
        self.is_session.set(false);
    }

    /// The session is over.
    pub(super) fn ended(&self) {
        if self.is_session.take() {
            let duration = self.begin.elapsed();
            self.time(builtin::WS_SESSION_DURATION, self.began_at, duration);
        }
    }

    fn time(&self, metric: MetricId, at: UnixNanos, time: Duration) {
        self.count(metric, at, time.as_secs_f64() * 1000.0);
    }

    fn count(&self, metric: MetricId, at: UnixNanos, value: f64) {
        if self.interrupt.is_cancelled() {
            return;
        }
        let tags = self.tags.borrow();
        self.recorder
            .record_with(metric, &tags, self.metadata.as_ref(), at, value);
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        self.ended();
    }
}
