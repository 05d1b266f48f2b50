//! Every registered byte format: what the laws, the fuzz targets and their seeds are held against.

pub mod channels;
pub mod ledger;
pub mod nexus;
pub mod proofs;
pub mod reticulum;

use crate::format::Format;

/// All formats, Reticulum's and NEXUS's own, and proofs. Names are unique.
#[must_use]
pub fn all() -> Vec<&'static Format> {
    [reticulum::ALL, nexus::ALL, channels::ALL, ledger::ALL, proofs::ALL].into_iter().flatten().collect()
}

/// The format called `name`.
///
/// # Panics
/// If there is none: fuzz targets and tests name what is registered.
#[must_use]
pub fn named(name: &str) -> &'static Format {
    all()
        .into_iter()
        .find(|format| format.name == name)
        .unwrap_or_else(|| panic!("no format is called {name}"))
}

/// Takes frames out of a byte stream: not a format, because many streams say the same.
#[derive(Clone, Copy)]
pub struct Stream {
    /// The name of its fuzz target.
    pub name: &'static str,
    /// Holds the deframer to its laws on this stream; panics where one breaks.
    pub fuzz_one: fn(&[u8]),
    /// Streams that are worth starting from.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// All streams. Names are unique, among the formats' too.
#[must_use]
pub fn streams() -> Vec<&'static Stream> {
    reticulum::STREAMS.iter().collect()
}

/// The stream called `name`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn stream(name: &str) -> &'static Stream {
    streams()
        .into_iter()
        .find(|stream| stream.name == name)
        .unwrap_or_else(|| panic!("no stream is called {name}"))
}

/// Fuzz targets that drive machines by sequences of inputs. Their harness, `nexus_sim::fuzz`, is above this crate and writes their
/// seeds; here they have their names, so that all targets are written and counted in one place.
pub const SEQUENCES: [&str; 3] = ["links", "node", "payment"];
