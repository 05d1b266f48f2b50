//! What the organ is told, and what it wants.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_wire::reticulum::lxmf::MessageId;

use crate::contract::{Command as Wish, Event};

/// The longest title and content of a message that is sent or kept, in bytes together.
pub const TEXT_MAX: usize = 8_192;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// What whoever uses it wants.
    Command(Command),
    /// What the endpoint tells, if it is [claimed](super::Lxmf::claim).
    Endpoint(Event),
}

/// What whoever uses it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take messages from here on, and announce that.
    Serve(Presence),
    /// Send a message. Answered by [`Effect::Delivered`] or [`Effect::Undelivered`].
    Send(Outgoing),
}

/// How the own address is announced.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Presence {
    /// How its owner wants to be called: at most 128 bytes.
    pub name: Option<String>,
    /// The cost of a stamp without which messages are dropped.
    pub stamp_cost: Option<u8>,
    /// The propagation node that takes what nobody proves, and keeps what comes while this node is away. It is not announced.
    pub node: Option<DestinationHash>,
}

impl Presence {
    /// The longest name, in bytes.
    pub const NAME_MAX: usize = 128;
}

/// A message to be sent until it is proved or its time is over. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Repeated in whatever is said of it.
    pub handle: u64,
    /// To whom.
    pub to: DestinationHash,
    /// Its title, mostly empty.
    pub title: Vec<u8>,
    /// Its text: with the title at most [`TEXT_MAX`] bytes.
    pub content: Vec<u8>,
    /// For how long it is tried. Zero: one attempt.
    pub lifetime: Duration,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handle, to, title, content, lifetime } = self;
        let len = title.len().saturating_add(content.len());
        write!(f, "Outgoing {{ handle: {handle}, to: {to}, text: {len} bytes, lifetime: {lifetime:?} }}")
    }
}

/// A message that came. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// What names it.
    pub id: MessageId,
    /// The address of whoever sent it.
    pub source: DestinationHash,
    /// Whether its signature was looked at: if not, no announce of the source could be had.
    pub signature: Signed,
    /// Its title, mostly empty and mostly UTF-8.
    pub title: Vec<u8>,
    /// Its text, mostly UTF-8.
    pub content: Vec<u8>,
}

/// Whether a message's source is who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It signed.
    Verified,
    /// Its key is not known.
    Claimed,
}

impl Letter {
    /// What there is to read: the title on a line of its own, if there is one.
    #[must_use]
    pub fn into_text(self) -> Vec<u8> {
        let Self { mut title, content, .. } = self;
        if title.is_empty() {
            return content;
        }
        title.push(b'\n');
        title.extend_from_slice(&content);
        title
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, source, signature, title, content } = self;
        let len = title.len().saturating_add(content.len());
        write!(f, "Letter {{ source: {source}, signature: {signature:?}, text: {len} bytes }}")
    }
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this to the endpoint.
    Endpoint(Wish),
    /// A message came.
    Arrived(Letter),
    /// A message was proved, by its recipient or by the propagation node.
    Delivered {
        /// The outgoing's.
        handle: u64,
        /// By which way.
        way: Way,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was proved to the proof.
        after: Duration,
    },
    /// Its time is over, or it cannot be sent at all.
    Undelivered {
        /// The outgoing's.
        handle: u64,
        /// Why.
        why: Undelivered,
    },
}

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a packet outside of links.
    Packet,
    /// On a link.
    Link,
    /// It is kept at the propagation node.
    Node,
}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// Nobody knows a way to the address.
    NoPath,
    /// It was sent, and no proof came.
    NoProof {
        /// How often.
        attempts: u32,
    },
    /// It is longer than may be sent, or than a link to its recipient carries.
    TooLong,
    /// As much is on its way as may be.
    Busy,
    /// Whoever is there announced no key that anything can be encrypted to.
    BadKey,
    /// The address is this node's own.
    Own,
}

/// What came and was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals {
    /// No message, or for another.
    pub malformed: u64,
    /// It came before.
    pub repeated: u64,
    /// Its signature is not its source's.
    pub forged: u64,
    /// Without the stamp that is asked for.
    pub unstamped: u64,
    /// As many were looked at as may be.
    pub busy: u64,
    /// Longer than is kept.
    pub too_long: u64,
}
