//! The agent's server.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use service_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::interval;

use super::process::Run;
use super::wire::{Hello, Order};
use crate::token;

/// Maximum size of an archive in base64.
const MOST_BYTES: usize = 512 << 20;
/// Interval between checks of a run.
const LOOK: Duration = Duration::from_millis(500);
/// How long an interrupted run may take for graceful stops and for its last pushes.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// The configuration of an agent.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// The token of its clients.
    pub token: String,
    /// This version.
    pub version: String,
    /// The command whose `run` runs scripts.
    pub program: Vec<OsString>,
    /// Variables of this machine that are removed because they would change the test.
    pub hidden: Vec<OsString>,
    /// A run without a poll for this time is ended.
    pub forgotten_after: Duration,
}

struct Agent {
    settings: AgentSettings,
    /// One at a time, because two runs would disturb each other.
    run: Mutex<Option<Run>>,
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// Serves orders until `shutdown`, which kills a run in progress. `tell` receives progress messages.
///
/// # Errors
/// The listener failed.
pub async fn serve_agent(
    listener: TcpListener,
    settings: AgentSettings,
    shutdown: Shutdown,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> io::Result<()> {
    let agent = Arc::new(Agent {
        settings,
        run: Mutex::default(),
        tell: Box::new(tell),
    });
    let watching = tokio::spawn(watch(Arc::clone(&agent), shutdown.clone()));
    let served = service_runtime::serve(listener, router(Arc::clone(&agent)), shutdown).await;
    watching.await.map_err(io::Error::other)?;
    if let Some(run) = agent.run.lock().await.as_mut() {
        run.kill().await;
    }
    served
}

fn router(agent: Arc<Agent>) -> Router {
    let expected = agent.settings.token.clone();
    Router::new()
        .route("/v1/agent", get(hello))
        .route("/v1/run", post(start))
        .route("/v1/run/{run}", get(status))
        .route("/v1/run/{run}", delete(end))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            token::check(expected.clone(), request, next)
        }))
        .with_state(agent)
}

/// Ends a run whose client stopped polling, and reports the end of each run.
async fn watch(agent: Arc<Agent>, shutdown: Shutdown) {
    let (mut looks, mut told) = (interval(LOOK), None);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = looks.tick() => {}
        }
        let mut run = agent.run.lock().await;
        let Some(run) = run.as_mut() else { continue };
        if !run.is_running() {
            if told.as_ref() != Some(&run.name) {
                // No client reads them.
                let words = run.forgotten().map_or(Vec::new(), |_| run.last_words());
                words.iter().for_each(|line| (agent.tell)(line));
                (agent.tell)(&format!("the run {} has ended", run.name));
                told = Some(run.name.clone());
            }
        } else if let Some(since) = run.forgotten() {
            if since.elapsed() > ENDS_WITHIN {
                run.kill().await;
            }
        } else if run.is_forgotten(agent.settings.forgotten_after) {
            (agent.tell)(&format!(
                "the run {} was ended because its client stopped polling",
                run.name
            ));
            run.forget();
        }
    }
}

async fn hello(State(agent): State<Arc<Agent>>) -> Json<Hello> {
    let mut run = agent.run.lock().await;
    Json(Hello {
        version: agent.settings.version.clone(),
        is_busy: run.as_mut().is_some_and(Run::is_running),
    })
}

async fn start(State(agent): State<Arc<Agent>>, Json(order): Json<Order>) -> Response {
    let settings = &agent.settings;
    let mut run = agent.run.lock().await;
    if let Some(running) = run.as_mut().and_then(|run| run.is_running().then_some(run)) {
        let text = format!("it is busy with the run {}", running.name);
        return (StatusCode::CONFLICT, text).into_response();
    }
    if order.version != settings.version {
        let text = format!(
            "its version of sparring is {}, that of the run is {}",
            settings.version, order.version
        );
        return (StatusCode::CONFLICT, text).into_response();
    }
    let told = format!("the run {} starts, segment {}", order.run, order.segment);
    match Run::start(settings, order) {
        Ok(started) => {
            (agent.tell)(&told);
            *run = Some(started);
            StatusCode::CREATED.into_response()
        }
        Err(error) => {
            let source = std::error::Error::source(&error);
            let cause = source.map_or_else(String::new, |cause| format!(": {cause}"));
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}{cause}")).into_response()
        }
    }
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
}

async fn status(
    State(agent): State<Arc<Agent>>,
    Path(name): Path<String>,
    Query(From { from }): Query<From>,
) -> Response {
    let mut run = agent.run.lock().await;
    match run.as_mut().filter(|run| run.name == name) {
        Some(run) => Json(run.status(from)).into_response(),
        None => (StatusCode::NOT_FOUND, format!("it has no run {name}")).into_response(),
    }
}

async fn end(State(agent): State<Arc<Agent>>, Path(name): Path<String>) -> Response {
    let mut run = agent.run.lock().await;
    match run.take_if(|run| run.name == name) {
        Some(mut run) => {
            run.kill().await;
            StatusCode::NO_CONTENT.into_response()
        }
        None => (StatusCode::NOT_FOUND, format!("it has no run {name}")).into_response(),
    }
}
