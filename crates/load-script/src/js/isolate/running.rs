//! The VU that runs: what it holds, whether it goes on, and what the engine tells of it.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use rquickjs::{Ctx, Value, qjs};

use super::{ENTERED, POLLS_PER_TURN, RUNNING};
use crate::fiber;
use crate::js::memory::{Held, Ledger, Overdraft};
use crate::js::metronome;
use crate::js::native::Throw;

/// The books of the runtime of the VU that runs.
fn with_ledger<R>(ask: impl FnOnce(&Ledger) -> Option<R>) -> Option<R> {
    // SAFETY: the isolate that was entered stays where it is until it is left.
    let entered = unsafe { ENTERED.get().as_ref() };
    entered.and_then(|isolate| ask(&isolate.shared.ledger))
}

/// Whether the VU that runs holds too much memory and is to end.
pub(crate) fn is_over() -> bool {
    with_ledger(|ledger| ledger.is_over().then_some(())).is_some()
}

/// What the VU that is to run holds too much already.
pub(crate) fn is_blocked() -> Option<Overdraft> {
    with_ledger(Ledger::is_blocked)
}

/// Writes down that a value of the VU that runs keeps memory of ours.
///
/// # Errors
/// "out of memory", when it holds too much already.
pub(crate) fn charge(ctx: &Ctx<'_>, bytes: usize) -> Result<Option<Held>, Throw> {
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

/// What was refused to the VU that has run.
pub(crate) fn settle_memory() -> Option<Overdraft> {
    with_ledger(Ledger::settle)
}

/// Whether the code that runs is to end, and may be ended where it is.
pub(in crate::js) fn is_ending() -> bool {
    // SAFETY: who has entered stays where he is until he leaves.
    let running = unsafe { RUNNING.get().as_ref().zip(ENTERED.get().as_ref()) };
    running.is_some_and(|(state, isolate)| {
        // What is made for all VUs is made to its end.
        (isolate.realm.is_none() || isolate.is_seated.get()) && state.is_interrupted()
    })
}

/// Whether memory was refused to the VU that has run because its code was to end.
pub(crate) fn was_cut_short() -> bool {
    with_ledger(|ledger| ledger.was_cut_short().then_some(())).is_some()
}

/// The context of the VU that runs, when it is to end or, as `is_due` says, to let others run.
pub(in crate::js) fn leaving(is_due: bool) -> Option<*mut qjs::JSContext> {
    // SAFETY: who has entered stays where he is until he leaves.
    let (state, isolate) = unsafe { (RUNNING.get().as_ref()?, ENTERED.get().as_ref()?) };
    is_due.then(|| state.polls.set(POLLS_PER_TURN - 1));
    let leaves = is_due || state.is_interrupted() || isolate.shared.ledger.is_over();
    leaves.then(|| isolate.context.as_raw().as_ptr())
}

/// The engine asks now and then whether to go on. A busy script lets the thread's other VUs run.
pub(super) unsafe extern "C" fn on_poll(
    _engine: *mut qjs::JSRuntime,
    _opaque: *mut c_void,
) -> c_int {
    // SAFETY: `enter` has set the VU whose code runs, and its state is alive while it does.
    let Some(state) = (unsafe { RUNNING.get().as_ref() }) else {
        return 0;
    };
    // SAFETY: as above.
    let isolate = unsafe { ENTERED.get().as_ref() };
    if isolate.is_some_and(|isolate| isolate.realm.is_some() && !isolate.is_seated.get()) {
        // Something is being made for all VUs: nobody else may come in now.
        return 0;
    }
    if state.is_interrupted() || is_over() {
        return 1;
    }
    let polls = state.polls.get().wrapping_add(1);
    state.polls.set(polls);
    if !metronome::is_turn_over() && !polls.is_multiple_of(POLLS_PER_TURN) {
        return 0;
    }
    c_int::from(fiber::wait(tokio::task::yield_now()).is_err())
}

pub(super) unsafe extern "C" fn on_rejection(
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
        crate::js::native::state(&ctx)
            .events
            .note_rejection(key, reason, is_handled);
    }
}
