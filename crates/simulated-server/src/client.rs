//! A client of the admin API that every simulated server has.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum size of a response.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The admin API of one server.
#[derive(Debug, Clone)]
pub struct AdminClient {
    /// URL without a path.
    base: String,
    client: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// The error of a request to the admin API.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(
        "no simulated server answers on {server} ({why}); is `sparring up`, `sparring mock` or `sparring target` running?"
    )]
    Unreachable { server: String, why: String },
    #[error("{server} did not answer within {} s", PATIENCE.as_secs())]
    Slow { server: String },
    #[error("the response of {server} was truncated: {why}")]
    Broken { server: String, why: String },
    #[error("{url} is not a URL: {why}")]
    NoUrl { url: String, why: String },
    #[error("{}", told(.server, .status, .body))]
    Refused {
        server: String,
        status: StatusCode,
        body: Value,
    },
}

impl AdminClient {
    /// A client of the server at a URL without a path, or at a host and port.
    pub fn new(server: &str) -> Self {
        let server = server.trim_end_matches('/');
        let base = match server.contains("://") {
            true => server.to_owned(),
            false => format!("http://{server}"),
        };
        Self {
            base,
            client: legacy::Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request below `/__admin` and returns the response; a body that is not JSON becomes a text.
    ///
    /// # Errors
    /// There is no response, or it is not a success.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, AdminError> {
        let path = format!("/__admin{path}");
        let body = self.exchange(method, &path, body).await?;
        Ok(json_or_text(&body))
    }

    /// The server's metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// As [`AdminClient::send`].
    pub async fn metrics(&self) -> Result<String, AdminError> {
        let body = self.exchange(Method::GET, "/metrics", None).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Adds `patch` as a named overlay to the profile, until it is removed or `ttl` has passed. Returns the
    /// profile in force.
    ///
    /// # Errors
    /// As [`AdminClient::send`].
    pub async fn lay(&self, name: &str, patch: &Value, ttl: Duration) -> Result<Value, AdminError> {
        let path = format!("/overlays/{name}?ttl_ms={}", ttl.as_millis());
        let mut state = self.send(Method::PUT, &path, Some(patch)).await?;
        Ok(state["profile"].take())
    }

    /// Gives an overlay a new time to live. False: the overlay is gone.
    ///
    /// # Errors
    /// As [`AdminClient::send`].
    pub async fn renew(&self, name: &str, ttl: Duration) -> Result<bool, AdminError> {
        let path = format!("/overlays/{name}/renew?ttl_ms={}", ttl.as_millis());
        is_there(self.send(Method::POST, &path, None).await)
    }

    /// Removes an overlay. False: it was gone already.
    ///
    /// # Errors
    /// As [`AdminClient::send`].
    pub async fn lift(&self, name: &str) -> Result<bool, AdminError> {
        let path = format!("/overlays/{name}");
        is_there(self.send(Method::DELETE, &path, None).await)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, AdminError> {
        let url = format!("{}{path}", self.base);
        let request = Request::builder()
            .method(method.clone())
            .uri(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|error| AdminError::NoUrl {
                url: url.clone(),
                why: error.to_string(),
            })?;
        let server = || self.base.trim_start_matches("http://").to_owned();
        let broken = |error: &(dyn Error + 'static)| AdminError::Broken {
            server: server(),
            why: innermost(error),
        };
        let exchange = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| match error.is_connect() {
                true => AdminError::Unreachable {
                    server: server(),
                    why: innermost(&error),
                },
                false => broken(&error),
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect();
            let body = body.await.map_err(|error| broken(error.as_ref()))?;
            Ok((status, body.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| AdminError::Slow { server: server() })??;
        tracing::debug!("{method} {url} answered {status}");
        if status.is_success() {
            return Ok(body);
        }
        Err(AdminError::Refused {
            server: server(),
            status,
            body: json_or_text(&body),
        })
    }
}

fn is_there(answer: Result<Value, AdminError>) -> Result<bool, AdminError> {
    match answer {
        Ok(_) => Ok(true),
        Err(AdminError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(false),
        Err(error) => Err(error),
    }
}

fn json_or_text(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// The errors that a server lists, or its message, or its status.
fn told(server: &str, status: &StatusCode, body: &Value) -> String {
    let errors = body["errors"].as_array().into_iter().flatten();
    let lines: Vec<String> = errors
        .map(|error| {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("path"), text("message"))
        })
        .collect();
    match (lines.is_empty(), body["message"].as_str()) {
        (false, _) => lines.join("\n"),
        (true, Some(message)) => message.to_owned(),
        (true, None) => format!("{server} answered {status}"),
    }
}

/// The innermost cause below all layers of the client, with the system's text if it is an error of the system.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let system = cause.downcast_ref::<io::Error>();
    match system.filter(|system| system.raw_os_error().is_some()) {
        Some(system) => system.kind().to_string(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_names_every_error_or_gives_the_message() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let told = |body| told("127.0.0.1:8001", &status, &body);
        let errors = json!({ "errors": [{ "path": "a.b", "message": "is not a number" }, { "path": "c", "message": "unknown" }], "message": "no" });
        assert_eq!(told(errors), "a.b: is not a number\nc: unknown");
        assert_eq!(told(json!({ "message": "no" })), "no");
        assert_eq!(
            told(json!("x")),
            "127.0.0.1:8001 answered 422 Unprocessable Entity"
        );
    }

    #[tokio::test]
    async fn a_port_that_nothing_listens_on_is_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let error = AdminClient::new(&address.to_string())
            .send(Method::GET, "", None)
            .await
            .expect_err("nothing listens");
        assert_eq!(
            error.to_string(),
            format!(
                "no simulated server answers on {address} (connection refused); is `sparring up`, `sparring mock` or \
                 `sparring target` running?"
            )
        );
    }
}
