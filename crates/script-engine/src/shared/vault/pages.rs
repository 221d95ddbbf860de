//! The address space that all shelves of a process share, and the state of each shelf that the fault
//! handler reads.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(test)]
use super::refusals;

/// Bytes for the properties and items of one runtime's shared objects.
pub(super) const SHELF_BYTES: usize = REGIONS * REGION_BYTES;
/// The unit that one fault copies and opens; a multiple of every page size.
pub(super) const REGION_BYTES: usize = 64 * 1024;
/// The regions of a shelf: one bit of a word each.
pub(super) const REGIONS: usize = 64;
/// Address space of a shelf: its pages, then room for the copies that faults make.
pub(super) const STRIDE: usize = 2 * SHELF_BYTES;
/// Shelves per process. Runtimes beyond them share nothing.
const SHELVES: usize = 4096;

/// The state of one shelf, in plain atomics: the fault handler reads it.
pub(super) struct Mark {
    /// Bytes in use, a multiple of the page size.
    pub(super) used: AtomicUsize,
    pub(super) is_sealed: AtomicBool,
    /// One bit for each region that was written since the shelf was sealed and is therefore open.
    pub(super) written: AtomicU64,
}

static BASE: AtomicUsize = AtomicUsize::new(0);
static MARKS: [Mark; SHELVES] = [const {
    Mark {
        used: AtomicUsize::new(0),
        is_sealed: AtomicBool::new(false),
        written: AtomicU64::new(0),
    }
}; SHELVES];
/// Numbers of shelves that were dropped.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static NEVER_USED: AtomicUsize = AtomicUsize::new(0);

/// Reserves the address space of all shelves. `None` when the system has no room for it. Call it once.
pub(super) fn reserve() -> Option<()> {
    // SAFETY: a new mapping without access; no memory is committed.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            SHELVES * STRIDE,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return None;
    }
    // A shelf is small: a huge page would waste most of its memory.
    // SAFETY: the mapping was made above; a failure changes nothing.
    unsafe { libc::madvise(base, SHELVES * STRIDE, libc::MADV_NOHUGEPAGE) };
    BASE.store(base.expose_provenance(), Ordering::Release);
    Some(())
}

/// The number of a shelf that is not in use; `None` when all are.
pub(super) fn take_number() -> Option<usize> {
    let used = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    used.or_else(|| {
        let next = NEVER_USED.fetch_add(1, Ordering::Relaxed);
        (next < SHELVES).then_some(next)
    })
}

/// Returns the number of a shelf that is no longer in use.
pub(super) fn return_number(number: usize) {
    FREE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(number);
}

/// The state of a shelf.
pub(super) fn mark(number: usize) -> &'static Mark {
    &MARKS[number]
}

/// The first address of a shelf.
pub(super) fn start_of(number: usize) -> usize {
    BASE.load(Ordering::Relaxed) + number * STRIDE
}

/// The number of the shelf at an address.
pub(super) fn shelf_at(address: usize) -> Option<usize> {
    let base = BASE.load(Ordering::Acquire);
    let offset = address.checked_sub(base).filter(|_| base != 0)?;
    (offset < SHELVES * STRIDE).then_some(offset / STRIDE)
}

/// Sets the access to pages of a shelf. False: the system refused for all of them or for some.
///
/// # Safety
/// The pages must belong to one shelf. Access may be reduced only to pages that are not written to while
/// they are closed, except by code whose faults [`super::fault`] handles.
pub(super) unsafe fn protect(pages: Range<usize>, access: c_int) -> bool {
    #[cfg(test)]
    if refusals::is_due(access) {
        return false;
    }
    // SAFETY: the caller's promise; the pages lie in the reserved mapping.
    unsafe { libc::mprotect(pointer(pages.start), pages.len(), access) == 0 }
}

/// Gives the memory of a shelf back to the system; its address space stays reserved.
///
/// # Safety
/// The content of the shelf must not be needed any more.
pub(super) unsafe fn discard(number: usize) {
    // SAFETY: the caller's promise; the pages lie in the reserved mapping.
    unsafe { libc::madvise(pointer(start_of(number)), STRIDE, libc::MADV_DONTNEED) };
}

/// The size of the system's pages in bytes.
pub(super) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    // SAFETY: reads a number from the system.
    *SIZE.get_or_init(|| unsafe {
        usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(REGION_BYTES)
    })
}

fn pointer(address: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(address)
}
