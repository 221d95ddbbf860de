//! Allowed networks of detectors that are registered over the API, so that a caller cannot make the service
//! call hosts that only the service can reach.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower::Service;

/// A CIDR block, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network; write it as 10.0.0.0/8 or fc00::/7")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = text.parse().map_err(|_| NetworkError(text.to_owned()))?;
        Ok(Self(network))
    }
}

impl Network {
    /// Whether an address lies in the network; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// This machine and private networks, where detectors usually are. They exclude 169.254/16, the metadata
/// addresses of clouds.
pub fn usual() -> Vec<Network> {
    [
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    ]
    .map(|text| text.parse().expect("the list above is made of networks"))
    .to_vec()
}

/// Whether every address of this host lies in one of the networks.
///
/// # Errors
/// The name cannot be resolved.
pub async fn is_allowed(host: &str, port: u16, networks: &[Network]) -> io::Result<bool> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = tokio::net::lookup_host((host, port)).await?.peekable();
    let any = addresses.peek().is_some();
    Ok(any && addresses.all(|address| covers(networks, address.ip())))
}

fn covers(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// Resolves names and drops addresses outside the given networks, since a name that was harmless at
/// registration may point elsewhere later.
#[derive(Clone)]
pub struct Resolver {
    pub networks: Option<Arc<[Network]>>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let networks = self.networks.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = |address: &SocketAddr| {
                networks
                    .as_ref()
                    .is_none_or(|networks| covers(networks, address.ip()))
            };
            Ok(found.filter(allowed).collect::<Vec<_>>().into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, inside: bool) {
        let network: Network = network.parse().expect("a network");
        let address = address.parse().expect("an address");
        assert_eq!(network.contains(address), inside, "{network:?} {address}");
    }

    #[test]
    fn a_network_contains_the_addresses_that_share_its_prefix() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("172.16.0.0/12", "172.31.255.255", true);
        check("172.16.0.0/12", "172.32.0.0", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("127.0.0.1/32", "127.0.0.2", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
        check("fc00::/7", "fd00::1", true);
        check("fc00::/7", "fe80::1", false);
        check("::1/128", "::1", true);
        check("10.0.0.0/8", "::1", false);
    }

    #[test]
    fn a_text_without_a_valid_prefix_is_not_a_network() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "x/8",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_clouds_metadata_address_is_not_allowed() {
        for (host, allowed) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("169.254.169.254", false),
        ] {
            assert_eq!(
                is_allowed(host, 80, &usual()).await.expect("literal"),
                allowed,
                "{host}"
            );
        }
    }
}
