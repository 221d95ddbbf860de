//! `k6/crypto/x509`: the content of a certificate.

use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Function, Object};
use web_crypto::x509::{Certificate, Name, PublicKey};

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"parse", parse)?;
    method(&exports, c"getAltNames", alt_names)?;
    method(&exports, c"getIssuer", issuer)?;
    method(&exports, c"getSubject", subject)?;
    Ok(exports)
}

fn certificate(call: &Call<'_, '_>) -> Result<Certificate, Throw> {
    let value = call.arg(0);
    let bytes = match convert::bytes_of(&value)? {
        Some(bytes) => bytes,
        None if value.is_undefined() || value.is_null() => Vec::new(),
        None => {
            let shown = convert::to_text(&value)?;
            return Err(Throw::Type(format!(
                "could not convert function call parameter 0: could not convert {shown} to []uint8"
            )));
        }
    };
    Certificate::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| plain(error.to_string()))
}

fn alt_names<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    texts(call.ctx, &certificate(call)?.alt_names)
}

fn issuer<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(common(call.ctx, &certificate(call)?.issuer)?.into_value())
}

fn subject<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(whole(call.ctx, &certificate(call)?.subject)?.into_value())
}

fn parse<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let ctx = call.ctx;
    let certificate = certificate(call)?;
    let object = Object::new(ctx.clone())?;
    object.set("subject", whole(ctx, &certificate.subject)?)?;
    object.set("issuer", common(ctx, &certificate.issuer)?)?;
    object.set("notBefore", certificate.not_before.as_str())?;
    object.set("notAfter", certificate.not_after.as_str())?;
    object.set("altNames", texts(ctx, &certificate.alt_names)?)?;
    object.set("signatureAlgorithm", certificate.signature_algorithm)?;
    let finger_print = Array::new(ctx.clone())?;
    for (index, byte) in certificate.finger_print.iter().enumerate() {
        finger_print.set(index, *byte)?;
    }
    object.set("fingerPrint", finger_print)?;
    object.set("publicKey", public_key(ctx, &certificate.public_key)?)?;
    Ok(object.into_value())
}

/// The common part of issuer and subject.
fn common<'js>(ctx: &Ctx<'js>, name: &Name) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    object.set("commonName", name.common_name.as_str())?;
    object.set("country", name.country.as_str())?;
    object.set("stateOrProvinceName", name.state_or_province.as_str())?;
    object.set("localityName", name.locality.as_str())?;
    object.set("organizationName", name.organization.as_str())?;
    let names = Array::new(ctx.clone())?;
    for (index, (kind, value)) in name.names.iter().enumerate() {
        let entry = Object::new(ctx.clone())?;
        entry.set("type", kind.as_str())?;
        entry.set("value", value.as_str())?;
        names.set(index, entry)?;
    }
    object.set("names", names)?;
    Ok(object)
}

fn whole<'js>(ctx: &Ctx<'js>, name: &Name) -> Result<Object<'js>, Throw> {
    let object = common(ctx, name)?;
    object.set("postalCode", name.postal_code.as_str())?;
    object.set("streetAddress", name.street_address.as_str())?;
    object.set(
        "organizationalUnitName",
        texts(ctx, &name.organizational_units)?,
    )?;
    Ok(object)
}

fn public_key<'js>(ctx: &Ctx<'js>, key: &PublicKey) -> Outcome<'js> {
    let (object, inner) = (Object::new(ctx.clone())?, Object::new(ctx.clone())?);
    let algorithm = match key {
        PublicKey::Rsa { n, e } => {
            inner.set("n", big_integer(ctx, n)?)?;
            let exponent = e
                .iter()
                .fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte));
            inner.set("e", exponent)?;
            "RSA"
        }
        PublicKey::Ecdsa { x, y } => {
            inner.set("x", big_integer(ctx, x)?)?;
            inner.set("y", big_integer(ctx, y)?)?;
            "ECDSA"
        }
        PublicKey::Other => "",
    };
    object.set("algorithm", algorithm)?;
    object.set("key", inner)?;
    Ok(object.into_value())
}

/// A `BigInt` of big-endian bytes.
fn big_integer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Outcome<'js> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let make: Function<'js> = ctx.globals().get("BigInt")?;
    Ok(make.call((format!("0x0{digits}"),))?)
}

fn texts<'js>(ctx: &Ctx<'js>, texts: &[String]) -> Outcome<'js> {
    let array = Array::new(ctx.clone())?;
    for (index, text) in texts.iter().enumerate() {
        array.set(index, text.as_str())?;
    }
    Ok(array.into_value())
}
