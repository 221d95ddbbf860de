//! Memory that tells when it is written to.
//!
//! The properties of shared built-ins lie in a *shelf*: pages that are read-only while scripts run.
//! The first write to them faults; the handler keeps a copy of what was there, opens the shelf and
//! lets the write happen. So a script may change built-ins as it likes, scripts that do not pay
//! nothing, and whoever leaves the runtime sees from [`Shelf::take_changed`] whether there is
//! something to put back.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rquickjs::allocator::Allocator;

/// Bytes for the properties of one runtime's built-ins.
const SHELF_BYTES: usize = 512 * 1024;
/// Address space of a shelf: its pages, then room for the copy that a fault makes.
const STRIDE: usize = 2 * SHELF_BYTES;
/// Shelves per process. Runtimes beyond them share nothing.
const SHELVES: usize = 4096;
/// What lies before the engine's own block header: the size of the block.
const PREFIX: usize = 8;
/// The engine's block header.
const HEADER: usize = 8;

/// What the fault handler may look at: plain atomics.
struct Mark {
    /// Bytes in use, a multiple of the page size.
    used: AtomicUsize,
    is_sealed: AtomicBool,
    is_written: AtomicBool,
    is_moved: AtomicBool,
}

static BASE: AtomicUsize = AtomicUsize::new(0);
static MARKS: [Mark; SHELVES] = [const {
    Mark {
        used: AtomicUsize::new(0),
        is_sealed: AtomicBool::new(false),
        is_written: AtomicBool::new(false),
        is_moved: AtomicBool::new(false),
    }
}; SHELVES];
/// Shelves that were used and are free again.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static NEVER_USED: AtomicUsize = AtomicUsize::new(0);

/// The pages of one runtime.
pub(super) struct Shelf {
    number: usize,
    /// Bytes that are taken.
    taken: Cell<usize>,
}

/// How shelves were changed since they were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// Not at all.
    No,
    /// Blocks were given up, what lies in the shelf is as it was.
    Moved,
    /// Something in it was written; the copy tells what was there.
    Written,
}

impl Shelf {
    /// An empty, open shelf; `None` when there is no memory or the system lacks what it takes.
    pub(super) fn new() -> Option<Self> {
        let base = reserve()?;
        let number = take_number()?;
        let start = base + number * STRIDE;
        // SAFETY: inside of the reserved range, which nobody else uses.
        let opened =
            unsafe { libc::mprotect(address(start), STRIDE, libc::PROT_READ | libc::PROT_WRITE) };
        if opened != 0 {
            give_number(number);
            return None;
        }
        Some(Self {
            number,
            taken: Cell::new(0),
        })
    }

    /// Room for a block of the engine's that holds `bytes`: where its header begins. `None` when the
    /// shelf is full. The shelf must be open.
    pub(super) fn take(&self, bytes: usize) -> Option<usize> {
        let size = PREFIX + HEADER + bytes.next_multiple_of(8);
        let at = self.taken.get();
        if at + size > SHELF_BYTES {
            return None;
        }
        self.taken.set(at + size);
        let begin = self.start() + at;
        // SAFETY: inside of the shelf, which is open.
        unsafe {
            ptr::with_exposed_provenance_mut::<usize>(begin).write(HEADER + bytes);
        }
        Some(begin + PREFIX)
    }

    /// Makes the shelf read-only. Forgets changes.
    pub(super) fn seal(&self) {
        let mark = &MARKS[self.number];
        let used = self.taken.get().next_multiple_of(page_size());
        mark.used.store(used, Ordering::Relaxed);
        mark.is_written.store(false, Ordering::Relaxed);
        mark.is_moved.store(false, Ordering::Relaxed);
        mark.is_sealed.store(true, Ordering::Release);
        self.protect(libc::PROT_READ);
    }

    /// Makes the shelf writable.
    pub(super) fn open(&self) {
        MARKS[self.number].is_sealed.store(false, Ordering::Release);
        self.protect(libc::PROT_READ | libc::PROT_WRITE);
    }

    /// What happened since it was sealed. When it was written to, it stays open.
    pub(super) fn changed(&self) -> Changed {
        let mark = &MARKS[self.number];
        if mark.is_written.load(Ordering::Acquire) {
            Changed::Written
        } else if mark.is_moved.load(Ordering::Relaxed) {
            Changed::Moved
        } else {
            Changed::No
        }
    }

    /// Notes that something was changed that no write can show.
    pub(super) fn note_moved(&self) {
        MARKS[self.number].is_moved.store(true, Ordering::Relaxed);
    }

    /// Where the copy of the byte at `here` lies.
    pub(super) fn copy_of(&self, here: usize) -> usize {
        here + SHELF_BYTES
    }

    /// Its first address.
    pub(super) fn start(&self) -> usize {
        BASE.load(Ordering::Relaxed) + self.number * STRIDE
    }

    fn protect(&self, access: c_int) {
        let used = MARKS[self.number].used.load(Ordering::Relaxed);
        // SAFETY: own pages. It cannot fail: they are mapped, and splitting was done before.
        unsafe { libc::mprotect(address(self.start()), used, access) };
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.open();
        MARKS[self.number].used.store(0, Ordering::Relaxed);
        // SAFETY: own pages; their content is not needed any more.
        unsafe { libc::madvise(address(self.start()), STRIDE, libc::MADV_DONTNEED) };
        give_number(self.number);
    }
}

fn address(number: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(number)
}

fn take_number() -> Option<usize> {
    let used = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    used.or_else(|| {
        let next = NEVER_USED.fetch_add(1, Ordering::Relaxed);
        (next < SHELVES).then_some(next)
    })
}

fn give_number(number: usize) {
    FREE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(number);
}

fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    // SAFETY: asks the system for a number.
    *SIZE.get_or_init(|| unsafe {
        usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(65_536)
    })
}

/// Reserves the address space of all shelves and sets the fault handler, once.
fn reserve() -> Option<usize> {
    static RESERVED: OnceLock<Option<usize>> = OnceLock::new();
    if !cfg!(target_os = "linux") {
        return None;
    }
    *RESERVED.get_or_init(|| {
        // SAFETY: a fresh mapping without access; no memory is taken.
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
        BASE.store(base.expose_provenance(), Ordering::Release);
        set_handler().then(|| base.expose_provenance())
    })
}

/// The number of the shelf at an address.
fn shelf_at(address: usize) -> Option<usize> {
    let base = BASE.load(Ordering::Acquire);
    let offset = address.checked_sub(base).filter(|_| base != 0)?;
    (offset < SHELVES * STRIDE).then_some(offset / STRIDE)
}

static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

fn set_handler() -> bool {
    // SAFETY: `on_fault` is what such a handler has to be; the structures are plain data.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGSEGV, ptr::null(), &mut previous) != 0 {
            return false;
        }
        // Known before a fault can happen.
        let _ = PREVIOUS.set(previous);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()) == 0
    }
}

/// A write to a sealed shelf opens it; every other fault is somebody else's.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system calls with a valid record.
    let at = unsafe { (*info).si_addr() }.addr();
    if let Some(number) = shelf_at(at) {
        let mark = &MARKS[number];
        let used = mark.used.load(Ordering::Relaxed);
        let start = BASE.load(Ordering::Relaxed) + number * STRIDE;
        if mark.is_sealed.load(Ordering::Acquire) && at < start + used {
            // SAFETY: the shelf is readable and its copy writable; `mprotect` is a bare system call.
            unsafe {
                let here: *const u8 = ptr::with_exposed_provenance(start);
                let copy: *mut u8 = ptr::with_exposed_provenance_mut(start + SHELF_BYTES);
                ptr::copy_nonoverlapping(here, copy, used);
                libc::mprotect(address(start), used, libc::PROT_READ | libc::PROT_WRITE);
            }
            mark.is_sealed.store(false, Ordering::Relaxed);
            mark.is_written.store(true, Ordering::Release);
            return;
        }
    }
    // SAFETY: hands on what was received.
    unsafe { hand_on(signal, info, context) };
}

/// # Safety
/// The arguments must be those of a signal handler.
unsafe fn hand_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else {
        return;
    };
    // SAFETY: the previous handler is called as it asked to be; without one the default is restored
    // and the instruction faults again.
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

/// The engine's allocator: the C library's, and shelves, which it knows by their addresses.
pub(super) struct ShelfAllocator {
    /// The next allocation is to lie here.
    pub(super) place: Rc<Cell<Option<usize>>>,
    /// Bytes that the runtime has from the C library.
    pub(super) bytes: Rc<Cell<usize>>,
    /// The shelf of the runtime goes after the runtime.
    pub(super) _shelf: Option<Rc<Shelf>>,
}

impl ShelfAllocator {
    fn grew(&self, block: *mut u8) -> *mut u8 {
        // SAFETY: a block of the C library, or null.
        let size = unsafe { libc::malloc_usable_size(block.cast()) };
        self.bytes.set(self.bytes.get() + size);
        block
    }

    /// # Safety
    /// `block` must be a live block of the C library.
    unsafe fn shrank(&self, block: *mut u8) {
        // SAFETY: see above.
        let size = unsafe { libc::malloc_usable_size(block.cast()) };
        self.bytes.set(self.bytes.get().saturating_sub(size));
    }
}

// SAFETY: blocks come from the C library, but for those in shelves, which are never given back to it
// and live as long as the allocator.
unsafe impl Allocator for ShelfAllocator {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        if let Some(place) = self.place.take() {
            return ptr::with_exposed_provenance_mut(place);
        }
        // SAFETY: a plain allocation.
        self.grew(unsafe { libc::malloc(size) }.cast())
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        // SAFETY: a plain allocation.
        self.grew(unsafe { libc::calloc(count, size) }.cast())
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        if let Some(number) = shelf_at(block.addr()) {
            MARKS[number].is_moved.store(true, Ordering::Relaxed);
            return;
        }
        // SAFETY: a block of the C library.
        unsafe {
            self.shrank(block);
            libc::free(block.cast());
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        let Some(number) = shelf_at(block.addr()) else {
            // SAFETY: a block of the C library, which stays as it is when there is no memory.
            return unsafe {
                let before = if block.is_null() {
                    0
                } else {
                    libc::malloc_usable_size(block.cast())
                };
                let moved: *mut u8 = libc::realloc(block.cast(), size).cast();
                if !moved.is_null() {
                    self.bytes.set(self.bytes.get().saturating_sub(before));
                    self.grew(moved);
                }
                moved
            };
        };
        MARKS[number].is_moved.store(true, Ordering::Relaxed);
        let moved = self.alloc(size);
        if !moved.is_null() {
            // SAFETY: both blocks are that long.
            unsafe {
                let length = Self::usable_size(block).min(size);
                ptr::copy_nonoverlapping(block, moved, length);
            }
        }
        moved
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        if shelf_at(block.addr()).is_some() {
            // SAFETY: `Shelf::take` has written the size before the block.
            return unsafe { block.sub(PREFIX).cast::<usize>().read() };
        }
        // SAFETY: a block of the C library.
        unsafe { libc::malloc_usable_size(block.cast()) }
    }
}
