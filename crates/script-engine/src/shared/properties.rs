//! The properties of an object as the engine's interface lists them, and their places in memory.

use std::ffi::c_int;

use rquickjs::qjs;

use super::anatomy::{PROPERTIES, SHAPE, address_of, is_object, is_shared, word};
use super::builtins::Unshared;

/// An own property; owns its name and its values.
pub(super) struct Property {
    name: qjs::JSAtom,
    descriptor: qjs::JSPropertyDescriptor,
}

/// The content of the two words of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// A value.
    Value,
    /// The addresses of getter and setter.
    Accessor,
}

/// Names of small whole numbers have this bit.
const IS_INDEX: qjs::JSAtom = 1 << 31;

impl Held {
    /// The values behind the two words.
    pub(super) fn values(self, pair: [usize; 2]) -> impl Iterator<Item = qjs::JSValue> {
        let object = |address: usize| {
            let pointer = std::ptr::with_exposed_provenance_mut(address);
            (address != 0).then(|| qjs::JS_MKPTR(qjs::JS_TAG_OBJECT, pointer))
        };
        let both = match self {
            // SAFETY: two words that hold a value; any bits make one of the engine's values.
            Self::Value => [
                Some(unsafe { std::mem::transmute::<[usize; 2], qjs::JSValue>(pair) }),
                None,
            ],
            Self::Accessor => [object(pair[0]), object(pair[1])],
        };
        both.into_iter().flatten()
    }
}

impl Property {
    pub(super) fn is_accessor(&self) -> bool {
        self.descriptor.flags & qjs::JS_PROP_GETSET as c_int != 0
    }

    pub(super) fn held(&self) -> Held {
        if self.is_accessor() {
            Held::Accessor
        } else {
            Held::Value
        }
    }

    /// The values that it refers to.
    pub(super) fn values(&self) -> impl Iterator<Item = qjs::JSValue> {
        let it = &self.descriptor;
        [it.value, it.getter, it.setter].into_iter()
    }

    /// # Safety
    /// `ctx` must be the context that it was read in.
    pub(super) unsafe fn free(&self, ctx: *mut qjs::JSContext) {
        // SAFETY: the property owns all of them, and is not used again by its owner.
        unsafe {
            self.values()
                .for_each(|value| qjs::JS_FreeValue(ctx, value));
            qjs::JS_FreeAtom(ctx, self.name);
        }
    }

    /// Whether the two words hold this property.
    fn lies_in(&self, words: [usize; 2]) -> bool {
        let it = &self.descriptor;
        if self.is_accessor() {
            let address = |value| {
                if is_object(value) {
                    address_of(value)
                } else {
                    0
                }
            };
            return words == [address(it.getter), address(it.setter)];
        }
        // SAFETY: reads the bits of a value.
        let expected = unsafe { std::mem::transmute::<qjs::JSValue, [usize; 2]>(it.value) };
        // SAFETY: reads the tag of a value.
        let tag = unsafe { qjs::JS_VALUE_GET_TAG(it.value) };
        let half = tag == qjs::JS_TAG_INT || tag == qjs::JS_TAG_BOOL;
        let mask = if half { 0xffff_ffff } else { usize::MAX };
        let empty = tag == qjs::JS_TAG_UNDEFINED || tag == qjs::JS_TAG_NULL;
        words[1] == expected[1] && (empty || words[0] & mask == expected[0] & mask)
    }
}

/// All own properties except the items of arrays, in order. Makes those that the engine makes on first access.
///
/// # Safety
/// `ctx` and `object` must be live.
pub(super) unsafe fn own_properties(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
) -> Vec<Property> {
    let (mut table, mut count) = (std::ptr::null_mut(), 0);
    let flags = qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK | qjs::JS_GPN_PRIVATE_MASK;
    let mut properties = Vec::new();
    // SAFETY: see above; the table is freed with the names in it, which have been copied.
    unsafe {
        if qjs::JS_GetOwnPropertyNames(ctx, &mut table, &mut count, object, flags as c_int) < 0 {
            return properties;
        }
        let names =
            std::slice::from_raw_parts(table, if table.is_null() { 0 } else { count as usize });
        for name in names.iter().map(|entry| entry.atom) {
            if name & IS_INDEX != 0 && qjs::JS_IsArray(object) {
                continue;
            }
            let mut descriptor = qjs::JSPropertyDescriptor {
                flags: 0,
                value: qjs::JS_UNDEFINED,
                getter: qjs::JS_UNDEFINED,
                setter: qjs::JS_UNDEFINED,
            };
            if qjs::JS_GetOwnProperty(ctx, &mut descriptor, object, name) > 0 {
                properties.push(Property {
                    name: qjs::JS_DupAtom(ctx, name),
                    descriptor,
                });
            }
        }
        qjs::JS_FreePropertyEnum(ctx, table, count);
    }
    properties
}

/// Whether the properties lie at that address one after the other.
///
/// # Safety
/// It must be the address of the properties of a live object that has at least that many.
pub(super) unsafe fn same_slots(at: usize, properties: &[Property]) -> bool {
    properties.iter().enumerate().all(|(index, property)| {
        // SAFETY: see above.
        let words = unsafe {
            [
                word(at + index * 16, 0).read(),
                word(at + index * 16, 1).read(),
            ]
        };
        property.lies_in(words)
    })
}

/// Makes the engine copy the shape of an object before a change, and puts its properties in the order in which
/// they are listed. Returns them with references of their own.
///
/// # Safety
/// `ctx` and `object` must be live.
pub(super) unsafe fn steady(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
) -> Result<Vec<Property>, Unshared> {
    let own = address_of(object);
    // SAFETY: see above.
    unsafe {
        let is_steady = |properties: &[Property]| {
            is_shared(word(own, SHAPE).read())
                && same_slots(word(own, PROPERTIES).read(), properties)
        };
        let properties = own_properties(ctx, object);
        if is_steady(&properties) {
            return Ok(properties);
        }
        rebuild(ctx, object, properties);
        let properties = own_properties(ctx, object);
        if is_steady(&properties) {
            return Ok(properties);
        }
        properties
            .into_iter()
            .for_each(|property| property.free(ctx));
        Err(Unshared)
    }
}

/// Makes the properties of an object anew, in the order in which they are listed and without traces of
/// properties that were deleted or made late: the engine then keeps its shape where other objects
/// find it, and copies it before it changes it.
///
/// # Safety
/// `ctx` and `object` must be live, and `properties` complete.
unsafe fn rebuild(ctx: *mut qjs::JSContext, object: qjs::JSValue, properties: Vec<Property>) {
    // SAFETY: see above; the two objects exchange shape and properties, and each keeps what belongs
    // together.
    unsafe {
        let prototype = qjs::JS_GetPrototype(ctx, object);
        let is_array = qjs::JS_IsArray(object);
        let fresh = if is_array {
            qjs::JS_NewObjectProtoClass(ctx, prototype, qjs::JS_GetClassID(object))
        } else {
            qjs::JS_NewObjectProto(ctx, prototype)
        };
        qjs::JS_FreeValue(ctx, prototype);
        for (index, property) in properties.into_iter().enumerate() {
            // The length of an array is its first property and is there already.
            if !(is_array && index == 0) {
                define(ctx, fresh, &property);
            }
            property.free(ctx);
        }
        for at in [SHAPE, PROPERTIES] {
            let (one, other) = (word(address_of(object), at), word(address_of(fresh), at));
            std::ptr::swap(one, other);
        }
        qjs::JS_FreeValue(ctx, fresh);
    }
}

/// # Safety
/// `ctx` and `object` must be live.
unsafe fn define(ctx: *mut qjs::JSContext, object: qjs::JSValue, property: &Property) {
    let it = &property.descriptor;
    let own = qjs::JS_PROP_C_W_E as c_int & it.flags;
    let has = qjs::JS_PROP_HAS_CONFIGURABLE | qjs::JS_PROP_HAS_ENUMERABLE;
    let has = has
        | if property.is_accessor() {
            qjs::JS_PROP_HAS_GET | qjs::JS_PROP_HAS_SET
        } else {
            qjs::JS_PROP_HAS_VALUE | qjs::JS_PROP_HAS_WRITABLE
        };
    // SAFETY: see above; the values stay the property's.
    unsafe {
        qjs::JS_DefineProperty(
            ctx,
            object,
            property.name,
            it.value,
            it.getter,
            it.setter,
            own | has as c_int,
        );
    }
}
