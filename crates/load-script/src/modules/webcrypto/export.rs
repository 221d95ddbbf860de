//! `subtle.exportKey`.

use script_engine::native::Call;
use script_engine::throw::{Outcome, Throw};

use super::failure::{Failure, access, operation, unsupported};
use super::key::{Key, Material};
use super::{OperationResult, Work, jwk, promised};

/// `subtle.exportKey(format, key)`
pub(super) fn export_key<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let value = call.arg(1);
        if value.is_undefined() || value.is_null() {
            return Err(Failure::Thrown(Throw::Type(
                "Cannot convert undefined or null to object".to_owned(),
            )));
        }
        let key = Key::of(&value).ok_or_else(|| {
            let why = "unable to extract CryptoKey from key object";
            Failure::named("ImplementationError", why)
        })?;
        if !key.is_extractable {
            return Err(access("the key is not extractable"));
        }
        let format = call.text(0)?;
        let refused = || unsupported(format!("unsupported key format {format}"));
        if format == "jwk" {
            let members = jwk::members(&key).ok_or_else(failed)?;
            return Ok(Work::Done(OperationResult::Jwk(members)));
        }
        let bytes = match (format.as_str(), &key.material) {
            ("raw", Material::Secret(bytes)) => bytes.clone(),
            ("raw", Material::EcPublic(public)) => public.to_point(),
            ("raw" | "spki", Material::EcPrivate(_)) => {
                return Err(access("key is not a valid elliptic curve public key"));
            }
            ("spki", Material::EcPublic(public)) => public.to_spki().ok_or_else(failed)?,
            ("pkcs8", Material::EcPrivate(private)) => private.to_pkcs8().ok_or_else(failed)?,
            ("pkcs8", Material::EcPublic(_)) => {
                return Err(access("key is not a valid elliptic curve private key"));
            }
            ("spki", Material::RsaPublic(public)) => public.to_spki().ok_or_else(failed)?,
            ("pkcs8", Material::RsaPrivate(private)) => private.to_pkcs8().ok_or_else(failed)?,
            ("spki", Material::RsaPrivate(_)) => return Err(not_public()),
            ("pkcs8", Material::RsaPublic(_)) => return Err(not_private()),
            _ => return Err(refused()),
        };
        Ok(Work::Done(OperationResult::Bytes(bytes)))
    })
}

fn failed() -> Failure {
    operation("the key cannot be encoded")
}

/// The error for a private RSA key where a public one is needed.
pub(super) fn not_public() -> Failure {
    access("given CryptoKey is not a public RSA key, it's *rsa.PrivateKey")
}

/// The error for a public RSA key where a private one is needed.
pub(super) fn not_private() -> Failure {
    access("given CryptoKey is not a private RSA key, it's *rsa.PublicKey")
}
