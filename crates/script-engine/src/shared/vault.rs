//! Memory that reports writes to it.
//!
//! The properties of shared objects lie in a *shelf*: pages that are read-only while scripts run. The first
//! write to a region of it faults; the handler keeps a copy of the region, opens it and lets the write happen.
//! So a script may freely change shared objects, and a script that does not has no cost. When a VU leaves the
//! runtime, only the written regions and the freed blocks are examined.
//!
//! The system may refuse to protect pages, since it limits the number of mappings. A shelf that cannot be
//! sealed counts as written everywhere, which is correct but slow, and no further shelves are made: VUs
//! that start later get realms of their own. If a region cannot be opened for a write, the process ends,
//! since the write would fault for ever.

mod allocator;
mod fault;
mod pages;

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use allocator::{BLOCK_BYTES, ShelfAllocator};
use allocator::{HEADER, PREFIX};
use pages::{REGION_BYTES, REGIONS, SHELF_BYTES, STRIDE, mark, page_size, protect};

/// The system has refused to protect a shelf. No further ones are made.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// The pages of one runtime.
pub(crate) struct Shelf {
    number: usize,
    /// Bytes in use.
    taken: Cell<usize>,
    moved: RefCell<Vec<usize>>,
}

/// The changes since a shelf was sealed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Addresses of the written regions, which stay open.
    pub(super) regions: Vec<Range<usize>>,
    /// Changes without a write: blocks that the engine freed, and objects that were reported.
    pub(super) moved: Vec<usize>,
}

impl Shelf {
    /// An empty, open shelf. `None` when there is no memory, or the system does not support shelves or has
    /// refused to protect one.
    pub(super) fn new() -> Option<Self> {
        if is_refused() {
            return None;
        }
        prepare()?;
        let number = pages::take_number()?;
        let start = pages::start_of(number);
        // SAFETY: the pages of this number, which no other shelf uses; they become accessible.
        if !unsafe { protect(start..start + STRIDE, libc::PROT_READ | libc::PROT_WRITE) } {
            IS_REFUSED.store(true, Ordering::Relaxed);
            pages::return_number(number);
            return None;
        }
        Some(Self {
            number,
            taken: Cell::new(0),
            moved: RefCell::default(),
        })
    }

    /// Reserves a block for `bytes` of the engine's. Returns the address of its header; `None` when the shelf
    /// is full. The shelf must be open.
    pub(super) fn take(&self, bytes: usize) -> Option<usize> {
        let size = BLOCK_BYTES + bytes.next_multiple_of(8);
        let at = self.taken.get();
        if at + size > SHELF_BYTES {
            return None;
        }
        self.taken.set(at + size);
        let begin = self.start() + at;
        // SAFETY: inside the shelf, which is open, and aligned to a word.
        unsafe {
            ptr::with_exposed_provenance_mut::<usize>(begin).write(HEADER + bytes);
        }
        Some(begin + PREFIX)
    }

    /// Bytes that are still free.
    pub(super) fn room(&self) -> usize {
        SHELF_BYTES - self.taken.get()
    }

    /// Makes the shelf read-only and clears the recorded changes. If the system refuses, the shelf counts as written.
    pub(super) fn seal(&self) {
        let mark = mark(self.number);
        let used = self.taken.get().next_multiple_of(page_size());
        mark.used.store(used, Ordering::Relaxed);
        mark.written.store(0, Ordering::Relaxed);
        self.moved.borrow_mut().clear();
        mark.is_sealed.store(true, Ordering::Release);
        if !self.protect(used, libc::PROT_READ) {
            IS_REFUSED.store(true, Ordering::Relaxed);
            self.count_as_written(used);
        }
    }

    /// Copies all regions, as the handler copies a region that is written.
    fn count_as_written(&self, used: usize) {
        let regions = used.div_ceil(REGION_BYTES);
        let here: *const u8 = ptr::with_exposed_provenance(self.start());
        let copy = ptr::with_exposed_provenance_mut(self.start() + SHELF_BYTES);
        // SAFETY: a shelf is always readable and the room for its copy always writable; they do not overlap.
        unsafe { here.copy_to_nonoverlapping(copy, used) };
        let all = u64::MAX.checked_shr((REGIONS - regions) as u32);
        mark(self.number)
            .written
            .store(all.unwrap_or(0), Ordering::Release);
    }

    /// Makes the shelf writable. If the system refuses, it stays sealed and each write opens its region.
    pub(super) fn open(&self) {
        let mark = mark(self.number);
        let used = mark.used.load(Ordering::Relaxed);
        if self.protect(used, libc::PROT_READ | libc::PROT_WRITE) {
            mark.is_sealed.store(false, Ordering::Release);
        }
    }

    /// Whether anything was changed since the shelf was sealed.
    pub(super) fn is_changed(&self) -> bool {
        mark(self.number).written.load(Ordering::Acquire) != 0 || !self.moved.borrow().is_empty()
    }

    /// The changes since the shelf was sealed.
    pub(super) fn changes(&self) -> Changes {
        let written = mark(self.number).written.load(Ordering::Acquire);
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

    /// Whether bytes of the shelf differ from what they were when it was sealed.
    pub(super) fn differs(&self, at: usize, bytes: usize) -> bool {
        self.written_parts(at, bytes).any(|(here, length)| {
            // SAFETY: a part of the shelf and its copy, both mapped and readable; nothing writes to them here.
            unsafe {
                let part =
                    |at| std::slice::from_raw_parts::<u8>(ptr::with_exposed_provenance(at), length);
                part(here) != part(here + SHELF_BYTES)
            }
        })
    }

    /// Restores bytes to what they were when the shelf was sealed. It must be open.
    pub(super) fn restore(&self, at: usize, bytes: usize) {
        for (here, length) in self.written_parts(at, bytes) {
            let copy: *const u8 = ptr::with_exposed_provenance(here + SHELF_BYTES);
            // SAFETY: as in `differs`; the shelf is open, or the first write opens its region.
            unsafe {
                copy.copy_to_nonoverlapping(ptr::with_exposed_provenance_mut(here), length);
            }
        }
    }

    /// The parts of a range of bytes that lie in written regions, of which there are copies: begin and length.
    fn written_parts(&self, at: usize, bytes: usize) -> impl Iterator<Item = (usize, usize)> {
        let written = mark(self.number).written.load(Ordering::Acquire);
        let (start, end) = (self.start(), at + bytes);
        let regions = (at - start) / REGION_BYTES..(end - start).div_ceil(REGION_BYTES);
        regions
            .filter(move |region| written & 1 << region != 0)
            .map(move |region| {
                let begin = at.max(start + region * REGION_BYTES);
                (begin, end.min(start + (region + 1) * REGION_BYTES) - begin)
            })
    }

    /// Records a change to the block or the object at this address that is not a write to the shelf.
    pub(super) fn note_moved(&self, address: usize) {
        self.moved.borrow_mut().push(address);
    }

    /// Its first address.
    pub(super) fn start(&self) -> usize {
        pages::start_of(self.number)
    }

    /// Sets the access to the first `used` bytes. False: the system refused.
    fn protect(&self, used: usize, access: c_int) -> bool {
        // SAFETY: pages of this shelf; the handler opens a region that is written while it is sealed.
        unsafe { protect(self.start()..self.start() + used, access) }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.open();
        mark(self.number).is_sealed.store(false, Ordering::Release);
        mark(self.number).used.store(0, Ordering::Relaxed);
        // SAFETY: the allocator that handed out blocks of this shelf owned it, and is gone with its runtime.
        unsafe { pages::discard(self.number) };
        pages::return_number(self.number);
    }
}

/// Whether the system has refused to protect a shelf: no further objects are shared.
pub(super) fn is_refused() -> bool {
    IS_REFUSED.load(Ordering::Relaxed)
}

/// Reserves the address space of all shelves and installs the fault handler, once. `None`: not possible here.
fn prepare() -> Option<()> {
    static PREPARED: OnceLock<Option<()>> = OnceLock::new();
    *PREPARED.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return None;
        }
        pages::reserve()?;
        fault::set_handler().then_some(())
    })
}

#[cfg(test)]
mod refusals {
    //! A system that refuses to protect pages.

    use std::ffi::c_int;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NONE: usize = usize::MAX;
    /// The numbers of further calls to seal and to open that are allowed; all later ones are refused.
    static SEALS: AtomicUsize = AtomicUsize::new(NONE);
    static OPENINGS: AtomicUsize = AtomicUsize::new(NONE);

    fn counter(access: c_int) -> &'static AtomicUsize {
        if access & libc::PROT_WRITE == 0 {
            &SEALS
        } else {
            &OPENINGS
        }
    }

    /// Refuses calls of this kind after `count` more.
    pub(super) fn begin(access: c_int, count: usize) {
        counter(access).store(count, Ordering::Relaxed);
    }

    pub(super) fn is_due(access: c_int) -> bool {
        let counter = counter(access);
        let left = counter.load(Ordering::Relaxed);
        if left != NONE && left > 0 {
            counter.store(left - 1, Ordering::Relaxed);
        }
        left == 0
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::fault::{EX_OSERR, REFUSED};
    use super::*;

    /// Selects the case that a child process runs.
    const CASE: &str = "VAULT_CASE";

    /// A sealed shelf with a block, and the address of the block's content.
    fn sealed() -> (Shelf, *mut u64) {
        let shelf = Shelf::new().expect("the system has what it takes");
        let at = shelf.take(4096).expect("there is room") + HEADER;
        shelf.seal();
        (shelf, ptr::with_exposed_provenance_mut(at))
    }

    fn write(at: *mut u64, value: u64) {
        // SAFETY: a block of a live shelf.
        unsafe { at.write_volatile(value) };
    }

    fn unsealable_shelf_notices_changes() {
        refusals::begin(libc::PROT_READ, 0);
        let (shelf, at) = sealed();
        let number = at.addr();
        assert!(!shelf.differs(number, 8), "nothing was written");
        write(at, 7);
        assert!(shelf.is_changed() && shelf.differs(number, 8));
        shelf.open();
        shelf.restore(number, 8);
        // SAFETY: as for `write`.
        assert_eq!(unsafe { at.read_volatile() }, 0);
        assert!(Shelf::new().is_none(), "later runtimes share nothing");
    }

    fn shelf_that_cannot_be_opened_opens_by_writes() {
        let (shelf, at) = sealed();
        refusals::begin(libc::PROT_READ | libc::PROT_WRITE, 0);
        shelf.open();
        refusals::begin(libc::PROT_READ | libc::PROT_WRITE, usize::MAX);
        write(at, 7);
        assert!(shelf.differs(at.addr(), 8));
    }

    fn refusal_in_the_handler() {
        let (_shelf, at) = sealed();
        refusals::begin(libc::PROT_READ | libc::PROT_WRITE, 0);
        write(at, 7);
        unreachable!("the write cannot happen");
    }

    /// Runs one case in its own process, since a refusal lasts for the whole process. Returns its exit code and
    /// its standard error.
    fn run_in_a_process(test: &str, case: &str) -> (Option<i32>, String) {
        let program = std::env::current_exe().expect("the path of the test program");
        let name = format!("shared::vault::tests::{test}");
        let output = Command::new(program)
            .args([&name, "--exact", "--nocapture", "--test-threads=1"])
            .env(CASE, case)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }

    #[test]
    fn a_system_that_refuses_to_protect_pages_loses_no_change() {
        match std::env::var(CASE).as_deref() {
            Ok("seal") => return unsealable_shelf_notices_changes(),
            Ok("open") => return shelf_that_cannot_be_opened_opens_by_writes(),
            _ => {}
        }
        let test = "a_system_that_refuses_to_protect_pages_loses_no_change";
        for case in ["seal", "open"] {
            let (code, said) = run_in_a_process(test, case);
            assert_eq!(code, Some(0), "{case}: {said}");
        }
    }

    #[test]
    fn a_refusal_in_the_fault_handler_ends_the_process_with_one_line() {
        if std::env::var(CASE).as_deref() == Ok("fault") {
            refusal_in_the_handler();
        }
        let test = "a_refusal_in_the_fault_handler_ends_the_process_with_one_line";
        let (code, said) = run_in_a_process(test, "fault");
        assert_eq!(code, Some(EX_OSERR), "{said}");
        assert!(said.ends_with(REFUSED), "{said}");
    }
}
