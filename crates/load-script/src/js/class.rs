//! Script objects that own a Rust value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::marker::PhantomData;

use rquickjs::{Ctx, Object, Value, qjs};

use super::native::{Throw, state};

/// A Rust type that script objects can own. It must not hold script values: the collector does not
/// look into it.
pub(crate) trait Class: 'static {
    /// The name of its objects.
    const NAME: &'static CStr;

    /// The hooks of its objects for properties, if they have any.
    fn exotic() -> *mut qjs::JSClassExoticMethods {
        std::ptr::null_mut()
    }

    /// Gives the prototype its methods.
    fn prototype(prototype: &Object<'_>) -> rquickjs::Result<()>;
}

/// The classes of one runtime by Rust type.
#[derive(Default)]
pub(crate) struct Classes {
    ids: RefCell<HashMap<std::any::TypeId, qjs::JSClassID>>,
}

/// A new object that owns `value`.
pub(crate) fn new<'js, T: Class>(ctx: &Ctx<'js>, value: T) -> Result<Object<'js>, Throw> {
    let id = class_id::<T>(ctx)?;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the class is registered; the object takes over the box and frees it in `finalize`.
    let object = unsafe {
        let object = qjs::JS_NewObjectClass(raw, id as _);
        if qjs::JS_IsException(object) {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        qjs::JS_SetOpaque(object, Box::into_raw(Box::new(value)).cast());
        Value::from_raw(ctx.clone(), object)
    };
    Object::from_value(object).map_err(Throw::from)
}

/// The value that an object owns, if it is of this class.
pub(crate) fn of<'a, T: Class>(value: &'a Value<'_>) -> Option<&'a T> {
    let id = *state(value.ctx())
        .classes
        .ids
        .borrow()
        .get(&std::any::TypeId::of::<T>())?;
    // SAFETY: objects of this class own a `T` until they are finalized, and `value` keeps it alive.
    unsafe { qjs::JS_GetOpaque(value.as_raw(), id).cast::<T>().as_ref() }
}

/// The value that `object` owns, in a hook that is called for its class only.
///
/// # Safety
/// `object` must be a live object of the class of `T`.
pub(crate) unsafe fn of_raw<'a, T: Class>(object: qjs::JSValue) -> Option<&'a T> {
    let mut id: qjs::JSClassID = 0;
    // SAFETY: see above.
    unsafe { qjs::JS_GetAnyOpaque(object, &mut id).cast::<T>().as_ref() }
}

/// The prototype of the class in this realm.
pub(crate) fn prototype<'js, T: Class>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let id = class_id::<T>(ctx)?;
    // SAFETY: the class is registered; the reference is owned by the value.
    let value = unsafe {
        Value::from_raw(
            ctx.clone(),
            qjs::JS_GetClassProto(ctx.as_raw().as_ptr(), id),
        )
    };
    Object::from_value(value).map_err(Throw::from)
}

fn class_id<T: Class>(ctx: &Ctx<'_>) -> Result<qjs::JSClassID, Throw> {
    let classes = &state(ctx).classes;
    if let Some(id) = classes.ids.borrow().get(&std::any::TypeId::of::<T>()) {
        return Ok(*id);
    }
    let raw = ctx.as_raw().as_ptr();
    let definition = qjs::JSClassDef {
        class_name: T::NAME.as_ptr(),
        finalizer: Some(finalize::<T>),
        gc_mark: None,
        call: None,
        exotic: T::exotic(),
    };
    // SAFETY: the definition is copied; the prototype's reference goes to the realm.
    let id = unsafe {
        let runtime = qjs::JS_GetRuntime(raw);
        let mut id: qjs::JSClassID = 0;
        qjs::JS_NewClassID(runtime, &mut id);
        if qjs::JS_NewClass(runtime, id, &definition) < 0 {
            return Err(Throw::Engine(rquickjs::Error::Allocation));
        }
        id
    };
    let prototype = Object::new(ctx.clone())?;
    T::prototype(&prototype)?;
    // SAFETY: as above.
    unsafe { qjs::JS_SetClassProto(raw, id, qjs::JS_DupValue(raw, prototype.as_raw())) };
    classes
        .ids
        .borrow_mut()
        .insert(std::any::TypeId::of::<T>(), id);
    Ok(id)
}

unsafe extern "C" fn finalize<T: Class>(_runtime: *mut qjs::JSRuntime, object: qjs::JSValue) {
    let _ = PhantomData::<T>;
    // SAFETY: the engine finalizes an object once; it owns the box since `new`.
    unsafe {
        let mut id: qjs::JSClassID = 0;
        let owned = qjs::JS_GetAnyOpaque(object, &mut id).cast::<T>();
        if !owned.is_null() {
            drop(Box::from_raw(owned));
        }
    }
}
