//! Realms: what VUs' scripts live in, several to a runtime of the engine.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};

use rquickjs::{Context, Ctx, Runtime, Value, qjs};

use super::class::Ids;
use super::layout::{Layout, Luggage, layout};
use super::module;
use super::native::Throw;
use crate::fiber::{self, Switch};
use crate::vu::state::VuState;

/// What the scripts of a runtime may allocate before they get an "out of memory" exception.
const MEMORY_LIMIT_BYTES: qjs::size_t = 1 << 30;
/// Realms that share a runtime: its atoms, shapes and arenas. More save little memory and make
/// collections, which stop them all, longer.
const REALMS_PER_RUNTIME: usize = 16;
/// Polls of the engine (each about 10 000 jumps or calls) after which a busy VU lets others run.
const POLLS_PER_TURN: u32 = 64;
/// Stack that native functions may need below the engine's own frames.
const NATIVE_RESERVE_BYTES: usize = 48 * 1024;

thread_local! {
    /// Runtimes of this thread that have room.
    static RUNTIMES: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
    /// The VU whose code runs on this thread now.
    static RUNNING: Cell<*const VuState> = const { Cell::new(ptr::null()) };
}

/// A runtime and what belongs to it.
struct Shared {
    runtime: Runtime,
    engine: *mut qjs::JSRuntime,
    realms: Cell<usize>,
    ids: Rc<Ids>,
}

/// A realm with k6's set of built-ins.
pub(crate) struct Isolate {
    context: Context,
    shared: Rc<Shared>,
    layout: Option<Layout>,
    luggage: RefCell<Luggage>,
    state: Cell<*const VuState>,
    /// The lowest address of the VU's stack.
    stack: usize,
}

impl Shared {
    /// A runtime of the calling thread that has room for one more realm.
    fn find() -> Result<Rc<Self>, rquickjs::Error> {
        let limit = if layout().is_some() {
            REALMS_PER_RUNTIME
        } else {
            1
        };
        RUNTIMES.with_borrow_mut(|all| {
            all.retain(|one| one.strong_count() > 0);
            let with_room = all
                .iter()
                .filter_map(Weak::upgrade)
                .find(|one| one.realms.get() < limit);
            if let Some(shared) = with_room {
                return Ok(shared);
            }
            let shared = Rc::new(Self::new()?);
            all.push(Rc::downgrade(&shared));
            Ok(shared)
        })
    }

    fn new() -> Result<Self, rquickjs::Error> {
        let runtime = Runtime::new()?;
        // A context that goes at once gives the address of the engine.
        let probe = Context::base(&runtime)?;
        // SAFETY: the context is alive; both calls set fields.
        let engine = unsafe {
            let engine = qjs::JS_GetRuntime(probe.as_raw().as_ptr());
            qjs::JS_SetMaxStackSize(engine, 0);
            qjs::JS_SetMemoryLimit(engine, MEMORY_LIMIT_BYTES);
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
        Ok(Self {
            runtime,
            engine,
            realms: Cell::new(0),
            ids: Rc::default(),
        })
    }
}

impl Isolate {
    /// A fresh realm whose code will run on the stack that ends at the address `stack`.
    pub(crate) fn new(stack: usize) -> Result<Self, rquickjs::Error> {
        let shared = Shared::find()?;
        // SAFETY: a raw context with the built-ins that `Context` expects, which then owns it.
        let context = unsafe {
            let raw = NonNull::new(qjs::JS_NewContextRaw(shared.engine))
                .ok_or(rquickjs::Error::Allocation)?;
            add_intrinsics(raw.as_ptr());
            Context::from_raw(raw, shared.runtime.clone())
        };
        shared.realms.set(shared.realms.get() + 1);
        let (luggage, state) = (RefCell::default(), Cell::new(ptr::null()));
        Ok(Self {
            context,
            shared,
            layout: layout(),
            luggage,
            state,
            stack,
        })
    }

    /// Connects the realm with its VU. `state` must stay where it is until the isolate is dropped.
    pub(crate) fn attach(&self, state: &VuState) {
        self.state.set(state);
        let opaque: *mut c_void = ptr::from_ref(state).cast_mut().cast();
        // SAFETY: the caller keeps the state alive and in place.
        unsafe { qjs::JS_SetContextOpaque(self.context.as_raw().as_ptr(), opaque) };
    }

    /// The identities of native classes in the realm's runtime.
    pub(crate) fn class_ids(&self) -> Rc<Ids> {
        Rc::clone(&self.shared.ids)
    }

    /// The realm. Only one thread ever uses it, and values must not outlive the isolate.
    pub(crate) fn ctx(&self) -> Ctx<'_> {
        // SAFETY: the runtime never leaves its thread; natives get their realm the same way.
        unsafe { Ctx::from_raw(self.context.as_raw()) }
    }

    /// Runs the promise jobs that an interrupted VU has left behind; `state` says that it is
    /// interrupted, so no script code gets far. Otherwise another VU of the runtime would run them.
    pub(crate) fn discard_jobs(&self) {
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
}

/// Jobs of an ended VU that are run down at most.
const DISCARDED_JOBS: usize = 10_000;

impl Switch for Isolate {
    fn enter(&self) {
        RUNNING.set(self.state.get());
        if let Some(layout) = self.layout {
            // SAFETY: the luggage was packed from this runtime, and whoever ran before has left.
            unsafe { self.luggage.borrow_mut().unpack(self.shared.engine, layout) };
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
    }

    fn leave(&self) {
        if let Some(layout) = self.layout {
            // SAFETY: the realm that ran was this one.
            unsafe { self.luggage.borrow_mut().pack(self.shared.engine, layout) };
        }
        // SAFETY: sets a field. Outside of VUs' stacks there is no limit.
        unsafe { qjs::JS_SetMaxStackSize(self.shared.engine, 0) };
        RUNNING.set(ptr::null());
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        self.shared.realms.set(self.shared.realms.get() - 1);
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

/// Runs the promise jobs that are due.
///
/// # Errors
/// When a job throws, which only an interrupt does.
pub(crate) fn run_jobs(ctx: &Ctx<'_>) -> Result<(), Throw> {
    // SAFETY: the realm is alive.
    let engine = unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) };
    loop {
        let mut of: *mut qjs::JSContext = ptr::null_mut();
        // SAFETY: as above.
        match unsafe { qjs::JS_ExecutePendingJob(engine, &mut of) } {
            0 => return Ok(()),
            1.. => {}
            _ => return Err(Throw::Engine(rquickjs::Error::Exception)),
        }
    }
}

/// The engine asks now and then whether to go on. A busy script lets the thread's other VUs run.
unsafe extern "C" fn on_poll(_engine: *mut qjs::JSRuntime, _opaque: *mut c_void) -> c_int {
    // SAFETY: `enter` has set the VU whose code runs, and its state is alive while it does.
    let Some(state) = (unsafe { RUNNING.get().as_ref() }) else {
        return 0;
    };
    if state.is_interrupted() {
        return 1;
    }
    let polls = state.polls.get().wrapping_add(1);
    state.polls.set(polls);
    if !polls.is_multiple_of(POLLS_PER_TURN) {
        return 0;
    }
    c_int::from(fiber::wait(tokio::task::yield_now()).is_err())
}

unsafe extern "C" fn on_rejection(
    ctx: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _opaque: *mut c_void,
) {
    let Some(ctx) = NonNull::new(ctx) else { return };
    // SAFETY: the engine calls with live values; every realm has a state.
    unsafe {
        let ctx = Ctx::from_raw(ctx);
        let key = qjs::JS_VALUE_GET_PTR(promise).addr();
        let reason = qjs::JS_DupValue(ctx.as_raw().as_ptr(), reason);
        let reason = Value::from_raw(ctx.clone(), reason);
        super::native::state(&ctx)
            .events
            .note_rejection(key, reason, is_handled);
    }
}
