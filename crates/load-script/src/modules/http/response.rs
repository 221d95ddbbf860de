//! The response object, whose properties are made on first access.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use http_client::cookies::Cookie;
use http_client::ocsp::Status;
use http_client::reply::TlsInfo;
use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::isolate;
use script_engine::lazy::{self, Lazy};
use script_engine::memory::Held;
use script_engine::native::{Call, method};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Object, Value};
use script_formats::{gjson, go_json};

use super::page;
use super::params::{RequestCookie, ResponseType};
use super::perform::Finished;

/// The value of a response object.
struct Response {
    finished: Finished,
    /// One bit per property that was made.
    made: Cell<u32>,
    /// The whole body was returned as JSON: `json()` returns the same from then on.
    was_parsed: Cell<bool>,
    _held: Option<Held>,
}

/// `expires` of a cookie that does not expire: Go's zero time in milliseconds, as in k6.
const NO_EXPIRY_MS: f64 = -6_795_364_578_871.0;

impl Class for Response {
    const NAME: &'static CStr = c"Response";

    fn exotic() -> Exotic {
        lazy::hooks::<Self>()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"json", json)?;
        method(prototype, c"html", html)?;
        method(prototype, c"submitForm", submit_form)?;
        method(prototype, c"clickLink", click_link)
    }
}

impl Lazy for Response {
    const PROPERTIES: &'static [&'static CStr] = &[
        c"remote_ip",
        c"remote_port",
        c"url",
        c"status",
        c"status_text",
        c"proto",
        c"headers",
        c"cookies",
        c"body",
        c"timings",
        c"tls_version",
        c"tls_cipher_suite",
        c"ocsp",
        c"error",
        c"error_code",
        c"request",
    ];
    const METHODS: &'static [&'static CStr] = &[c"clickLink", c"html", c"json", c"submitForm"];

    fn made(&self) -> &Cell<u32> {
        &self.made
    }

    fn make<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Outcome<'js> {
        make(ctx, &self.finished, name)
    }
}

/// The response of a finished request.
pub(super) fn object<'js>(ctx: &Ctx<'js>, finished: Finished) -> Outcome<'js> {
    let body = finished.reply.body.as_ref().map_or(0, Vec::len);
    let held = isolate::charge(ctx, body + finished.reply.head.len())?;
    let response = Response {
        finished,
        made: Cell::new(0),
        was_parsed: Cell::new(false),
        _held: held,
    };
    Ok(class::new(ctx, response)?.into_value())
}

fn make<'js>(ctx: &Ctx<'js>, finished: &Finished, name: &str) -> Outcome<'js> {
    let reply = &finished.reply;
    let text = |text: &str| convert::string(ctx, text);
    let number = |value: f64| Ok(convert::number(ctx, value));
    match name {
        "status" => number(f64::from(reply.status)),
        "status_text" => text(&reply.status_text()),
        "url" => text(finished.url()),
        "proto" => text(reply.proto),
        "body" => body(ctx, finished),
        "headers" => headers(ctx, finished),
        "cookies" => cookies(ctx, finished),
        "timings" => timings(ctx, finished),
        "remote_ip" => text(
            &reply
                .remote
                .map_or_else(String::new, |remote| remote.ip().to_string()),
        ),
        "remote_port" => number(f64::from(reply.remote.map_or(0, |remote| remote.port()))),
        "tls_version" => text(reply.tls.as_ref().map_or("", |tls| tls.version)),
        "tls_cipher_suite" => text(reply.tls.as_ref().map_or("", |tls| tls.cipher.as_str())),
        "ocsp" => ocsp(ctx, finished),
        "error" => text(
            finished
                .failure
                .as_ref()
                .map_or("", |failure| failure.message.as_str()),
        ),
        "error_code" => number(f64::from(finished.error_code())),
        "request" => request(ctx, finished),
        _ => Ok(super::super::undefined(ctx)),
    }
}

fn body<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    match (&finished.reply.body, finished.response_type) {
        (Some(bytes), ResponseType::Text) => convert::string_of_bytes(ctx, bytes),
        (Some(bytes), ResponseType::Binary) => convert::array_buffer(ctx, bytes.clone()),
        // For a request that was never sent, k6 returns empty bytes and not null.
        _ if finished.told.is_none() => Ok(Array::new(ctx.clone())?.into_value()),
        _ => Ok(Value::new_null(ctx.clone())),
    }
}

fn headers<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    for (name, value) in finished.reply.headers() {
        object.set(name, value)?;
    }
    Ok(object.into_value())
}

fn cookies<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    let lines = finished
        .reply
        .lines()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    for cookie in lines.filter_map(|(_, value)| Cookie::parse(&value)) {
        let list: Option<Array<'js>> = object.get(cookie.name.as_str())?;
        let list = match list {
            Some(list) => list,
            None => Array::new(ctx.clone())?,
        };
        list.set(list.len(), cookie_object(ctx, &cookie)?)?;
        object.set(cookie.name, list)?;
    }
    Ok(object.into_value())
}

fn cookie_object<'js>(ctx: &Ctx<'js>, cookie: &Cookie) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    object.set("name", cookie.name.as_str())?;
    object.set("value", cookie.value.as_str())?;
    object.set("domain", cookie.domain.as_str())?;
    object.set("path", cookie.path.as_str())?;
    object.set("http_only", cookie.http_only)?;
    object.set("secure", cookie.secure)?;
    object.set("max_age", cookie.max_age as f64)?;
    object.set("expires", cookie.expires.map_or(NO_EXPIRY_MS, unix_ms))?;
    Ok(object)
}

fn unix_ms(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64() * 1000.0,
        Err(before) => before.duration().as_secs_f64() * -1000.0,
    }
}

fn timings<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    let timings = &finished.reply.timings;
    let object = Object::new(ctx.clone())?;
    let values = [
        (c"duration", timings.duration()),
        (c"blocked", timings.blocked),
        (c"looking_up", std::time::Duration::ZERO),
        (c"connecting", timings.connecting),
        (c"tls_handshaking", timings.tls_handshaking),
        (c"sending", timings.sending),
        (c"waiting", timings.waiting),
        (c"receiving", timings.receiving),
    ];
    for (name, time) in values {
        define(
            &object,
            name,
            convert::number(ctx, time.as_secs_f64() * 1000.0),
            Visible::Yes,
        )?;
    }
    Ok(object.into_value())
}

fn ocsp<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    let object = Object::new(ctx.clone())?;
    let said = finished.reply.tls.as_ref().map(TlsInfo::ocsp);
    let time = |pick: fn(&Status) -> i64| said.as_ref().map_or(0, pick) as f64;
    object.set("produced_at", time(|said| said.produced_at))?;
    object.set("this_update", time(|said| said.this_update))?;
    object.set("next_update", time(|said| said.next_update))?;
    object.set("revoked_at", time(|said| said.revoked_at))?;
    let text = |pick: fn(&Status) -> &'static str| said.as_ref().map_or("", pick);
    object.set("revocation_reason", text(|said| said.revocation_reason))?;
    object.set("status", text(|said| said.status))?;
    Ok(object.into_value())
}

fn request<'js>(ctx: &Ctx<'js>, finished: &Finished) -> Outcome<'js> {
    let Some(told) = &finished.told else {
        return Ok(Value::new_null(ctx.clone()));
    };
    let object = Object::new(ctx.clone())?;
    object.set("method", &*told.method)?;
    object.set("url", told.url.as_str())?;
    let headers = Object::new(ctx.clone())?;
    for (name, value) in told.headers.iter() {
        headers.set(name.as_str(), vec![value.clone()])?;
    }
    if let Some(host) = &told.host {
        headers.set("Host", vec![host.clone()])?;
    }
    object.set("headers", headers)?;
    object.set("body", convert::string_of_bytes(ctx, &told.body)?)?;
    let cookies = Object::new(ctx.clone())?;
    for (name, value) in told.cookies() {
        let replaces = |own: &&RequestCookie| own.name == name && own.value == value;
        let own = finished.cookies.iter().find(replaces);
        let entry = Object::new(ctx.clone())?;
        entry.set("name", name)?;
        entry.set("value", value)?;
        entry.set("replace", own.is_some_and(|own| own.replaces))?;
        let list: Option<Array<'js>> = cookies.get(name)?;
        let list = match list {
            Some(list) => list,
            None => Array::new(ctx.clone())?,
        };
        list.set(list.len(), entry)?;
        cookies.set(name, list)?;
    }
    object.set("cookies", cookies)?;
    Ok(object.into_value())
}

fn html<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_page(call, page::html)
}

fn submit_form<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_page(call, page::submit_form)
}

fn click_link<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_page(call, page::click_link)
}

fn with_page<'js>(
    call: &Call<'_, 'js>,
    act: fn(&Call<'_, 'js>, &page::Source<'_>) -> Outcome<'js>,
) -> Outcome<'js> {
    let this = call.this();
    let response = this_response(&this)?;
    let body = response.body_now(&this)?;
    let source = page::Source {
        url: response.finished.url(),
        body: body.as_deref(),
    };
    act(call, &source)
}

fn this_response<'a>(this: &'a Value<'_>) -> Result<&'a Response, Throw> {
    class::of::<Response>(this).ok_or_else(|| Throw::Type("this is not a response".to_owned()))
}

impl Response {
    /// The body, or the value that the script has assigned.
    fn body_now(&self, this: &Value<'_>) -> Result<Option<Cow<'_, [u8]>>, Throw> {
        let place = Self::PROPERTIES.iter().position(|name| *name == c"body");
        let was_made = place.is_some_and(|place| self.made.get() & (1 << place) != 0);
        if was_made && let Some(object) = this.as_object() {
            let value: Value<'_> = object.get("body")?;
            if let Some(bytes) = convert::bytes_of(&value)? {
                return Ok(Some(Cow::Owned(bytes)));
            }
        }
        Ok(self.finished.reply.body.as_deref().map(Cow::Borrowed))
    }
}

/// `response.json(selector)`
fn json<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let response = this_response(&this)?;
    let has_path = call.count() > 0;
    let body = if has_path || !response.was_parsed.get() {
        response.body_now(&this)?
    } else {
        response.finished.reply.body.as_deref().map(Cow::Borrowed)
    };
    let Some(bytes) = body else {
        return Err(plain(
            "the body is null so we can't transform it to JSON - this likely was because of a request error getting the response",
        ));
    };
    if has_path {
        // A null selector finds nothing.
        let path = convert::to_text(&call.arg(0))?;
        return match gjson::get_text(&bytes, &path) {
            Some(found) => convert::from_json_value(call.ctx, &found),
            None => Ok(call.undefined()),
        };
    }
    // As in k6, each call returns a new value.
    let text = String::from_utf8_lossy(&bytes);
    let parsed = convert::from_json(call.ctx, &text).map_err(|_| {
        let _ = call.ctx.catch();
        plain(go_json::document_error(&bytes))
    })?;
    let is_original = response.finished.reply.body.as_deref() == Some(&*bytes);
    response.was_parsed.set(is_original);
    Ok(parsed)
}
