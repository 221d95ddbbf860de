//! Properties of objects, set without calling setters.

use std::ffi::{CStr, c_int};

use rquickjs::{Object, Value, qjs};

/// Whether a property is enumerable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// Listed by `Object.keys`.
    Yes,
    /// Not listed.
    No,
}

/// Sets an own property without calling setters.
pub fn define<'js>(
    object: &Object<'js>,
    name: &CStr,
    value: Value<'js>,
    visible: Visible,
) -> rquickjs::Result<()> {
    let mut flags = qjs::JS_PROP_WRITABLE | qjs::JS_PROP_CONFIGURABLE;
    if visible == Visible::Yes {
        flags |= qjs::JS_PROP_ENUMERABLE;
    }
    define_with(object, name, value, flags)
}

/// Sets an own property that scripts can read but not change.
pub fn define_constant<'js>(
    object: &Object<'js>,
    name: &CStr,
    value: Value<'js>,
) -> rquickjs::Result<()> {
    define_with(object, name, value, qjs::JS_PROP_ENUMERABLE)
}

/// Sets the `length` of a function: the number of its parameters.
pub fn define_length(function: &Object<'_>, length: i32) -> rquickjs::Result<()> {
    let length = Value::new_int(function.ctx().clone(), length);
    define_with(function, c"length", length, qjs::JS_PROP_CONFIGURABLE)
}

fn define_with<'js>(
    object: &Object<'js>,
    name: &CStr,
    value: Value<'js>,
    flags: u32,
) -> rquickjs::Result<()> {
    let ctx = object.ctx().as_raw().as_ptr();
    let raw = value.as_raw();
    // SAFETY: the engine takes over the duplicate.
    let done = unsafe {
        qjs::JS_DefinePropertyValueStr(
            ctx,
            object.as_raw(),
            name.as_ptr(),
            qjs::JS_DupValue(ctx, raw),
            flags as c_int,
        )
    };
    if done < 0 {
        Err(rquickjs::Error::Exception)
    } else {
        Ok(())
    }
}

/// The functions of a property; without a setter it can only be read.
pub(crate) struct Accessor<'js> {
    pub(crate) get: Value<'js>,
    pub(crate) set: Option<Value<'js>>,
}

/// Defines a property by its functions.
pub(crate) fn define_accessor<'js>(
    object: &Object<'js>,
    name: &CStr,
    accessor: Accessor<'js>,
    visible: Visible,
) -> rquickjs::Result<()> {
    let ctx = object.ctx().as_raw().as_ptr();
    let Accessor { get, set } = accessor;
    let mut flags = qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_HAS_GET;
    if visible == Visible::Yes {
        flags |= qjs::JS_PROP_ENUMERABLE;
    }
    if set.is_some() {
        flags |= qjs::JS_PROP_HAS_SET;
    }
    // SAFETY: the engine takes over the duplicates and frees nothing else.
    let done = unsafe {
        let atom = qjs::JS_NewAtom(ctx, name.as_ptr());
        let get = qjs::JS_DupValue(ctx, get.as_raw());
        let set = set.map_or(qjs::JS_UNDEFINED, |set| qjs::JS_DupValue(ctx, set.as_raw()));
        let done =
            qjs::JS_DefinePropertyGetSet(ctx, object.as_raw(), atom, get, set, flags as c_int);
        qjs::JS_FreeAtom(ctx, atom);
        done
    };
    if done < 0 {
        Err(rquickjs::Error::Exception)
    } else {
        Ok(())
    }
}
