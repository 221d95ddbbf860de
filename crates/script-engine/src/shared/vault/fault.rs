//! The handler of the first write to a region of a sealed shelf.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::pages::{REGION_BYTES, SHELF_BYTES, mark, protect, shelf_at, start_of};

/// Printed when the process ends because a page cannot be made writable.
pub(super) const REFUSED: &str = "sparring: the system refuses to make a page writable that virtual users share \
    (see vm.max_map_count); run with --share-builtins=false\n";

/// "System error", of the exit codes in `sysexits.h`.
pub(super) const EX_OSERR: c_int = 71;

static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler in front of the one that the process has. False: the system refused. Call it once.
pub(super) fn set_handler() -> bool {
    // SAFETY: `on_fault` has the signature that `SA_SIGINFO` asks for and calls nothing that a signal
    // handler must not call; all zeroes are a valid `sigaction`.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGSEGV, ptr::null(), &mut previous) != 0 {
            return false;
        }
        // Before the handler is installed, since it reads this.
        let _ = PREVIOUS.set(previous);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()) == 0
    }
}

/// Opens the region of a sealed shelf that was written to; any other fault goes to the previous handler.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes a valid record to a handler with `SA_SIGINFO`.
    let at = unsafe { (*info).si_addr() }.addr();
    if !open_region(at) {
        // SAFETY: the arguments are those of this handler.
        unsafe { pass_on(signal, info, context) };
    }
}

/// Copies the region at an address and makes it writable. False: the address is not in a sealed shelf.
fn open_region(at: usize) -> bool {
    let Some(number) = shelf_at(at) else {
        return false;
    };
    let (mark, start) = (mark(number), start_of(number));
    let used = mark.used.load(Ordering::Relaxed);
    if !mark.is_sealed.load(Ordering::Acquire) || at >= start + used {
        return false;
    }
    let region = (at - start) / REGION_BYTES;
    let begin = start + region * REGION_BYTES;
    let length = REGION_BYTES.min(start + used - begin);
    let has_copy = mark.written.load(Ordering::Relaxed) & 1 << region != 0;
    if !has_copy {
        let here: *const u8 = ptr::with_exposed_provenance(begin);
        let copy: *mut u8 = ptr::with_exposed_provenance_mut(begin + SHELF_BYTES);
        // SAFETY: a sealed shelf is readable; the room for its copy is always writable and does not overlap it.
        unsafe { ptr::copy_nonoverlapping(here, copy, length) };
    }
    // SAFETY: pages of this shelf, which become writable; `mprotect` is a bare system call.
    let is_open = unsafe { protect(begin..begin + length, libc::PROT_READ | libc::PROT_WRITE) };
    if !is_open {
        end_process();
    }
    mark.written.fetch_or(1 << region, Ordering::Release);
    true
}

/// Ends the process from a signal handler: on return the write would fault for ever, and a handler cannot
/// unwind.
fn end_process() -> ! {
    // SAFETY: POSIX allows both calls in a signal handler; the text is a constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, REFUSED.as_ptr().cast(), REFUSED.len());
        libc::_exit(EX_OSERR)
    }
}

/// Calls the handler that was installed before this one, or restores the default action.
///
/// # Safety
/// The arguments must be those of a signal handler.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else {
        return;
    };
    // SAFETY: a handler is called with the signature that its flags state. If there is none, the default action
    // is restored, and the instruction that faulted runs and faults again.
    unsafe {
        match previous.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::sigaction(signal, previous, ptr::null_mut());
            }
            handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                let handler: Handler = std::mem::transmute(handler);
                handler(signal, info, context);
            }
            handler => {
                let handler: unsafe extern "C" fn(c_int) = std::mem::transmute(handler);
                handler(signal);
            }
        }
    }
}
