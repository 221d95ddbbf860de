//! A system on a free port, and a client of it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use service_runtime::Shutdown;
use target_systems::serve::{Config, run};
use target_systems::{System, systems};
use tokio::net::TcpListener;

/// A served system; it ends when the value is dropped.
pub struct Served {
    pub address: std::net::SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: Shutdown,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: http::HeaderMap,
    pub text: String,
    /// Null if the text is not JSON.
    pub body: Value,
}

impl Response {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Served {
    pub async fn start(name: &str) -> Self {
        let system =
            System::read(systems::text(name).expect("an embedded system")).expect("no errors");
        Self::serve(Config::new(system)).await
    }

    /// A custom system, in YAML.
    pub async fn of(text: &str) -> Self {
        let system = System::read(text).unwrap_or_else(|invalid| panic!("{invalid}"));
        Self::serve(Config::new(system)).await
    }

    pub async fn serve(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new();
        tokio::spawn(run(config, listener, shutdown.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            address,
            client,
            shutdown,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let text = if body.is_null() {
            None
        } else {
            Some(body.to_string())
        };
        self.send("POST", path, text.as_deref(), &[]).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Response {
        let headers: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        self.send_bytes(method, path, body, &headers).await
    }

    /// Like [`Self::send`], with headers that need not be text.
    pub async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &[u8])],
    ) -> Response {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let request = request.body(body).expect("a request");
        let answer = self.client.request(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
            body,
        }
    }

    /// The value of a series of `/metrics`, which begins with this name and these labels.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text;
        let value = text.lines().find_map(|line| line.strip_prefix(series))?;
        value.trim().parse().ok()
    }

    /// Repeats the request until the response is as expected.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) {
        let asking = async {
            while !wanted(&self.get(path).await.body) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asking)
            .await
            .expect("it comes to that");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
