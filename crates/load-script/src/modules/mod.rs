//! The modules that scripts import from k6.

mod browser;
pub(crate) mod calls;
mod collation;
mod core;
mod crypto;
mod data;
mod dates;
mod encoding;
mod execution;
mod files;
mod functions;
pub(crate) mod globals;
mod grpc;
mod html;
mod http;
mod json;
mod metrics;
mod redis;
mod refusal;
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

use script_engine::isolate;
use script_engine::module;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Value};

/// The exports of the module `name` as an object; `None` when it is not one of k6's.
pub(crate) fn build<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Outcome<'js>> {
    if name != "k6" && !name.starts_with("k6/") {
        return None;
    }
    // One module with two names: each of its classes has one constructor.
    let name = match name {
        "k6/experimental/websockets" => sockets::build_by_its_old_name(ctx),
        "k6/experimental/redis" => "k6/x/redis",
        other => other,
    };
    // Script code, whose classes belong to a VU.
    if name == streams::NAME {
        return make(ctx, name);
    }
    // VUs share the objects that they do not change: a module has dozens of functions.
    let exports = isolate::shared_data(ctx, name, || {
        make(ctx, name).map_or_else(|| Ok(Vec::new()), |exports| Ok(vec![exports?]))
    });
    match exports {
        Ok(mut exports) => exports.pop().map(Ok),
        Err(throw) => Some(Err(throw)),
    }
}

/// Whether names that this module lacks are `null`: in k6 this depends on the implementation of a module: only
/// one that is a single object yields `undefined`, like CommonJS modules.
pub(crate) fn gives_null(name: &str) -> bool {
    let is_one_object = matches!(
        name,
        "k6/http" | "k6/execution" | "k6/html" | "k6/ws" | "k6/browser"
    );
    (name == "k6" || name.starts_with("k6/")) && !is_one_object
}

fn make<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Outcome<'js>> {
    let exports = match name {
        "k6" => core::build(ctx),
        "k6/browser" => browser::build(ctx),
        "k6/http" => http::build(ctx),
        "k6/metrics" => metrics::build(ctx),
        "k6/net/grpc" => grpc::build(ctx),
        "k6/x/redis" => redis::build(ctx),
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
    let exports = exports.map(script_engine::Object::into_value);
    Some(exports.and_then(|exports| {
        module::note_exports(name, &exports)?;
        Ok(exports)
    }))
}

/// The reason why a module in k6's name space cannot be imported; in k6's words if k6 refuses it too.
fn refuse(name: &str) -> Option<Throw> {
    let why = match name {
        "k6/experimental/browser" => {
            "has graduated to k6/browser, which needs a browser: sparring drives none. Run this script with k6, or \
             move what needs no browser to a script of its own"
        }
        "k6/experimental/grpc" => {
            return Some(plain(
                "k6/experimental/grpc has been graduated, please use k6/net/grpc instead. See https://grafana.com/docs/k6/latest/javascript-api/k6-net-grpc/ for more information.",
            ));
        }
        "k6/experimental/webcrypto" => return Some(global(name, "graduated and it's")),
        "k6/experimental/timers" => return Some(global(name, "graduated, and it's")),
        "k6/experimental/tracing" => {
            return Some(plain(
                "k6/experimental/tracing has been removed. All of it functionality is available as pure JavaScript module. More info available at the docs: https://grafana.com/docs/k6/latest/javascript-api/jslib/http-instrumentation-tempo",
            ));
        }
        _ if name.starts_with("k6/x/") => {
            "is an extension of k6, which is part of a k6 that was built with it; sparring has only k6/x/redis. Run \
             this script with such a k6 (k6 2.x fetches well-known ones itself; otherwise: xk6 build), or use what k6 \
             has without it"
        }
        _ if name == "k6" || name.starts_with("k6/") => {
            return Some(plain(format!("unknown module: {name}")));
        }
        _ => return None,
    };
    Some(plain(format!("unknown module \"{name}\": it {why}")))
}

/// The global that replaced a former module.
fn global(name: &str, how: &str) -> Throw {
    plain(format!(
        "{name} has been {how} now globally available as defined by standard WebAPIs. You just need to remove the import."
    ))
}

/// An accessor whose value is computed on each access.
pub(crate) fn undefined<'js>(ctx: &Ctx<'js>) -> Value<'js> {
    Value::new_undefined(ctx.clone())
}
