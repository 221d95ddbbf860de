//! `k6/html`: pages, selections and elements as script objects.

mod attribute;
mod element;
mod selection;

use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object};

pub(super) use selection::object as selection_object;

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"parseHTML", parse_html)?;
    Ok(exports)
}

fn parse_html<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let source = call
        .given(0)
        .map_or(Ok(String::new()), |source| convert::to_text(&source))?;
    selection_object(
        call.ctx,
        script_formats::html::Selection::parse(&source),
        "",
    )
}
