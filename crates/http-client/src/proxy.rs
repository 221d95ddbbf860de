//! Proxies from the environment: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, by Go's rules.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::counted::Counted;
use super::failure::Failure;
use super::origin::Origin;
use super::url::Url;

/// The proxies of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<Direct>,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
    /// The reason why it cannot be used.
    refused: Option<String>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    All,
    /// A CIDR block; a single address is one of full length.
    Network(IpNet),
    /// A domain; whether it includes itself or only its subdomains; a port.
    Domain(String, bool, Option<u16>),
}

/// The most bytes of the response to `CONNECT`.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

impl Proxies {
    pub(crate) fn new(http: Option<&str>, https: Option<&str>, direct: &str) -> Self {
        Self {
            http: http.map(Proxy::parse),
            https: https.map(Proxy::parse),
            direct: direct.split(',').filter_map(Direct::parse).collect(),
        }
    }

    /// The proxy for an origin; `None` means a direct connection. Loopback addresses never use a proxy.
    pub(crate) fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.is_tls {
            &self.https
        } else {
            &self.http
        };
        let proxy = proxy.as_ref()?;
        let address: Option<IpAddr> = origin.host.parse().ok();
        let is_local =
            origin.host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let is_direct = self
            .direct
            .iter()
            .any(|entry| entry.covers(&origin.host, address, origin.port));
        (!is_local && !is_direct).then_some(proxy)
    }
}

impl Proxy {
    fn parse(text: &str) -> Self {
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let refused = |why: String| Self {
            host: String::new(),
            port: 0,
            authorization: None,
            refused: Some(why),
        };
        match Url::parse(&with_scheme) {
            Ok(url) if !url.is_tls => Self {
                host: url.host.clone(),
                port: url.port,
                authorization: url.credentials().map(|(user, password)| {
                    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
                }),
                refused: None,
            },
            Ok(_) => refused("proxies that speak TLS themselves are not supported".to_owned()),
            Err(error) => refused(format!("invalid proxy address {text:?}: {error}")),
        }
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// When the proxy is of a kind that is not supported.
    pub(crate) fn address(&self) -> Result<(&str, u16), Failure> {
        match &self.refused {
            Some(why) => Err(Failure::new(1000, format!("proxyconnect tcp: {why}"))),
            None => Ok((&self.host, self.port)),
        }
    }

    /// Asks the proxy for a tunnel to `origin`.
    ///
    /// # Errors
    /// The proxy refuses, or breaks off.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut Counted,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let host = if origin.host.contains(':') {
            format!("[{}]", origin.host)
        } else {
            origin.host.clone()
        };
        let target = format!("{host}:{}", origin.port);
        let mut request = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: Go-http-client/1.1\r\n"
        );
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        let broken = |error: std::io::Error| Failure::broken("proxyconnect", &error);
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        // Byte by byte, since bytes after the empty line belong to the tunnel.
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await.map_err(broken)?;
            answer.push(byte);
            if answer.len() > MAX_ANSWER_BYTES {
                return Err(Failure::new(
                    1000,
                    "proxyconnect tcp: the answer is too long",
                ));
            }
        }
        let text = String::from_utf8_lossy(&answer);
        let line = text.lines().next().unwrap_or_default();
        let status = line.split_once(' ').map_or("", |(_, status)| status);
        if status.starts_with("200") {
            return Ok(());
        }
        let words = status.split_once(' ').map_or(status, |(_, words)| words);
        Err(Failure::new(1000, words))
    }
}

impl Direct {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = text.parse() {
            return Some(Self::Network(network));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Self::Network(address.into()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        let host = host.strip_prefix('*').unwrap_or(host);
        Some(match host.strip_prefix('.') {
            Some(under) => Self::Domain(under.to_owned(), false, port),
            None => Self::Domain(host.to_owned(), true, port),
        })
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Self::Domain(domain, itself, wanted) => {
                let prefix = host.strip_suffix(domain.as_str());
                let fits = prefix
                    .is_some_and(|prefix| prefix.ends_with('.') || (*itself && prefix.is_empty()));
                fits && wanted.is_none_or(|wanted| wanted == port)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(direct: &str, url: &str, expected: bool) {
        let proxies = Proxies::new(Some("http://u:p@proxy:3128"), Some("proxy"), direct);
        let url = Url::parse(url).expect("a URL");
        let origin = Origin {
            is_tls: url.is_tls,
            host: url.host.clone(),
            port: url.port,
        };
        assert_eq!(
            proxies.of(&origin).is_some(),
            expected,
            "{url} with {direct:?}"
        );
    }

    #[test]
    fn requests_use_the_proxy_unless_exempted() {
        check("", "http://a.test/", true);
        check("", "https://a.test/", true);
        check("", "http://localhost/", false);
        check("", "http://127.0.0.1/", false);
        check("*", "http://a.test/", false);
        check("a.test", "http://a.test/", false);
        check("a.test", "http://sub.a.test/", false);
        check("a.test", "http://aa.test/", true);
        check(".a.test", "http://a.test/", true);
        check(".a.test", "http://sub.a.test/", false);
        check("a.test:81", "http://a.test/", true);
        check("a.test:80, b", "http://a.test/", false);
        check("10.0.0.0/8", "http://10.1.2.3/", false);
        check("10.0.0.0/8", "http://11.1.2.3/", true);
        check("10.9.9.9/8", "http://10.1.2.3/", false);
        check("10.1.2.3", "http://10.1.2.3/", false);
        check("10.1.2.3", "http://10.1.2.4/", true);
        check("fd00::/8", "http://[fd00::1]/", false);
        check("[fd00::1]", "http://[fd00::1]/", false);
        check("fd00::/8", "http://10.1.2.3/", true);
    }

    #[test]
    fn a_proxy_has_address_and_credentials() {
        let proxy = Proxy::parse("http://u:p@proxy:3128");
        assert_eq!(proxy.address(), Ok(("proxy", 3128)));
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dTpw"));
        assert!(Proxy::parse("https://proxy").address().is_err());
        assert!(Proxy::parse("socks5://proxy").address().is_err());
    }
}
