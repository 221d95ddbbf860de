//! The REST API of a run, as k6 serves it with `--address`, and its client.
//!
//! It is available from before the creation of the first VU until the process exits, and also while the run is
//! paused, because Kubernetes operators probe it.

pub mod client;
mod live;
mod routes;
mod view;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use load_metrics::{Contains, Kind};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use live::Live;

use load_engine::CheckResult;

/// The API's access to a run.
pub trait Control: Send + Sync + 'static {
    /// The status of the run.
    fn status(&self) -> Status;

    /// Pauses or resumes the run; returns when it is done.
    ///
    /// # Errors
    /// It is already in this state, or no executor can pause.
    fn set_paused(&self, paused: bool) -> Running<'_>;

    /// Ends the run.
    fn stop(&self);

    /// Changes the number of VUs and waits until it is reached; `None` leaves a number unchanged.
    ///
    /// # Errors
    /// No executor is externally controlled, or the numbers are not valid.
    fn scale(&self, vus: Option<i64>, max_vus: Option<i64>) -> Running<'_>;

    /// The metrics that have samples or thresholds.
    fn metrics(&self) -> Vec<MetricView>;

    /// The paths of the entered groups, in order of first use.
    fn groups(&self) -> Vec<String>;

    /// The checks, in order of first use.
    fn checks(&self) -> Vec<CheckResult>;

    /// The result of `setup`, or the value that replaced it.
    fn setup_data(&self) -> Option<Value>;

    /// Sets the result of `setup`.
    fn set_setup_data(&self, data: Option<Value>);

    /// Runs `setup` and stores its result.
    fn run_setup(&self) -> Running<'_>;

    /// Runs `teardown`.
    fn run_teardown(&self) -> Running<'_>;
}

/// A step of a run in progress.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Its phase: 0 created, 1 creating VUs, 3 VUs created, 4 paused before the start, 5
    /// started, 6 setup, 7 running, 8 teardown, 9 ended, 10 interrupted, 11 marked as failed.
    pub phase: u8,
    /// Whether it is paused.
    pub paused: bool,
    /// Active VUs.
    pub vus: u64,
    /// VUs that exist.
    pub vus_max: u64,
    /// Whether a stop was requested.
    pub stopped: bool,
    /// Whether it is running.
    pub running: bool,
    /// Whether a threshold was crossed at the last evaluation.
    pub tainted: bool,
}

/// A metric in the API.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricView {
    /// Its name; sub-metrics with their selector.
    pub name: String,
    /// Its kind, which determines how it is aggregated.
    pub kind: Kind,
    /// The unit of its numbers.
    pub contains: Contains,
    /// Whether one of its thresholds was crossed at the last evaluation; `None` without thresholds.
    pub tainted: Option<bool>,
    /// Its aggregates by name.
    pub sample: Vec<(&'static str, f64)>,
}

/// The reason why a request is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The failed operation.
    pub title: &'static str,
    /// The reason.
    pub detail: String,
}

impl Refusal {
    /// A refusal to pause or resume.
    pub fn pause(detail: impl Into<String>) -> Self {
        Self {
            status: 500,
            title: "Pause error",
            detail: detail.into(),
        }
    }

    /// The refusal to scale a run without an externally controlled executor.
    pub fn not_scalable() -> Self {
        Self {
            status: 500,
            title: "Execution config error",
            detail: "an externally-controlled executor needs to be configured for live \
                     configuration updates"
                .to_owned(),
        }
    }
}

/// Serves the API until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    control: Arc<dyn Control>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, routes::router(control))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
