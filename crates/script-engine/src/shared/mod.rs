//! One realm for many VUs: they share the built-ins and own their globals, modules and changes.
//!
//! A realm for one VU takes sixty kilobytes, nearly all of it `Array`, `Map`, `RegExp` and the like, the same
//! in each. Here the VUs of a runtime live in one realm. The running VU has its global object, its list of
//! modules and its versions of the built-ins that it has changed in the realm; a suspended VU takes them out.
//! See `docs/decisions/0006-shared-built-ins.md`.

mod anatomy;
mod body;
mod builtins;
mod guards;
mod properties;
mod vault;

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use rquickjs::{Runtime, qjs};

use anatomy::{Anatomy, address_of, anatomy, word};
use body::Own;
use builtins::{Builtins, Unshared};
use properties::Held;
use vault::Shelf;
use vault::ShelfAllocator;

use super::memory::Ledger;

/// The shelf for the properties of a runtime's built-ins, until there is a realm.
pub(super) struct Ground {
    shelf: Rc<Shelf>,
    place: Rc<Cell<Option<usize>>>,
    anatomy: Anatomy,
}

/// The realm that the VUs of a runtime share.
pub(super) struct Realm {
    ctx: *mut qjs::JSContext,
    engine: *mut qjs::JSRuntime,
    anatomy: Anatomy,
    builtins: Builtins,
    /// The global object while no VU is in the realm; those of VUs are copies of it.
    global: qjs::JSValue,
    held: Vec<Held>,
}

/// The state of one VU in a shared realm. While the VU runs, this holds the realm's own state.
pub(super) struct VuGlobals {
    global: usize,
    lexical: usize,
    /// First and last module.
    modules: Option<(usize, usize)>,
    own: Vec<Own>,
}

/// A runtime, prepared for a shared realm if the machine and the engine allow one.
pub(super) fn new_runtime(
    ledger: &Rc<Ledger>,
) -> Result<(Runtime, Option<Ground>), rquickjs::Error> {
    let place = Rc::new(Cell::new(None));
    let shelf = anatomy().and_then(|_| Shelf::new()).map(Rc::new);
    let runtime = Runtime::new_with_alloc(ShelfAllocator {
        place: Rc::clone(&place),
        ledger: Rc::clone(ledger),
        shelf: shelf.clone(),
    })?;
    let ground = anatomy().zip(shelf).map(|(anatomy, shelf)| Ground {
        shelf,
        place,
        anatomy,
    });
    Ok((runtime, ground))
}

impl Realm {
    /// Makes a shared realm from a context that has all its built-ins and globals. `None` when they cannot be
    /// shared; the context then remains usable.
    ///
    /// # Safety
    /// `ctx` must be a live context of the runtime of this ground, and no VU in it.
    pub(super) unsafe fn found(ground: &Ground, ctx: *mut qjs::JSContext) -> Option<Self> {
        // SAFETY: see above; the references that are taken are freed at the end.
        unsafe {
            let engine = qjs::JS_GetRuntime(ctx);
            let builtins = Builtins::new(ctx, Rc::clone(&ground.shelf), Rc::clone(&ground.place));
            guards::install(ctx);
            let global = qjs::JS_GetGlobalObject(ctx);
            let lexical = word(ctx.expose_provenance(), ground.anatomy.globals + 2).read();
            let mut roots = vec![qjs::JS_GetFunctionProto(ctx)];
            for class in 1..qjs::JSClassID::from(u8::MAX) {
                if qjs::JS_IsRegisteredClass(engine, class) {
                    roots.push(qjs::JS_GetClassProto(ctx, class));
                }
            }
            let on_global = properties::own_properties(ctx, global);
            let values = on_global.iter().flat_map(properties::Property::values);
            roots.extend(values.map(|value| qjs::JS_DupValue(ctx, value)));
            on_global.iter().for_each(|property| property.free(ctx));
            let border = [address_of(global), lexical];
            let adopted = builtins.adopt(ctx, &roots, &border);
            roots
                .into_iter()
                .for_each(|root| qjs::JS_FreeValue(ctx, root));
            let guarded = adopted.and_then(|()| match vault::is_refused() {
                true => Err(Unshared),
                false => Ok(()),
            });
            let steady = guarded.and_then(|()| properties::steady(ctx, global));
            let held = steady.map(|properties| {
                let held = properties.iter().map(properties::Property::held).collect();
                properties.iter().for_each(|property| property.free(ctx));
                held
            });
            let Ok(held) = held else {
                builtins.release(ctx);
                qjs::JS_FreeValue(ctx, global);
                return None;
            };
            Some(Self {
                ctx,
                engine,
                anatomy: ground.anatomy,
                builtins,
                global,
                held,
            })
        }
    }

    /// The globals of one more VU.
    pub(super) fn globals(&self) -> Result<VuGlobals, rquickjs::Error> {
        // SAFETY: the realm is live, and a fresh object gets a body of its own.
        unsafe {
            let global = qjs::JS_NewObject(self.ctx);
            let body = body::copy_of(self.ctx, self.global, &self.held);
            let body = body.ok_or(rquickjs::Error::Allocation)?;
            body::dress(self.ctx, global, &body, false);
            for name in [c"globalThis", c"global"] {
                let own = qjs::JS_DupValue(self.ctx, global);
                qjs::JS_SetPropertyStr(self.ctx, global, name.as_ptr(), own);
            }
            let lexical = qjs::JS_NewObjectProto(self.ctx, qjs::JS_NULL);
            Ok(VuGlobals {
                global: address_of(global),
                lexical: address_of(lexical),
                modules: None,
                own: Vec::new(),
            })
        }
    }

    /// Enters the VU of these globals.
    pub(super) fn enter(&self, globals: &mut VuGlobals) {
        guards::set(Some(&self.builtins));
        self.exchange_globals(globals);
        if let Some((first, last)) = globals.modules.take() {
            // SAFETY: the nodes were taken out of the same list.
            unsafe { super::layout::link(self.modules(), first, last) };
        }
        self.builtins.enter(&mut globals.own);
    }

    /// Leaves the VU of these globals.
    pub(super) fn leave(&self, globals: &mut VuGlobals) {
        // SAFETY: the globals are those of the VU that came last.
        unsafe {
            self.builtins.leave(self.ctx, &mut globals.own);
            globals.modules = super::layout::unlink(self.modules());
        }
        self.exchange_globals(globals);
        guards::set(None);
    }

    /// Adds the changes since the VU of these globals left to them.
    pub(super) fn absorb(&self, globals: &mut VuGlobals) {
        // SAFETY: the globals are those of the VU that was in last.
        unsafe { self.builtins.take_changes(self.ctx, &mut globals.own) };
    }

    fn exchange_globals(&self, globals: &mut VuGlobals) {
        let ctx = self.ctx.expose_provenance();
        // SAFETY: the words of a live context; references change places with the addresses.
        unsafe {
            ptr::swap(word(ctx, self.anatomy.globals), &raw mut globals.global);
            ptr::swap(
                word(ctx, self.anatomy.globals + 2),
                &raw mut globals.lexical,
            );
        }
    }

    /// The address of the head of the list of modules.
    fn modules(&self) -> usize {
        self.ctx.expose_provenance() + self.anatomy.modules * size_of::<usize>()
    }

    /// Shares objects that were made while no VU was in the realm. False when that is not possible; then only
    /// one VU may have them.
    pub(super) fn adopt(&self, object: qjs::JSValue) -> bool {
        // SAFETY: the realm is live; no VU is in, so its own global is, and all bodies are first ones.
        unsafe {
            let lexical = word(self.ctx.expose_provenance(), self.anatomy.globals + 2).read();
            let border = [address_of(self.global), lexical];
            self.builtins.adopt(self.ctx, &[object], &border).is_ok()
        }
    }

    /// Frees the state of a VU, which must have left.
    pub(super) fn retire(&self, globals: VuGlobals) {
        // SAFETY: the globals' references are freed once. Modules are freed with a context that is made
        // for it, for the engine frees them no other way.
        unsafe {
            if let Some((first, last)) = globals.modules {
                let grave = qjs::JS_NewContextRaw(self.engine);
                if !grave.is_null() {
                    let head =
                        grave.expose_provenance() + self.anatomy.modules * size_of::<usize>();
                    super::layout::link(head, first, last);
                    qjs::JS_FreeContext(grave);
                }
            }
            self.builtins.discard(self.ctx, globals.own);
            for address in [globals.global, globals.lexical] {
                let object = ptr::with_exposed_provenance_mut(address);
                qjs::JS_FreeValue(self.ctx, qjs::JS_MKPTR(qjs::JS_TAG_OBJECT, object));
            }
        }
    }
}

impl VuGlobals {
    /// The number of shared objects that the VU has changed; it must have left.
    pub(super) fn changed_objects(&self) -> usize {
        self.own.len()
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // SAFETY: no VU is left, and the context is still alive: its owner drops the realm first.
        unsafe {
            self.builtins.release(self.ctx);
            qjs::JS_FreeValue(self.ctx, self.global);
        }
    }
}
