//! Packets in the form in which links carry them: header bit 6 promises a transport id, which is left out. Source: spec/network.md#forwarding.

use nexus_wire::reticulum::{Flags, HeaderType, Hops, Packet};

use super::Cause;

/// Who hands over a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// Another node: the step from there counts as a hop.
    Neighbour,
    /// A program on this machine: nothing lies between.
    Program,
}

/// A packet as links carry it.
pub(super) struct OnLink<'a> {
    /// The packet, read as one without transport id; its hops are those that it came with.
    pub(super) packet: Packet<'a>,
    /// What its header really is.
    pub(super) header: HeaderType,
    /// The hop that it has just come is counted, if it was one.
    pub(super) hops: Hops,
}

impl<'a> OnLink<'a> {
    pub(super) fn read(bytes: &'a mut [u8], sender: Sender) -> Result<Self, Cause> {
        let first = bytes.first_mut().ok_or(Cause::Malformed)?;
        let header = Flags::from_byte(*first).header_type();
        *first &= !HEADER_2;
        let packet = Packet::decode(bytes).map_err(|_| Cause::Malformed)?;
        let hops = match sender {
            Sender::Neighbour => packet.hops.counted().ok_or(Cause::HopLimit)?,
            Sender::Program => packet.hops,
        };
        Ok(Self { packet, header, hops })
    }
}

/// The bit of the first byte that promises a transport id.
pub(super) const HEADER_2: u8 = 0x40;

/// Flags and hops: what stands before a transport id.
pub(super) const HEAD: usize = 2;

/// Writes the two bytes of a header that change on the way.
pub(super) fn rewrite(packet: &mut [u8], flags: Flags, hops: Hops) {
    if let Some(head) = packet.first_chunk_mut() {
        *head = [flags.byte(), hops.get()];
    }
}
