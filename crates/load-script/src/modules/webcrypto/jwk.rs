//! JSON Web Keys (RFC 7517), as objects.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use script_engine::convert;
use script_engine::throw::Outcome;
use script_engine::{Ctx, Object, Value};
use web_crypto::ec::{Curve, EcPrivate, EcPublic};
use web_crypto::rsa::{RsaNumbers, RsaPrivate, RsaPublic};

use super::failure::Failure;
use super::key::{Key, Material};

/// The value of a member.
pub(super) enum Member {
    Text(String),
    Flag(bool),
    Texts(Vec<String>),
}

/// The script object of a key.
pub(super) fn object<'js>(ctx: &Ctx<'js>, members: Vec<(&'static str, Member)>) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    for (name, member) in members {
        match member {
            Member::Text(text) => object.set(name, text)?,
            Member::Flag(flag) => object.set(name, flag)?,
            Member::Texts(texts) => object.set(name, texts)?,
        }
    }
    Ok(object.into_value())
}

fn encoded(bytes: &[u8]) -> Member {
    Member::Text(URL_SAFE_NO_PAD.encode(bytes))
}

fn text(text: &str) -> Member {
    Member::Text(text.to_owned())
}

/// The members of a key that can be exported. As in k6, only symmetric keys have the member `alg`.
pub(super) fn members(key: &Key) -> Option<Vec<(&'static str, Member)>> {
    Some(match &key.material {
        Material::Secret(bytes) => vec![
            ("kty", text("oct")),
            ("k", encoded(bytes)),
            ("alg", Member::Text(algorithm_of_secret(key, bytes.len()))),
            ("ext", Member::Flag(key.is_extractable)),
            ("key_ops", Member::Texts(key.usages.clone())),
        ],
        Material::EcPublic(public) => of_point(public),
        Material::EcPrivate(private) => {
            let mut members = of_point(&private.public());
            members.push(("d", encoded(&private.scalar())));
            members
        }
        Material::RsaPublic(public) => {
            let (n, e) = public.numbers();
            vec![("kty", text("RSA")), ("n", encoded(&n)), ("e", encoded(&e))]
        }
        Material::RsaPrivate(private) => {
            let numbers = private.numbers()?;
            vec![
                ("kty", text("RSA")),
                ("n", encoded(&numbers.n)),
                ("e", encoded(&numbers.e)),
                ("d", encoded(&numbers.d)),
                ("p", encoded(&numbers.p)),
                ("q", encoded(&numbers.q)),
                ("dp", encoded(&numbers.dp)),
                ("dq", encoded(&numbers.dq)),
                ("qi", encoded(&numbers.qi)),
            ]
        }
    })
}

fn of_point(public: &EcPublic) -> Vec<(&'static str, Member)> {
    let (x, y) = public.coordinates();
    vec![
        ("kty", text("EC")),
        ("crv", text(public.curve().name())),
        ("x", encoded(&x)),
        ("y", encoded(&y)),
    ]
}

/// `A128GCM`, `HS256`.
fn algorithm_of_secret(key: &Key, length_bytes: usize) -> String {
    match (key.algorithm.name.strip_prefix("AES-"), key.algorithm.hash) {
        (Some(mode), _) => format!("A{}{mode}", length_bytes * 8),
        (None, Some(web_crypto::Algorithm::Sha1)) => "HS1".to_owned(),
        (None, Some(web_crypto::Algorithm::Sha384)) => "HS384".to_owned(),
        (None, Some(web_crypto::Algorithm::Sha512)) => "HS512".to_owned(),
        (None, _) => "HS256".to_owned(),
    }
}

/// A member that is text; empty when it is missing.
fn member(object: &Object<'_>, name: &str) -> Result<String, Failure> {
    let value = convert::given(object, name)?;
    Ok(value.map_or(Ok(String::new()), |value| convert::to_text(&value))?)
}

/// The error for invalid base64 contains `what` and the offset, as in k6's library.
fn decoded(encoded: &str, what: &str) -> Result<Vec<u8>, String> {
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
    );
    lenient.decode(encoded).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(length) => length,
            base64::DecodeError::InvalidPadding => encoded.trim_end_matches('=').len(),
        };
        format!("failed to decode {what}: illegal base64 data at input byte {at}")
    })
}

/// The secret of a symmetric key.
pub(super) fn secret(value: &Value<'_>) -> Result<Vec<u8>, Failure> {
    let object = value
        .as_object()
        .filter(|_| convert::buffer_bytes(value).is_none());
    let Some(object) = object else {
        return Err(super::failure::data(
            "failed to parse symmetric JWK: json: cannot unmarshal string into Go value of type webcrypto.symmetricJWK",
        ));
    };
    let kind = member(object, "kty")?;
    if kind != "oct" {
        let why = format!("invalid symmetric JWK: invalid key type: {kind}");
        return Err(super::failure::data(why));
    }
    let secret = member(object, "k")?;
    if secret.is_empty() {
        let why = "invalid symmetric JWK: key (k) is required";
        return Err(super::failure::data(why));
    }
    decoded(&secret, "symmetric key").map_err(super::failure::data)
}

/// A key on a curve: private when `d` is present. `about` is the prefix of all errors.
pub(super) fn elliptic(value: &Value<'_>, about: &str) -> Result<Material, Failure> {
    let why = |why: &str| Failure::nameless(format!("{about}invalid EC JWK key: {why}"));
    let undecoded = |why: String| Failure::nameless(format!("{about}{why}"));
    let object = value
        .as_object()
        .ok_or_else(|| why("it is not an object"))?;
    let kind = member(object, "kty")?;
    if kind != "EC" {
        return Err(why(&format!("invalid key type: {kind}")));
    }
    let curve = member(object, "crv")?;
    if curve.is_empty() {
        return Err(why("curve is required"));
    }
    let (x, y) = (member(object, "x")?, member(object, "y")?);
    if x.is_empty() {
        return Err(why("coordinate X is required"));
    }
    if y.is_empty() {
        return Err(why("coordinate Y is required"));
    }
    let curve = Curve::parse(&curve).ok_or_else(|| why(&format!("unsupported curve: {curve}")))?;
    let x = decoded(&x, "X coordinate").map_err(undecoded)?;
    let y = decoded(&y, "Y coordinate").map_err(undecoded)?;
    let private = member(object, "d")?;
    if private.is_empty() {
        return EcPublic::from_coordinates(curve, &x, &y)
            .map(Material::EcPublic)
            .ok_or_else(|| why("the point is not on the curve"));
    }
    let scalar = decoded(&private, "D").map_err(undecoded)?;
    EcPrivate::from_scalar(curve, &scalar)
        .map(Material::EcPrivate)
        .ok_or_else(|| why("the private key is not one of the curve"))
}

/// An RSA key: private when `d` is present.
pub(super) fn rsa(value: &Value<'_>) -> Result<Material, Failure> {
    let why = |why: &str| Failure::nameless(format!("invalid RSA JWK key: {why}"));
    let object = value
        .as_object()
        .ok_or_else(|| why("it is not an object"))?;
    let kind = member(object, "kty")?;
    if kind != "RSA" {
        return Err(why(&format!("invalid key type: {kind}")));
    }
    let number =
        |name: &str, what: &str| decoded(&member(object, name)?, what).map_err(Failure::nameless);
    let (n, e) = (number("n", "modulus")?, number("e", "exponent")?);
    if n.is_empty() {
        return Err(why("modulus (n) is required"));
    }
    if e.is_empty() {
        return Err(why("exponent (e) is required"));
    }
    let d = number("d", "private exponent")?;
    if d.is_empty() {
        return RsaPublic::from_numbers(&n, &e)
            .map(Material::RsaPublic)
            .ok_or_else(|| why("the modulus or the exponent is not one of RSA"));
    }
    let numbers = RsaNumbers {
        n,
        e,
        d,
        p: number("p", "first prime factor")?,
        q: number("q", "second prime factor")?,
        ..RsaNumbers::default()
    };
    if numbers.p.is_empty() || numbers.q.is_empty() {
        let why = "failed to validate private key: modulus must be > 1";
        return Err(Failure::nameless(why));
    }
    if [("dp", "first exponent"), ("dq", "second exponent")]
        .iter()
        .any(|(name, what)| number(name, what).is_ok_and(|number| number.is_empty()))
    {
        let why = "failed to validate private key: crypto/rsa: invalid CRT exponent";
        return Err(Failure::nameless(why));
    }
    RsaPrivate::from_numbers(&numbers)
        .map(Material::RsaPrivate)
        .ok_or_else(|| Failure::nameless("failed to validate private key: crypto/rsa: invalid key"))
}
