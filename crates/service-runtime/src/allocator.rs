//! The allocator: small blocks from mimalloc, large ones from the C library.
//!
//! With the C library alone a driver of a thousand users spends an eighth of its time on small blocks, and on
//! threads other than the first one asks the system for each four kilobytes. With mimalloc alone, a block that
//! grows to megabytes, such as the values of a trend, is copied each time; the C library moves its pages.

use std::alloc::{GlobalAlloc, Layout, System};

use libmimalloc_sys as mimalloc;

/// Allocates by size.
#[derive(Debug)]
pub struct BySize;

/// The size from which a block is large: the C library's own threshold for separate mappings.
const LARGE_BYTES: usize = 128 * 1024;
/// mimalloc's default alignment; smaller blocks are aligned to their own size.
const USUAL_ALIGNMENT: usize = 16;

fn is_large(bytes: usize) -> bool {
    bytes >= LARGE_BYTES
}

/// With an explicit alignment, mimalloc makes most blocks above a kilobyte larger than needed, and makes
/// freeing more expensive for all blocks in a page with one of those.
fn is_usual(layout: Layout) -> bool {
    layout.align() <= USUAL_ALIGNMENT && layout.align() <= layout.size()
}

// SAFETY: a block is freed by the allocator that made it, which its size determines, and has the requested
// alignment.
unsafe impl GlobalAlloc for BySize {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            if is_large(layout.size()) {
                System.alloc(layout)
            } else if is_usual(layout) {
                mimalloc::mi_malloc(layout.size()).cast()
            } else {
                mimalloc::mi_malloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if is_large(layout.size()) {
                System.alloc_zeroed(layout)
            } else if is_usual(layout) {
                mimalloc::mi_zalloc(layout.size()).cast()
            } else {
                mimalloc::mi_zalloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            if is_large(layout.size()) {
                System.dealloc(block, layout);
            } else {
                mimalloc::mi_free(block.cast());
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; a block that moves to the other allocator is copied up to the smaller of the two sizes.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            match (is_large(layout.size()), is_large(size)) {
                (true, true) => System.realloc(block, layout, size),
                (false, false) if is_usual(new) => mimalloc::mi_realloc(block.cast(), size).cast(),
                (false, false) => {
                    mimalloc::mi_realloc_aligned(block.cast(), size, layout.align()).cast()
                }
                _ => {
                    let new = self.alloc(new);
                    if !new.is_null() {
                        new.copy_from_nonoverlapping(block, size.min(layout.size()));
                        self.dealloc(block, layout);
                    }
                    new
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_are_aligned_and_keep_their_content() {
        let sizes = [
            1, 2, 7, 8, 9, 16, 24, 100, 1_000, 1_100, 3_000, 5_000, 70_000,
        ];
        let large = [LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 1 << 20];
        let sizes: Vec<usize> = sizes.into_iter().chain(large).collect();
        for align in [1, 2, 4, 8, 16, 32, 64, 4_096] {
            for (place, size) in sizes.iter().enumerate() {
                let layout = Layout::from_size_align(*size, align).expect("a power of two");
                let next = sizes[(place * 7 + 3) % sizes.len()];
                // SAFETY: the block is used within its size and freed once.
                unsafe {
                    let block = BySize.alloc_zeroed(layout);
                    assert_eq!(block.align_offset(align), 0, "{layout:?}");
                    assert_eq!((*block, *block.add(size - 1)), (0, 0), "{layout:?}");
                    block.write_bytes(7, *size);
                    let block = BySize.realloc(block, layout, next);
                    assert_eq!(block.align_offset(align), 0, "{layout:?} to {next}");
                    let kept = *block.add(next.min(*size) - 1);
                    assert_eq!(kept, 7, "{layout:?} to {next}");
                    let new = Layout::from_size_align(next, align).expect("a power of two");
                    BySize.dealloc(block, new);
                    let block = BySize.alloc(layout);
                    assert_eq!(block.align_offset(align), 0, "{layout:?}");
                    BySize.dealloc(block, layout);
                }
            }
        }
    }
}
