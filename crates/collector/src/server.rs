//! The collector's server.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use service_runtime::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};

use super::output::Stop;
use super::result::Collected;
use super::state::{Fault, Plan, State};
use super::wire::{Clock, Ended, Joined, Joining, Push, SetupData, Who};
use crate::token;

/// Maximum size of a push.
const MOST_BYTES: usize = 64 << 20;
/// Interval between checks of runners and thresholds.
const LOOK: Duration = Duration::from_millis(250);
/// Wait at the end, so that runners receive their responses.
const LINGER: Duration = Duration::from_millis(500);

/// The requirements of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The required number of runners.
    pub runners: usize,
    /// A runner that is silent for this time is lost.
    pub lost_after: Duration,
    /// How long the collector waits for all runners.
    pub wait: Duration,
    /// Whether a run continues without a lost runner.
    pub degraded: bool,
    /// The token that runners have to send, if any.
    pub token: Option<String>,
}

/// Ends a run locally.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// At any time.
    pub asked: Stop,
    /// Before its start, because a runner will not connect. Later losses show by the silence of a runner.
    pub unable: Stop,
}

struct ServerState {
    state: Mutex<State>,
    began: Instant,
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

/// Collects one run; `tell` receives progress messages. Ends after all runners.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    ends: Ends,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> io::Result<Collected> {
    let plan = Plan {
        runners: settings.runners,
        lost_after: settings.lost_after,
        degraded: settings.degraded,
    };
    let shared = Arc::new(ServerState {
        state: Mutex::new(State::new(plan)),
        began: Instant::now(),
        tell: Box::new(tell),
    });
    let closing = Shutdown::new();
    let serving = tokio::spawn(service_runtime::serve(
        listener,
        router(Arc::clone(&shared), settings.token),
        closing.clone(),
    ));
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        if shared.look(settings.wait, &ends) {
            break;
        }
    }
    sleep(LINGER).await;
    closing.cancel();
    serving.await.map_err(io::Error::other)??;
    let mut state = shared.lock();
    Ok(Collected::of(&mut state, unix_ms()))
}

fn router(shared: Arc<ServerState>, token: Option<String>) -> Router {
    let router = Router::new()
        .route(
            "/v1/time",
            get(|| async { Json(Clock { unix_ms: unix_ms() }) }),
        )
        .route("/v1/join", post(join))
        .route("/v1/setup/turn", post(turn))
        .route("/v1/setup", post(set_up))
        .route("/v1/ready", post(ready))
        .route("/v1/push", post(push))
        .route("/v1/teardown", post(teardown))
        .route("/v1/end", post(end))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(shared);
    match token {
        None => router,
        Some(token) => router.layer(middleware::from_fn(move |request: Request, next: Next| {
            token::check(token.clone(), request, next)
        })),
    }
}

type CollectorState = Shared<Arc<ServerState>>;

impl ServerState {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Checks runners and thresholds; true when the run is over.
    fn look(&self, wait: Duration, ends: &Ends) -> bool {
        let mut state = self.lock();
        let unable = ends.unable.said().filter(|_| !state.has_begun());
        if let Some(why) = ends.asked.said().or(unable) {
            state.stop(why);
        }
        for name in state.lose(self.now()) {
            (self.tell)(&format!("the runner {name} is lost"));
        }
        state.watch(unix_ms());
        if !state.has_begun() && self.now() > wait && state.stopped().is_none() {
            let (here, all) = (state.runners.len(), state.plan().runners);
            state.stop(&format!(
                "only {here} of {all} runners connected within {} s",
                wait.as_secs()
            ));
        }
        state.is_over()
    }
}

async fn join(Shared(shared): CollectorState, Json(joining): Json<Joining>) -> Response {
    let name = joining.name.clone();
    let joined = {
        let mut state = shared.lock();
        state.join(joining, shared.now()).map(|()| Joined {
            place: state.runners.len(),
            of: state.plan().runners,
            lost_after_ms: state.plan().lost_after.as_secs_f64() * 1e3,
        })
    };
    if let Ok(Joined { place, of, .. }) = &joined {
        (shared.tell)(&format!("the runner {name} is connected ({place} of {of})"));
    }
    answer(joined)
}

async fn turn(Shared(shared): CollectorState, Json(who): Json<Who>) -> Response {
    answer(shared.lock().turn(&who.name, shared.now()))
}

async fn set_up(Shared(shared): CollectorState, Json(setup): Json<SetupData>) -> Response {
    answer(shared.lock().set_up(setup, shared.now()))
}

async fn ready(Shared(shared): CollectorState, Json(who): Json<Who>) -> Response {
    answer(shared.lock().ready(&who.name, shared.now(), unix_ms()))
}

async fn push(Shared(shared): CollectorState, Json(push): Json<Push>) -> Response {
    answer(shared.lock().push(push, shared.now()))
}

async fn teardown(Shared(shared): CollectorState, Json(who): Json<Who>) -> Response {
    answer(shared.lock().teardown(&who.name, shared.now()))
}

async fn end(Shared(shared): CollectorState, Json(ended): Json<Ended>) -> Response {
    let name = ended.name.clone();
    let taken = shared.lock().end(ended, shared.now());
    if taken.is_ok() {
        (shared.tell)(&format!("the runner {name} has ended"));
    }
    answer(taken)
}

fn answer<T: serde::Serialize>(result: Result<T, Fault>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(fault) => {
            let status = match fault {
                Fault::Taken(_) | Fault::Full(_) | Fault::OtherThresholds => StatusCode::CONFLICT,
                Fault::Unknown(_) => StatusCode::NOT_FOUND,
                Fault::Lost(..) => StatusCode::GONE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let mut text = fault.to_string();
            let mut cause = std::error::Error::source(&fault);
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            (status, text).into_response()
        }
    }
}

pub(crate) fn unix_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1e3
}
