//! Where claims about the core are stated once, for everybody to be held to.
//!
//! | module | what it offers |
//! |---|---|
//! | [`laws`] | the five laws of a machine, each run in one line |
//! | [`format`](mod@format) | the laws of a byte format: round trip, impossible lengths, bit flips, no panic on any bytes |
//! | [`formats`] | every registered format, for laws, fuzz targets and their seeds |
//! | [`heap`] | how much heap a closure leaves behind, measured by the allocator |
//!
//! A dev-dependency of everything under `protocol/`, and a dependency of the simulator and the fuzz targets.

pub mod format;
pub mod formats;
pub mod heap;
pub mod laws;
