//! Keys on the NIST curves: ECDSA (FIPS 186-5) and ECDH (SP 800-56A).

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};

/// A curve by its name in WebCrypto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// The curve with this name in scripts.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|curve| curve.name() == name)
    }

    /// `P-256`, `P-384`, `P-521`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate, of a private key, and of either half of a signature.
    #[must_use]
    pub fn field_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A private key.
#[derive(Debug, Clone)]
pub enum EcPrivate {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

/// A point that is on its curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EcPublic {
    P256(p256::PublicKey),
    P384(p384::PublicKey),
    P521(p521::PublicKey),
}

/// The same expression for the key of each curve; `$module` is the curve's crate in it.
macro_rules! on_curve {
    ($kind:ident, $value:expr, |$key:ident, $module:ident| $body:expr) => {
        match $value {
            $kind::P256($key) => {
                #[allow(unused_imports)]
                use p256 as $module;
                $body
            }
            $kind::P384($key) => {
                #[allow(unused_imports)]
                use p384 as $module;
                $body
            }
            $kind::P521($key) => {
                #[allow(unused_imports)]
                use p521 as $module;
                $body
            }
        }
    };
}

impl EcPrivate {
    /// A new key from the system's randomness.
    #[must_use]
    pub fn generate(curve: Curve) -> Self {
        let random = &mut rand::rng();
        match curve {
            Curve::P256 => Self::P256(p256::SecretKey::generate_from_rng(random)),
            Curve::P384 => Self::P384(p384::SecretKey::generate_from_rng(random)),
            Curve::P521 => Self::P521(p521::SecretKey::generate_from_rng(random)),
        }
    }

    /// A PKCS#8 document with a key of any of the curves.
    #[must_use]
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let p256 = || p256::SecretKey::from_pkcs8_der(der).map(Self::P256).ok();
        let p384 = || p384::SecretKey::from_pkcs8_der(der).map(Self::P384).ok();
        let p521 = || p521::SecretKey::from_pkcs8_der(der).map(Self::P521).ok();
        p256().or_else(p384).or_else(p521)
    }

    /// The number itself, big-endian; leading zeros may be missing.
    #[must_use]
    pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Option<Self> {
        let scalar = &padded(scalar, curve.field_bytes())?;
        match curve {
            Curve::P256 => p256::SecretKey::from_slice(scalar).map(Self::P256).ok(),
            Curve::P384 => p384::SecretKey::from_slice(scalar).map(Self::P384).ok(),
            Curve::P521 => p521::SecretKey::from_slice(scalar).map(Self::P521).ok(),
        }
    }

    #[must_use]
    pub fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    #[must_use]
    pub fn to_pkcs8(&self) -> Option<Vec<u8>> {
        let document = on_curve!(Self, self, |key, _curve| key.to_pkcs8_der());
        document.map(|document| document.as_bytes().to_vec()).ok()
    }

    /// The number, with all its leading zeros.
    #[must_use]
    pub fn scalar(&self) -> Vec<u8> {
        on_curve!(Self, self, |key, _curve| key.to_bytes().to_vec())
    }

    #[must_use]
    pub fn public(&self) -> EcPublic {
        match self {
            Self::P256(key) => EcPublic::P256(key.public_key()),
            Self::P384(key) => EcPublic::P384(key.public_key()),
            Self::P521(key) => EcPublic::P521(key.public_key()),
        }
    }

    /// Signs a hash: both numbers of the signature concatenated.
    #[must_use]
    pub fn sign(&self, hash: &[u8]) -> Option<Vec<u8>> {
        on_curve!(Self, self, |key, curve| {
            let signature: Result<curve::ecdsa::Signature, _> =
                curve::ecdsa::SigningKey::from(key).sign_prehash(hash);
            signature.map(|signature| signature.to_vec()).ok()
        })
    }

    /// The shared secret; `None` when the other key is on another curve.
    #[must_use]
    pub fn agree(&self, other: &EcPublic) -> Option<Vec<u8>> {
        Some(match (self, other) {
            (Self::P256(own), EcPublic::P256(other)) => {
                own.diffie_hellman(other).raw_secret_bytes().to_vec()
            }
            (Self::P384(own), EcPublic::P384(other)) => {
                own.diffie_hellman(other).raw_secret_bytes().to_vec()
            }
            (Self::P521(own), EcPublic::P521(other)) => {
                own.diffie_hellman(other).raw_secret_bytes().to_vec()
            }
            _ => return None,
        })
    }
}

impl EcPublic {
    /// A SubjectPublicKeyInfo with a key of any of the curves.
    #[must_use]
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let p256 = || {
            p256::PublicKey::from_public_key_der(der)
                .map(Self::P256)
                .ok()
        };
        let p384 = || {
            p384::PublicKey::from_public_key_der(der)
                .map(Self::P384)
                .ok()
        };
        let p521 = || {
            p521::PublicKey::from_public_key_der(der)
                .map(Self::P521)
                .ok()
        };
        p256().or_else(p384).or_else(p521)
    }

    /// A point in the uncompressed form of SEC 1.
    #[must_use]
    pub fn from_point(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.len() != 2 * curve.field_bytes() + 1 {
            return None;
        }
        match curve {
            Curve::P256 => p256::PublicKey::from_sec1_bytes(point).map(Self::P256).ok(),
            Curve::P384 => p384::PublicKey::from_sec1_bytes(point).map(Self::P384).ok(),
            Curve::P521 => p521::PublicKey::from_sec1_bytes(point).map(Self::P521).ok(),
        }
    }

    /// Both coordinates, big-endian; leading zeros may be missing.
    #[must_use]
    pub fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let mut point = vec![4];
        point.extend(padded(x, curve.field_bytes())?);
        point.extend(padded(y, curve.field_bytes())?);
        Self::from_point(curve, &point)
    }

    #[must_use]
    pub fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    #[must_use]
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let document = on_curve!(Self, self, |key, _curve| key.to_public_key_der());
        document.map(|document| document.as_bytes().to_vec()).ok()
    }

    /// The point without compression.
    #[must_use]
    pub fn to_point(&self) -> Vec<u8> {
        on_curve!(Self, self, |key, _curve| key
            .to_sec1_point(false)
            .as_bytes()
            .to_vec())
    }

    /// Both coordinates, with all their leading zeros.
    #[must_use]
    pub fn coordinates(&self) -> (Vec<u8>, Vec<u8>) {
        let point = self.to_point();
        let (x, y) = point[1..].split_at(self.curve().field_bytes());
        (x.to_vec(), y.to_vec())
    }

    /// Whether this is the signature of the hash.
    #[must_use]
    pub fn verifies(&self, hash: &[u8], signature: &[u8]) -> bool {
        on_curve!(Self, self, |key, curve| {
            curve::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                let verifier = curve::ecdsa::VerifyingKey::from(key);
                verifier.verify_prehash(hash, &signature).is_ok()
            })
        })
    }
}

/// Padded with leading zeros; `None` when it is longer even without its own.
fn padded(number: &[u8], length_bytes: usize) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let missing = length_bytes.checked_sub(digits.len())?;
    let mut out = vec![0; missing];
    out.extend_from_slice(digits);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{Curve, EcPrivate, EcPublic};
    use crate::{Algorithm, unhex};

    /// RFC 6979, A.2: the key, the message "sample", the deterministic signature.
    #[track_caller]
    fn check(curve: Curve, hash: Algorithm, key: &str, signature: &str) {
        let key = EcPrivate::from_scalar(curve, &unhex(key)).expect("a key");
        let hash = hash.hash(b"sample");
        let made = key.sign(&hash).expect("signed");
        assert_eq!(made, unhex(signature), "{curve:?}");
        let public = key.public();
        assert!(public.verifies(&hash, &made));
        let mut wrong = made.clone();
        wrong[7] ^= 1;
        assert!(!public.verifies(&hash, &wrong));
        assert!(!public.verifies(&hash, &made[1..]));
    }

    #[test]
    fn signatures_are_those_of_rfc_6979() {
        check(
            Curve::P256,
            Algorithm::Sha256,
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        );
        check(
            Curve::P384,
            Algorithm::Sha384,
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8\
             96D5724E4C70A825F872C9EA60D2EDF5",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C\
             81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94F\
             A329C145786E679E7B82C71A38628AC8",
        );
        check(
            Curve::P521,
            Algorithm::Sha512,
            "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75\
             CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B8\
             3538",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F\
             174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E3\
             77FA\
             00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF\
             282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4\
             A67A",
        );
    }

    #[test]
    fn any_hash_works_with_any_curve() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let key = EcPrivate::generate(curve);
            for hash in [Algorithm::Sha1, Algorithm::Sha512] {
                let hash = hash.hash(b"text");
                let signature = key.sign(&hash).expect("signed");
                assert_eq!(signature.len(), 2 * curve.field_bytes());
                assert!(key.public().verifies(&hash, &signature));
            }
        }
    }

    #[test]
    fn a_key_survives_each_of_its_formats() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let key = EcPrivate::generate(curve);
            let public = key.public();
            let der = key.to_pkcs8().expect("encoded");
            let again = EcPrivate::from_pkcs8(&der).expect("decoded");
            assert_eq!((again.curve(), again.scalar()), (curve, key.scalar()));
            let der = public.to_spki().expect("encoded");
            assert_eq!(EcPublic::from_spki(&der), Some(public.clone()));
            let point = public.to_point();
            assert_eq!(EcPublic::from_point(curve, &point), Some(public.clone()));
            assert_eq!(EcPublic::from_point(curve, &point[1..]), None);
            let (x, y) = public.coordinates();
            assert_eq!(EcPublic::from_coordinates(curve, &x, &y), Some(public));
            assert_eq!(EcPublic::from_coordinates(curve, &x, &x), None);
        }
        assert!(EcPrivate::from_pkcs8(b"no DER").is_none());
        assert!(EcPrivate::from_scalar(Curve::P256, &[0; 32]).is_none());
        assert!(EcPrivate::from_scalar(Curve::P256, &[1; 33]).is_none());
    }

    /// NIST's ECC CDH vectors, P-256, the first.
    #[test]
    fn the_shared_secret_equals_that_of_nist() {
        let own = EcPrivate::from_scalar(
            Curve::P256,
            &unhex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"),
        );
        let other = EcPublic::from_coordinates(
            Curve::P256,
            &unhex("700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"),
            &unhex("db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"),
        );
        let (own, other) = (own.expect("a key"), other.expect("a point"));
        let secret = unhex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
        assert_eq!(own.agree(&other), Some(secret));
        let elsewhere = EcPrivate::generate(Curve::P384).public();
        assert_eq!(own.agree(&elsewhere), None);
    }
}
