//! What applications say to and hear from the layer: messages, and what becomes of them.

use alloc::vec::Vec;
use core::fmt;

use nexus_crypto::single::single_length;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::Duration;
use nexus_network::{Class, PathPolicy};
use nexus_wire::nexus::end_to_end::{Envelope, Service};
use nexus_wire::nexus::path_cost::{CompactPathCost, HopCount};
use nexus_wire::reticulum::packet::HEADER_1_LEN;

use crate::envelope::{MAX_PACKET, MAX_PLAINTEXT};

/// Something to be sent to a node until its receipt came or its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Chosen by the host; repeated in everything that is said about it. One that is in use already is refused.
    pub handle: u64,
    /// To whom; of a probe the destination, which need be no node's.
    pub to: NodeId,
    /// What.
    pub content: Content,
    /// For how long it is tried. Zero: one attempt.
    pub lifetime: Duration,
    /// By what its path is chosen here; none for the node's own preference. Relays choose by its class.
    pub policy: Option<PathPolicy>,
    /// How urgent its packets are, here and at each relay; none for [`Class::Interactive`]: somebody waits for it.
    pub class: Option<Class>,
}

/// What is sent. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A probe, answered by the recipient's node.
    Ping {
        /// How many bytes longer than need be, at most [`Content::MAX_PADDING`]: zeros, which the answer does not repeat.
        padding: u16,
    },
    /// The same, answered with what the recipient's node can tell of the way there and back.
    Trace,
    /// A message for a person.
    Message {
        /// UTF-8 text, as it will be shown; at most [`Content::MAX_TEXT`] bytes.
        text: Vec<u8>,
        /// Whether it says and proves who sends it.
        authorship: Authorship,
    },
    /// Random bytes for any SINGLE destination, as Reticulum nodes encrypt to one: its proof is the answer. One attempt is made.
    /// Source: spec/reticulum.md#probes.
    Probe {
        /// How many bytes, at most [`Content::MAX_PROBE`].
        len: u16,
        /// How long the proof may take.
        patience: Duration,
    },
}

impl Content {
    /// The longest probe, in bytes: what fits the longest packet that this node originates once it is encrypted.
    pub const MAX_PROBE: u16 = 367;
    /// By how much a ping may be longer than need be, in bytes: what fits one packet beside what is repeated and who is answered.
    pub const MAX_PADDING: u16 = 382;
    /// The longest text of a message, in bytes: what fits one packet beside the sender's signature.
    pub const MAX_TEXT: usize = MAX_PLAINTEXT - Envelope::MIN_LEN - Envelope::SENDER_LEN;
}

const _: () = {
    let room = MAX_PLAINTEXT - Envelope::MIN_LEN - NodeId::LEN - 8;
    assert!(room == 382, "the documented padding is what fits a packet");
};
const _: () = assert!(Content::MAX_TEXT == 326, "the documented length of a text is what fits a packet");
const _: () = {
    const ROOM: usize = MAX_PACKET - HEADER_1_LEN;
    assert!(single_length(367) <= ROOM && single_length(368) > ROOM, "no longer probe fits a packet");
};

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping { padding } => write!(f, "Ping {{ padding: {padding} }}"),
            Self::Trace => f.write_str("Trace"),
            Self::Probe { len, patience } => write!(f, "Probe {{ len: {len}, patience: {patience:?} }}"),
            Self::Message { text, authorship } => {
                write!(f, "Message {{ text: {} bytes, authorship: {authorship:?} }}", text.len())
            }
        }
    }
}

/// Something that is said to a node once, sealed, and without a receipt: whoever says it says it again until what comes back is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// To whom.
    pub to: NodeId,
    /// For which of its services.
    pub service: Service,
    /// Whether it says where an answer goes: to this node.
    pub reply: Reply,
    /// What the service defines; at most [`Note::MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

impl Note {
    /// The longest body, in bytes: what fits one packet that names where an answer goes.
    pub const MAX_BODY: usize = MAX_PLAINTEXT - Envelope::MIN_LEN - NodeId::LEN;
}

/// Whether an answer to a note is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is: the note names this node.
    Wanted,
    /// It is not.
    Unwanted,
}

/// Whether a message says who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorship {
    /// The sender's address and signature, for the recipient's eyes only.
    Signed,
    /// Nothing.
    Anonymous,
}

/// A message that arrived. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number in the inbox: counts up, never reused.
    pub number: u64,
    /// Who sent it.
    pub sender: Sender,
    /// Unix time in seconds at its arrival; 0 without a clock.
    pub unix_s: u64,
    /// The text, UTF-8 if its sender kept to the rules.
    pub text: Vec<u8>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, sender, unix_s, text } = self;
        let len = text.len();
        write!(f, "Message {{ number: {number}, sender: {sender:?}, unix_s: {unix_s}, text: {len} bytes }}")
    }
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This node: it signed.
    Verified(NodeId),
    /// It says that it is this node, whose key is not known here: its signature could not be looked at.
    Claimed(NodeId),
    /// It does not say.
    Anonymous,
    /// A peer of another protocol, at this address: it signed. Source: spec/lxmf.md#organ.
    Foreign(DestinationHash),
    /// A peer of another protocol that says that it is at this address: its signature could not be looked at.
    ForeignClaimed(DestinationHash),
}

/// A message that came by another protocol, to be kept beside the others. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Who sent it.
    pub sender: Sender,
    /// What its repetition is known by, as long as it is kept.
    pub fingerprint: [u8; 16],
    /// Its text, at most [`Foreign::MAX_TEXT`] bytes.
    pub text: Vec<u8>,
}

impl Foreign {
    /// The longest text that is kept, in bytes.
    pub const MAX_TEXT: usize = 8_448;
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign {{ sender: {:?}, text: {} bytes }}", self.sender, self.text.len())
    }
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It left towards the recipient.
    Sent,
    /// Nothing is known of a way to the recipient: its announce was not heard, or the link that it came by is down.
    NoPath,
}

/// What a trace found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Over how many links the question went, by the word of whoever answered.
    pub there: HopCount,
    /// Over how many links the answer came.
    pub back: HopCount,
    /// What whoever answered knows of its way here, by its word; none if it knew none.
    pub way_back: Option<CompactPathCost>,
    /// Unix time in milliseconds by the clock of whoever answered; none if it has none.
    pub clock_ms: Option<u64>,
}

/// Why something was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// No way to the recipient was known during its whole time.
    NoPath,
    /// It was sent `attempts` times, and no receipt came.
    NoReceipt {
        /// How often it was sent.
        attempts: u32,
    },
    /// The text is longer than [`Content::MAX_TEXT`], or the probe than [`Content::MAX_PROBE`].
    TooLong,
    /// As much as this node may have on its way is on its way already, or the handle is in use.
    Busy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn no_text_is_printed() {
        let text = Vec::from(*b"secret");
        let message = Message { number: 1, sender: Sender::Anonymous, unix_s: 2, text: text.clone() };
        let content = Content::Message { text, authorship: Authorship::Signed };
        let (to, lifetime) = (NodeId([0; 16]), Duration::ZERO);
        let outgoing = Outgoing { handle: 1, to, content, lifetime, policy: None, class: None };
        let printed = format!("{message:?} {outgoing:?}");
        assert!(printed.contains("text: 6 bytes"), "{printed}");
        assert!(!printed.contains("secret") && !printed.contains("115, 101"), "{printed}");
    }
}
