//! The routes of k6's REST API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use super::{Control, Refusal, view};
use load_engine::go_text::json_text;

type Run = State<Arc<dyn Control>>;

const JSON: &str = "application/json";
const JSON_UTF8: &str = "application/json; charset=utf-8";
/// k6's content type for metrics and groups.
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn router(control: Arc<dyn Control>) -> Router {
    Router::new()
        .route("/v1/status", get(show_status).patch(change_status))
        .route("/v1/metrics", get(list_metrics))
        .route("/v1/metrics/{id}", get(show_metric))
        .route("/v1/groups", get(list_groups))
        .route("/v1/groups/{id}", get(show_group))
        .route("/v1/setup", get(show_setup).put(set_setup).post(run_setup))
        .route("/v1/teardown", post(run_teardown))
        .route("/v1/", any(nothing_here))
        .route("/v1/{*rest}", any(nothing_here))
        .route("/debug/pprof/{*rest}", any(no_profiling))
        .route("/debug/pprof/", any(no_profiling))
        .fallback(ping)
        .with_state(control)
}

async fn ping() -> &'static str {
    "ok"
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found\n")
}

async fn no_profiling() -> &'static str {
    "To enable profiling, please run k6 with the --profiling-enabled flag"
}

async fn show_status(State(run): Run) -> Response {
    answer(JSON_UTF8, &view::status(&run.status()))
}

async fn change_status(State(run): Run, body: Bytes) -> Response {
    let changed = match parse_change(&body) {
        Ok(change) => change.apply(run.as_ref()).await,
        Err(refusal) => Err(refusal),
    };
    match changed {
        Ok(()) => answer(JSON_UTF8, &view::status(&run.status())),
        Err(refusal) => refuse(JSON_UTF8, &refusal),
    }
}

async fn list_metrics(State(run): Run) -> Response {
    let all: Vec<Value> = run.metrics().iter().map(view::metric).collect();
    answer(TEXT, &json!({"data": all}))
}

async fn show_metric(State(run): Run, Path(id): Path<String>) -> Response {
    match run.metrics().iter().find(|metric| metric.name == id) {
        Some(metric) => answer(TEXT, &json!({"data": view::metric(metric)})),
        None => refuse(TEXT, &not_found("No metric with that ID was found")),
    }
}

async fn list_groups(State(run): Run) -> Response {
    let all = view::groups(&run.groups(), &run.checks());
    answer(TEXT, &json!({"data": all}))
}

async fn show_group(State(run): Run, Path(id): Path<String>) -> Response {
    let all = view::groups(&run.groups(), &run.checks());
    match all.into_iter().find(|group| group["id"] == *id) {
        Some(group) => answer(TEXT, &json!({"data": group})),
        None => refuse(TEXT, &not_found("No group with that ID was found")),
    }
}

async fn show_setup(State(run): Run) -> Response {
    answer(JSON, &view::setup_data(run.setup_data()))
}

async fn set_setup(State(run): Run, body: Bytes) -> Response {
    if body.is_empty() {
        run.set_setup_data(None);
        return answer(JSON, &view::setup_data(None));
    }
    match parse(&body) {
        Ok(data) => {
            run.set_setup_data(Some(data));
            answer(JSON, &view::setup_data(run.setup_data()))
        }
        Err(detail) => refuse(
            TEXT,
            &Refusal {
                status: 400,
                title: "Error parsing request body",
                detail,
            },
        ),
    }
}

async fn run_setup(State(run): Run) -> Response {
    match run.run_setup().await {
        Ok(()) => answer(JSON, &view::setup_data(run.setup_data())),
        Err(refusal) => refuse(TEXT, &refusal),
    }
}

async fn run_teardown(State(run): Run) -> Response {
    match run.run_teardown().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refuse(TEXT, &refusal),
    }
}

/// The body of a PATCH of the status.
#[derive(Debug, Default, PartialEq)]
struct Change {
    paused: Option<bool>,
    stopped: bool,
    vus: Option<i64>,
    vus_max: Option<i64>,
}

impl Change {
    /// A stop takes precedence, as in k6.
    async fn apply(self, run: &dyn Control) -> Result<(), Refusal> {
        if self.stopped {
            run.stop();
            return Ok(());
        }
        if let Some(paused) = self.paused {
            run.set_paused(paused).await?;
        }
        if self.vus.is_some() || self.vus_max.is_some() {
            run.scale(self.vus, self.vus_max).await?;
        }
        Ok(())
    }
}

fn parse_change(body: &[u8]) -> Result<Change, Refusal> {
    let invalid = |detail| Refusal {
        status: 400,
        title: "Invalid data",
        detail,
    };
    let body = parse(body).map_err(invalid)?;
    let attributes = &body["data"]["attributes"];
    let flag = |name: &str, goes_to: &str| match &attributes[name] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(invalid(mismatch(other, goes_to))),
    };
    let number = |name: &str| match &attributes[name] {
        Value::Null => Ok(None),
        Value::Number(number) if number.is_i64() => Ok(number.as_i64()),
        other => Err(invalid(mismatch(other, "null.Int"))),
    };
    Ok(Change {
        paused: flag("paused", "null.Bool")?,
        stopped: flag("stopped", "bool")?.unwrap_or_default(),
        vus: number("vus")?,
        vus_max: number("vus-max")?,
    })
}

fn mismatch(value: &Value, goes_to: &str) -> String {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {is} into Go value of type {goes_to}")
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| {
        let text = String::from_utf8_lossy(body);
        match text.trim_start().chars().next() {
            None => "unexpected end of JSON input".to_owned(),
            Some(first) if !"{[\"-0123456789tfn".contains(first) => {
                format!("invalid character '{first}' looking for beginning of value")
            }
            Some(_) => go_literal(text.trim_start()).unwrap_or_else(|| error.to_string()),
        }
    })
}

/// Go's error for text that starts like a literal but is not one.
fn go_literal(text: &str) -> Option<String> {
    let literal = match text.chars().next()? {
        't' => "true",
        'f' => "false",
        'n' => "null",
        _ => return None,
    };
    let wrong = text
        .chars()
        .zip(literal.chars())
        .find(|(is, should)| is != should);
    let (is, should) = wrong?;
    Some(format!(
        "invalid character '{is}' in literal {literal} (expecting '{should}')"
    ))
}

fn not_found(detail: &str) -> Refusal {
    Refusal {
        status: 404,
        title: "Not Found",
        detail: detail.to_owned(),
    }
}

fn answer(content_type: &'static str, body: &Value) -> Response {
    ([(header::CONTENT_TYPE, content_type)], json_text(body)).into_response()
}

fn refuse(content_type: &'static str, refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, answer(content_type, &view::errors(refusal))).into_response()
}
