//! The organ that owns the neighbours. (Contract only: the types that others see.)

pub mod policy;
pub mod status;

use nexus_machine::Key;

pub use policy::Policy;
pub use status::{Down, LinkStatus, Traffic};

/// Names one link for as long as it is up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub Key);
