//! `CryptoKey` objects.

use std::ffi::CStr;
use std::sync::Arc;

use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object, Value};
use web_crypto::ec::{Curve, EcPrivate, EcPublic};
use web_crypto::rsa::{RsaPrivate, RsaPublic};

use super::algorithm::name_of_hash;
use super::failure::{Failure, access, syntax};

/// The material of a key.
#[derive(Debug)]
pub(super) enum Material {
    Secret(Vec<u8>),
    EcPrivate(EcPrivate),
    EcPublic(EcPublic),
    RsaPrivate(RsaPrivate),
    RsaPublic(RsaPublic),
}

/// The content of a key's property `algorithm`.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) hash: Option<web_crypto::Algorithm>,
    pub(super) length_bits: Option<usize>,
    pub(super) curve: Option<Curve>,
    pub(super) modulus_bits: Option<u32>,
}

impl Description {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            hash: None,
            length_bits: None,
            curve: None,
            modulus_bits: None,
        }
    }
}

/// A key on the native side. The properties that the script sees are copies: changing them does not change the
/// key.
#[derive(Debug, Clone)]
pub(super) struct Key(Arc<Content>);

/// A key's parts.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) material: Material,
    pub(super) algorithm: Description,
    pub(super) is_extractable: bool,
    pub(super) usages: Vec<String>,
}

impl std::ops::Deref for Key {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.0
    }
}

impl Class for Key {
    const NAME: &'static CStr = c"CryptoKey";

    fn prototype(_: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

impl Key {
    pub(super) fn new(content: Content) -> Self {
        Self(Arc::new(content))
    }

    /// The key of a script object.
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        class::of::<Self>(value).cloned()
    }

    /// The key argument of an operation.
    pub(super) fn argument(value: &Value<'_>) -> Result<Self, Failure> {
        if value.is_undefined() || value.is_null() {
            return Err(Failure::Thrown(Throw::Type(
                "Cannot convert undefined or null to object".to_owned(),
            )));
        }
        Self::of(value)
            .ok_or_else(|| Failure::named("TypeError", "field algorithm is null or undefined"))
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.material {
            Material::Secret(_) => "secret",
            Material::EcPrivate(_) | Material::RsaPrivate(_) => "private",
            Material::EcPublic(_) | Material::RsaPublic(_) => "public",
        }
    }

    pub(super) fn allows(&self, usage: &str) -> bool {
        self.usages.iter().any(|allowed| allowed == usage)
    }

    /// The secret of a symmetric key.
    pub(super) fn secret(&self) -> Result<&[u8], Failure> {
        match &self.material {
            Material::Secret(bytes) => Ok(bytes),
            _ => Err(access("the key is not a secret key")),
        }
    }

    pub(super) fn into_object<'js>(self, ctx: &Ctx<'js>) -> Outcome<'js> {
        let algorithm = Object::new(ctx.clone())?;
        algorithm.set("name", self.algorithm.name)?;
        if let Some(curve) = self.algorithm.curve {
            algorithm.set("namedCurve", curve.name())?;
        }
        if let Some(bits) = self.algorithm.modulus_bits {
            algorithm.set("modulusLength", bits)?;
        }
        if let Some(hash) = self.algorithm.hash {
            let inner = Object::new(ctx.clone())?;
            inner.set("name", name_of_hash(hash))?;
            algorithm.set("hash", inner)?;
        }
        if let Some(bits) = self.algorithm.length_bits {
            algorithm.set("length", bits as f64)?;
        }
        let (kind, is_extractable) = (self.kind(), self.is_extractable);
        let usages = self.usages.clone();
        let object = class::new(ctx, self)?;
        object.set("type", kind)?;
        object.set("extractable", is_extractable)?;
        object.set("algorithm", algorithm)?;
        object.set("usages", usages)?;
        Ok(object.into_value())
    }
}

/// The list of usages, the last argument of operations that make keys.
pub(super) fn usages(value: &Value<'_>, index: usize) -> Result<Vec<String>, Failure> {
    if value.is_undefined() || value.is_null() {
        return Ok(Vec::new());
    }
    let Some(array) = value.as_array() else {
        let shown = convert::to_text(value)?;
        return Err(Failure::Thrown(Throw::Type(format!(
            "could not convert function call parameter {index}: could not convert {shown} to []string"
        ))));
    };
    let texts = convert::items(array)?;
    Ok(texts
        .iter()
        .map(convert::to_text)
        .collect::<Result<_, _>>()?)
}

/// Secret and private keys need at least one usage.
pub(super) fn check_not_empty(usages: &[String]) -> Result<(), Failure> {
    if usages.is_empty() {
        return Err(syntax(
            "usages cannot not be empty for a secret or private CryptoKey",
        ));
    }
    Ok(())
}

/// All usages must be supported by the algorithm. Only some of k6's messages name the unsupported one.
pub(super) fn check_usages(
    usages: &[String],
    allowed: &[&str],
    says_which: bool,
) -> Result<(), Failure> {
    match usages
        .iter()
        .find(|usage| !allowed.contains(&usage.as_str()))
    {
        Some(other) if says_which => Err(syntax(format!("invalid key usage: {other}"))),
        Some(_) => Err(syntax("invalid key usage")),
        None => Ok(()),
    }
}
