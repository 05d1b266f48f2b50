//! Every byte format of `nexus-wire`, registered once: the laws, the fuzz targets and the vectors all read this list.

pub mod nexus;

use crate::format::Format;

/// All registered formats.
#[must_use]
pub fn all() -> Vec<&'static Format> {
    nexus::ALL.iter().collect()
}
