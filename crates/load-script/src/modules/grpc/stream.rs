//! `Stream`: messages in both directions, reported by events.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::fmt;
use std::rc::Rc;

use grpc_client::call::{self, Head, Incoming, Outgoing, Received};
use grpc_client::json::Unset;
use grpc_client::schema::DynamicMessage;
use grpc_client::status::{Status, code};
use load_engine::log::Level;
use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::fiber;
use script_engine::native::{Call, method};
use script_engine::own_methods;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Persistent, Value};

use super::client::{self, Method};
use super::invoke::encoded;
use super::params::Params;
use super::samples::Samples;
use super::{failure, response};
use crate::modules::tags;
use crate::vu::events::Event;
use crate::vu::state::{Caller, VuState, now, state};

/// The events that a script can listen to; as in k6, the last one never occurs.
const EVENTS: [&str; 4] = ["data", "error", "end", "status"];

/// The value of a stream object. Handlers are properties of the object, where the collector traces them.
pub(super) struct Stream(Rc<Running>);

struct Running {
    method: Rc<Method>,
    samples: Samples,
    discards_messages: bool,
    outgoing: RefCell<Option<Outgoing>>,
    /// `end()` was called: later writes are ignored.
    has_ended: Cell<bool>,
    /// The last event has been reported.
    is_over: Cell<bool>,
    /// Its number among the open connections of the VU.
    number: Cell<u64>,
    /// The first exception of a handler; the iteration ends with it.
    thrown: RefCell<Option<Persistent<Value<'static>>>>,
}

/// How a stream has ended.
struct Ending {
    status: Status,
    /// The client has ended the stream, so there is only a message.
    is_ours: bool,
}

impl Ending {
    /// The call has ended; `Canceled` comes only from the client.
    fn of(status: Status) -> Self {
        match status.code {
            code::CANCELED => Self::canceled(),
            _ => Self {
                status,
                is_ours: false,
            },
        }
    }

    fn ours(why: impl Into<String>) -> Self {
        Self {
            status: Status::new(code::UNKNOWN, why),
            is_ours: true,
        }
    }

    fn canceled() -> Self {
        Self::ours("canceled by client (k6)")
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_ours {
            true => f.write_str(&self.status.message),
            false => self.status.fmt(f),
        }
    }
}

impl Class for Stream {
    const NAME: &'static CStr = c"Stream";

    fn exotic() -> Exotic {
        own_methods::as_defined()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"on", on)?;
        method(prototype, c"write", write)?;
        method(prototype, c"end", end)
    }
}

/// `new Stream(client, method, params)`
pub(super) fn construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let about = |what: &'static str| {
        move |throw| tags::about(&format!("invalid GRPC Stream's {what}"), throw)
    };
    let client = match call.given(0) {
        None => Err(plain("empty gRPC client")),
        Some(value) => client::of(&value).ok_or_else(|| plain("not a gRPC client")),
    };
    let client = client.map_err(about("client"))?;
    let link = client.link().map_err(about("client"))?;
    let method = client.method(&call.text(1)?).map_err(about("method"))?;
    let params = Params::read(&call.arg(2)).map_err(about("parameters"))?;
    let head = Head {
        path: method.path.clone(),
        metadata: params.metadata.clone(),
        deadline: params.deadline(None),
    };
    let vu = call.vu();
    let samples = Samples::begin(vu, &method, &link.address, &params.tags);
    let begun = vu.wait(fiber::apart(|| call::begin(&link.channel, &head)))?;
    let (outgoing, incoming) = begun.map_err(|unbegun| {
        let status = unbegun.into_status();
        plain(format!("failed to create a new stream: {status}"))
    })?;
    samples.opened();
    let running = Rc::new(Running {
        method,
        samples,
        discards_messages: params.discards_message,
        outgoing: RefCell::new(Some(outgoing)),
        has_ended: Cell::new(false),
        is_over: Cell::new(false),
        number: Cell::default(),
        thrown: RefCell::default(),
    });
    let object = class::new(call.ctx, Stream(Rc::clone(&running)))?;
    let (stream, kept) = (
        Rc::clone(&running),
        Persistent::save(call.ctx, object.clone()),
    );
    let farewell: Event = Box::new(move |ctx| stream.leave(&kept.restore(ctx)?));
    running.number.set(vu.events.opened(farewell));
    running.listen(&object, incoming);
    Ok(object.into_value())
}

impl Running {
    /// Waits for the next event, on the event loop.
    fn listen(self: &Rc<Self>, object: &Object<'_>, mut incoming: Incoming) {
        let stream = Rc::clone(self);
        let kept = Persistent::save(object.ctx(), object.clone());
        let vu: &VuState = state(object.ctx());
        vu.events.start(async move {
            let received = incoming.next().await;
            let event: Event = Box::new(move |ctx| {
                let object = kept.restore(ctx)?;
                if stream.is_over.get() {
                    return Ok(());
                }
                match received {
                    Received::Message(bytes) => {
                        stream.take(&object, bytes)?;
                        stream.listen(&object, incoming);
                        Ok(())
                    }
                    Received::End(ended) => {
                        if !ended.is_given_up {
                            stream.samples.ended(ended.status.code);
                        }
                        stream.finish(&object, Ending::of(ended.status))
                    }
                }
            });
            event
        });
    }

    fn take(&self, object: &Object<'_>, bytes: grpc_client::schema::Bytes) -> Result<(), Throw> {
        self.samples.received();
        let ctx = object.ctx();
        let message = match self.discards_messages {
            true => Ok(Object::new(ctx.clone())?.into_value()),
            false => match DynamicMessage::decode(self.method.descriptor.output(), bytes) {
                Ok(message) => response::json_value(ctx, &message, Unset::Omitted),
                Err(error) => Err(plain(error.to_string())),
            },
        };
        match message {
            Ok(message) => match fire(object, "data", message) {
                Ok(_) => Ok(()),
                Err(throw) => self.give_up(object, throw),
            },
            Err(Throw::Plain(why)) => {
                let why = format!("grpc: failed to unmarshal the received message: {why}");
                self.finish(object, Ending::of(Status::new(code::INTERNAL, why)))
            }
            Err(throw) => Err(throw),
        }
    }

    /// Reports the end of the stream to the script.
    fn finish(&self, object: &Object<'_>, ending: Ending) -> Result<(), Throw> {
        let vu: &VuState = state(object.ctx());
        vu.events.closed(self.number.get());
        if self.is_over.replace(true) {
            return Ok(());
        }
        if let Some(mut outgoing) = self.outgoing.take() {
            match ending.status.is_ok() {
                true => outgoing.finish(),
                false => outgoing.cancel(),
            }
        }
        if !ending.status.is_ok() {
            self.tell_error(object, &ending)?;
        }
        self.tell_end(object)?;
        self.rethrow(object)
    }

    /// Ends the stream and the iteration after an exception of a message handler.
    fn give_up(&self, object: &Object<'_>, throw: Throw) -> Result<(), Throw> {
        let text = self.note(object, throw)?;
        self.is_over.set(true);
        self.tell_error(object, &Ending::ours(text))?;
        self.tell_end(object)?;
        self.rethrow(object)
    }

    /// Cancels a stream that outlives its iteration. As in k6, an abandoned stream is cancelled after its end was
    /// reported.
    fn leave(&self, object: &Object<'_>) -> Result<(), Throw> {
        let was_over = self.is_over.replace(true);
        if let Some(mut outgoing) = self.outgoing.take() {
            outgoing.cancel();
        }
        if state(object.ctx()).is_interrupted() {
            return Ok(());
        }
        self.tell_error(object, &Ending::canceled())?;
        match was_over {
            true => Ok(()),
            false => self.tell_end(object),
        }
    }

    /// Ends the iteration with the exception of a handler, if there was one.
    fn rethrow(&self, object: &Object<'_>) -> Result<(), Throw> {
        let ctx = object.ctx();
        match self.thrown.take() {
            Some(thrown) => Err(Throw::Engine(ctx.throw(thrown.restore(ctx)?))),
            None => Ok(()),
        }
    }

    fn tell_end(&self, object: &Object<'_>) -> Result<(), Throw> {
        let nothing = Object::new(object.ctx().clone())?.into_value();
        match fire(object, "end", nothing) {
            Ok(_) => Ok(()),
            Err(throw) => self.note(object, throw).map(drop),
        }
    }

    /// Calls the error handlers; without any, the error is logged.
    fn tell_error(&self, object: &Object<'_>, ending: &Ending) -> Result<(), Throw> {
        let error = failure::of_stream(object.ctx(), &self.method, &ending.status)?;
        match fire(object, "error", error) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let message =
                    format!("no handlers for error registered, but an error happened: {ending}");
                self.warn(object, &message);
                Ok(())
            }
            Err(throw) => self.note(object, throw).map(drop),
        }
    }

    /// Stores an exception, if it is the first, and returns its text.
    fn note(&self, object: &Object<'_>, throw: Throw) -> Result<String, Throw> {
        if matches!(throw, Throw::Interrupted) {
            return Err(throw);
        }
        let ctx = object.ctx();
        script_engine::raise::raise(ctx, throw);
        let Ok(error) = script_engine::exception::take(ctx) else {
            return Err(Throw::Interrupted);
        };
        let text = script_engine::exception::describe(&error).replace("\n\t", " ");
        let mut thrown = self.thrown.borrow_mut();
        if thrown.is_none() {
            *thrown = Some(Persistent::save(ctx, error));
        }
        Ok(text.trim_end().to_owned())
    }

    fn warn(&self, object: &Object<'_>, message: &str) {
        let vu: &VuState = state(object.ctx());
        let fields = [("streamMethod", self.method.path.as_str())];
        vu.logger.log(Level::Warn, message, &fields);
    }

    /// Reports the failure of the stream to the script, on the event loop.
    fn fail_soon(self: &Rc<Self>, object: &Object<'_>, ending: Ending) {
        let stream = Rc::clone(self);
        let kept = Persistent::save(object.ctx(), object.clone());
        let vu: &VuState = state(object.ctx());
        vu.events.start(async move {
            let event: Event = Box::new(move |ctx| stream.finish(&kept.restore(ctx)?, ending));
            event
        });
    }
}

fn handlers_key(kind: &str) -> String {
    format!("\x01on:{kind}")
}

/// Calls the handlers of an event; false if there are none.
fn fire<'js>(object: &Object<'js>, kind: &str, value: Value<'js>) -> Result<bool, Throw> {
    let ctx = object.ctx();
    let handlers = object.get::<_, Option<Array<'js>>>(handlers_key(kind))?;
    let Some(handlers) = handlers else {
        return Ok(false);
    };
    let about = Object::new(ctx.clone())?;
    // Whole seconds, as in k6.
    about.set("ts", (now().0 / 1_000_000_000) as f64)?;
    for handler in convert::items(&handlers)?
        .iter()
        .filter_map(convert::function)
    {
        handler.call::<_, Value<'js>>((value.clone(), about.clone()))?;
    }
    Ok(true)
}

fn this(call: &Call<'_, '_>) -> Result<Rc<Running>, Throw> {
    class::of::<Stream>(&call.this())
        .map(|stream| Rc::clone(&stream.0))
        .ok_or_else(|| Throw::Type("this is not a gRPC stream".to_owned()))
}

/// `stream.on(event, handler)`
fn on<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    this(call)?;
    let kind = convert::go_string(&call.arg(0))?;
    let value = call.arg(1);
    if value.is_undefined() || value.is_null() {
        return Err(plain(format!(
            "handler for {kind:?} event isn't a callable function"
        )));
    }
    let Some(handler) = convert::function(&value) else {
        let shown = convert::to_text(&value)?;
        return Err(Throw::Type(format!(
            "could not convert function call parameter 1: could not convert {shown} to func(sobek.Value, sobek.Value) (sobek.Value, error)"
        )));
    };
    if !EVENTS.contains(&kind.as_str()) {
        call.vu().logger.warn(&format!(
            "can't register {kind} event handler: unknown GRPC stream's event type: {kind}"
        ));
        return Ok(call.undefined());
    }
    let object = Object::from_value(call.this())?;
    let key = handlers_key(&kind);
    let known = object.get::<_, Option<Array<'js>>>(key.as_str())?;
    let handlers = match known {
        Some(handlers) => handlers,
        None => Array::new(call.ctx.clone())?,
    };
    handlers.set(handlers.len(), handler)?;
    let key = CString::new(key).unwrap_or_default();
    define(&object, &key, handlers.into_value(), Visible::No)?;
    Ok(call.undefined())
}

/// `stream.write(message)`
fn write<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let stream = this(call)?;
    if stream.has_ended.get() || stream.is_over.get() {
        return Ok(call.undefined());
    }
    let object = Object::from_value(call.this())?;
    let Some(request) = call.given(0) else {
        stream.warn(&object, "can't send empty message");
        return Ok(call.undefined());
    };
    let sent = match encoded(&stream.method, &request) {
        Ok(bytes) => stream.send(&bytes).map_err(Ending::of),
        Err(Throw::Plain(why)) => {
            let why = format!("can't serialise request object to protocol buffer: {why}");
            Err(Ending::ours(why))
        }
        Err(throw) => return Err(throw),
    };
    if let Err(ending) = sent {
        stream.fail_soon(&object, ending);
    }
    Ok(call.undefined())
}

impl Running {
    fn send(&self, bytes: &[u8]) -> Result<(), Status> {
        let mut outgoing = self.outgoing.borrow_mut();
        let Some(outgoing) = outgoing.as_mut() else {
            return Ok(());
        };
        if let Err(status) = outgoing.send(bytes) {
            self.samples.ended(status.code);
            return Err(status);
        }
        self.samples.sent();
        // A method without client streaming takes no further message.
        if !self.method.descriptor.is_client_streaming() {
            outgoing.finish();
        }
        Ok(())
    }
}

/// `stream.end()`
fn end<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let stream = this(call)?;
    if !stream.has_ended.replace(true)
        && let Some(outgoing) = stream.outgoing.borrow_mut().as_mut()
    {
        outgoing.finish();
    }
    Ok(call.undefined())
}
