//! What `k6/crypto` and the symmetric part of the global `crypto` do, without the script engine.

mod hash;
mod subtle;

pub use hash::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};
pub use subtle::{Aes, SubtleError, pbkdf2};
