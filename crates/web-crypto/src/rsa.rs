//! RSA keys (RFC 8017): signatures by PKCS #1 v1.5 and PSS, encryption by OAEP.

use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep, Pkcs1v15Sign, Pss};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::hash::Algorithm;

/// The largest accepted modulus in bits: larger ones take minutes.
pub const LARGEST_MODULUS_BITS: usize = 8192;

/// Errors of RSA operations; the texts are those of k6's library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RsaError {
    #[error("invalid public exponent: public exponent is even")]
    EvenExponent,
    #[error("invalid public exponent: public exponent too small")]
    SmallExponent,
    #[error("could not generate RSA key pair")]
    Generation,
    #[error("crypto/rsa: message too long for RSA key size")]
    TooLong,
    #[error("crypto/rsa: decryption error")]
    Decryption,
}

/// The padding of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    Pkcs1,
    /// With this many bytes of salt; `None` means as many as fit, or any number when verifying.
    Pss(Option<usize>),
}

/// The numbers of a private key, big-endian.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RsaNumbers {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub d: Vec<u8>,
    pub p: Vec<u8>,
    pub q: Vec<u8>,
    pub dp: Vec<u8>,
    pub dq: Vec<u8>,
    pub qi: Vec<u8>,
}

/// A private key.
#[derive(Debug, Clone)]
pub struct RsaPrivate(rsa::PrivateKey);

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublic(rsa::PublicKey);

/// The same expression with the hash function `$hash` that the algorithm names.
macro_rules! with_hash {
    ($algorithm:expr, |$hash:ident| $body:expr) => {
        match $algorithm {
            Algorithm::Sha1 => {
                type $hash = Sha1;
                $body
            }
            Algorithm::Sha384 => {
                type $hash = Sha384;
                $body
            }
            Algorithm::Sha512 => {
                type $hash = Sha512;
                $body
            }
            _ => {
                type $hash = Sha256;
                $body
            }
        }
    };
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

fn digits(number: &BoxedUint) -> Vec<u8> {
    number.to_be_bytes_trimmed_vartime().to_vec()
}

impl RsaPrivate {
    /// A new key. Takes seconds for large moduli.
    ///
    /// # Errors
    /// An invalid exponent, or a modulus of less than 1024 or more than 8192 bits.
    pub fn generate(modulus_bits: usize, exponent: &[u8]) -> Result<Self, RsaError> {
        if exponent.last().is_none_or(|last| last % 2 == 0) {
            return Err(RsaError::EvenExponent);
        }
        let exponent = number(exponent);
        if exponent <= BoxedUint::one() {
            return Err(RsaError::SmallExponent);
        }
        if modulus_bits > LARGEST_MODULUS_BITS {
            return Err(RsaError::Generation);
        }
        rsa::PrivateKey::new_with_exp(&mut rand::rng(), modulus_bits, exponent)
            .map(Self)
            .map_err(|_| RsaError::Generation)
    }

    #[must_use]
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        rsa::PrivateKey::from_pkcs8_der(der).map(Self).ok()
    }

    /// A key from its numbers, of which `dp`, `dq` and `qi` follow from the others.
    #[must_use]
    pub fn from_numbers(numbers: &RsaNumbers) -> Option<Self> {
        let primes = vec![number(&numbers.p), number(&numbers.q)];
        let (n, e, d) = (number(&numbers.n), number(&numbers.e), number(&numbers.d));
        rsa::PrivateKey::from_components(n, e, d, primes)
            .map(Self)
            .ok()
    }

    #[must_use]
    pub fn to_pkcs8(&self) -> Option<Vec<u8>> {
        let document = self.0.to_pkcs8_der().ok()?;
        Some(document.as_bytes().to_vec())
    }

    /// All numbers of the key.
    #[must_use]
    pub fn numbers(&self) -> Option<RsaNumbers> {
        let [p, q] = self.0.primes() else {
            return None;
        };
        Some(RsaNumbers {
            n: digits(self.0.n()),
            e: digits(self.0.e()),
            d: digits(self.0.d()),
            p: digits(p),
            q: digits(q),
            dp: digits(self.0.dp()?),
            dq: digits(self.0.dq()?),
            qi: digits(&self.0.crt_coefficient()?),
        })
    }

    #[must_use]
    pub fn public(&self) -> RsaPublic {
        RsaPublic(self.0.to_public_key())
    }

    #[must_use]
    pub fn modulus_bits(&self) -> u32 {
        self.0.n().bit_width()
    }

    /// Signs data.
    ///
    /// # Errors
    /// The key is too short for the hash and the salt.
    pub fn sign(
        &self,
        padding: Padding,
        hash: Algorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, RsaError> {
        let hashed = hash.hash(data);
        let random = &mut rand::rng();
        let signed = match padding {
            Padding::Pkcs1 => with_hash!(hash, |Hash| {
                let scheme = Pkcs1v15Sign::new::<Hash>();
                self.0.sign_with_rng(random, scheme, &hashed)
            }),
            Padding::Pss(salt) => {
                let bits = usize::try_from(self.modulus_bits()).map_err(|_| RsaError::TooLong)?;
                let room = (bits.saturating_sub(1).div_ceil(8)).checked_sub(hashed.len() + 2);
                let room = room.ok_or(RsaError::TooLong)?;
                let salt = salt.unwrap_or(room);
                if salt > room {
                    return Err(RsaError::TooLong);
                }
                with_hash!(hash, |Hash| {
                    let scheme = Pss::<Hash>::new_with_salt(salt);
                    self.0.sign_with_rng(random, scheme, &hashed)
                })
            }
        };
        signed.map_err(|_| RsaError::TooLong)
    }

    /// Decrypts OAEP.
    ///
    /// # Errors
    /// The data was not encrypted with OAEP, or not with this key, hash and label.
    pub fn decrypt(&self, hash: Algorithm, label: &[u8], data: &[u8]) -> Result<Vec<u8>, RsaError> {
        let random = &mut rand::rng();
        let plain = with_hash!(hash, |Hash| {
            let padding = Oaep::<Hash>::new_with_label(label);
            self.0.decrypt_blinded(random, padding, data)
        });
        plain.map_err(|_| RsaError::Decryption)
    }
}

impl RsaPublic {
    #[must_use]
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        rsa::PublicKey::from_public_key_der(der).map(Self).ok()
    }

    /// A key from its modulus and exponent, big-endian.
    #[must_use]
    pub fn from_numbers(n: &[u8], e: &[u8]) -> Option<Self> {
        rsa::PublicKey::new(number(n), number(e)).map(Self).ok()
    }

    #[must_use]
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let document = self.0.to_public_key_der().ok()?;
        Some(document.as_bytes().to_vec())
    }

    /// Modulus and exponent.
    #[must_use]
    pub fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        (digits(self.0.n()), digits(self.0.e()))
    }

    #[must_use]
    pub fn modulus_bits(&self) -> u32 {
        self.0.n().bit_width()
    }

    /// Whether this is a signature of the data.
    #[must_use]
    pub fn verifies(
        &self,
        padding: Padding,
        hash: Algorithm,
        data: &[u8],
        signature: &[u8],
    ) -> bool {
        let hashed = hash.hash(data);
        let verified = match padding {
            Padding::Pkcs1 => with_hash!(hash, |Hash| {
                self.0
                    .verify(Pkcs1v15Sign::new::<Hash>(), &hashed, signature)
            }),
            Padding::Pss(salt) => with_hash!(hash, |Hash| {
                let mut scheme = Pss::<Hash>::new();
                scheme.salt_len = salt;
                self.0.verify(scheme, &hashed, signature)
            }),
        };
        verified.is_ok()
    }

    /// Encrypts with OAEP.
    ///
    /// # Errors
    /// The data is too long for the key.
    pub fn encrypt(&self, hash: Algorithm, label: &[u8], data: &[u8]) -> Result<Vec<u8>, RsaError> {
        let random = &mut rand::rng();
        let cipher = with_hash!(hash, |Hash| {
            let padding = Oaep::<Hash>::new_with_label(label);
            self.0.encrypt(random, padding, data)
        });
        cipher.map_err(|_| RsaError::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{Padding, RsaError, RsaPrivate, RsaPublic};
    use crate::Algorithm;

    /// Made for these tests by `openssl genpkey`; its signatures and ciphertexts are below.
    const KEY: &str = "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALUSZrYULTSvvKr2L6oeMHB/y5mYhiOzuETR91Jh\
         I3K8y7eSzHtfq2z7Ezyla0dKRQy6zYqYDASHnJ4RhEfoCD0OvAerhrde0z5B4rvg2ODWTq2YPjVojBauUEF+jUQZ\
         qvRLJeTItS0GNytSPmAJnmxXCBu6f/k2xAJWFFy+Y6nlAgMBAAECgYEAr4piVtyiorRIVPmMZgEUdsv95y8NxCjk\
         WJuxiISxp/dOC+7eHDE4cNPL53x6z0c6P8gNofIbnHyYIknbExbofB1VxqV+9jSf5H7W/AcjhRoQiQGQe6bv6c0P\
         k09S5VW7XW5UrVzNCxZwASQKzFkguD1ueamdj7wexr721TzKx0ECQQDun6uxg4NfACoDfgss9U58fnuhrXYYi57m\
         FXzQkzvKtvACqwECm53Vucp+DfngRx4n/SxCG7ZAqYGQDz7vlbE1AkEAwkHfNYGfchUQ5499X43T5pf0SmicX3ri\
         6qmIFGdw1E2inV5NoxeEVi3h4Nhi01cEkXurjnWGjcBVGONEA9Jb8QJAc5EpGiPTcCMoNeDJkNCNXoXzYm4cD+8u\
         2cf2Vx23i4nl26TuLFEps+TzSPGD3zcSR9O5p5q8PbzaXubDWE1rMQJBAIgUBt1/iQcslKPxk1zdiGQPbDS3pVsJ\
         RW4nBkls0NAX9mMQzYgDEFQiXgnY6xmq6mtTW7E2yOQBqFr/0QRwVrECQCRK9wRqWmJHftBLGRF4D7cyg4ZD6enl\
         Fp2h/qNIc+sTuqmBsSxA3ykvYeB4+poYF9HDo5syX5HVac5bJsyRS3M=";
    const PKCS1: &str = "dRh/qjdxJV4bnLVl25RDiLqbuI1kU7FdSrkyeXlhaWN9EMAgREyvjbHNrfFBI0hpW/2/2TWOPlkjEs0/kcER/myX\
         6bwvq6/fpj93W+JOzJHe96/aZsf6tmIMfrblMLgCesfIuu481WPrf4KWJTAl228XXI7fCJZpPCtsvdNzNMg=";
    const PSS_20: &str = "PckAp4rl3eJohvfOlX+s/S8FO6SrV6vYH+4/G+vTPinOC7OKc/tbEsat2xvGaXxOR6/59o/GYdkm62PSZS1+/LTc\
         NM0G/AOeswHuKJSpaCA1ECKTUeEGsFzq9GZSykA0JIoE5QqV3FdfWIOqbnzkbBX5/D/lnmn7zbBid889+IM=";
    const OAEP: &str = "Pb+OncUw9iPyb9MeNzpPKZrEI55S8qbjl2EZ28SAzgMNIpd9fCosH5gV6m6F5nR1f4vkhunbkieLgxnXNamMpG7q\
         2j6A9Rx63DSeB79JA/TZu2goFEBEgHyKsv5KNAjnnF3dfMdoNuk7ml19KPC6wyuXCK7EEI1+Cs6jCl8oIWY=";

    fn bytes(text: &str) -> Vec<u8> {
        STANDARD.decode(text).expect("base64")
    }

    fn key() -> RsaPrivate {
        RsaPrivate::from_pkcs8(&bytes(KEY)).expect("a key")
    }

    #[test]
    fn keys_and_data_from_openssl_are_accepted() {
        let (key, hash) = (key(), Algorithm::Sha256);
        let public = key.public();
        let made = key.sign(Padding::Pkcs1, hash, b"sample");
        assert_eq!(made, Ok(bytes(PKCS1)));
        assert!(public.verifies(Padding::Pkcs1, hash, b"sample", &bytes(PKCS1)));
        let signature = bytes(PSS_20);
        for (salt, expected) in [(Some(20), true), (None, true), (Some(32), false)] {
            let is_right = public.verifies(Padding::Pss(salt), hash, b"sample", &signature);
            assert_eq!(is_right, expected, "{salt:?}");
        }
        assert!(!public.verifies(Padding::Pss(None), hash, b"other", &signature));
        let plain = key.decrypt(hash, &[9], &bytes(OAEP));
        assert_eq!(plain.as_deref(), Ok(&b"sample"[..]));
        assert_eq!(
            key.decrypt(hash, &[], &bytes(OAEP)),
            Err(RsaError::Decryption)
        );
    }

    #[test]
    fn a_key_survives_each_of_its_formats() {
        let key = key();
        assert_eq!(key.to_pkcs8(), Some(bytes(KEY)));
        let numbers = key.numbers().expect("two primes");
        let again = RsaPrivate::from_numbers(&numbers).expect("a key");
        assert_eq!(again.numbers(), Some(numbers.clone()));
        let public = key.public();
        let spki = public.to_spki().expect("encoded");
        assert_eq!(RsaPublic::from_spki(&spki), Some(public.clone()));
        assert_eq!(
            RsaPublic::from_numbers(&numbers.n, &numbers.e),
            Some(public)
        );
        assert!(RsaPrivate::from_pkcs8(&spki).is_none());
    }

    #[test]
    fn a_fresh_key_works_with_each_hash() {
        let key = RsaPrivate::generate(1024, &[1, 0, 1]).expect("a key");
        let public = key.public();
        assert_eq!(key.modulus_bits(), 1024);
        for hash in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384] {
            let signature = key.sign(Padding::Pss(None), hash, b"text").expect("signed");
            assert!(public.verifies(Padding::Pss(None), hash, b"text", &signature));
            let sealed = public.encrypt(hash, b"label", b"text").expect("encrypted");
            let plain = key.decrypt(hash, b"label", &sealed);
            assert_eq!(plain.as_deref(), Ok(&b"text"[..]));
        }
        let long = key.sign(Padding::Pss(Some(200)), Algorithm::Sha256, b"text");
        assert_eq!(long, Err(RsaError::TooLong));
        assert_eq!(
            public.encrypt(Algorithm::Sha256, b"", &[0; 100]),
            Err(RsaError::TooLong)
        );
    }

    #[test]
    fn invalid_keys_are_refused() {
        for (bits, exponent, expected) in [
            (1024, &[2][..], RsaError::EvenExponent),
            (1024, &[], RsaError::EvenExponent),
            (1024, &[1], RsaError::SmallExponent),
            (0, &[1, 0, 1], RsaError::Generation),
            (1 << 20, &[1, 0, 1], RsaError::Generation),
        ] {
            assert_eq!(RsaPrivate::generate(bits, exponent).err(), Some(expected));
        }
    }
}
