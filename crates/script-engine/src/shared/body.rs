//! The state of an object, as words that can be exchanged.

use rquickjs::qjs;

use super::anatomy::{
    BEHAVIOUR, DATA, DATA_WORDS, FLAGS, PROPERTIES, SHAPE, address_of, count_of, word,
};
use super::properties::Held;

/// The words of an array: capacity, address and number of items.
const ITEM_ROOM: usize = 0;
const ITEMS: usize = 1;
const ITEM_COUNT: usize = 2;
/// The engine uses only half of a word that holds a number.
const HALF: usize = 0xffff_ffff;

/// The state of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) shape: usize,
    pub(super) properties: usize,
    behaviour: usize,
    /// The items of an array; those of other objects are not touched.
    data: [usize; DATA_WORDS],
}

/// A VU's own body of an object, or the first body of an object whose body the VU has exchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) object: usize,
    pub(super) body: Body,
    pub(super) is_array: bool,
}

impl Body {
    /// The address of an array's items; 0 when there are none.
    pub(super) fn items(&self) -> usize {
        self.data[ITEMS]
    }

    /// The number of an array's items.
    pub(super) fn item_count(&self) -> usize {
        self.data[ITEM_COUNT] & HALF
    }

    /// Sets the address and the capacity of the array's items.
    pub(super) fn move_items(&mut self, to: usize, room: usize) {
        self.data[ITEM_ROOM] = self.data[ITEM_ROOM] & !HALF | room;
        self.data[ITEMS] = to;
    }
}

/// Gives a fresh object or array another body, and frees the one it had.
///
/// # Safety
/// `object` must be fresh and without properties; `body` must belong to no other object. The shape of fresh
/// objects must not be the last one's.
pub(super) unsafe fn dress(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    body: &Body,
    is_array: bool,
) {
    let own = address_of(object);
    // SAFETY: see above.
    unsafe {
        let bare = body_of(own, is_array);
        put(own, body, is_array);
        qjs::js_free(ctx, std::ptr::with_exposed_provenance_mut(bare.properties));
        *count_of(bare.shape) -= 1;
    }
}

/// A body with a copy of these properties; all references in it are new.
///
/// # Safety
/// `object` must be live and steady with these properties, and `ctx` be its context.
pub(super) unsafe fn copy_of(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    held: &[Held],
) -> Option<Body> {
    let own = address_of(object);
    // SAFETY: see above.
    unsafe {
        let mut body = body_of(own, false);
        let from = body.properties;
        let size = qjs::js_malloc_usable_size(ctx, std::ptr::with_exposed_provenance(from));
        body.properties = qjs::js_malloc(ctx, size).expose_provenance();
        if body.properties == 0 {
            return None;
        }
        copy(from, body.properties, size as usize);
        *count_of(body.shape) += 1;
        for (index, held) in held.iter().enumerate() {
            let at = from + index * 16;
            let pair = [word(at, 0).read(), word(at, 1).read()];
            for value in held.values(pair) {
                qjs::JS_DupValue(ctx, value);
            }
        }
        Some(body)
    }
}

/// # Safety
/// `object` must be the address of a live object.
pub(super) unsafe fn body_of(object: usize, is_array: bool) -> Body {
    // SAFETY: see above.
    unsafe {
        Body {
            shape: word(object, SHAPE).read(),
            properties: word(object, PROPERTIES).read(),
            behaviour: word(object, FLAGS).read() & BEHAVIOUR,
            data: if is_array {
                std::array::from_fn(|at| word(object, DATA + at).read())
            } else {
                [0; DATA_WORDS]
            },
        }
    }
}

/// # Safety
/// As for `body_of`; the references of the body go to the object.
pub(super) unsafe fn put(object: usize, body: &Body, is_array: bool) {
    // SAFETY: see above.
    unsafe {
        word(object, SHAPE).write(body.shape);
        word(object, PROPERTIES).write(body.properties);
        let flags = word(object, FLAGS);
        flags.write(flags.read() & !BEHAVIOUR | body.behaviour);
        if is_array {
            for (at, value) in body.data.iter().enumerate() {
                word(object, DATA + at).write(*value);
            }
        }
    }
}

pub(super) fn exchange(own: &mut Own) {
    // SAFETY: shared objects live as long as the runtime.
    unsafe {
        let now = body_of(own.object, own.is_array);
        put(own.object, &own.body, own.is_array);
        own.body = now;
    }
}

/// # Safety
/// Both must be the addresses of that many live bytes.
pub(super) unsafe fn copy(from: usize, to: usize, bytes: usize) {
    let from: *const u8 = std::ptr::with_exposed_provenance(from);
    // SAFETY: see above.
    unsafe { from.copy_to_nonoverlapping(std::ptr::with_exposed_provenance_mut(to), bytes) };
}
