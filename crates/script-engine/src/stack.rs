//! The stacks of fibers: large ranges of addresses, of which only touched pages take memory.
//!
//! Scripts recurse deeply at times: k6's engine supports fifty thousand calls. A stack has room for that from
//! the start, since untouched pages take no memory; after a deep recursion its pages are released.

use std::io;
use std::ptr;

use corosensei::stack::{MIN_STACK_SIZE, Stack, StackPointer};

/// The touched bytes that are not released. Usual code needs less.
const KEPT_BYTES: usize = 256 * 1024;
/// The smallest useful stack, for a system that is short of address space.
const LEAST_BYTES: usize = 512 * 1024;
/// Distance of the words that are checked to tell whether a page was used: few frames of the engine are
/// smaller.
const PROBE_BYTES: usize = 256;

/// A stack, its guard page at the lowest end.
pub(crate) struct FiberStack {
    base: usize,
    mapped_bytes: usize,
}

/// The part of a stack that code may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    base: usize,
    lowest: usize,
}

impl FiberStack {
    /// A stack of at least `size` bytes, or of fewer if the system has no more.
    ///
    /// # Errors
    /// The system has no room even for a small one.
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        let size = size.max(MIN_STACK_SIZE);
        Self::map(size).or_else(|error| match size > LEAST_BYTES {
            true => Self::map(LEAST_BYTES),
            false => Err(error),
        })
    }

    fn map(size: usize) -> io::Result<Self> {
        let page = page_size();
        let mapped_bytes = size.next_multiple_of(page) + page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping, without access at first, which the stack owns; the part above the guard page
        // is made usable.
        unsafe {
            let mapped = libc::mmap(ptr::null_mut(), mapped_bytes, libc::PROT_NONE, flags, -1, 0);
            if mapped == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let stack = Self {
                base: mapped.expose_provenance() + mapped_bytes,
                mapped_bytes,
            };
            let usable = mapped.cast::<u8>().add(page).cast();
            let access = libc::PROT_READ | libc::PROT_WRITE;
            if libc::mprotect(usable, mapped_bytes - page, access) != 0 {
                return Err(io::Error::last_os_error());
            }
            // A huge page of two megabytes would be wasted on a stack that needs sixteen kilobytes.
            #[cfg(target_os = "linux")]
            libc::madvise(usable, mapped_bytes - page, libc::MADV_NOHUGEPAGE);
            Ok(stack)
        }
    }

    /// The part that code may use.
    pub(crate) fn extent(&self) -> Extent {
        Extent {
            base: self.base,
            lowest: self.base - self.mapped_bytes + page_size(),
        }
    }
}

impl Drop for FiberStack {
    fn drop(&mut self) {
        let start = ptr::with_exposed_provenance_mut(self.base - self.mapped_bytes);
        // SAFETY: the mapping is the stack's own, and nothing runs on it any more.
        unsafe { libc::munmap(start, self.mapped_bytes) };
    }
}

// SAFETY: the memory is the stack's own, larger than the least, and ends in a guard page.
unsafe impl Stack for FiberStack {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.base).expect("a mapping does not end at zero")
    }

    fn limit(&self) -> StackPointer {
        StackPointer::new(self.base - self.mapped_bytes).expect("a mapping does not begin at zero")
    }
}

impl Extent {
    /// The lowest usable address.
    pub(crate) fn lowest(self) -> usize {
        self.lowest
    }

    /// Releases the pages that a deep recursion has touched.
    ///
    /// # Safety
    /// The stack must be mapped, and the code on it must use less than [`KEPT_BYTES`] of it.
    pub(crate) unsafe fn trim(self) {
        let page = page_size();
        let kept = self.base.saturating_sub(KEPT_BYTES);
        if kept < self.lowest + page {
            return;
        }
        // SAFETY: the page below the part that stays belongs to the stack; no running code uses it or lower pages.
        unsafe {
            let words = (kept - page..kept).step_by(PROBE_BYTES);
            let is_touched = words
                .map(ptr::with_exposed_provenance::<u64>)
                .any(|word| word.read_volatile() != 0);
            if is_touched {
                let lowest = ptr::with_exposed_provenance_mut(self.lowest);
                libc::madvise(lowest, kept - self.lowest, libc::MADV_DONTNEED);
            }
        }
    }
}

fn page_size() -> usize {
    // SAFETY: asks the system for a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("a system has pages of some size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_deep_recursion_are_released_and_others_stay() {
        let stack = FiberStack::new(4 << 20).expect("address space");
        let extent = stack.extent();
        let word =
            |below_base: usize| ptr::with_exposed_provenance_mut::<u64>(extent.base - below_base);
        let (near, far) = (word(KEPT_BYTES / 2), word(3 << 20));
        // SAFETY: words of a stack on which nothing runs.
        unsafe {
            near.write_volatile(1);
            far.write_volatile(2);
            extent.trim();
            assert_eq!(far.read_volatile(), 2, "nothing says that it was used");
            // The distances resemble consecutive frames.
            for below in (0..3 << 20).step_by(PROBE_BYTES).skip(1) {
                word(below).write_volatile(3);
            }
            extent.trim();
            assert_eq!((near.read_volatile(), far.read_volatile()), (3, 0));
        }
    }

    #[test]
    fn a_request_beyond_the_address_space_gives_a_small_stack() {
        let stack = FiberStack::new(1 << 50).expect("a small one");
        let extent = stack.extent();
        assert_eq!(extent.base - extent.lowest, LEAST_BYTES);
    }
}
