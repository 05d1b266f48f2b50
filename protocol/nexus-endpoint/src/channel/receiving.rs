//! What comes in a channel: in whatever order, handed on in the one it was sent. Source: spec/endpoint.md#channels.

use alloc::collections::BTreeMap;

use nexus_machine::Sink;
use nexus_wire::reticulum::channel::{ChannelMessage, End, Packing, StreamPiece};

use super::contract::{Effect, Event, Failure, Message};
use super::{AHEAD, UNPACKED_MAX};
use crate::Bytes;

/// The receiving side.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// The number of the next message that is handed on.
    next: u64,
    /// What came and waits for others.
    ahead: BTreeMap<u64, Message>,
    /// The piece of a stream that is being decompressed: what follows waits.
    unpacking: Option<(u16, End)>,
}

impl Receiving {
    /// A message came.
    pub(super) fn hear(&mut self, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(message) = ChannelMessage::decode(bytes) else { return };
        let [.., high, low] = self.next.to_be_bytes();
        let distance = message.sequence.wrapping_sub(u16::from_be_bytes([high, low]));
        let is_behind = distance > u16::MAX / 2;
        if !is_behind && usize::from(distance) >= AHEAD {
            return;
        }
        // One that came before is proved again: its proof was lost.
        out.push(Effect::Prove);
        if !is_behind {
            let number = self.next.saturating_add(u64::from(distance));
            let data = Bytes(message.data.to_vec());
            self.ahead.entry(number).or_insert(Message { kind: message.kind, data });
            self.hand_on(out);
        }
    }

    /// Hands on what is next.
    fn hand_on(&mut self, out: &mut impl Sink<Effect>) {
        while self.unpacking.is_none()
            && let Some(message) = self.ahead.remove(&self.next)
        {
            self.next = self.next.saturating_add(1);
            if message.kind != ChannelMessage::STREAM {
                out.push(Effect::Event(Event::Message(message)));
                continue;
            }
            let Ok(piece) = StreamPiece::decode(&message.data.0) else { continue };
            let data = Bytes(piece.data.to_vec());
            match piece.packing {
                Packing::Plain => {
                    out.push(Effect::Event(Event::Stream { stream: piece.stream, data, end: piece.end }));
                }
                Packing::Compressed => {
                    self.unpacking = Some((piece.stream, piece.end));
                    out.push(Effect::Unpack(data, UNPACKED_MAX));
                }
            }
        }
    }

    /// A piece of a stream was decompressed.
    pub(super) fn unpacked(
        &mut self,
        data: Option<Bytes>,
        out: &mut impl Sink<Effect>,
    ) -> Result<(), Failure> {
        let Some((stream, end)) = self.unpacking.take() else { return Ok(()) };
        let data = data.ok_or(Failure::Corrupt)?;
        out.push(Effect::Event(Event::Stream { stream, data, end }));
        self.hand_on(out);
        Ok(())
    }

    /// Forgets what came and was not handed on.
    pub(super) fn end(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}
