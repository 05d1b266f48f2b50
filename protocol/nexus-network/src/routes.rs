//! Which ways lead to a destination, which of them are safe, and which is best for what.
//!
//! A neighbour that says a verified emission with a cost is a *candidate* for its destination. Invariants:
//!
//! * a candidate is used only if it is feasible: what its neighbour said is better than the best that this node ever said of the
//!   same edition, or of a newer one ([`Distance`]). Next hops so form no loop, whatever is lost, late or out of order;
//! * at most [`PATHS`] candidates for a destination, at most the stated number altogether;
//! * the best of them for each policy is chosen when something changes, not for each packet.
//!
//! Parts of the organ of announces, which owns what was verified and knows the links: no organ of their own.
//! Spec: spec/network.md#routes.

mod chains;
mod choice;
mod distance;
mod entry;
pub mod policy;
mod sight;
mod table;

pub(crate) use choice::is_more_by_a_quarter;
pub use choice::{Approach, Habit, MAX_HOPS, Stance};
pub use distance::{Bounds, Distance, Edition, SaidInClear};
pub use entry::{Claim, NextHop, RoutingEntry, Stage};
pub(crate) use policy::{LargestProspect, score_of_prospect};
pub use policy::{PathPolicy, Prospect, Weights, ring_distance};
pub(crate) use sight::Seen;
pub use sight::{Mark, SaidLeast, Standing};
pub use table::{PATHS, PathName, Put, Table};
