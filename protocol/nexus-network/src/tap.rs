//! A look into what links and broadcasts carry, for whoever looks for faults. Shut unless the operator opens it.
//!
//! Invariant: a tap changes nothing that the node does, and holds no key. Source: spec/capture.md#opened-messages.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use nexus_crypto::NodeId;
use nexus_wire::nexus::control::BroadcastKey;
use nexus_wire::nexus::frame::SealedHeader;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::recording::Direction;

use crate::interface::InterfaceId;

/// Whether a tap shows what frames say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tapping {
    /// It shows nothing, and holds nothing.
    Shut,
    /// It holds what frames said until it is taken.
    Open,
}

/// What a sealed or broadcast frame said. The keys of `BROADCAST_KEY` are zero in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where.
    pub iface: InterfaceId,
    /// Which way.
    pub direction: Direction,
    /// Whom the link is with, or who broadcast; none if this node did.
    pub peer: Option<NodeId>,
    /// Under which key, and which frame under it.
    pub header: SealedHeader,
    /// Its messages.
    pub plaintext: Vec<u8>,
}

/// Without what is in it: plaintext is not for logs.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iface, direction, peer, header, plaintext } = self;
        let mut shown = f.debug_struct("Opened");
        shown.field("iface", iface).field("direction", direction).field("peer", peer).field("header", header);
        shown.field("bytes", &plaintext.len()).finish_non_exhaustive()
    }
}

/// What was opened and not taken yet. At its bound the oldest go and are counted.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    /// None while it is shut.
    opened: Option<VecDeque<Opened>>,
    /// How many bytes of plaintext are in it.
    bytes: usize,
    missed: u64,
}

impl Tap {
    /// How many plaintexts it holds at most: one input makes only a few.
    const MOST: usize = 64;
    /// How many bytes of them it holds at most: one frame of any medium.
    const MOST_BYTES: usize = 65_535;
    /// The most heap that it holds while it is shut, in bytes.
    pub(crate) const MEMORY_BOUND: usize = 0;
    /// The same while it is open: a ring grows by doubling.
    pub(crate) const MEMORY_BOUND_OPEN: usize = 2 * Self::MOST * size_of::<Opened>() + Self::MOST_BYTES;

    /// Opens or shuts it. Shut, it forgets what it held.
    pub(crate) fn turn(&mut self, tapping: Tapping) {
        self.bytes = 0;
        self.opened = match tapping {
            Tapping::Shut => None,
            Tapping::Open => Some(VecDeque::new()),
        };
    }

    /// How many plaintexts were pushed out before they were taken.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// The most heap that it holds, in bytes.
    pub(crate) const fn memory_bound(&self) -> usize {
        if self.opened.is_some() { Self::MEMORY_BOUND_OPEN } else { Self::MEMORY_BOUND }
    }

    /// Whether it takes note of anything.
    pub(crate) const fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Takes note of a plaintext, if it is open.
    pub(crate) fn note(
        &mut self,
        iface: InterfaceId,
        direction: Direction,
        peer: Option<NodeId>,
        header: SealedHeader,
        plaintext: &[u8],
    ) {
        let Some(opened) = &mut self.opened else { return };
        while opened.len() >= Self::MOST || self.bytes.saturating_add(plaintext.len()) > Self::MOST_BYTES {
            let Some(oldest) = opened.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.plaintext.len());
            self.missed = self.missed.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(plaintext.len());
        let plaintext = without_keys(plaintext);
        opened.push_back(Opened { iface, direction, peer, header, plaintext });
    }

    /// Takes the oldest.
    pub(crate) fn take(&mut self) -> Option<Opened> {
        let opened = self.opened.as_mut()?.pop_front()?;
        self.bytes = self.bytes.saturating_sub(opened.plaintext.len());
        Some(opened)
    }
}

/// The same messages with the keys of `BROADCAST_KEY` zero: a recording shows what was said, and opens nothing else.
fn without_keys(plaintext: &[u8]) -> Vec<u8> {
    let mut shown = plaintext.to_vec();
    let mut messages = Messages::new(plaintext);
    while let Some(Ok(message)) = messages.next() {
        if message.kind != MessageKind::BROADCAST_KEY {
            continue;
        }
        let body = messages.consumed().len().saturating_sub(message.body.len());
        let key = body.saturating_add(BroadcastKey::KEY_AT);
        let end = key.saturating_add(BroadcastKey::KEY_LEN).min(messages.consumed().len());
        shown.get_mut(key..end).unwrap_or_default().fill(0);
    }
    shown
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId, KeyName};
    use nexus_wire::nexus::message::MessageWriter;

    fn header(counter: u32) -> SealedHeader {
        SealedHeader { key: KeyName::Broadcast(BroadcastKeyId(1)), counter }
    }

    fn note(tap: &mut Tap, counter: u32, plaintext: &[u8]) {
        tap.note(InterfaceId(0), Direction::Sent, None, header(counter), plaintext);
    }

    #[test]
    fn a_tap_that_is_shut_holds_nothing_and_shutting_it_forgets() {
        let mut tap = Tap::default();
        note(&mut tap, 1, b"said");
        assert_eq!(tap.take(), None);
        tap.turn(Tapping::Open);
        note(&mut tap, 2, b"said");
        tap.turn(Tapping::Shut);
        tap.turn(Tapping::Open);
        assert_eq!((tap.take(), tap.missed()), (None, 0));
    }

    #[test]
    fn a_tap_from_which_nobody_takes_keeps_the_newest_within_its_bounds() {
        let mut tap = Tap::default();
        tap.turn(Tapping::Open);
        for counter in 0..1_000 {
            note(&mut tap, counter, b"small");
        }
        assert_eq!(tap.take().unwrap().header.counter, 1_000 - 64);
        assert_eq!(tap.missed(), 1_000 - 64);
        for counter in 0..10 {
            note(&mut tap, counter, &vec![0; 30_000]);
        }
        let kept: Vec<u32> = core::iter::from_fn(|| tap.take()).map(|opened| opened.header.counter).collect();
        assert_eq!(kept, [8, 9]);
    }

    #[test]
    fn no_key_of_a_broadcast_is_in_a_tap_and_all_else_is() {
        let key = BroadcastKey {
            key_id: BroadcastKeyId(0x0102),
            key: &[0x6b; 32],
            next_counter: 0x0304_0506,
            beacon_tag: BeaconTag(0x0708_090a),
        };
        let mut buffer = [0; 200];
        let mut writer = MessageWriter::new(&mut buffer);
        writer.put(&key).unwrap();
        let said = writer.put_last(&key).unwrap().to_vec();
        let mut tap = Tap::default();
        tap.turn(Tapping::Open);
        note(&mut tap, 0, &said);
        let shown = tap.take().unwrap().plaintext;
        let expected: Vec<u8> = said.iter().map(|byte| if *byte == 0x6b { 0 } else { *byte }).collect();
        assert_eq!(shown, expected);
        // One that is cut short: what there is of the key is no less secret.
        note(&mut tap, 1, &[&[0x89, 2, 1][..], &[0x6b; 20]].concat());
        assert_eq!(tap.take().unwrap().plaintext, [&[0x89, 2, 1][..], &[0; 20]].concat());
    }
}
