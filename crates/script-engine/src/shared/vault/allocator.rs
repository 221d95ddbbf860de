//! The engine's allocator: blocks of the process's allocator, charged to the VU that asked for them, and
//! blocks of a shelf.
//!
//! A word before each block holds its size and, above that, its owner. A block of a shelf is known by its
//! address.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use rquickjs::allocator::Allocator;

use super::Shelf;
use super::pages::shelf_at;
use crate::memory::Ledger;

/// The word before the engine's own block header: the size of the block and its owner.
pub(super) const PREFIX: usize = 8;
/// The engine's block header.
pub(super) const HEADER: usize = 8;
/// The bytes of a block besides its content.
pub(crate) const BLOCK_BYTES: usize = PREFIX + HEADER;

/// The owner of a block is stored in its first word from this bit upwards.
const OWNER_SHIFT: u32 = 48;
const SIZE_MASK: usize = (1 << OWNER_SHIFT) - 1;

/// The engine's alignment: the content of a block begins two words after the block.
const ALIGNMENT: usize = 16;

pub(crate) struct ShelfAllocator {
    /// The place of the next allocation: a block that [`Shelf::take`] returned.
    pub(crate) place: Rc<Cell<Option<usize>>>,
    /// The bytes that each VU has from the process's allocator.
    pub(crate) ledger: Rc<Ledger>,
    /// The shelf of the runtime, which must outlive the runtime.
    pub(crate) shelf: Option<Rc<Shelf>>,
}

/// The layout of a block with this many bytes for the engine. `None` when a block cannot be that large.
fn layout(bytes: usize) -> Option<Layout> {
    let size = bytes
        .checked_add(PREFIX)?
        .checked_next_multiple_of(ALIGNMENT)?;
    Layout::from_size_align(size, ALIGNMENT)
        .ok()
        .filter(|layout| layout.size() <= SIZE_MASK)
}

impl ShelfAllocator {
    /// Records that the engine frees a block of the shelf. False: the block is not in a shelf.
    fn note_freed(&self, block: *mut u8) -> bool {
        let is_shelved = shelf_at(block.addr()).is_some();
        if let Some(shelf) = self.shelf.as_ref().filter(|_| is_shelved) {
            shelf.note_moved(block.addr() + HEADER);
        }
        is_shelved
    }

    /// Charges a new block to the current VU and writes its first word. Returns the engine's part of the
    /// block, or null for null.
    ///
    /// # Safety
    /// `block` must be null or a live block of this layout, as the process's allocator returned it.
    unsafe fn charge(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        if block.is_null() {
            return ptr::null_mut();
        }
        let owner = self.ledger.grew(layout.size());
        let word = (layout.size() - PREFIX) | (owner << OWNER_SHIFT);
        // SAFETY: every layout of `layout` has two words at least and is aligned to them.
        unsafe {
            block.cast::<usize>().write(word);
            block.add(PREFIX)
        }
    }

    /// Removes a block from its owner's account. Returns its address and its layout; its first word stays.
    ///
    /// # Safety
    /// `block` must be live and not in a shelf.
    unsafe fn discharge(&self, block: *mut u8) -> (*mut u8, Layout) {
        // SAFETY: `charge` wrote the word before the block; the layout is that of its allocation.
        unsafe {
            let begin = block.sub(PREFIX);
            let word = begin.cast::<usize>().read();
            let size = (word & SIZE_MASK) + PREFIX;
            self.ledger.shrank(word >> OWNER_SHIFT, size);
            (begin, Layout::from_size_align_unchecked(size, ALIGNMENT))
        }
    }
}

// SAFETY: a block comes from the process's allocator, or from the shelf, whose blocks are never returned to
// that allocator and live as long as this one. All blocks are aligned to a word.
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
        // SAFETY: the layout is not empty; the block is null or has just been made with it.
        unsafe { self.charge(std::alloc::alloc(layout), layout) }
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let size = count.saturating_mul(size);
        if !self.ledger.allows(size) {
            return ptr::null_mut();
        }
        let Some(layout) = layout(size) else {
            return ptr::null_mut();
        };
        // SAFETY: as in `alloc`.
        unsafe { self.charge(std::alloc::alloc_zeroed(layout), layout) }
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        if self.note_freed(block) {
            return;
        }
        // SAFETY: a live block of the process's allocator, freed with the layout that it was made with.
        unsafe {
            let (begin, layout) = self.discharge(block);
            std::alloc::dealloc(begin, layout);
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            return self.alloc(size);
        }
        // SAFETY: the block is live.
        let before = unsafe { Self::usable_size(block) };
        if !self.note_freed(block) {
            if !self.ledger.allows(size.saturating_sub(before)) {
                return ptr::null_mut();
            }
            let Some(new) = layout(size) else {
                return ptr::null_mut();
            };
            // SAFETY: a live block of the process's allocator with its layout. It stays valid, and charged,
            // when there is no memory; else its first word has moved with it.
            return unsafe {
                let begin = block.sub(PREFIX);
                let old = Layout::from_size_align_unchecked(before + PREFIX, ALIGNMENT);
                let moved = std::alloc::realloc(begin, old, new.size());
                if moved.is_null() {
                    return ptr::null_mut();
                }
                self.discharge(moved.add(PREFIX));
                self.charge(moved, new)
            };
        }
        let moved = self.alloc(size);
        if !moved.is_null() {
            // SAFETY: both blocks are live, at least this long, and different: the old one is in a shelf.
            unsafe { ptr::copy_nonoverlapping(block, moved, before.min(size)) };
        }
        moved
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: a word lies before every block; `Shelf::take` has written that of a block in a shelf.
        let word = unsafe { block.sub(PREFIX).cast::<usize>().read() };
        word & SIZE_MASK
    }
}
