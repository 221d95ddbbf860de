//! Faults of connections, independent of the requests on them.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// The behaviour of connections.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// The listener is down: the operating system refuses connections.
    pub refused: bool,
    /// Time from accepting a connection to reading from it.
    pub latency: Latency,
    /// The TLS handshake, for listeners with TLS.
    pub handshake: Handshake,
    /// The certificate of the server, for listeners with TLS.
    pub certificate: Certificate,
}

/// The outcome of a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// As usual.
    #[default]
    Complete,
    /// The connection is reset instead of the server's first message.
    Abort,
    /// The server never answers the client's first message.
    Stall,
}

/// The certificate that the server presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// One that clients trust.
    #[default]
    Valid,
    /// An expired certificate.
    Expired,
    /// A certificate for another host.
    WrongHost,
    /// A self-signed certificate, instead of one from the authority that clients trust.
    SelfSigned,
}

impl Connection {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        self.latency.check(&mut check.at("latency"));
    }
}
