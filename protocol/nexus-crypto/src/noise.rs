//! The cryptographic half of neighbour links: `Noise_XX_25519_ChaChaPoly_BLAKE2b` makes a link, and
//! `Noise_NN_25519_ChaChaPoly_BLAKE2b` inside it replaces its keys.
//!
//! ```text
//! initiator                                responder
//! AwaitingReply::begin     ── first, 32 ─▶ AwaitingFinish::reply
//! AwaitingReply::read      ◀─ reply, 104 ─
//! AwaitingVerdict::accept  ── finish, 70 ▶ AwaitingFinish::finish
//!
//! AwaitingRekeyAck::offer  ── offer, 32 ─▶ answer_rekey
//! AwaitingRekeyAck::finish ◀─── ack, 48 ──
//! ```
//!
//! A state is a type named after what it awaits, and a step consumes it. What it refuses it survives: [`Refused`] gives
//! the state back, and the genuine message still completes it, so that whoever can inject a forged message cannot end a
//! handshake. `snow` runs the patterns over this crate's own X25519 and AEAD; messages are arrays, so that a wrong length
//! cannot be expressed. Source: spec/crypto.md#noise.

mod link;
mod primitives;
mod rekey;
mod state;
#[cfg(test)]
mod tests;

pub use link::{AwaitingFinish, AwaitingReply, AwaitingVerdict, Finished};
pub use rekey::{AwaitingRekeyAck, answer_rekey};

use thiserror::Error;

use crate::aead::AeadKey;
use crate::exchange::NoAgreement;
use crate::fixed_bytes;

/// How long Noise's part of a link's message 2 is, in bytes: e, the encrypted s, the encrypted payload.
pub const REPLY_LEN: usize = 32 + (32 + 16) + (REPLY_PAYLOAD_LEN + 16);
/// How long Noise's part of a link's message 3 is, in bytes: the encrypted s, the encrypted payload.
pub const FINISH_LEN: usize = (32 + 16) + (FINISH_PAYLOAD_LEN + 16);
/// How long the responder's payload is, in bytes. Its layout is the wire's: spec/wire.md#links.
pub const REPLY_PAYLOAD_LEN: usize = 8;
/// How long the initiator's payload is, in bytes.
pub const FINISH_PAYLOAD_LEN: usize = 6;
/// How long Noise's part of a rekey's answer is, in bytes: e, the tag of an empty payload.
pub const REKEY_ACK_LEN: usize = 32 + 16;

fixed_bytes! {
    /// The first 32 bytes of a handshake's hash: equal on both sides, and on no two handshakes. Public. A signature over
    /// it belongs to that handshake alone, and the prologue of a rekey carries it.
    ChannelBinding, 32
}

/// What a completed handshake leaves. The keys erase themselves.
#[derive(Debug)]
pub struct Established {
    /// Seals what this side sends: the other's [`receive`](Self::receive).
    pub send: AeadKey,
    /// Opens what the other side sends.
    pub receive: AeadKey,
    /// The handshake's name, for signatures and for the rekey that follows.
    pub channel_binding: ChannelBinding,
}

/// Why a handshake message was refused. It is the sender's doing, or that of whoever changed it on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A tag does not verify: the message was changed, or answers another handshake or prologue.
    #[error("the handshake message is not authentic")]
    NotAuthentic,
    /// One of the peer's keys is of small order.
    #[error(transparent)]
    NoAgreement(#[from] NoAgreement),
    /// The peer's static key is this node's: its own message came back to it.
    #[error("the peer's static key is this node's own")]
    OwnStatic,
    /// The peer's ephemeral key is this side's: its own message came back to it, or the two share their randomness.
    #[error("the peer's ephemeral key is this side's own")]
    OwnEphemeral,
}

/// A message was refused, and the handshake still awaits the genuine one.
#[derive(Debug, Error)]
#[error("{why}")]
pub struct Refused<State> {
    /// What was wrong with the message.
    pub why: Refusal,
    /// The state before the message. It may have to be made again before it reads: see its `is_spent`.
    pub state: State,
}
