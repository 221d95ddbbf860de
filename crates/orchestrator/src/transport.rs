//! HTTP to the detectors: one pooled client, one exchange at a time, every way it can fail named.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::network::{Network, Resolver};
use crate::registry::Origin;

/// Longer than any attempt should wait for a handshake; attempts have their own, shorter time.
const CONNECT: Duration = Duration::from_secs(5);
/// Below the idle time of common servers, so that a pooled connection is rarely a dead one.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 512;

/// The client that all detector calls and health checks share. Clones share the pool.
#[derive(Clone)]
pub struct Transport {
    /// For detectors of the fleet file.
    free: HyperClient<HttpConnector<Resolver>, Full<Bytes>>,
    /// For detectors registered over the API.
    fenced: HyperClient<HttpConnector<Resolver>, Full<Bytes>>,
    networks: Arc<[Network]>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Exchange {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An exchange that gave no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("the connection could not be made")]
    Connect,
    #[error("the connection broke before an answer came")]
    Reset,
    #[error("the answer broke off")]
    Truncated,
    #[error("the answer is too long")]
    TooLong,
}

impl Transport {
    /// `networks` are where detectors registered over the API may be.
    pub fn new(networks: Arc<[Network]>) -> Self {
        Self {
            free: client(Resolver { networks: None }),
            fenced: client(Resolver {
                networks: Some(networks.clone()),
            }),
            networks,
        }
    }

    /// One with connections of its own.
    pub fn separate(&self) -> Self {
        Self::new(self.networks.clone())
    }

    /// Sends one request to a detector of this origin and reads the whole answer, at most
    /// `limit_bytes` of it. Dropping the future cancels the exchange.
    ///
    /// # Errors
    /// No complete answer; which way it failed.
    pub async fn exchange(
        &self,
        origin: Origin,
        request: Request<Full<Bytes>>,
        limit_bytes: usize,
    ) -> Result<Exchange, TransportError> {
        let client = match origin {
            Origin::File => &self.free,
            Origin::Api => &self.fenced,
        };
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                TransportError::Connect
            } else {
                TransportError::Reset
            }
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit_bytes)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    TransportError::TooLong
                } else {
                    TransportError::Truncated
                }
            })?;
        Ok(Exchange {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

fn client(resolver: Resolver) -> HyperClient<HttpConnector<Resolver>, Full<Bytes>> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(IDLE));
    HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build(connector)
}

/// `Retry-After` in seconds. The date form is not sent by detectors and is not read.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
