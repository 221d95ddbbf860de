//! One script engine with one realm: what a VU's script lives in.

use std::ffi::{c_int, c_void};
use std::pin::pin;
use std::ptr::{self, NonNull};

use rquickjs::{Context, Ctx, Runtime, Value, qjs};

use super::module;
use super::native::Throw;
use crate::fiber;
use crate::vu::state::VuState;

/// What a VU's script may allocate before it gets an "out of memory" exception.
const MEMORY_LIMIT_BYTES: qjs::size_t = 1 << 30;
/// Polls of the engine (each about 10 000 jumps or calls) after which a busy VU lets others run.
const POLLS_PER_TURN: u32 = 64;
/// Stack that native functions may need below the engine's own frames.
const NATIVE_RESERVE_BYTES: usize = 48 * 1024;

/// An engine and a realm with k6's set of built-ins.
pub(crate) struct Isolate {
    context: Context,
    runtime: Runtime,
}

impl Isolate {
    /// A fresh one.
    pub(crate) fn new() -> Result<Self, rquickjs::Error> {
        let runtime = Runtime::new()?;
        // SAFETY: a probe context gives the address of the engine; the one that stays is made with
        // the same calls and is owned by `Context`.
        unsafe {
            let probe = Context::base(&runtime)?;
            let engine = qjs::JS_GetRuntime(probe.as_raw().as_ptr());
            drop(probe);
            // The guard is set anew on the fiber; until then there is no limit.
            qjs::JS_SetMaxStackSize(engine, 0);
            qjs::JS_SetMemoryLimit(engine, MEMORY_LIMIT_BYTES);
            let raw =
                NonNull::new(qjs::JS_NewContextRaw(engine)).ok_or(rquickjs::Error::Allocation)?;
            add_intrinsics(raw.as_ptr());
            let context = Context::from_raw(raw, runtime.clone());
            Ok(Self { context, runtime })
        }
    }

    /// Connects the realm with its VU. `state` must stay where it is until the isolate is dropped.
    pub(crate) fn attach(&self, state: &VuState) {
        let opaque: *mut c_void = ptr::from_ref(state).cast_mut().cast();
        // SAFETY: the caller keeps the state alive and in place.
        unsafe {
            qjs::JS_SetContextOpaque(self.context.as_raw().as_ptr(), opaque);
            qjs::JS_SetInterruptHandler(self.engine(), Some(on_poll), opaque);
            qjs::JS_SetHostPromiseRejectionTracker(self.engine(), Some(on_rejection), opaque);
            qjs::JS_SetModuleLoaderFunc(
                self.engine(),
                Some(module::normalize),
                Some(module::load),
                ptr::null_mut(),
            );
        }
    }

    /// The realm. Only one thread ever uses it, and values must not outlive the isolate.
    pub(crate) fn ctx(&self) -> Ctx<'_> {
        // SAFETY: the runtime never leaves its thread; natives get their realm the same way.
        unsafe { Ctx::from_raw(self.context.as_raw()) }
    }

    /// Tells the engine how much stack there is below the calling frame.
    pub(crate) fn guard_stack(&self, fiber_room: impl FnOnce(usize) -> usize) {
        let here = 0u8;
        let room = fiber_room(ptr::from_ref(&here).addr()).saturating_sub(NATIVE_RESERVE_BYTES);
        // SAFETY: plain calls; both only set fields.
        unsafe {
            qjs::JS_UpdateStackTop(self.engine());
            qjs::JS_SetMaxStackSize(self.engine(), room as qjs::size_t);
        }
    }

    /// Collects cyclic garbage now.
    pub(crate) fn collect(&self) {
        self.runtime.run_gc();
    }

    fn engine(&self) -> *mut qjs::JSRuntime {
        // SAFETY: the context is alive.
        unsafe { qjs::JS_GetRuntime(self.context.as_raw().as_ptr()) }
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
unsafe extern "C" fn on_poll(_engine: *mut qjs::JSRuntime, opaque: *mut c_void) -> c_int {
    // SAFETY: `attach` promises that the state is alive.
    let state = unsafe { &*opaque.cast::<VuState>() };
    if state.is_interrupted() {
        return 1;
    }
    let polls = state.polls.get() + 1;
    state.polls.set(polls);
    if !polls.is_multiple_of(POLLS_PER_TURN) {
        return 0;
    }
    c_int::from(fiber::wait(pin!(tokio::task::yield_now())).is_err())
}

unsafe extern "C" fn on_rejection(
    ctx: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    opaque: *mut c_void,
) {
    let Some(ctx) = NonNull::new(ctx) else { return };
    // SAFETY: `attach` promises that the state is alive; the engine calls with live values.
    unsafe {
        let state = &*opaque.cast::<VuState>();
        let ctx = Ctx::from_raw(ctx);
        let key = qjs::JS_VALUE_GET_PTR(promise).addr();
        let reason = Value::from_raw(ctx.clone(), qjs::JS_DupValue(ctx.as_raw().as_ptr(), reason));
        state.events.note_rejection(key, reason, is_handled);
    }
}
