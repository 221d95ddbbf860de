//! `WebSocket` as browsers have it; its events run on the event loop.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;
use std::time::Duration;

use http_client::upgrade::{Incoming, Link, Refusal, open};
use http_client::websocket::{self, Event as Frame};
use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::native::{Call, accessor, getter, method};
use script_engine::own_methods;
use script_engine::property::Visible;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Persistent, Value};
use tokio::sync::Notify;

use super::blob;
use super::events::Closing;
use super::handlers::{EVENTS, add_listener, fire, get_on, set_on};
use super::request::{self, Params, Unknown};
use super::samples::Samples;
use crate::vu::events::Event;
use crate::vu::state::{Caller, VuState, state};

const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSING: u8 = 2;
const CLOSED: u8 = 3;

/// The time limit for the server's close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
const INVALID_STATE: &str = "InvalidStateError";

/// The value of a socket object. Handlers are properties of the object, where the collector traces them.
pub(super) struct WebSocket(Rc<Socket>);

struct Socket {
    url: String,
    state: Cell<u8>,
    gives_buffers: Cell<bool>,
    link: RefCell<Option<Rc<Link>>>,
    protocol: RefCell<String>,
    /// The negotiated parameters, as sent by the server.
    extensions: RefCell<Option<String>>,
    buffered_bytes: Cell<usize>,
    /// The code and reason of `close()`.
    closing: RefCell<Option<(Option<u16>, String)>>,
    close_called: Notify,
    /// The message of `exec.test.abort` in a handler of this socket.
    aborted: RefCell<Option<String>>,
    /// Its number among the open connections of the VU.
    number: Cell<u64>,
    samples: Samples,
}

impl Class for WebSocket {
    const NAME: &'static CStr = c"WebSocket";

    fn exotic() -> Exotic {
        own_methods::as_defined()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"addEventListener", add_listener)?;
        method(prototype, c"send", send)?;
        method(prototype, c"ping", ping)?;
        method(prototype, c"close", close)?;
        getter(prototype, c"url", url, Visible::Yes)?;
        getter(prototype, c"readyState", ready_state, Visible::Yes)?;
        getter(prototype, c"bufferedAmount", buffered, Visible::Yes)?;
        getter(prototype, c"extensions", extensions, Visible::Yes)?;
        getter(prototype, c"protocol", protocol, Visible::Yes)?;
        accessor(prototype, c"binaryType", binary_type, set_binary_type)?;
        accessor(prototype, EVENTS[0].0, get_on::<0>, set_on::<0>)?;
        accessor(prototype, EVENTS[1].0, get_on::<1>, set_on::<1>)?;
        accessor(prototype, EVENTS[2].0, get_on::<2>, set_on::<2>)?;
        accessor(prototype, EVENTS[3].0, get_on::<3>, set_on::<3>)?;
        accessor(prototype, EVENTS[4].0, get_on::<4>, set_on::<4>)?;
        accessor(prototype, EVENTS[5].0, get_on::<5>, set_on::<5>)
    }
}

/// `new WebSocket(url, protocols, params)`
pub(super) fn construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain(
            "using WebSocket in the init context is not supported",
        ));
    }
    if call.arg(0).is_undefined() {
        return Err(plain("WebSocket requires a url"));
    }
    let text = convert::go_string(&call.arg(0))?;
    let http_url = request::http_url(&text);
    let http_url = request::check_url(&text).and_then(|()| {
        http_url.ok_or_else(|| plain(format!("WebSocket requires valid url, but got {text:?}")))
    })?;
    let about = "invalid WebSocket tags option";
    let params = Params::read(vu, &call.arg(2), about, Unknown::Refused)?;
    let protocols = protocols(call)?;
    let opening = params.opening(vu, http_url.clone(), &protocols);
    let socket = Rc::new(Socket {
        samples: params.named_samples(vu, &text),
        url: text,
        state: Cell::new(CONNECTING),
        gives_buffers: Cell::new(false),
        link: RefCell::default(),
        protocol: RefCell::default(),
        extensions: RefCell::default(),
        buffered_bytes: Cell::default(),
        closing: RefCell::default(),
        close_called: Notify::new(),
        aborted: RefCell::default(),
        number: Cell::default(),
    });
    let object = class::new(call.ctx, WebSocket(Rc::clone(&socket)))?;
    let kept = Persistent::save(call.ctx, object.clone());
    let (left, kept_too) = (Rc::clone(&socket), kept.clone());
    let farewell: Event = Box::new(move |ctx| left.leave(&kept_too.restore(ctx)?));
    socket.number.set(vu.events.opened(farewell));
    let (client, jar) = (Rc::clone(&vu.client), Rc::clone(&params.jar));
    vu.events.start(async move {
        let outcome = open(&client, opening).await;
        if let Ok(link) = &outcome {
            request::keep_cookies(&jar, &http_url, &link.reply);
        }
        let event: Event = Box::new(move |ctx| socket.opened(&kept.restore(ctx)?, outcome));
        event
    });
    Ok(object.into_value())
}

fn protocols(call: &Call<'_, '_>) -> Result<Vec<String>, Throw> {
    let Some(value) = call.given(1) else {
        return Ok(Vec::new());
    };
    match value.as_array() {
        Some(array) => convert::items(array)?
            .iter()
            .map(convert::to_text)
            .collect(),
        None => Ok(vec![convert::to_text(&value)?]),
    }
}

impl Socket {
    fn opened(
        self: &Rc<Self>,
        object: &Object<'_>,
        outcome: Result<Link, Refusal>,
    ) -> Result<(), Throw> {
        match outcome {
            Ok(link) => {
                self.samples.connected(Some(&link.reply));
                let protocol = link.reply.header("sec-websocket-protocol");
                *self.protocol.borrow_mut() = protocol.unwrap_or_default();
                *self.extensions.borrow_mut() = link.reply.header("sec-websocket-extensions");
                *self.link.borrow_mut() = Some(Rc::new(link));
                if self.state.get() == CLOSING {
                    self.say_goodbye();
                } else {
                    self.state.set(OPEN);
                    self.fire_or_fail(object, "open", &[])?;
                }
                self.listen(object);
                Ok(())
            }
            Err(Refusal::Answered(reply)) => {
                self.samples.connected(Some(&reply));
                self.samples.forget();
                self.end(object, Closing::ABNORMAL, Some("websocket: bad handshake"))
            }
            Err(Refusal::Failed(why)) => {
                self.samples.connected(None);
                self.samples.forget();
                self.end(object, Closing::ABNORMAL, Some(&why))
            }
        }
    }

    /// Waits for the next event, on the event loop.
    fn listen(self: &Rc<Self>, object: &Object<'_>) {
        let Some(link) = self.link.borrow().clone() else {
            return;
        };
        if self.state.get() == CLOSED {
            return;
        }
        let socket = Rc::clone(self);
        let kept = Persistent::save(object.ctx(), object.clone());
        let vu: &VuState = state(object.ctx());
        vu.events.start(async move {
            let patience = async {
                if socket.state.get() != CLOSING {
                    socket.close_called.notified().await;
                }
                tokio::time::sleep(CLOSE_TIMEOUT).await;
            };
            let incoming = tokio::select! {
                biased;
                incoming = link.next() => incoming,
                () = patience => Incoming::Gone(String::new()),
            };
            let event: Event = Box::new(move |ctx| {
                let object = kept.restore(ctx)?;
                socket.take(&object, incoming)?;
                socket.listen(&object);
                Ok(())
            });
            event
        });
    }

    fn take(&self, object: &Object<'_>, incoming: Incoming) -> Result<(), Throw> {
        let is_closing = self.state.get() == CLOSING;
        match incoming {
            Incoming::Event(Frame::Text(text)) => {
                if self.state.get() == OPEN {
                    self.samples.heard(&text);
                }
                let data = convert::string(object.ctx(), &text)?;
                self.message(object, data)
            }
            Incoming::Event(Frame::Binary(bytes)) => {
                if self.state.get() == OPEN {
                    self.samples.received();
                }
                let data = if self.gives_buffers.get() {
                    convert::array_buffer(object.ctx(), bytes)?
                } else {
                    blob::object(object.ctx(), bytes, "")?
                };
                self.message(object, data)
            }
            Incoming::Event(Frame::Ping(payload)) => {
                self.write(&websocket::pong(&payload, rand::random()));
                self.fire_or_fail(object, "ping", &[])
            }
            Incoming::Event(Frame::Pong(payload)) => {
                self.samples.pong(&payload);
                self.fire_or_fail(object, "pong", &[])
            }
            Incoming::Event(Frame::Close { code, reason }) => {
                if !is_closing {
                    let answer = websocket::close(code, "", rand::random());
                    self.write(&answer.unwrap_or_default());
                }
                let code = code.unwrap_or(1005);
                let text = super::events::close_text(code, &reason);
                let is_usual = matches!(code, 1000 | 1001);
                let closing = Closing {
                    code,
                    reason: &reason,
                };
                self.end(object, closing, (!is_usual).then_some(&text))
            }
            Incoming::Broken(error) => {
                let frame = websocket::close(Some(error.close_code()), "", rand::random());
                self.write(&frame.unwrap_or_default());
                self.end(object, Closing::ABNORMAL, None)
            }
            Incoming::Gone(text) => {
                self.end(object, Closing::ABNORMAL, (!is_closing).then_some(&text))
            }
        }
    }

    fn message<'js>(&self, object: &Object<'js>, data: Value<'js>) -> Result<(), Throw> {
        if self.state.get() != OPEN {
            return Ok(());
        }
        let origin = convert::string(object.ctx(), &self.url)?;
        self.fire_or_fail(object, "message", &[("data", data), ("origin", origin)])
    }

    /// Closes a socket that outlives its iteration. The server is notified, and the script unless it was interrupted.
    fn leave(&self, object: &Object<'_>) -> Result<(), Throw> {
        let link = self.link.borrow().clone();
        if let (Some(link), OPEN) = (link, self.state.get()) {
            let frame = websocket::close(Some(1000), "", rand::random());
            link.send(&frame.unwrap_or_default());
            link.write_now();
        }
        let vu: &VuState = state(object.ctx());
        if vu.is_interrupted() {
            self.state.set(CLOSED);
            self.link.take();
            return Ok(());
        }
        let mut error = self.aborted.take();
        if error.is_none() {
            self.samples.forget();
        }
        if self.state.get() == CONNECTING {
            let address = request::address(&self.url).unwrap_or_default();
            error = Some(format!("dial tcp {address}: operation was canceled"));
        }
        self.end(object, Closing::ABNORMAL, error.as_deref())
    }

    /// Reports the closed socket to the script.
    fn end(
        &self,
        object: &Object<'_>,
        closing: Closing<'_>,
        error: Option<&str>,
    ) -> Result<(), Throw> {
        if self.state.replace(CLOSED) == CLOSED {
            return Ok(());
        }
        let ctx = object.ctx();
        let vu: &VuState = state(ctx);
        vu.events.closed(self.number.get());
        self.samples.ended();
        if let Some(link) = self.link.take() {
            let linger = tokio::time::timeout(Duration::from_secs(1), async move {
                link.flush().await;
            });
            vu.events.start(async move {
                let _ = linger.await;
                let nothing: Event = Box::new(|_| Ok(()));
                nothing
            });
        }
        if let Some(error) = error {
            fire(object, "error", &[("error", convert::string(ctx, error)?)])?;
        }
        let code = convert::number(ctx, f64::from(closing.code));
        let reason = convert::string(ctx, closing.reason)?;
        fire(object, "close", &[("code", code), ("reason", reason)])
    }

    /// Calls handlers. An exception of one of them closes the socket and ends the iteration.
    fn fire_or_fail<'js>(
        &self,
        object: &Object<'js>,
        kind: &str,
        properties: &[(&str, Value<'js>)],
    ) -> Result<(), Throw> {
        let ctx = object.ctx();
        let error = match fire(object, kind, properties) {
            Ok(()) => return Ok(()),
            Err(Throw::Interrupted) => None,
            Err(throw) => {
                script_engine::raise::raise(ctx, throw);
                script_engine::exception::take(ctx).ok()
            }
        };
        let Some(error) = error else {
            let vu: &VuState = state(ctx);
            let abortion = vu.aborted.borrow();
            let said = abortion
                .as_ref()
                .map(|end| format!("{}{}", end.said, end.place));
            *self.aborted.borrow_mut() = said;
            return Err(Throw::Interrupted);
        };
        let text = script_engine::exception::describe(&error).replace("\n\t", " ");
        self.samples.forget();
        self.end(object, Closing::ABNORMAL, Some(text.trim_end()))?;
        Err(Throw::Engine(ctx.throw(error)))
    }

    fn write(&self, frame: &[u8]) {
        if let Some(link) = self.link.borrow().as_ref() {
            link.send(frame);
        }
    }

    /// Sends the close frame that `close()` asked for.
    fn say_goodbye(&self) {
        let closing = self.closing.take();
        let (code, reason) = closing.unwrap_or_default();
        let frame = websocket::close(code.or(Some(1000)), &reason, rand::random());
        self.write(&frame.unwrap_or_default());
        self.samples.sent();
    }
}

fn this(call: &Call<'_, '_>) -> Result<Rc<Socket>, Throw> {
    class::of::<WebSocket>(&call.this())
        .map(|socket| Rc::clone(&socket.0))
        .ok_or_else(|| Throw::Type("this is no WebSocket".to_owned()))
}

fn send<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let socket = this(call)?;
    if socket.state.get() != OPEN {
        return Err(plain(INVALID_STATE));
    }
    let value = call.arg(0);
    let refused = || {
        plain(format!(
            "unsupported send type {}",
            convert::go_type(&value)
        ))
    };
    let payload = blob::bytes_of(&value)?.filter(|_| !convert::is_data_view(&value));
    let payload = payload.ok_or_else(refused)?;
    let Some(link) = socket.link.borrow().clone() else {
        return Err(plain(INVALID_STATE));
    };
    let frame = if link.deflates {
        websocket::deflated_message(value.is_string(), &payload, rand::random())
    } else {
        websocket::message(value.is_string(), &payload, rand::random())
    };
    if link.is_flushed() {
        socket.buffered_bytes.set(0);
    }
    let buffered = socket.buffered_bytes.get() + payload.len();
    socket.buffered_bytes.set(buffered);
    link.send(&frame);
    match std::str::from_utf8(&payload) {
        Ok(text) if value.is_string() => socket.samples.said(text),
        _ => socket.samples.sent(),
    }
    Ok(call.undefined())
}

fn ping<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let socket = this(call)?;
    if socket.state.get() != OPEN {
        return Err(plain(INVALID_STATE));
    }
    let payload = socket.samples.ping();
    socket.write(&websocket::ping(&payload, rand::random()));
    socket.samples.sent();
    Ok(call.undefined())
}

/// `close(code, reason)`. Like k6 2 it accepts only 1000 and 3000 to 4999; k6 1.1 accepts any code.
fn close<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let socket = this(call)?;
    let code = match call.given(0) {
        Some(code) => {
            let code = convert::to_number(&code)?;
            if code != 1000.0 && !(3000.0..5000.0).contains(&code) {
                return Err(plain(format!(
                    "InvalidAccessError: the close code must be 1000 or from 3000 to 4999, not {code}"
                )));
            }
            Some(code as u16)
        }
        None => None,
    };
    let reason = call
        .given(1)
        .map_or(Ok(String::new()), |reason| convert::to_text(&reason))?;
    if reason.len() > 123 {
        return Err(plain(
            "SyntaxError: the reason to close has more than 123 bytes",
        ));
    }
    let before = socket.state.get();
    if before >= CLOSING {
        return Ok(call.undefined());
    }
    socket.state.set(CLOSING);
    *socket.closing.borrow_mut() = Some((code, reason));
    if before == OPEN {
        socket.say_goodbye();
        socket.close_called.notify_one();
    }
    Ok(call.undefined())
}

fn url<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string(&this(call)?.url)
}

fn ready_state<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let state = this(call)?.state.get();
    Ok(convert::number(call.ctx, f64::from(state)))
}

fn buffered<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let socket = this(call)?;
    let link = socket.link.borrow().clone();
    if link.is_none_or(|link| link.is_flushed()) {
        socket.buffered_bytes.set(0);
    }
    let bytes = socket.buffered_bytes.get();
    Ok(convert::number(call.ctx, bytes as f64))
}

/// A list, as in k6.
fn extensions<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let list = Array::new(call.ctx.clone())?;
    if let Some(text) = &*this(call)?.extensions.borrow() {
        list.set(0, text.as_str())?;
    }
    Ok(list.into_value())
}

fn protocol<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let protocol = this(call)?.protocol.borrow().clone();
    call.string(&protocol)
}

fn binary_type<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string(if this(call)?.gives_buffers.get() {
        "arraybuffer"
    } else {
        "blob"
    })
}

fn set_binary_type<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let wanted = convert::go_string(&call.arg(0))?;
    match wanted.as_str() {
        "blob" => this(call)?.gives_buffers.set(false),
        "arraybuffer" => this(call)?.gives_buffers.set(true),
        other => {
            return Err(plain(format!(
                "unknown binaryType {other}, the supported ones are \"blob\" and \"arraybuffer\""
            )));
        }
    }
    Ok(call.undefined())
}
