//! The algorithm argument: its name as the standard writes it, and its parameters.

use rquickjs::{Object, Value};

use super::failure::{Failure, operation, syntax, unsupported};
use crate::crypto;
use crate::crypto::ec::Curve;
use crate::js::convert;

/// What an algorithm is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Digest,
    GenerateKey,
    ImportKey,
    Encrypt,
    Decrypt,
    Sign,
    Verify,
    DeriveBits,
    DeriveKey,
}

const HASHES: [&str; 4] = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
const CIPHERS: [&str; 5] = ["AES-CBC", "AES-CTR", "AES-GCM", "AES-KW", "RSA-OAEP"];
const SIGNATURES: [&str; 4] = ["HMAC", "ECDSA", "RSASSA-PKCS1-v1_5", "RSA-PSS"];

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::GenerateKey => "generateKey",
            Self::ImportKey => "importKey",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::DeriveBits => "deriveBits",
            Self::DeriveKey => "deriveKey",
        }
    }

    /// The algorithms that can do it.
    fn algorithms(self) -> Vec<&'static str> {
        match self {
            Self::Digest => HASHES.to_vec(),
            Self::Encrypt | Self::Decrypt => CIPHERS.to_vec(),
            Self::Sign | Self::Verify => SIGNATURES.to_vec(),
            Self::GenerateKey => [&CIPHERS[..], &SIGNATURES[..], &["ECDH"]].concat(),
            Self::ImportKey => [&CIPHERS[..], &SIGNATURES[..], &["ECDH", "PBKDF2"]].concat(),
            Self::DeriveBits => vec!["ECDH", "PBKDF2"],
            Self::DeriveKey => vec!["PBKDF2"],
        }
    }

    /// The failure for an algorithm that cannot do it.
    pub(super) fn unsupported(self, algorithm: &str) -> Failure {
        unsupported(format!(
            "algorithm {algorithm:?} doesn't support (in implementation) operation {:?}",
            self.name()
        ))
    }
}

/// An algorithm that can do what is asked.
pub(super) struct Algorithm<'js> {
    /// As the standard writes it.
    pub(super) name: &'static str,
    /// Missing when the script gave just a name.
    pub(super) parameters: Option<Object<'js>>,
}

impl<'js> Algorithm<'js> {
    pub(super) fn read(value: &Value<'js>, operation: Operation) -> Result<Self, Failure> {
        let parameters = value.as_object().cloned();
        let given = match &parameters {
            Some(object) => match convert::given(object, "name")? {
                Some(name) => convert::to_text(&name)?,
                None => String::new(),
            },
            None if value.is_string() => convert::to_text(value)?,
            None => {
                return Err(syntax(
                    "algorithm cannot be interpreted as a string or an object",
                ));
            }
        };
        let known = operation.algorithms();
        let found = known.iter().find(|name| name.eq_ignore_ascii_case(&given));
        let name = *found.ok_or_else(|| operation.unsupported(&given.to_ascii_uppercase()))?;
        Ok(Self { name, parameters })
    }

    pub(super) fn is_aes(&self) -> bool {
        self.name.starts_with("AES-")
    }

    pub(super) fn is_rsa(&self) -> bool {
        self.name.starts_with("RSA")
    }

    /// A parameter, when it is there.
    pub(super) fn optional(&self, key: &str) -> Result<Option<Value<'js>>, Failure> {
        match &self.parameters {
            Some(object) => Ok(convert::given(object, key)?),
            None => Ok(None),
        }
    }

    /// A parameter that has to be there.
    pub(super) fn required(&self, key: &str) -> Result<Value<'js>, Failure> {
        self.optional(key)?
            .ok_or_else(|| syntax(format!("could not get {key} from algorithm parameter")))
    }

    /// A parameter that is a whole number.
    pub(super) fn integer(&self, key: &str) -> Result<i64, Failure> {
        Ok(convert::to_number(&self.required(key)?)? as i64)
    }

    /// A parameter that is a buffer; empty when it is missing. Text counts as its bytes.
    pub(super) fn bytes(&self, key: &str) -> Result<Vec<u8>, Failure> {
        match self.optional(key)? {
            Some(value) => Ok(convert::bytes_of(&value)?.unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }

    /// The parameter `hash`; `refused` says what a hash is that is none.
    pub(super) fn hash(
        &self,
        refused: impl FnOnce(&str) -> Failure,
    ) -> Result<crypto::Algorithm, Failure> {
        let value = self.required("hash")?;
        let name = match value.as_object() {
            Some(object) => convert::given(object, "name")?,
            None => Some(value),
        };
        let name = name.map_or(Ok(String::new()), |name| convert::to_text(&name))?;
        hash_named(&name.to_ascii_uppercase()).ok_or_else(|| refused(&name.to_ascii_uppercase()))
    }

    /// The hash of HMAC and ECDSA, whose refusal speaks of keys.
    pub(super) fn hash_of_signature(&self) -> Result<crypto::Algorithm, Failure> {
        self.hash(|name| Operation::GenerateKey.unsupported(name))
    }

    /// The hash of RSA.
    pub(super) fn hash_of_rsa(&self) -> Result<crypto::Algorithm, Failure> {
        self.hash(|name| unsupported(format!("hash algorithm is not supported {name}")))
    }

    /// The parameter `namedCurve`; `refused` begins the message about one that is none.
    pub(super) fn curve(&self, refused: impl FnOnce(&str) -> Failure) -> Result<Curve, Failure> {
        let name = convert::to_text(&self.required("namedCurve")?)?;
        Curve::parse(&name).ok_or_else(|| refused(&name))
    }

    /// The parameter `publicExponent`.
    pub(super) fn exponent(&self) -> Result<Vec<u8>, Failure> {
        let value = self.required("publicExponent")?;
        convert::buffer_bytes(&value).ok_or_else(|| operation("publicExponent is not a byte array"))
    }
}

/// The hash of this name in WebCrypto.
pub(super) fn hash_named(name: &str) -> Option<crypto::Algorithm> {
    Some(match name {
        "SHA-1" => crypto::Algorithm::Sha1,
        "SHA-256" => crypto::Algorithm::Sha256,
        "SHA-384" => crypto::Algorithm::Sha384,
        "SHA-512" => crypto::Algorithm::Sha512,
        _ => return None,
    })
}

/// The name of a hash in WebCrypto.
pub(super) fn name_of_hash(hash: crypto::Algorithm) -> &'static str {
    match hash {
        crypto::Algorithm::Sha1 => "SHA-1",
        crypto::Algorithm::Sha384 => "SHA-384",
        crypto::Algorithm::Sha512 => "SHA-512",
        _ => "SHA-256",
    }
}
