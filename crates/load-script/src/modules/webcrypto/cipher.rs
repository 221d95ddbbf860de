//! `subtle.encrypt` and `subtle.decrypt`.

use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::Outcome;
use web_crypto::Aes;

use super::algorithm::{Algorithm, Operation};
use super::export::{not_private, not_public};
use super::failure::{Failure, access, operation, syntax, unsupported};
use super::key::{Key, Material};
use super::{OperationResult, Work, data_of, promised};

/// `subtle.encrypt(algorithm, key, data)`
pub(super) fn encrypt<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || run(call, Operation::Encrypt))
}

/// `subtle.decrypt(algorithm, key, data)`
pub(super) fn decrypt<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || run(call, Operation::Decrypt))
}

fn run(call: &Call<'_, '_>, direction: Operation) -> Result<Work, Failure> {
    let verb = if direction == Operation::Encrypt {
        "encrypt"
    } else {
        "decrypt"
    };
    // Errors of the data take precedence over an invalid key.
    let key = match Key::argument(&call.arg(1)) {
        Err(thrown @ Failure::Thrown(_)) => return Err(thrown),
        key => key,
    };
    let data = data_of(&call.arg(2))?;
    let algorithm = Algorithm::read(&call.arg(0), direction)?;
    let key = key?;
    if algorithm.name != key.algorithm.name {
        return Err(access(format!(
            "{verb}'s algorithm name does not match key algorithm name"
        )));
    }
    if !key.allows(verb) {
        return Err(access(format!(
            "{verb}'s key does not contain the '{verb}' usage"
        )));
    }
    if algorithm.parameters.is_none() {
        return Err(syntax(
            "invalid algorithm parameters, unable to interpret as \"\" object",
        ));
    }
    if algorithm.is_rsa() {
        return rsa(&algorithm, key, direction, data);
    }
    let done = aes(&algorithm, &key, direction, &data)?;
    Ok(Work::Done(OperationResult::Bytes(done)))
}

fn rsa(
    algorithm: &Algorithm<'_>,
    key: Key,
    direction: Operation,
    data: Vec<u8>,
) -> Result<Work, Failure> {
    let label = algorithm.bytes("label")?;
    let hash = key.algorithm.hash.unwrap_or(web_crypto::Algorithm::Sha256);
    match (direction, &key.material) {
        (Operation::Encrypt, Material::RsaPublic(public)) => {
            let cipher = public.encrypt(hash, &label, &data);
            let cipher =
                cipher.map_err(|error| operation(format!("could not encrypt data: {error}")))?;
            Ok(Work::Done(OperationResult::Bytes(cipher)))
        }
        (Operation::Decrypt, Material::RsaPrivate(_)) => Ok(Work::Long(Box::new(move || {
            let Material::RsaPrivate(private) = &key.material else {
                return Err(not_private());
            };
            let plain = private.decrypt(hash, &label, &data);
            plain
                .map(OperationResult::Bytes)
                .map_err(|error| operation(format!("could not decrypt data: {error}")))
        }))),
        (Operation::Encrypt, _) => Err(not_public()),
        _ => Err(not_private()),
    }
}

fn aes(
    algorithm: &Algorithm<'_>,
    key: &Key,
    direction: Operation,
    data: &[u8],
) -> Result<Vec<u8>, Failure> {
    let secret = key.secret()?;
    let is_decryption = direction == Operation::Decrypt;
    let iv;
    let extra;
    let (mode, failure) = match algorithm.name {
        "AES-CBC" => {
            iv = algorithm.bytes("iv")?;
            if iv.len() != 16 {
                return Err(operation("iv length is not 16 bytes"));
            }
            (Aes::Cbc { iv: &iv }, "invalid padding")
        }
        "AES-CTR" => {
            iv = algorithm.bytes("counter")?;
            if iv.len() != 16 {
                return Err(operation("counter length is not 16 bytes"));
            }
            let length = match algorithm.optional("length")? {
                Some(length) => convert::to_number(&length)?,
                None => 0.0,
            };
            // The counter bits are checked but, as in k6, all bits count.
            if !(1.0..=128.0).contains(&length) {
                return Err(operation(
                    "invalid counter length, out of the 0 < x < 128 bounds",
                ));
            }
            (Aes::Ctr { counter: &iv }, "could not decrypt ciphertext")
        }
        "AES-GCM" => {
            iv = algorithm.bytes("iv")?;
            extra = algorithm.bytes("additionalData")?;
            let mode = gcm(algorithm, &iv, &extra)?;
            if let (true, Aes::Gcm { tag_bytes, .. }) = (is_decryption, mode)
                && data.len() < tag_bytes
            {
                return Err(operation("ciphertext is too short"));
            }
            (mode, "could not decrypt ciphertext")
        }
        other => return Err(unsupported(format!("unsupported algorithm {other}"))),
    };
    let done = if is_decryption {
        mode.decrypt(secret, data)
    } else {
        mode.encrypt(secret, data)
    };
    done.map_err(|_| operation(failure))
}

fn gcm<'p>(
    algorithm: &Algorithm<'_>,
    iv: &'p [u8],
    additional_data: &'p [u8],
) -> Result<Aes<'p>, Failure> {
    let tag_bits = match algorithm.optional("tagLength")? {
        Some(length) => convert::to_number(&length)? as i64,
        None => 0,
    };
    let tag_bytes = match tag_bits {
        0 => 16,
        96 | 104 | 112 | 120 | 128 => (tag_bits / 8) as usize,
        32 | 64 => return Err(unsupported("tag length 32 and 64 are not supported")),
        _ => {
            return Err(operation(
                "invalid tag length, should be one of 96, 104, 112, 120, 128",
            ));
        }
    };
    if iv.len() != 12 {
        return Err(unsupported("only 12 bytes long iv are supported"));
    }
    Ok(Aes::Gcm {
        iv,
        additional_data,
        tag_bytes,
    })
}
