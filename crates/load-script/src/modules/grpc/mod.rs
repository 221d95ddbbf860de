//! `k6/net/grpc`.

mod client;
mod connect;
mod connect_params;
mod failure;
mod invoke;
mod load;
mod params;
mod response;
mod samples;
mod status;
mod stream;

use script_engine::class;
use script_engine::native::{constructor, constructor_or_function, method};
use script_engine::throw::Throw;
use script_engine::{Ctx, Object};

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<client::Client>(ctx)?;
    method(&prototype, c"load", load::load)?;
    method(&prototype, c"loadProtoset", load::load_protoset)?;
    method(&prototype, c"connect", connect::connect)?;
    method(&prototype, c"invoke", invoke::invoke)?;
    method(&prototype, c"asyncInvoke", invoke::async_invoke)?;
    method(&prototype, c"healthCheck", invoke::health_check)?;
    method(&prototype, c"close", client::close)?;
    status::keep(&prototype)?;
    // As in k6, it needs no `new`.
    constructor_or_function(&exports, c"Client", client::construct, &prototype)?;
    let streams = class::prototype::<stream::Stream>(ctx)?;
    constructor(&exports, c"Stream", stream::construct, &streams)?;
    status::export(&exports, &prototype)?;
    Ok(exports)
}
