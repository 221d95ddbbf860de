//! What `k6/crypto` and `k6/crypto/x509` do, without the script engine.

mod hash;

pub use hash::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};
