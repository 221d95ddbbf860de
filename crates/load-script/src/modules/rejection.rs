//! Rejection values of newer modules: as in k6, Go errors with the method `error`, not `Error`s.

use std::ffi::CStr;

use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::native::{Call, Shape, function, method};
use script_engine::own_methods;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object};

/// The text of such an object.
struct Rejection(String);

/// The text of a rejection that is itself text-like, to which the methods of strings apply.
struct TextRejection(String);

impl Class for Rejection {
    const NAME: &'static CStr = c"Rejection";

    fn exotic() -> Exotic {
        own_methods::as_defined()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"error", to_string)?;
        hidden(prototype, c"toString")
    }
}

impl Class for TextRejection {
    const NAME: &'static CStr = c"TextRejection";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        let strings: Object<'_> = prototype.ctx().globals().get("String")?;
        let strings: Object<'_> = strings.get("prototype")?;
        prototype.set_prototype(Some(&strings))?;
        for name in [c"toString", c"toJSON", c"valueOf"] {
            hidden(prototype, name)?;
        }
        Ok(())
    }
}

fn hidden(prototype: &Object<'_>, name: &CStr) -> script_engine::Result<()> {
    let text = function(prototype.ctx(), to_string, name, Shape::Function)?;
    define(prototype, name, text.into_value(), Visible::No)
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

/// A text that is an error.
pub(super) fn textual<'js>(ctx: &Ctx<'js>, message: &str) -> Result<Object<'js>, Throw> {
    let object = class::new(ctx, TextRejection(message.to_owned()))?;
    method(&object, c"error", to_string)?;
    Ok(object)
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let text = class::of::<Rejection>(&this).map(|rejection| &rejection.0);
    let text = text.or_else(|| class::of::<TextRejection>(&this).map(|rejection| &rejection.0));
    call.string(text.map_or("[object Object]", String::as_str))
}
