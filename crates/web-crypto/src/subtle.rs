//! The symmetric algorithms of the global `crypto.subtle`: AES in three modes and PBKDF2.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{AesGcm, Nonce};

use super::hash::Algorithm;

/// The error of an operation. As in WebCrypto, it does not reveal the problem of a ciphertext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubtleError {
    #[error("an AES key has 128, 192 or 256 bits, not {0}")]
    KeyLength(usize),
    #[error("the {name} has {wanted} bytes, not {given}")]
    Parameter {
        name: &'static str,
        wanted: usize,
        given: usize,
    },
    #[error("the data cannot be encrypted or decrypted with this key and these parameters")]
    Failed,
    #[error("PBKDF2 works with SHA-1, SHA-256, SHA-384 and SHA-512 and at least one iteration")]
    Derivation,
}

/// An AES mode with its parameters.
#[derive(Debug, Clone, Copy)]
pub enum Aes<'p> {
    /// 16 bytes of `iv`; PKCS#7 padding.
    Cbc { iv: &'p [u8] },
    /// 16 bytes of `counter`, all of which count.
    Ctr { counter: &'p [u8] },
    /// 12 bytes of `iv`; the tag, of 12 to 16 bytes, follows the ciphertext.
    Gcm {
        iv: &'p [u8],
        additional_data: &'p [u8],
        tag_bytes: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Encrypt,
    Decrypt,
}

impl Aes<'_> {
    /// # Errors
    /// A key or parameter of the wrong length.
    pub fn encrypt(&self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, SubtleError> {
        self.run(Direction::Encrypt, key, data)
    }

    /// # Errors
    /// A key or parameter of the wrong length, or data that was not encrypted with them.
    pub fn decrypt(&self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, SubtleError> {
        self.run(Direction::Decrypt, key, data)
    }

    fn run(&self, direction: Direction, key: &[u8], data: &[u8]) -> Result<Vec<u8>, SubtleError> {
        let (name, given, wanted) = match self {
            Self::Cbc { iv } => ("iv", iv.len(), 16),
            Self::Ctr { counter } => ("counter", counter.len(), 16),
            Self::Gcm { iv, .. } => ("iv", iv.len(), 12),
        };
        if given != wanted {
            return Err(SubtleError::Parameter {
                name,
                wanted,
                given,
            });
        }
        let result = match (self, key.len()) {
            (Self::Cbc { iv }, 16) => cbc::<Aes128>(direction, key, iv, data),
            (Self::Cbc { iv }, 24) => cbc::<Aes192>(direction, key, iv, data),
            (Self::Cbc { iv }, 32) => cbc::<Aes256>(direction, key, iv, data),
            (Self::Ctr { counter }, 16) => ctr::<ctr::Ctr128BE<Aes128>>(key, counter, data),
            (Self::Ctr { counter }, 24) => ctr::<ctr::Ctr128BE<Aes192>>(key, counter, data),
            (Self::Ctr { counter }, 32) => ctr::<ctr::Ctr128BE<Aes256>>(key, counter, data),
            (
                Self::Gcm {
                    iv,
                    additional_data,
                    tag_bytes,
                },
                length @ (16 | 24 | 32),
            ) => {
                let payload = Payload {
                    msg: data,
                    aad: additional_data,
                };
                let run = GcmRun { direction, key, iv };
                match length {
                    16 => gcm::<Aes128>(run, payload, *tag_bytes),
                    24 => gcm::<Aes192>(run, payload, *tag_bytes),
                    _ => gcm::<Aes256>(run, payload, *tag_bytes),
                }
            }
            (_, length) => return Err(SubtleError::KeyLength(length * 8)),
        };
        result.ok_or(SubtleError::Failed)
    }
}

fn cbc<C>(direction: Direction, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>>
where
    cbc::Encryptor<C>: KeyIvInit + BlockModeEncrypt,
    cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt,
    C: aes::cipher::BlockCipherEncrypt + aes::cipher::BlockCipherDecrypt,
{
    match direction {
        Direction::Encrypt => {
            let cipher = cbc::Encryptor::<C>::new_from_slices(key, iv).ok()?;
            Some(cipher.encrypt_padded_vec::<Pkcs7>(data))
        }
        Direction::Decrypt => {
            let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(data).ok()
        }
    }
}

fn ctr<C: KeyIvInit + StreamCipher>(key: &[u8], counter: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut out = data.to_vec();
    C::new_from_slices(key, counter)
        .ok()?
        .try_apply_keystream(&mut out)
        .ok()?;
    Some(out)
}

struct GcmRun<'a> {
    direction: Direction,
    key: &'a [u8],
    iv: &'a [u8],
}

/// GCM (SP 800-38D) with a tag that may be truncated. The library only supports whole tags when it decrypts: a
/// shorter one is checked against the start of that of the deciphered text.
fn gcm<C>(run: GcmRun<'_>, payload: Payload<'_, '_>, tag_bytes: usize) -> Option<Vec<u8>>
where
    AesGcm<C, U12>: KeyInit + Aead<NonceSize = U12>,
    C: aes::cipher::BlockCipherEncrypt + aes::cipher::BlockSizeUser<BlockSize = U16>,
    ctr::Ctr32BE<C>: KeyIvInit + StreamCipher,
{
    const WHOLE_TAG_BYTES: usize = 16;
    let GcmRun { direction, key, iv } = run;
    let cipher = AesGcm::<C, U12>::new_from_slice(key).ok()?;
    let nonce = Nonce::<U12>::try_from(iv).ok()?;
    match direction {
        Direction::Encrypt => {
            let mut sealed = cipher.encrypt(&nonce, payload).ok()?;
            sealed.truncate(sealed.len().checked_sub(WHOLE_TAG_BYTES - tag_bytes)?);
            Some(sealed)
        }
        Direction::Decrypt if tag_bytes == WHOLE_TAG_BYTES => cipher.decrypt(&nonce, payload).ok(),
        Direction::Decrypt => {
            let length = payload.msg.len().checked_sub(tag_bytes)?;
            // Counter 1 belongs to the tag.
            let counter: Vec<u8> = iv.iter().copied().chain([0, 0, 0, 2]).collect();
            let plain = ctr::<ctr::Ctr32BE<C>>(key, &counter, &payload.msg[..length])?;
            let again = Payload {
                msg: &plain,
                aad: payload.aad,
            };
            let sealed = cipher.encrypt(&nonce, again).ok()?;
            let differences = sealed[length..length + tag_bytes]
                .iter()
                .zip(&payload.msg[length..])
                .fold(0, |all, (wanted, given)| all | (wanted ^ given));
            (differences == 0).then_some(plain)
        }
    }
}

/// PBKDF2 with HMAC (RFC 8018): `length_bytes` of key from a password.
///
/// # Errors
/// Another hash than SHA-1, -256, -384 or -512, or no iterations.
pub fn pbkdf2(
    hash: Algorithm,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length_bytes: usize,
) -> Result<Vec<u8>, SubtleError> {
    if iterations == 0 {
        return Err(SubtleError::Derivation);
    }
    let mut out = vec![0; length_bytes];
    match hash {
        Algorithm::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, salt, iterations, &mut out),
        Algorithm::Sha256 => {
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, iterations, &mut out);
        }
        Algorithm::Sha384 => {
            pbkdf2::pbkdf2_hmac::<sha2::Sha384>(password, salt, iterations, &mut out);
        }
        Algorithm::Sha512 => {
            pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, salt, iterations, &mut out);
        }
        _ => return Err(SubtleError::Derivation),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Aes, SubtleError, pbkdf2};
    use crate::Algorithm;
    use crate::unhex as bytes;

    #[track_caller]
    fn check(mode: &Aes<'_>, key: &[u8], plain: &[u8], cipher_start: &[u8]) {
        let cipher = mode.encrypt(key, plain).expect("encrypted");
        assert!(cipher.starts_with(cipher_start), "{cipher:02x?}");
        assert_eq!(mode.decrypt(key, &cipher).as_deref(), Ok(plain));
    }

    #[test]
    fn aes_gives_the_values_of_nist() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let plain = bytes("6bc1bee22e409f96e93d7e117393172a");
        let iv = bytes("000102030405060708090a0b0c0d0e0f");
        check(
            &Aes::Cbc { iv: &iv },
            &key,
            &plain,
            &bytes("7649abac8119b246cee98e9b12e9197d"),
        );
        let counter = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        check(
            &Aes::Ctr { counter: &counter },
            &key,
            &plain,
            &bytes("874d6191b620e3261bef6864990db6ce"),
        );
        let gcm = Aes::Gcm {
            iv: &[0; 12],
            additional_data: &[],
            tag_bytes: 16,
        };
        check(
            &gcm,
            &[0; 16],
            &[0; 16],
            &bytes("0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"),
        );
        for key_bytes in [24, 32] {
            let key = vec![7; key_bytes];
            check(&Aes::Cbc { iv: &iv }, &key, b"", &[]);
            check(&Aes::Ctr { counter: &iv }, &key, b"text", &[]);
            check(
                &Aes::Gcm {
                    iv: &[1; 12],
                    additional_data: b"more",
                    tag_bytes: key_bytes / 2,
                },
                &key,
                b"text",
                &[],
            );
        }
    }

    #[test]
    fn changed_data_is_not_decrypted() {
        let mode = Aes::Gcm {
            iv: &[1; 12],
            additional_data: b"a",
            tag_bytes: 12,
        };
        let mut cipher = mode.encrypt(&[0; 16], b"text").expect("encrypted");
        let other = Aes::Gcm {
            iv: &[1; 12],
            additional_data: b"b",
            tag_bytes: 12,
        };
        assert_eq!(other.decrypt(&[0; 16], &cipher), Err(SubtleError::Failed));
        assert_eq!(mode.decrypt(&[0; 16], &cipher).as_deref(), Ok(&b"text"[..]));
        assert_eq!(
            mode.decrypt(&[0; 16], &cipher[..11]),
            Err(SubtleError::Failed)
        );
        cipher[0] ^= 1;
        assert_eq!(mode.decrypt(&[0; 16], &cipher), Err(SubtleError::Failed));
        assert_eq!(
            Aes::Cbc { iv: &[0; 16] }.decrypt(&[0; 16], &[1; 15]),
            Err(SubtleError::Failed)
        );
    }

    #[test]
    fn lengths_are_checked() {
        let short = Aes::Cbc { iv: &[0; 3] };
        assert_eq!(
            short.encrypt(&[0; 16], b"x"),
            Err(SubtleError::Parameter {
                name: "iv",
                wanted: 16,
                given: 3
            })
        );
        assert_eq!(
            Aes::Ctr { counter: &[0; 16] }.encrypt(&[0; 5], b"x"),
            Err(SubtleError::KeyLength(40))
        );
    }

    #[test]
    fn pbkdf2_gives_the_values_of_rfc_6070() {
        let key = |iterations| pbkdf2(Algorithm::Sha1, b"password", b"salt", iterations, 20);
        assert_eq!(
            key(1),
            Ok(bytes("0c60c80f961f0e71f3a9b524af6012062fe037a6"))
        );
        assert_eq!(
            key(2),
            Ok(bytes("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"))
        );
        assert_eq!(key(0), Err(SubtleError::Derivation));
        assert_eq!(
            pbkdf2(Algorithm::Md5, b"", b"", 1, 4),
            Err(SubtleError::Derivation)
        );
    }
}
