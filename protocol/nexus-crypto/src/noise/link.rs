//! XX: the three messages that make a link.

use alloc::boxed::Box;

use nexus_machine::Stream;

use super::primitives::Ephemeral;
use super::state::{Handshake, Offer, Pattern, Role};
use super::{Established, FINISH_LEN, FINISH_PAYLOAD_LEN, REPLY_LEN, REPLY_PAYLOAD_LEN, Refusal, Refused};
use crate::exchange::{EphemeralPublic, ExchangePublic};
use crate::identity::NodeIdentity;
use crate::secret::hidden;

/// An initiator that has sent message 1. Its prologue binds what message 1 says in clear.
///
/// It keeps no identity: every step is given the one that the first was given.
pub struct AwaitingReply(Offer);

impl AwaitingReply {
    /// Begins a handshake and draws its ephemeral key, 32 bytes. The stream must have been refreshed with the host's
    /// entropy. Message 1 carries [`AwaitingReply::ephemeral`].
    #[must_use]
    pub fn begin(own: &NodeIdentity, prologue: &[u8], random: &mut Stream) -> Self {
        Self(Offer::new(link(own), prologue, random))
    }

    /// The ephemeral key that message 1 carries. A first message with this key that comes to its own sender is its own,
    /// come back: this is what to compare before answering.
    #[must_use]
    pub const fn ephemeral(&self) -> EphemeralPublic {
        self.0.public()
    }

    /// Whether an earlier message was refused, so that the next costs two multiplications of the base point more to
    /// read.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.0.is_spent()
    }

    /// Reads message 2, and with it who answered and what they say.
    pub fn read(
        mut self,
        own: &NodeIdentity,
        reply: &[u8; REPLY_LEN],
    ) -> Result<AwaitingVerdict, Refused<Self>> {
        let mut payload = [0; REPLY_PAYLOAD_LEN];
        let read = self.0.read(link(own), reply, &mut payload);
        match read.and_then(|handshake| Ok((handshake.peer(&own.public().exchange())?, handshake))) {
            Ok((peer, handshake)) => Ok(AwaitingVerdict { before: self, handshake, peer, payload }),
            Err(why) => Err(Refused { why, state: self }),
        }
    }
}

/// An initiator that knows who answered and has not yet shown who it is itself: it awaits its node's word on whether it
/// wants this peer.
pub struct AwaitingVerdict {
    before: AwaitingReply,
    handshake: Handshake,
    peer: ExchangePublic,
    payload: [u8; REPLY_PAYLOAD_LEN],
}

impl AwaitingVerdict {
    /// The responder's static key, which it has proved to hold. Whether it is a node's says
    /// [`NodePublic::recover`](crate::NodePublic::recover).
    #[must_use]
    pub const fn peer(&self) -> ExchangePublic {
        self.peer
    }

    /// The responder's payload.
    #[must_use]
    pub const fn payload(&self) -> &[u8; REPLY_PAYLOAD_LEN] {
        &self.payload
    }

    /// Completes the handshake: message 3, which tells the responder who this is, and the keys.
    #[must_use = "the handshake is complete when the other side has read message 3"]
    pub fn accept(mut self, payload: &[u8; FINISH_PAYLOAD_LEN]) -> ([u8; FINISH_LEN], Established) {
        // ee was not zero, so their ephemeral key is of large order, and no clamped scalar is a multiple of such an order.
        let finish = self.handshake.write(payload).expect("se is not zero where ee is not");
        (finish, self.handshake.split())
    }

    /// Goes back to waiting: anybody who heard message 1 can answer it, so a peer that is not wanted says nothing about
    /// the one that is.
    #[must_use]
    pub fn refuse(self) -> AwaitingReply {
        self.before
    }
}

/// A responder that has sent message 2.
///
/// It keeps no identity: every step is given the one that the first was given.
pub struct AwaitingFinish {
    ephemeral: Ephemeral,
    first: EphemeralPublic,
    prologue: Box<[u8]>,
    payload: [u8; REPLY_PAYLOAD_LEN],
    handshake: Option<Handshake>,
}

impl AwaitingFinish {
    /// Answers message 1, which carried `first`, with the message 2 that is returned; draws an ephemeral key, 32 bytes.
    /// The stream must have been refreshed with the host's entropy.
    pub fn reply(
        own: &NodeIdentity,
        prologue: &[u8],
        first: &EphemeralPublic,
        payload: &[u8; REPLY_PAYLOAD_LEN],
        random: &mut Stream,
    ) -> Result<(Self, [u8; REPLY_LEN]), Refusal> {
        let mut state = Self {
            ephemeral: Ephemeral(random.bytes()),
            first: *first,
            prologue: prologue.into(),
            payload: *payload,
            handshake: None,
        };
        let (handshake, reply) = state.replied(own)?;
        if reply.starts_with(first.as_bytes()) {
            return Err(Refusal::OwnEphemeral);
        }
        state.handshake = Some(handshake);
        Ok((state, reply))
    }

    /// Whether an earlier message was refused, so that the next costs four multiplications more to read (two of them of
    /// the base point), before anything is known about it. Whoever forges messages makes the node pay that: the caller
    /// limits how often.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.handshake.is_none()
    }

    /// Reads message 3, which completes the handshake.
    pub fn finish(
        mut self,
        own: &NodeIdentity,
        finish: &[u8; FINISH_LEN],
    ) -> Result<Finished, Refused<Self>> {
        match self.completed(own, finish) {
            Ok(finished) => Ok(finished),
            Err(why) => Err(Refused { why, state: self }),
        }
    }

    fn completed(&mut self, own: &NodeIdentity, finish: &[u8; FINISH_LEN]) -> Result<Finished, Refusal> {
        let mut handshake = match self.handshake.take() {
            Some(running) => running,
            None => self.replied(own)?.0,
        };
        let mut payload = [0; FINISH_PAYLOAD_LEN];
        handshake.read(finish, &mut payload)?;
        let peer = handshake.peer(&own.public().exchange())?;
        Ok(Finished { peer, payload, established: handshake.split() })
    }

    /// The handshake after message 2, and message 2: the same whenever it is made.
    fn replied(&self, own: &NodeIdentity) -> Result<(Handshake, [u8; REPLY_LEN]), Refusal> {
        let mut handshake = Handshake::new(link(own), Role::Responder, &self.prologue, &self.ephemeral);
        handshake.read(self.first.as_bytes(), &mut [])?;
        let reply = handshake.write(&self.payload)?;
        Ok((handshake, reply))
    }
}

/// What message 3 leaves the responder with.
#[derive(Debug)]
pub struct Finished {
    /// The initiator's static key, which it has proved to hold. Whether it is a node's says
    /// [`NodePublic::recover`](crate::NodePublic::recover).
    pub peer: ExchangePublic,
    /// The initiator's payload.
    pub payload: [u8; FINISH_PAYLOAD_LEN],
    /// The keys.
    pub established: Established,
}

const fn link(own: &NodeIdentity) -> Pattern<'_> {
    Pattern::Link(own.as_reticulum().exchange())
}

hidden!(AwaitingReply, AwaitingVerdict, AwaitingFinish);
