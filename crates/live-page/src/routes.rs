//! The common routes of all pages.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use hyper::body::Frame;
use report::page::live::{self, Live};
use serde::Deserialize;
use tokio::sync::mpsc::Receiver;

use super::live_run::{LiveRun, Stage};
use super::locust;
use super::record::record;
use super::server::{Connection, Settings};
use super::stream::{Readers, event};

/// The state behind all routes.
pub(crate) struct Page {
    pub board: LiveRun,
    pub settings: Settings,
    pub readers: Readers,
}

pub(crate) type Shown = State<Arc<Page>>;

pub(crate) fn router(page: Arc<Page>) -> Router {
    let router = Router::new()
        .route("/", get(index))
        .route("/events", get(events))
        .route("/live.js", get(script))
        .route("/report", get(report_page))
        .route("/report.json", get(report_json))
        // The path of k6's page.
        .route("/ui/", get(|| async { Redirect::temporary("/") }));
    let router = match page.settings.control {
        Some(_) => router.merge(locust::router()),
        None => router,
    };
    router
        .layer(middleware::from_fn_with_state(Arc::clone(&page), guard))
        .with_state(page)
}

impl Page {
    pub fn new(board: LiveRun, settings: Settings, readers: Readers) -> Arc<Self> {
        Arc::new(Self {
            board,
            settings,
            readers,
        })
    }

    /// Sends the current state to all clients.
    pub fn show(&self) {
        if !self.readers.is_empty() {
            self.readers.send(&self.parts());
        }
    }

    fn parts(&self) -> Bytes {
        let (run, live) = (record(&self.board), self.live());
        event("parts", &live::parts(&run, &live))
    }

    fn live(&self) -> Live {
        let (stage, has_test, forgotten_s) = {
            let shown = self.board.lock();
            let has_test = shown.origin_ms.is_some() && !shown.test.is_empty();
            (shown.stage, has_test, shown.measured.forgotten_s())
        };
        let mut notes = Vec::new();
        match self.readers.dropped() {
            0 => {}
            1 => notes.push("1 client of this page was too slow and was disconnected.".to_owned()),
            n => notes.push(format!(
                "{n} clients of this page were too slow and were disconnected."
            )),
        }
        if forgotten_s > 0 {
            notes.push(format!(
                "The charts no longer include the first {forgotten_s} s."
            ));
        }
        let control = self.settings.control.as_ref();
        Live {
            state: word(stage).to_owned(),
            is_over: stage == Stage::Ended,
            has_test: has_test && stage != Stage::Ended,
            notes,
            period_s: self.settings.period.as_secs_f64(),
            controls: control.map(|control| control.controls(&self.board)),
            links: if control.is_some() {
                locust::LINKS.to_vec()
            } else {
                LINKS.to_vec()
            },
        }
    }
}

const LINKS: [(&str, &str); 2] = [
    ("Report so far", "report?download=1"),
    ("Record as JSON", "report.json"),
];

pub(crate) const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "Starting",
        Stage::Waiting => "Waiting for the start",
        Stage::Running => "Running",
        Stage::Stopping => "Stopping",
        Stage::Ended => "Ended",
    }
}

async fn index(State(page): Shown) -> Html<String> {
    Html(live::page(&record(&page.board), &page.live()))
}

async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        live::SCRIPT,
    )
}

#[derive(Deserialize)]
pub(crate) struct Download {
    download: Option<String>,
}

pub(crate) async fn report_page(State(page): Shown, Query(query): Query<Download>) -> Response {
    let html = Html(report::page::page_alone(&record(&page.board)));
    match query.download {
        Some(_) => (
            [(
                header::CONTENT_DISPOSITION,
                "attachment; filename=report.html",
            )],
            html,
        )
            .into_response(),
        None => html.into_response(),
    }
}

async fn report_json(State(page): Shown) -> impl IntoResponse {
    let text = report::record::write(&record(&page.board));
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// The stream of parts, starting with the current state.
async fn events(State(page): Shown, request: Request) -> Response {
    let connection = request
        .extensions()
        .get::<Connection>()
        .map(|connection| connection.0.clone());
    let Some(events) = page.readers.join(connection.unwrap_or_default()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many readers\n").into_response();
    };
    let body = Events {
        first: Some(page.parts()),
        events,
    };
    (
        [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        Body::new(body),
    )
        .into_response()
}

/// The parts that a client receives.
struct Events {
    first: Option<Bytes>,
    events: Receiver<Bytes>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.events
            .poll_recv(context)
            .map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

/// Rejects cross-site requests, and sets the security headers of responses.
async fn guard(State(page): Shown, request: Request, next: Next) -> Response {
    if let Err(why) = check(
        &page.settings.host,
        request.method(),
        request.uri().path(),
        request.headers(),
    ) {
        return (StatusCode::FORBIDDEN, format!("{why}\n")).into_response();
    }
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Paths that change the run on a GET, as in Locust.
const CHANGING: [&str; 3] = ["/swarm", "/stop", "/stats/reset"];

/// Guards against DNS rebinding and forms of other sites.
fn check(own: &str, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(header::HOST).unwrap_or_default();
    if !host.is_empty() && !is_own_name(own, host) {
        return Err("open this page by its address, by localhost or by its configured name");
    }
    if *method == Method::GET && !CHANGING.contains(&path) {
        return Ok(());
    }
    let is_foreign = match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").map(|(_, origin)| origin) != Some(host),
        None => false,
    };
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if is_foreign || matches!(site, Some("cross-site" | "same-site")) {
        return Err("requests from another site cannot control this run");
    }
    Ok(())
}

fn is_own_name(own: &str, host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case(own)
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_request(method: Method, path: &str, headers: &[(&'static str, &str)], allowed: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        let found = check("loadbox", &method, path, &map);
        assert_eq!(
            found.is_ok(),
            allowed,
            "{method} {path} {headers:?}: {found:?}"
        );
    }

    #[test]
    fn other_sites_can_neither_read_by_a_name_of_theirs_nor_control_the_run() {
        let post = Method::POST;
        check_request(Method::GET, "/", &[("host", "127.0.0.1:5665")], true);
        check_request(Method::GET, "/", &[("host", "[::1]:5665")], true);
        check_request(Method::GET, "/", &[("host", "loadbox:5665")], true);
        check_request(Method::GET, "/", &[], true);
        check_request(Method::GET, "/", &[("host", "evil.example:5665")], false);
        check_request(post.clone(), "/swarm", &[("host", "localhost:8089")], true);
        let own = [
            ("host", "localhost:8089"),
            ("origin", "http://localhost:8089"),
        ];
        check_request(post.clone(), "/swarm", &own, true);
        let other = [
            ("host", "localhost:8089"),
            ("origin", "http://evil.example"),
        ];
        check_request(post, "/swarm", &other, false);
        let image = [("host", "localhost:8089"), ("sec-fetch-site", "cross-site")];
        check_request(Method::GET, "/stop", &image, false);
        check_request(Method::GET, "/stats/requests", &image, true);
    }
}
