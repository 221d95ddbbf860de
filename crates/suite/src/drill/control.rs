//! The calls a drill makes to the orchestrator and its metrics.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::ProbeConfig;
use super::breaker::BreakerState;
use super::observe::Calls;
use crate::metrics_text::samples;

type BoxError = Box<dyn Error + Send + Sync>;

/// Maximum size of a response.
const MOST_BYTES: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// The target of a drill.
#[derive(Debug, Clone)]
pub struct Target {
    /// URL without a path, such as `http://127.0.0.1:8000`.
    pub orchestrator: String,
    /// Sent with every probe: key, tenant.
    pub headers: Vec<(String, String)>,
    /// The admin API of each mock detector, as a URL without a path.
    pub detectors: IndexMap<String, String>,
}

/// Connections that are reused between calls.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Caller {
    pub fn new() -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// No connection, a truncated or too long response, or a timeout of 10 s.
    pub async fn call(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), BoxError> {
        let call = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES)
                .collect()
                .await?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, call)
            .await
            .map_err(|_| "no answer within 10 s")?
    }

    /// Sends one request to the orchestrator; returns the status and the coverage of the response.
    ///
    /// # Errors
    /// There was no response.
    pub async fn probe(
        &self,
        target: &Target,
        config: &ProbeConfig,
        content: String,
    ) -> Result<(u16, f64), BoxError> {
        let mut body = json!({ "content": content, "content_type": config.content_type });
        if !config.required_detectors.is_empty() {
            body["required_detectors"] = json!(config.required_detectors);
        }
        let body = Bytes::from(body.to_string());
        let mut request = json_request(Method::POST, &target.orchestrator, "/orchestrate", body)?;
        for (name, value) in &target.headers {
            let name: http::HeaderName = name.parse()?;
            request.headers_mut().insert(name, value.parse()?);
        }
        let (status, answer) = self.call(request).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        Ok((
            status.as_u16(),
            answer["coverage_achieved"].as_f64().unwrap_or_default(),
        ))
    }

    /// Reads the orchestrator's metrics.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn metrics(&self, orchestrator: &str) -> Result<String, BoxError> {
        let request = json_request(Method::GET, orchestrator, "/metrics", Bytes::new())?;
        let (status, text) = self.call(request).await?;
        if !status.is_success() {
            return Err(format!("{orchestrator}/metrics answered {status}").into());
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The limit of this machine that prevented a call, as text, if that was the reason.
pub fn own_limit(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let errno = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        match errno {
            Some(libc::EMFILE | libc::ENFILE) => {
                return Some("the drill ran out of file descriptors; raise its limit (ulimit -n)");
            }
            Some(libc::EADDRNOTAVAIL) => {
                return Some("the drill had no free local port (net.ipv4.ip_local_port_range)");
            }
            _ => cause = error.source(),
        }
    }
    None
}

fn json_request(
    method: Method,
    base: &str,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::builder()
        .method(method)
        .uri(format!("{}{path}", base.trim_end_matches('/')))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
}

/// Detector and state of every `circuit_breaker_state{…} 1`.
pub fn breaker_states(metrics: &str) -> Vec<(String, BreakerState)> {
    samples(metrics)
        .filter(|it| it.name == "circuit_breaker_state" && it.value > 0.5)
        .filter_map(|it| {
            let state = BreakerState::from(&*it.label("state")?);
            Some((it.label("detector")?.into_owned(), state))
        })
        .collect()
}

/// The calls of each detector in requests so far. Calls that were skipped because they were not needed do not count.
pub fn detector_calls(metrics: &str) -> IndexMap<String, Calls> {
    let mut found: IndexMap<String, Calls> = IndexMap::new();
    for it in samples(metrics).filter(|it| it.name == "detector_latency_ms_count") {
        let (Some(detector), Some(status)) = (it.label("detector"), it.label("status")) else {
            continue;
        };
        let calls = found.entry(detector.into_owned()).or_default();
        let count = it.value.max(0.0) as u64;
        match &*status {
            "skipped" => {}
            "success" => calls.made += count,
            _ => {
                calls.made += count;
                calls.failed += count;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_failed_or_were_not_tried_count_and_unneeded_ones_do_not() {
        let text = "detector_latency_ms_count{detector=\"a\",status=\"success\"} 7\n\
                    detector_latency_ms_count{detector=\"a\",status=\"timeout\"} 2\n\
                    detector_latency_ms_count{detector=\"a\",status=\"unavailable\"} 1\n\
                    detector_latency_ms_count{detector=\"a\",status=\"skipped\"} 5\n\
                    detector_latency_ms_sum{detector=\"a\",status=\"success\"} 99\n\
                    detector_latency_ms_count{detector=\"b\",status=\"success\"} 0\n";
        let found = detector_calls(text);
        assert_eq!(
            found["a"],
            Calls {
                made: 10,
                failed: 3
            }
        );
        assert_eq!(found["b"], Calls::default());
    }

    #[test]
    fn a_limit_of_our_own_is_found_behind_its_consequences() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect")]
        struct Outer(#[source] std::io::Error);
        let error = |errno| Outer(std::io::Error::from_raw_os_error(errno));
        let limit = own_limit(&error(libc::EMFILE)).expect("our own");
        assert!(limit.contains("ulimit -n"), "{limit}");
        assert_eq!(own_limit(&error(libc::ECONNREFUSED)), None);
    }

    #[test]
    fn only_the_state_that_a_breaker_is_in_is_taken() {
        let text = "circuit_breaker_state{detector=\"a\",state=\"open\"} 1\n\
                    circuit_breaker_state{detector=\"a\",state=\"closed\"} 0\n\
                    circuit_breaker_state{detector=\"b\",state=\"half_open\"} 1\n";
        let states = breaker_states(text);
        assert_eq!(
            states,
            [
                ("a".into(), BreakerState::Open),
                ("b".into(), BreakerState::HalfOpen)
            ]
        );
    }
}
