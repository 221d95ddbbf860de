//! The proof that the server understood the handshake.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use web_crypto::{Algorithm, CryptoError, random_bytes};

const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A fresh value for `Sec-WebSocket-Key`.
///
/// # Errors
/// The system provides no random bytes.
pub fn new_key() -> Result<String, CryptoError> {
    Ok(STANDARD.encode(random_bytes(16)?))
}

/// The `Sec-WebSocket-Accept` with which the server must answer a key.
#[must_use]
pub fn accept_of(key: &str) -> String {
    STANDARD.encode(Algorithm::Sha1.hash(format!("{key}{SUFFIX}").as_bytes()))
}
