//! An announce as a bystander reads it.

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::{blake3, truncate};
use nexus_wire::codec::DecodeError;
use nexus_wire::reticulum::{Announce, Packet, PacketType};

/// Which announce a frame carries, on whatever hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sighting<'a> {
    /// Who announces.
    pub(super) destination: DestinationHash,
    /// When, by its own clock.
    pub(super) emitted_at: u64,
    /// The signed bytes, hashed: what relays may not change.
    pub(super) content: Content,
    /// The hop count of the frame.
    pub(super) hops: u8,
    /// The announce itself.
    pub(super) announce: Announce<'a>,
}

/// Names the signed bytes of an announce.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Content([u8; 16]);

impl<'a> Sighting<'a> {
    /// The announce in `frame`; `None` if the frame carries something else, an error if it is a malformed announce.
    pub(super) fn of(frame: &'a [u8]) -> Option<Result<Self, DecodeError>> {
        let packet = Packet::decode(frame).ok()?;
        (packet.packet_type == PacketType::Announce).then(|| {
            let announce = Announce::from_packet(&packet)?;
            Ok(Self {
                destination: announce.destination,
                emitted_at: announce.claim.random_hash.emitted_at(),
                content: Content(truncate(&blake3(&[announce.destination.as_bytes(), packet.data]))),
                hops: packet.hops.get(),
                announce,
            })
        })
    }
}
