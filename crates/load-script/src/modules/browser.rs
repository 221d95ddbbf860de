//! `k6/browser` without a browser: it can be imported, and a request for a page is an error that says what is
//! missing. Scripts that run with and without a browser import it in any case.

use load_metrics::{Contains, Kind};
use script_engine::native::{Call, numbered_method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object};

use crate::vu::state::{VuState, state};

const METHODS: [&std::ffi::CStr; 7] = [
    c"closeContext",
    c"context",
    c"isConnected",
    c"newContext",
    c"newPage",
    c"userAgent",
    c"version",
];

/// The metrics of pages: thresholds may name them, also where no page is ever opened.
const METRICS: [(&str, Kind, Contains); 9] = [
    ("browser_data_received", Kind::Counter, Contains::Data),
    ("browser_data_sent", Kind::Counter, Contains::Data),
    ("browser_http_req_duration", Kind::Trend, Contains::Time),
    ("browser_http_req_failed", Kind::Rate, Contains::Default),
    ("browser_web_vital_cls", Kind::Trend, Contains::Default),
    ("browser_web_vital_fcp", Kind::Trend, Contains::Time),
    ("browser_web_vital_inp", Kind::Trend, Contains::Time),
    ("browser_web_vital_lcp", Kind::Trend, Contains::Time),
    ("browser_web_vital_ttfb", Kind::Trend, Contains::Time),
];

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let vu: &VuState = state(ctx);
    for (name, kind, contains) in METRICS {
        let registered = vu.recorder.registry().register(name, kind, contains);
        registered.map_err(|error| plain(error.to_string()))?;
    }
    let browser = Object::new(ctx.clone())?;
    for (name, number) in METHODS.iter().zip(0..) {
        numbered_method(&browser, name, refuse, number)?;
    }
    let exports = Object::new(ctx.clone())?;
    exports.set("browser", browser)?;
    // Device and network descriptions are for pages, which cannot be opened.
    exports.set("devices", Object::new(ctx.clone())?)?;
    exports.set("networkProfiles", Object::new(ctx.clone())?)?;
    Ok(exports)
}

fn refuse<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = METHODS[usize::from(call.number()) % METHODS.len()].to_string_lossy();
    Err(plain(format!(
        "browser.{name} needs a browser, which sparring does not drive: run this function with k6, or leave its \
         scenario out"
    )))
}
