//! A client of a running mock detector's admin API.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The admin API of one detector.
#[derive(Debug, Clone)]
pub struct AdminClient {
    address: SocketAddr,
}

/// The error of a request to the admin API.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no mock detector answers on {address}; is `sparring up` or `sparring mock` running?")]
    Unreachable {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{address} did not answer within 5 s")]
    Slow { address: SocketAddr },
    #[error("{address} closed the connection")]
    Broken {
        address: SocketAddr,
        source: hyper::Error,
    },
    #[error("{}", said(.status, .body))]
    Refused { status: StatusCode, body: Value },
}

fn said(status: &StatusCode, body: &Value) -> String {
    let faults = body["faults"].as_array().into_iter().flatten();
    let lines: Vec<String> = faults
        .map(|fault| {
            let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("path"), text("message"))
        })
        .collect();
    match (lines.is_empty(), body["message"].as_str()) {
        (false, _) => lines.join("\n"),
        (true, Some(message)) => message.to_owned(),
        (true, None) => format!("refused with status {status}"),
    }
}

impl AdminClient {
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Sends a request below `/__admin` and returns the response.
    ///
    /// # Errors
    /// There is no response, or it is not a success.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, AdminError> {
        let exchange = self.exchange(method.clone(), path, body);
        let slow = AdminError::Slow {
            address: self.address,
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| slow)??;
        tracing::debug!(
            "{method} http://{}/__admin{path} answered {status}",
            self.address
        );
        if status.is_success() {
            return Ok(body);
        }
        Err(AdminError::Refused { status, body })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), AdminError> {
        let address = self.address;
        let broken = |source| AdminError::Broken { address, source };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| AdminError::Unreachable { address, source })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("/__admin{path}"))
            .header(header::HOST, address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("the parts are valid: fixed names, an address and a path of ours");
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let bytes = response.into_body().collect().await?.to_bytes();
            let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
            Ok((
                status,
                serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
            ))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer.map_err(broken),
            ended = connection => {
                ended.map_err(broken)?;
                answer.await.map_err(broken)
            }
        }
    }
}
