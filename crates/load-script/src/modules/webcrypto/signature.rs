//! `subtle.sign` and `subtle.verify`.

use script_engine::native::Call;
use script_engine::throw::Outcome;
use web_crypto::rsa::Padding;

use super::algorithm::{Algorithm, Operation};
use super::export::{not_private, not_public};
use super::failure::{Failure, access, operation};
use super::key::{Key, Material};
use super::{OperationResult, Work, data_of, promised};

/// `subtle.sign(algorithm, key, data)`
pub(super) fn sign<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        // Errors of the data take precedence over an invalid key.
        let key = match Key::argument(&call.arg(1)) {
            Err(thrown @ Failure::Thrown(_)) => return Err(thrown),
            key => key,
        };
        let data = data_of(&call.arg(2))?;
        let algorithm = Algorithm::read(&call.arg(0), Operation::Sign)?;
        let method = Method::read(&algorithm)?;
        let key = checked(&algorithm, key?, "sign")?;
        method.sign(key, data)
    })
}

/// `subtle.verify(algorithm, key, signature, data)`
pub(super) fn verify<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let value = call.arg(1);
        if value.is_undefined() || value.is_null() {
            return Err(Failure::named("TypeError", "Object is null or undefined"));
        }
        let signature = data_of(&call.arg(2))?;
        let data = data_of(&call.arg(3))?;
        let algorithm = Algorithm::read(&call.arg(0), Operation::Verify)?;
        let method = Method::read(&algorithm)?;
        let key = checked(&algorithm, Key::argument(&value)?, "verify")?;
        let is_right = method.verify(&key, &signature, &data)?;
        Ok(Work::Done(OperationResult::Flag(is_right)))
    })
}

fn checked(algorithm: &Algorithm<'_>, key: Key, usage: &str) -> Result<Key, Failure> {
    if algorithm.name != key.algorithm.name {
        return Err(access("algorithm name does not match key algorithm name"));
    }
    if !key.allows(usage) {
        return Err(access(format!("key does not contain the '{usage}' usage")));
    }
    Ok(key)
}

/// The parameters of a signature from the algorithm argument.
enum Method {
    Hmac,
    Elliptic(web_crypto::Algorithm),
    Pkcs1,
    /// Bytes of salt: 0 means as many as fit, -1 as many as the hash has.
    Pss(i64),
}

impl Method {
    fn read(algorithm: &Algorithm<'_>) -> Result<Self, Failure> {
        Ok(match algorithm.name {
            "HMAC" => Self::Hmac,
            "ECDSA" => Self::Elliptic(algorithm.hash_of_signature()?),
            "RSA-PSS" => Self::Pss(algorithm.integer("saltLength")?),
            _ => Self::Pkcs1,
        })
    }

    /// The padding of the RSA methods.
    fn padding(&self, hash: web_crypto::Algorithm) -> Result<Padding, Failure> {
        Ok(match self {
            Self::Pss(0) => Padding::Pss(None),
            Self::Pss(-1) => Padding::Pss(Some(hash.hash(&[]).len())),
            Self::Pss(length) => {
                let length =
                    usize::try_from(*length).map_err(|_| operation("invalid salt length"))?;
                Padding::Pss(Some(length))
            }
            _ => Padding::Pkcs1,
        })
    }

    fn sign(&self, key: Key, data: Vec<u8>) -> Result<Work, Failure> {
        let hash = key.algorithm.hash.unwrap_or(web_crypto::Algorithm::Sha256);
        let signed = match (self, &key.material) {
            (Self::Hmac, Material::Secret(secret)) => web_crypto::hmac(hash, secret, &data),
            (Self::Elliptic(hash), Material::EcPrivate(private)) => {
                let signed = private.sign(&hash.hash(&data));
                signed.ok_or_else(|| operation("could not sign data"))?
            }
            (Self::Pkcs1 | Self::Pss(_), Material::RsaPrivate(_)) => {
                let padding = self.padding(hash)?;
                return Ok(Work::Long(Box::new(move || {
                    let Material::RsaPrivate(private) = &key.material else {
                        return Err(not_private());
                    };
                    let signed = private.sign(padding, hash, &data);
                    signed
                        .map(OperationResult::Bytes)
                        .map_err(|error| operation(format!("could not sign data: {error}")))
                })));
            }
            (Self::Elliptic(_), _) => {
                return Err(access("key is not a valid ECDSA private key"));
            }
            _ => return Err(not_private()),
        };
        Ok(Work::Done(OperationResult::Bytes(signed)))
    }

    fn verify(&self, key: &Key, signature: &[u8], data: &[u8]) -> Result<bool, Failure> {
        let hash = key.algorithm.hash.unwrap_or(web_crypto::Algorithm::Sha256);
        match (self, &key.material) {
            (Self::Hmac, Material::Secret(secret)) => {
                let wanted = web_crypto::hmac(hash, secret, data);
                let differences = wanted
                    .iter()
                    .zip(signature)
                    .fold(0, |all, (wanted, given)| all | (wanted ^ given));
                Ok(wanted.len() == signature.len() && differences == 0)
            }
            (Self::Elliptic(hash), Material::EcPublic(public)) => {
                Ok(public.verifies(&hash.hash(data), signature))
            }
            (Self::Pkcs1 | Self::Pss(_), Material::RsaPublic(public)) => {
                Ok(public.verifies(self.padding(hash)?, hash, data, signature))
            }
            (Self::Elliptic(_), _) => Err(access("key is not a valid ECDSA public key")),
            _ => Err(not_public()),
        }
    }
}
