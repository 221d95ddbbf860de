//! A request from its head to its answer: route, auth, body, network, answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::Request};
use detector_api::header as own;
use serde_json::json;
use simulated_server::{Decided, decision_header};

use super::Target;
use super::answer::Filling;
use super::entry::{Entry, micros};
use super::playing::Playing;
use super::route::Found;
use super::socket::{self, Talk};
use crate::document::AuthMode;
use crate::network::{Arrival, Failed, Finished, Key, Outcome, Ticket};
use crate::request::{Accepted, Incoming};

type Live = Arc<live_config::Live<Playing>>;

/// Characters of a request id or tenant at most.
const MOST_ID_CHARS: usize = 256;
/// Entries of `Server-Timing` at most.
const MOST_TIMINGS: usize = 16;

/// Answers whatever is not the shell's own.
pub(super) async fn answer(target: Arc<Target>, request: Request) -> Response {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let live = target.control.live();
    let mut exchange = match Exchange::begin(&target, &live, &parts, arrived) {
        Ok(exchange) => exchange,
        Err(refusal) => return *refusal,
    };
    match exchange.carry_out(parts, body).await {
        Ok(response) => response,
        Err(error) => exchange.refuse(&error),
    }
}

/// A request that the shell refuses, before or instead of the network.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    error_type: &'static str,
    detail: String,
    extra: Option<(HeaderName, String)>,
}

impl Refused {
    pub(super) fn new(status: u16, error_type: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            error_type,
            detail: detail.into(),
            extra: None,
        }
    }

    fn with(self, name: HeaderName, value: impl Into<String>) -> Self {
        Self {
            extra: Some((name, value.into())),
            ..self
        }
    }
}

/// A request while it is here; in journal and metrics when it leaves, however it leaves.
struct Exchange {
    target: Arc<Target>,
    live: Live,
    arrived: Instant,
    entry: Entry,
    tenant: Arc<str>,
    /// As the caller named it, or its place in the tenant's stream.
    id: String,
    named: bool,
    endpoint: Option<usize>,
    inside: Option<Ticket>,
    ended: bool,
}

impl Exchange {
    fn begin(
        target: &Arc<Target>,
        live: &Live,
        parts: &Parts,
        arrived: Instant,
    ) -> Result<Self, Box<Response>> {
        let tenant = text(&parts.headers, &own::TENANT_ID)
            .map_err(bad_header)?
            .unwrap_or_default();
        let id = text(&parts.headers, &own::REQUEST_ID).map_err(bad_header)?;
        let attempt = text(&parts.headers, &own::ATTEMPT).map_err(bad_header)?;
        let index = target.tally.next(&tenant);
        let attempt = attempt
            .and_then(|text| text.parse().ok())
            .unwrap_or(1)
            .max(1);
        let named = id.is_some();
        let id = id.unwrap_or_else(|| format!("req-{index}"));
        let entry = Entry::begin(&tenant, &id, live.revision, index, attempt);
        target.metrics.in_flight.inc();
        Ok(Self {
            target: target.clone(),
            live: live.clone(),
            arrived,
            entry,
            tenant: tenant.into(),
            id,
            named,
            endpoint: None,
            inside: None,
            ended: false,
        })
    }

    async fn carry_out(&mut self, mut parts: Parts, body: Body) -> Result<Response, Refused> {
        let live = self.live.clone();
        let (place, path) = self.route(&parts)?;
        self.authorise(&parts.headers)?;
        let query = query(parts.uri.query().unwrap_or_default());
        let endpoint = &live.endpoints[place];
        if let Some(hub) = endpoint.hub {
            self.ended = true;
            self.target.metrics.in_flight.dec();
            let talk = Talk {
                target: self.target.clone(),
                endpoint: place,
                tenant: self.tenant.clone(),
            };
            return socket::upgrade(talk, hub, &mut parts).await;
        }
        let limit = endpoint.expected.max_bytes();
        let body = read(body, &parts.headers, limit).await?;
        let incoming = Incoming {
            body,
            query: query.clone(),
            path: path.clone(),
        };
        let accepted = endpoint
            .expected
            .accept(&incoming)
            .map_err(|refusal| Refused::new(refusal.status, "bad_request", refusal.detail))?;
        let token = self.log_in(place, &accepted)?;
        let bytes = incoming.body.len() as u64 + endpoint.answer_bytes;
        let (finished, origin) = self.pass(place, bytes, &accepted).await?;
        let filling = Filling {
            plan: &live.system.plan,
            answer: &live.system.document.endpoints[place].answer,
            accepted: &accepted,
            path: &path,
            query: &query,
            finished: &finished,
            root: live.root.text(&self.tenant).text(&self.id),
            token: token.as_deref(),
        };
        let body = match &finished.outcome {
            Outcome::Succeeded { .. } => filling.body(),
            Outcome::Failed(failed) => failure_body(failed),
            Outcome::Left => json!({ "detail": "the client left", "error_type": "left" }),
        };
        Ok(self.respond(&finished, origin, body))
    }

    /// The endpoint that is meant, and the parameters of the path.
    fn route(&mut self, parts: &Parts) -> Result<(usize, BTreeMap<String, String>), Refused> {
        let path = parts.uri.path();
        match self.live.routes.find(parts.method.as_str(), path) {
            Found::Endpoint(place, values) => {
                self.endpoint = Some(place);
                let route = &self.live.system.document.endpoints[place].route;
                self.entry.know(&self.live.endpoints[place].name, route);
                Ok((place, values))
            }
            Found::OtherMethods(methods) => {
                let detail = format!("{path} is not offered with {}", parts.method);
                let allow = methods.join(", ");
                Err(Refused::new(405, "method_not_allowed", detail).with(header::ALLOW, allow))
            }
            Found::Nothing => {
                let detail = format!("nothing is at {path}; GET / lists what this system offers");
                Err(Refused::new(404, "not_found", detail))
            }
        }
    }

    /// A token that is there has to hold; where the mode says so, one has to be there. Endpoints
    /// that log in are open.
    fn authorise(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let Some(auth) = &self.live.system.document.edge.auth else {
            return Ok(());
        };
        let logs_in = self
            .endpoint
            .is_some_and(|place| self.live.system.document.endpoints[place].login.is_some());
        let unauthorized = |detail: &str| {
            Refused::new(401, "unauthorized", detail).with(header::WWW_AUTHENTICATE, "Bearer")
        };
        let given = headers
            .get(header::AUTHORIZATION)
            .map(|value| value.to_str().unwrap_or(""));
        match given.map(|value| value.strip_prefix("Bearer ").map(str::trim)) {
            None if auth.mode == AuthMode::Required && !logs_in => {
                Err(unauthorized("a bearer token is required; log in first"))
            }
            None => Ok(()),
            Some(Some(token)) if self.target.tokens.holds(token) => Ok(()),
            Some(_) => Err(unauthorized("the bearer token is unknown or has expired")),
        }
    }

    /// The token of a user who logs in.
    fn log_in(&self, place: usize, accepted: &Accepted) -> Result<Option<String>, Refused> {
        let document = &self.live.system.document;
        let (Some(store), Some(auth)) = (&document.endpoints[place].login, &document.edge.auth)
        else {
            return Ok(None);
        };
        let field = |name: &str| accepted.body.get(name).and_then(|value| value.as_str());
        let known = field("username").and_then(|name| auth.users.get(name));
        if known.is_none() || known.map(String::as_str) != field("password") {
            return Err(Refused::new(
                401,
                "unauthorized",
                "wrong username or password",
            ));
        }
        let capacity = document
            .stores
            .get(store)
            .map_or(1, |store| store.capacity as usize);
        let lasts = self.live.token_lasts();
        Ok(Some(self.target.tokens.give(
            self.live.root,
            lasts,
            capacity,
        )))
    }

    /// Through the network, to the end at its time.
    async fn pass(
        &mut self,
        place: usize,
        bytes: u64,
        accepted: &Accepted,
    ) -> Result<(Finished, Instant), Refused> {
        let key = if self.named {
            Key::Named(self.id.as_str().into())
        } else {
            Key::Index(self.entry.index)
        };
        let (ticket, origin, end) = self.target.clock.arrive(
            &self.live,
            Arrival {
                endpoint: place,
                tenant: self.tenant.clone(),
                key,
                attempt: self.entry.attempt,
                index: self.entry.index,
                bytes,
                input: accepted.input.clone(),
            },
        );
        self.inside = Some(ticket);
        let finished = end.await.map_err(|_| {
            Refused::new(503, "unavailable", "the system was reset").with(header::RETRY_AFTER, "1")
        })?;
        self.inside = None;
        Ok((finished, origin))
    }

    fn respond(
        &mut self,
        finished: &Finished,
        origin: Instant,
        body: serde_json::Value,
    ) -> Response {
        let due = origin + finished.at;
        let late = Instant::now().saturating_duration_since(due);
        let target = self.target.clone();
        target.metrics.delivered(late);
        self.entry.finish(finished, &self.live.system.plan);
        target.metrics.finished(finished, &self.live);
        let status = StatusCode::from_u16(finished.outcome.status().unwrap_or(499));
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        if let Outcome::Failed(failed) = &finished.outcome {
            if let Some(wait) = failed.retry_after {
                put(
                    &mut response,
                    header::RETRY_AFTER,
                    &whole_seconds(wait).to_string(),
                );
            }
            if failed.close {
                *response.body_mut() = broken();
            }
        }
        put(
            &mut response,
            HeaderName::from_static("server-timing"),
            &self.timings(finished),
        );
        self.end();
        self.sign(&mut response);
        response
    }

    /// Times of components without waiting, and all waiting together.
    fn timings(&self, finished: &Finished) -> String {
        let plan = &self.live.system.plan;
        let mut times: Vec<(&str, Duration)> = Vec::new();
        for visit in &finished.visits {
            let name = plan
                .components
                .get(visit.component as usize)
                .map_or("edge", |one| &one.name);
            let took = visit.cpu + visit.disk + visit.network + visit.service;
            match times.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += took,
                None => times.push((name, took)),
            }
        }
        times.truncate(MOST_TIMINGS - 1);
        times.push(("queue", finished.queued()));
        let shown = times
            .iter()
            .map(|(name, time)| format!("{name};dur={:.3}", time.as_secs_f64() * 1e3));
        shown.collect::<Vec<_>>().join(", ")
    }

    fn refuse(&mut self, refused: &Refused) -> Response {
        self.entry.fail(refused.error_type, refused.status);
        let body = json!({ "detail": refused.detail, "error_type": refused.error_type });
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(body)).into_response();
        if let Some((name, value)) = &refused.extra {
            put(&mut response, name.clone(), value);
        }
        self.end();
        self.sign(&mut response);
        response
    }

    fn sign(&self, response: &mut Response) {
        let degraded = self.target.metrics.is_degraded();
        response
            .headers_mut()
            .insert(own::DECISION, decision(&self.entry, degraded));
        put(response, own::REQUEST_ID, &self.id);
    }

    /// Into journal and metrics.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.entry.actual_us = micros(self.arrived.elapsed());
        let endpoint = self
            .endpoint
            .map_or("", |place| self.live.endpoints[place].name.as_str());
        self.target
            .metrics
            .answered(endpoint, &self.entry, self.arrived.elapsed());
        self.target.metrics.in_flight.dec();
        self.target.journal.record(self.entry.clone());
    }
}

impl Drop for Exchange {
    /// The client went away.
    fn drop(&mut self) {
        if let Some(ticket) = self.inside.take() {
            self.target.clock.leave(ticket);
        }
        if !self.ended {
            self.entry.cancelled = true;
            self.end();
        }
    }
}

/// The header that says what was done; the mocks' form.
fn decision(entry: &Entry, degraded: bool) -> HeaderValue {
    decision_header::value(&Decided {
        revision: entry.revision,
        index: entry.index,
        key: &entry.key,
        fault: &entry.fault,
        planned_us: entry.planned_us,
        queued_us: entry.queued_us,
        actual_us: entry.actual_us,
        degraded,
    })
}

fn failure_body(failed: &Failed) -> serde_json::Value {
    let name = failed.cause.name();
    let detail = match name {
        "queue_full" => "too many requests wait for this system",
        "queue_timeout" => "the request waited too long for a worker",
        "pool_exhausted" => "no connection was free in time",
        "timeout" => "the request was not done before its deadline",
        "crashed" => "the instance that worked on the request crashed",
        "unavailable" => "no instance is up",
        "disk_full" => "there is no room for what was to be stored",
        "rate_limited" => "too many requests in a short time",
        "not_found" => "there is no such entry",
        "conflict" => "the entry is in another state",
        "bad_request" => "the request names no usable id",
        "injected" => "a fault was injected",
        _ => "the flow of the endpoint ends here",
    };
    json!({ "detail": detail, "error_type": name })
}

fn bad_header(detail: String) -> Box<Response> {
    let body = json!({ "detail": detail, "error_type": "bad_request" });
    Box::new((StatusCode::BAD_REQUEST, Json(body)).into_response())
}

/// A header's value as text.
fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, String> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| format!("{name}: visible ASCII is expected"))?
        .trim();
    if text.chars().count() > MOST_ID_CHARS {
        return Err(format!("{name}: has more than {MOST_ID_CHARS} characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn query(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

async fn read(body: Body, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, Refused> {
    let too_large = || {
        let detail = format!("body: more than {limit} bytes");
        Refused::new(413, "bad_request", detail)
    };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if length
        .and_then(|text| text.parse::<usize>().ok())
        .is_some_and(|length| length > limit)
    {
        return Err(too_large());
    }
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) if is_limit(&error) => Err(too_large()),
        Err(_) => Err(Refused::new(
            400,
            "bad_request",
            "body: was not sent to its end",
        )),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_millis().div_ceil(1000) as u64).max(1)
}

/// A body that breaks off: the connection is closed without the rest.
fn broken() -> Body {
    let error = std::io::Error::other("the instance crashed");
    Body::from_stream(futures_util::stream::iter([Err::<bytes::Bytes, _>(error)]))
}
