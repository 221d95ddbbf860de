//! Rejection values of newer modules: as in k6, objects with a name and a message that are not `Error`s.

use std::ffi::CStr;

use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::Outcome;
use script_engine::{Ctx, Object};

/// The text of such an object.
struct Rejection(String);

impl Class for Rejection {
    const NAME: &'static CStr = c"Rejection";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        let text = function(prototype.ctx(), to_string, c"toString", Shape::Function)?;
        define(prototype, c"toString", text.into_value(), Visible::No)
    }
}

/// An object with a name and a message; its text is `name: message`.
pub(super) fn named<'js>(ctx: &Ctx<'js>, name: &str, message: &str) -> Outcome<'js> {
    let object = class::new(ctx, Rejection(format!("{name}: {message}")))?;
    let name = convert::string(ctx, name)?;
    define(&object, c"name", name, Visible::Yes)?;
    let message = convert::string(ctx, message)?;
    define(&object, c"message", message, Visible::Yes)?;
    Ok(object.into_value())
}

/// An object with only a text.
pub(super) fn nameless<'js>(ctx: &Ctx<'js>, message: &str) -> Outcome<'js> {
    let object = class::new(ctx, Rejection(message.to_owned()))?;
    Ok(object.into_value())
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match class::of::<Rejection>(&call.this()) {
        Some(rejection) => call.string(&rejection.0),
        None => call.string("[object Object]"),
    }
}
