//! `/swarm` and `/stop`: JSON to tools, the page again to its form.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::Swarm;
use crate::routes::Shown;

/// Maximum number of users of one machine.
const MOST_USERS: u64 = 100_000;

pub(crate) async fn swarm(State(page): Shown, headers: HeaderMap, form: Bytes) -> Response {
    let Some(control) = &page.settings.control else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let done = read(&form).and_then(|wanted| control.swarm(&wanted));
    let host = page.board.lock().target.clone();
    match done {
        Ok(_) if wants_page(&headers) => Redirect::to("/").into_response(),
        Ok(message) => {
            Json(json!({ "success": true, "message": message, "host": host })).into_response()
        }
        Err(message) if wants_page(&headers) => {
            (StatusCode::CONFLICT, format!("{message}\n")).into_response()
        }
        // As in Locust, the status is that of a successful request.
        Err(message) => {
            Json(json!({ "success": false, "message": message, "host": host })).into_response()
        }
    }
}

pub(crate) async fn stop(State(page): Shown, headers: HeaderMap) -> Response {
    if let Some(control) = &page.settings.control {
        control.stop();
    }
    if wants_page(&headers) {
        return Redirect::to("/").into_response();
    }
    Json(json!({ "success": true, "message": "Test stopped" })).into_response()
}

/// Whether a browser sent a form, as opposed to a script or a tool.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Other fields of Locust's form (host, run time, classes) are those of the suite.
fn read(form: &[u8]) -> Result<Swarm, String> {
    let mut wanted = Swarm::default();
    for (name, value) in form_urlencoded::parse(form) {
        match &*name {
            "user_count" => {
                let users = value
                    .parse::<u64>()
                    .ok()
                    .filter(|users| *users <= MOST_USERS);
                wanted.users = Some(users.ok_or_else(|| {
                    format!("Invalid user_count value: '{value}' (must be an integer from 0 to {MOST_USERS})")
                })?);
            }
            "spawn_rate" => {
                let rate = value
                    .parse::<f64>()
                    .ok()
                    .filter(|rate| *rate > 0.0 && rate.is_finite());
                wanted.spawn_rate = Some(rate.ok_or_else(|| {
                    format!("Invalid spawn_rate value: '{value}' (must be a number above 0)")
                })?);
            }
            _ => {}
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_what_cannot_be_is_named() {
        let swarm = |users, spawn_rate| Ok(Swarm { users, spawn_rate });
        assert_eq!(read(b""), swarm(None, None));
        assert_eq!(
            read(b"user_count=30&spawn_rate=2.5&host=x"),
            swarm(Some(30), Some(2.5))
        );
        let wrong = |form: &[u8]| read(form).expect_err("it is refused");
        assert!(wrong(b"user_count=-1").contains("'-1'"));
        assert!(wrong(b"user_count=1000000").contains("100000"));
        assert!(wrong(b"spawn_rate=0").contains("above 0"));
        assert!(wrong(b"spawn_rate=inf").contains("above 0"));
    }
}
