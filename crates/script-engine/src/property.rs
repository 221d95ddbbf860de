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

/// Makes the own properties of an object ones that scripts can neither set nor define anew nor delete.
pub fn fix<'js>(object: &Object<'js>) -> rquickjs::Result<()> {
    let ctx = object.ctx().as_raw().as_ptr();
    for name in object.keys::<Value<'js>>() {
        let name = name?;
        let is_accessor = flags(object, &name)?.is_some_and(|own| own & qjs::JS_PROP_GETSET != 0);
        let changes = match is_accessor {
            true => qjs::JS_PROP_HAS_CONFIGURABLE,
            false => qjs::JS_PROP_HAS_CONFIGURABLE | qjs::JS_PROP_HAS_WRITABLE,
        };
        let none = qjs::JS_UNDEFINED;
        // SAFETY: a live object and name; without `HAS_VALUE` and the like, no value is read.
        let done = with_atom(object, &name, |atom| unsafe {
            let raw = object.as_raw();
            qjs::JS_DefineProperty(ctx, raw, atom, none, none, none, changes as c_int)
        })?;
        if done < 0 {
            return Err(rquickjs::Error::Exception);
        }
    }
    Ok(())
}

/// Deletes a property. Returns whether it is gone.
///
/// # Errors
/// The key has no text, or a trap of a proxy throws.
pub fn delete<'js>(object: &Object<'js>, key: &Value<'js>) -> rquickjs::Result<bool> {
    let ctx = object.ctx().as_raw().as_ptr();
    // SAFETY: a live object and name.
    let done = with_atom(object, key, |atom| unsafe {
        qjs::JS_DeleteProperty(ctx, object.as_raw(), atom, 0)
    })?;
    match done {
        0.. => Ok(done > 0),
        _ => Err(rquickjs::Error::Exception),
    }
}

/// What scripts may do to a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// It has a value that can be set.
    pub is_writable: bool,
    /// It can be defined anew and deleted.
    pub is_configurable: bool,
}

/// What scripts may do to an own property, whose value is not read. `None` where there is none.
///
/// # Errors
/// The key has no text, or a trap of a proxy throws.
pub fn rights<'js>(object: &Object<'js>, key: &Value<'js>) -> rquickjs::Result<Option<Rights>> {
    let own = flags(object, key)?;
    Ok(own.map(|own| Rights {
        is_writable: own & qjs::JS_PROP_WRITABLE != 0,
        is_configurable: own & qjs::JS_PROP_CONFIGURABLE != 0,
    }))
}

/// The engine's description of an own property.
fn flags<'js>(object: &Object<'js>, key: &Value<'js>) -> rquickjs::Result<Option<u32>> {
    let ctx = object.ctx().as_raw().as_ptr();
    let mut found = qjs::JSPropertyDescriptor {
        flags: 0,
        value: qjs::JS_UNDEFINED,
        getter: qjs::JS_UNDEFINED,
        setter: qjs::JS_UNDEFINED,
    };
    // SAFETY: a live object and name; what is found is released.
    let has = with_atom(object, key, |atom| unsafe {
        let has = qjs::JS_GetOwnProperty(ctx, &mut found, object.as_raw(), atom);
        for value in [found.value, found.getter, found.setter] {
            qjs::JS_FreeValue(ctx, value);
        }
        has
    })?;
    match has {
        0.. => Ok((has > 0).then_some(found.flags as u32)),
        _ => Err(rquickjs::Error::Exception),
    }
}

fn with_atom<'js, R>(
    object: &Object<'js>,
    key: &Value<'js>,
    act: impl FnOnce(qjs::JSAtom) -> R,
) -> rquickjs::Result<R> {
    let ctx = object.ctx().as_raw().as_ptr();
    // SAFETY: live values of a live realm; the name is released.
    unsafe {
        let atom = qjs::JS_ValueToAtom(ctx, key.as_raw());
        if atom == qjs::JS_ATOM_NULL as qjs::JSAtom {
            return Err(rquickjs::Error::Exception);
        }
        let result = act(atom);
        qjs::JS_FreeAtom(ctx, atom);
        Ok(result)
    }
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
