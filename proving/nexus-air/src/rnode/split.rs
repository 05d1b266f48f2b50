//! Packets in one transmission or two. Source: spec/air.md#split.
//!
//! Each transmission has one byte before it: a random high nibble, and bit 0 if it is half of a packet. The receiver has a
//! single slot for a first half and knows its second half by the nibble alone, so that the halves of two senders who drew the
//! same nibble make one packet that nobody sent.

use nexus_machine::Stream;
use nexus_network::lora::{AIR_HEADER, SINGLE_MAX};

use crate::air::Burst;

/// The bit of the header that says that this is half of a packet.
const HALF: u8 = 0x01;
/// The bits of the header that both halves share.
const NIBBLE: u8 = 0xf0;

/// What goes on the air for a packet of at most twice [`SINGLE_MAX`] bytes.
#[must_use]
pub fn burst(packet: &[u8], random: &mut Stream) -> Burst {
    let [drawn] = random.bytes::<1>();
    burst_under(packet, drawn & NIBBLE)
}

fn burst_under(packet: &[u8], nibble: u8) -> Burst {
    let put = |header: u8, payload: &[u8]| -> Vec<u8> {
        let mut bytes = Vec::with_capacity(payload.len().saturating_add(AIR_HEADER));
        bytes.push(header);
        bytes.extend_from_slice(payload);
        bytes
    };
    match packet.split_at_checked(SINGLE_MAX) {
        Some((first, second)) if !second.is_empty() => {
            Burst::Double(put(nibble | HALF, first), put(nibble | HALF, second))
        }
        Some(_) | None => Burst::Single(put(nibble, packet)),
    }
}

/// The one slot of a receiver.
#[derive(Default, Debug)]
pub struct Reassembly {
    /// The nibble of a first half, and the half.
    first: Option<(u8, Vec<u8>)>,
    displaced: u32,
}

impl Reassembly {
    /// Takes a transmission as it was on the air; a packet if it is whole, or completes what is in the slot.
    pub fn take(&mut self, transmission: &[u8]) -> Option<Vec<u8>> {
        let (header, payload) = transmission.split_first()?;
        let nibble = header & NIBBLE;
        if header & HALF == 0 {
            // The receive buffer is the slot: a whole packet leaves nothing of a half.
            self.displace();
            return Some(payload.to_vec());
        }
        match self.first.take() {
            Some((waiting, mut packet)) if waiting == nibble => {
                packet.extend_from_slice(payload);
                Some(packet)
            }
            other => {
                self.first = other;
                self.displace();
                self.first = Some((nibble, payload.to_vec()));
                None
            }
        }
    }

    /// How many first halves were pushed out.
    #[must_use]
    pub const fn displaced(&self) -> u32 {
        self.displaced
    }

    fn displace(&mut self) {
        if self.first.take().is_some() {
            self.displaced = self.displaced.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(packet: &[u8], nibble: u8) -> [Vec<u8>; 2] {
        match burst_under(packet, nibble) {
            Burst::Double(first, second) => [first, second],
            Burst::Single(_) => panic!("a packet of {} bytes is split", packet.len()),
        }
    }

    #[test]
    fn a_packet_of_254_bytes_goes_in_one_transmission_and_one_more_byte_in_two() {
        assert_eq!(burst_under(&[7; 254], 0x50), Burst::Single([&[0x50][..], &[7; 254]].concat()));
        let [first, second] = halves(&[7; 255], 0x50);
        assert_eq!((first.len(), second), (255, vec![0x51, 7]));
    }

    #[test]
    fn two_halves_of_one_sender_make_its_packet() {
        let packet: Vec<u8> = (0..508_u16).map(|n| n.to_le_bytes()[0]).collect();
        let [first, second] = halves(&packet, 0xa0);
        let mut slot = Reassembly::default();
        assert_eq!(slot.take(&first), None);
        assert_eq!(slot.take(&second), Some(packet));
        assert_eq!(slot.displaced(), 0);
    }

    #[test]
    fn halves_of_two_senders_who_drew_the_same_nibble_make_a_packet_that_nobody_sent() {
        let (ours, theirs) = (halves(&[1; 300], 0x30), halves(&[2; 400], 0x30));
        let mut slot = Reassembly::default();
        assert_eq!(slot.take(&ours[0]), None);
        assert_eq!(slot.take(&theirs[1]), Some([vec![1; 254], vec![2; 146]].concat()));
        // What remains of both is halves without a partner.
        assert_eq!(slot.take(&ours[1]), None);
    }

    #[test]
    fn a_half_of_another_nibble_displaces_the_one_that_waits() {
        let (ours, theirs) = (halves(&[1; 300], 0x30), halves(&[2; 400], 0x40));
        let mut slot = Reassembly::default();
        assert_eq!([slot.take(&ours[0]), slot.take(&theirs[0]), slot.take(&ours[1])], [None, None, None]);
        assert_eq!(slot.displaced(), 2);
    }

    #[test]
    fn a_whole_packet_displaces_a_half_that_waits() {
        let ours = halves(&[1; 300], 0x30);
        let mut slot = Reassembly::default();
        assert_eq!(slot.take(&ours[0]), None);
        assert_eq!(slot.take(&[0x30, 9]), Some(vec![9]));
        assert_eq!((slot.take(&ours[1]), slot.displaced()), (None, 1));
    }
}
