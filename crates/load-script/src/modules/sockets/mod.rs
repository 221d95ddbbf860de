//! WebSockets: `k6/ws` with callbacks, `k6/websockets` as browsers have them.

mod blob;
mod callback;
mod events;
mod request;
mod samples;
mod standard;

use rquickjs::{Ctx, Object};

use crate::js::class;
use crate::js::native::{Throw, constructor, method};

/// `k6/ws`
pub(super) fn build_callback<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"connect", callback::connect)?;
    Ok(exports)
}

/// `k6/websockets`
pub(super) fn build_standard<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<standard::WebSocket>(ctx)?;
    constructor(&exports, c"WebSocket", standard::construct, &prototype)?;
    let prototype = class::prototype::<blob::Blob>(ctx)?;
    constructor(&exports, c"Blob", blob::construct, &prototype)?;
    Ok(exports)
}
