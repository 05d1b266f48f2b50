//! Access codes: what makes an interface in clear a network's own. Frames without them, or with others, are not taken.
//!
//! A part of the layer's edge: what leaves is sealed when it is its turn, what arrives is opened before anybody reads it. Source:
//! spec/reticulum.md#ifac.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_wire::reticulum::Flags;
use nexus_wire::reticulum::ifac::{Ifac, IfacError};

use crate::counted::Shared;
use crate::interface::InterfaceId;

/// How many frames in clear were not taken for their access codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals {
    /// The interface has codes, and the frame none.
    pub missing: u64,
    /// They do not fit the frame: another network's, or something was changed on the way.
    pub wrong: u64,
    /// The frame has codes, and the interface none.
    pub unexpected: u64,
}

/// The codes of the interfaces that have some.
#[derive(Debug, Default)]
pub struct AccessCodes {
    codes: BTreeMap<InterfaceId, Shared<Ifac>>,
    refusals: Refusals,
}

/// A packet that may not leave: the codes under which it was to leave are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codeless;

impl AccessCodes {
    /// Keys and places of 256 interfaces; nodes of an ordered map may be half empty.
    pub(crate) const MEMORY_BOUND: usize =
        256 * (size_of::<Ifac>() + 2 * size_of::<(InterfaceId, Shared<Ifac>)>() + 64);

    /// From here on frames on an interface have these codes.
    pub(crate) fn set(&mut self, iface: InterfaceId, codes: Shared<Ifac>) {
        self.codes.insert(iface, codes);
    }

    /// An interface went down: its number may be another's when it comes again.
    pub(crate) fn down(&mut self, iface: InterfaceId) {
        self.codes.remove(&iface);
    }

    /// By how much codes make a frame longer than its packet; none where there are no codes.
    #[must_use]
    pub fn tag_len(&self, iface: InterfaceId) -> Option<u8> {
        let len = self.codes.get(&iface)?.tag_len().bytes();
        Some(u8::try_from(len).expect("a tag has 64 bytes at most"))
    }

    /// What was not taken.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The packet in a frame that arrived; none if it is not taken.
    pub(crate) fn open(&mut self, iface: InterfaceId, mut frame: Vec<u8>) -> Option<Vec<u8>> {
        let has_codes = frame.first().is_some_and(|first| Flags::from_byte(*first).has_ifac());
        let refused = match (self.codes.get(&iface), has_codes) {
            (None, false) => return Some(frame),
            (None, true) => &mut self.refusals.unexpected,
            (Some(codes), _) => match codes.open(&mut frame).map(|packet| packet.len()) {
                Ok(len) => {
                    frame.drain(..frame.len().saturating_sub(len));
                    return Some(frame);
                }
                Err(IfacError::Flag) => &mut self.refusals.missing,
                Err(IfacError::Length | IfacError::Tag) => &mut self.refusals.wrong,
            },
        };
        *refused = refused.saturating_add(1);
        None
    }

    /// Makes a frame of a packet that leaves.
    pub(crate) fn seal(&self, iface: InterfaceId, packet: &mut Vec<u8>) -> Result<(), Codeless> {
        let codes = self.codes.get(&iface).ok_or(Codeless)?;
        let (len, tag) = (packet.len(), codes.tag_len().bytes());
        packet.resize(len.saturating_add(tag), 0);
        packet.copy_within(..len, tag);
        codes.seal(packet).map_err(|_not_a_packet| Codeless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::reticulum::ifac::{Membership, TagLen};

    const IFACE: InterfaceId = InterfaceId(3);

    fn codes_of(name: &str) -> AccessCodes {
        let mut codes = AccessCodes::default();
        codes.set(IFACE, Shared::new(Ifac::new(Membership::Name(name), TagLen::WIDE)));
        codes
    }

    #[test]
    fn what_one_member_seals_another_opens_and_nobody_else() {
        let packet: Vec<u8> = (0..40).collect();
        let mut frame = packet.clone();
        codes_of("ours").seal(IFACE, &mut frame).unwrap();
        assert_eq!(frame.len(), packet.len() + 16);
        let (mut ours, mut theirs, mut open) = (codes_of("ours"), codes_of("theirs"), AccessCodes::default());
        assert_eq!(ours.open(IFACE, frame.clone()), Some(packet.clone()));
        assert_eq!((theirs.open(IFACE, frame.clone()), theirs.refusals().wrong), (None, 1));
        assert_eq!((open.open(IFACE, frame.clone()), open.refusals().unexpected), (None, 1));
        assert_eq!((ours.open(IFACE, packet.clone()), ours.refusals().missing), (None, 1));
        assert_eq!((ours.open(IFACE, frame[..20].to_vec()), ours.refusals().wrong), (None, 1));
        assert_eq!(open.open(IFACE, packet.clone()), Some(packet));
    }

    #[test]
    fn an_interface_that_went_down_has_no_codes() {
        let mut codes = codes_of("ours");
        codes.down(IFACE);
        assert_eq!((codes.seal(IFACE, &mut alloc::vec![0; 40]), codes.tag_len(IFACE)), (Err(Codeless), None));
    }
}
