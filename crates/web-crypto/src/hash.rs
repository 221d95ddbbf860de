//! Hashes, keyed hashes and random bytes of `k6/crypto`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{KeyInit, Mac, SimpleHmac};
use sha2::digest::block_api::BlockSizeUser;
use sha2::digest::{Digest, DynDigest};

/// Errors of a script's request; the texts are k6's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("invalid output encoding: {0}")]
    Encoding(String),
    #[error("invalid algorithm: {0}")]
    Algorithm(String),
    #[error("invalid size")]
    Size,
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// The hash functions that scripts can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Md4,
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Ripemd160,
}

impl Algorithm {
    /// All algorithms by the name that is also the module's function.
    pub const ALL: [(&'static str, Self); 9] = [
        ("md4", Self::Md4),
        ("md5", Self::Md5),
        ("sha1", Self::Sha1),
        ("sha256", Self::Sha256),
        ("sha384", Self::Sha384),
        ("sha512", Self::Sha512),
        ("sha512_224", Self::Sha512_224),
        ("sha512_256", Self::Sha512_256),
        ("ripemd160", Self::Ripemd160),
    ];

    /// # Errors
    /// There is no algorithm with this name.
    pub fn parse(name: &str) -> Result<Self, CryptoError> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found
            .map(|(_, algorithm)| algorithm)
            .ok_or_else(|| CryptoError::Algorithm(name.to_owned()))
    }

    fn start(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Md4 => Box::new(md4::Md4::default()),
            Self::Md5 => Box::new(md5::Md5::default()),
            Self::Sha1 => Box::new(sha1::Sha1::default()),
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha384 => Box::new(sha2::Sha384::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
            Self::Sha512_224 => Box::new(sha2::Sha512_224::default()),
            Self::Sha512_256 => Box::new(sha2::Sha512_256::default()),
            Self::Ripemd160 => Box::new(ripemd::Ripemd160::default()),
        }
    }

    /// The hash of one piece of data.
    #[must_use]
    pub fn hash(self, data: &[u8]) -> Vec<u8> {
        let mut digest = self.start();
        digest.update(data);
        digest.finalize().into_vec()
    }
}

/// A hash or keyed hash that receives its data piece by piece.
pub struct Hasher {
    algorithm: Algorithm,
    data: Vec<u8>,
    key: Option<Vec<u8>>,
}

impl Hasher {
    /// `createHash(algorithm)`.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            data: Vec::new(),
            key: None,
        }
    }

    /// `createHMAC(algorithm, key)`: RFC 2104.
    #[must_use]
    pub fn keyed(algorithm: Algorithm, key: &[u8]) -> Self {
        Self {
            algorithm,
            data: Vec::new(),
            key: Some(key.to_vec()),
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
    }

    /// The hash of the data so far; more data may follow.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        match &self.key {
            None => self.algorithm.hash(&self.data),
            Some(key) => hmac(self.algorithm, key, &self.data),
        }
    }
}

/// The HMAC of `data`.
pub fn hmac(algorithm: Algorithm, key: &[u8], data: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Md4 => keyed::<md4::Md4>(key, data),
        Algorithm::Md5 => keyed::<md5::Md5>(key, data),
        Algorithm::Sha1 => keyed::<sha1::Sha1>(key, data),
        Algorithm::Sha256 => keyed::<sha2::Sha256>(key, data),
        Algorithm::Sha384 => keyed::<sha2::Sha384>(key, data),
        Algorithm::Sha512 => keyed::<sha2::Sha512>(key, data),
        Algorithm::Sha512_224 => keyed::<sha2::Sha512_224>(key, data),
        Algorithm::Sha512_256 => keyed::<sha2::Sha512_256>(key, data),
        Algorithm::Ripemd160 => keyed::<ripemd::Ripemd160>(key, data),
    }
}

fn keyed<D: Digest + BlockSizeUser>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mac = SimpleHmac::<D>::new_from_slice(key).expect("an HMAC takes keys of any length");
    mac.chain_update(data).finalize().into_bytes().to_vec()
}

/// The output encoding of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Hex,
    Base64,
    Base64Url,
    Base64RawUrl,
    Binary,
}

/// Bytes in the requested encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    Text(String),
    Bytes(Vec<u8>),
}

impl Encoding {
    /// # Errors
    /// There is no encoding with this name; a missing argument is the empty name.
    pub fn parse(name: &str) -> Result<Self, CryptoError> {
        Ok(match name {
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            "base64rawurl" => Self::Base64RawUrl,
            "binary" => Self::Binary,
            other => return Err(CryptoError::Encoding(other.to_owned())),
        })
    }

    #[must_use]
    pub fn encode(self, bytes: Vec<u8>) -> Encoded {
        match self {
            Self::Hex => Encoded::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            Self::Base64 => Encoded::Text(STANDARD.encode(bytes)),
            Self::Base64Url => Encoded::Text(URL_SAFE.encode(bytes)),
            Self::Base64RawUrl => Encoded::Text(URL_SAFE_NO_PAD.encode(bytes)),
            Self::Binary => Encoded::Bytes(bytes),
        }
    }
}

/// `randomBytes(size)`, from the system.
///
/// # Errors
/// The size is below 1, or the system refuses.
pub fn random_bytes(size: i64) -> Result<Vec<u8>, CryptoError> {
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size > 0)
        .ok_or(CryptoError::Size)?;
    let mut bytes = vec![0; size];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes)
        .map_err(|_| CryptoError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};

    fn hex(bytes: Vec<u8>) -> String {
        match Encoding::Hex.encode(bytes) {
            Encoded::Text(text) => text,
            Encoded::Bytes(_) => String::new(),
        }
    }

    #[track_caller]
    fn check(name: &str, hash: &str, keyed: &str) {
        let algorithm = Algorithm::parse(name).expect("a known name");
        assert!(hex(algorithm.hash(b"abc")).starts_with(hash), "{name}");
        let mut hasher = Hasher::keyed(algorithm, b"key");
        hasher.update(b"abc");
        assert!(hex(hasher.digest()).starts_with(keyed), "hmac {name}");
    }

    #[test]
    fn every_algorithm_gives_the_hash_of_k6() {
        check(
            "md4",
            "a448017aaf21d8525fc10ae87aa6729d",
            "32c43d6d6eda7f1e464711473b956b68",
        );
        check(
            "md5",
            "900150983cd24fb0d6963f7d28e17f72",
            "d2fe98063f876b03193afb49b4979591",
        );
        check(
            "sha1",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            "4fd0b215276ef12f2b3e4c8ecac2811498b656fc",
        );
        check(
            "sha256",
            "ba7816bf8f01cfea414140de5dae2223",
            "9c196e32dc0175f86f4b1cb89289d661",
        );
        check(
            "sha384",
            "cb00753f45a35e8bb5a03d699ac65007",
            "30ddb9c8f347cffbfb44e519d814f074",
        );
        check(
            "sha512",
            "ddaf35a193617abacc417349ae204131",
            "3926a207c8c42b0c41792cbd3e1a1aaa",
        );
        check(
            "sha512_224",
            "4634270f707b6a54daae7530460842e2",
            "28bc0433ef684ea9877c2f2437aa0ccf",
        );
        check(
            "sha512_256",
            "53048e2681941ef99b2e29b76b4c7dab",
            "f367b7ca80ab2cf85c23e58b73a8fd52",
        );
        check(
            "ripemd160",
            "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
            "67fdce738ebfc7372bcd38f03c023b5746724d18",
        );
        assert_eq!(
            Algorithm::parse("x"),
            Err(CryptoError::Algorithm("x".to_owned()))
        );
    }

    #[test]
    fn bytes_have_the_requested_encoding() {
        let hash = || Algorithm::Sha1.hash("abä".as_bytes());
        for (name, expected) in [
            ("hex", "01405d11fb2863222959d8c996010e03a8c714d3"),
            ("base64", "AUBdEfsoYyIpWdjJlgEOA6jHFNM="),
            ("base64url", "AUBdEfsoYyIpWdjJlgEOA6jHFNM="),
            ("base64rawurl", "AUBdEfsoYyIpWdjJlgEOA6jHFNM"),
        ] {
            let encoding = Encoding::parse(name).expect("a known name");
            assert_eq!(
                encoding.encode(hash()),
                Encoded::Text(expected.to_owned()),
                "{name}"
            );
        }
        assert_eq!(Encoding::Binary.encode(hash()), Encoded::Bytes(hash()));
        assert_eq!(
            Encoding::parse("").map_err(|e| e.to_string()),
            Err("invalid output encoding: ".to_owned())
        );
    }

    #[test]
    fn a_hash_can_be_read_and_fed_further() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.digest(), Algorithm::Sha256.hash(b"abc"));
        hasher.update(b"d");
        assert_eq!(hasher.digest(), Algorithm::Sha256.hash(b"abcd"));
    }

    #[test]
    fn a_long_key_is_hashed_first() {
        let long = Hasher::keyed(Algorithm::Sha256, &[7; 65]);
        let short = Hasher::keyed(Algorithm::Sha256, &Algorithm::Sha256.hash(&[7; 65]));
        assert_eq!(long.digest(), short.digest());
    }

    #[test]
    fn random_bytes_have_the_requested_number_and_differ() {
        assert_eq!(random_bytes(0), Err(CryptoError::Size));
        assert_eq!(random_bytes(-1), Err(CryptoError::Size));
        let (a, b) = (
            random_bytes(32).expect("random"),
            random_bytes(32).expect("random"),
        );
        assert!(a.len() == 32 && a != b);
    }
}
