//! Sends bodies over HTTP on a separate thread.
//!
//! A slow receiver must not block an output: a thread sends one body at a time
//! and reports the result.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::tls::Version;
use reqwest::{Certificate, Client, ClientBuilder, Identity};

use super::grpc;

/// The settings of a receiver.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// The URL that bodies are posted to.
    pub url: String,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// User name and password.
    pub basic_auth: Option<(String, String)>,
    /// Sent as `Authorization: Bearer`.
    pub bearer_token: Option<String>,
    /// Accepts any certificate.
    pub insecure_skip_tls_verify: bool,
    /// `1.2` or `1.3`.
    pub tls_minimum_version: Option<String>,
    /// Files with the client's certificate and its key, PEM.
    pub client_certificate: Option<(String, String)>,
    /// File with the CA of the receiver's certificate, PEM.
    pub authority: Option<String>,
    /// The proxy.
    pub proxy: Proxy,
}

/// The HTTP proxy of an endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Proxy {
    /// The proxy of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    #[default]
    Environment,
    /// No proxy, regardless of the environment.
    None,
    /// The proxy with this URL.
    At(String),
}

/// The reason why a body was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The settings are not valid.
    #[error("{0}")]
    Settings(String),
    /// The request failed.
    #[error("HTTP POST request failed: {0}")]
    Request(String),
    /// A datagram was not sent.
    #[error("cannot send a datagram: {0}")]
    Datagram(String),
    /// The receiver rejected the body.
    #[error("got status code: {status} instead expected a 2xx successful status code{answer}")]
    Status {
        /// The status of the response.
        status: u16,
        /// The text of its response, for the log.
        answer: String,
    },
}

/// Timeout of one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum length of a response in a message.
const SHOWN_ANSWER: usize = 200;

/// A blocking sender.
pub(crate) struct Poster {
    client: Client,
    endpoint: Endpoint,
    runtime: tokio::runtime::Runtime,
}

impl Poster {
    /// # Errors
    /// The endpoint is not valid.
    pub(crate) fn new(endpoint: Endpoint) -> Result<Self, PushError> {
        let client = client(&endpoint)?.build().map_err(settings)?;
        let runtime = runtime()?;
        Ok(Self {
            client,
            endpoint,
            runtime,
        })
    }

    /// # Errors
    /// The receiver cannot be reached or rejects it.
    pub(crate) fn post(&self, body: Vec<u8>) -> Result<(), PushError> {
        self.runtime
            .block_on(post(&self.client, &self.endpoint, body))
    }
}

/// A thread that sends.
#[derive(Debug)]
pub(super) struct Pusher {
    bodies: Option<SyncSender<Vec<u8>>>,
    results: Receiver<Result<(), PushError>>,
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Pusher {
    pub(super) fn start(endpoint: &Endpoint) -> Result<Self, PushError> {
        let poster = Poster::new(endpoint.clone())?;
        Ok(Self::with(move |body| poster.post(body)))
    }

    /// Sends bodies as calls of one gRPC method, whose URL is the endpoint's.
    pub(super) fn start_grpc(endpoint: &Endpoint) -> Result<Self, PushError> {
        let client = client(endpoint)?.http2_prior_knowledge();
        let client = client.build().map_err(settings)?;
        let (runtime, url) = (runtime()?, endpoint.url.clone());
        Ok(Self::with(move |body| {
            runtime.block_on(grpc::call(&client, &url, &body))
        }))
    }

    /// Sends bodies by calling `send`.
    pub(super) fn with(
        mut send: impl FnMut(Vec<u8>) -> Result<(), PushError> + Send + 'static,
    ) -> Self {
        let (bodies, waiting) = sync_channel::<Vec<u8>>(1);
        let (done, results) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            while let Ok(body) = waiting.recv() {
                let result = send(body);
                if done.send(result).is_err() {
                    break; // the receiver of results is gone
                }
            }
        });
        Self {
            bodies: Some(bodies),
            results,
            busy: false,
            thread: Some(thread),
        }
    }

    /// The result of the last body, if it is new since the last call.
    pub(super) fn result(&mut self) -> Option<Result<(), PushError>> {
        if !self.busy {
            return None;
        }
        match self.results.try_recv() {
            Ok(result) => {
                self.busy = false;
                Some(result)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(gone())),
        }
    }

    /// As `result`, but waits for the result.
    pub(super) fn wait(&mut self) -> Option<Result<(), PushError>> {
        let result = self
            .busy
            .then(|| self.results.recv().unwrap_or(Err(gone())));
        self.busy = false;
        result
    }

    /// Whether a body is being sent.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Sends a body, unless another one is being sent.
    pub(super) fn push(&mut self, body: Vec<u8>) {
        debug_assert!(!self.busy, "callers ask before they make a body");
        if let Some(bodies) = &self.bodies {
            self.busy = bodies.try_send(body).is_ok();
        }
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        self.bodies = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has no result.
            let _ = thread.join();
        }
    }
}

fn gone() -> PushError {
    PushError::Request("the sending thread is gone".to_owned())
}

fn runtime() -> Result<tokio::runtime::Runtime, PushError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PushError::Settings(error.to_string()))
}

fn settings(error: reqwest::Error) -> PushError {
    PushError::Settings(causes(&error))
}

fn client(endpoint: &Endpoint) -> Result<ClientBuilder, PushError> {
    // Fails only if a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(PATIENCE)
        .default_headers(headers(&endpoint.headers)?)
        .tls_danger_accept_invalid_certs(endpoint.insecure_skip_tls_verify);
    if let Some(version) = &endpoint.tls_minimum_version {
        builder = builder.tls_version_min(tls_version(version)?);
    }
    if let Some((certificate, key)) = &endpoint.client_certificate {
        let mut pem = read(certificate)?;
        pem.push(b'\n');
        pem.extend(read(key)?);
        builder = builder.identity(Identity::from_pem(&pem).map_err(settings)?);
    }
    if let Some(authority) = &endpoint.authority {
        let certificate = Certificate::from_pem(&read(authority)?).map_err(settings)?;
        builder = builder.tls_certs_merge([certificate]);
    }
    builder = match &endpoint.proxy {
        Proxy::Environment => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::At(url) => builder.proxy(reqwest::Proxy::all(url).map_err(settings)?),
    };
    let url = reqwest::Url::parse(&endpoint.url);
    url.map_err(|error| PushError::Settings(format!("parse \"{}\": {error}", endpoint.url)))?;
    Ok(builder)
}

fn read(path: &str) -> Result<Vec<u8>, PushError> {
    std::fs::read(Path::new(path))
        .map_err(|error| PushError::Settings(format!("open {path}: {error}")))
}

fn tls_version(text: &str) -> Result<Version, PushError> {
    match text {
        "1.2" | "tls1.2" => Ok(Version::TLS_1_2),
        "1.3" | "tls1.3" => Ok(Version::TLS_1_3),
        _ => Err(PushError::Settings(format!(
            "TLS version \"{text}\" is not supported, use 1.2 or 1.3"
        ))),
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, PushError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let bad = || PushError::Settings(format!("'{name}: {value}' is not a header"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_str(value).map_err(|_| bad())?;
        headers.insert(key, value);
    }
    Ok(headers)
}

async fn post(client: &Client, endpoint: &Endpoint, body: Vec<u8>) -> Result<(), PushError> {
    let mut request = client.post(&endpoint.url).body(body);
    if let Some((user, password)) = &endpoint.basic_auth {
        request = request.basic_auth(user, Some(password));
    }
    if let Some(token) = &endpoint.bearer_token {
        request = request.bearer_auth(token);
    }
    let sent = request.send().await;
    let response = sent.map_err(|error| PushError::Request(causes(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let answer = response.text().await.unwrap_or_default();
    let shown: String = answer.trim().chars().take(SHOWN_ANSWER).collect();
    Err(PushError::Status {
        status: status.as_u16(),
        answer: if shown.is_empty() {
            shown
        } else {
            format!(": {shown}")
        },
    })
}

/// The whole chain of an error on one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
