//! The built-ins that the VUs of a runtime share, and how a VU gets its own copy of what it changes.
//!
//! An object's *body* is its shape, its properties and whether it can be extended. All bodies of shared
//! objects are known as they were made. When a VU that has changed some leaves the runtime, it takes
//! the changed bodies along and the objects get their first ones back; when it comes again, the bodies
//! are exchanged. So `Array.prototype.last = …` works and nobody else sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rquickjs::qjs;

use super::anatomy::{
    BEHAVIOUR, DATA, DATA_WORDS, FLAGS, PROPERTIES, SHAPE, address_of, count_of, is_shared, word,
};
use super::properties::{Held, Property, own_properties, rebuild, same_slots};
use super::vault::{Changed, Shelf};

/// What makes an object what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    shape: usize,
    properties: usize,
    behaviour: usize,
    /// The items of an array; of other objects it is not touched.
    data: [usize; DATA_WORDS],
}

/// A shared object as it was made.
#[derive(Clone, Copy)]
struct Entry {
    object: usize,
    body: Body,
    /// Its properties in `kinds`.
    kinds: (u32, u32),
    /// Bytes of its properties.
    size: u32,
    is_array: bool,
}

/// A body that a VU has for itself, or the first body of an object whose body the VU has exchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    object: usize,
    body: Body,
    is_array: bool,
}

/// All shared objects of a runtime.
pub(super) struct Builtins {
    shelf: Rc<Shelf>,
    place: Rc<Cell<Option<usize>>>,
    /// By address.
    table: RefCell<Vec<Entry>>,
    kinds: RefCell<Vec<Held>>,
    /// Classes of objects that can be shared.
    classes: RefCell<Vec<qjs::JSClassID>>,
    /// Sees to it that the shape of empty objects is never the last one's.
    anchor: qjs::JSValue,
}

/// The objects cannot be shared; nothing was changed.
#[derive(Debug)]
pub(super) struct Unshared;

/// The engine's smallest block that comes from the allocator itself.
const LARGE: usize = 1024;

impl Builtins {
    /// No shared objects yet.
    ///
    /// # Safety
    /// `ctx` must be live, and its runtime must allocate by a `ShelfAllocator` with that `place`.
    pub(super) unsafe fn new(
        ctx: *mut qjs::JSContext,
        shelf: Rc<Shelf>,
        place: Rc<Cell<Option<usize>>>,
    ) -> Self {
        Self {
            shelf,
            place,
            table: RefCell::default(),
            kinds: RefCell::default(),
            classes: RefCell::default(),
            // SAFETY: see above.
            anchor: unsafe { qjs::JS_NewObject(ctx) },
        }
    }

    /// Whether the object is one of them.
    pub(super) fn has(&self, object: usize) -> bool {
        self.find(object).is_ok()
    }

    fn find(&self, object: usize) -> Result<usize, usize> {
        self.table
            .borrow()
            .binary_search_by_key(&object, |entry| entry.object)
    }

    /// Notes a change that no write can show.
    pub(super) fn note_change(&self) {
        self.shelf.note_moved();
    }

    /// Shares what can be reached from `roots`, but for the objects at `border`. Takes classes of any
    /// kind the first time, later only those it has.
    ///
    /// # Safety
    /// `ctx` must be live, `roots` live values, and every shared object in its first body.
    pub(super) unsafe fn adopt(
        &self,
        ctx: *mut qjs::JSContext,
        roots: &[qjs::JSValue],
        border: &[usize],
    ) -> Result<(), Unshared> {
        // SAFETY: see above.
        unsafe {
            let found = self.gather(ctx, roots, border);
            let known = self.classes.borrow().clone();
            let can = |object: &qjs::JSValue| {
                let class = qjs::JS_GetClassID(*object);
                !qjs::JS_IsProxy(*object) && (known.is_empty() || known.contains(&class))
            };
            let mut all = Vec::with_capacity(found.len());
            let mut outcome = Ok(());
            for object in &found {
                let steady = if can(object) {
                    steady(ctx, *object)
                } else {
                    Err(Unshared)
                };
                match steady {
                    Ok(properties) => all.push(properties),
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            if outcome.is_ok() {
                self.shelf.open();
                let mut pairs = found.iter().zip(&all);
                outcome = pairs
                    .try_for_each(|(object, properties)| self.shelve(ctx, *object, properties));
                self.table.borrow_mut().sort_by_key(|entry| entry.object);
                self.shelf.seal();
            }
            for property in all.iter().flatten() {
                property.free(ctx);
            }
            if outcome.is_err() {
                for object in found {
                    if !self.has(address_of(object)) {
                        qjs::JS_FreeValue(ctx, object);
                    }
                }
            }
            outcome
        }
    }

    /// All objects that are not shared yet, each with a reference of ours.
    unsafe fn gather(
        &self,
        ctx: *mut qjs::JSContext,
        roots: &[qjs::JSValue],
        border: &[usize],
    ) -> Vec<qjs::JSValue> {
        let mut seen = std::collections::HashSet::new();
        let mut found = Vec::new();
        let mut visit = |value: qjs::JSValue, found: &mut Vec<qjs::JSValue>| {
            let at = address_of(value);
            if super::anatomy::is_object(value)
                && !border.contains(&at)
                && !self.has(at)
                && seen.insert(at)
            {
                // SAFETY: the value is alive.
                found.push(unsafe { qjs::JS_DupValue(ctx, value) });
            }
        };
        roots.iter().for_each(|root| visit(*root, &mut found));
        let mut next = 0;
        while let Some(object) = found.get(next).copied() {
            next += 1;
            // SAFETY: a live object; what is got is freed again.
            unsafe {
                let prototype = qjs::JS_GetPrototype(ctx, object);
                visit(prototype, &mut found);
                qjs::JS_FreeValue(ctx, prototype);
                for property in own_properties(ctx, object) {
                    property.values().for_each(|value| visit(value, &mut found));
                    property.free(ctx);
                }
            }
        }
        found
    }

    /// Moves the properties of an object to the shelf.
    ///
    /// # Safety
    /// The object must be steady, with these properties, and the shelf open.
    unsafe fn shelve(
        &self,
        ctx: *mut qjs::JSContext,
        object: qjs::JSValue,
        properties: &[Property],
    ) -> Result<(), Unshared> {
        let own = address_of(object);
        // SAFETY: the words are those of an object; the engine's block moves to a place of the same size.
        unsafe {
            let old = word(own, PROPERTIES).read();
            let size = qjs::js_malloc_usable_size(ctx, std::ptr::with_exposed_provenance(old));
            let size = size as usize;
            let place = self.shelf.take(size).ok_or(Unshared)?;
            self.place.set(Some(place));
            let new = qjs::js_malloc(ctx, size.max(LARGE) as qjs::size_t).expose_provenance();
            assert_eq!(
                new,
                place + 8,
                "the engine's blocks have a header of eight bytes"
            );
            copy(old, new, size);
            word(own, PROPERTIES).write(new);
            qjs::js_free(ctx, std::ptr::with_exposed_provenance_mut(old));
            let (first, count) = {
                let mut kinds = self.kinds.borrow_mut();
                let first = kinds.len();
                kinds.extend(properties.iter().map(Property::held));
                (first as u32, properties.len() as u32)
            };
            let is_array = qjs::JS_IsArray(object);
            let entry = Entry {
                object: own,
                body: body_of(own, is_array),
                kinds: (first, count),
                size: size as u32,
                is_array,
            };
            // The first body has references of its own.
            *count_of(entry.body.shape) += 1;
            self.dup_properties(ctx, &entry);
            let class = qjs::JS_GetClassID(object);
            let mut classes = self.classes.borrow_mut();
            if !classes.contains(&class) {
                classes.push(class);
            }
            self.table.borrow_mut().push(entry);
            Ok(())
        }
    }

    /// Lets the engine take the block whose header lies at `place` for one that it has allocated.
    ///
    /// # Safety
    /// `ctx` must be live, and the block one of the shelf's, which must be open.
    unsafe fn account(&self, ctx: *mut qjs::JSContext, place: usize, size: usize) -> usize {
        self.place.set(Some(place));
        // SAFETY: the allocator gives that place whatever size is asked for, if it is asked at all.
        let new = unsafe { qjs::js_malloc(ctx, size.max(LARGE) as qjs::size_t) };
        let new = new.expose_provenance();
        assert_eq!(
            new,
            place + 8,
            "the engine's blocks have a header of eight bytes"
        );
        new
    }

    /// One more reference to everything that the first body of an object refers to.
    unsafe fn dup_properties(&self, ctx: *mut qjs::JSContext, entry: &Entry) {
        self.each_property(entry, |value| {
            // SAFETY: the values of a first body are kept alive by it.
            unsafe { qjs::JS_DupValue(ctx, value) };
        });
    }

    fn each_property(&self, entry: &Entry, mut action: impl FnMut(qjs::JSValue)) {
        let kinds = self.kinds.borrow();
        let (first, count) = (entry.kinds.0 as usize, entry.kinds.1 as usize);
        for (index, held) in kinds[first..first + count].iter().enumerate() {
            // SAFETY: that many properties lie there.
            let pair = unsafe {
                let at = entry.body.properties + index * 16;
                [word(at, 0).read(), word(at, 1).read()]
            };
            held.values(pair).for_each(&mut action);
        }
    }

    /// The VU with these bodies comes.
    pub(super) fn enter(&self, own: &mut [Own]) {
        own.iter_mut().for_each(exchange);
    }

    /// The VU goes, and takes along what it has changed.
    ///
    /// # Safety
    /// `ctx` must be live, and `own` those bodies that the VU came with.
    pub(super) unsafe fn leave(&self, ctx: *mut qjs::JSContext, own: &mut Vec<Own>) {
        own.iter_mut().for_each(exchange);
        let changed = self.shelf.changed();
        if changed == Changed::No {
            return;
        }
        self.shelf.open();
        for entry in self.table.borrow().iter() {
            // SAFETY: shared objects live as long as the runtime.
            unsafe {
                let now = body_of(entry.object, entry.is_array);
                let bytes = entry.kinds.1 as usize * 16;
                let copy = self.shelf.copy_of(entry.body.properties);
                let is_written =
                    changed == Changed::Written && !same(entry.body.properties, copy, bytes);
                if now != entry.body || is_written {
                    own.push(self.split(ctx, entry, changed == Changed::Written));
                }
            }
        }
        self.shelf.seal();
    }

    /// Gives an object its first body back; the one it has becomes the VU's own.
    ///
    /// # Safety
    /// `ctx` must be live, and the shelf open.
    unsafe fn split(&self, ctx: *mut qjs::JSContext, entry: &Entry, is_written: bool) -> Own {
        let first = entry.body;
        // SAFETY: all addresses are those of live blocks of the engine.
        unsafe {
            let mut body = body_of(entry.object, entry.is_array);
            let size = entry.size as usize;
            if body.properties == first.properties {
                let block = qjs::js_malloc(ctx, size as qjs::size_t).expose_provenance();
                assert_ne!(block, 0, "memory for the properties of a changed built-in");
                copy(first.properties, block, size);
                body.properties = block;
            } else {
                // The engine has given the block up: it has to be in its account again.
                self.account(ctx, first.properties - 8, size);
            }
            if is_written {
                let kept = self.shelf.copy_of(first.properties);
                copy(kept, first.properties, entry.size as usize);
            }
            *count_of(first.shape) += 1;
            self.dup_properties(ctx, entry);
            put(entry.object, &first, entry.is_array);
            Own {
                object: entry.object,
                body,
                is_array: entry.is_array,
            }
        }
    }

    /// Frees the bodies that a VU had for itself.
    ///
    /// # Safety
    /// `ctx` must be live, and the VU gone from the runtime.
    pub(super) unsafe fn discard(&self, ctx: *mut qjs::JSContext, own: Vec<Own>) {
        for Own { body, is_array, .. } in own {
            // SAFETY: an object that is made for it gets the body, and takes it along when it is freed.
            unsafe {
                let grave = if is_array {
                    qjs::JS_NewArray(ctx)
                } else {
                    qjs::JS_NewObject(ctx)
                };
                dress(ctx, grave, &body, is_array);
                qjs::JS_FreeValue(ctx, grave);
            }
        }
    }

    /// Gives up all references.
    ///
    /// # Safety
    /// `ctx` must be live, no VU in the runtime, and nothing may be done with the built-ins afterwards
    /// but to free them.
    pub(super) unsafe fn release(&self, ctx: *mut qjs::JSContext) {
        self.shelf.open();
        let table = self.table.take();
        for entry in &table {
            // SAFETY: the first body's own references; the object still has its.
            unsafe { *count_of(entry.body.shape) -= 1 };
            self.each_property(entry, |value| {
                // SAFETY: as above.
                unsafe { qjs::JS_FreeValue(ctx, value) };
            });
        }
        for entry in &table {
            // SAFETY: the reference that `gather` has taken.
            unsafe {
                let object = std::ptr::with_exposed_provenance_mut(entry.object);
                qjs::JS_FreeValue(ctx, qjs::JS_MKPTR(qjs::JS_TAG_OBJECT, object));
            }
        }
        // SAFETY: made by `new`.
        unsafe { qjs::JS_FreeValue(ctx, self.anchor) };
    }
}

/// Gives a fresh object or array another body, and frees the one it had.
///
/// # Safety
/// `object` must be fresh and without properties; `body` must be nobody else's. The shape of fresh
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

/// Sees to it that the shape of an object is copied before it is changed and that its properties lie in
/// the order in which they are listed. Gives them, with references of their own.
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
        properties
            .into_iter()
            .for_each(|property| property.free(ctx));
        rebuild(ctx, object);
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

/// # Safety
/// `object` must be the address of a live object.
unsafe fn body_of(object: usize, is_array: bool) -> Body {
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
unsafe fn put(object: usize, body: &Body, is_array: bool) {
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

fn exchange(own: &mut Own) {
    // SAFETY: shared objects live as long as the runtime.
    unsafe {
        let now = body_of(own.object, own.is_array);
        put(own.object, &own.body, own.is_array);
        own.body = now;
    }
}

/// # Safety
/// Both must be the addresses of that many live bytes.
unsafe fn copy(from: usize, to: usize, bytes: usize) {
    let from: *const u8 = std::ptr::with_exposed_provenance(from);
    // SAFETY: see above.
    unsafe { from.copy_to_nonoverlapping(std::ptr::with_exposed_provenance_mut(to), bytes) };
}

/// # Safety
/// Both must be the addresses of that many live bytes.
unsafe fn same(one: usize, other: usize, bytes: usize) -> bool {
    // SAFETY: see above.
    let slice = |at| unsafe {
        std::slice::from_raw_parts::<u8>(std::ptr::with_exposed_provenance(at), bytes)
    };
    slice(one) == slice(other)
}
