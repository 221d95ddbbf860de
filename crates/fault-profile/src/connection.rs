//! What happens to connections, apart from the requests on them.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// Behaviour at the level of connections.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// The listener is down: connecting is refused by the operating system.
    pub refused: bool,
    /// Time from accepting a connection to reading from it.
    pub latency: Latency,
    /// The TLS handshake, for listeners with TLS.
    pub handshake: Handshake,
    /// The certificate that is shown, for listeners with TLS.
    pub certificate: Certificate,
}

/// How a TLS handshake goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    #[default]
    Complete,
    /// The connection is reset in place of the server's first message.
    Abort,
    /// The server never answers the client's first message.
    Stall,
}

/// Which certificate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    #[default]
    Valid,
    /// Its time is over.
    Expired,
    /// It names another host.
    WrongHost,
    /// It is signed by itself and not by the authority that clients trust.
    SelfSigned,
}

impl Connection {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        self.latency.check(&mut check.at("latency"));
    }
}
