//! The objects that the VUs of a runtime share (built-ins, and the data of literals), and the VUs' own copies
//! of changed ones.
//!
//! An object's *body* is its shape, its properties and items, and whether it can be extended. The original body
//! of each shared object is recorded. When a VU that has changed some leaves the runtime, it takes the changed
//! bodies along and the objects get their first ones back; when it returns, the bodies are exchanged. So
//! `Array.prototype.last = …` works, and no other VU sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rquickjs::qjs;

use super::anatomy::{PROPERTIES, address_of, count_of, word};
use super::body::{Body, Own, body_of, copy, dress, exchange, put};
use super::properties::{Held, Property, steady};
use super::vault::{BLOCK_BYTES, Shelf};

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

/// Bytes of a property or an item.
const SLOT_BYTES: usize = 16;

impl Entry {
    fn property_bytes(&self) -> usize {
        self.kinds.1 as usize * SLOT_BYTES
    }

    fn item_bytes(&self) -> usize {
        self.body.item_count() * SLOT_BYTES
    }
}

/// All shared objects of a runtime.
pub(super) struct Builtins {
    shelf: Rc<Shelf>,
    place: Rc<Cell<Option<usize>>>,
    /// By address.
    table: RefCell<Vec<Entry>>,
    /// The blocks of the shelf and the objects they belong to, by address.
    blocks: RefCell<Vec<(usize, usize)>>,
    kinds: RefCell<Vec<Held>>,
    /// Classes of objects that can be shared.
    classes: RefCell<Vec<qjs::JSClassID>>,
    /// Holds a reference to the shape of empty objects, so that no object is the last one with it.
    anchor: qjs::JSValue,
}

/// The objects cannot be shared, which scripts do not notice.
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
            blocks: RefCell::default(),
            kinds: RefCell::default(),
            classes: RefCell::default(),
            // SAFETY: see above.
            anchor: unsafe { qjs::JS_NewObject(ctx) },
        }
    }

    /// Whether the object is shared.
    pub(super) fn has(&self, object: usize) -> bool {
        self.find(object).is_ok()
    }

    fn find(&self, object: usize) -> Result<usize, usize> {
        self.table
            .borrow()
            .binary_search_by_key(&object, |entry| entry.object)
    }

    /// Records a change of an object that is not a write to the shelf.
    pub(super) fn note_change(&self, object: usize) {
        self.shelf.note_moved(object);
    }

    /// Shares what can be reached from `roots`, but for the objects at `border`. The first call takes objects
    /// of any class, later calls only those of classes that were taken before.
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
            let (found, all) = self.gather(ctx, roots, border);
            let mut outcome = if all.len() == found.len() {
                Ok(())
            } else {
                Err(Unshared)
            };
            let needed = found.iter().zip(&all).map(|(object, properties)| {
                let items = body_of(address_of(*object), qjs::JS_IsArray(*object)).item_count();
                // The engine allocates room for more properties than there are.
                2 * BLOCK_BYTES + (2 * properties.len() + items + 4) * SLOT_BYTES
            });
            if needed.sum::<usize>() > self.shelf.room() {
                outcome = Err(Unshared);
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

    /// All objects that are not shared yet, each with a reference owned here, and their properties, whose order
    /// is steady. There are fewer properties than objects when an object cannot be shared.
    unsafe fn gather(
        &self,
        ctx: *mut qjs::JSContext,
        roots: &[qjs::JSValue],
        border: &[usize],
    ) -> (Vec<qjs::JSValue>, Vec<Vec<Property>>) {
        let known = self.classes.borrow().clone();
        // SAFETY: called with live objects.
        let can = |object: qjs::JSValue| unsafe {
            let class = qjs::JS_GetClassID(object);
            !qjs::JS_IsProxy(object) && (known.is_empty() || known.contains(&class))
        };
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
        let mut all = Vec::new();
        while let Some(object) = found.get(all.len()).copied() {
            // SAFETY: a live object; the obtained references are released here, those of its properties by the caller.
            unsafe {
                if !can(object) {
                    break;
                }
                let Ok(properties) = steady(ctx, object) else {
                    break;
                };
                let prototype = qjs::JS_GetPrototype(ctx, object);
                visit(prototype, &mut found);
                qjs::JS_FreeValue(ctx, prototype);
                let values = properties.iter().flat_map(Property::values);
                values.for_each(|value| visit(value, &mut found));
                all.push(properties);
                let body = body_of(address_of(object), qjs::JS_IsArray(object));
                for index in 0..body.item_count() {
                    visit(value_at(body.items() + index * SLOT_BYTES), &mut found);
                }
            }
        }
        (found, all)
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
        // SAFETY: the words are those of an object.
        unsafe {
            let old = word(own, PROPERTIES).read();
            let size = qjs::js_malloc_usable_size(ctx, std::ptr::with_exposed_provenance(old));
            let size = size as usize;
            let new = self.move_block(ctx, own, old, size)?;
            word(own, PROPERTIES).write(new);
            let is_array = qjs::JS_IsArray(object);
            let mut body = body_of(own, is_array);
            let count = body.item_count();
            if is_array && count > 0 {
                let new = self.move_block(ctx, own, body.items(), count * SLOT_BYTES)?;
                // The next item goes to a block of its own, which is visible.
                body.move_items(new, count);
                put(own, &body, is_array);
            }
            let (first, count) = {
                let mut kinds = self.kinds.borrow_mut();
                let first = kinds.len();
                kinds.extend(properties.iter().map(Property::held));
                (first as u32, properties.len() as u32)
            };
            let entry = Entry {
                object: own,
                body,
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

    /// Moves a block of an object to the shelf: its new address.
    ///
    /// # Safety
    /// The block must be the engine's and as long as that, `ctx` live, and the shelf open.
    unsafe fn move_block(
        &self,
        ctx: *mut qjs::JSContext,
        object: usize,
        old: usize,
        size: usize,
    ) -> Result<usize, Unshared> {
        let place = self.shelf.take(size).ok_or(Unshared)?;
        // SAFETY: see above; the block moves to a place of the same size.
        unsafe {
            let new = self.account(ctx, place, size);
            copy(old, new, size);
            qjs::js_free(ctx, std::ptr::with_exposed_provenance_mut(old));
            self.blocks.borrow_mut().push((new, object));
            Ok(new)
        }
    }

    /// Registers the block whose header lies at `place` with the engine, as if it had allocated it.
    ///
    /// # Safety
    /// `ctx` must be live, and the block one of the shelf's, which must be open.
    unsafe fn account(&self, ctx: *mut qjs::JSContext, place: usize, size: usize) -> usize {
        self.place.set(Some(place));
        // SAFETY: the allocator returns that place for any requested size, if it is called at all.
        let new = unsafe { qjs::js_malloc(ctx, size.max(LARGE) as qjs::size_t) };
        let new = new.expose_provenance();
        assert_eq!(
            new,
            place + BLOCK_BYTES / 2,
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
                let at = entry.body.properties + index * SLOT_BYTES;
                [word(at, 0).read(), word(at, 1).read()]
            };
            held.values(pair).for_each(&mut action);
        }
        for index in 0..entry.body.item_count() {
            // SAFETY: that many items lie there.
            action(unsafe { value_at(entry.body.items() + index * SLOT_BYTES) });
        }
    }

    /// Enters the VU that owns these bodies.
    pub(super) fn enter(&self, own: &mut [Own]) {
        own.iter_mut().for_each(exchange);
    }

    /// Leaves the VU, which takes its changes along.
    ///
    /// # Safety
    /// `ctx` must be live, and `own` the bodies that the VU entered with.
    pub(super) unsafe fn leave(&self, ctx: *mut qjs::JSContext, own: &mut Vec<Own>) {
        own.iter_mut().for_each(exchange);
        // SAFETY: see above.
        unsafe { self.take_changes(ctx, own) };
    }

    /// Restores the first bodies of changed objects; their current bodies become the VU's own.
    ///
    /// # Safety
    /// As for [`Self::leave`], and no body of `own` in its object.
    pub(super) unsafe fn take_changes(&self, ctx: *mut qjs::JSContext, own: &mut Vec<Own>) {
        if !self.shelf.is_changed() {
            return;
        }
        let suspects = self.suspects();
        let known = own.len();
        self.shelf.open();
        for object in suspects {
            let Ok(at) = self.find(object) else { continue };
            let entry = self.table.borrow()[at];
            // SAFETY: shared objects live as long as the runtime.
            unsafe {
                let first = &entry.body;
                let is_written = self.shelf.differs(first.properties, entry.property_bytes())
                    || entry.item_bytes() > 0
                        && self.shelf.differs(first.items(), entry.item_bytes());
                if !is_written && body_of(entry.object, entry.is_array) == *first {
                    continue;
                }
                let body = self.split(ctx, &entry);
                let has = own[..known].binary_search_by_key(&object, |one| one.object);
                if has.is_ok() {
                    // The VU already has its own version.
                    self.discard(ctx, vec![body]);
                } else {
                    own.push(body);
                }
            }
        }
        self.shelf.seal();
        // In the order of their addresses, for the exchange.
        own.sort_by_key(|one| one.object);
    }

    /// The objects that may have been changed.
    fn suspects(&self) -> Vec<usize> {
        let changes = self.shelf.changes();
        let blocks = self.blocks.borrow();
        let mut suspects = Vec::new();
        for region in changes.regions {
            let first = blocks.partition_point(|(at, _)| *at < region.start);
            // The previous block may extend into the region.
            let written = blocks[first.saturating_sub(1)..]
                .iter()
                .take_while(|(at, _)| *at < region.end);
            suspects.extend(written.map(|(_, object)| *object));
        }
        for address in changes.moved {
            let block = blocks.binary_search_by_key(&address, |(at, _)| *at);
            suspects.push(block.map_or(address, |index| blocks[index].1));
        }
        suspects.sort_unstable();
        suspects.dedup();
        suspects
    }

    /// Restores the first body of an object; its current body becomes the VU's own.
    ///
    /// # Safety
    /// `ctx` must be live, and the shelf open.
    unsafe fn split(&self, ctx: *mut qjs::JSContext, entry: &Entry) -> Own {
        let first = entry.body;
        // SAFETY: all addresses are those of live blocks of the engine.
        unsafe {
            let mut body = body_of(entry.object, entry.is_array);
            let size = entry.size as usize;
            if body.properties == first.properties {
                body.properties = private_copy(ctx, first.properties, size);
            } else {
                // The engine has freed the block: it has to be registered again.
                self.account(ctx, first.properties - BLOCK_BYTES / 2, size);
            }
            self.shelf.restore(first.properties, entry.property_bytes());
            let bytes = entry.item_bytes();
            if bytes > 0 {
                if body.items() == first.items() {
                    body.move_items(private_copy(ctx, first.items(), bytes), first.item_count());
                } else {
                    self.account(ctx, first.items() - BLOCK_BYTES / 2, bytes);
                }
                self.shelf.restore(first.items(), bytes);
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

    /// Frees a VU's own bodies.
    ///
    /// # Safety
    /// `ctx` must be live, and the VU gone from the runtime.
    pub(super) unsafe fn discard(&self, ctx: *mut qjs::JSContext, own: Vec<Own>) {
        for Own { body, is_array, .. } in own {
            // SAFETY: the body goes to an object made for this purpose, and is freed together with it.
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

    /// Releases all references.
    ///
    /// # Safety
    /// `ctx` must be live, no VU in the runtime, and the built-ins may afterwards only be freed.
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

/// A block of the engine's with the same content.
///
/// # Safety
/// `ctx` must be live, and the block that long.
unsafe fn private_copy(ctx: *mut qjs::JSContext, block: usize, size: usize) -> usize {
    // SAFETY: see above.
    unsafe {
        let own = qjs::js_malloc(ctx, size as qjs::size_t).expose_provenance();
        assert_ne!(own, 0, "memory for a changed object that was shared");
        copy(block, own, size);
        own
    }
}

/// The value whose two words lie there; its reference stays where it is.
///
/// # Safety
/// Two live words of the engine's that hold a value.
unsafe fn value_at(at: usize) -> qjs::JSValue {
    // SAFETY: see above.
    unsafe { std::ptr::with_exposed_provenance::<qjs::JSValue>(at).read() }
}
