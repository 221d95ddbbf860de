//! Checks that a service listens and answers before it is measured.

use std::time::Duration;

use fleet::Endpoint;
use tokio::net::TcpStream;

use crate::{environment, terminal};

const PATIENCE: Duration = Duration::from_secs(3);
/// The time limit for the answer of a health check.
const HEALTH_WITHIN: Duration = Duration::from_secs(10);

/// The reason why a service cannot be reached, in one line.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    #[error("`{url}` is not the URL of a service; expected one such as http://127.0.0.1:8000")]
    Url { url: String },
    #[error("no {what} answers at {url}: {why}")]
    Silent {
        what: &'static str,
        url: String,
        why: String,
    },
}

/// Connects to the host and port of `url`, and closes the connection. `what` names the service.
///
/// # Errors
/// The URL has no host, or does not accept connections.
pub async fn reach(what: &'static str, url: &str) -> Result<(), Unreachable> {
    let (host, port) = authority(url).ok_or_else(|| Unreachable::Url {
        url: url.to_owned(),
    })?;
    let connect = TcpStream::connect((host.as_str(), port));
    let connected = tokio::time::timeout(PATIENCE, connect).await;
    let why = match connected {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => terminal::plain(&error),
        Err(_) => format!("no connection within {} s", PATIENCE.as_secs()),
    };
    Err(Unreachable::Silent {
        what,
        url: url.to_owned(),
        why,
    })
}

/// The answer of a service to a health check.
#[derive(Debug)]
pub struct Health {
    /// The requested URL.
    pub url: String,
    pub status: u16,
    /// The `Date` header.
    pub date: Option<String>,
}

/// Requests `/health`, so that a service that accepts connections but does not answer is not tested for minutes. Any
/// answer is accepted. `None` if the request is not possible here; https and proxies are left to the driver.
///
/// # Errors
/// There is no answer in time; the message names the URL.
pub fn health(url: &str) -> Result<Option<Health>, String> {
    if !url.starts_with("http://") || goes_through_a_proxy() {
        return Ok(None);
    }
    let url = format!("{}/health", url.trim_end_matches('/'));
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(HEALTH_WITHIN))
        .http_status_as_error(false)
        .build();
    match ureq::Agent::from(config).get(&url).call() {
        Err(ureq::Error::Timeout(_)) => {
            let seconds = HEALTH_WITHIN.as_secs();
            Err(format!("{url} does not answer within {seconds} s"))
        }
        Err(_) => Ok(None),
        Ok(answer) => {
            let date = answer.headers().get("date");
            let date = date.and_then(|date| date.to_str().ok());
            Ok(Some(Health {
                status: answer.status().as_u16(),
                date: date.map(str::to_owned),
                url,
            }))
        }
    }
}

/// Whether requests may take another route than a direct connection.
pub fn goes_through_a_proxy() -> bool {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    names.into_iter().any(environment::is_set)
}

/// Host and port of a URL.
pub fn authority(url: &str) -> Option<(String, u16)> {
    let endpoint = Endpoint::parse(url).ok()?;
    Some((endpoint.bare_host().to_owned(), endpoint.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_the_port_of_its_scheme() {
        for (url, found) in [
            ("http://127.0.0.1:8000/", Some(("127.0.0.1", 8000))),
            ("https://example.com/a", Some(("example.com", 443))),
            ("http://[::1]:9", Some(("::1", 9))),
            ("http://127.0.0.1:99999", None),
            ("127.0.0.1:8000", None),
            ("localhost", None),
            ("", None),
        ] {
            let found = found.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(authority(url), found, "{url}");
        }
    }

    /// DET-31: a service that has not started.
    #[tokio::test]
    async fn who_does_not_listen_is_named_in_one_line() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let url = format!("http://{address}");
        reach("service", &url).await.expect("somebody listens");
        drop(listener);
        let error = reach("service", &url).await.expect_err("nobody listens");
        assert_eq!(
            error.to_string(),
            format!("no service answers at {url}: connection refused")
        );
    }
}
