//! The algorithm argument: its name as the standard writes it, and its parameters.

use script_engine::convert;
use script_engine::{Object, Value};
use web_crypto::ec::Curve;

use super::failure::{Failure, operation, syntax, unsupported};

/// An operation of an algorithm.
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

    /// The algorithms that support it.
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

    /// The error for an algorithm that does not support it.
    pub(super) fn unsupported(self, algorithm: &str) -> Failure {
        unsupported(format!(
            "algorithm {algorithm:?} doesn't support (in implementation) operation {:?}",
            self.name()
        ))
    }
}

/// An algorithm that supports the operation.
pub(super) struct Algorithm<'js> {
    /// The name as in the standard.
    pub(super) name: &'static str,
    /// The parameters; missing when the script gave only a name.
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

    /// An optional parameter.
    pub(super) fn optional(&self, key: &str) -> Result<Option<Value<'js>>, Failure> {
        match &self.parameters {
            Some(object) => Ok(convert::given(object, key)?),
            None => Ok(None),
        }
    }

    /// A required parameter.
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

    /// The parameter `hash`; `refused` is the error for an unknown hash.
    pub(super) fn hash(
        &self,
        refused: impl FnOnce(&str) -> Failure,
    ) -> Result<web_crypto::Algorithm, Failure> {
        let value = self.required("hash")?;
        let name = match value.as_object() {
            Some(object) => convert::given(object, "name")?,
            None => Some(value),
        };
        let name = name.map_or(Ok(String::new()), |name| convert::to_text(&name))?;
        hash_named(&name.to_ascii_uppercase()).ok_or_else(|| refused(&name.to_ascii_uppercase()))
    }

    /// The hash of HMAC and ECDSA, whose error message refers to keys.
    pub(super) fn hash_of_signature(&self) -> Result<web_crypto::Algorithm, Failure> {
        self.hash(|name| Operation::GenerateKey.unsupported(name))
    }

    /// The hash of RSA.
    pub(super) fn hash_of_rsa(&self) -> Result<web_crypto::Algorithm, Failure> {
        self.hash(|name| unsupported(format!("hash algorithm is not supported {name}")))
    }

    /// The parameter `namedCurve`; `refused` is the prefix of the error for an unknown one.
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
pub(super) fn hash_named(name: &str) -> Option<web_crypto::Algorithm> {
    Some(match name {
        "SHA-1" => web_crypto::Algorithm::Sha1,
        "SHA-256" => web_crypto::Algorithm::Sha256,
        "SHA-384" => web_crypto::Algorithm::Sha384,
        "SHA-512" => web_crypto::Algorithm::Sha512,
        _ => return None,
    })
}

/// The name of a hash in WebCrypto.
pub(super) fn name_of_hash(hash: web_crypto::Algorithm) -> &'static str {
    match hash {
        web_crypto::Algorithm::Sha1 => "SHA-1",
        web_crypto::Algorithm::Sha384 => "SHA-384",
        web_crypto::Algorithm::Sha512 => "SHA-512",
        _ => "SHA-256",
    }
}
