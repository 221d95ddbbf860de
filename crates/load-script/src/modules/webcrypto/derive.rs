//! `subtle.deriveBits` (ECDH, PBKDF2) and `subtle.deriveKey` (PBKDF2).

use script_engine::Value;
use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::Outcome;
use web_crypto::ec::{EcPrivate, EcPublic};

use super::algorithm::{Algorithm, Operation};
use super::failure::{Failure, access, operation, unsupported};
use super::generate::{OF_CIPHERS, OF_SIGNATURES, block_bits};
use super::key::{self, Content, Description, Key, Material};
use super::{OperationResult, Work, promised};

/// `subtle.deriveBits(algorithm, baseKey, length)`
pub(super) fn derive_bits<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let base = base_key(&call.arg(1), "deriveBits")?;
        let length_bits = match call.given(2) {
            Some(length) => convert::to_number(&length)? as i64,
            None => 0,
        };
        let algorithm = Algorithm::read(&call.arg(0), Operation::DeriveBits)?;
        if algorithm.name == "PBKDF2" {
            let derivation = Derivation::read(&algorithm, base)?;
            if length_bits <= 0 || length_bits % 8 != 0 {
                return Err(operation("length must be a multiple of 8 and not 0"));
            }
            let length_bytes = usize::try_from(length_bits / 8).unwrap_or(usize::MAX);
            check_length(length_bytes)?;
            return Ok(Work::Long(Box::new(move || {
                derivation.run(length_bytes).map(OperationResult::Bytes)
            })));
        }
        agree(&algorithm, &base, length_bits)
    })
}

/// `subtle.deriveKey(algorithm, baseKey, derivedKeyAlgorithm, extractable, usages)`
pub(super) fn derive_key<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let usages = key::usages(&call.arg(4), 4)?;
        let base = base_key(&call.arg(1), "deriveKey")?;
        let algorithm = Algorithm::read(&call.arg(0), Operation::DeriveKey)?;
        let derivation = Derivation::read(&algorithm, base)?;
        let target = Algorithm::read(&call.arg(2), Operation::GenerateKey)?;
        let description = description(&target, &usages)?;
        key::check_not_empty(&usages)?;
        let is_extractable = convert::is_truthy(&call.arg(3));
        let length_bytes = description.length_bits.unwrap_or(0) / 8;
        check_length(length_bytes)?;
        Ok(Work::Long(Box::new(move || {
            Ok(OperationResult::Key(Key::new(Content {
                material: Material::Secret(derivation.run(length_bytes)?),
                algorithm: description,
                is_extractable,
                usages,
            })))
        })))
    })
}

/// The maximum size of one derivation, in bytes.
const LARGEST_DERIVED_BYTES: usize = 1 << 20;
/// The maximum number of rounds of one derivation: about a minute of work.
const MOST_ITERATIONS: f64 = 100_000_000.0;

fn check_length(length_bytes: usize) -> Result<(), Failure> {
    if length_bytes > LARGEST_DERIVED_BYTES {
        return Err(operation("length is too large"));
    }
    Ok(())
}

fn base_key(value: &Value<'_>, usage: &str) -> Result<Key, Failure> {
    let key = Key::of(value)
        .ok_or_else(|| access("provided baseKey is not a valid CryptoKey: invalid key type"))?;
    if !key.allows(usage) {
        return Err(access(format!(
            "provided baseKey does not contain the '{usage}' usage"
        )));
    }
    Ok(key)
}

/// The kind of a derived key.
fn description(target: &Algorithm<'_>, usages: &[String]) -> Result<Description, Failure> {
    if target.is_aes() {
        key::check_usages(usages, &OF_CIPHERS, true)?;
        let length = target.integer("length")?;
        if !matches!(length, 128 | 192 | 256) {
            return Err(operation("invalid key length"));
        }
        return Ok(Description {
            length_bits: Some(length as usize),
            ..Description::new(target.name)
        });
    }
    if target.name != "HMAC" {
        return Err(Operation::DeriveKey.unsupported(target.name));
    }
    key::check_usages(usages, &OF_SIGNATURES, true)?;
    let hash = target.hash_of_signature()?;
    let length = match target.optional("length")? {
        Some(_) => target.integer("length")?,
        None => block_bits(hash),
    };
    if length <= 0 || length % 8 != 0 {
        return Err(operation("invalid key length"));
    }
    Ok(Description {
        hash: Some(hash),
        length_bits: usize::try_from(length).ok(),
        ..Description::new(target.name)
    })
}

/// PBKDF2 with its parameters.
struct Derivation {
    password: Vec<u8>,
    salt: Vec<u8>,
    iterations: u32,
    hash: web_crypto::Algorithm,
}

impl Derivation {
    fn read(algorithm: &Algorithm<'_>, base: Key) -> Result<Self, Failure> {
        if base.algorithm.name != algorithm.name {
            return Err(access("algorithm name does not match key algorithm name"));
        }
        let hash = algorithm.hash(|name| Operation::DeriveBits.unsupported(name))?;
        let salt = algorithm.required("salt")?;
        let salt = super::data_of(&salt)?;
        let iterations = convert::to_number(&algorithm.required("iterations")?)?;
        if !(1.0..=MOST_ITERATIONS).contains(&iterations) {
            return Err(operation("iterations must be between 1 and 100000000"));
        }
        Ok(Self {
            password: base.secret()?.to_vec(),
            salt,
            iterations: iterations as u32,
            hash,
        })
    }

    fn run(&self, length_bytes: usize) -> Result<Vec<u8>, Failure> {
        let (salt, iterations) = (&self.salt, self.iterations);
        web_crypto::pbkdf2(self.hash, &self.password, salt, iterations, length_bytes)
            .map_err(|error| operation(error.to_string()))
    }
}

fn agree(algorithm: &Algorithm<'_>, base: &Key, length_bits: i64) -> Result<Work, Failure> {
    let public = algorithm
        .optional("public")?
        .ok_or_else(|| Failure::named("TypeError", "algorithm does not contain a public key"))?;
    let public = Key::of(&public).ok_or_else(|| {
        let why = "algorithm's public key is not a valid CryptoKey: invalid key type";
        Failure::named("TypeError", why)
    })?;
    let own = private_of(base)?;
    if public.algorithm.name != algorithm.name {
        return Err(access(format!(
            "algorithm name does not match public key's algorithm name: {} != {}",
            algorithm.name, public.algorithm.name
        )));
    }
    let other = public_of(&public)?;
    let secret = own.agree(other).ok_or_else(|| {
        access(format!(
            "keys have different curves {} and {}",
            own.curve().name(),
            other.curve().name()
        ))
    })?;
    if length_bits % 8 != 0 {
        return Err(unsupported(
            "currently only multiples of 8 are supported for length",
        ));
    }
    let wanted = match usize::try_from(length_bits / 8) {
        Ok(0) => secret.len(),
        Ok(wanted) if wanted <= secret.len() => wanted,
        _ => return Err(operation("length is too large")),
    };
    Ok(Work::Done(OperationResult::Bytes(
        secret[..wanted].to_vec(),
    )))
}

fn private_of(key: &Key) -> Result<&EcPrivate, Failure> {
    match &key.material {
        Material::EcPrivate(private) => Ok(private),
        _ => Err(access("provided baseKey is not a private key")),
    }
}

fn public_of(key: &Key) -> Result<&EcPublic, Failure> {
    match &key.material {
        Material::EcPublic(public) => Ok(public),
        _ => Err(access("algorithm's public key is not a public key")),
    }
}
