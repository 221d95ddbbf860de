//! Script objects that own a Rust value.

use std::any::TypeId;
use std::ffi::CStr;

use rquickjs::{Ctx, Object, Value, qjs};

use super::host::resident;
use super::isolate;
use super::throw::Throw;

/// A Rust type that script objects can own. It must not hold script values: the collector does not trace it.
pub trait Class: 'static {
    /// The name of its objects.
    const NAME: &'static CStr;

    /// The hooks of its objects for properties, if they have any.
    fn exotic() -> Exotic {
        Exotic(std::ptr::null_mut())
    }

    /// The function that a call of one of its objects runs, if they can be called. In the worst case there is no
    /// stack left for it.
    fn call() -> qjs::JSClassCall {
        None
    }

    /// Adds the methods to the prototype.
    fn prototype(prototype: &Object<'_>) -> rquickjs::Result<()>;
}

/// Hooks of the engine for the properties of a class's objects.
pub struct Exotic(pub(crate) *mut qjs::JSClassExoticMethods);

/// A new object that owns `value`.
pub fn new<'js, T: Class>(ctx: &Ctx<'js>, value: T) -> Result<Object<'js>, Throw> {
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
pub fn of<'a, T: Class>(value: &'a Value<'_>) -> Option<&'a T> {
    let id = resident(value.ctx()).classes.id::<T>()?;
    // SAFETY: objects of this class own a `T` until they are finalized, and `value` keeps it alive.
    unsafe { qjs::JS_GetOpaque(value.as_raw(), id).cast::<T>().as_ref() }
}

/// The value that `object` owns, in a hook that is called only for its class.
///
/// # Safety
/// `object` must be a live object of the class of `T`.
pub(crate) unsafe fn of_raw<'a, T: Class>(object: qjs::JSValue) -> Option<&'a T> {
    let mut id: qjs::JSClassID = 0;
    // SAFETY: see above.
    unsafe { qjs::JS_GetAnyOpaque(object, &mut id).cast::<T>().as_ref() }
}

/// The prototype of the class in this realm.
pub fn prototype<'js, T: Class>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
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
    let classes = &resident(ctx).classes;
    if let Some(id) = classes.id::<T>() {
        return Ok(id);
    }
    let known = classes.runtime.borrow().get(&TypeId::of::<T>()).copied();
    let id = match known {
        Some(id) => id,
        None => {
            let id = register::<T>(ctx)?;
            classes.runtime.borrow_mut().insert(TypeId::of::<T>(), id);
            id
        }
    };
    // VUs that share the realm share the prototype: no VU's changes may get into it.
    let prototype = isolate::shared(|| {
        let prototype = Object::new(ctx.clone())?;
        T::prototype(&prototype)?;
        Ok::<_, rquickjs::Error>(prototype)
    })?;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the class is registered; the realm takes over the duplicate.
    unsafe { qjs::JS_SetClassProto(raw, id, qjs::JS_DupValue(raw, prototype.as_raw())) };
    classes.realm.borrow_mut().insert(TypeId::of::<T>(), id);
    Ok(id)
}

fn register<T: Class>(ctx: &Ctx<'_>) -> Result<qjs::JSClassID, Throw> {
    let definition = qjs::JSClassDef {
        class_name: T::NAME.as_ptr(),
        finalizer: Some(finalize::<T>),
        gc_mark: None,
        call: T::call(),
        exotic: T::exotic().0,
    };
    let mut id: qjs::JSClassID = 0;
    // SAFETY: the runtime is alive; the definition is copied.
    let done = unsafe {
        let runtime = qjs::JS_GetRuntime(ctx.as_raw().as_ptr());
        qjs::JS_NewClassID(runtime, &mut id);
        qjs::JS_NewClass(runtime, id, &definition)
    };
    if done < 0 {
        Err(Throw::Engine(rquickjs::Error::Allocation))
    } else {
        Ok(id)
    }
}

unsafe extern "C" fn finalize<T: Class>(_runtime: *mut qjs::JSRuntime, object: qjs::JSValue) {
    // SAFETY: the engine finalizes an object once; it owns the box since `new`.
    unsafe {
        let mut id: qjs::JSClassID = 0;
        let owned = qjs::JS_GetAnyOpaque(object, &mut id).cast::<T>();
        if !owned.is_null() {
            drop(Box::from_raw(owned));
        }
    }
}
