//! The running VU: its memory, its interruption, and the engine's reports about it.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::time::Instant;

use rquickjs::{Ctx, Value, qjs};

use super::ENTERED;
use crate::fiber;
use crate::host::resident;
use crate::layout::layout;
use crate::memory::{Held, Ledger, Overdraft};
use crate::patience;
use crate::throw::Throw;
use crate::turn;

/// The ledger of the running VU's runtime.
fn with_ledger<R>(ask: impl FnOnce(&Ledger) -> Option<R>) -> Option<R> {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let entered = unsafe { ENTERED.get().as_ref() };
    entered.and_then(|isolate| ask(&isolate.shared.ledger))
}

/// Whether the running VU has to end because it uses too much memory.
pub fn is_over() -> bool {
    with_ledger(|ledger| ledger.is_over().then_some(())).is_some()
}

/// The excess of memory that the VU holds before it runs.
pub fn is_blocked() -> Option<Overdraft> {
    with_ledger(Ledger::is_blocked)
}

/// Charges native memory that a value of the running VU keeps.
///
/// # Errors
/// "out of memory", if the VU already uses too much.
pub fn charge(ctx: &Ctx<'_>, bytes: usize) -> Result<Option<Held>, Throw> {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let Some(isolate) = (unsafe { ENTERED.get().as_ref() }) else {
        return Ok(None);
    };
    match Held::new(&isolate.shared.ledger, bytes) {
        Some(held) => Ok(Some(held)),
        None => {
            let refused = rquickjs::Exception::throw_internal(ctx, "out of memory");
            Err(Throw::Engine(refused))
        }
    }
}

/// The allocation that was refused to the VU that has run.
pub fn settle_memory() -> Option<Overdraft> {
    with_ledger(Ledger::settle)
}

/// Whether memory was refused to the VU that has run because its code had to end.
pub fn was_cut_short() -> bool {
    with_ledger(|ledger| ledger.was_cut_short().then_some(())).is_some()
}

/// Runs code that may use the stack to its end, and must need little of it.
pub(crate) fn without_stack_limit<R>(run: impl FnOnce() -> R) -> R {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let Some(isolate) = (unsafe { ENTERED.get().as_ref() }) else {
        return run();
    };
    let limit = |bytes| {
        // SAFETY: sets a field of the live engine.
        unsafe { qjs::JS_SetMaxStackSize(isolate.shared.engine, bytes) };
    };
    limit(0);
    let result = run();
    limit(isolate.stack_bytes.get());
    result
}

/// The interrupt check that the engine calls regularly. A busy script lets the thread's other VUs run here.
pub(super) unsafe extern "C" fn on_poll(
    engine: *mut qjs::JSRuntime,
    _opaque: *mut c_void,
) -> c_int {
    // SAFETY: the engine calls this while it is alive.
    if layout().is_some_and(|layout| unsafe { layout.tells_of_error(engine) }) {
        // An exception raised here would be lost, and other VUs' errors would have no stack meanwhile.
        ask_again();
        return 0;
    }
    let goes_on = turn::with(|resident| {
        if !resident.is_home.get() {
            // An object for all VUs is being made: no other VU may enter now.
            return Some(true);
        }
        if resident.host.is_interrupted() || is_over() {
            return Some(false);
        }
        let is_due = resident.pace.is_over(resident.context, Instant::now());
        (!is_due).then_some(true)
    });
    let ends = match goes_on {
        None | Some(Some(true)) => false,
        Some(Some(false)) => true,
        Some(None) => fiber::wait(tokio::task::yield_now()).is_err(),
    };
    if ends {
        // In case the exception gets lost.
        ask_again();
    }
    c_int::from(ends)
}

/// Makes the engine check for an interrupt at the next jump.
fn ask_again() {
    turn::with(|resident| patience::ask_after(resident.context, 0));
}

pub(super) unsafe extern "C" fn on_rejection(
    ctx: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _opaque: *mut c_void,
) {
    let Some(ctx) = NonNull::new(ctx) else { return };
    // SAFETY: the engine calls with live values, while the code of a VU runs.
    unsafe {
        let ctx = Ctx::from_raw(ctx);
        let key = qjs::JS_VALUE_GET_PTR(promise).addr();
        let reason = qjs::JS_DupValue(ctx.as_raw().as_ptr(), reason);
        let reason = Value::from_raw(ctx.clone(), reason);
        resident(&ctx).host.note_rejection(key, reason, is_handled);
    }
}
