//! What is tested, as the runner sees it.

use std::net::Ipv4Addr;

use super::admin::Admin;
use crate::drill;

/// A started target. The binary implements it for what it can start, and for services elsewhere.
pub trait Target: Sync {
    /// What reports call it: the system's name, or the URL of a service.
    fn name(&self) -> &str;

    /// URL without a path, such as `http://127.0.0.1:8000`.
    fn base_url(&self) -> &str;

    /// Whether its figures are those of a simulation.
    fn is_simulated(&self) -> bool;

    /// The admin API of a simulated system; `None` where there is none.
    fn admin(&self) -> Option<&Admin>;

    /// What drills change and ask; `None` where no mock detectors are within reach.
    fn drilled(&self) -> Option<&drill::Target>;

    /// A reason why it does not run any more; `None` while it does.
    fn broken(&self) -> Option<String>;
}

/// Whether a URL names an address of the loopback network itself. A name may stand for one of version 6, which has no
/// other addresses beside it.
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
