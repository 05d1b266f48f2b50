//! Pictures of a world: a map of it with what its media carried, and what radios did over time.
//!
//! Both are SVG, made of integers and a few lengths with one decimal, so the same run gives the same bytes. Colours are those of
//! Okabe and Ito, which people with any colour vision tell apart; what became of a transmission is told by height and outline too. Spec: spec/simulation.md#pictures.

mod activity;
mod labels;
mod map;
mod places;
mod svg;
mod tally;

pub use activity::{Lanes, TooMany, activity};
pub use map::map;
pub use places::Places;
pub use tally::{Fate, Flight, Heard, Tally};

use crate::clock::WorldTime;

/// A moment of a world, to the second.
fn in_words(at: WorldTime) -> String {
    let seconds = at.as_micros() / 1_000_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A number of bytes, short.
fn bytes_in_words(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        10_000_000.. => format!("{} MB", bytes / 1_000_000),
    }
}
