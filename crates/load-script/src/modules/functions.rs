//! `Function.prototype.toString`, which gives the text of a script's functions, as k6's engine does.

use script_engine::Ctx;
use script_engine::convert;
use script_engine::function_text;
use script_engine::native::{Call, Shape, function};
use script_engine::throw::{Outcome, Throw};

use crate::vu::state::Caller;

/// The end of the engine's text of a native function, and k6's.
const NATIVE: [&str; 2] = ["() {\n    [native code]\n}", "() { [native code] }"];

pub(super) fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    function_text::replace(ctx, function(ctx, to_string, c"toString", Shape::Function)?)
}

/// `f.toString()`
fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = call.this();
    if !function.is_object() {
        let shown = convert::to_text(&function).unwrap_or_default();
        return Err(Throw::Type(format!("Value is not an object: {shown}")));
    }
    if !function.is_function() {
        let why = "Function.prototype.toString requires that 'this' be a Function";
        return Err(Throw::Type(why.to_owned()));
    }
    let [engines, own] = NATIVE;
    if function_text::is_proxy(&function) {
        return call.string(&format!("function {own}"));
    }
    if let Some((file, line, column)) = function_text::place(&function)
        && let Some(text) = call.vu().script.function_text(&file, line, column)
    {
        return call.string(&text);
    }
    let text = function_text::engines(&function)?;
    match convert::to_text(&text)?.strip_suffix(engines) {
        Some(before) => call.string(&format!("{before}{own}")),
        None => Ok(text),
    }
}
