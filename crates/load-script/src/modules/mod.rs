//! The modules that scripts import from k6.

mod core;
mod crypto;
mod data;
mod encoding;
mod execution;
mod files;
pub(crate) mod globals;
mod html;
mod http;
mod metrics;
mod rejection;
pub(crate) mod require;
mod secrets;
mod sockets;
mod streams;
mod tables;
mod tags;
mod text;
mod timers;
mod webcrypto;
mod x509;

use rquickjs::{Ctx, Value};

use crate::js::isolate;
use crate::js::module;
use crate::js::native::{Outcome, Throw, plain};

/// The exports of the module `name` as an object; `None` when it is not one of k6's.
pub(crate) fn build<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Outcome<'js>> {
    if name != "k6" && !name.starts_with("k6/") {
        return None;
    }
    // One module under two names: its classes have one constructor each.
    let name = match name {
        "k6/experimental/websockets" => sockets::build_by_its_old_name(ctx),
        other => other,
    };
    // Script code, whose classes are a VU's own.
    if name == streams::NAME {
        return make(ctx, name);
    }
    // VUs share what they do not change: there are dozens of functions in a module.
    let exports = isolate::shared_data(ctx, name, || {
        make(ctx, name).map_or_else(|| Ok(Vec::new()), |exports| Ok(vec![exports?]))
    });
    match exports {
        Ok(mut exports) => exports.pop().map(Ok),
        Err(throw) => Some(Err(throw)),
    }
}

fn make<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Outcome<'js>> {
    let exports = match name {
        "k6" => core::build(ctx),
        "k6/http" => http::build(ctx),
        "k6/metrics" => metrics::build(ctx),
        "k6/execution" => execution::build(ctx),
        "k6/crypto" => crypto::build(ctx),
        "k6/crypto/x509" => x509::build(ctx),
        "k6/data" => data::build(ctx),
        "k6/encoding" => encoding::build(ctx),
        "k6/html" => html::build(ctx),
        "k6/ws" => sockets::build_callback(ctx),
        "k6/websockets" => sockets::build_standard(ctx),
        "k6/timers" => timers::build(ctx),
        "k6/secrets" => secrets::build(ctx),
        "k6/experimental/csv" => tables::build(ctx),
        "k6/experimental/streams" => streams::build(ctx),
        "k6/experimental/fs" => files::build(ctx),
        _ => return refuse(name).map(Err),
    };
    let exports = exports.map(rquickjs::Object::into_value);
    Some(exports.and_then(|exports| {
        module::note_exports(name, &exports)?;
        Ok(exports)
    }))
}

/// Why a module of k6's name space cannot be imported; of what k6 itself refuses, in its words.
fn refuse(name: &str) -> Option<Throw> {
    let why = match name {
        "k6/browser" | "k6/experimental/browser" => {
            "needs a browser, which sparring does not drive"
        }
        "k6/net/grpc" | "k6/experimental/grpc" => {
            "is not supported by sparring: it speaks HTTP and WebSocket, not gRPC"
        }
        "k6/experimental/webcrypto" => return Some(global(name, "graduated and it's")),
        "k6/experimental/timers" => return Some(global(name, "graduated, and it's")),
        "k6/experimental/tracing" => {
            return Some(plain(
                "k6/experimental/tracing has been removed. All of it functionality is available as pure JavaScript module. More info available at the docs: https://grafana.com/docs/k6/latest/javascript-api/jslib/http-instrumentation-tempo",
            ));
        }
        "k6/experimental/redis" => "was removed from k6",
        _ if name.starts_with("k6/x/") => "is a k6 extension; sparring has no extensions",
        _ if name == "k6" || name.starts_with("k6/") => {
            return Some(plain(format!("unknown module: {name}")));
        }
        _ => return None,
    };
    Some(plain(format!("unknown module \"{name}\": it {why}")))
}

/// What was a module and is a global now.
fn global(name: &str, how: &str) -> Throw {
    plain(format!(
        "{name} has been {how} now globally available as defined by standard WebAPIs. You just need to remove the import."
    ))
}

/// A value that is read each time a script asks.
pub(crate) fn undefined<'js>(ctx: &Ctx<'js>) -> Value<'js> {
    Value::new_undefined(ctx.clone())
}
