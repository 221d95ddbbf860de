//! An orchestrator in this process, and a client for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orchestrator::config::{AuthMode, DetectorSettings};
use orchestrator::{Config, Reload};
use serde_json::{Value, json};
use service_runtime::Shutdown;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::detector::Detector;

/// A running orchestrator; stops when dropped.
pub struct Service {
    pub address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: DropGuard,
    served: JoinHandle<std::io::Result<()>>,
}

/// A response of the service.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Response {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The result of one detector.
    pub fn result(&self, name: &str) -> &Value {
        let results = self.json["detector_results"]
            .as_array()
            .expect("a list of results");
        results
            .iter()
            .find(|it| it["detector"] == name)
            .expect("a result of this detector")
    }
}

/// A detector's settings for tests: no retries, short timeouts.
pub fn settings(name: &str, detector: &Detector) -> DetectorSettings {
    settings_at(name, &detector.endpoint())
}

pub fn settings_at(name: &str, endpoint: &str) -> DetectorSettings {
    DetectorSettings {
        max_retries: 0,
        timeout: Duration::from_millis(500),
        ..DetectorSettings::new(name, endpoint).expect("an endpoint")
    }
}

pub fn config(detectors: Vec<DetectorSettings>) -> Config {
    let mut config = Config {
        detectors,
        // The default of the binary.
        threads: 2,
        ..Config::default()
    };
    config.auth.mode = AuthMode::Off;
    config
}

pub async fn start(config: Config) -> Service {
    serve(config, None).await
}

/// A service whose detectors and policies follow a source.
pub async fn start_following(config: Config, source: Reload) -> Service {
    serve(config, Some(source)).await
}

async fn serve(config: Config, source: Option<Reload>) -> Service {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let served = orchestrator::run_following(config, source, listener, stop);
    let served = tokio::spawn(served);
    Service {
        address,
        client: Client::builder(TokioExecutor::new()).build_http(),
        stop: shutdown.drop_guard(),
        served,
    }
}

impl Service {
    /// Stops the service and waits for its end.
    pub async fn stop(self) {
        drop(self.stop);
        drop(self.client);
        self.served.await.expect("no panic").expect("a clean end");
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// The status alone, without waiting for a body that may be endless.
    pub async fn status(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default()).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        response.status().as_u16()
    }

    /// The body of a streamed response.
    pub async fn open(&self, path: &str) -> hyper::body::Incoming {
        let uri = format!("http://{}{path}", self.address);
        let request = Request::get(uri).body(Full::default()).expect("a request");
        self.client
            .request(request)
            .await
            .expect("an answer")
            .into_body()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string())
            .await
    }

    /// `POST /orchestrate` with fields added to a request for tenant `t`.
    pub async fn orchestrate(&self, more: Value) -> Response {
        self.post("/orchestrate", &request(more)).await
    }

    /// Waits until `/metrics` contains a line; fails the test after five seconds.
    pub async fn until_metric(&self, line: &str) {
        for _ in 0..500 {
            if self.get("/metrics").await.text.lines().any(|it| it == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "{line} never appeared in\n{}",
            self.get("/metrics").await.text
        );
    }
}

/// A request for tenant `t` with fields added.
pub fn request(more: Value) -> Value {
    let mut body = json!({"content": "hello", "content_type": "text", "tenant_id": "t"});
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}
