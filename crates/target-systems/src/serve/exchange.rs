//! A request from its head to its response: route, auth, body, network, response.

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

/// Maximum number of characters of a request id or tenant.
const MOST_ID_CHARS: usize = 256;
/// Maximum number of entries of `Server-Timing`.
const MOST_TIMINGS: usize = 16;

/// Handles all requests except those to built-in routes.
pub(super) async fn answer(target: Arc<Target>, request: Request) -> Response {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let live = target.control.live();
    let mut exchange = Exchange::begin(&target, &live, &parts.headers, arrived);
    match exchange.carry_out(parts, body).await {
        Ok(response) => response,
        Err(error) => exchange.refuse(&error),
    }
}

/// A request that is rejected before it reaches the network, or instead.
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

    pub(super) fn with(self, name: HeaderName, value: impl Into<String>) -> Self {
        Self {
            extra: Some((name, value.into())),
            ..self
        }
    }
}

/// A request, or a message of a WebSocket, in progress; it is recorded in journal and metrics when it ends,
/// however it ends.
pub(super) struct Exchange {
    pub(super) target: Arc<Target>,
    pub(super) live: Live,
    pub(super) arrived: Instant,
    pub(super) entry: Entry,
    tenant: Arc<str>,
    /// The id given by the caller, or the index in the tenant's stream.
    id: String,
    named: bool,
    pub(super) endpoint: Option<usize>,
    /// Error of invalid headers.
    wrong: Option<String>,
    is_message: bool,
    inside: Option<Ticket>,
    ended: bool,
}

/// The identity of a request, from its headers.
struct Named {
    tenant: String,
    id: Option<String>,
    attempt: u32,
}

impl Exchange {
    fn begin(target: &Arc<Target>, live: &Live, headers: &HeaderMap, arrived: Instant) -> Self {
        let mut wrong = None;
        let mut read = |name: &HeaderName| {
            text(headers, name).unwrap_or_else(|detail| {
                wrong.get_or_insert(detail);
                None
            })
        };
        let named = Named {
            tenant: read(&own::TENANT_ID).unwrap_or_default(),
            id: read(&own::REQUEST_ID),
            attempt: read(&own::ATTEMPT)
                .and_then(|text| text.parse().ok())
                .unwrap_or(1)
                .max(1),
        };
        let mut exchange = Self::known(target, live, named, arrived);
        exchange.wrong = wrong;
        exchange
    }

    /// A message received over the WebSocket of an endpoint.
    pub(super) fn message(
        target: &Arc<Target>,
        endpoint: &str,
        tenant: &str,
        id: Option<String>,
    ) -> Self {
        let live = target.control.live();
        let named = Named {
            tenant: tenant.to_owned(),
            id: id.filter(|id| id.chars().count() <= MOST_ID_CHARS),
            attempt: 1,
        };
        let mut message = Self::known(target, &live, named, Instant::now());
        message.is_message = true;
        let mut endpoints = live.endpoints.iter();
        if let Some(place) = endpoints.position(|one| one.name == endpoint) {
            message.know(place);
        }
        message
    }

    fn known(target: &Arc<Target>, live: &Live, named: Named, arrived: Instant) -> Self {
        let index = target.tally.next(&named.tenant);
        let is_named = named.id.is_some();
        let id = named.id.unwrap_or_else(|| format!("req-{index}"));
        let entry = Entry::begin(&named.tenant, &id, live.revision, index, named.attempt);
        target.metrics.in_flight.inc();
        Self {
            target: target.clone(),
            live: live.clone(),
            arrived,
            entry,
            tenant: named.tenant.into(),
            id,
            named: is_named,
            endpoint: None,
            wrong: None,
            is_message: false,
            inside: None,
            ended: false,
        }
    }

    fn know(&mut self, place: usize) {
        self.endpoint = Some(place);
        let route = &self.live.system.document.endpoints[place].route;
        self.entry.know(&self.live.endpoints[place].name, route);
    }

    async fn carry_out(&mut self, mut parts: Parts, body: Body) -> Result<Response, Refused> {
        let live = self.live.clone();
        let (place, path) = self.route(&parts)?;
        if let Some(wrong) = self.wrong.take() {
            return Err(Refused::new(400, "bad_request", wrong));
        }
        self.authorise(&parts.headers)?;
        let query = query(parts.uri.query().unwrap_or_default());
        let endpoint = &live.endpoints[place];
        if let Some(hub) = endpoint.hub {
            let talk = Talk {
                target: self.target.clone(),
                endpoint: endpoint.name.clone(),
                tenant: self.tenant.clone(),
            };
            let mut response = socket::upgrade(talk, &live, hub, &mut parts).await?;
            self.entry.status = response.status().as_u16();
            self.end();
            self.sign(&mut response);
            return Ok(response);
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
            Outcome::Succeeded { .. } => filling
                .body()
                .map_err(|detail| Refused::new(422, "bad_request", detail))?,
            Outcome::Failed(failed) => failure_body(failed),
            Outcome::Left => json!({ "detail": "the client left", "error_type": "left" }),
        };
        Ok(self.respond(&finished, origin, body))
    }

    /// The matching endpoint, and the parameters of the path.
    fn route(&mut self, parts: &Parts) -> Result<(usize, BTreeMap<String, String>), Refused> {
        let path = parts.uri.path();
        match self.live.routes.find(parts.method.as_str(), path) {
            Found::Endpoint(place, values) => {
                self.know(place);
                Ok((place, values))
            }
            Found::OtherMethods(methods) => {
                let detail = format!("{path} does not support {}", parts.method);
                let allow = methods.join(", ");
                Err(Refused::new(405, "method_not_allowed", detail).with(header::ALLOW, allow))
            }
            Found::Nothing => {
                let detail = format!("no such path: {path}; GET / lists all paths");
                Err(Refused::new(404, "not_found", detail))
            }
        }
    }

    /// Checks the token: one that is sent has to be valid, and the mode may require one. Endpoints that log
    /// in are open.
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
        match given.map(bearer) {
            None if auth.mode == AuthMode::Required && !logs_in => {
                Err(unauthorized("a bearer token is required; log in first"))
            }
            None => Ok(()),
            Some(Some(token)) if self.target.tokens.holds(token) => Ok(()),
            Some(_) => Err(unauthorized("the bearer token is unknown or has expired")),
        }
    }

    /// Issues a token for a user who logs in.
    fn log_in(&self, place: usize, accepted: &Accepted) -> Result<Option<String>, Refused> {
        let document = &self.live.system.document;
        let (Some(store), Some(auth)) = (&document.endpoints[place].login, &document.edge.auth)
        else {
            return Ok(None);
        };
        let field = |name: &str| accepted.body.get(name).and_then(|value| value.as_str());
        let known = field("username").and_then(|name| auth.users.get(name));
        if known.is_none() || known.map(String::as_str) != field("password") {
            let refused = Refused::new(401, "unauthorized", "wrong username or password");
            return Err(refused.with(header::WWW_AUTHENTICATE, "Bearer"));
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

    /// Passes the request through the network, to its end at the model's time.
    pub(super) async fn pass(
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
        self.finish(finished, origin);
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

    /// Records the outcome from the network, at the model's time.
    pub(super) fn finish(&mut self, finished: &Finished, origin: Instant) {
        let due = origin + finished.at;
        let late = Instant::now().saturating_duration_since(due);
        let target = self.target.clone();
        target.metrics.delivered(late);
        self.entry.finish(finished, &self.live.system.plan);
        target.metrics.finished(finished, &self.live);
    }

    /// Times of components without waiting, and the total waiting time.
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

    /// Fails for a reason outside the network; returns the response.
    pub(super) fn fail(
        &mut self,
        status: u16,
        error_type: &'static str,
        detail: &str,
    ) -> serde_json::Value {
        self.entry.fail(error_type, status);
        json!({ "detail": detail, "error_type": error_type })
    }

    pub(super) fn told(&mut self, refused: &Refused) -> serde_json::Value {
        self.fail(refused.status, refused.error_type, &refused.detail)
    }

    fn refuse(&mut self, refused: &Refused) -> Response {
        let body = self.told(refused);
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

    /// Records the request in journal and metrics.
    pub(super) fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.entry.actual_us = micros(self.arrived.elapsed());
        let endpoint = self
            .endpoint
            .map_or("", |place| self.live.endpoints[place].name.as_str());
        let metrics = &self.target.metrics;
        match self.is_message {
            true => metrics.message(endpoint, &self.entry, self.arrived.elapsed()),
            false => metrics.answered(endpoint, &self.entry, self.arrived.elapsed()),
        }
        self.target.metrics.in_flight.dec();
        self.target.journal.record(self.entry.clone());
    }
}

impl Drop for Exchange {
    /// Called when the client has disconnected.
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

/// The header with the treatment of the request, in the format of the mock detectors.
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

pub(super) fn failure_body(failed: &Failed) -> serde_json::Value {
    let detail = failed.detail.as_deref();
    let detail = detail.unwrap_or_else(|| failed.cause.detail());
    json!({ "detail": detail, "error_type": failed.cause.name() })
}

/// The token of credentials; the scheme is case-insensitive (RFC 9110, 11.1).
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
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
            "body: was not sent completely",
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
