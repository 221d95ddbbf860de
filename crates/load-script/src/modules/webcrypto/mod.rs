//! The global `crypto`: WebCrypto to the extent of k6.
//!
//! Operations check their arguments at once and settle their promise on the event loop. Long work (RSA keys,
//! PBKDF2) runs on a thread of its own, since a VU's thread has other VUs to run.

mod algorithm;
mod cipher;
mod derive;
mod export;
mod failure;
mod generate;
mod import;
mod jwk;
mod key;
mod signature;

use rand::Rng;
use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::promise::Deferred;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use self::algorithm::{Algorithm, Operation};
use self::failure::{Failure, buffer};
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The most random bytes of one call.
const LARGEST_RANDOM_BYTES: usize = 65_536;

/// Sets the global `crypto`.
pub(super) fn install(globals: &Object<'_>) -> script_engine::Result<()> {
    let ctx = globals.ctx();
    let subtle = Object::new(ctx.clone())?;
    method(&subtle, c"decrypt", cipher::decrypt)?;
    method(&subtle, c"deriveBits", derive::derive_bits)?;
    method(&subtle, c"deriveKey", derive::derive_key)?;
    method(&subtle, c"digest", digest)?;
    method(&subtle, c"encrypt", cipher::encrypt)?;
    method(&subtle, c"exportKey", export::export_key)?;
    method(&subtle, c"generateKey", generate::generate_key)?;
    method(&subtle, c"importKey", import::import_key)?;
    method(&subtle, c"sign", signature::sign)?;
    method(&subtle, c"unwrapKey", not_implemented)?;
    method(&subtle, c"verify", signature::verify)?;
    method(&subtle, c"wrapKey", not_implemented)?;
    let crypto = Object::new(ctx.clone())?;
    method(&crypto, c"getRandomValues", get_random_values)?;
    method(&crypto, c"randomUUID", random_uuid)?;
    define(&crypto, c"subtle", subtle.into_value(), Visible::Yes)?;
    define(globals, c"crypto", crypto.into_value(), Visible::No)
}

/// The result of an operation, before it is converted to a script value.
enum OperationResult {
    Bytes(Vec<u8>),
    Flag(bool),
    Key(key::Key),
    /// Private and public.
    Pair(key::Key, key::Key),
    Jwk(Vec<(&'static str, jwk::Member)>),
}

impl OperationResult {
    fn into_value<'js>(self, ctx: &Ctx<'js>) -> Outcome<'js> {
        match self {
            Self::Bytes(bytes) => convert::array_buffer(ctx, bytes),
            Self::Flag(flag) => Ok(Value::new_bool(ctx.clone(), flag)),
            Self::Key(key) => key.into_object(ctx),
            Self::Pair(private, public) => {
                let pair = Object::new(ctx.clone())?;
                pair.set("privateKey", private.into_object(ctx)?)?;
                pair.set("publicKey", public.into_object(ctx)?)?;
                Ok(pair.into_value())
            }
            Self::Jwk(members) => jwk::object(ctx, members),
        }
    }
}

/// The rest of an operation, after the checks of its arguments.
enum Work {
    /// It is done already, with this result.
    Done(OperationResult),
    /// It takes long and runs on its own thread.
    Long(Box<dyn FnOnce() -> Result<OperationResult, Failure> + Send>),
}

/// The promise of the operation that `begin` starts; it settles on the event loop, however fast it is.
fn promised<'js>(
    call: &Call<'_, 'js>,
    begin: impl FnOnce() -> Result<Work, Failure>,
) -> Outcome<'js> {
    let begun = match begin() {
        Err(Failure::Thrown(throw)) => return Err(throw),
        other => other,
    };
    let (promise, deferred) = Deferred::new(call.ctx)?;
    call.vu().events.start(async move {
        let outcome = match begun {
            Ok(Work::Done(product)) => Ok(product),
            Ok(Work::Long(work)) => match tokio::task::spawn_blocking(work).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::named("OperationError", "the operation failed")),
            },
            Err(failure) => Err(failure),
        };
        let event: Event = Box::new(move |ctx| match outcome {
            Ok(product) => deferred.settle(ctx, product.into_value(ctx)),
            Err(failure) => deferred.reject(ctx, failure.into_value(ctx)?),
        });
        event
    });
    Ok(promise)
}

fn not_implemented<'js>(_: &Call<'_, 'js>) -> Outcome<'js> {
    Err(plain("not implemented"))
}

/// `subtle.digest(algorithm, data)`
fn digest<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    promised(call, || {
        let data = call.arg(1);
        if !data.is_object() {
            return Err(Failure::nameless(
                "data must be an ArrayBuffer, TypedArray, or DataView",
            ));
        }
        let data = convert::buffer_bytes(&data).ok_or_else(|| {
            Failure::nameless("data must be an ArrayBuffer, TypedArray, or DataView")
        })?;
        let algorithm = Algorithm::read(&call.arg(0), Operation::Digest)?;
        let hash = algorithm::hash_named(algorithm.name)
            .ok_or_else(|| Operation::Digest.unsupported(algorithm.name))?;
        Ok(Work::Done(OperationResult::Bytes(hash.hash(&data))))
    })
}

/// `getRandomValues(typedArray)`
fn get_random_values<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let array = call.arg(0);
    if !convert::is_integer_array(&array) {
        return Err(plain(
            "TypeMismatchError: typedArray parameter isn't a TypedArray instance",
        ));
    }
    let length = convert::buffer_length(&array).unwrap_or(0);
    if length > LARGEST_RANDOM_BYTES {
        return Err(plain(
            "QuotaExceededError: typedArray parameter is too big; maximum length is 65536",
        ));
    }
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    convert::write_buffer(&array, &bytes);
    Ok(array)
}

/// `randomUUID()`: version 4 of RFC 9562.
fn random_uuid<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    call.string(&text)
}

/// The data of an argument of `subtle`.
fn data_of(value: &Value<'_>) -> Result<Vec<u8>, Failure> {
    buffer(value)
}

impl From<Throw> for Failure {
    fn from(throw: Throw) -> Self {
        Self::Thrown(throw)
    }
}

impl From<script_engine::Error> for Failure {
    fn from(error: script_engine::Error) -> Self {
        Self::Thrown(error.into())
    }
}
