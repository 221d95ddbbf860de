//! A detector, and keep-alive connections to it.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;
use fault_profile::Listener;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use mock_detectors::{Config, Fleet};
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub(crate) async fn start(profile: Value) -> Fleet {
    start_with(profile, Listener::default()).await
}

pub(crate) async fn start_with(profile: Value, listener: Listener) -> Fleet {
    let profile = serde_json::from_value(profile).expect("the test's own profile");
    let config = Config {
        listener,
        ..Config::new("mock", profile)
    };
    Fleet::start([config]).await.expect("a free port")
}

/// A detector's response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Value,
}

impl Response {
    /// The pairs of the decision header.
    pub(crate) fn decision(&self) -> HashMap<String, String> {
        let header = self.headers["x-sparring-decision"].to_str().expect("ASCII");
        let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub(crate) fn decided(&self, name: &str) -> u64 {
        self.decision()[name].parse().expect("a number")
    }
}

/// One keep-alive connection.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("up");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn to(fleet: &Fleet) -> Self {
        Self::connect(fleet.address("mock").expect("started")).await
    }

    pub(crate) async fn send(
        &mut self,
        line: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mock");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.ready().await.expect("an open connection");
        let request = request.body(Full::from(body)).expect("a valid request");
        let response = self.0.send_request(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Response {
            status,
            headers,
            body,
        }
    }

    /// `POST /detect` under a key.
    pub(crate) async fn detect(&mut self, key: &str) -> Response {
        let body = json!({ "content": "mail ada@example.org" }).to_string();
        self.send("POST /detect", &[("x-request-id", key)], body.into())
            .await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path}"), &[], Vec::new()).await
    }

    pub(crate) async fn patch(&mut self, query: &str, patch: Value) -> Response {
        let line = format!("PATCH /__admin/profile{query}");
        self.send(&line, &[], patch.to_string().into()).await
    }
}
