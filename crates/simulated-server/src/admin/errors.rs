//! Errors of the admin API: one form for queries, bodies, paths and methods.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use live_config::read::from_value;
use live_config::{Invalid, strict};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The response to a request that is refused: a name for programs, and a sentence.
pub fn error(status: StatusCode, name: &str, message: impl Into<String>) -> Response {
    let body = json!({ "error": name, "message": message.into() });
    (status, Json(body)).into_response()
}

/// Reads a body without duplicate keys.
///
/// # Errors
/// The response to a body that is malformed or has duplicate keys (400), or has wrong fields (422).
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    let value: Value = strict::read(body).map_err(|fault| {
        let name = match fault {
            strict::Fault::Twice(_) => "duplicate_key",
            strict::Fault::Syntax(_) => "malformed_json",
        };
        error(StatusCode::BAD_REQUEST, name, fault.to_string())
    })?;
    from_value(value).map_err(|errors| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        error(status, "invalid_body", Invalid { errors }.to_string())
    })
}

/// The response to a method that a path of the admin API does not have.
pub async fn no_such_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not support {method}", uri.path());
    error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
}

/// The response to a path that the admin API does not have.
pub(super) async fn no_such_path(uri: Uri) -> Response {
    let message = format!(
        "no such path: {}; /__admin/docs lists all paths",
        uri.path()
    );
    error(StatusCode::NOT_FOUND, "not_found", message)
}
