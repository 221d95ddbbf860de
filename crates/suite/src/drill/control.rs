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

    /// Returns every detector with the state of its breaker.
    ///
    /// # Errors
    /// The orchestrator's metrics cannot be read.
    pub async fn breakers(&self, orchestrator: &str) -> Result<Vec<(String, String)>, BoxError> {
        let request = json_request(Method::GET, orchestrator, "/metrics", Bytes::new())?;
        let (status, text) = self.call(request).await?;
        if !status.is_success() {
            return Err(format!("{orchestrator}/metrics answered {status}").into());
        }
        Ok(breaker_states(&String::from_utf8_lossy(&text)))
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
fn breaker_states(metrics: &str) -> Vec<(String, String)> {
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    metrics
        .lines()
        .filter(|line| line.starts_with("circuit_breaker_state{") && line.ends_with("} 1"))
        .filter_map(|line| Some((label(line, "detector")?, label(line, "state")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let states = super::breaker_states(text);
        assert_eq!(
            states,
            [
                ("a".into(), "open".into()),
                ("b".into(), "half_open".into())
            ]
        );
    }
}
