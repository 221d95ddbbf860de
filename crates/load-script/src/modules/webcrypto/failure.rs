//! Failures of `crypto.subtle`: as in k6, promises are rejected with objects with a name and a message that are
//! not `Error`s.

use script_engine::convert;
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Value};

use crate::modules::rejection;

/// The error of an operation.
#[derive(Debug)]
pub(super) enum Failure {
    /// Thrown at once, without a promise.
    Thrown(Throw),
    /// Rejected with a name and a message.
    Named(&'static str, String),
    /// Rejected with an object that has only a text.
    Nameless(String),
}

impl Failure {
    pub(super) fn named(name: &'static str, message: impl Into<String>) -> Self {
        Self::Named(name, message.into())
    }

    pub(super) fn nameless(message: impl Into<String>) -> Self {
        Self::Nameless(message.into())
    }

    /// The rejection value of the promise.
    pub(super) fn into_value<'js>(self, ctx: &Ctx<'js>) -> Outcome<'js> {
        match self {
            Self::Thrown(throw) => Err(throw),
            Self::Named(name, message) => rejection::named(ctx, name, &message),
            Self::Nameless(message) => rejection::nameless(ctx, &message),
        }
    }
}

pub(super) fn syntax(message: impl Into<String>) -> Failure {
    Failure::named("SyntaxError", message)
}

pub(super) fn operation(message: impl Into<String>) -> Failure {
    Failure::named("OperationError", message)
}

pub(super) fn access(message: impl Into<String>) -> Failure {
    Failure::named("InvalidAccessError", message)
}

pub(super) fn data(message: impl Into<String>) -> Failure {
    Failure::named("DataError", message)
}

pub(super) fn unsupported(message: impl Into<String>) -> Failure {
    Failure::named("NotSupportedError", message)
}

/// The bytes of a buffer argument.
pub(super) fn buffer(value: &Value<'_>) -> Result<Vec<u8>, Failure> {
    if value.is_undefined() || value.is_null() {
        return Err(Failure::named("TypeError", "data is null or undefined"));
    }
    convert::buffer_bytes(value)
        .ok_or_else(|| operation("data is neither an ArrayBuffer, nor a TypedArray nor DataView"))
}
