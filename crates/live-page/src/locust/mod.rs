//! The routes of Locust's web UI, for compatible tools, and the manual control of a run.

mod csv;
mod stats;
mod swarm;
mod tasks;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use axum::{Json, http::header};
use report::export::NODE;
use report::page::live::Controls;
use serde_json::{Value, json};

use super::live_run::LiveRun;
use super::record::current;
use super::routes::{Page, Shown, report_page};

/// The manual control of a run.
pub trait Control: Send + Sync {
    /// The operations that are currently possible.
    fn controls(&self, board: &LiveRun) -> Controls;

    /// Starts a waiting run, and sets the number of users if given; returns a description of the change.
    ///
    /// # Errors
    /// The reason why it is not possible.
    fn swarm(&self, wanted: &Swarm) -> Result<&'static str, String>;

    /// Ends the run, as Ctrl-C does.
    fn stop(&self);
}

/// The fields of a form of `/swarm`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Swarm {
    pub users: Option<u64>,
    /// Users that start or stop per second; `None`: at once.
    pub spawn_rate: Option<f64>,
}

/// The data that a page links to.
pub(crate) const LINKS: [(&str, &str); 5] = [
    ("Report so far", "stats/report?download=1"),
    ("Requests as CSV", "stats/requests/csv"),
    ("History as CSV", "stats/requests_full_history/csv"),
    ("Failures as CSV", "stats/failures/csv"),
    ("Exceptions as CSV", "exceptions/csv"),
];

pub(crate) fn router() -> Router<Arc<Page>> {
    Router::new()
        .route("/swarm", axum::routing::post(swarm::swarm))
        .route("/stop", get(swarm::stop).post(swarm::stop))
        .route("/stats/reset", get(reset).post(reset))
        .route("/stats/report", get(report_page))
        .route("/stats/requests", get(stats::requests))
        .route("/stats/requests/csv", get(csv::requests))
        .route("/stats/requests_full_history/csv", get(csv::history))
        .route("/stats/failures/csv", get(csv::failures))
        .route("/exceptions", get(exceptions))
        .route("/exceptions/csv", get(csv::exceptions))
        .route("/tasks", get(tasks::tasks))
        .route("/logs", get(logs))
        .route(
            "/worker-count",
            any(|| async { Json(json!({ "worker_count": 0 })) }),
        )
}

/// Resets the statistics, except those of the run's record.
async fn reset(State(page): Shown) -> impl IntoResponse {
    page.board.reset();
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], "ok")
}

async fn exceptions(State(page): Shown) -> Json<Value> {
    let all: Vec<Value> = current(&page.board)
        .exceptions
        .iter()
        .map(|it| json!({ "count": it.count, "msg": it.message, "traceback": it.traceback, "nodes": NODE }))
        .collect();
    Json(json!({ "exceptions": all }))
}

async fn logs(State(page): Shown) -> Json<Value> {
    let shown = page.board.lock();
    let lines: Vec<&String> = shown.log.iter().collect();
    Json(json!({ "master": lines, "workers": {} }))
}
