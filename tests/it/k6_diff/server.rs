//! A small server that answers as the scripts ask.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::json;

/// A server that lives as long as this.
pub struct Server {
    /// `http://127.0.0.1:port`
    pub base: String,
    _runtime: tokio::runtime::Runtime,
}

pub fn start() -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    runtime.spawn(async move { axum::serve(listener, router()).await });
    Server {
        base,
        _runtime: runtime,
    }
}

fn router() -> Router {
    Router::new()
        .route(
            "/json",
            get(|| async { axum::Json(json!({"name": "echo", "list": [1, 2]})) }),
        )
        .route("/status/{code}", any(status))
        .route("/redirect/{left}", any(redirect))
        .route("/delay/{millis}", any(delay))
        .route(
            "/cookie",
            any(|| async { ([(header::SET_COOKIE, "taste=sweet; Path=/")], "ok") }),
        )
        .route("/echo", any(echo))
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn redirect(Path(left): Path<u32>) -> Response {
    let target = if left <= 1 {
        "/json".to_owned()
    } else {
        format!("/redirect/{}", left - 1)
    };
    (StatusCode::FOUND, [(header::LOCATION, target)]).into_response()
}

async fn delay(Path(millis): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "late"
}

async fn echo(method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let body = String::from_utf8_lossy(&body);
    axum::Json(json!({"method": method.as_str(), "headers": headers, "body": body})).into_response()
}
