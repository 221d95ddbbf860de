//! `client.invoke`, `client.asyncInvoke` and `client.healthCheck`: one request message, one response message.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use grpc_client::call::{self, Head, Reply, Unbegun};
use grpc_client::json;
use grpc_client::schema::{Message, Schema};
use script_engine::Value;
use script_engine::convert;
use script_engine::fiber;
use script_engine::native::Call;
use script_engine::promise::Deferred;
use script_engine::throw::{Outcome, Throw, plain};

use super::client::{self, Link, Method};
use super::params::{Params, TIMEOUT};
use super::response;
use super::samples::Samples;
use crate::modules::{rejection, tags};
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The interface of `grpc.health.v1`, which clients need not load.
const HEALTH: &str = "syntax = \"proto3\"; package grpc.health.v1;\n\
    message HealthCheckRequest { string service = 1; }\n\
    message HealthCheckResponse {\n\
      enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }\n\
      ServingStatus status = 1;\n\
    }\n\
    service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }";

/// The method to call, and the connection for the call.
struct Target {
    link: Link,
    method: Rc<Method>,
}

/// A call that is ready to be sent.
struct Prepared {
    link: Link,
    method: Rc<Method>,
    head: Head,
    message: Vec<u8>,
    samples: Samples,
    discards_message: bool,
}

/// The outcome of a call.
struct Finished {
    reply: Reply,
    method: Rc<Method>,
    discards_message: bool,
}

/// `client.invoke(method, request, params)`
pub(super) fn invoke<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let prepared = Box::new(prepare(call)?);
    wait(call, prepared)
}

/// `client.asyncInvoke(method, request, params)`
pub(super) fn async_invoke<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let prepared = prepare(call);
    let (promise, deferred) = Deferred::new(call.ctx)?;
    let vu = call.vu();
    match prepared {
        Err(Throw::Plain(why)) => vu.events.start(async move {
            let event: Event =
                Box::new(move |ctx| deferred.reject(ctx, rejection::nameless(ctx, &why)?));
            event
        }),
        Err(throw) => return Err(throw),
        Ok(prepared) => {
            let prepared = Box::new(prepared);
            let work = fiber::apart(|| perform(prepared));
            vu.events.start(async move {
                let finished = work.await;
                let event: Event = Box::new(move |ctx| {
                    let outcome = finished.response(ctx);
                    deferred.settle(ctx, outcome)
                });
                event
            });
        }
    }
    Ok(promise)
}

/// `client.healthCheck(service)`
pub(super) fn health_check<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let client = client::this(call)?;
    require_vu(call)?;
    let link = client.link()?;
    let service = convert::go_string(&call.arg(0))?;
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let open = |_: &str| Ok(HEALTH.to_owned());
        let compiled = Schema::compile(Arc::new(open), &["health.proto".to_owned()]);
        compiled.expect("the interface of health checks compiles")
    });
    let path = "/grpc.health.v1.Health/Check";
    let descriptor = schema.method(path).expect("the interface has the method");
    let request = serde_json::json!({ "service": service }).to_string();
    let message = json::decode(&descriptor.input(), &request).map_err(plain)?;
    let method = Rc::new(Method {
        path: path.to_owned(),
        service: descriptor.parent_service().full_name().to_owned(),
        descriptor,
    });
    let params = Params::default();
    let target = Target { link, method };
    let prepared = Prepared::new(call, target, &params, message.encode_to_vec());
    wait(call, Box::new(prepared))
}

fn wait<'js>(call: &Call<'_, 'js>, prepared: Box<Prepared>) -> Outcome<'js> {
    let finished = call.vu().wait(fiber::apart(|| perform(prepared)))?;
    finished.response(call.ctx)
}

fn require_vu(call: &Call<'_, '_>) -> Result<(), Throw> {
    match call.vu().is_init() {
        true => Err(plain(
            "invoking RPC methods in the init context is not supported",
        )),
        false => Ok(()),
    }
}

fn prepare(call: &Call<'_, '_>) -> Result<Prepared, Throw> {
    let client = client::this(call)?;
    require_vu(call)?;
    let link = client.link()?;
    let name = convert::go_string(&call.arg(0))?;
    if name.is_empty() {
        return Err(plain("method to invoke cannot be empty"));
    }
    let method = client.method(&name)?;
    let request = call.arg(1);
    if request.is_undefined() {
        return Err(plain("request cannot be nil"));
    }
    let params = Params::read(&call.arg(2))
        .map_err(|throw| tags::about("invalid GRPC's client.invoke() parameters", throw))?;
    if request.is_null() {
        let why = "Cannot convert undefined or null to object";
        return Err(Throw::Type(why.to_owned()));
    }
    let message = encoded(&method, &request).map_err(|throw| {
        tags::about(
            "unable to serialise request object to protocol buffer",
            throw,
        )
    })?;
    let target = Target { link, method };
    Ok(Prepared::new(call, target, &params, message))
}

/// A request on the wire.
pub(super) fn encoded(method: &Method, request: &Value<'_>) -> Result<Vec<u8>, Throw> {
    let text = convert::to_json(request)?;
    let text = text.unwrap_or_else(|| "null".to_owned());
    let message = json::decode(&method.descriptor.input(), &text).map_err(plain)?;
    Ok(message.encode_to_vec())
}

impl Prepared {
    fn new(call: &Call<'_, '_>, target: Target, params: &Params, message: Vec<u8>) -> Self {
        let Target { link, method } = target;
        Self {
            samples: Samples::begin(call.vu(), &method, &link.address, &params.tags),
            head: Head {
                path: method.path.clone(),
                metadata: params.metadata.clone(),
                deadline: params.deadline(Some(TIMEOUT)),
            },
            link,
            method,
            message,
            discards_message: params.discards_message,
        }
    }
}

/// Sends the message and records the response. As in k6, a call that the client itself gave up has no sample.
async fn perform(prepared: Box<Prepared>) -> Finished {
    let Prepared {
        link,
        head,
        message,
        ..
    } = &*prepared;
    let called = call::unary(&link.channel, head, message).await;
    let is_counted = match &called {
        Ok(reply) => !reply.is_given_up,
        Err(Unbegun::Failed(_)) => true,
        Err(Unbegun::Metadata(_) | Unbegun::Late) => false,
    };
    let reply = called.unwrap_or_else(|unbegun| Reply {
        status: unbegun.into_status(),
        ..Reply::default()
    });
    if is_counted {
        prepared.samples.ended(reply.status.code);
    }
    Finished {
        reply,
        discards_message: prepared.discards_message,
        method: prepared.method,
    }
}

impl Finished {
    fn response<'js>(self, ctx: &script_engine::Ctx<'js>) -> Outcome<'js> {
        response::object(ctx, &self.method, self.reply, self.discards_message)
    }
}
