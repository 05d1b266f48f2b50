//! A heap for a program that keeps nothing: memory is handed out in order, and taken back when nothing is held.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// The heap's memory and its books: so many bytes may be handed out before everything is given back. One processor without interrupts:
/// nothing runs beside whoever allocates.
#[repr(C, align(16))]
pub struct Heap<const SIZE: usize> {
    memory: UnsafeCell<[u8; SIZE]>,
    books: UnsafeCell<Books>,
}

struct Books {
    /// Where the next allocation may begin.
    next: usize,
    /// What is held, in bytes.
    held: usize,
    /// The most that was held since [`Heap::restart_peak`], in bytes.
    peak: usize,
}

// SAFETY: there is one processor and no interrupt is enabled, so no two references to the insides exist at once.
unsafe impl<const SIZE: usize> Sync for Heap<SIZE> {}

impl<const SIZE: usize> Heap<SIZE> {
    pub const fn new() -> Self {
        Self {
            memory: UnsafeCell::new([0; SIZE]),
            books: UnsafeCell::new(Books { next: 0, held: 0, peak: 0 }),
        }
    }

    /// The most that was held at once since the peak was restarted, in bytes.
    pub fn peak(&self) -> usize {
        // SAFETY: nothing else refers to the books while this runs.
        unsafe { (*self.books.get()).peak }
    }

    /// Measures the peak from what is held on.
    pub fn restart_peak(&self) {
        // SAFETY: nothing else refers to the books while this runs.
        let books = unsafe { &mut *self.books.get() };
        books.peak = books.held;
    }
}

// SAFETY: what is handed out lies inside `memory`, is aligned and overlaps nothing that is held, because `next` only
// moves back when nothing is.
unsafe impl<const SIZE: usize> GlobalAlloc for Heap<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: nothing else refers to the books while this runs.
        let books = unsafe { &mut *self.books.get() };
        let memory = self.memory.get().cast::<u8>();
        // SAFETY: `next` is at most `SIZE`, so the sum is inside the memory or at its end.
        let start = books.next + unsafe { memory.add(books.next) }.align_offset(layout.align());
        let Some(end) = start.checked_add(layout.size()).filter(|end| *end <= SIZE) else {
            return ptr::null_mut();
        };
        books.next = end;
        books.held += layout.size();
        books.peak = books.peak.max(books.held);
        // SAFETY: `start` is at most `end`, which is at most `SIZE`.
        unsafe { memory.add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, layout: Layout) {
        // SAFETY: nothing else refers to the books while this runs.
        let books = unsafe { &mut *self.books.get() };
        books.held -= layout.size();
        if books.held == 0 {
            books.next = 0;
        }
    }
}
