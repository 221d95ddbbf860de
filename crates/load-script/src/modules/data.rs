//! `k6/data`: SharedArray, one copy per process.
//!
//! To scripts it is an array: a proxy of an empty array, whose handler has the items. Only the proxy of an
//! array is an array for `Array.isArray`, `concat`, `flat` and `JSON.stringify`.

use std::ffi::CStr;
use std::sync::{Arc, PoisonError};

use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, constructor_or_function, method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Object, Value};

use crate::vu::state::Caller;

/// The value of a shared array's handler: the items as JSON text.
struct Shared(Arc<[Box<str>]>);

impl Class for Shared {
    const NAME: &'static CStr = c"SharedArray";

    /// The traps of the proxy.
    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
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
    // As in k6, it needs no `new`.
    constructor_or_function(&exports, c"SharedArray", make, &prototype)?;
    Ok(exports)
}

/// A shared array of existing items, as JSON text.
pub(super) fn array<'js>(ctx: &Ctx<'js>, items: Arc<[Box<str>]>) -> Outcome<'js> {
    let handler = class::new(ctx, Shared(items))?;
    let target = Array::new(ctx.clone())?;
    convert::proxy(target.as_object(), &handler)
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
    if convert::is_async_function(&filler) {
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

/// Stands for an item without JSON, which cannot be read in k6.
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

/// The property that a script accesses.
enum PropertyKey {
    Length,
    Index(usize),
    Name(String),
    Symbol,
}

/// The property that the argument at `index` of a trap names.
fn property_key(call: &Call<'_, '_>, index: usize) -> Result<PropertyKey, Throw> {
    let property = call.arg(index);
    if property.is_symbol() {
        return Ok(PropertyKey::Symbol);
    }
    let name = convert::to_text(&property)?;
    if name == "length" {
        return Ok(PropertyKey::Length);
    }
    // Other spellings of a number, such as `01`, are names.
    let is_plain = name == "0" || name.starts_with(|first: char| matches!(first, '1'..='9'));
    match name.parse() {
        Ok(index) if is_plain => Ok(PropertyKey::Index(index)),
        _ => Ok(PropertyKey::Name(name)),
    }
}

/// The items of the called handler.
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
    match property_key(call, 1)? {
        PropertyKey::Length => Ok(convert::number(call.ctx, items.len() as f64)),
        PropertyKey::Index(index) => items
            .get(index)
            .map_or_else(|| Ok(call.undefined()), |json| item(call.ctx, json)),
        // The methods of arrays, which the target inherits.
        PropertyKey::Name(_) | PropertyKey::Symbol => Ok(target(call)?.get(call.arg(1))?),
    }
}

fn has<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let has = match property_key(call, 1)? {
        PropertyKey::Length => true,
        PropertyKey::Index(index) => index < items(call).len(),
        PropertyKey::Name(_) | PropertyKey::Symbol => target(call)?.contains_key(call.arg(1))?,
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

/// As k6 describes them: as writable, and as existing beyond the end.
fn describe<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let items = items(call);
    let (value, is_length) = match property_key(call, 1)? {
        PropertyKey::Length => (convert::number(call.ctx, items.len() as f64), true),
        PropertyKey::Index(index) => match items.get(index) {
            Some(json) => (item(call.ctx, json)?, false),
            None => (call.undefined(), false),
        },
        PropertyKey::Name(_) | PropertyKey::Symbol => return Ok(call.undefined()),
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
    match property_key(call, 1)? {
        PropertyKey::Length | PropertyKey::Index(_) => immutable(),
        PropertyKey::Name(name) => refuse_name("set", &name),
        PropertyKey::Symbol => no_symbols(),
    }
}

fn refuse_to_define<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match property_key(call, 1)? {
        PropertyKey::Index(_) => immutable(),
        PropertyKey::Length => refuse_name("define", "length"),
        PropertyKey::Name(name) => refuse_name("define", &name),
        PropertyKey::Symbol => no_symbols(),
    }
}

/// A missing property can be deleted.
fn refuse_to_delete<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    match property_key(call, 1)? {
        PropertyKey::Index(index) if index < items(call).len() => immutable(),
        PropertyKey::Length => refuse_name("delete", "length"),
        _ => Ok(call.bool(true)),
    }
}

fn refuse_to_freeze<'js>(_call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = "Cannot make a dynamic object non-extensible";
    Err(Throw::Type(text.to_owned()))
}

/// A new, deeply frozen copy of an item.
fn item<'js>(ctx: &Ctx<'js>, json: &str) -> Outcome<'js> {
    if json == NO_JSON {
        let why = "invalid character 'u' looking for beginning of value";
        return Err(script_engine::Exception::throw_syntax(ctx, why).into());
    }
    let value = convert::from_json(ctx, json)?;
    convert::freeze(&value)?;
    Ok(value)
}
