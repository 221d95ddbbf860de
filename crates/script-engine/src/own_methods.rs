//! Methods that look like an object's own properties: in k6 `Object.keys(jar)` lists them.
//!
//! They stay methods of the prototype; the hooks only report that the object has them. The methods of a Go
//! value are listed by name, properties that k6 defines one by one in the order of their definition here. A
//! method that is read is bound to its object: `values.forEach(trend.add)` works in k6.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::ptr;

use rquickjs::{Object, Value, qjs};

use super::class::Exotic;

/// The hooks, in a place that the engine may take a mutable pointer to; it never writes there.
struct Hooks(UnsafeCell<qjs::JSClassExoticMethods>);
// SAFETY: the engine only reads the hooks.
unsafe impl Sync for Hooks {}

static BY_NAME: Hooks = Hooks(UnsafeCell::new(hooks(names_sorted)));
static AS_DEFINED: Hooks = Hooks(UnsafeCell::new(hooks(names_as_defined)));

type Names = unsafe extern "C" fn(
    *mut qjs::JSContext,
    *mut *mut qjs::JSPropertyEnum,
    *mut u32,
    qjs::JSValue,
) -> c_int;

const fn hooks(names: Names) -> qjs::JSClassExoticMethods {
    qjs::JSClassExoticMethods {
        get_own_property: Some(get_own_property),
        get_own_property_names: Some(names),
        delete_property: None,
        define_own_property: None,
        has_property: None,
        get_property: None,
        set_property: None,
    }
}

/// The hooks of a class whose objects show their methods as their own, by name.
pub fn by_name() -> Exotic {
    Exotic(BY_NAME.0.get())
}

/// The same, accessors included, in the order in which the prototype has them.
pub fn as_defined() -> Exotic {
    Exotic(AS_DEFINED.0.get())
}

unsafe extern "C" fn get_own_property(
    ctx: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
) -> c_int {
    let mut found = 0;
    // SAFETY: the engine calls with a live realm, object and atom; the descriptor is null or to be filled.
    unsafe {
        each_prototype(ctx, object, |prototype| {
            let Some(member) = member(ctx, prototype, atom) else {
                return true;
            };
            found = 1;
            if descriptor.is_null() {
                free(ctx, &member);
                return false;
            }
            *descriptor = member;
            if qjs::JS_IsFunction(ctx, member.value) {
                (*descriptor).value = bind(ctx, object, member.value);
                qjs::JS_FreeValue(ctx, member.value);
                if qjs::JS_IsException((*descriptor).value) {
                    found = -1;
                }
            }
            false
        });
    }
    found
}

/// The method with `object` as its `this`, whatever it is called with.
pub fn bound<'js>(object: &Object<'js>, method: &Value<'js>) -> Value<'js> {
    let ctx = object.ctx();
    // SAFETY: a live object and function of a live realm; the value owns the result.
    unsafe {
        let raw = bind(ctx.as_raw().as_ptr(), object.as_raw(), method.as_raw());
        Value::from_raw(ctx.clone(), raw)
    }
}

/// The same for raw values.
///
/// # Safety
/// The realm, the object and the method must be live. The result belongs to the caller.
pub(crate) unsafe fn bind(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    method: qjs::JSValue,
) -> qjs::JSValue {
    let mut data = [object, method];
    // SAFETY: see above; the function has references of its own to both.
    unsafe { qjs::JS_NewCFunctionData(ctx, Some(call_bound), 0, 0, 2, data.as_mut_ptr()) }
}

unsafe extern "C" fn call_bound(
    ctx: *mut qjs::JSContext,
    _this: qjs::JSValue,
    count: c_int,
    arguments: *mut qjs::JSValue,
    _magic: c_int,
    data: *mut qjs::JSValue,
) -> qjs::JSValue {
    // SAFETY: the engine calls with the object and the method that `bind` gave, and `count` arguments.
    unsafe { qjs::JS_Call(ctx, *data.add(1), *data, count, arguments) }
}

unsafe extern "C" fn names_sorted(
    ctx: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
    object: qjs::JSValue,
) -> c_int {
    // SAFETY: as the engine calls us.
    unsafe { list(ctx, Output { table, length }, object, true) }
}

unsafe extern "C" fn names_as_defined(
    ctx: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
    object: qjs::JSValue,
) -> c_int {
    // SAFETY: as the engine calls us.
    unsafe { list(ctx, Output { table, length }, object, false) }
}

/// The output pointers for a list of names.
struct Output {
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
}

/// Lists the names of an object's members.
///
/// # Safety
/// The realm and the object must be live, the places there to be written to.
unsafe fn list(
    ctx: *mut qjs::JSContext,
    output: Output,
    object: qjs::JSValue,
    is_sorted: bool,
) -> c_int {
    let mut methods: Vec<(Vec<u8>, qjs::JSAtom)> = Vec::new();
    // SAFETY: a live realm and object; the engine frees the table and its atoms.
    unsafe {
        each_prototype(ctx, object, |prototype| {
            add_methods(ctx, prototype, &mut methods);
            true
        });
        if is_sorted {
            methods.sort();
        }
        let size = (methods.len() * size_of::<qjs::JSPropertyEnum>()).max(1);
        let entries = qjs::js_malloc(ctx, size as qjs::size_t).cast::<qjs::JSPropertyEnum>();
        if entries.is_null() {
            for (_, atom) in methods {
                qjs::JS_FreeAtom(ctx, atom);
            }
            return -1;
        }
        for (at, (_, atom)) in methods.iter().enumerate() {
            entries.add(at).write(qjs::JSPropertyEnum {
                is_enumerable: true,
                atom: *atom,
            });
        }
        *output.table = entries;
        *output.length = u32::try_from(methods.len()).unwrap_or(0);
    }
    0
}

/// Adds the names of a prototype's methods that are not there yet.
///
/// # Safety
/// The realm and the prototype must be live. The atoms belong to the caller.
unsafe fn add_methods(
    ctx: *mut qjs::JSContext,
    prototype: qjs::JSValue,
    methods: &mut Vec<(Vec<u8>, qjs::JSAtom)>,
) {
    let flags = qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY;
    let (mut names, mut count) = (ptr::null_mut(), 0);
    // SAFETY: see above; the table is freed below, and with it its references to atoms.
    unsafe {
        if qjs::JS_GetOwnPropertyNames(ctx, &mut names, &mut count, prototype, flags as c_int) < 0 {
            qjs::JS_FreeValue(ctx, qjs::JS_GetException(ctx));
            return;
        }
        for at in 0..count as usize {
            let atom = (*names.add(at)).atom;
            let Some(member) = member(ctx, prototype, atom) else {
                continue;
            };
            free(ctx, &member);
            let mut bytes: qjs::size_t = 0;
            let text = qjs::JS_AtomToCStringLen(ctx, &mut bytes, atom);
            if text.is_null() {
                continue;
            }
            let name = std::slice::from_raw_parts(text.cast::<u8>(), bytes as usize).to_vec();
            qjs::JS_FreeCString(ctx, text);
            if methods.iter().all(|(known, _)| *known != name) {
                methods.push((name, qjs::JS_DupAtom(ctx, atom)));
            }
        }
        qjs::JS_FreePropertyEnum(ctx, names, count);
    }
}

/// Visits the prototypes of an object, except for the last one, that of all objects, as long as `look` returns
/// true.
///
/// # Safety
/// The realm and the object must be live.
unsafe fn each_prototype(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    mut look: impl FnMut(qjs::JSValue) -> bool,
) {
    // SAFETY: see above; every reference that is got is given back.
    unsafe {
        let mut prototype = qjs::JS_GetPrototype(ctx, object);
        loop {
            let next = if qjs::JS_IsObject(prototype) {
                qjs::JS_GetPrototype(ctx, prototype)
            } else {
                qjs::JS_NULL
            };
            let goes_on = qjs::JS_IsObject(next) && look(prototype);
            qjs::JS_FreeValue(ctx, prototype);
            prototype = next;
            if !goes_on {
                qjs::JS_FreeValue(ctx, prototype);
                return;
            }
        }
    }
}

/// The enumerable function or accessor that is a property of the prototype itself; its references belong to the
/// caller.
///
/// # Safety
/// The realm, the prototype and the atom must be live.
unsafe fn member(
    ctx: *mut qjs::JSContext,
    prototype: qjs::JSValue,
    atom: qjs::JSAtom,
) -> Option<qjs::JSPropertyDescriptor> {
    // SAFETY: see above; the descriptor's values are freed or passed on.
    unsafe {
        let mut own = std::mem::zeroed::<qjs::JSPropertyDescriptor>();
        if qjs::JS_GetOwnProperty(ctx, &mut own, prototype, atom) <= 0 {
            return None;
        }
        let has = |flag: u32| own.flags as u32 & flag != 0;
        let is_member = has(qjs::JS_PROP_GETSET) || qjs::JS_IsFunction(ctx, own.value);
        if is_member && has(qjs::JS_PROP_ENUMERABLE) {
            return Some(own);
        }
        free(ctx, &own);
        None
    }
}

/// # Safety
/// The realm must be live; the descriptor's references are released.
unsafe fn free(ctx: *mut qjs::JSContext, descriptor: &qjs::JSPropertyDescriptor) {
    // SAFETY: see above.
    unsafe {
        qjs::JS_FreeValue(ctx, descriptor.value);
        qjs::JS_FreeValue(ctx, descriptor.getter);
        qjs::JS_FreeValue(ctx, descriptor.setter);
    }
}
