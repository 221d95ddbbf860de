//! The samples of an exchange, and their tags.

use std::cell::RefCell;
use std::time::Duration;

use http_client::client::{Method, Request};
use http_client::failure::Failure;
use http_client::reply::{Reply, Timings};
use http_client::url::Url;
use load_metrics::{SystemTag, TagSet, builtin};

use super::agent::Agent;
use super::auth::Expects;
use super::prepare::Prepared;

/// An exchange for which samples are recorded.
pub(super) struct Sampled<'a> {
    pub(super) outcome: &'a Result<Reply, Failure>,
    pub(super) timings: Timings,
    pub(super) expects: Expects,
}

impl<'a> Sampled<'a> {
    /// A request that failed before it was sent.
    pub(super) fn unsent(outcome: &'a Result<Reply, Failure>) -> Self {
        Self {
            outcome,
            timings: Timings::default(),
            expects: Expects::Usual,
        }
    }
}

/// The inputs of the tags of a usual exchange, which has no tags of its own, no TLS and no failure.
struct UsualExchange {
    base: TagSet,
    url: Url,
    method: Method,
    status: u16,
    proto: &'static str,
    is_expected: Option<bool>,
    tags: TagSet,
}

/// The number of exchanges that a thread remembers.
const USUAL: usize = 16;

thread_local! {
    /// The last usual exchanges: the next one is likely to have the same tags as one of them.
    static LAST: RefCell<[Option<UsualExchange>; USUAL]> = const { RefCell::new([const { None }; USUAL]) };
}

/// The size of the decoded body; where the script discards bodies, the size that the server announced.
fn content_bytes(request: &Request, reply: &Reply) -> u64 {
    let announced = || reply.header("content-length")?.parse().ok();
    match &reply.body {
        Some(body) => body.len() as u64,
        None if request.keeps_body || &*request.method == "HEAD" => 0,
        None => announced().unwrap_or(0),
    }
}

impl Agent {
    /// Records one exchange.
    pub(super) fn sample(&self, prepared: &Prepared, request: &Request, sampled: Sampled<'_>) {
        let Sampled {
            outcome,
            timings,
            expects,
        } = sampled;
        let status = outcome.as_ref().map_or(0, |reply| reply.status);
        let is_expected = prepared.params.expected.as_ref().map(|expected| {
            outcome.is_ok()
                && match expects {
                    Expects::Usual => expected.contains(status),
                    Expects::Challenge => status == 401,
                    Expects::ChallengeOrUsual => status == 401 || expected.contains(status),
                }
        });
        let tags = self.tags(prepared, request, outcome, is_expected);
        let at = self.recorder.sample_time();
        let metadata = prepared.metadata.as_ref();
        let count = |metric, value| {
            self.recorder
                .record_with(metric, &tags, metadata, at, value);
        };
        let time = |metric, time: Duration| count(metric, time.as_secs_f64() * 1000.0);
        count(builtin::HTTP_REQS, 1.0);
        time(builtin::HTTP_REQ_DURATION, timings.duration());
        if let Some(late) = self.late {
            // From the planned start of the iteration, so that a late driver hides nothing.
            let intended = timings.duration() + late;
            time(builtin::HTTP_REQ_INTENDED_DURATION, intended);
        }
        time(builtin::HTTP_REQ_BLOCKED, timings.blocked);
        time(builtin::HTTP_REQ_CONNECTING, timings.connecting);
        time(builtin::HTTP_REQ_TLS_HANDSHAKING, timings.tls_handshaking);
        time(builtin::HTTP_REQ_SENDING, timings.sending);
        time(builtin::HTTP_REQ_WAITING, timings.waiting);
        time(builtin::HTTP_REQ_RECEIVING, timings.receiving);
        if self.run.measures_content() {
            let bytes = outcome.as_ref();
            let bytes = bytes.map_or(0, |reply| content_bytes(request, reply));
            count(builtin::HTTP_REQ_CONTENT_BYTES, bytes as f64);
        }
        if let Some(expected) = is_expected {
            count(builtin::HTTP_REQ_FAILED, f64::from(u8::from(!expected)));
        }
    }

    fn tags(
        &self,
        prepared: &Prepared,
        request: &Request,
        outcome: &Result<Reply, Failure>,
        is_expected: Option<bool>,
    ) -> TagSet {
        let is_usual = prepared.name.is_none()
            && prepared.params.tags.is_empty()
            && !self.recorder.wants(SystemTag::Ip);
        let usual = outcome
            .as_ref()
            .ok()
            .filter(|reply| is_usual && reply.tls.is_none());
        let Some(reply) = usual else {
            return self.make_tags(prepared, request, outcome, is_expected);
        };
        LAST.with_borrow_mut(|last| {
            let place = &mut last[request.url.identity() % USUAL];
            let same = |known: &&UsualExchange| {
                known.base.is(&prepared.tags)
                    && known.url.is(&request.url)
                    && known.method == request.method
                    && (known.status, known.proto) == (reply.status, reply.proto)
                    && known.is_expected == is_expected
            };
            if let Some(known) = place.as_ref().filter(same) {
                return known.tags.clone();
            }
            let tags = self.make_tags(prepared, request, outcome, is_expected);
            *place = Some(UsualExchange {
                base: prepared.tags.clone(),
                url: request.url.clone(),
                method: request.method.clone(),
                status: reply.status,
                proto: reply.proto,
                is_expected,
                tags: tags.clone(),
            });
            tags
        })
    }

    fn make_tags(
        &self,
        prepared: &Prepared,
        request: &Request,
        outcome: &Result<Reply, Failure>,
        is_expected: Option<bool>,
    ) -> TagSet {
        let reply = outcome.as_ref().ok();
        let status = reply.map_or(0, |reply| reply.status);
        let clean;
        let url = match &prepared.name {
            Some(name) => name.as_str(),
            None if request.url.userinfo.is_none() => request.url.as_str(),
            None => {
                clean = request.url.clean();
                clean.as_str()
            }
        };
        let status_text = status.to_string();
        let code = match outcome {
            Err(failure) => failure.code.to_string(),
            Ok(reply) if reply.status >= 400 => (1000 + reply.status).to_string(),
            Ok(_) => String::new(),
        };
        let ip = reply
            .filter(|_| self.recorder.wants(SystemTag::Ip))
            .and_then(|reply| reply.remote)
            .map(|remote| remote.ip().to_string());
        let ocsp = reply
            .filter(|_| self.recorder.wants(SystemTag::OcspStatus))
            .and_then(|reply| reply.tls.as_ref())
            .map(|tls| tls.ocsp().status);
        let candidates = [
            (SystemTag::Name, url),
            (SystemTag::Url, url),
            (SystemTag::Method, &*request.method),
            (SystemTag::Status, status_text.as_str()),
            (SystemTag::Proto, reply.map_or("", |reply| reply.proto)),
            (
                SystemTag::TlsVersion,
                reply
                    .and_then(|reply| reply.tls.as_ref())
                    .map_or("", |tls| tls.version),
            ),
            (
                SystemTag::ExpectedResponse,
                is_expected.map_or("", |expected| if expected { "true" } else { "false" }),
            ),
            (
                SystemTag::Error,
                outcome
                    .as_ref()
                    .err()
                    .map_or("", |failure| failure.message.as_str()),
            ),
            (SystemTag::ErrorCode, code.as_str()),
            (SystemTag::Ip, ip.as_deref().unwrap_or("")),
            (SystemTag::OcspStatus, ocsp.unwrap_or("")),
        ];
        let mut pairs: Vec<(&str, &str)> =
            Vec::with_capacity(candidates.len() + prepared.params.tags.len());
        // System tags take precedence over tags of the script.
        let own = |key: &str| {
            key == "name"
                || candidates.iter().any(|(tag, value)| {
                    tag.name() == key && !value.is_empty() && self.recorder.wants(*tag)
                })
        };
        pairs.extend(
            prepared
                .params
                .tags
                .iter()
                .filter(|(key, _)| !own(key))
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        pairs.extend(
            candidates
                .iter()
                .filter(|(tag, value)| !value.is_empty() && self.recorder.wants(*tag))
                .map(|(tag, value)| (tag.name(), *value)),
        );
        self.recorder.extend(&prepared.tags, &pairs)
    }
}
