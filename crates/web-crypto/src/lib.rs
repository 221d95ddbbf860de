//! The cryptography of scripts: hashes, signatures, ciphers and certificates as `k6/crypto`,
//! `k6/crypto/x509` and WebCrypto define them.
//!
//! Bytes in, bytes out: nothing here uses a script engine, a clock or a network.

pub mod ec;
mod hash;
pub mod rsa;
mod subtle;
pub mod x509;

pub use hash::{Algorithm, CryptoError, Encoded, Encoding, Hasher, hmac, random_bytes};
pub use subtle::{Aes, SubtleError, pbkdf2};

/// The bytes of hexadecimal digits; other characters are skipped.
#[cfg(test)]
fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits");
    digits.chunks(2).map(byte).collect()
}
