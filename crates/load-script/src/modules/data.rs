//! `k6/data`: SharedArray, one copy per process.
//!
//! To scripts it is an array: a proxy of an empty one, whose handler knows the items. Only a proxy
//! of an array passes for one with `Array.isArray`, `concat`, `flat` and `JSON.stringify`.

use std::ffi::CStr;
use std::sync::{Arc, PoisonError};

use rquickjs::{Array, Ctx, Object, Value, qjs};

use crate::js::class::{self, Class};
use crate::js::convert;
use crate::js::native::{Call, Outcome, Throw, constructor_or_function, method, plain};

/// What the handler of a shared array owns: the items as JSON text.
struct Shared(Arc<[Box<str>]>);

impl Class for Shared {
    const NAME: &'static CStr = c"SharedArray";

    /// The traps of the proxy.
    fn prototype(prototype: &Object<'_>) -> rquickjs::Result<()> {
        method(prototype, c"get", get)?;
        method(prototype, c"has", has)?;
        method(prototype, c"ownKeys", own_keys)?;
        method(prototype, c"getOwnPropertyDescriptor", describe)?;
        method(prototype, c"set", refuse_to_set)?;
        method(prototype, c"defineProperty", refuse_to_define)?;
        method(prototype, c"deleteProperty", refuse_to_delete)?;
        method(prototype, c"preventExtensions", refuse_to_freeze)
    }
}

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = Object::new(ctx.clone())?;
    // As k6 has it, it needs no `new`.
    constructor_or_function(&exports, c"SharedArray", make, &prototype)?;
    Ok(exports)
}

/// A shared array of items that are there already, as JSON text.
pub(super) fn array<'js>(ctx: &Ctx<'js>, items: Arc<[Box<str>]>) -> Outcome<'js> {
    let handler = class::new(ctx, Shared(items))?;
    let target = Array::new(ctx.clone())?;
    // SAFETY: both are live objects of this realm; the proxy keeps them alive, and the value owns it.
    let proxy = unsafe {
        let raw = qjs::JS_NewProxy(ctx.as_raw().as_ptr(), target.as_raw(), handler.as_raw());
        Value::from_raw(ctx.clone(), raw)
    };
    if proxy.is_exception() {
        return Err(Throw::Engine(rquickjs::Error::Exception));
    }
    Ok(proxy)
}

fn make<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if !vu.is_init() {
        return Err(plain("new SharedArray must be called in the init context"));
    }
    let name = call.text(0)?;
    if name.is_empty() {
        return Err(plain("empty name provided to SharedArray's constructor"));
    }
    let filler = call.arg(1);
    let function = convert::function(&filler).ok_or_else(|| {
        plain("a function is expected as the second argument of SharedArray's constructor")
    })?;
    // SAFETY: the value is alive.
    if unsafe { qjs::JS_IsAsyncFunction(filler.as_raw()) } {
        return Err(plain(
            "SharedArray constructor does not support async functions as second argument",
        ));
    }
    let known = vu
        .script
        .shared_arrays
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&name)
        .cloned();
    let items = match known {
        Some(items) => items,
        None => {
            let items = serialize(&function.call(())?)?;
            let mut arrays = vu
                .script
                .shared_arrays
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(arrays.entry(name).or_insert(items))
        }
    };
    array(call.ctx, items)
}

/// Stands for an item that has no JSON. In k6 it cannot be read.
const NO_JSON: &str = "undefined";

fn serialize(array: &Value<'_>) -> Result<Arc<[Box<str>]>, Throw> {
    if array.is_null() || array.is_undefined() {
        let why = "Cannot convert undefined or null to object";
        return Err(Throw::Type(why.to_owned()));
    }
    let array = array
        .as_array()
        .ok_or_else(|| plain("only arrays can be made into SharedArray"))?;
    let items = convert::items(array)?;
    let texts = items.iter().map(|item| {
        Ok(convert::to_json(item)?
            .unwrap_or_else(|| NO_JSON.to_owned())
            .into_boxed_str())
    });
    texts.collect::<Result<Vec<_>, Throw>>().map(Arc::from)
}

/// Which property a script asks for.
enum Asked {
    Length,
    Index(usize),
    Name(String),
    Symbol,
}

/// The property that the argument at `index` of a trap names.
fn asked(call: &Call<'_, '_>, index: usize) -> Result<Asked, Throw> {
    let property = call.arg(index);
    if property.is_symbol() {
        return Ok(Asked::Symbol);
    }
    let name = convert::to_text(&property)?;
    if name == "length" {
        return Ok(Asked::Length);
    }
    // Other spellings of a number, as `01`, are names.
    let is_plain = name == "0" || name.starts_with(|first: char| matches!(first, '1'..='9'));
    match name.parse() {
        Ok(index) if is_plain => Ok(Asked::Index(index)),
        _ => Ok(Asked::Name(name)),
    }
}

/// The items of the handler that is called.
fn items(call: &Call<'_, '_>) -> Arc<[Box<str>]> {
    let this = call.this();
    class::of::<Shared>(&this).map_or_else(|| Arc::from([]), |shared| Arc::clone(&shared.0))
}

fn target<'js>(call: &Call<'_, 'js>) -> Result<Object<'js>, Throw> {
    let target = call.arg(0);
    target.into_object().ok_or_else(|| plain("no target"))
}

fn get<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let items = items(call);
    match asked(call, 1)? {
        Asked::Length => Ok(convert::number(call.ctx, items.len() as f64)),
        Asked::Index(index) => items
            .get(index)
            .map_or_else(|| Ok(call.undefined()), |json| item(call.ctx, json)),
        // The methods of arrays, which the target inherits.
        Asked::Name(_) | Asked::Symbol => Ok(target(call)?.get(call.arg(1))?),
    }
}

fn has<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let has = match asked(call, 1)? {
        Asked::Length => true,
        Asked::Index(index) => index < items(call).len(),
        Asked::Name(_) | Asked::Symbol => target(call)?.contains_key(call.arg(1))?,
    };
    Ok(call.bool(has))
}

fn own_keys<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let keys = Array::new(call.ctx.clone())?;
    let count = items(call).len();
    for index in 0..count {
        keys.set(index, index.to_string())?;
    }
    keys.set(count, "length")?;
    Ok(keys.into_value())
}

/// As k6 describes them: as if they could be written, and as if there were any beyond the end.
fn describe<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let items = items(call);
    let (value, is_length) = match asked(call, 1)? {
        Asked::Length => (convert::number(call.ctx, items.len() as f64), true),
        Asked::Index(index) => match items.get(index) {
            Some(json) => (item(call.ctx, json)?, false),
            None => (call.undefined(), false),
        },
        Asked::Name(_) | Asked::Symbol => return Ok(call.undefined()),
    };
    let description = Object::new(call.ctx.clone())?;
    description.set("value", value)?;
    description.set("writable", true)?;
    description.set("enumerable", !is_length)?;
    description.set("configurable", !is_length)?;
    Ok(description.into_value())
}

fn immutable<'js>() -> Outcome<'js> {
    Err(Throw::Type("SharedArray is immutable".to_owned()))
}

fn no_symbols<'js>() -> Outcome<'js> {
    let text = "Dynamic objects do not support Symbol properties";
    Err(Throw::Type(text.to_owned()))
}

fn refuse_name<'js>(verb: &str, name: &str) -> Outcome<'js> {
    let text = format!("Cannot {verb} property \"{name}\" on a dynamic array");
    Err(Throw::Type(text))
}

fn refuse_to_set<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match asked(call, 1)? {
        Asked::Length | Asked::Index(_) => immutable(),
        Asked::Name(name) => refuse_name("set", &name),
        Asked::Symbol => no_symbols(),
    }
}

fn refuse_to_define<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match asked(call, 1)? {
        Asked::Index(_) => immutable(),
        Asked::Length => refuse_name("define", "length"),
        Asked::Name(name) => refuse_name("define", &name),
        Asked::Symbol => no_symbols(),
    }
}

/// What is not there can be deleted.
fn refuse_to_delete<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match asked(call, 1)? {
        Asked::Index(index) if index < items(call).len() => immutable(),
        Asked::Length => refuse_name("delete", "length"),
        _ => Ok(call.bool(true)),
    }
}

fn refuse_to_freeze<'js>(_call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = "Cannot make a dynamic object non-extensible";
    Err(Throw::Type(text.to_owned()))
}

/// A fresh, deeply frozen copy of an item.
fn item<'js>(ctx: &Ctx<'js>, json: &str) -> Outcome<'js> {
    if json == NO_JSON {
        let why = "invalid character 'u' looking for beginning of value";
        return Err(rquickjs::Exception::throw_syntax(ctx, why).into());
    }
    let value = convert::from_json(ctx, json)?;
    freeze(&value)?;
    Ok(value)
}

fn freeze(value: &Value<'_>) -> Result<(), Throw> {
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for (_, inner) in convert::entries(object)? {
        freeze(&inner)?;
    }
    // SAFETY: a live object of a live realm.
    unsafe { qjs::JS_FreezeObject(value.ctx().as_raw().as_ptr(), value.as_raw()) };
    Ok(())
}
