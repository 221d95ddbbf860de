//! `k6/crypto`: hashes, keyed hashes, random bytes.

use std::cell::RefCell;
use std::ffi::CStr;

use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::isolate;
use script_engine::native::{Call, method};
use script_engine::own_methods;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};
use web_crypto::{Algorithm, CryptoError, Encoded, Encoding, Hasher, random_bytes};

/// The result of `createHash` and `createHMAC`.
struct HashObject(RefCell<Hasher>);

impl Class for HashObject {
    const NAME: &'static CStr = c"Hasher";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"update", update)?;
        method(prototype, c"digest", digest)
    }
}

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"md4", hash::<0>)?;
    method(&exports, c"md5", hash::<1>)?;
    method(&exports, c"sha1", hash::<2>)?;
    method(&exports, c"sha256", hash::<3>)?;
    method(&exports, c"sha384", hash::<4>)?;
    method(&exports, c"sha512", hash::<5>)?;
    method(&exports, c"sha512_224", hash::<6>)?;
    method(&exports, c"sha512_256", hash::<7>)?;
    method(&exports, c"ripemd160", hash::<8>)?;
    method(&exports, c"hmac", hmac)?;
    method(&exports, c"createHash", create_hash)?;
    method(&exports, c"createHMAC", create_hmac)?;
    method(&exports, c"randomBytes", random)?;
    method(&exports, c"hexEncode", hex_encode)?;
    Ok(exports)
}

fn failed(error: CryptoError) -> Throw {
    plain(error.to_string())
}

/// The function of `Algorithm::ALL[N]`.
fn hash<'js, const N: usize>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (name, algorithm) = Algorithm::ALL[N];
    let data = input(&call.arg(0))
        .map_err(|throw| super::tags::about(&format!("{name} failed"), throw))?;
    encode(call, 1, algorithm.hash(&data))
}

fn hmac<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let hasher = keyed(call)?;
    hasher.borrow_mut().update(&input(&call.arg(2))?);
    let digest = hasher.borrow().digest();
    encode(call, 3, digest)
}

fn create_hash<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let hasher = Hasher::new(Algorithm::parse(&name(call)?).map_err(failed)?);
    Ok(class::new(call.ctx, HashObject(RefCell::new(hasher)))?.into_value())
}

fn create_hmac<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(class::new(call.ctx, HashObject(keyed(call)?))?.into_value())
}

fn keyed(call: &Call<'_, '_>) -> Result<RefCell<Hasher>, Throw> {
    let algorithm = Algorithm::parse(&name(call)?).map_err(failed)?;
    Ok(RefCell::new(Hasher::keyed(
        algorithm,
        &input(&call.arg(1))?,
    )))
}

fn name(call: &Call<'_, '_>) -> Result<String, Throw> {
    call.given(0)
        .map_or(Ok(String::new()), |name| convert::to_text(&name))
}

fn update<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let data = input(&call.arg(0))?;
    hasher_of(&call.this())?.borrow_mut().update(&data);
    Ok(call.undefined())
}

fn digest<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let digest = hasher_of(&call.this())?.borrow().digest();
    encode(call, 0, digest)
}

fn hasher_of<'a>(this: &'a Value<'_>) -> Result<&'a RefCell<Hasher>, Throw> {
    class::of::<HashObject>(this)
        .map(|object| &object.0)
        .ok_or_else(|| Throw::Type("this is not a hash".to_owned()))
}

fn random<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let size = convert::to_number(&call.arg(0))?;
    let size = if size.is_finite() { size } else { 0.0 };
    let _held = isolate::charge(call.ctx, size.max(0.0) as usize)?;
    convert::array_buffer(call.ctx, random_bytes(size as i64).map_err(failed)?)
}

fn hex_encode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match Encoding::Hex.encode(input(&call.arg(0))?) {
        Encoded::Text(text) => call.string(&text),
        Encoded::Bytes(bytes) => convert::array_buffer(call.ctx, bytes),
    }
}

/// The bytes in the encoding that the argument at `index` names.
fn encode<'js>(call: &Call<'_, 'js>, index: usize, bytes: Vec<u8>) -> Outcome<'js> {
    let wanted = call
        .given(index)
        .map_or(Ok(String::new()), |name| convert::to_text(&name))?;
    match Encoding::parse(&wanted).map_err(failed)?.encode(bytes) {
        Encoded::Text(text) => call.string(&text),
        Encoded::Bytes(bytes) => convert::array_buffer(call.ctx, bytes),
    }
}

/// The input of a hash: text, the description of a symbol, an `ArrayBuffer`, or an array of bytes. As in k6,
/// arrays of larger numbers and a `DataView` are refused.
pub(super) fn input(value: &Value<'_>) -> Result<Vec<u8>, Throw> {
    let is_view = convert::is_data_view(value);
    let kind = convert::go_type(value);
    let is_list = kind.starts_with("[]") && kind != "[]uint8";
    let bytes = if is_view || is_list {
        None
    } else if value.is_symbol() {
        let name: Option<String> = value
            .as_symbol()
            .and_then(|symbol| symbol.description().ok()?.get().ok());
        Some(name.unwrap_or_default().into_bytes())
    } else {
        convert::bytes_of(value)?
    };
    bytes.ok_or_else(|| {
        plain(format!(
            "invalid type {kind}, expected string, []byte or ArrayBuffer"
        ))
    })
}
