//! HTTP to the detectors: one pooled client, one exchange at a time, every way it can fail named.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
/// Whoever asks for more than a day has not counted right.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

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

/// `Retry-After`, as seconds or as an HTTP date; a date that is past means at once. A date is held
/// against the sender's own `Date` where there is one: clocks differ.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let given = text(header::RETRY_AFTER)?;
    let wait = match given.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => {
            let date = |text| httpdate::parse_http_date(text).ok();
            let now = text(header::DATE).and_then(date);
            let now = now.unwrap_or_else(SystemTime::now);
            date(given)?.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (given, seconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("18446744073709551615", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:49:38 1994", Some(1)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, HeaderValue::from_static(now));
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(given));
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers), expected, "{given}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn without_a_date_of_the_sender_ours_counts() {
        let at = SystemTime::now() + Duration::from_secs(3_000);
        let text = httpdate::fmt_http_date(at);
        let value = HeaderValue::from_str(&text).expect("ASCII");
        let wait = retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value)]));
        let seconds = wait.expect("a date").as_secs();
        assert!((2_000..=3_000).contains(&seconds), "{seconds}");
    }
}
