//! The target under test, as seen by the runner.

use std::net::Ipv4Addr;

use super::admin::Admin;
use crate::drill;

/// A started target. The binary implements it for the systems that it can start, and for external services.
pub trait Target: Sync {
    /// The name in reports: that of the system, or the URL of a service.
    fn name(&self) -> &str;

    /// URL without a path, such as `http://127.0.0.1:8000`.
    fn base_url(&self) -> &str;

    /// Whether its figures are those of a simulation.
    fn is_simulated(&self) -> bool;

    /// The admin API of a simulated system; `None` for other targets.
    fn admin(&self) -> Option<&Admin>;

    /// The target of drills; `None` if no mock detectors are within reach.
    fn drilled(&self) -> Option<&drill::Target>;

    /// The reason why it no longer runs; `None` while it does.
    fn broken(&self) -> Option<String>;
}

/// Whether a URL contains an address of the loopback network itself. A name may resolve to an IPv6 address, which has
/// no further loopback addresses.
pub fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.parse::<Ipv4Addr>()
        .is_ok_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_addresses_of_the_loopback_network_are_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:8000", true),
            ("http://127.9.0.1", true),
            ("https://127.0.0.1/x", true),
            ("http://localhost:8000", false),
            ("http://10.0.0.1:8000", false),
            ("http://127.0.0.1.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }
}
