//! `k6/browser` without a browser: it can be imported, and a request for a page ends the test with an error that says
//! what is missing, as in k6 where no Chromium is installed. Scripts that run with and without a browser import it in
//! any case.

use load_metrics::{Contains, Kind};
use script_engine::native::{Call, numbered_method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object};

use crate::vu::state::{Caller, Phase, VuState, state};

/// The methods of `browser`, and the one of `chromium`.
const METHODS: [&std::ffi::CStr; 8] = [
    c"closeContext",
    c"context",
    c"isConnected",
    c"newContext",
    c"newPage",
    c"userAgent",
    c"version",
    CONNECT,
];

const CONNECT: &std::ffi::CStr = c"connectOverCDP";

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
    let (browser, chromium) = (Object::new(ctx.clone())?, Object::new(ctx.clone())?);
    for (name, number) in METHODS.iter().zip(0..) {
        let object = if *name == CONNECT {
            &chromium
        } else {
            &browser
        };
        numbered_method(object, name, refuse, number)?;
    }
    let exports = Object::new(ctx.clone())?;
    exports.set("browser", browser)?;
    exports.set("chromium", chromium)?;
    // Device and network descriptions are for pages, which cannot be opened.
    exports.set("devices", Object::new(ctx.clone())?)?;
    exports.set("networkProfiles", Object::new(ctx.clone())?)?;
    Ok(exports)
}

fn refuse<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let method = METHODS[usize::from(call.number()) % METHODS.len()];
    let object = if method == CONNECT {
        "chromium"
    } else {
        "browser"
    };
    let said = format!(
        "{object}.{} needs a browser, which sparring does not drive: run this scenario with k6, or leave it out",
        method.to_string_lossy()
    );
    let vu = call.vu();
    if vu.phase.get() != Phase::Iteration {
        return Err(plain(said));
    }
    // The scenario would fail in each of its iterations, and a script that catches its errors would hide that.
    Err(vu.abort(call.ctx, said))
}
