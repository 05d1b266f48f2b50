//! What a channel began with and what it came to: shown to witnesses when one party closes it alone. Source: spec/economy.md#orders.

use super::channel::{ChannelBody, ChannelState, read_names, read_signature, write_names};
use super::message::{Body, MessageKind};
use super::{Layout, require};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// A channel's first state and a later one, both signed by both parties: what was paid is the difference. The body of ORDER with kind 4:
/// `4 u8 ‖ channel_id[16] ‖ party_a[16] ‖ party_b[16] ‖ (balance_a u64 ‖ balance_b u64 ‖ sequence u64 ‖ sig_a[64] ‖ sig_b[64]) × 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Course {
    first: ChannelState,
    last: ChannelState,
}

impl Course {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 1 + 48 + 2 * (24 + 128);
    /// What stands first, where an order has its kind.
    const KIND_BYTE: u8 = 4;

    /// From `first`, which has the number 0, to `last`; none if they are not states of one channel in this order.
    #[must_use]
    pub fn new(first: ChannelState, last: ChannelState) -> Option<Self> {
        let names = |body: &ChannelBody| (body.channel, body.party_a, body.party_b);
        let in_order = first.body.sequence == 0 && names(&first.body) == names(&last.body);
        in_order.then_some(Self { first, last })
    }

    /// The state that the channel was opened with.
    #[must_use]
    pub const fn first(&self) -> &ChannelState {
        &self.first
    }

    /// The later one; the same, if nothing was paid.
    #[must_use]
    pub const fn last(&self) -> &ChannelState {
        &self.last
    }
}

impl Layout<'_> for Course {
    const NAME: &'static str = "course";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        require(reader.u8("kind")? == Self::KIND_BYTE, reader, "kind", Fault::Value)?;
        let (channel, party_a, party_b) = read_names(reader)?;
        let state = |reader: &mut Reader<'_>| {
            let body = ChannelBody {
                channel,
                party_a,
                party_b,
                balance_a: reader.u64_le("balance_a")?,
                balance_b: reader.u64_le("balance_b")?,
                sequence: reader.u64_le("sequence")?,
            };
            Ok(ChannelState {
                body,
                sig_a: read_signature(reader, "sig_a")?,
                sig_b: read_signature(reader, "sig_b")?,
            })
        };
        let first = state(reader)?;
        require(first.body.sequence == 0, reader, "sequence", Fault::Value)?;
        Ok(Self { first, last: state(reader)? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(Self::KIND_BYTE)?;
        let ChannelBody { channel, party_a, party_b, .. } = self.first.body;
        write_names(out, channel, party_a, party_b)?;
        for ChannelState { body, sig_a, sig_b } in [&self.first, &self.last] {
            for figure in [body.balance_a, body.balance_b, body.sequence] {
                out.u64_le(figure)?;
            }
            out.put(&sig_a.0)?;
            out.put(&sig_b.0)?;
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for Course {
    const KIND: MessageKind = MessageKind::ORDER;
}
