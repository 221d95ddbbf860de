//! `k6/http`.

mod agent;
mod auth;
mod batch;
mod body;
mod debug;
pub(in crate::modules) mod jar;
mod page;
mod params;
mod perform;
mod prepare;
mod redirects;
mod response;
mod samples;
mod validity;

use std::ffi::CStr;
use std::ops::RangeInclusive;

pub(in crate::modules) use params::timeout;

use http_client::expected::Expected;
use load_engine::log::Level;
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::fiber;
use script_engine::native::{Call, method};
use script_engine::promise::Deferred;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use crate::modules::rejection;
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The result of `http.expectedStatuses`.
struct Statuses(Expected);

impl Class for Statuses {
    const NAME: &'static CStr = c"ExpectedStatuses";

    fn prototype(_prototype: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

const CONSTANTS: &[(&CStr, &str)] = &[
    (c"TLS_1_0", "tls1.0"),
    (c"TLS_1_1", "tls1.1"),
    (c"TLS_1_2", "tls1.2"),
    (c"TLS_1_3", "tls1.3"),
    (c"OCSP_STATUS_GOOD", "good"),
    (c"OCSP_STATUS_REVOKED", "revoked"),
    (c"OCSP_STATUS_SERVER_FAILED", "server_failed"),
    (c"OCSP_STATUS_UNKNOWN", "unknown"),
    (c"OCSP_REASON_UNSPECIFIED", "unspecified"),
    (c"OCSP_REASON_KEY_COMPROMISE", "key_compromise"),
    (c"OCSP_REASON_CA_COMPROMISE", "ca_compromise"),
    (c"OCSP_REASON_AFFILIATION_CHANGED", "affiliation_changed"),
    (c"OCSP_REASON_SUPERSEDED", "superseded"),
    (
        c"OCSP_REASON_CESSATION_OF_OPERATION",
        "cessation_of_operation",
    ),
    (c"OCSP_REASON_CERTIFICATE_HOLD", "certificate_hold"),
    (c"OCSP_REASON_REMOVE_FROM_CRL", "remove_from_crl"),
    (c"OCSP_REASON_PRIVILEGE_WITHDRAWN", "privilege_withdrawn"),
    (c"OCSP_REASON_AA_COMPROMISE", "aa_compromise"),
];

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    for (name, value) in CONSTANTS {
        define(&exports, name, convert::string(ctx, value)?, Visible::Yes)?;
    }
    method(&exports, c"get", get)?;
    method(&exports, c"head", head)?;
    method(&exports, c"post", post)?;
    method(&exports, c"put", put)?;
    method(&exports, c"patch", patch)?;
    method(&exports, c"del", del)?;
    method(&exports, c"options", options)?;
    method(&exports, c"request", request)?;
    method(&exports, c"asyncRequest", async_request)?;
    method(&exports, c"batch", batch::batch)?;
    method(&exports, c"url", prepare::url_template)?;
    method(&exports, c"file", body::file)?;
    method(&exports, c"expectedStatuses", expected_statuses)?;
    method(&exports, c"setResponseCallback", set_response_callback)?;
    jar::install(&exports)?;
    Ok(exports)
}

/// The positions of method, URL, body and params among a function's arguments.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// The function's method; otherwise it is the first argument.
    method: Option<&'static str>,
    has_body: bool,
}

fn without_body<'js>(call: &Call<'_, 'js>, method: &'static str) -> Outcome<'js> {
    run(
        call,
        Layout {
            method: Some(method),
            has_body: false,
        },
    )
}

fn with_body<'js>(call: &Call<'_, 'js>, method: &'static str) -> Outcome<'js> {
    run(
        call,
        Layout {
            method: Some(method),
            has_body: true,
        },
    )
}

/// Warns once about ignored arguments: `get(url, null, params)` is a common mistake.
fn warn_of_more(call: &Call<'_, '_>, warning: &'static str) {
    if call.count() > 2 {
        let vu = call.vu();
        vu.script.warn_once(&vu.logger, warning);
    }
}

fn get<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    warn_of_more(
        call,
        "http.get takes two arguments, a URL and params; what follows them is ignored",
    );
    without_body(call, "GET")
}

fn head<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    warn_of_more(
        call,
        "http.head takes two arguments, a URL and params; what follows them is ignored",
    );
    without_body(call, "HEAD")
}

fn post<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_body(call, "POST")
}

fn put<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_body(call, "PUT")
}

fn patch<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_body(call, "PATCH")
}

fn del<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_body(call, "DELETE")
}

fn options<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    with_body(call, "OPTIONS")
}

fn request<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    run(
        call,
        Layout {
            method: None,
            has_body: true,
        },
    )
}

fn run<'js>(call: &Call<'_, 'js>, layout: Layout) -> Outcome<'js> {
    match prepare::from_call(call, layout) {
        Ok(prepared) => execute(call, prepared),
        Err(error) => refused(call, error),
    }
}

/// A request that could not be built is a failed response too, unless the script asks for an exception.
/// Requests in init code have no response.
fn refused<'js>(call: &Call<'_, 'js>, error: prepare::PrepareError) -> Outcome<'js> {
    let vu = call.vu();
    let (code, message) = error.into_failure()?;
    if vu.is_init() || vu.run.options().throw.unwrap_or(false) {
        return Err(plain(message));
    }
    vu.logger
        .log(Level::Warn, "Request Failed", &[("error", &message)]);
    response::object(call.ctx, perform::Finished::refused(code, message))
}

/// Performs a request while the VU waits.
fn execute<'js>(call: &Call<'_, 'js>, prepared: prepare::Prepared) -> Outcome<'js> {
    let vu = call.vu();
    let agent = agent::Agent::of(vu);
    let prepared = Box::new(prepared);
    let finished = vu.wait(fiber::apart(|| perform::perform(agent, prepared)))?;
    if let Some(message) = finished.thrown() {
        return Err(plain(message));
    }
    response::object(call.ctx, finished)
}

fn async_request<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let prepared = prepare::from_call(
        call,
        Layout {
            method: None,
            has_body: true,
        },
    );
    let (promise, deferred) = Deferred::new(call.ctx)?;
    let vu = call.vu();
    match prepared {
        Err(error) => match refused(call, error) {
            Err(Throw::Plain(why)) => {
                deferred.reject(call.ctx, rejection::nameless(call.ctx, &why)?)?;
            }
            outcome => deferred.settle(call.ctx, outcome)?,
        },
        Ok(prepared) => {
            let agent = agent::Agent::of(vu);
            let prepared = Box::new(prepared);
            let work = fiber::apart(|| perform::perform(agent, prepared));
            vu.events.start(async move {
                let finished = work.await;
                let event: Event = Box::new(move |ctx| match finished.thrown() {
                    Some(why) => deferred.reject(ctx, rejection::nameless(ctx, &why)?),
                    None => deferred.settle(ctx, response::object(ctx, finished)),
                });
                event
            });
        }
    }
    Ok(promise)
}

fn expected_statuses<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let mut ranges = Vec::new();
    if call.count() == 0 {
        return Err(plain("no arguments"));
    }
    for index in 0..call.count() {
        let value = call.arg(index);
        let number = index + 1;
        if value.is_null() || value.is_undefined() {
            let why = "Cannot convert undefined or null to object";
            return Err(Throw::Type(why.to_owned()));
        }
        let bad = || {
            plain(format!(
                "argument number {number} to expectedStatuses was neither an integer nor an object like {{min:100, max:329}}"
            ))
        };
        let whole = |value: &Value<'js>| {
            value
                .as_number()
                .filter(|n| n.fract() == 0.0)
                .map(|n| n as i64)
        };
        if let Some(status) = whole(&value) {
            ranges.push(within(status, status));
            continue;
        }
        let object = value.as_object().ok_or_else(bad)?;
        let (min, max): (Value<'js>, Value<'js>) = (object.get("min")?, object.get("max")?);
        if min.is_undefined() || max.is_undefined() {
            return Err(bad());
        }
        let (min, max) = whole(&min).zip(whole(&max)).ok_or_else(|| {
            plain(format!(
                "both min and max need to be integers for argument number {number}"
            ))
        })?;
        ranges.push(within(min, max));
    }
    Ok(class::new(call.ctx, Statuses(Expected::new(ranges)))?.into_value())
}

/// The valid statuses of a range of whole numbers, which may be none.
fn within(min: i64, max: i64) -> RangeInclusive<u16> {
    let limit = i64::from(u16::MAX);
    if max < 0 || min > limit {
        return RangeInclusive::new(1, 0);
    }
    min.clamp(0, limit) as u16..=max.clamp(0, limit) as u16
}

fn set_response_callback<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.arg(0);
    if value.is_undefined() && call.count() > 0 {
        return Err(plain(NO_CALLBACK));
    }
    let expected = callback(&value).ok_or_else(|| plain(NO_CALLBACK))?;
    *call.vu().expected.borrow_mut() = expected;
    Ok(call.undefined())
}

/// The error of `setResponseCallback` for any other argument.
const NO_CALLBACK: &str = "unsupported argument, expected http.expectedStatuses";

/// A response callback: the statuses of `expectedStatuses`, or null. `None` when it is neither.
fn callback(value: &Value<'_>) -> Option<Option<Expected>> {
    if value.is_null() || value.is_undefined() {
        return Some(None);
    }
    let statuses = class::of::<Statuses>(value);
    statuses.map(|statuses| Some(statuses.0.clone()))
}
