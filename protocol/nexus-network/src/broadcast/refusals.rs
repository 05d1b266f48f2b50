//! What was heard by broadcast and refused. Counted by cause, never answered.

use crate::refusals::refusals;

refusals! {
    /// How many frames and keys were refused, by cause.
    counters;
    /// Not the bytes of a broadcast, or not of messages.
    malformed,
    /// Under a key that nobody gave: a broadcast between others.
    unknown_key,
    /// This node's own broadcast, come back.
    looped,
    /// A tag that does not verify: garbage, changed on its way, or under another key of the same name.
    not_authentic,
    /// A frame that was received before.
    replayed,
    /// Too far behind to be told from a replayed one, or sent before the key was given.
    too_old,
    /// Nobody signed it.
    unsigned,
    /// Not signed by the neighbour who gave the key: another holder made it, or passed the key off as its own.
    forged,
    /// More than one neighbour may have verified in that time.
    hasty,
    /// A message that does not belong in a broadcast.
    misplaced,
    /// A fragment that fits no set.
    misplaced_fragment,
    /// A key for which there was no room, or a link of which no account is kept.
    crowded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_counter_and_its_name() {
        let mut refusals = Refusals::default();
        refusals.count(Refused::unsigned);
        refusals.count(Refused::crowded);
        refusals.count(Refused::crowded);
        let counted: alloc::vec::Vec<_> = refusals.by_name().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("unsigned", 1), ("crowded", 2)]);
    }
}
