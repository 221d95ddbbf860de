//! Realms: what VUs' scripts live in, several to a runtime of the engine.

mod running;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rquickjs::{Context, Ctx, Runtime, Value, qjs};

pub(crate) use self::running::{charge, is_blocked, is_over, settle_memory, was_cut_short};
pub(super) use self::running::{is_ending, leaving};
use self::running::{on_poll, on_rejection};
use super::class::{Classes, Ids};
use super::data::Data;
use super::layout::{Layout, Luggage, layout};
use super::memory::{Ledger, NOBODY};
use super::metronome;
use super::module;
use super::native::Throw;
use super::promise::run_jobs;
use super::shared::{self, Ground, Realm, Seat};
use crate::fiber::Switch;
use crate::script::Script;
use crate::vu::state::VuState;

/// VUs that share a runtime: its atoms, shapes, arenas and built-ins. More save little memory and make
/// collections, which stop them all, longer.
pub(super) const VUS_PER_RUNTIME: usize = 64;
/// A runtime that holds so much takes no more VUs, for the same reason.
const FULL_BYTES: usize = 8 << 20;
/// What a runtime holds before its first collection, about that of all its VUs before they have run:
/// until then there is nothing to collect.
const FIRST_COLLECTION_BYTES: qjs::size_t = 2 << 20;
/// Polls of the engine (each about 10 000 jumps or calls) after which a busy VU lets others run.
const POLLS_PER_TURN: u32 = 64;
/// Stack that native functions may need below the engine's own frames.
const NATIVE_RESERVE_BYTES: usize = 48 * 1024;

thread_local! {
    /// Runtimes of this thread that have room.
    static RUNTIMES: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
    /// The VU whose code runs on this thread now.
    static RUNNING: Cell<*const VuState> = const { Cell::new(ptr::null()) };
    /// Its isolate.
    static ENTERED: Cell<*const Isolate> = const { Cell::new(ptr::null()) };
}

#[cfg(test)]
thread_local! {
    /// False: runtimes that are made from now on are taken for some that cannot have a common realm.
    pub(crate) static REALMS_ARE_SHARED: Cell<bool> = const { Cell::new(true) };
}

/// A runtime and what belongs to it. The order of the fields is that in which they must go.
struct Shared {
    common: RefCell<Common>,
    runtime: Runtime,
    engine: *mut qjs::JSRuntime,
    vus: Cell<usize>,
    /// What the runtime has allocated, and for whom.
    ledger: Rc<Ledger>,
    ids: Rc<Ids>,
    /// What its VUs run.
    script: Arc<Script>,
    /// Shared data by name; `None`: it cannot be shared.
    data: RefCell<HashMap<String, Option<Data>>>,
    /// The code of modules and scripts by name, for the VUs of a common realm.
    code: RefCell<HashMap<String, qjs::JSValue>>,
}

/// The realm that the VUs of a runtime share.
enum Common {
    /// It is made when the first VU comes.
    Planned(Ground),
    /// It is there.
    Founded(Rc<Realm>, Rc<Classes>, Context),
    /// There will be none: every VU has a realm of its own.
    Impossible,
}

/// What a VU's script lives in, with k6's set of built-ins.
pub(crate) struct Isolate {
    seat: RefCell<Option<Seat>>,
    /// The VU is in its realm.
    is_seated: Cell<bool>,
    /// Prototypes of classes that are still to be shared.
    unshared: RefCell<Vec<qjs::JSValue>>,
    realm: Option<Rc<Realm>>,
    classes: Rc<Classes>,
    context: Context,
    shared: Rc<Shared>,
    layout: Option<Layout>,
    luggage: RefCell<Luggage>,
    state: Cell<*const VuState>,
    /// The lowest address of the VU's stack.
    stack: usize,
    /// Its account in the runtime's books.
    owner: usize,
}

impl Shared {
    /// A runtime of the calling thread that has room for one more VU of the script.
    fn find(script: &Arc<Script>) -> Result<Rc<Self>, rquickjs::Error> {
        let limit = if layout().is_some() {
            VUS_PER_RUNTIME
        } else {
            1
        };
        let has_room = |one: &Rc<Self>| {
            one.vus.get() < limit
                && (one.vus.get() == 0 || one.ledger.total() < FULL_BYTES)
                && Arc::ptr_eq(&one.script, script)
        };
        RUNTIMES.with_borrow_mut(|all| {
            all.retain(|one| one.strong_count() > 0);
            // The newest is the likeliest to have room.
            let with_room = all.iter().rev().filter_map(Weak::upgrade).find(has_room);
            if let Some(shared) = with_room {
                return Ok(shared);
            }
            let shared = Rc::new(Self::new(Arc::clone(script))?);
            all.push(Rc::downgrade(&shared));
            Ok(shared)
        })
    }

    fn new(script: Arc<Script>) -> Result<Self, rquickjs::Error> {
        let ledger = Rc::new(Ledger::new(script.vu_memory_bytes()));
        let (runtime, ground) = shared::new_runtime(&ledger)?;
        // A context that goes at once gives the address of the engine.
        let probe = Context::base(&runtime)?;
        // SAFETY: the context is alive; both calls set fields.
        let engine = unsafe {
            let engine = qjs::JS_GetRuntime(probe.as_raw().as_ptr());
            qjs::JS_SetMaxStackSize(engine, 0);
            ledger.set_engine(engine);
            qjs::JS_SetGCThreshold(engine, FIRST_COLLECTION_BYTES);
            qjs::JS_SetInterruptHandler(engine, Some(on_poll), ptr::null_mut());
            qjs::JS_SetHostPromiseRejectionTracker(engine, Some(on_rejection), ptr::null_mut());
            qjs::JS_SetModuleLoaderFunc(
                engine,
                Some(module::normalize),
                Some(module::load),
                ptr::null_mut(),
            );
            engine
        };
        drop(probe);
        let ground = ground.filter(|_| layout().is_some());
        #[cfg(test)]
        let ground = ground.filter(|_| REALMS_ARE_SHARED.get());
        Ok(Self {
            common: RefCell::new(ground.map_or(Common::Impossible, Common::Planned)),
            runtime,
            engine,
            vus: Cell::new(0),
            ledger,
            ids: Rc::default(),
            script,
            data: RefCell::default(),
            code: RefCell::default(),
        })
    }

    fn new_context(&self) -> Result<Context, rquickjs::Error> {
        // SAFETY: a raw context with the built-ins that `Context` expects, which then owns it.
        unsafe {
            let raw = NonNull::new(qjs::JS_NewContextRaw(self.engine))
                .ok_or(rquickjs::Error::Allocation)?;
            add_intrinsics(raw.as_ptr());
            Ok(Context::from_raw(raw, self.runtime.clone()))
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for (_, code) in self.code.take() {
            // SAFETY: the reference that was kept, in a live runtime.
            unsafe { qjs::JS_FreeValueRT(self.engine, code) };
        }
        // The realm gives up its references while its context is alive.
        if let Common::Founded(realm, classes, context) = self.common.replace(Common::Impossible) {
            drop(realm);
            drop(classes);
            drop(context);
        }
    }
}

impl Isolate {
    /// A place for one VU of the script, whose code will run on the stack that ends at the address
    /// `stack`.
    pub(crate) fn new(stack: usize, script: &Arc<Script>) -> Result<Self, rquickjs::Error> {
        let shared = Shared::find(script)?;
        let founded = match &*shared.common.borrow() {
            Common::Founded(realm, classes, context) => {
                Some((Rc::clone(realm), Rc::clone(classes), context.clone()))
            }
            Common::Planned(_) | Common::Impossible => None,
        };
        let (realm, classes, context) = match founded {
            Some((realm, classes, context)) => (Some(realm), classes, context),
            None => (
                None,
                Rc::new(Classes::new(Rc::clone(&shared.ids))),
                shared.new_context()?,
            ),
        };
        shared.vus.set(shared.vus.get() + 1);
        let owner = shared.ledger.open();
        Ok(Self {
            owner,
            seat: RefCell::default(),
            is_seated: Cell::default(),
            unshared: RefCell::default(),
            realm,
            classes,
            context,
            shared,
            layout: layout(),
            luggage: RefCell::default(),
            state: Cell::new(ptr::null()),
            stack,
        })
    }

    /// Connects the isolate with its VU and sets up its globals. `state` must stay where it is until
    /// the isolate is dropped.
    pub(crate) fn attach(
        &mut self,
        state: &VuState,
        install: impl FnOnce(&Ctx<'_>) -> Result<(), Throw>,
    ) -> Result<(), Throw> {
        self.state.set(state);
        if self.realm.is_none() {
            self.tell_state();
            install(&self.ctx())?;
            self.found();
        }
        if let Some(realm) = &self.realm {
            *self.seat.borrow_mut() = Some(realm.seat()?);
        }
        Ok(())
    }

    /// Makes the realm that all VUs of the runtime share of this one's, when it is the first.
    fn found(&mut self) {
        let ground = match self.shared.common.replace(Common::Impossible) {
            Common::Planned(ground) => ground,
            other => {
                self.shared.common.replace(other);
                return;
            }
        };
        // SAFETY: the context is of this runtime, and nobody is in it.
        let founded = unsafe { Realm::found(&ground, self.context.as_raw().as_ptr()) };
        if let Some(realm) = founded.map(Rc::new) {
            let (classes, context) = (Rc::clone(&self.classes), self.context.clone());
            self.shared
                .common
                .replace(Common::Founded(Rc::clone(&realm), classes, context));
            self.realm = Some(realm);
        }
    }

    fn tell_state(&self) {
        let opaque: *mut c_void = self.state.get().cast_mut().cast();
        // SAFETY: whoever attached the state keeps it alive and in place.
        unsafe { qjs::JS_SetContextOpaque(self.context.as_raw().as_ptr(), opaque) };
    }

    /// The native classes of the realm.
    pub(crate) fn classes(&self) -> Rc<Classes> {
        Rc::clone(&self.classes)
    }

    /// The realm. Only one thread ever uses it, and values must not outlive the isolate.
    pub(crate) fn ctx(&self) -> Ctx<'_> {
        // SAFETY: the runtime never leaves its thread; natives get their realm the same way.
        unsafe { Ctx::from_raw(self.context.as_raw()) }
    }

    /// Runs the promise jobs that an interrupted VU has left behind; `state` says that it is
    /// interrupted, so no script code gets far. Otherwise another VU of the runtime would run them.
    pub(crate) fn discard_jobs(&self) {
        if self.realm.is_some() && self.seat.borrow().is_none() {
            return;
        }
        self.enter();
        let ctx = self.ctx();
        for _ in 0..DISCARDED_JOBS {
            // SAFETY: the runtime is alive.
            if !unsafe { qjs::JS_IsJobPending(self.shared.engine) } {
                break;
            }
            let _ = run_jobs(&ctx);
            let _ = ctx.catch();
        }
        drop(ctx);
        self.leave();
    }

    /// What the VU's runtime has allocated.
    #[cfg(test)]
    pub(crate) fn runtime_bytes(&self) -> usize {
        self.shared.ledger.total()
    }

    /// Whether other VUs live in the VU's realm, or could.
    #[cfg(test)]
    pub(crate) fn has_common_realm(&self) -> bool {
        self.realm.is_some()
    }

    /// How many shared objects the VU has changed; it must not be running.
    pub(crate) fn changed_objects(&self) -> usize {
        self.seat.borrow().as_ref().map_or(0, Seat::changed_objects)
    }

    fn take_seat(&self) {
        if let (Some(realm), Some(seat)) = (&self.realm, &mut *self.seat.borrow_mut()) {
            realm.enter(seat);
            self.is_seated.set(true);
        }
    }

    fn leave_seat(&self) {
        if let (Some(realm), Some(seat)) = (&self.realm, &mut *self.seat.borrow_mut()) {
            self.is_seated.set(false);
            realm.leave(seat);
        }
    }

    /// What was changed of shared objects since the VU has left is the VU's doing.
    fn absorb(&self) {
        if let (Some(realm), Some(seat)) = (&self.realm, &mut *self.seat.borrow_mut()) {
            realm.absorb(seat);
        }
    }

    /// Takes the running VU out of its realm until the answer is dropped. What is made meanwhile must not
    /// be interrupted.
    fn step_out(&self) -> Outside<'_> {
        let is_seated = self.is_seated.get();
        if is_seated {
            self.leave_seat();
        }
        Outside(is_seated.then_some(self))
    }
}

/// Jobs of an ended VU that are run down at most.
const DISCARDED_JOBS: usize = 10_000;

/// Makes an object that all VUs of the realm get. It is made while none of them is in the realm, and
/// protected: a VU that changes it changes its own version.
///
/// # Errors
/// What `make` fails with, and when the object holds what VUs cannot share.
pub(crate) fn shared<'js>(
    make: impl FnOnce() -> rquickjs::Result<rquickjs::Object<'js>>,
) -> rquickjs::Result<rquickjs::Object<'js>> {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let entered = unsafe { ENTERED.get().as_ref() };
    let Some((isolate, realm)) =
        entered.and_then(|isolate| Some((isolate, isolate.realm.as_ref()?)))
    else {
        return make();
    };
    if !isolate.is_seated.get() {
        // It may still get its constructor: it is shared together with what is being made.
        let object = make()?;
        isolate.unshared.borrow_mut().push(object.as_raw());
        return Ok(object);
    }
    let _out = isolate.step_out();
    let object = make()?;
    isolate.absorb();
    if realm.adopt(object.as_raw()) {
        Ok(object)
    } else {
        Err(rquickjs::Error::Unknown)
    }
}

/// The code that VUs of the realm have read so far; `None` in a realm of one's own.
pub(super) fn known_code() -> Option<RefMut<'static, HashMap<String, qjs::JSValue>>> {
    // SAFETY: the isolate that was entered stays where it is until it is left, which the code that holds
    // the answer does not do.
    let isolate = unsafe { ENTERED.get().as_ref() }?;
    isolate.realm.as_ref()?;
    Some(isolate.shared.code.borrow_mut())
}

/// Values that are the same for all VUs of the realm as long as none changes them, and then for all but
/// that one. `make` makes them, while no VU is in the realm.
///
/// # Errors
/// What `make` fails with.
pub(crate) fn shared_data<'js>(
    ctx: &Ctx<'js>,
    name: &str,
    make: impl FnOnce() -> Result<Vec<Value<'js>>, Throw>,
) -> Result<Vec<Value<'js>>, Throw> {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let entered = unsafe { ENTERED.get().as_ref() };
    let Some((isolate, realm)) =
        entered.and_then(|isolate| Some((isolate, isolate.realm.as_ref()?)))
    else {
        return make();
    };
    let known = isolate.shared.data.borrow().get(name).cloned();
    match known {
        Some(Some(data)) => return Ok(data.values(ctx)),
        Some(None) => return make(),
        None => {}
    }
    let _out = isolate.step_out();
    let values = make();
    isolate.absorb();
    let prototypes = isolate.unshared.take();
    if !prototypes.iter().all(|prototype| realm.adopt(*prototype)) {
        return Err(Throw::Engine(rquickjs::Error::Unknown));
    }
    let values = values?;
    let data = Data::new(&values);
    let is_shared = data.raw().iter().all(|value| realm.adopt(*value));
    let mut all = isolate.shared.data.borrow_mut();
    all.insert(name.to_owned(), is_shared.then_some(data));
    Ok(values)
}

/// A VU that has left its realm for a moment, in the middle of its code.
struct Outside<'a>(Option<&'a Isolate>);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        if let Some(isolate) = self.0 {
            isolate.take_seat();
        }
    }
}

impl Switch for Isolate {
    fn enter(&self) {
        RUNNING.set(self.state.get());
        ENTERED.set(self);
        if let Some(layout) = self.layout {
            // SAFETY: the luggage was packed from this runtime, and whoever ran before has left.
            unsafe { self.luggage.borrow_mut().unpack(self.shared.engine, layout) };
        }
        if self.realm.is_some() {
            self.tell_state();
            self.take_seat();
        }
        let here = 0_u8;
        let distance = ptr::from_ref(&here)
            .addr()
            .wrapping_sub(self.stack + NATIVE_RESERVE_BYTES);
        // SAFETY: the limit is "top minus size"; the size may wrap around, for this stack and the
        // VU's can lie in any order. The limit is then just above the end of the VU's stack.
        unsafe {
            qjs::JS_UpdateStackTop(self.shared.engine);
            qjs::JS_SetMaxStackSize(self.shared.engine, distance as qjs::size_t);
        }
        // Coming and going is nobody's to pay.
        self.shared.ledger.turn(self.owner);
        metronome::begin_turn(self.context.as_raw().as_ptr());
    }

    fn leave(&self) {
        metronome::end_turn();
        self.shared.ledger.turn(NOBODY);
        self.leave_seat();
        if let Some(layout) = self.layout {
            // SAFETY: the realm that ran was this one.
            unsafe { self.luggage.borrow_mut().pack(self.shared.engine, layout) };
        }
        // SAFETY: sets a field. Outside of VUs' stacks there is no limit.
        unsafe { qjs::JS_SetMaxStackSize(self.shared.engine, 0) };
        RUNNING.set(ptr::null());
        ENTERED.set(ptr::null());
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        if let (Some(realm), Some(seat)) = (&self.realm, self.seat.take()) {
            realm.retire(seat);
        }
        // Its realm may go with it.
        metronome::leave_alone();
        self.shared.ledger.close(self.owner);
        self.shared.vus.set(self.shared.vus.get() - 1);
    }
}

/// k6's engine has no `WeakRef`, `performance`, `DOMException`, `atob`; scripts ask for them to decide
/// whether they need a polyfill.
///
/// # Safety
/// `ctx` is a fresh raw context.
unsafe fn add_intrinsics(ctx: *mut qjs::JSContext) {
    // SAFETY: see above.
    unsafe {
        qjs::JS_AddIntrinsicBaseObjects(ctx);
        qjs::JS_AddIntrinsicDate(ctx);
        qjs::JS_AddIntrinsicEval(ctx);
        qjs::JS_AddIntrinsicRegExp(ctx);
        qjs::JS_AddIntrinsicJSON(ctx);
        qjs::JS_AddIntrinsicProxy(ctx);
        qjs::JS_AddIntrinsicMapSet(ctx);
        qjs::JS_AddIntrinsicTypedArrays(ctx);
        qjs::JS_AddIntrinsicPromise(ctx);
        qjs::JS_AddIntrinsicBigInt(ctx);
    }
}
