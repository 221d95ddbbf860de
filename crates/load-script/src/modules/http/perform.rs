//! Requests with all that belongs to them: cookies, redirects, samples, log lines.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use load_engine::RunState;
use load_engine::log::{Level, Logger};
use load_metrics::{Recorder, SystemTag, TagSet, builtin};
use tokio::time::Instant;

use super::params::ResponseType;
use super::prepare::Prepared;
use crate::http::client::{Client, Exchanged, Request};
use crate::http::coding;
use crate::http::cookies::Cookie;
use crate::http::failure::Failure;
use crate::http::reply::{Reply, Timings};
use crate::http::url::{Url, UrlError};
use crate::vu::state::{VuState, now};

/// Redirects that are followed unless an option says otherwise.
const MAX_REDIRECTS: i64 = 10;

/// What requests need of their VU; outlives a call, so that requests can go on in the background.
pub(super) struct Agent {
    client: Rc<Client>,
    recorder: Recorder,
    run: Arc<RunState>,
    logger: Logger,
}

/// A request that is over.
pub(super) struct Finished {
    pub(super) reply: Reply,
    pub(super) failure: Option<Failure>,
    /// Of the last request.
    pub(super) url: String,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) cookies: Vec<super::params::RequestCookie>,
    pub(super) response_type: ResponseType,
    /// It was never sent; there is no request to tell about.
    pub(super) is_refused: bool,
    throws: bool,
}

impl Agent {
    pub(super) fn of(vu: &VuState) -> Self {
        Self {
            client: Rc::clone(&vu.client),
            recorder: vu.recorder.clone(),
            run: Arc::clone(&vu.run),
            logger: vu.logger.clone(),
        }
    }
}

impl Finished {
    /// The message of the exception that the script wants instead of a failed response.
    pub(super) fn thrown(&self) -> Option<String> {
        let failure = self.failure.as_ref().filter(|_| self.throws)?;
        Some(failure.detail.clone())
    }

    /// A request that could not be put together.
    pub(super) fn refused(message: String) -> Self {
        Self {
            reply: Reply::default(),
            failure: Some(Failure::new(0, message)),
            url: String::new(),
            method: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            cookies: Vec::new(),
            response_type: ResponseType::None,
            is_refused: true,
            throws: false,
        }
    }

    /// k6's number for the outcome, 0 for success.
    pub(super) fn error_code(&self) -> u16 {
        match &self.failure {
            Some(failure) => failure.code,
            None if self.reply.status >= 400 => 1000 + self.reply.status,
            None => 0,
        }
    }
}

/// Runs a request to its end, redirects included.
pub(super) async fn perform(agent: Agent, mut prepared: Prepared) -> Finished {
    let url = match std::mem::replace(&mut prepared.url, Err(UrlError::NoHost)) {
        Ok(url) => url,
        Err(error) => {
            let failure = invalid_url(&prepared, &error);
            return agent.fail(prepared, failure);
        }
    };
    let deadline = Instant::now() + prepared.params.timeout;
    let mut request = Request {
        method: prepared.method.clone(),
        url,
        headers: Vec::new(),
        host: prepared.host.take(),
        body: std::mem::take(&mut prepared.body.bytes),
        keeps_body: prepared.params.response_type != ResponseType::None,
        deadline,
    };
    let limit = prepared.params.redirects.map_or_else(
        || agent.run.options().max_redirects.unwrap_or(MAX_REDIRECTS),
        |n| n as i64,
    );
    let mut followed = 0;
    loop {
        request.headers = agent.headers(&prepared, &request.url);
        let exchanged = agent.client.send(&request).await;
        let outcome = agent.take_up(&prepared, &request, exchanged);
        let next = outcome
            .as_ref()
            .ok()
            .and_then(|reply| redirect(reply, &request));
        if let Some(target) = next {
            if followed < limit {
                match target {
                    Ok(target) => {
                        followed += 1;
                        request = follow(request, target, outcome.map_or(0, |reply| reply.status));
                        continue;
                    }
                    Err(failure) => return agent.finish(prepared, request, Err(failure)),
                }
            }
            if prepared.params.redirects.is_none() {
                agent.warn_redirects(&request.url, followed);
            }
        }
        return agent.finish(prepared, request, outcome);
    }
}

/// k6 finds an unknown scheme only when it sends; everything else when it reads the URL.
fn invalid_url(prepared: &Prepared, error: &UrlError) -> Failure {
    let text = &prepared.url_text;
    if let UrlError::Scheme(_) | UrlError::NoHost = error {
        let detail = format!("{} \"{text}\": {error}", verb(&prepared.method));
        return Failure {
            code: 1000,
            message: error.to_string(),
            detail,
        };
    }
    Failure::new(1020, format!("invalid URL: parse \"{text}\": {error}"))
}

/// A method as the log writes it: `Get`.
fn verb(method: &str) -> String {
    let mut verb = method.to_ascii_lowercase();
    if let Some(first) = verb.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    verb
}

/// Where a response sends the client; `None` when it is no redirect.
fn redirect(reply: &Reply, request: &Request) -> Option<Result<Url, Failure>> {
    if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = reply.header("location")?;
    Some(request.url.join(&location).map_err(|error| {
        Failure::new(
            1000,
            format!("failed to parse Location header {location:?}: {error}"),
        )
    }))
}

/// Go's rules: 301, 302 and 303 become GET without a body, HEAD stays; 307 and 308 repeat.
fn follow(request: Request, url: Url, status: u16) -> Request {
    let keeps = matches!(status, 307 | 308);
    let method = match request.method.as_str() {
        _ if keeps => request.method,
        "HEAD" => "HEAD".to_owned(),
        _ => "GET".to_owned(),
    };
    Request {
        method,
        url,
        host: None,
        body: if keeps { request.body } else { Vec::new() },
        ..request
    }
}

impl Agent {
    fn headers(&self, prepared: &Prepared, url: &Url) -> Vec<(String, String)> {
        let mut headers = prepared.headers.clone();
        let jar = &prepared.params.jar;
        let mut cookies = if jar.is_empty() {
            Vec::new()
        } else {
            jar.matching(url, SystemTime::now())
        };
        for cookie in &prepared.params.cookies {
            if cookie.replaces {
                cookies.retain(|(name, _)| *name != cookie.name);
            }
            cookies.push((cookie.name.clone(), cookie.value.clone()));
        }
        if !cookies.is_empty() {
            let line: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            headers.push(("Cookie".to_owned(), line.join("; ")));
        }
        headers
    }

    /// Notes what one exchange brought: cookies, the decoded body, samples.
    fn take_up(
        &self,
        prepared: &Prepared,
        request: &Request,
        exchanged: Exchanged,
    ) -> Result<Reply, Failure> {
        let mut outcome = exchanged.outcome;
        if let Ok(reply) = &outcome
            && reply.sets_cookies
        {
            for (_, value) in reply
                .lines()
                .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            {
                if let Some(cookie) = Cookie::parse(&value) {
                    prepared
                        .params
                        .jar
                        .set(&request.url, cookie, SystemTime::now());
                }
            }
        }
        if outcome.as_ref().is_ok_and(|reply| reply.is_encoded) {
            outcome = outcome.and_then(decode);
        }
        self.sample(prepared, request, &outcome, exchanged.timings);
        outcome
    }

    fn finish(
        &self,
        prepared: Prepared,
        request: Request,
        outcome: Result<Reply, Failure>,
    ) -> Finished {
        let (reply, failure) = match outcome {
            Ok(reply) => (reply, None),
            Err(failure) => (Reply::default(), Some(failure)),
        };
        if let Some(failure) = &failure
            && !prepared.params.throws
        {
            self.warn_failure(&request.method, &request.url.clean(), failure);
        }
        Finished {
            reply,
            failure,
            url: request.url.as_str().to_owned(),
            method: request.method,
            headers: request.headers,
            body: request.body,
            cookies: prepared.params.cookies,
            response_type: prepared.params.response_type,
            is_refused: false,
            throws: prepared.params.throws,
        }
    }

    /// A request that could not even be begun.
    fn fail(&self, prepared: Prepared, failure: Failure) -> Finished {
        if !prepared.params.throws {
            self.logger
                .log(Level::Warn, "Request Failed", &[("error", &failure.detail)]);
        }
        Finished {
            reply: Reply::default(),
            failure: Some(failure),
            url: prepared.url_text,
            method: prepared.method,
            headers: prepared.headers,
            body: prepared.body.bytes,
            cookies: prepared.params.cookies,
            response_type: prepared.params.response_type,
            is_refused: false,
            throws: prepared.params.throws,
        }
    }

    fn warn_failure(&self, method: &str, url: &str, failure: &Failure) {
        let error = format!("{} \"{url}\": {}", verb(method), failure.detail);
        self.logger
            .log(Level::Warn, "Request Failed", &[("error", &error)]);
    }

    fn warn_redirects(&self, url: &Url, followed: i64) {
        let message = format!(
            "Stopped after {followed} redirects and returned the redirection; pass {{ redirects: n }} in request params or set global maxRedirects to silence this"
        );
        self.logger
            .log(Level::Warn, &message, &[("url", url.as_str())]);
    }

    fn sample(
        &self,
        prepared: &Prepared,
        request: &Request,
        outcome: &Result<Reply, Failure>,
        timings: Timings,
    ) {
        let status = outcome.as_ref().map_or(0, |reply| reply.status);
        let is_expected = prepared
            .params
            .expected
            .as_ref()
            .map(|expected| outcome.is_ok() && expected.contains(status));
        let tags = self.tags(prepared, request, (outcome, is_expected));
        let at = now();
        let metadata = prepared.metadata.as_ref();
        let count = |metric, value| {
            self.recorder
                .record_with(metric, &tags, metadata, at, value);
        };
        let time = |metric, time: Duration| count(metric, time.as_secs_f64() * 1000.0);
        count(builtin::HTTP_REQS, 1.0);
        time(builtin::HTTP_REQ_DURATION, timings.duration());
        time(builtin::HTTP_REQ_BLOCKED, timings.blocked);
        time(builtin::HTTP_REQ_CONNECTING, timings.connecting);
        time(builtin::HTTP_REQ_TLS_HANDSHAKING, timings.tls_handshaking);
        time(builtin::HTTP_REQ_SENDING, timings.sending);
        time(builtin::HTTP_REQ_WAITING, timings.waiting);
        time(builtin::HTTP_REQ_RECEIVING, timings.receiving);
        if let Some(expected) = is_expected {
            count(builtin::HTTP_REQ_FAILED, f64::from(u8::from(!expected)));
        }
    }

    fn tags(
        &self,
        prepared: &Prepared,
        request: &Request,
        result: (&Result<Reply, Failure>, Option<bool>),
    ) -> TagSet {
        let (outcome, is_expected) = result;
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
        let candidates = [
            (SystemTag::Name, url),
            (SystemTag::Url, url),
            (SystemTag::Method, request.method.as_str()),
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
        ];
        let mut pairs: Vec<(&str, &str)> =
            Vec::with_capacity(candidates.len() + prepared.params.tags.len());
        pairs.extend(
            candidates
                .into_iter()
                .filter(|(tag, value)| !value.is_empty() && self.recorder.wants(*tag))
                .map(|(tag, value)| (tag.name(), value)),
        );
        pairs.extend(
            prepared
                .params
                .tags
                .iter()
                .filter(|(key, _)| key != "name")
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        self.recorder.extend(&prepared.tags, &pairs)
    }
}

fn decode(mut reply: Reply) -> Result<Reply, Failure> {
    let (Some(body), Some(coding)) = (reply.body.take(), reply.header("content-encoding")) else {
        return Ok(reply);
    };
    if body.is_empty() {
        reply.body = Some(body);
        return Ok(reply);
    }
    match coding::decode(body, &coding) {
        Ok(plain) => {
            reply.body = Some(plain);
            Ok(reply)
        }
        Err(error) => Err(Failure {
            code: 1701,
            message: format!("error decompressing response body: {error}"),
            detail: format!("error decompressing response body: {error}"),
        }),
    }
}
