//! What the channel of a link is told, and what it wants.

use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::reticulum::channel::{End, Packing};

use crate::resource::Compression;
use crate::{Bytes, Handle};

/// What a channel calls a message that it sends, however often it says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u64);

/// What the channel of a link is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The link's round trip was measured again.
    RoundTrip(Duration),
    /// A packet of the context of channels came, opened. It is proved if [`Effect::Prove`] follows, and not otherwise.
    Heard(Vec<u8>),
    /// A packet that carried this message was proved.
    Proved(Number),
    /// Whoever uses the link wants something.
    Command(Command),
    /// Answers [`Effect::Pack`]: compressed, or as it was if that is not longer.
    Packed(Packing, Bytes),
    /// Answers [`Effect::Unpack`]; none if it is not of that form, or longer.
    Unpacked(Option<Bytes>),
}

/// What whoever uses the link wants. Both are answered by [`Event::Sent`] or [`Event::NotSent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send a message.
    Send(Handle, Message),
    /// Send bytes of a stream.
    Write(Handle, Write),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is: the two ends agreed on it. Kinds from F000 on are Reticulum's own.
    pub kind: u16,
    /// What it says.
    pub data: Bytes,
}

/// Bytes of a stream that are to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which stream, below 2¹⁴.
    pub stream: u16,
    /// The bytes.
    pub data: Bytes,
    /// Whether more follow.
    pub end: End,
    /// Whether compressing them is worth trying.
    pub compression: Compression,
}

/// What the channel of a link wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this on the link under the context of channels, as a token of its key, and tell of the proof of any packet that carried it.
    Say(Number, Vec<u8>),
    /// Prove the packet that was heard last.
    Prove,
    /// Compress these with bzip2.
    Pack(Bytes),
    /// Decompress these, to at most so many bytes: what would be longer is given up.
    Unpack(Bytes, u32),
    /// End the link: the channel cannot go on, and does not.
    TearDown(Failure),
    /// Tell whoever uses the link.
    Event(Event),
}

/// What whoever uses the link is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other end has what was sent.
    Sent(Handle),
    /// It was not taken to be sent.
    NotSent(Handle, Refusal),
    /// The next message came.
    Message(Message),
    /// The next bytes of a stream came.
    Stream {
        /// Which.
        stream: u16,
        /// The bytes.
        data: Bytes,
        /// Whether more follow.
        end: End,
    },
}

/// Why something is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As much waits as may.
    Busy,
    /// It does not fit a packet.
    TooLong,
    /// There is no such kind of message, or no such stream.
    Reserved,
    /// The channel has ended.
    Ended,
}

/// Why a channel cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The other end proves nothing.
    Silent,
    /// What came cannot be decompressed.
    Corrupt,
}
