//! `k6/browser` without a browser: it can be imported, and a request for a page is an error that says what is
//! missing. Scripts that run with and without a browser import it in any case.

use script_engine::native::{Call, numbered_method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object};

const METHODS: [&std::ffi::CStr; 7] = [
    c"closeContext",
    c"context",
    c"isConnected",
    c"newContext",
    c"newPage",
    c"userAgent",
    c"version",
];

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
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
