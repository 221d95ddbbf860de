//! HTTP to the detectors: one pooled client, one exchange at a time, and a name for each failure.

mod connection;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use service_runtime::threads;
use tokio::time::Instant;

use self::connection::{Connector, was_stale};
use crate::ask::network::{Network, Resolver};
use crate::ask::trust::RegistrationSource;
use crate::config::Connections;

/// The time limit of a handshake, longer than any attempt; attempts have their own, shorter limit.
const CONNECT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 512;
/// The longest `Retry-After`: more than a day is taken for a mistake.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The client that all detector calls share, with a pool of connections per thread, since a connection on
/// another thread costs a wake-up. Clones share the pools.
#[derive(Clone)]
pub struct Transport {
    pools: Arc<[Pool]>,
    networks: Arc<[Network]>,
    connections: Connections,
}

struct Pool {
    /// For detectors of the fleet file.
    free: Client,
    /// For detectors registered over the API.
    fenced: Client,
}

/// A client with kept connections, and one with a new connection per request.
#[derive(Clone)]
struct Client {
    keeping: HyperClient<Connector, Sent>,
    fresh: HyperClient<Connector, Sent>,
}

/// A complete response.
#[derive(Debug)]
pub struct Exchange {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request body that records the time at which a connection polls it for the first time.
pub struct Sent {
    body: Full<Bytes>,
    taken: Option<Arc<OnceLock<Instant>>>,
}

impl Sent {
    /// Sets `taken` when a connection takes the request. An empty body is never polled.
    pub fn telling(body: Bytes, taken: Arc<OnceLock<Instant>>) -> Self {
        Self {
            body: Full::new(body),
            taken: Some(taken),
        }
    }

    pub fn nothing() -> Self {
        Self {
            body: Full::new(Bytes::new()),
            taken: None,
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(taken) = self.taken.take() {
            let _ = taken.set(Instant::now());
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The `Host` header for requests to `uri`; computed once, since the client would compute it for each request.
/// `None` if `uri` has no host, or none that a header can hold.
pub fn host(uri: &Uri) -> Option<HeaderValue> {
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let name = uri.host()?;
    match uri.port_u16() {
        Some(port) if port != usual => HeaderValue::from_str(&format!("{name}:{port}")).ok(),
        _ => HeaderValue::from_str(name).ok(),
    }
}

/// An exchange without a complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("the connection could not be established")]
    Connect,
    #[error("the connection broke before a response arrived")]
    Reset,
    #[error("the response was truncated")]
    Truncated,
    #[error("the response is too long")]
    TooLong,
}

impl Transport {
    /// `networks` are the allowed ones for detectors registered over the API; `threads` is the number of
    /// serving threads.
    pub fn new(networks: Arc<[Network]>, threads: usize, connections: Connections) -> Self {
        let pool = |_| Pool {
            free: Client::new(Resolver { networks: None }, connections),
            fenced: Client::new(
                Resolver {
                    networks: Some(networks.clone()),
                },
                connections,
            ),
        };
        Self {
            pools: (0..=threads).map(pool).collect(),
            networks,
            connections,
        }
    }

    /// One with its own connections.
    pub fn separate(&self) -> Self {
        Self::new(self.networks.clone(), 0, self.connections)
    }

    fn pool(&self) -> &Pool {
        self.pools.get(threads::place()).unwrap_or(&self.pools[0])
    }

    /// Sends one request to a detector of this origin and reads the whole response, up to `limit_bytes`. A
    /// request on a dead connection is sent once more, on a new one. Dropping the future cancels the exchange.
    ///
    /// # Errors
    /// There is no complete response; the error names the failure.
    pub async fn exchange(
        &self,
        origin: RegistrationSource,
        request: impl Fn() -> Request<Sent>,
        limit_bytes: usize,
    ) -> Result<Exchange, TransportError> {
        let pool = self.pool();
        let client = match origin {
            RegistrationSource::File => &pool.free,
            RegistrationSource::Api => &pool.fenced,
        };
        let failed = |error: hyper_util::client::legacy::Error| {
            if error.is_connect() {
                TransportError::Connect
            } else {
                TransportError::Reset
            }
        };
        let response = match client.keeping.request(request()).await {
            Err(error) if was_stale(&error) => {
                client.fresh.request(request()).await.map_err(failed)?
            }
            response => response.map_err(failed)?,
        };
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit_bytes).collect().await;
        let body = body.map_err(|error| {
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

impl Client {
    fn new(resolver: Resolver, connections: Connections) -> Self {
        let mut inner = HttpConnector::new_with_resolver(resolver);
        inner.set_nodelay(true);
        inner.set_connect_timeout(Some(CONNECT));
        inner.set_keepalive(Some(KEEP_ALIVE));
        let connector = Connector {
            inner,
            max_age: connections.max_age,
        };
        let client = |kept| {
            HyperClient::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(connections.idle)
                .pool_max_idle_per_host(kept)
                .build(connector.clone())
        };
        Self {
            keeping: client(IDLE_PER_HOST),
            fresh: client(0),
        }
    }
}

/// `Retry-After`, as seconds or as an HTTP date; a date that is past means at once. A date is compared with the
/// sender's own `Date` if there is one, since clocks differ.
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

    #[test]
    fn the_host_has_a_port_unless_it_is_the_default() {
        for (uri, expected) in [
            ("http://detector/detect", "detector"),
            ("http://detector:80/detect", "detector"),
            ("https://detector:443/detect", "detector"),
            ("http://detector:443/detect", "detector:443"),
            ("http://user:word@detector:8001/", "detector:8001"),
            ("http://[::1]:8001/", "[::1]:8001"),
        ] {
            let host = host(&Uri::from_static(uri)).expect("a host");
            assert_eq!(host, expected, "{uri}");
        }
        assert_eq!(host(&Uri::from_static("/detect")), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_bounded() {
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
    fn without_a_date_of_the_sender_the_local_clock_counts() {
        let at = SystemTime::now() + Duration::from_secs(3_000);
        let text = httpdate::fmt_http_date(at);
        let value = HeaderValue::from_str(&text).expect("ASCII");
        let wait = retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value)]));
        let seconds = wait.expect("a date").as_secs();
        assert!((2_000..=3_000).contains(&seconds), "{seconds}");
    }
}
