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
use crate::error::ApiError;
use crate::events::{Follow, Gap, Incident, Seen};
use crate::request::auth::{self, ORCHESTRATE_STATUS};

/// A comment this often keeps idle connections open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub async fn incidents(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let result = auth::identify(&app.config.auth, &headers)
        .and_then(|caller| caller.require(ORCHESTRATE_STATUS))
        .map(|()| Json(json!({ "incidents": app.events.kept() })));
    respond(result, &headers)
}

/// All incidents from now on; with `Last-Event-ID` also those since that one. Missed incidents that are no
/// longer kept are reported as a `lost` event, or as `reset` if their number is unknown because the id is from
/// before a restart or of another replica; the kept ones follow.
pub async fn stream(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let allowed = auth::identify(&app.config.auth, &headers)
        .and_then(|caller| caller.require(ORCHESTRATE_STATUS));
    if let Err(error) = allowed {
        return error.into_response(&request_id(&headers));
    }
    let seen = headers.get("last-event-id").map(|value| {
        let id = value.to_str().ok().and_then(|text| text.parse().ok());
        id.map_or(Seen::Unknown, Seen::Id)
    });
    let Some(Follow { gap, missed, next }) = app.events.follow(seen) else {
        let message = "too many clients follow the events; retry later";
        let error = ApiError::new(ErrorCode::Overloaded, message).after(KEEP_ALIVE);
        return error.into_response(&request_id(&headers));
    };
    let events = follow(Follower {
        gap,
        missed: missed.into(),
        next,
        shutdown: app.shutdown.clone(),
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    Sse::new(events).keep_alive(keep_alive).into_response()
}

struct Follower {
    gap: Option<Gap>,
    missed: VecDeque<Arc<Incident>>,
    next: Receiver<Arc<Incident>>,
    shutdown: Shutdown,
}

fn follow(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(follower, |mut follower| async move {
        if let Some(gap) = follower.gap.take() {
            return Some((Ok(told(gap)), follower));
        }
        let event = match follower.missed.pop_front() {
            Some(incident) => event(&incident),
            None => tokio::select! {
                () = follower.shutdown.cancelled() => return None,
                next = follower.next.recv() => match next {
                    Ok(incident) => event(&incident),
                    // Reported to the client, which reconnects with the last id that it saw.
                    Err(RecvError::Lagged(lost)) => told(Gap::Lost(lost)),
                    Err(RecvError::Closed) => return None,
                },
            },
        };
        Some((Ok(event), follower))
    })
}

fn told(gap: Gap) -> Event {
    let (name, data) = match gap {
        Gap::Lost(lost) => ("lost", json!({ "lost": lost })),
        Gap::Reset => {
            let reason = "Last-Event-ID belongs to another process; incidents may have been missed";
            ("reset", json!({ "reason": reason }))
        }
    };
    Event::default().event(name).data(data.to_string())
}

fn event(incident: &Incident) -> Event {
    let data = serde_json::to_string(incident).expect("strings and numbers");
    Event::default()
        .id(incident.id.to_string())
        .event(incident.kind.name())
        .data(data)
}
