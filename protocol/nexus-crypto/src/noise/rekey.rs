//! NN: the two messages, inside a link, that replace its keys. The link authenticates them, and the prologue names the
//! handshake that made the key which they replace.

use nexus_machine::Stream;

use super::primitives::Ephemeral;
use super::state::{Handshake, Offer, Pattern, Role};
use super::{Established, REKEY_ACK_LEN, Refusal, Refused};
use crate::exchange::EphemeralPublic;
use crate::secret::hidden;

/// A side that has offered to replace the keys.
pub struct AwaitingRekeyAck(Offer);

impl AwaitingRekeyAck {
    /// Draws an ephemeral key, 32 bytes, to be offered. The stream must have been refreshed with the host's entropy. The
    /// prologue carries the [`ChannelBinding`](super::ChannelBinding) of the handshake that made the current key.
    #[must_use]
    pub fn offer(prologue: &[u8], random: &mut Stream) -> Self {
        Self(Offer::new(Pattern::Rekey, prologue, random))
    }

    /// What is offered.
    #[must_use]
    pub const fn ephemeral(&self) -> EphemeralPublic {
        self.0.public()
    }

    /// Whether an earlier message was refused, so that the next costs one multiplication of the base point more to
    /// read.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.0.is_spent()
    }

    /// Reads the answer, which completes the handshake.
    pub fn finish(mut self, ack: &[u8; REKEY_ACK_LEN]) -> Result<Established, Refused<Self>> {
        match self.0.read(Pattern::Rekey, ack, &mut []) {
            Ok(handshake) => Ok(handshake.split()),
            Err(why) => Err(Refused { why, state: self }),
        }
    }
}

/// Answers an offer; draws an ephemeral key, 32 bytes. The stream must have been refreshed with the host's entropy.
/// Answering the same offer again makes other keys: a repeated offer gets the answer that was kept.
pub fn answer_rekey(
    prologue: &[u8],
    offer: &EphemeralPublic,
    random: &mut Stream,
) -> Result<([u8; REKEY_ACK_LEN], Established), Refusal> {
    let ephemeral = Ephemeral(random.bytes());
    let mut handshake = Handshake::new(Pattern::Rekey, Role::Responder, prologue, &ephemeral);
    handshake.read(offer.as_bytes(), &mut [])?;
    let ack: [u8; REKEY_ACK_LEN] = handshake.write(&[])?;
    if ack.starts_with(offer.as_bytes()) {
        return Err(Refusal::OwnEphemeral);
    }
    Ok((ack, handshake.split()))
}

hidden!(AwaitingRekeyAck);
