//! The listener of a mock, independent of its behaviour; fixed while the mock runs.

use live_config::{Check, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of a mock's listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listener {
    /// HTTP/2: by ALPN with TLS, with prior knowledge without.
    pub http2: bool,
    /// TLS with a certificate for this host, signed by an authority that the mock makes at start
    /// and shows at `/__admin/authority.pem`. Absent: no TLS.
    pub tls_host: Option<String>,
    pub admin: Admin,
    /// Requests may ask for a fault with `X-Sparring-Fault` and for a delay with
    /// `X-Sparring-Latency-Ms`.
    pub override_headers: bool,
    /// The number of requests that the journal keeps; older ones are evicted and counted.
    pub journal_entries: usize,
}

/// The location of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    /// Under `/__admin/`, on the detector's own port.
    #[default]
    SamePort,
    /// On a separate port of the same address.
    Port(u16),
    /// No admin API.
    Off,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            http2: false,
            tls_host: None,
            admin: Admin::default(),
            override_headers: false,
            journal_entries: 10_000,
        }
    }
}

impl Listener {
    /// Adds every error, with a path relative to this value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        Check::new(faults).at_most("journal_entries", self.journal_entries, 1_000_000);
        if self
            .tls_host
            .as_deref()
            .is_some_and(|host| host.trim().is_empty())
        {
            let message = "must name a host, such as localhost";
            faults.push(ConfigError::new("tls_host", message));
        }
    }
}
