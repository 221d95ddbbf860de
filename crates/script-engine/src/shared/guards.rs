//! Wrappers of the functions that change an object without a write to its properties: they report the change.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::ptr;

use rquickjs::qjs;

use super::anatomy::address_of;
use super::builtins::Builtins;

thread_local! {
    /// The built-ins of the VU that runs on this thread.
    static CURRENT: Cell<*const Builtins> = const { Cell::new(ptr::null()) };
}

/// Sets the built-ins that are in use on this thread. They must not move until others are set.
pub(super) fn set(builtins: Option<&Builtins>) {
    CURRENT.set(builtins.map_or(ptr::null(), ptr::from_ref));
}

/// Holder, name, number of parameters.
const GUARDED: &[(&CStr, &CStr, c_int)] = &[
    (c"Object", c"defineProperty", 3),
    (c"Object", c"defineProperties", 2),
    (c"Object", c"setPrototypeOf", 2),
    (c"Object", c"preventExtensions", 1),
    (c"Object", c"seal", 1),
    (c"Object", c"freeze", 1),
    (c"Reflect", c"defineProperty", 3),
    (c"Reflect", c"setPrototypeOf", 2),
    (c"Reflect", c"preventExtensions", 1),
];

/// Replaces these functions by guards.
///
/// # Safety
/// `ctx` must be a live context with its first built-ins.
pub(super) unsafe fn install(ctx: *mut qjs::JSContext) {
    // SAFETY: see above; all references are freed or handed over.
    unsafe {
        let global = qjs::JS_GetGlobalObject(ctx);
        for (holder, name, length) in GUARDED {
            let holder = qjs::JS_GetPropertyStr(ctx, global, holder.as_ptr());
            let original = qjs::JS_GetPropertyStr(ctx, holder, name.as_ptr());
            let looks = Looks {
                name,
                length: *length,
            };
            let guard = guard(ctx, original, looks, FIRST_ARGUMENT);
            let flags = (qjs::JS_PROP_WRITABLE | qjs::JS_PROP_CONFIGURABLE) as c_int;
            qjs::JS_DefinePropertyValueStr(ctx, holder, name.as_ptr(), guard, flags);
            qjs::JS_FreeValue(ctx, original);
            qjs::JS_FreeValue(ctx, holder);
        }
        guard_prototype_setter(ctx, global);
        qjs::JS_FreeValue(ctx, global);
    }
}

/// `object.__proto__ = …`
unsafe fn guard_prototype_setter(ctx: *mut qjs::JSContext, global: qjs::JSValue) {
    // SAFETY: as for `install`.
    unsafe {
        let object = qjs::JS_GetPropertyStr(ctx, global, c"Object".as_ptr());
        let prototype = qjs::JS_GetPropertyStr(ctx, object, c"prototype".as_ptr());
        let name = qjs::JS_NewAtom(ctx, c"__proto__".as_ptr());
        let mut descriptor = qjs::JSPropertyDescriptor {
            flags: 0,
            value: qjs::JS_UNDEFINED,
            getter: qjs::JS_UNDEFINED,
            setter: qjs::JS_UNDEFINED,
        };
        if qjs::JS_GetOwnProperty(ctx, &mut descriptor, prototype, name) > 0 {
            let looks = Looks {
                name: c"set __proto__",
                length: 1,
            };
            let setter = guard(ctx, descriptor.setter, looks, THIS);
            let flags = (qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_HAS_SET) as c_int;
            qjs::JS_DefineProperty(
                ctx,
                prototype,
                name,
                qjs::JS_UNDEFINED,
                qjs::JS_UNDEFINED,
                setter,
                flags,
            );
            for value in [
                setter,
                descriptor.value,
                descriptor.getter,
                descriptor.setter,
            ] {
                qjs::JS_FreeValue(ctx, value);
            }
        }
        qjs::JS_FreeAtom(ctx, name);
        qjs::JS_FreeValue(ctx, prototype);
        qjs::JS_FreeValue(ctx, object);
    }
}

/// The value that a call may change.
const FIRST_ARGUMENT: c_int = 0;
const THIS: c_int = 1;

/// The name and the number of parameters that a function shows.
struct Looks<'a> {
    name: &'a CStr,
    length: c_int,
}

/// # Safety
/// `ctx` and `original` must be live.
unsafe fn guard(
    ctx: *mut qjs::JSContext,
    mut original: qjs::JSValue,
    looks: Looks<'_>,
    which: c_int,
) -> qjs::JSValue {
    let Looks { name, length } = looks;
    // SAFETY: see above; the function keeps a reference of its own to the original.
    unsafe {
        let guard = qjs::JS_NewCFunctionData(ctx, Some(call), length, which, 1, &raw mut original);
        let text = qjs::JS_NewStringLen(ctx, name.as_ptr(), name.count_bytes() as qjs::size_t);
        let flags = qjs::JS_PROP_CONFIGURABLE as c_int;
        qjs::JS_DefinePropertyValueStr(ctx, guard, c"name".as_ptr(), text, flags);
        guard
    }
}

unsafe extern "C" fn call(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    count: c_int,
    arguments: *mut qjs::JSValue,
    which: c_int,
    original: *mut qjs::JSValue,
) -> qjs::JSValue {
    // SAFETY: the engine calls with live values; what the thread points to is alive while a VU runs.
    unsafe {
        let target = if which == THIS {
            this
        } else if count > 0 {
            *arguments
        } else {
            qjs::JS_UNDEFINED
        };
        if qjs::JS_IsObject(target)
            && let Some(builtins) = CURRENT.get().as_ref()
            && builtins.has(address_of(target))
        {
            builtins.note_change(address_of(target));
        }
        qjs::JS_Call(ctx, *original, this, count, arguments)
    }
}
