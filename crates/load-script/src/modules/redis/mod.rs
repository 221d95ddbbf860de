//! `k6/x/redis`, which k6 1.x calls `k6/experimental/redis`.

mod arguments;
mod client;
mod commands;
mod dial;
mod node_options;
mod options;
mod place;
mod reply;
mod settings;
mod url;

use script_engine::class;
use script_engine::native::{constructor_or_function, method, numbered_method};
use script_engine::throw::Throw;
use script_engine::{Ctx, Object};

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<client::Client>(ctx)?;
    for (number, command) in (0..).zip(commands::ALL) {
        numbered_method(&prototype, command.method, client::command, number)?;
    }
    method(&prototype, c"sendCommand", client::send_command)?;
    method(&prototype, c"isConnected", client::is_connected)?;
    // As in k6, it needs no `new`.
    constructor_or_function(&exports, c"Client", client::construct, &prototype)?;
    Ok(exports)
}
