//! `ws.connect`: the VU waits until the socket is closed; meanwhile it calls the script's handlers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::rc::Rc;
use std::time::Duration;

use http_client::reply::Reply;
use http_client::upgrade::{Incoming, Link, Refusal, open};
use http_client::websocket::{self, Event};
use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::fiber::{self, Cancelled};
use script_engine::native::{Call, method};
use script_engine::own_methods;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Function, Object, Value};
use tokio::time::{Instant, sleep_until};

use super::events::Closing;
use super::request::{self, Params, Unknown};
use super::samples::Samples;
use crate::modules::timers;
use crate::vu::state::Caller;

const GOING_AWAY: u16 = 1001;
/// The time limit for writing the last frames.
const LINGER: Duration = Duration::from_secs(10);

/// The value of a socket object.
struct Socket(Rc<Session>);

struct Session {
    link: Link,
    samples: Samples,
    is_closed: Cell<bool>,
    timers: RefCell<BTreeMap<(Instant, u64), Option<Duration>>>,
    last_timer: Cell<u64>,
}

impl Class for Socket {
    const NAME: &'static CStr = c"Socket";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"on", on)?;
        method(prototype, c"send", send)?;
        method(prototype, c"sendBinary", send_binary)?;
        method(prototype, c"ping", ping)?;
        method(prototype, c"setTimeout", set_timeout)?;
        method(prototype, c"setInterval", set_interval)?;
        method(prototype, c"close", close)
    }
}

/// `ws.connect(url, params, callback)`
pub(super) fn connect<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain(
            "using websockets in the init context is not supported",
        ));
    }
    if call.count() < 2 {
        return Err(plain("invalid number of arguments to ws.connect"));
    }
    let (params, callback) = if call.count() == 2 {
        (call.undefined(), call.arg(1))
    } else {
        (call.arg(1), call.arg(2))
    };
    let callback = convert::function(&callback)
        .ok_or_else(|| plain("last argument to ws.connect must be a function"))?;
    let text = call.text(0)?;
    let about = "invalid ws.connect() metric tags";
    let params = Params::read(vu, &params, about, Unknown::Ignored)?;
    let samples = params.samples(vu, &text);
    let Some(url) = request::http_url(&text) else {
        samples.connected(None);
        return refused(call, "malformed ws or wss URL".to_owned());
    };
    let opening = params.opening(vu, url.clone(), &[]);
    match vu.wait(fiber::apart(|| open(&vu.client, opening)))? {
        Ok(link) => {
            request::keep_cookies(&params.jar, &url, &link.reply);
            samples.connected(Some(&link.reply));
            let response = response(call.ctx, &text, "", Some(&link.reply))?;
            run(call, link, samples, &callback)?;
            Ok(response)
        }
        Err(Refusal::Answered(reply)) => {
            samples.connected(Some(&reply));
            response(call.ctx, "", "", Some(&reply))
        }
        Err(Refusal::Failed(why)) => {
            samples.connected(None);
            refused(call, why)
        }
    }
}

fn refused<'js>(call: &Call<'_, 'js>, why: String) -> Outcome<'js> {
    if call.vu().run.options().throw.unwrap_or(false) {
        return Err(plain(why));
    }
    response(call.ctx, "", &why, None)
}

fn response<'js>(ctx: &Ctx<'js>, url: &str, error: &str, reply: Option<&Reply>) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    object.set("url", url)?;
    object.set("status", reply.map_or(0, |reply| reply.status))?;
    let headers = Object::new(ctx.clone())?;
    for (name, value) in reply.map(Reply::headers).into_iter().flatten() {
        headers.set(name, value)?;
    }
    object.set("headers", headers)?;
    let body = reply.and_then(|reply| reply.body.as_deref());
    object.set("body", convert::string_of_bytes(ctx, body.unwrap_or(&[]))?)?;
    object.set("error", error)?;
    Ok(object.into_value())
}

/// Runs the session to its end. An exception of the script ends it too.
fn run<'js>(
    call: &Call<'_, 'js>,
    link: Link,
    samples: Samples,
    callback: &Function<'js>,
) -> Result<(), Throw> {
    let session = Rc::new(Session {
        link,
        samples,
        is_closed: Cell::new(false),
        timers: RefCell::default(),
        last_timer: Cell::default(),
    });
    let socket = class::new(call.ctx, Socket(Rc::clone(&session)))?;
    let outcome = session.serve(call, &socket, callback);
    let outcome = match outcome {
        Err(Throw::Interrupted) => Err(Throw::Interrupted),
        Err(throw) => {
            // The script's exception is set aside while its close handlers run.
            script_engine::raise::raise(call.ctx, throw);
            let error = call.ctx.catch();
            session.close(&socket, GOING_AWAY)?;
            Err(Throw::Engine(call.ctx.throw(error)))
        }
        Ok(()) => Ok(()),
    };
    let flushed = tokio::time::timeout(LINGER, session.link.flush());
    if call.vu().wait(flushed).is_err() {
        session.link.write_now();
    }
    session.samples.ended();
    outcome
}

impl Session {
    fn serve<'js>(
        &self,
        call: &Call<'_, 'js>,
        socket: &Object<'js>,
        callback: &Function<'js>,
    ) -> Result<(), Throw> {
        callback.call::<_, Value<'js>>((socket.clone(),))?;
        emit(socket, "open", None)?;
        while !self.is_closed.get() {
            let due = self.timers.borrow().keys().next().copied();
            let next = async {
                match due {
                    Some((at, _)) => tokio::select! {
                        biased;
                        incoming = self.link.next() => Some(incoming),
                        () = sleep_until(at) => None,
                    },
                    None => Some(self.link.next().await),
                }
            };
            match call.vu().wait(next) {
                Ok(Some(incoming)) => self.take(call.ctx, socket, incoming)?,
                Ok(None) => self.fire(socket)?,
                Err(Cancelled) => {
                    // The handlers can still log; whatever waits in them ends at once.
                    if self.close(socket, GOING_AWAY).is_err() {
                        drop(call.ctx.catch());
                    }
                    return Err(Throw::Interrupted);
                }
            }
        }
        Ok(())
    }

    fn take<'js>(
        &self,
        ctx: &Ctx<'js>,
        socket: &Object<'js>,
        incoming: Incoming,
    ) -> Result<(), Throw> {
        match incoming {
            Incoming::Event(Event::Text(text)) => {
                self.samples.heard(&text);
                emit(socket, "message", Some(convert::string(ctx, &text)?))
            }
            Incoming::Event(Event::Binary(bytes)) => {
                self.samples.received();
                let buffer = convert::array_buffer(ctx, bytes)?;
                emit(socket, "binaryMessage", Some(buffer))
            }
            Incoming::Event(Event::Ping(payload)) => {
                self.link.send(&websocket::pong(&payload, rand::random()));
                emit(socket, "ping", None)
            }
            Incoming::Event(Event::Pong(payload)) => {
                self.samples.pong(&payload);
                emit(socket, "pong", None)
            }
            Incoming::Event(Event::Close { code, reason }) => {
                let shown = code.unwrap_or(1005);
                if shown != 1000 && shown != GOING_AWAY {
                    let text = super::events::close_text(shown, &reason);
                    let closing = Closing {
                        code: shown,
                        reason: &reason,
                    };
                    self.fail(ctx, socket, &text, Some(closing))?;
                }
                self.close(socket, shown)
            }
            Incoming::Broken(_) => {
                self.fail(ctx, socket, "websocket: close sent", None)?;
                self.close(socket, GOING_AWAY)
            }
            Incoming::Gone(text) => {
                self.fail(ctx, socket, &text, None)?;
                self.close(socket, 1006)
            }
        }
    }

    /// Reports an error to the script: its text, and the close frame that caused it.
    fn fail<'js>(
        &self,
        ctx: &Ctx<'js>,
        socket: &Object<'js>,
        text: &str,
        closing: Option<Closing<'_>>,
    ) -> Result<(), Throw> {
        let error = Object::new(ctx.clone())?;
        if let Some(Closing { code, reason }) = closing {
            error.set("code", code)?;
            error.set("text", reason)?;
        }
        define(
            &error,
            c"\x01text",
            convert::string(ctx, text)?,
            Visible::No,
        )?;
        method(&error, c"error", error_text)?;
        method(&error, c"toString", error_text)?;
        emit(socket, "error", Some(error.into_value()))
    }

    /// Sends a close frame, calls the close handlers, and ends the session.
    fn close(&self, socket: &Object<'_>, code: u16) -> Result<(), Throw> {
        if self.is_closed.replace(true) {
            return Ok(());
        }
        let sendable = (!matches!(code, 1005 | 1006)).then_some(code);
        let frame = websocket::close(sendable, "", rand::random());
        let frame = frame.or_else(|_| websocket::close(None, "", rand::random()));
        self.link.send(&frame.unwrap_or_default());
        let code = convert::number(socket.ctx(), f64::from(code));
        emit(socket, "close", Some(code))
    }

    fn send(&self, socket: &Object<'_>, frame: &[u8]) -> Result<(), Throw> {
        if self.is_closed.get() {
            return self.fail(socket.ctx(), socket, "websocket: close sent", None);
        }
        self.link.send(frame);
        Ok(())
    }

    fn message(&self, is_text: bool, payload: &[u8]) -> Vec<u8> {
        if self.link.deflates {
            websocket::deflated_message(is_text, payload, rand::random())
        } else {
            websocket::message(is_text, payload, rand::random())
        }
    }

    fn fire(&self, socket: &Object<'_>) -> Result<(), Throw> {
        let Some(((at, number), period)) = self.timers.borrow_mut().pop_first() else {
            return Ok(());
        };
        if let Some(period) = period {
            self.timers
                .borrow_mut()
                .insert((at + period, number), Some(period));
        }
        let callback: Function<'_> = socket.get(timer_key(number))?;
        callback.call::<_, Value<'_>>(())?;
        Ok(())
    }
}

fn timer_key(number: u64) -> String {
    format!("\x01timer{number}")
}

/// Handlers are stored where the collector traces them.
fn handlers_key(event: &str) -> String {
    format!("\x01on{event}")
}

fn emit<'js>(socket: &Object<'js>, event: &str, argument: Option<Value<'js>>) -> Result<(), Throw> {
    let Some(handlers) = socket.get::<_, Option<Array<'js>>>(handlers_key(event))? else {
        return Ok(());
    };
    for handler in convert::items(&handlers)? {
        let Some(handler) = convert::function(&handler) else {
            continue;
        };
        match &argument {
            Some(argument) => handler.call::<_, Value<'js>>((argument.clone(),))?,
            None => handler.call::<_, Value<'js>>(())?,
        };
    }
    Ok(())
}

fn error_text<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let text = this.as_object().map(|object| object.get("\x01text"));
    Ok(text.transpose()?.unwrap_or_else(|| call.undefined()))
}

fn session(call: &Call<'_, '_>) -> Result<Rc<Session>, Throw> {
    class::of::<Socket>(&call.this())
        .map(|socket| Rc::clone(&socket.0))
        .ok_or_else(|| Throw::Type("this is not a socket".to_owned()))
}

fn socket_of<'js>(call: &Call<'_, 'js>) -> Result<(Rc<Session>, Object<'js>), Throw> {
    let session = session(call)?;
    Ok((session, Object::from_value(call.this())?))
}

fn on<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (_, socket) = socket_of(call)?;
    let key = handlers_key(&call.text(0)?);
    let Some(handler) = convert::function(&call.arg(1)) else {
        return Ok(call.undefined());
    };
    let known = socket.get::<_, Option<Array<'js>>>(key.as_str())?;
    let handlers = match known {
        Some(handlers) => handlers,
        None => Array::new(call.ctx.clone())?,
    };
    handlers.set(handlers.len(), handler)?;
    hide(&socket, &key, handlers.into_value())?;
    Ok(call.undefined())
}

fn hide<'js>(object: &Object<'js>, key: &str, value: Value<'js>) -> Result<(), Throw> {
    let key = std::ffi::CString::new(key).unwrap_or_default();
    Ok(define(object, &key, value, Visible::No)?)
}

fn send<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (session, socket) = socket_of(call)?;
    let text = convert::go_string(&call.arg(0))?;
    session.send(&socket, &session.message(true, text.as_bytes()))?;
    // k6 also counts messages that arrived too late.
    session.samples.said(&text);
    Ok(call.undefined())
}

fn send_binary<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (session, socket) = socket_of(call)?;
    if call.count() == 0 {
        return Err(plain("missing argument, expected ArrayBuffer"));
    }
    let value = call.arg(0);
    let is_buffer = convert::is_array_buffer(&value);
    let bytes = convert::buffer_bytes(&value).filter(|_| is_buffer);
    let Some(bytes) = bytes else {
        let kind = super::events::kind_of(&value)?;
        return Err(plain(format!(
            "expected ArrayBuffer as argument, received: {kind}"
        )));
    };
    session.send(&socket, &session.message(false, &bytes))?;
    session.samples.sent();
    Ok(call.undefined())
}

fn ping<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (session, socket) = socket_of(call)?;
    let payload = session.samples.ping();
    session.send(&socket, &websocket::ping(&payload, rand::random()))?;
    Ok(call.undefined())
}

fn set_timeout<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    set_timer(call, "setTimeout")
}

fn set_interval<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    set_timer(call, "setInterval")
}

fn set_timer<'js>(call: &Call<'_, 'js>, name: &str) -> Outcome<'js> {
    let (session, socket) = socket_of(call)?;
    timers::callback(&call.arg(0))?;
    let milliseconds = call
        .given(1)
        .map_or(Ok(0.0), |time| convert::to_number(&time))?;
    if milliseconds.is_nan() || milliseconds <= 0.0 {
        return Err(plain(format!(
            "{name} requires a >0 timeout parameter, received {milliseconds:.2}"
        )));
    }
    let delay = Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(Duration::MAX / 4);
    let number = session.last_timer.get() + 1;
    session.last_timer.set(number);
    hide(&socket, &timer_key(number), call.arg(0))?;
    let period = (name == "setInterval").then_some(delay);
    let due = Instant::now().checked_add(delay);
    if let Some(due) = due {
        session.timers.borrow_mut().insert((due, number), period);
    }
    Ok(call.undefined())
}

fn close<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (session, socket) = socket_of(call)?;
    let code = match call.given(0) {
        Some(code) => convert::to_number(&code)? as u16,
        None if call.count() == 0 => GOING_AWAY,
        None => 0,
    };
    session.close(&socket, code)?;
    Ok(call.undefined())
}
