//! `subtle.generateKey`.

use rand::Rng;
use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::Outcome;
use web_crypto::ec::EcPrivate;
use web_crypto::rsa::RsaPrivate;

use super::algorithm::{Algorithm, Operation};
use super::failure::{Failure, operation, syntax, unsupported};
use super::key::{self, Content, Description, Key, Material};
use super::{OperationResult, Work, promised};

pub(super) const OF_CIPHERS: [&str; 4] = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
pub(super) const OF_SIGNATURES: [&str; 2] = ["sign", "verify"];
const OF_AGREEMENT: [&str; 2] = ["deriveKey", "deriveBits"];
/// The usages of private and of public keys.
const OF_SIGNERS: (&[&str], &[&str]) = (&["sign"], &["verify"]);
const OF_READERS: (&[&str], &[&str]) = (&["decrypt", "unwrapKey"], &["encrypt", "wrapKey"]);
const OF_PARTNERS: (&[&str], &[&str]) = (&OF_AGREEMENT, &[]);

/// The usages of a new key.
struct Permissions {
    is_extractable: bool,
    usages: Vec<String>,
}

impl Permissions {
    /// The usages among `own`, in the script's order.
    fn those(&self, own: &[&str]) -> Vec<String> {
        let own = |usage: &&String| own.contains(&usage.as_str());
        self.usages.iter().filter(own).cloned().collect()
    }
}

/// `subtle.generateKey(algorithm, extractable, usages)`
pub(super) fn generate_key<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let permissions = Permissions {
            is_extractable: convert::is_truthy(&call.arg(1)),
            usages: key::usages(&call.arg(2), 2)?,
        };
        let algorithm = Algorithm::read(&call.arg(0), Operation::GenerateKey)?;
        if algorithm.is_aes() {
            return aes(&algorithm, permissions);
        }
        match algorithm.name {
            "HMAC" => hmac(&algorithm, permissions),
            "ECDSA" | "ECDH" => elliptic(&algorithm, &permissions),
            _ => rsa(&algorithm, permissions),
        }
    })
}

fn random(length_bytes: usize) -> Material {
    let mut bytes = vec![0; length_bytes];
    rand::rng().fill_bytes(&mut bytes);
    Material::Secret(bytes)
}

fn secret(material: Material, algorithm: Description, permissions: Permissions) -> Work {
    Work::Done(OperationResult::Key(Key::new(Content {
        material,
        algorithm,
        is_extractable: permissions.is_extractable,
        usages: permissions.usages,
    })))
}

fn aes(algorithm: &Algorithm<'_>, permissions: Permissions) -> Result<Work, Failure> {
    let length = match algorithm.parameters {
        Some(_) => algorithm.integer("length")?,
        None => 0,
    };
    let allowed = if algorithm.name == "AES-KW" {
        &OF_CIPHERS[2..]
    } else {
        &OF_CIPHERS[..]
    };
    key::check_usages(&permissions.usages, allowed, false)?;
    if !matches!(length, 128 | 192 | 256) {
        return Err(operation("invalid key length"));
    }
    key::check_not_empty(&permissions.usages)?;
    let length_bits = length as usize;
    let description = Description {
        length_bits: Some(length_bits),
        ..Description::new(algorithm.name)
    };
    Ok(secret(random(length_bits / 8), description, permissions))
}

fn hmac(algorithm: &Algorithm<'_>, permissions: Permissions) -> Result<Work, Failure> {
    let hash = algorithm.hash_of_signature()?;
    key::check_usages(&permissions.usages, &OF_SIGNATURES, true)?;
    let length_bits = match algorithm.optional("length")? {
        Some(_) => algorithm.integer("length")?,
        None => block_bits(hash),
    };
    if length_bits <= 0 {
        return Err(operation("algorithm's length cannot be 0"));
    }
    if length_bits > LARGEST_SECRET_BITS {
        return Err(operation("algorithm's length is too large"));
    }
    key::check_not_empty(&permissions.usages)?;
    let length_bits = length_bits as usize;
    let description = Description {
        hash: Some(hash),
        length_bits: Some(length_bits),
        ..Description::new(algorithm.name)
    };
    let material = random(length_bits.div_ceil(8));
    Ok(secret(material, description, permissions))
}

/// The longest generated secret, in bits.
const LARGEST_SECRET_BITS: i64 = 1 << 20;

/// The default length of a key: the block size of the hash.
pub(super) fn block_bits(hash: web_crypto::Algorithm) -> i64 {
    match hash {
        web_crypto::Algorithm::Sha384 | web_crypto::Algorithm::Sha512 => 1024,
        _ => 512,
    }
}

fn elliptic(algorithm: &Algorithm<'_>, permissions: &Permissions) -> Result<Work, Failure> {
    let curve =
        algorithm.curve(|name| unsupported(format!("elliptic curve {name} is not supported")))?;
    if permissions.usages.is_empty() {
        return Err(syntax("key usages cannot be empty"));
    }
    let (allowed, (private, public)) = if algorithm.name == "ECDSA" {
        (&OF_SIGNATURES, OF_SIGNERS)
    } else {
        (&OF_AGREEMENT, OF_PARTNERS)
    };
    key::check_usages(&permissions.usages, allowed, false)?;
    let description = Description {
        curve: Some(curve),
        ..Description::new(algorithm.name)
    };
    let own = EcPrivate::generate(curve);
    let other = own.public();
    let private = Half {
        material: Material::EcPrivate(own),
        usages: permissions.those(private),
    };
    let public = Half {
        material: Material::EcPublic(other),
        usages: permissions.those(public),
    };
    let is_extractable = permissions.is_extractable;
    Ok(Work::Done(pair(
        private,
        public,
        &description,
        is_extractable,
    )))
}

/// One key of a pair.
struct Half {
    material: Material,
    usages: Vec<String>,
}

/// Public keys can always be exported.
fn pair(
    private: Half,
    public: Half,
    algorithm: &Description,
    is_extractable: bool,
) -> OperationResult {
    let key = |half: Half, is_extractable| {
        Key::new(Content {
            material: half.material,
            algorithm: algorithm.clone(),
            is_extractable,
            usages: half.usages,
        })
    };
    OperationResult::Pair(key(private, is_extractable), key(public, true))
}

fn rsa(algorithm: &Algorithm<'_>, permissions: Permissions) -> Result<Work, Failure> {
    let bits = algorithm.integer("modulusLength")?;
    let exponent = algorithm.exponent()?;
    let hash = algorithm.hash_of_rsa()?;
    if permissions.usages.is_empty() {
        return Err(syntax("key usages cannot be empty"));
    }
    let (allowed, (private, public)) = if algorithm.name == "RSA-OAEP" {
        (&OF_CIPHERS[..], OF_READERS)
    } else {
        (&OF_SIGNATURES[..], OF_SIGNERS)
    };
    key::check_usages(&permissions.usages, allowed, true)?;
    let description = Description {
        hash: Some(hash),
        ..Description::new(algorithm.name)
    };
    let bits = usize::try_from(bits).unwrap_or(0);
    Ok(Work::Long(Box::new(move || {
        let own =
            RsaPrivate::generate(bits, &exponent).map_err(|error| operation(error.to_string()))?;
        let other = own.public();
        let description = Description {
            modulus_bits: Some(own.modulus_bits()),
            ..description
        };
        let private = Half {
            material: Material::RsaPrivate(own),
            usages: permissions.those(private),
        };
        let public = Half {
            material: Material::RsaPublic(other),
            usages: permissions.those(public),
        };
        let is_extractable = permissions.is_extractable;
        Ok(pair(private, public, &description, is_extractable))
    })))
}
