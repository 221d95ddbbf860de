//! The virtual user whose code runs on the calling thread.

use std::cell::Cell;
use std::ptr;

use rquickjs::qjs;

use super::host::Resident;

thread_local! {
    static RUNNING: Cell<*const Resident> = const { Cell::new(ptr::null()) };
}

/// Marks the VU's code as running. The VU must not move until [`end`].
pub(crate) fn begin(resident: &Resident) {
    RUNNING.set(resident);
}

/// Marks that no VU's code runs.
pub(crate) fn end() {
    RUNNING.set(ptr::null());
}

/// Calls `ask` with the running VU.
pub(crate) fn with<R>(ask: impl FnOnce(&Resident) -> R) -> Option<R> {
    // SAFETY: a VU that has begun does not move until it ends.
    unsafe { RUNNING.get().as_ref() }.map(ask)
}

/// Whether the running code has to end, and may be ended here.
pub(crate) fn is_ending() -> bool {
    // An object for all VUs is always completed.
    with(|resident| resident.is_home.get() && resident.host.is_interrupted()).unwrap_or(false)
}

/// The context of the running VU, if it has to end or, when `is_due`, has to let others run. `is_over`: it
/// uses too much memory.
pub(crate) fn leaving(is_due: bool, is_over: bool) -> Option<*mut qjs::JSContext> {
    with(|resident| {
        if is_due {
            resident.pace.end_soon();
        }
        let leaves = is_due || is_over || resident.host.is_interrupted();
        leaves.then_some(resident.context)
    })?
}
