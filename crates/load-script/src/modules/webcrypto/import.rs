//! `subtle.importKey`.

use script_engine::Value;
use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::Outcome;
use web_crypto::ec::{EcPrivate, EcPublic};
use web_crypto::rsa::{RsaPrivate, RsaPublic};

use super::algorithm::{Algorithm, Operation};
use super::failure::{Failure, buffer, data, unsupported};
use super::generate::{OF_CIPHERS, OF_SIGNATURES};
use super::key::{self, Content, Description, Key, Material};
use super::{OperationResult, Work, jwk, promised};

/// A key in the format that the script names.
enum Encoded<'js> {
    Raw(Vec<u8>),
    Pkcs8(Vec<u8>),
    Spki(Vec<u8>),
    Jwk(Value<'js>),
}

impl<'js> Encoded<'js> {
    fn read(format: &str, value: Value<'js>) -> Result<Self, Failure> {
        match format {
            "raw" => Ok(Self::Raw(buffer(&value)?)),
            "pkcs8" => Ok(Self::Pkcs8(buffer(&value)?)),
            "spki" => Ok(Self::Spki(buffer(&value)?)),
            "jwk" => Ok(Self::Jwk(value)),
            other => {
                let why = format!("unsupported format {other}");
                Err(Failure::named("ImplementationError", why))
            }
        }
    }

    fn format(&self) -> &'static str {
        match self {
            Self::Raw(_) => "raw",
            Self::Pkcs8(_) => "pkcs8",
            Self::Spki(_) => "spki",
            Self::Jwk(_) => "jwk",
        }
    }
}

/// `subtle.importKey(format, data, algorithm, extractable, usages)`
pub(super) fn import_key<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let usages = key::usages(&call.arg(4), 4)?;
        let encoded = Encoded::read(&call.text(0)?, call.arg(1))?;
        let algorithm = Algorithm::read(&call.arg(2), Operation::ImportKey)?;
        let (material, description) = match algorithm.name {
            _ if algorithm.is_aes() => aes(&algorithm, encoded, &usages)?,
            "HMAC" => hmac(&algorithm, encoded, &usages)?,
            "PBKDF2" => password(&algorithm, encoded, &usages)?,
            "ECDSA" | "ECDH" => elliptic(&algorithm, encoded)?,
            _ => rsa(&algorithm, encoded)?,
        };
        let key = Key::new(Content {
            material,
            algorithm: description,
            is_extractable: convert::is_truthy(&call.arg(3)),
            usages,
        });
        if key.kind() != "public" {
            key::check_not_empty(&key.usages)?;
        }
        Ok(Work::Done(OperationResult::Key(key)))
    })
}

type Imported = Result<(Material, Description), Failure>;

fn symmetric(encoded: Encoded<'_>) -> Result<Vec<u8>, Failure> {
    match encoded {
        Encoded::Raw(bytes) => Ok(bytes),
        Encoded::Jwk(value) => jwk::secret(&value),
        other => Err(unsupported(format!(
            "unsupported key format {}",
            other.format()
        ))),
    }
}

fn aes(algorithm: &Algorithm<'_>, encoded: Encoded<'_>, usages: &[String]) -> Imported {
    let allowed = if algorithm.name == "AES-KW" {
        &OF_CIPHERS[2..]
    } else {
        &OF_CIPHERS[..]
    };
    key::check_usages(usages, allowed, true)?;
    let bytes = symmetric(encoded)?;
    if !matches!(bytes.len(), 16 | 24 | 32) {
        return Err(data(format!("invalid key length {} bytes", bytes.len())));
    }
    let description = Description {
        length_bits: Some(bytes.len() * 8),
        ..Description::new(algorithm.name)
    };
    Ok((Material::Secret(bytes), description))
}

fn hmac(algorithm: &Algorithm<'_>, encoded: Encoded<'_>, usages: &[String]) -> Imported {
    let hash = algorithm.hash_of_signature()?;
    key::check_usages(usages, &OF_SIGNATURES, true)?;
    let bytes = symmetric(encoded)?;
    if bytes.is_empty() {
        return Err(data("key length cannot be 0"));
    }
    let length_bits = bytes.len() * 8;
    if let Some(length) = algorithm.optional("length")?
        && convert::to_number(&length)? as i64 != length_bits as i64
    {
        return Err(data(
            "key length cannot be different from the length of the imported data",
        ));
    }
    let description = Description {
        hash: Some(hash),
        length_bits: Some(length_bits),
        ..Description::new(algorithm.name)
    };
    Ok((Material::Secret(bytes), description))
}

fn password(algorithm: &Algorithm<'_>, encoded: Encoded<'_>, usages: &[String]) -> Imported {
    let Encoded::Raw(bytes) = encoded else {
        let why = format!("unsupported key format {}", encoded.format());
        return Err(unsupported(why));
    };
    key::check_usages(usages, &["deriveKey", "deriveBits"], true)?;
    Ok((Material::Secret(bytes), Description::new(algorithm.name)))
}

fn elliptic(algorithm: &Algorithm<'_>, encoded: Encoded<'_>) -> Imported {
    let name = algorithm.name;
    let (kind, about) = match name {
        "ECDH" => ("ECDH", "failed to parse input as ECDH key: "),
        _ => ("elliptic", ""),
    };
    let curve = algorithm.curve(|name| unsupported(format!("invalid {kind} curve {name}")))?;
    let material = match encoded {
        Encoded::Raw(point) => {
            let public = EcPublic::from_point(curve, &point).map(Material::EcPublic);
            public.ok_or_else(|| match name {
                "ECDH" => {
                    data("unable to import ECDH public key data: crypto/ecdh: invalid public key")
                }
                _ => data("unable to import ECDSA public key data"),
            })?
        }
        Encoded::Pkcs8(der) => match EcPrivate::from_pkcs8(&der) {
            Some(private) => Material::EcPrivate(private),
            None if RsaPrivate::from_pkcs8(&der).is_some() => {
                return Err(data(format!("a private key is not an {name} key")));
            }
            None => return Err(data(format!("unable to import {name} private key data"))),
        },
        Encoded::Spki(der) => match EcPublic::from_spki(&der) {
            Some(public) => Material::EcPublic(public),
            None if RsaPublic::from_spki(&der).is_some() => {
                return Err(data(format!("a public key is not an {name} key")));
            }
            None => return Err(data(format!("unable to import {name} public key data"))),
        },
        Encoded::Jwk(value) => jwk::elliptic(&value, about)?,
    };
    let description = Description {
        curve: Some(curve),
        ..Description::new(name)
    };
    Ok((material, description))
}

fn rsa(algorithm: &Algorithm<'_>, encoded: Encoded<'_>) -> Imported {
    let hash = algorithm.hash_of_rsa()?;
    let material = match encoded {
        Encoded::Pkcs8(der) => match RsaPrivate::from_pkcs8(&der) {
            Some(private) => Material::RsaPrivate(private),
            None => return Err(data("unable to import RSA private key data")),
        },
        Encoded::Spki(der) => match RsaPublic::from_spki(&der) {
            Some(public) => Material::RsaPublic(public),
            None => return Err(data("unable to import RSA public key data")),
        },
        Encoded::Jwk(value) => jwk::rsa(&value)?,
        Encoded::Raw(_) => {
            return Err(unsupported(format!(
                "unsupported key format raw for algorithm {}",
                algorithm.name
            )));
        }
    };
    let modulus_bits = match &material {
        Material::RsaPrivate(key) => Some(key.modulus_bits()),
        Material::RsaPublic(key) => Some(key.modulus_bits()),
        _ => None,
    };
    let description = Description {
        hash: Some(hash),
        modulus_bits,
        ..Description::new(algorithm.name)
    };
    Ok((material, description))
}
