//! Where detectors may be that were registered over the API: an allow-list of networks, so that
//! nobody makes the service call what only the service can reach.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Addresses that share their first bits, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; write it as 10.0.0.0/8 or fc00::/7")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (base, bits) = text.split_once('/').ok_or_else(wrong)?;
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        if bits > most {
            Err(wrong())
        } else {
            Ok(Self { base, bits })
        }
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = |a: u128, b: u128, length: u32| {
            let keep = u32::from(self.bits);
            keep > 0 && (a ^ b) >> (length - keep) != 0
        };
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(it)) => {
                !differ(u128::from(base.to_bits()), u128::from(it.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(it)) => !differ(base.to_bits(), it.to_bits(), 128),
            _ => false,
        }
    }
}

/// This machine and private networks: where detectors usually are. Not among them is 169.254/16,
/// where clouds keep their secrets.
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

/// Resolves names, and with networks given drops the addresses outside of them: a name that was
/// harmless when it was registered may point elsewhere today.
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
    fn a_network_holds_what_shares_its_bits() {
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
    fn nonsense_is_no_network() {
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
