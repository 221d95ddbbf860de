//! `JSON.parse`, which reports syntax errors in the words of k6's engine.

use script_engine::convert;
use script_engine::exception;
use script_engine::json;
use script_engine::native::{Call, Shape, function};
use script_engine::property::define_length;
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Exception, Object};
use script_formats::go_json;

pub(super) fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let own = function(ctx, parse, c"parse", Shape::Function)?;
    define_length(&own, 2)?;
    json::replace_parse(ctx, own)
}

/// `JSON.parse(text, reviver)`
fn parse<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let ctx = call.ctx;
    let mut text = call.arg(0);
    // The engine refuses a symbol.
    if !text.is_string() && !text.is_symbol() {
        text = convert::string(ctx, &convert::to_text(&text)?)?;
    }
    let parsed = json::parse(ctx, &text, &call.arg(1));
    let Err(Throw::Engine(_)) = parsed else {
        return parsed;
    };
    let error = exception::take(ctx).map_err(|_| Throw::Interrupted)?;
    let name = error
        .as_object()
        .and_then(|error: &Object<'_>| error.get("name").ok());
    if name.is_some_and(|name: String| name == "SyntaxError")
        && let Some(why) = go_json::token_error(convert::to_text(&text)?.as_bytes())
    {
        return Err(Exception::throw_syntax(ctx, &why).into());
    }
    Err(Throw::Engine(ctx.throw(error)))
}
