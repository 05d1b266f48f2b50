//! Whether the node at the other end of a handshake is one to link with.

use nexus_crypto::{ExchangePublic, NodePublic};
use nexus_wire::nexus::frame::Reply;
use nexus_wire::nexus::handshake::LinkPayload;

use super::refusals::Refused;
use super::{Links, VERSION};

impl Links {
    /// The node that proved to hold `exchange` and said `payload`, if it keeps the identity rules, speaks a version that
    /// this handshake may stand for, and is wanted.
    pub(super) fn recognised(
        &self,
        exchange: &ExchangePublic,
        payload: LinkPayload,
    ) -> Result<NodePublic, Refused> {
        let peer = NodePublic::recover(exchange, payload.flags.sign()).map_err(|_| Refused::not_a_node)?;
        // The handshake is one of version 1: both must speak that, and neither a higher one that the other speaks too.
        if payload.flags.highest_version().min(VERSION) != VERSION {
            return Err(Refused::downgraded);
        }
        // Frames in which not even handshakes fit are no link.
        if usize::from(payload.max_frame) < Reply::LEN {
            return Err(Refused::malformed);
        }
        if !self.policy.allows(&peer.node_id()) {
            return Err(Refused::unwanted);
        }
        Ok(peer)
    }
}
