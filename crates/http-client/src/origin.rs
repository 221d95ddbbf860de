//! The peer of a connection.

use super::url::Url;

/// The identity of a peer: connections with equal origins are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of a URL.
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            is_tls: url.is_tls,
            host: url.host.clone(),
            port: url.port,
        }
    }

    /// Whether this is the origin of the URL.
    pub(crate) fn is_of(&self, url: &Url) -> bool {
        self.port == url.port && self.is_tls == url.is_tls && self.host == url.host
    }
}
