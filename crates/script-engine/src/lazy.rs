//! Classes whose objects make their properties on first access.
//!
//! Their methods look like own properties too, as with [`super::own_methods`]; they follow the properties.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use rquickjs::{Ctx, qjs};

use super::class::{self, Class, Exotic};
use super::own_methods::bind;
use super::raise::raise;
use super::throw::Outcome;

/// A class whose objects make their properties on first access.
pub trait Lazy: Class {
    /// The properties, at most 32, in the order in which they are listed.
    const PROPERTIES: &'static [&'static CStr];
    /// Methods of the prototype that are listed as properties of each object.
    const METHODS: &'static [&'static CStr];

    /// One bit for each property that was made.
    fn made(&self) -> &Cell<u32>;

    /// The value of a property.
    ///
    /// # Errors
    /// The exception that a script receives instead.
    fn make<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Outcome<'js>;
}

/// The hooks of a lazy class.
pub fn hooks<T: Lazy>() -> Exotic {
    // The engine only reads the hooks.
    Exotic(ptr::from_ref(Hooks::<T>::TABLE).cast_mut())
}

struct Hooks<T>(PhantomData<T>);

impl<T: Lazy> Hooks<T> {
    const TABLE: &'static qjs::JSClassExoticMethods = &qjs::JSClassExoticMethods {
        get_own_property: Some(get_own_property::<T>),
        get_own_property_names: Some(get_own_property_names::<T>),
        delete_property: None,
        define_own_property: None,
        has_property: None,
        get_property: None,
        set_property: None,
    };
}

const FLAGS: c_int =
    (qjs::JS_PROP_ENUMERABLE | qjs::JS_PROP_WRITABLE | qjs::JS_PROP_CONFIGURABLE) as c_int;

/// Called when the object has no such property yet: makes it, if it is one of the class's.
unsafe extern "C" fn get_own_property<T: Lazy>(
    ctx: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
) -> c_int {
    let Some(raw) = NonNull::new(ctx) else {
        return -1;
    };
    // SAFETY: called for objects of this class only, with a live realm and atom.
    let (owner, index, ctx) = unsafe {
        (
            class::of_raw::<T>(object),
            known::<T>(ctx, atom),
            Ctx::from_raw(raw),
        )
    };
    let (Some(owner), Some(index)) = (owner, index) else {
        return 0;
    };
    let Some(name) = T::PROPERTIES.get(index) else {
        // SAFETY: as above.
        return unsafe { get_method::<T>(&ctx, descriptor, object, atom) };
    };
    let bit = 1 << index;
    if owner.made().get() & bit != 0 {
        // The property was made, and the script has deleted it.
        return 0;
    }
    let value = match owner.make(&ctx, name.to_str().unwrap_or("")) {
        Ok(value) => value,
        Err(throw) => {
            raise(&ctx, throw);
            return -1;
        }
    };
    owner.made().set(owner.made().get() | bit);
    // SAFETY: both calls take over a reference of their own; the engine then finds the property itself.
    unsafe {
        let own = qjs::JS_DupValue(raw.as_ptr(), value.as_raw());
        qjs::JS_DefinePropertyValue(raw.as_ptr(), object, atom, own, FLAGS);
        if !descriptor.is_null() {
            fill(descriptor, qjs::JS_DupValue(raw.as_ptr(), value.as_raw()));
        }
    }
    1
}

/// Presents a method as a property of the object without making it one, so that `{ ...object }` has it. It
/// stays bound to the object, since `const { json } = response` works in k6.
///
/// # Safety
/// The object and the atom must be live, the descriptor null or to be filled.
unsafe fn get_method<T: Lazy>(
    ctx: &Ctx<'_>,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
) -> c_int {
    if descriptor.is_null() {
        return 1;
    }
    let prototype = match class::prototype::<T>(ctx) {
        Ok(prototype) => prototype,
        Err(throw) => {
            raise(ctx, throw);
            return -1;
        }
    };
    // SAFETY: see above; the descriptor takes over the reference.
    unsafe {
        let raw = ctx.as_raw().as_ptr();
        let unbound = qjs::JS_GetProperty(raw, prototype.as_raw(), atom);
        if qjs::JS_IsException(unbound) {
            return -1;
        }
        let method = bind(raw, object, unbound);
        qjs::JS_FreeValue(raw, unbound);
        if qjs::JS_IsException(method) {
            return -1;
        }
        fill(descriptor, method);
    }
    1
}

/// # Safety
/// The descriptor must be writable; it takes over the reference.
unsafe fn fill(descriptor: *mut qjs::JSPropertyDescriptor, value: qjs::JSValue) {
    // SAFETY: see above.
    unsafe {
        (*descriptor).flags = FLAGS;
        (*descriptor).value = value;
        (*descriptor).getter = qjs::JS_UNDEFINED;
        (*descriptor).setter = qjs::JS_UNDEFINED;
    }
}

/// The property or method of the class that an atom names.
///
/// # Safety
/// `ctx` and `atom` must be live.
unsafe fn known<T: Lazy>(ctx: *mut qjs::JSContext, atom: qjs::JSAtom) -> Option<usize> {
    // SAFETY: see above; the text is freed after the comparison.
    unsafe {
        let mut length: qjs::size_t = 0;
        let text = qjs::JS_AtomToCStringLen(ctx, &mut length, atom);
        if text.is_null() {
            return None;
        }
        let wanted = CStr::from_ptr(text);
        let mut all = T::PROPERTIES.iter().chain(T::METHODS);
        let found = all.position(|name| *name == wanted);
        qjs::JS_FreeCString(ctx, text);
        found
    }
}

unsafe extern "C" fn get_own_property_names<T: Lazy>(
    ctx: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
    object: qjs::JSValue,
) -> c_int {
    // SAFETY: a live realm and object; the engine frees the table that it allocated.
    unsafe {
        let all = T::PROPERTIES.len() + T::METHODS.len();
        let size = (all * size_of::<qjs::JSPropertyEnum>()).max(1);
        let entries = qjs::js_malloc(ctx, size as qjs::size_t).cast::<qjs::JSPropertyEnum>();
        if entries.is_null() {
            return -1;
        }
        let mut count = 0;
        let made = class::of_raw::<T>(object).map_or(0, |owner| owner.made().get());
        for (index, name) in T::PROPERTIES.iter().chain(T::METHODS).enumerate() {
            if made & (1 << index) != 0 {
                continue;
            }
            let atom = qjs::JS_NewAtom(ctx, name.as_ptr());
            entries.add(count).write(qjs::JSPropertyEnum {
                is_enumerable: true,
                atom,
            });
            count += 1;
        }
        *table = entries;
        *length = u32::try_from(count).unwrap_or(0);
    }
    0
}
