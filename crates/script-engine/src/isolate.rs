//! Realms, in which the scripts of VUs live; a runtime of the engine has several.

mod running;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rquickjs::{Context, Ctx, Runtime, Value, qjs};

pub(crate) use self::running::without_stack_limit;
pub use self::running::{charge, is_blocked, is_over, settle_memory, was_cut_short};
use self::running::{on_poll, on_rejection};
use super::classes::{Classes, Ids};
use super::data::Data;
use super::fiber::Switch;
use super::host::{Host, Resident};
use super::layout::{Layout, SavedState, layout};
use super::memory::{Ledger, NOBODY, VUS_PER_RUNTIME};
use super::module;
use super::pace::Pace;
use super::promise::run_jobs;
use super::shared::{self, Ground, Realm, VuGlobals};
use super::throw::Throw;
use super::turn;

/// A runtime with this many bytes accepts no more VUs, since longer collections stop all of its VUs.
const FULL_BYTES: usize = 8 << 20;
/// The size of a runtime before its first collection. All its VUs together have about this much before they
/// have run, so an earlier collection would find nothing.
const FIRST_COLLECTION_BYTES: qjs::size_t = 2 << 20;
/// Stack that native functions may need below the engine's own frames.
const NATIVE_RESERVE_BYTES: usize = 48 * 1024;

thread_local! {
    /// The runtimes of this thread with room for more VUs.
    static RUNTIMES: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
    /// The isolate whose VU's code runs on this thread now.
    static ENTERED: Cell<*const Isolate> = const { Cell::new(ptr::null()) };
}

/// The settings of the VUs of one script. Only VUs with the same settings may share a runtime.
#[derive(Debug)]
pub struct Settings {
    /// The bytes that the values of one VU may take.
    pub vu_memory_bytes: usize,
    /// VUs may share their built-ins until they change them. Otherwise each has a realm of its own.
    pub shares_builtins: bool,
}

/// A runtime and what belongs to it. The fields are dropped in their order, which matters.
struct Shared {
    common: RefCell<Common>,
    runtime: Runtime,
    engine: *mut qjs::JSRuntime,
    vus: Cell<usize>,
    /// The allocations of the runtime by VU.
    ledger: Rc<Ledger>,
    ids: Rc<Ids>,
    /// The settings of its VUs.
    settings: Arc<Settings>,
    /// Shared data by name; `None` when it cannot be shared.
    data: RefCell<HashMap<String, Option<Data>>>,
    /// The code of modules and scripts by name, for the VUs of a shared realm.
    code: RefCell<HashMap<String, qjs::JSValue>>,
}

/// The realm that the VUs of a runtime share.
enum Common {
    /// The realm is made for the first VU.
    Planned(Ground),
    /// The realm exists.
    Founded(Rc<Realm>, Rc<Classes>, Context),
    /// A shared realm is impossible: every VU has a realm of its own.
    Impossible,
}

/// The place in which a VU's script lives, with k6's set of built-ins.
pub struct Isolate {
    globals: RefCell<Option<VuGlobals>>,
    /// Prototypes of classes that are still to be shared.
    unshared: RefCell<Vec<qjs::JSValue>>,
    realm: Option<Rc<Realm>>,
    classes: Rc<Classes>,
    context: Context,
    shared: Rc<Shared>,
    layout: Option<Layout>,
    luggage: RefCell<SavedState>,
    /// The VU; set by [`Self::attach`].
    resident: Option<Box<Resident>>,
    /// The lowest address of the VU's stack.
    stack: usize,
    /// The number of bytes of the stack that the engine may use now.
    stack_bytes: Cell<qjs::size_t>,
    /// Its account in the runtime's ledger.
    owner: usize,
}

impl Shared {
    /// A runtime of the calling thread that has room for one more VU with these settings.
    fn find(settings: &Arc<Settings>) -> Result<Rc<Self>, rquickjs::Error> {
        let limit = if layout().is_some() {
            VUS_PER_RUNTIME
        } else {
            1
        };
        let has_room = |one: &Rc<Self>| {
            one.vus.get() < limit
                && (one.vus.get() == 0 || one.ledger.total() < FULL_BYTES)
                && Arc::ptr_eq(&one.settings, settings)
        };
        RUNTIMES.with_borrow_mut(|all| {
            all.retain(|one| one.strong_count() > 0);
            // The newest runtime is the most likely to have room.
            let with_room = all.iter().rev().filter_map(Weak::upgrade).find(has_room);
            if let Some(shared) = with_room {
                return Ok(shared);
            }
            let shared = Rc::new(Self::new(Arc::clone(settings))?);
            all.push(Rc::downgrade(&shared));
            Ok(shared)
        })
    }

    fn new(settings: Arc<Settings>) -> Result<Self, rquickjs::Error> {
        let ledger = Rc::new(Ledger::new(settings.vu_memory_bytes));
        let (runtime, ground) = shared::new_runtime(&ledger)?;
        // A temporary context yields the address of the engine.
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
        let ground = ground.filter(|_| settings.shares_builtins && layout().is_some());
        Ok(Self {
            common: RefCell::new(ground.map_or(Common::Impossible, Common::Planned)),
            runtime,
            engine,
            vus: Cell::new(0),
            ledger,
            ids: Rc::default(),
            settings,
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
        // The realm releases its references while its context is alive.
        if let Common::Founded(realm, classes, context) = self.common.replace(Common::Impossible) {
            drop(realm);
            drop(classes);
            drop(context);
        }
    }
}

impl Isolate {
    /// A place for one VU with these settings, whose code will run on the stack that ends at the address
    /// `stack`.
    pub fn new(stack: usize, settings: &Arc<Settings>) -> Result<Self, rquickjs::Error> {
        let shared = Shared::find(settings)?;
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
            globals: RefCell::default(),
            unshared: RefCell::default(),
            realm,
            classes,
            context,
            shared,
            layout: layout(),
            luggage: RefCell::default(),
            resident: None,
            stack,
            stack_bytes: Cell::default(),
        })
    }

    /// Connects the isolate with its VU and sets up its globals.
    ///
    /// # Errors
    /// The error of `install`, or there is no memory.
    pub fn attach(
        &mut self,
        host: Rc<dyn Host>,
        install: impl FnOnce(&Ctx<'_>) -> Result<(), Throw>,
    ) -> Result<(), Throw> {
        self.resident = Some(Box::new(Resident {
            host,
            classes: Rc::clone(&self.classes),
            context: self.context.as_raw().as_ptr(),
            pace: Pace::default(),
            is_home: Cell::new(self.realm.is_none()),
        }));
        if self.realm.is_none() {
            self.tell_resident();
            let installed = install(&self.ctx());
            self.forget_resident();
            installed?;
            self.found();
        }
        if let Some(realm) = &self.realm {
            *self.globals.borrow_mut() = Some(realm.globals()?);
        }
        Ok(())
    }

    /// Turns the realm of the runtime's first VU into the one that all its VUs share.
    fn found(&mut self) {
        let ground = match self.shared.common.replace(Common::Impossible) {
            Common::Planned(ground) => ground,
            other => {
                self.shared.common.replace(other);
                return;
            }
        };
        // SAFETY: the context is of this runtime, and no VU is in it.
        let founded = unsafe { Realm::found(&ground, self.context.as_raw().as_ptr()) };
        if let Some(realm) = founded.map(Rc::new) {
            let (classes, context) = (Rc::clone(&self.classes), self.context.clone());
            self.shared
                .common
                .replace(Common::Founded(Rc::clone(&realm), classes, context));
            self.realm = Some(realm);
            self.set_home(false);
        }
    }

    fn resident(&self) -> &Resident {
        let resident = self.resident.as_deref();
        resident.expect("no code runs before the isolate is attached to a virtual user")
    }

    fn set_home(&self, is_home: bool) {
        self.resident().is_home.set(is_home);
    }

    /// From now on the realm belongs to the VU.
    fn tell_resident(&self) {
        let resident = ptr::from_ref(self.resident()).cast_mut();
        // SAFETY: the isolate keeps the resident in place until it has taken this back.
        unsafe { qjs::JS_SetContextOpaque(self.context.as_raw().as_ptr(), resident.cast()) };
    }

    /// The realm belongs to no VU.
    fn forget_resident(&self) {
        // SAFETY: sets a field of a live context.
        unsafe { qjs::JS_SetContextOpaque(self.context.as_raw().as_ptr(), ptr::null_mut()) };
    }

    /// The realm. Only one thread ever uses it, and values must not outlive the isolate.
    pub fn ctx(&self) -> Ctx<'_> {
        // SAFETY: the runtime never leaves its thread; natives get their realm the same way.
        unsafe { Ctx::from_raw(self.context.as_raw()) }
    }

    /// Runs the promise jobs that an interrupted VU has left behind, so that another VU of the runtime does not
    /// run them. Its host reports the interrupt, so script code ends at once.
    pub fn discard_jobs(&self) {
        if self.realm.is_some() && self.globals.borrow().is_none() {
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

    /// The bytes that the VU's runtime has allocated.
    pub fn runtime_bytes(&self) -> usize {
        self.shared.ledger.total()
    }

    /// Whether the VU's realm can have other VUs.
    pub fn has_common_realm(&self) -> bool {
        self.realm.is_some()
    }

    /// The number of shared objects that the VU has changed; it must not be running.
    pub fn changed_objects(&self) -> usize {
        self.globals
            .borrow()
            .as_ref()
            .map_or(0, VuGlobals::changed_objects)
    }

    fn enter_realm(&self) {
        if let (Some(realm), Some(globals)) = (&self.realm, &mut *self.globals.borrow_mut()) {
            realm.enter(globals);
            self.set_home(true);
        }
    }

    fn leave_realm(&self) {
        if let (Some(realm), Some(globals)) = (&self.realm, &mut *self.globals.borrow_mut()) {
            self.set_home(false);
            realm.leave(globals);
        }
    }

    /// Changes to shared objects since the VU has left become changes of this VU.
    fn absorb(&self) {
        if let (Some(realm), Some(globals)) = (&self.realm, &mut *self.globals.borrow_mut()) {
            realm.absorb(globals);
        }
    }

    /// Takes the running VU out of its realm until the returned guard is dropped. Code that runs meanwhile must
    /// not be interrupted.
    fn step_out(&self) -> OutsideGuard<'_> {
        let is_home = self.resident().is_home.get();
        if is_home {
            self.leave_realm();
        }
        OutsideGuard(is_home.then_some(self))
    }
}

/// The maximum number of jobs of an ended VU that are run.
const DISCARDED_JOBS: usize = 10_000;

/// Makes an object that all VUs of the realm receive. It is made while none of them is in the realm, and
/// protected: a VU that changes it changes only its own version.
///
/// # Errors
/// The error of `make`, or the object contains values that VUs cannot share.
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
    if !isolate.resident().is_home.get() {
        // The object may lack its constructor, which is shared together with it.
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

/// The code that VUs of the realm have read so far; `None` in a realm that is not shared.
pub(super) fn known_code() -> Option<RefMut<'static, HashMap<String, qjs::JSValue>>> {
    // SAFETY: the isolate that was entered stays where it is until it is left, which the code that holds the
    // reference does not do.
    let isolate = unsafe { ENTERED.get().as_ref() }?;
    isolate.realm.as_ref()?;
    Some(isolate.shared.code.borrow_mut())
}

/// Values that all VUs of the realm share until one of them changes them; that VU then has its own version.
/// `make` makes them while no VU is in the realm.
///
/// # Errors
/// The error of `make`.
pub fn shared_data<'js>(
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
struct OutsideGuard<'a>(Option<&'a Isolate>);

impl Drop for OutsideGuard<'_> {
    fn drop(&mut self) {
        if let Some(isolate) = self.0 {
            isolate.enter_realm();
        }
    }
}

impl Switch for Isolate {
    fn enter(&self) {
        turn::begin(self.resident());
        ENTERED.set(self);
        self.tell_resident();
        if let Some(layout) = self.layout {
            // SAFETY: the luggage was packed from this runtime, and the VU that ran before has left.
            unsafe { self.luggage.borrow_mut().unpack(self.shared.engine, layout) };
        }
        self.enter_realm();
        let here = 0_u8;
        let distance = ptr::from_ref(&here)
            .addr()
            .wrapping_sub(self.stack + NATIVE_RESERVE_BYTES) as qjs::size_t;
        self.stack_bytes.set(distance);
        // SAFETY: the limit is "top minus size"; the size may wrap around, for this stack and the
        // VU's can lie in any order. The limit is then just above the end of the VU's stack.
        unsafe {
            qjs::JS_UpdateStackTop(self.shared.engine);
            qjs::JS_SetMaxStackSize(self.shared.engine, distance);
        }
        // Entering and leaving is charged to no VU.
        self.shared.ledger.turn(self.owner);
        let resident = self.resident();
        resident.pace.begin(resident.context);
    }

    fn leave(&self) {
        self.shared.ledger.turn(NOBODY);
        self.leave_realm();
        if let Some(layout) = self.layout {
            // SAFETY: the realm that ran was this one.
            unsafe { self.luggage.borrow_mut().pack(self.shared.engine, layout) };
        }
        // SAFETY: sets a field. Outside the VUs' stacks there is no limit.
        unsafe { qjs::JS_SetMaxStackSize(self.shared.engine, 0) };
        self.forget_resident();
        ENTERED.set(ptr::null());
        turn::end();
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        if let (Some(realm), Some(globals)) = (&self.realm, self.globals.take()) {
            realm.retire(globals);
        }
        self.shared.ledger.close(self.owner);
        self.shared.vus.set(self.shared.vus.get() - 1);
    }
}

/// k6's engine has no `WeakRef`, `performance`, `DOMException`, `atob`; scripts test for them to decide whether
/// they need a polyfill.
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
