//! What neighbours said and was refused. Counted by cause, never answered.

use crate::refusals::refusals;

refusals! {
    /// How many messages and items were refused, by cause.
    counters;
    /// Not the bytes of a message.
    malformed,
    /// Of a store that is not held here.
    unknown_store,
    /// A summary beyond those that a neighbour may have looked at in that time.
    hasty_summary,
    /// Requested items beyond those that a neighbour may ask for in that time.
    hasty_request,
    /// Items beyond those that a neighbour may have judged in that time.
    hasty_item,
    /// Items that their store found bad.
    bad_item,
    /// Items for which the index has no room.
    crowded,
    /// Links of which no account is kept, because there are too many.
    crowded_link,
}
