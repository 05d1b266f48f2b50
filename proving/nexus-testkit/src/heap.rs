//! How much heap something holds, measured by the allocator rather than estimated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting what each thread holds.
///
/// Installed for every test binary that links this crate. Per thread, so that tests running side by side do not count
/// each other; what is allocated on one thread and freed on another is not for it to measure.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    // During thread teardown the counter is gone, and so is whoever wanted to know.
    let _ = HELD.try_with(|held| {
        let total = held.get().wrapping_add(bytes);
        held.set(total);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(total)));
    });
}

/// Counts one more allocation.
fn count_one() {
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get().wrapping_add(1)));
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; it passes every call to the system's unchanged"
)]
// SAFETY: every call is passed to `System` with the same arguments, so its guarantees hold unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        count_one();
        // SAFETY: the caller's obligations are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size().cast_signed().wrapping_neg());
        // SAFETY: the caller's obligations are passed on unchanged.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size.cast_signed().wrapping_sub(layout.size().cast_signed()));
        count_one();
        // SAFETY: the caller's obligations are passed on unchanged.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// What this thread holds on the heap, in bytes, relative to where it began counting.
#[must_use]
pub fn held() -> isize {
    HELD.with(Cell::get)
}

/// Runs `work` and returns its result with the largest growth of the heap while it ran, in bytes.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = held();
    PEAK.with(|peak| peak.set(before));
    let result = work();
    let peak = PEAK.with(Cell::get).wrapping_sub(before);
    (result, usize::try_from(peak).unwrap_or(0))
}

/// Runs `work` and returns its result with the number of bytes that the heap grew by.
pub fn growth_of<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let before = held();
    let result = work();
    (result, held().wrapping_sub(before))
}

/// Runs `work` and returns its result with the number of times that it asked for memory, or for more of it.
pub fn allocations_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = work();
    (result, ALLOCATIONS.with(Cell::get).wrapping_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_what_is_freed_is_not() {
        let (kept, growth) = growth_of(|| vec![0_u8; 1_000]);
        assert_eq!(growth, 1_000);
        let ((), growth) = growth_of(|| drop(kept));
        assert_eq!(growth, -1_000);
        let ((), peak) = peak_of(|| drop(vec![0_u8; 5_000]));
        assert_eq!(peak, 5_000);
    }

    #[test]
    fn every_time_that_memory_is_asked_for_is_counted() {
        let (mut kept, asked) = allocations_of(|| Vec::<u8>::with_capacity(10));
        assert_eq!(asked, 1);
        let ((), asked) = allocations_of(|| kept.extend_from_slice(&[0; 10]));
        assert_eq!(asked, 0, "there was room");
        let ((), asked) = allocations_of(|| kept.push(1));
        assert_eq!(asked, 1, "it grew");
    }
}
