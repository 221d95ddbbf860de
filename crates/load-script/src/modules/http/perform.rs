//! Complete requests: cookies, redirects, samples, log lines.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::SystemTime;

use http_client::client::{Exchanged, Headers, Method, Request};
use http_client::coding;
use http_client::cookies::Cookie;
use http_client::failure::Failure;
use http_client::header_order;
use http_client::reply::{Reply, Timings};
use http_client::url::{Url, UrlError, quoted};
use load_engine::Ending;
use load_engine::log::Level;
use tokio::time::Instant;

use super::agent::Agent;
use super::auth::{Auth, Expects};
use super::debug;
use super::params::ResponseType;
use super::prepare::{INVALID_URL, Prepared};
use super::redirects::{self, Hop};
use super::samples::Sampled;
use super::validity;

/// k6's code for a body that does not match its content coding.
const UNPACKING: u16 = 1701;
/// The default maximum of redirects.
const MAX_REDIRECTS: i64 = 10;

/// A finished request.
pub(super) struct Finished {
    pub(super) reply: Reply,
    pub(super) failure: Option<Failure>,
    /// The final URL after redirects.
    pub(super) url: Option<Url>,
    /// `None` when the request could not be built.
    pub(super) told: Option<OriginalRequest>,
    pub(super) cookies: Vec<super::params::RequestCookie>,
    pub(super) response_type: ResponseType,
    throws: bool,
    /// The text of the failure in log lines and exceptions.
    complaint: String,
}

/// The state of a request on its way to the outcome.
#[derive(Default)]
struct RequestProgress {
    /// The first request, if there were several.
    told: Option<OriginalRequest>,
    /// The part of the body that had arrived when the exchange failed.
    partial: Option<Vec<u8>>,
    /// The times of the last exchange.
    timings: Timings,
    remote: Option<SocketAddr>,
}

/// The data of `response.request`: the first request, as the script defined it.
pub(super) struct OriginalRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Headers,
    /// The script's own `Host` header.
    pub(super) host: Option<String>,
    pub(super) body: Vec<u8>,
}

impl OriginalRequest {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: Rc::clone(&request.headers),
            host: request.host.clone(),
            body: request.body.clone(),
        }
    }
}

impl OriginalRequest {
    /// The cookies that were sent.
    pub(super) fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let line = self.headers.iter().find(|(name, _)| name == "Cookie");
        let pairs = line.into_iter().flat_map(|(_, value)| value.split("; "));
        pairs.filter_map(|pair| pair.split_once('='))
    }
}

impl From<Request> for OriginalRequest {
    fn from(request: Request) -> Self {
        Self {
            method: request.method,
            url: request.url,
            headers: request.headers,
            host: request.host,
            body: request.body,
        }
    }
}

impl Finished {
    /// The message of the exception that the script asked for instead of a failed response.
    pub(super) fn thrown(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        if failure.code == Failure::EXCEPTION && self.told.is_some() {
            return Some(failure.message.clone());
        }
        self.throws.then(|| self.complaint.clone())
    }

    /// A request that could not be built.
    pub(super) fn refused(code: u16, message: String) -> Self {
        Self {
            failure: Some(Failure::new(code, message)),
            ..Self::nothing()
        }
    }

    /// A request that was never sent because another one in its batch is invalid.
    pub(super) fn nothing() -> Self {
        Self {
            reply: Reply::default(),
            failure: None,
            url: None,
            told: None,
            cookies: Vec::new(),
            response_type: ResponseType::None,
            throws: false,
            complaint: String::new(),
        }
    }

    /// The final URL after redirects; empty when the request could not be built.
    pub(super) fn url(&self) -> &str {
        self.url.as_ref().map_or("", Url::as_str)
    }

    /// k6's error code of the outcome, 0 for success.
    pub(super) fn error_code(&self) -> u16 {
        match &self.failure {
            Some(failure) => failure.code,
            None if self.reply.status >= 400 => 1000 + self.reply.status,
            None => 0,
        }
    }
}

/// Runs a request to its end, redirects included.
pub(super) async fn perform(agent: Agent, mut prepared: Box<Prepared>) -> Finished {
    let url = match std::mem::replace(&mut prepared.url, Err(UrlError::NoHost)) {
        Ok(url) => url,
        Err(error) => return agent.fail(prepared, &error),
    };
    let deadline = Instant::now() + prepared.params.timeout;
    let mut request = Request {
        method: prepared.method.clone(),
        url,
        headers: Headers::default(),
        authorization: None,
        host: prepared.host.take(),
        body: std::mem::take(&mut prepared.body.bytes),
        has_body: prepared.body.is_given,
        keeps_body: prepared.params.response_type != ResponseType::None,
        deadline,
    };
    request.headers = agent.headers(&prepared, &request.url, &Hop::default());
    let mut course = RequestProgress::default();
    // With a timeout of zero it expires at once, however fast the server is.
    let is_late = prepared.params.timeout.is_zero();
    let fault = is_late
        .then(Failure::timeout)
        .or_else(|| validity::fault(&request));
    if let Some(failure) = fault {
        let outcome = Err(failure);
        agent.sample(&prepared, &request, Sampled::unsent(&outcome));
        return agent.finish(prepared, request, course, outcome);
    }
    let outcome = agent.follow_all(&prepared, &mut request, &mut course).await;
    agent.finish(prepared, request, course, outcome)
}

/// A method as the log writes it: `Get`.
fn verb(method: &str) -> String {
    let is_plain = method.bytes().all(|b| (0x20..0x7f).contains(&b));
    match method.split_at_checked(1) {
        Some((first, rest)) if is_plain => first.to_owned() + &rest.to_ascii_lowercase(),
        _ => method.to_owned(),
    }
}

impl Agent {
    /// Sends the request and follows redirects. `request` is the last one afterwards.
    async fn follow_all(
        &self,
        prepared: &Prepared,
        request: &mut Request,
        course: &mut RequestProgress,
    ) -> Result<Reply, Failure> {
        let limit = prepared.params.redirects.map_or_else(
            || self.run.options().max_redirects.unwrap_or(MAX_REDIRECTS),
            |n| n as i64,
        );
        let mut hop = Hop::default();
        let mut followed = 0;
        loop {
            let reply = self.send(prepared, request, course).await?;
            let Some(target) = redirects::target(&reply, request) else {
                return Ok(reply);
            };
            if followed >= limit {
                if prepared.params.redirects.is_none() && self.run.options().max_redirects.is_none()
                {
                    self.warn_redirects(&request.url, followed + 1);
                }
                return Ok(reply);
            }
            let target = target?;
            followed += 1;
            let first = &course
                .told
                .get_or_insert_with(|| OriginalRequest::of(request))
                .url;
            hop = hop.next(first, &request.url, &target, reply.status);
            redirects::follow(request, target, reply.status);
            request.headers = self.headers(prepared, &request.url, &hop);
            if let Err(error) = request.url.usable() {
                let failure = Failure::new(error.code_of_sending().unwrap_or(0), error.to_string());
                (course.timings, course.remote) = (Timings::default(), None);
                let outcome = Err(failure);
                self.sample(prepared, request, Sampled::unsent(&outcome));
                return outcome;
            }
        }
    }

    /// Sends one request, several times if authentication requires it.
    async fn send(
        &self,
        prepared: &Prepared,
        request: &mut Request,
        course: &mut RequestProgress,
    ) -> Result<Reply, Failure> {
        let mut auth = Auth::begin(&prepared.params.auth, request);
        loop {
            let dump = debug::Dump::begin(self, prepared, request);
            let exchange = self.run.exchanges().map(|log| log.begin(&request.headers));
            let mut exchanged = self.client.send(request).await;
            if let Some(exchange) = exchange {
                let ending = match &exchanged.outcome {
                    Ok(_) => Ending::Answered,
                    Err(_) => Ending::Failed,
                };
                exchange.end_after(ending, exchanged.timings.duration());
            }
            course.partial = exchanged.partial.take();
            course.timings = exchanged.timings;
            course.remote = exchanged.remote;
            dump.end(&exchanged.outcome);
            let answer = exchanged
                .outcome
                .as_ref()
                .ok()
                .and_then(|reply| auth.answer(reply, request));
            let expects = auth.expects();
            let outcome = self.take_up(prepared, request, exchanged, expects);
            match answer {
                None => return outcome,
                Some(Ok(authorization)) => request.authorization = Some(authorization),
                Some(Err(why)) => return Err(Failure::new(1000, why)),
            }
        }
    }

    /// The headers of a request on a hop, without what the connection adds.
    fn headers(&self, prepared: &Prepared, url: &Url, hop: &Hop) -> Headers {
        let mut headers = hop.headers(&prepared.headers);
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
            for (_, value) in &cookies {
                if let Some(complaint) = validity::cookie_complaint(value) {
                    self.logger.log(Level::Info, &complaint, &[]);
                }
            }
            let line: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={}", validity::cookie_value(value)))
                .collect();
            let headers = Rc::make_mut(&mut headers);
            // The script's own header comes first.
            match headers.iter_mut().find(|(name, _)| name == "Cookie") {
                Some((_, own)) => *own = format!("{own}; {}", line.join("; ")),
                None => header_order::set(headers, "Cookie".to_owned(), line.join("; ")),
            }
        }
        headers
    }

    /// Processes one exchange: cookies, the decoded body, samples.
    fn take_up(
        &self,
        prepared: &Prepared,
        request: &Request,
        exchanged: Exchanged,
        expects: Expects,
    ) -> Result<Reply, Failure> {
        let mut outcome = exchanged.outcome;
        if let Ok(reply) = &outcome
            && reply.sets_cookies
        {
            keep_cookies(prepared, request, reply);
        }
        if outcome.as_ref().is_ok_and(|reply| reply.is_encoded) {
            outcome = outcome.and_then(decode);
        }
        if let Ok(reply) = &outcome
            && let Some(Err(failure)) = redirects::target(reply, request)
        {
            outcome = Err(failure);
        }
        if !matches!(&outcome, Err(failure) if failure.code == Failure::EXCEPTION) {
            let sampled = Sampled {
                outcome: &outcome,
                timings: exchanged.timings,
                expects,
            };
            self.sample(prepared, request, sampled);
        }
        outcome
    }

    fn finish(
        &self,
        prepared: Box<Prepared>,
        request: Request,
        course: RequestProgress,
        outcome: Result<Reply, Failure>,
    ) -> Finished {
        let has_head = course.partial.is_some();
        let (reply, failure) = match outcome {
            Ok(reply) => (reply, None),
            Err(failure) => {
                let reply = Reply {
                    body: course.partial,
                    timings: course.timings,
                    remote: course.remote,
                    ..Reply::default()
                };
                (reply, Some(failure))
            }
        };
        let complaint = failure.as_ref().map_or_else(String::new, |failure| {
            // Go's client returns when the head has arrived.
            if has_head || failure.code == UNPACKING {
                return failure.detail.clone();
            }
            let (verb, url) = (verb(&request.method), request.url.clean());
            format!("{verb} \"{url}\": {}", failure.detail)
        });
        if failure
            .as_ref()
            .is_some_and(|failure| failure.code != Failure::EXCEPTION)
            && !prepared.params.throws
        {
            self.warn_failure(&complaint);
        }
        Finished {
            reply,
            failure,
            url: Some(request.url.clone()),
            told: Some(
                course
                    .told
                    .unwrap_or_else(|| OriginalRequest::from(request)),
            ),
            cookies: prepared.params.cookies,
            response_type: prepared.params.response_type,
            throws: prepared.params.throws,
            complaint,
        }
    }

    /// A request with an invalid URL. k6 notices an unknown scheme or a missing host only when it sends, and
    /// counts the request; other errors when it parses the URL.
    fn fail(&self, prepared: Box<Prepared>, error: &UrlError) -> Finished {
        let text = &prepared.url_text;
        if let Some(code) = error.code_of_sending() {
            let failure = Failure::new(code, error.to_string());
            let deadline = Instant::now();
            let request = Request {
                method: prepared.method.clone(),
                headers: Rc::clone(&prepared.headers),
                ..Request::to_get(Url::unusable(text), "", deadline)
            };
            let outcome = Err(failure);
            self.sample(&prepared, &request, Sampled::unsent(&outcome));
            return self.finish(prepared, request, RequestProgress::default(), outcome);
        }
        let message = format!("invalid URL: parse {}: {error}", quoted(text));
        // The params have not been read at that point.
        let throws = self.run.options().throw.unwrap_or(false);
        if !throws {
            self.warn_failure(&message);
        }
        Finished {
            throws,
            complaint: message.clone(),
            ..Finished::refused(INVALID_URL, message)
        }
    }

    fn warn_failure(&self, complaint: &str) {
        self.logger
            .log(Level::Warn, "Request Failed", &[("error", complaint)]);
    }

    fn warn_redirects(&self, url: &Url, followed: i64) {
        let message = format!(
            "Stopped after {followed} redirects and returned the redirection; pass {{ redirects: n }} in request params or set global maxRedirects to silence this"
        );
        self.logger
            .log(Level::Warn, &message, &[("url", url.as_str())]);
    }
}

fn keep_cookies(prepared: &Prepared, request: &Request, reply: &Reply) {
    let lines = reply
        .lines()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    for cookie in lines.filter_map(|(_, value)| Cookie::parse(&value)) {
        let jar = &prepared.params.jar;
        jar.set(&request.url, cookie, SystemTime::now());
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
        Err(error) => {
            let what = "error decompressing response body";
            let detail = format!("{what} ({error})");
            let mut failure = Failure::new(UNPACKING, format!("{what} ({detail})"));
            failure.detail = detail;
            Err(failure)
        }
    }
}
