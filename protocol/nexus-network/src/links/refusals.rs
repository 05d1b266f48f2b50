//! What was heard and refused. Counted by cause, never answered (but for the cookie that asks for an address's proof).

use crate::refusals::refusals;

refusals! {
    /// How many frames were refused, by cause.
    counters;
    /// Not the bytes of any frame.
    malformed,
    /// A frame of another version of the link protocol, or of a kind that is not known.
    other_version,
    /// For a session that nobody uses.
    unknown_session,
    /// A tag that does not verify: garbage, changed on its way, reflected, or for another key.
    not_authentic,
    /// A sealed frame that was received before, or a handshake message that is not expected any more.
    replayed,
    /// A sealed frame too far behind to be told from a replayed one.
    too_old,
    /// This node's own handshake message, come back.
    looped,
    /// The peer's static key is not a node's: off the curve, of small order, an alias.
    not_a_node,
    /// Somebody else answered than was expected.
    other_peer,
    /// A node that the policy does not want.
    unwanted,
    /// A link below the highest version that both speak.
    downgraded,
    /// A first message for another target.
    foreign_target,
    /// A first message beyond the rate that is answered; where there are addresses, a cookie was sent.
    flooded,
    /// There was no room for another link or handshake.
    crowded,
    /// Overtaken: a link with this peer came up after this handshake began, or its own handshake stands.
    overtaken,
    /// A rekey that does not fit the state of the link.
    misplaced_rekey,
    /// A fragment that fits no set.
    misplaced_fragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_counter_and_its_name() {
        let mut refusals = Refusals::default();
        refusals.count(Refused::malformed);
        refusals.count(Refused::misplaced_fragment);
        refusals.count(Refused::misplaced_fragment);
        let counted: alloc::vec::Vec<_> = refusals.by_name().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("malformed", 1), ("misplaced_fragment", 2)]);
    }
}
