//! What `k6/crypto`, `k6/crypto/x509` and the symmetric part of the global `crypto` do, without the script engine.

mod hash;
mod subtle;
pub mod x509;

pub(crate) use hash::hmac;
pub use hash::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};
pub use subtle::{Aes, SubtleError, pbkdf2};
