//! WebSockets: `k6/ws` with callbacks, `k6/websockets` as browsers have them.

mod blob;
mod callback;
mod events;
mod handlers;
mod messages;
mod request;
mod samples;
mod standard;

use script_engine::class;
use script_engine::native::{constructor, constructor_or_function, method};
use script_engine::throw::Throw;
use script_engine::{Ctx, Object};

use crate::vu::state::state;

/// `k6/ws`
pub(super) fn build_callback<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"connect", callback::connect)?;
    Ok(exports)
}

/// The name of `k6/experimental/websockets`, which is deprecated.
pub(super) fn build_by_its_old_name(ctx: &Ctx<'_>) -> &'static str {
    let vu = state(ctx);
    vu.script.warn_once(
        &vu.logger,
        "k6/experimental/websockets is deprecated and will be removed in a future release. Please use k6/websockets instead.",
    );
    "k6/websockets"
}

/// `k6/websockets`
pub(super) fn build_standard<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<standard::WebSocket>(ctx)?;
    // As in k6, it needs no `new`.
    constructor_or_function(&exports, c"WebSocket", standard::construct, &prototype)?;
    let prototype = class::prototype::<blob::Blob>(ctx)?;
    constructor(&exports, c"Blob", blob::construct, &prototype)?;
    Ok(exports)
}
