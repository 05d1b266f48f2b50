//! One owner's value in several places. Where the machine has atomic counters hosts may hand it between threads; a microcontroller without
//! them has one.

#[cfg(not(target_has_atomic = "ptr"))]
pub use alloc::rc::Rc as Shared;
#[cfg(target_has_atomic = "ptr")]
pub use alloc::sync::Arc as Shared;
