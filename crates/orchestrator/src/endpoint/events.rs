//! `GET /events/stream` and `/events/incidents`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use detector_api::orchestrate::ErrorCode;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use service_runtime::Shutdown;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{request_id, respond};
use crate::app::App;
use crate::auth::{self, ORCHESTRATE_STATUS};
use crate::error::ApiError;
use crate::events::Incident;

/// A comment this often keeps idle connections open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub async fn incidents(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let result = auth::identify(&app.config.auth, &headers)
        .and_then(|caller| caller.require(ORCHESTRATE_STATUS))
        .map(|()| Json(json!({ "incidents": app.events.kept() })));
    respond(result, &headers)
}

/// All incidents from now on; with `Last-Event-ID` also those since that one.
pub async fn stream(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let allowed = auth::identify(&app.config.auth, &headers)
        .and_then(|caller| caller.require(ORCHESTRATE_STATUS));
    if let Err(error) = allowed {
        return error.into_response(&request_id(&headers));
    }
    let seen = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let Some((missed, next)) = app.events.follow(seen.unwrap_or_else(|| app.events.last())) else {
        let message = "too many follow the events already; try again later";
        let error = ApiError::new(ErrorCode::Overloaded, message).after(KEEP_ALIVE);
        return error.into_response(&request_id(&headers));
    };
    let events = follow(Follower {
        missed: missed.into(),
        next,
        shutdown: app.shutdown.clone(),
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    Sse::new(events).keep_alive(keep_alive).into_response()
}

struct Follower {
    missed: VecDeque<Arc<Incident>>,
    next: Receiver<Arc<Incident>>,
    shutdown: Shutdown,
}

fn follow(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(follower, |mut follower| async move {
        let event = match follower.missed.pop_front() {
            Some(incident) => event(&incident),
            None => tokio::select! {
                () = follower.shutdown.cancelled() => return None,
                next = follower.next.recv() => match next {
                    Ok(incident) => event(&incident),
                    // Said openly; the client reconnects with the id it saw last.
                    Err(RecvError::Lagged(lost)) => Event::default()
                        .event("lost")
                        .data(json!({ "lost": lost }).to_string()),
                    Err(RecvError::Closed) => return None,
                },
            },
        };
        Some((Ok(event), follower))
    })
}

fn event(incident: &Incident) -> Event {
    let data = serde_json::to_string(incident).expect("strings and numbers");
    Event::default()
        .id(incident.id.to_string())
        .event(incident.kind.name())
        .data(data)
}
