//! `http.cookieJar()` and `new http.CookieJar()`.

use std::ffi::CStr;
use std::rc::Rc;
use std::time::SystemTime;

use http_client::cookies::{Cookie, Jar, parse_date};
use http_client::url::{Url, UrlError, quoted};
use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::native::{Call, constructor_or_function, method};
use script_engine::own_methods;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Value};

use crate::vu::state::Caller;

/// The value of a jar object.
struct JarObject(Rc<Jar>);

impl Class for JarObject {
    const NAME: &'static CStr = c"CookieJar";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"cookiesForURL", cookies_for_url)?;
        method(prototype, c"set", set)?;
        method(prototype, c"clear", clear)?;
        method(prototype, c"delete", delete)
    }
}

/// Adds both functions that return a jar.
pub(super) fn install(exports: &Object<'_>) -> Result<(), Throw> {
    method(exports, c"cookieJar", cookie_jar)?;
    let prototype = class::prototype::<JarObject>(exports.ctx())?;
    // As in k6, it needs no `new`.
    constructor_or_function(exports, c"CookieJar", new_jar, &prototype)?;
    Ok(())
}

/// The jar of a script object.
pub(in crate::modules) fn of(value: &Value<'_>) -> Option<Rc<Jar>> {
    class::of::<JarObject>(value).map(|object| Rc::clone(&object.0))
}

fn cookie_jar<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain(
            "getting the VU cookie jar in the init context is not supported",
        ));
    }
    let jar = Rc::clone(&vu.jar.borrow());
    Ok(class::new(call.ctx, JarObject(jar))?.into_value())
}

fn new_jar<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(class::new(call.ctx, JarObject(Rc::default()))?.into_value())
}

/// The jar, and the URL if it can have cookies.
fn target(call: &Call<'_, '_>) -> Result<(Rc<Jar>, Option<Url>), Throw> {
    let jar = of(&call.this()).ok_or_else(|| Throw::Type("this is not a cookie jar".to_owned()))?;
    let text = convert::go_string(&call.arg(0))?;
    match Url::parse(&text) {
        Ok(url) => Ok((jar, Some(url))),
        // The URL is valid but cannot have cookies.
        Err(UrlError::Scheme(_) | UrlError::NoHost) => Ok((jar, None)),
        Err(error) => Err(plain(format!("parse {}: {error}", quoted(&text)))),
    }
}

fn cookies_for_url<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (jar, url) = target(call)?;
    let object = Object::new(call.ctx.clone())?;
    let matching = url.map(|url| jar.matching(&url, SystemTime::now()));
    for (name, value) in matching.unwrap_or_default() {
        let values: Option<Array<'js>> = object.get(name.as_str())?;
        let values = match values {
            Some(values) => values,
            None => Array::new(call.ctx.clone())?,
        };
        values.set(values.len(), value)?;
        object.set(name, values)?;
    }
    Ok(object.into_value())
}

fn set<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (jar, url) = target(call)?;
    let mut cookie = Cookie {
        name: convert::go_string(&call.arg(1))?,
        value: convert::go_string(&call.arg(2))?,
        ..Cookie::default()
    };
    if let Some(options) = call.given(3).as_ref().and_then(Value::as_object) {
        for (key, value) in convert::entries(options)? {
            match key.as_str() {
                "path" => cookie.path = convert::to_text(&value)?,
                "domain" => cookie.domain = convert::to_text(&value)?,
                "secure" => cookie.secure = convert::is_truthy(&value),
                "http_only" => cookie.http_only = convert::is_truthy(&value),
                "max_age" => cookie.max_age = convert::to_number(&value)? as i64,
                "expires" => {
                    let text = convert::to_text(&value)?;
                    let bad = || {
                        plain(format!(
                            "unable to parse \"expires\" date string \"{text}\": parsing time \"{text}\" as \"Mon, 02 Jan 2006 15:04:05 MST\": cannot parse \"{text}\" as \"Mon\""
                        ))
                    };
                    cookie.expires = Some(parse_date(&text).ok_or_else(bad)?);
                }
                _ => {}
            }
        }
    }
    if let Some(url) = url {
        jar.set(&url, cookie, SystemTime::now());
    }
    Ok(call.bool(true))
}

fn clear<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (jar, url) = target(call)?;
    if let Some(url) = url {
        jar.remove(&url, None, SystemTime::now());
    }
    Ok(call.undefined())
}

fn delete<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (jar, url) = target(call)?;
    let name = convert::go_string(&call.arg(1))?;
    let url = url.ok_or_else(|| plain("cookie: is null"))?;
    jar.remove(&url, Some(&name), SystemTime::now());
    Ok(call.undefined())
}
