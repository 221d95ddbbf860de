//! The client of the API: `stats`, `status`, `pause`, `resume` and `scale`.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use load_engine::go_text::push_float_json;
use load_engine::system_errors::in_words;

/// A client of a run's API.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
}

/// The reason why a request to a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed.
    #[error("{method} \"http://{address}{path}\": {why}")]
    Connection {
        /// `Get` or `Patch`.
        method: &'static str,
        /// The address of the run.
        address: String,
        /// The requested path.
        path: String,
        /// The reason, with its causes.
        why: String,
    },
    /// The run rejected the request.
    #[error("{title}: {detail}")]
    Refused {
        /// The failed operation.
        title: String,
        /// The reason.
        detail: String,
    },
    /// The response is not one of this API.
    #[error("{address} does not answer like a k6 REST API: {why}")]
    Response {
        /// The address of the server.
        address: String,
        /// The error of the response.
        why: String,
    },
    /// Neither number was given.
    #[error("Specify either -u/--vus or -m/--max")]
    NothingToScale,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// A client of the run at `address`, such as `localhost:6565`.
    pub fn new(address: &str) -> Self {
        let address = address.to_owned();
        Self { address }
    }

    /// The metrics as YAML.
    ///
    /// # Errors
    /// When the run cannot be reached.
    pub async fn stats(&self) -> Result<String, ClientError> {
        let body = self.ask(Method::GET, "/v1/metrics", None).await?;
        let metrics = body["data"].as_array().cloned().unwrap_or_default();
        Ok(metrics.iter().map(metric_yaml).collect())
    }

    /// The status as YAML.
    ///
    /// # Errors
    /// When the run cannot be reached.
    pub async fn status(&self) -> Result<String, ClientError> {
        let body = self.ask(Method::GET, "/v1/status", None).await?;
        Ok(status_yaml(&body))
    }

    /// Pauses or resumes; the new status as YAML.
    ///
    /// # Errors
    /// When the run cannot be reached, or refuses.
    pub async fn set_paused(&self, paused: bool) -> Result<String, ClientError> {
        self.change(json!({"paused": paused})).await
    }

    /// Changes the number of VUs; the new status as YAML.
    ///
    /// # Errors
    /// When neither number is given, the run cannot be reached, or it refuses.
    pub async fn scale(
        &self,
        vus: Option<i64>,
        max_vus: Option<i64>,
    ) -> Result<String, ClientError> {
        if vus.is_none() && max_vus.is_none() {
            return Err(ClientError::NothingToScale);
        }
        self.change(json!({"vus": vus, "vus-max": max_vus})).await
    }

    async fn change(&self, attributes: Value) -> Result<String, ClientError> {
        let body = json!({"data": {"type": "status", "id": "default", "attributes": attributes}});
        let answer = self.ask(Method::PATCH, "/v1/status", Some(body)).await?;
        Ok(status_yaml(&answer))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ClientError> {
        let verb = if method == Method::GET {
            "Get"
        } else {
            "Patch"
        };
        let failed = |why: String| ClientError::Connection {
            method: verb,
            address: self.address.clone(),
            path: path.to_owned(),
            why,
        };
        let asked = timeout(PATIENCE, self.exchange(method, path, body)).await;
        let answer = asked
            .map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(failed)?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|error| ClientError::Response {
                address: self.address.clone(),
                why: error.to_string(),
            })?;
        match answer["errors"].get(0) {
            None => Ok(answer),
            Some(error) => Err(ClientError::Refused {
                title: error["title"].as_str().unwrap_or_default().to_owned(),
                detail: error["detail"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }

    /// The address with a port: that of HTTP, if there is none.
    fn endpoint(&self) -> Cow<'_, str> {
        let has_port = self
            .address
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        match has_port {
            true => Cow::Borrowed(&self.address),
            false => Cow::Owned(format!("{}:80", self.address)),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Bytes, String> {
        let stream = TcpStream::connect(self.endpoint().as_ref())
            .await
            .map_err(|error| format!("dial tcp {}: connect: {}", self.address, in_words(&error)))?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| words_of(&error))?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.address)
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            response.into_body().collect().await
        };
        // The connection works only while it is polled. Its own result is ignored, because the exchange
        // fails with it.
        let driver = async {
            let _ = connection.await;
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            answer = exchange => answer.map(Collected::to_bytes).map_err(|error| words_of(&error)),
            never = driver => match never {},
        }
    }
}

/// An error of the exchange: that of the connection, if it broke.
fn words_of(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "EOF".to_owned();
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.map_or_else(|| error.to_string(), in_words)
}

fn status_yaml(answer: &Value) -> String {
    let attributes = &answer["data"]["attributes"];
    let mut out = String::new();
    let keys = [
        ("status", false),
        ("paused", true),
        ("vus", true),
        ("vus-max", true),
        ("stopped", false),
        ("running", false),
        ("tainted", false),
    ];
    for (key, quoted) in keys {
        let value = &attributes[key];
        // Writing to a string cannot fail. k6 shows nullable values as strings.
        let _ = if quoted {
            writeln!(out, "{key}: \"{value}\"")
        } else {
            writeln!(out, "{key}: {value}")
        };
    }
    out
}

fn metric_yaml(metric: &Value) -> String {
    let attributes = &metric["attributes"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tainted = match &attributes["tainted"] {
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut out = format!(
        "- name: {}\n  type:\n    type: {}\n    valid: true\n  contains:\n    type: {}\n    valid: \
         true\n  tainted: \"{tainted}\"\n  sample:\n",
        text(&metric["id"]),
        text(&attributes["type"]),
        text(&attributes["contains"]),
    );
    for (name, value) in attributes["sample"].as_object().into_iter().flatten() {
        out.push_str("    ");
        out.push_str(name);
        out.push_str(": ");
        push_float_json(&mut out, value.as_f64().unwrap_or_default());
        out.push('\n');
    }
    out
}
