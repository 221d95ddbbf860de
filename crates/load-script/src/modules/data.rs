//! `k6/data`: SharedArray, one copy per process.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::{Arc, PoisonError};

use rquickjs::{Ctx, Object, Value, qjs};

use crate::js::class::{self, Class};
use crate::js::convert;
use crate::js::native::{
    Call, Outcome, Shape, Throw, Visible, constructor, define, function, plain,
};

/// What a shared array object owns: its items as JSON text.
struct Shared(Arc<[Box<str>]>);

impl Class for Shared {
    const NAME: &'static CStr = c"SharedArray";

    fn exotic() -> *mut qjs::JSClassExoticMethods {
        EXOTIC.0.get()
    }

    fn prototype(prototype: &Object<'_>) -> rquickjs::Result<()> {
        // Array's methods work on anything with a length and indices.
        let ctx = prototype.ctx();
        let array: Object<'_> = ctx.globals().get("Array")?;
        let methods: Object<'_> = array.get("prototype")?;
        prototype.set_prototype(Some(&methods))?;
        let json = function(ctx, to_json, c"toJSON", Shape::Function)?;
        define(prototype, c"toJSON", json.into_value(), Visible::No)?;
        let values = function(ctx, forbid, c"forbid", Shape::Function)?;
        define(prototype, c"__readonly", values.into_value(), Visible::No)
    }
}

/// The hooks, in a place that the engine may take a mutable pointer to; it never writes there.
struct Hooks(std::cell::UnsafeCell<qjs::JSClassExoticMethods>);
// SAFETY: the engine only reads the hooks.
unsafe impl Sync for Hooks {}

static EXOTIC: Hooks = Hooks(std::cell::UnsafeCell::new(qjs::JSClassExoticMethods {
    get_own_property: Some(get_own_property),
    get_own_property_names: Some(get_own_property_names),
    delete_property: None,
    define_own_property: Some(define_own_property),
    has_property: None,
    get_property: None,
    set_property: None,
}));

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<Shared>(ctx)?;
    constructor(&exports, c"SharedArray", make, &prototype)?;
    Ok(exports)
}

/// A shared array of items that are there already, as JSON text.
pub(super) fn array<'js>(ctx: &Ctx<'js>, items: Arc<[Box<str>]>) -> Outcome<'js> {
    Ok(class::new(ctx, Shared(items))?.into_value())
}

fn make<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if !vu.is_init() {
        return Err(plain("new SharedArray must be called in the init context"));
    }
    let name = call
        .given(0)
        .map_or(Ok(String::new()), |name| convert::to_text(&name))?;
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
    Ok(class::new(call.ctx, Shared(items))?.into_value())
}

fn serialize(array: &Value<'_>) -> Result<Arc<[Box<str>]>, Throw> {
    let array = array
        .as_array()
        .ok_or_else(|| plain("only arrays can be made into SharedArray"))?;
    let items = convert::items(array)?;
    let texts = items.iter().map(|item| {
        Ok(convert::to_json(item)?
            .unwrap_or_else(|| "null".to_owned())
            .into_boxed_str())
    });
    texts.collect::<Result<Vec<_>, Throw>>().map(Arc::from)
}

/// As JSON it is an array, which the engine does not see in it.
fn to_json<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let Some(Shared(items)) = class::of::<Shared>(&this) else {
        return Ok(this);
    };
    convert::from_json(call.ctx, &format!("[{}]", items.join(",")))
}

fn forbid<'js>(_call: &Call<'_, 'js>) -> Outcome<'js> {
    Err(Throw::Type("SharedArray is immutable".to_owned()))
}

/// Which property an atom asks for.
enum Asked {
    Length,
    Index(usize),
    Other,
}

/// # Safety
/// Called with a live realm and atom.
unsafe fn asked(ctx: *mut qjs::JSContext, atom: qjs::JSAtom) -> Asked {
    // SAFETY: see above; symbols have no text and are none of ours.
    unsafe {
        let value = qjs::JS_AtomToValue(ctx, atom);
        let is_symbol = qjs::JS_IsSymbol(value);
        qjs::JS_FreeValue(ctx, value);
        if is_symbol {
            return Asked::Other;
        }
        let mut length: qjs::size_t = 0;
        let text = qjs::JS_AtomToCStringLen(ctx, &mut length, atom);
        if text.is_null() {
            return Asked::Other;
        }
        let name = CStr::from_ptr(text).to_str().unwrap_or("");
        let asked = if name == "length" {
            Asked::Length
        } else {
            name.parse().map_or(Asked::Other, Asked::Index)
        };
        qjs::JS_FreeCString(ctx, text);
        asked
    }
}

unsafe extern "C" fn get_own_property(
    ctx: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
) -> c_int {
    let Some(raw) = NonNull::new(ctx) else {
        return -1;
    };
    // SAFETY: called for objects of this class only, with a live realm.
    let (shared, asked, ctx) = unsafe {
        (
            class::of_raw::<Shared>(object),
            asked(ctx, atom),
            Ctx::from_raw(raw),
        )
    };
    let Some(Shared(items)) = shared else {
        return 0;
    };
    let value = match asked {
        Asked::Length => Ok(convert::number(&ctx, items.len() as f64)),
        Asked::Index(index) if index < items.len() => {
            if descriptor.is_null() {
                return 1;
            }
            item(&ctx, &items[index])
        }
        _ => return 0,
    };
    let is_length = matches!(asked, Asked::Length);
    match value {
        Ok(_) if descriptor.is_null() => 1,
        Ok(value) => {
            // SAFETY: the descriptor is ours to fill and takes over the duplicate.
            unsafe {
                (*descriptor).flags = if is_length {
                    0
                } else {
                    qjs::JS_PROP_ENUMERABLE as c_int
                };
                (*descriptor).value = qjs::JS_DupValue(raw.as_ptr(), value.as_raw());
                (*descriptor).getter = qjs::JS_UNDEFINED;
                (*descriptor).setter = qjs::JS_UNDEFINED;
            }
            1
        }
        Err(throw) => {
            crate::js::exception::raise(&ctx, throw);
            -1
        }
    }
}

/// A fresh, deeply frozen copy of an item.
fn item<'js>(ctx: &Ctx<'js>, json: &str) -> Outcome<'js> {
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

unsafe extern "C" fn get_own_property_names(
    ctx: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
    object: qjs::JSValue,
) -> c_int {
    // SAFETY: called for objects of this class only; the engine frees the table that it allocated.
    unsafe {
        let count = class::of_raw::<Shared>(object).map_or(0, |shared| shared.0.len());
        let size = count.max(1) * size_of::<qjs::JSPropertyEnum>();
        let entries = qjs::js_malloc(ctx, size as qjs::size_t).cast::<qjs::JSPropertyEnum>();
        if entries.is_null() {
            return -1;
        }
        for index in 0..count {
            let atom = qjs::JS_NewAtomUInt32(ctx, u32::try_from(index).unwrap_or(u32::MAX));
            entries.add(index).write(qjs::JSPropertyEnum {
                is_enumerable: true,
                atom,
            });
        }
        *table = entries;
        *length = u32::try_from(count).unwrap_or(u32::MAX);
    }
    0
}

unsafe extern "C" fn define_own_property(
    ctx: *mut qjs::JSContext,
    _object: qjs::JSValue,
    _atom: qjs::JSAtom,
    _value: qjs::JSValue,
    _getter: qjs::JSValue,
    _setter: qjs::JSValue,
    _flags: c_int,
) -> c_int {
    // SAFETY: a live realm and a C string.
    unsafe { qjs::JS_ThrowTypeError(ctx, c"SharedArray is immutable".as_ptr()) };
    -1
}
