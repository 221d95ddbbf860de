//! What `k6/crypto`, `k6/crypto/x509` and the global `crypto` do, without the script engine.

pub mod ec;
mod hash;
pub mod rsa;
mod subtle;
pub mod x509;

pub(crate) use hash::hmac;
pub use hash::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};
pub use subtle::{Aes, SubtleError, pbkdf2};

/// The bytes of hexadecimal digits; what is none is skipped.
#[cfg(test)]
fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits");
    digits.chunks(2).map(byte).collect()
}
