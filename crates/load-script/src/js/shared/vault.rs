//! Memory that tells when it is written to.
//!
//! The properties of shared objects lie in a *shelf*: pages that are read-only while scripts run.
//! The first write to a region of it faults; the handler keeps a copy of what was there, opens the
//! region and lets the write happen. So a script may change shared objects as it likes, scripts that
//! do not pay nothing, and whoever leaves the runtime sees which regions were written and which blocks
//! were given up, and looks at no others.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rquickjs::allocator::Allocator;

use crate::js::memory::Ledger;

/// Bytes for the properties and items of one runtime's shared objects.
const SHELF_BYTES: usize = REGIONS * REGION_BYTES;
/// What one fault copies and opens; a multiple of every page size.
const REGION_BYTES: usize = 64 * 1024;
/// The regions of a shelf: one bit of a word each.
const REGIONS: usize = 64;
/// Address space of a shelf: its pages, then room for the copy that a fault makes.
const STRIDE: usize = 2 * SHELF_BYTES;
/// Shelves per process. Runtimes beyond them share nothing.
const SHELVES: usize = 4096;
/// What lies before the engine's own block header: the size of the block and its owner.
const PREFIX: usize = 8;
/// The engine's block header.
const HEADER: usize = 8;
/// What a block takes besides its content.
pub(super) const BLOCK_BYTES: usize = PREFIX + HEADER;

/// What the fault handler may look at: plain atomics.
struct Mark {
    /// Bytes in use, a multiple of the page size.
    used: AtomicUsize,
    is_sealed: AtomicBool,
    /// One bit for each region that was written since the shelf was sealed, and so is open.
    written: AtomicU64,
}

static BASE: AtomicUsize = AtomicUsize::new(0);
static MARKS: [Mark; SHELVES] = [const {
    Mark {
        used: AtomicUsize::new(0),
        is_sealed: AtomicBool::new(false),
        written: AtomicU64::new(0),
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
    moved: RefCell<Vec<usize>>,
}

/// What was changed since a shelf was sealed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Written regions by their addresses, which stay open.
    pub(super) regions: Vec<std::ops::Range<usize>>,
    /// What changed without a write: blocks that the engine has given up, and objects that were told of.
    pub(super) moved: Vec<usize>,
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
            moved: RefCell::default(),
        })
    }

    /// Room for a block of the engine's that holds `bytes`: where its header begins. `None` when the
    /// shelf is full. The shelf must be open.
    pub(super) fn take(&self, bytes: usize) -> Option<usize> {
        let size = BLOCK_BYTES + bytes.next_multiple_of(8);
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

    /// Bytes that are still free.
    pub(super) fn room(&self) -> usize {
        SHELF_BYTES - self.taken.get()
    }

    /// Makes the shelf read-only. Forgets changes.
    pub(super) fn seal(&self) {
        let mark = &MARKS[self.number];
        let used = self.taken.get().next_multiple_of(page_size());
        mark.used.store(used, Ordering::Relaxed);
        mark.written.store(0, Ordering::Relaxed);
        self.moved.borrow_mut().clear();
        mark.is_sealed.store(true, Ordering::Release);
        self.protect(0..used, libc::PROT_READ);
    }

    /// Makes the shelf writable.
    pub(super) fn open(&self) {
        let mark = &MARKS[self.number];
        mark.is_sealed.store(false, Ordering::Release);
        let used = mark.used.load(Ordering::Relaxed);
        self.protect(0..used, libc::PROT_READ | libc::PROT_WRITE);
    }

    /// Whether anything was changed since the shelf was sealed.
    pub(super) fn is_changed(&self) -> bool {
        MARKS[self.number].written.load(Ordering::Acquire) != 0 || !self.moved.borrow().is_empty()
    }

    /// What was changed since the shelf was sealed.
    pub(super) fn changes(&self) -> Changes {
        let written = MARKS[self.number].written.load(Ordering::Acquire);
        let numbers = (0..REGIONS).filter(|region| written & 1 << region != 0);
        Changes {
            regions: numbers
                .map(|region| {
                    let begin = self.start() + region * REGION_BYTES;
                    begin..begin + REGION_BYTES
                })
                .collect(),
            moved: self.moved.borrow().clone(),
        }
    }

    /// Whether bytes of the shelf are not what they were when it was sealed.
    pub(super) fn differs(&self, at: usize, bytes: usize) -> bool {
        self.written_parts(at, bytes).any(|(here, length)| {
            // SAFETY: both are live: a part of the shelf and its copy.
            unsafe {
                let part =
                    |at| std::slice::from_raw_parts::<u8>(ptr::with_exposed_provenance(at), length);
                part(here) != part(here + SHELF_BYTES)
            }
        })
    }

    /// Makes bytes what they were when the shelf was sealed. It must be open.
    pub(super) fn restore(&self, at: usize, bytes: usize) {
        for (here, length) in self.written_parts(at, bytes) {
            let copy: *const u8 = ptr::with_exposed_provenance(here + SHELF_BYTES);
            // SAFETY: as for `differs`; the shelf is open.
            unsafe {
                copy.copy_to_nonoverlapping(ptr::with_exposed_provenance_mut(here), length);
            }
        }
    }

    /// The parts of a stretch of bytes that lie in written regions, of which there are copies.
    fn written_parts(&self, at: usize, bytes: usize) -> impl Iterator<Item = (usize, usize)> {
        let written = MARKS[self.number].written.load(Ordering::Acquire);
        let (start, end) = (self.start(), at + bytes);
        let regions = (at - start) / REGION_BYTES..(end - start).div_ceil(REGION_BYTES);
        regions
            .filter(move |region| written & 1 << region != 0)
            .map(move |region| {
                let begin = at.max(start + region * REGION_BYTES);
                (begin, end.min(start + (region + 1) * REGION_BYTES) - begin)
            })
    }

    /// Notes that the block or the object at this address was changed in a way that no write can show.
    pub(super) fn note_moved(&self, address: usize) {
        self.moved.borrow_mut().push(address);
    }

    /// Its first address.
    pub(super) fn start(&self) -> usize {
        BASE.load(Ordering::Relaxed) + self.number * STRIDE
    }

    fn protect(&self, part: std::ops::Range<usize>, access: c_int) {
        // SAFETY: own pages, which are mapped.
        unsafe { libc::mprotect(address(self.start() + part.start), part.len(), access) };
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
        // A shelf is small; a huge page for it would be none.
        // SAFETY: the mapping is ours; failing changes nothing.
        unsafe { libc::madvise(base, SHELVES * STRIDE, libc::MADV_NOHUGEPAGE) };
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

/// A write to a region of a sealed shelf opens it; every other fault is somebody else's.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system calls with a valid record.
    let at = unsafe { (*info).si_addr() }.addr();
    if let Some(number) = shelf_at(at) {
        let mark = &MARKS[number];
        let used = mark.used.load(Ordering::Relaxed);
        let start = BASE.load(Ordering::Relaxed) + number * STRIDE;
        if mark.is_sealed.load(Ordering::Acquire) && at < start + used {
            let region = (at - start) / REGION_BYTES;
            let begin = start + region * REGION_BYTES;
            let length = REGION_BYTES.min(start + used - begin);
            // SAFETY: the shelf is readable and its copy writable; `mprotect` is a bare system call.
            unsafe {
                let here: *const u8 = ptr::with_exposed_provenance(begin);
                let copy: *mut u8 = ptr::with_exposed_provenance_mut(begin + SHELF_BYTES);
                ptr::copy_nonoverlapping(here, copy, length);
                libc::mprotect(address(begin), length, libc::PROT_READ | libc::PROT_WRITE);
            }
            mark.written.fetch_or(1 << region, Ordering::Release);
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

/// The engine's allocator: the process's, and shelves, which it knows by their addresses. The word
/// before a block tells its size, and above it who asked for it.
pub(super) struct ShelfAllocator {
    /// The next allocation is to lie here.
    pub(super) place: Rc<Cell<Option<usize>>>,
    /// Who has how much from the process's allocator.
    pub(super) ledger: Rc<Ledger>,
    /// The shelf of the runtime goes after the runtime.
    pub(super) shelf: Option<Rc<Shelf>>,
}

/// Above this bit of a block's first word stands its owner.
const OWNER_SHIFT: u32 = 48;
const SIZE_MASK: usize = (1 << OWNER_SHIFT) - 1;

/// What the engine's own alignment comes from: a block's content begins two words behind the block.
const ALIGNMENT: usize = 16;

/// The layout of a block for so many bytes of the engine's. `None` when there is no such block.
fn layout(bytes: usize) -> Option<Layout> {
    let size = bytes
        .checked_add(PREFIX)?
        .checked_next_multiple_of(ALIGNMENT)?;
    Layout::from_size_align(size, ALIGNMENT)
        .ok()
        .filter(|layout| layout.size() <= SIZE_MASK)
}

impl ShelfAllocator {
    /// Notes that the engine gives up a block of the shelf. False: it is none.
    fn notes(&self, block: *mut u8) -> bool {
        let is_shelved = shelf_at(block.addr()).is_some();
        if let Some(shelf) = self.shelf.as_ref().filter(|_| is_shelved) {
            shelf.note_moved(block.addr() + HEADER);
        }
        is_shelved
    }

    /// What the engine gets of a new block of this layout, or null.
    fn grew(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        if block.is_null() {
            return ptr::null_mut();
        }
        let owner = self.ledger.grew(layout.size());
        let word = (layout.size() - PREFIX) | (owner << OWNER_SHIFT);
        // SAFETY: the block is longer than its first word, and aligned to it.
        unsafe {
            block.cast::<usize>().write(word);
            block.add(PREFIX)
        }
    }

    /// Takes a block off the books; where it begins, and its layout. Its first word stays.
    ///
    /// # Safety
    /// `block` must be live and none of a shelf.
    unsafe fn shrank(&self, block: *mut u8) -> (*mut u8, Layout) {
        // SAFETY: see above; the layout is that of its allocation.
        unsafe {
            let begin = block.sub(PREFIX);
            let word = begin.cast::<usize>().read();
            let size = (word & SIZE_MASK) + PREFIX;
            self.ledger.shrank(word >> OWNER_SHIFT, size);
            (begin, Layout::from_size_align_unchecked(size, ALIGNMENT))
        }
    }
}

// SAFETY: blocks come from the process's allocator, but for those in shelves, which are never given back
// to it and live as long as the allocator. All are aligned to a word.
unsafe impl Allocator for ShelfAllocator {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        if let Some(place) = self.place.take() {
            return ptr::with_exposed_provenance_mut(place);
        }
        if !self.ledger.allows(size) {
            return ptr::null_mut();
        }
        let Some(layout) = layout(size) else {
            return ptr::null_mut();
        };
        // SAFETY: the layout is not empty.
        self.grew(unsafe { std::alloc::alloc(layout) }, layout)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let size = count.saturating_mul(size);
        if !self.ledger.allows(size) {
            return ptr::null_mut();
        }
        let Some(layout) = layout(size) else {
            return ptr::null_mut();
        };
        // SAFETY: the layout is not empty.
        self.grew(unsafe { std::alloc::alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        if self.notes(block) {
            return;
        }
        // SAFETY: a block of the allocator with the layout it was made with.
        unsafe {
            let (begin, layout) = self.shrank(block);
            std::alloc::dealloc(begin, layout);
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            return self.alloc(size);
        }
        // SAFETY: the block is live.
        let before = unsafe { Self::usable_size(block) };
        if !self.notes(block) {
            if !self.ledger.allows(size.saturating_sub(before)) {
                return ptr::null_mut();
            }
            let Some(new) = layout(size) else {
                return ptr::null_mut();
            };
            // SAFETY: a block of the allocator with its layout; it stays as it is when there is no memory.
            return unsafe {
                let begin = block.sub(PREFIX);
                let old = Layout::from_size_align_unchecked(before + PREFIX, ALIGNMENT);
                let moved = std::alloc::realloc(begin, old, new.size());
                if moved.is_null() {
                    return ptr::null_mut();
                }
                // The first word has moved along.
                self.shrank(moved.add(PREFIX));
                self.grew(moved, new)
            };
        }
        let moved = self.alloc(size);
        if !moved.is_null() {
            // SAFETY: both blocks are that long.
            unsafe { ptr::copy_nonoverlapping(block, moved, before.min(size)) };
        }
        moved
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: a word lies before every block, also in shelves, where `Shelf::take` has written it.
        let word = unsafe { block.sub(PREFIX).cast::<usize>().read() };
        word & SIZE_MASK
    }
}
