//! What the resources of a link are told, and what they want.

use alloc::vec::Vec;

use crate::{Bytes, Handle};
use nexus_machine::Duration;
use nexus_wire::reticulum::Context;
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::resource::RequestId;

/// What a receiver calls a resource: counted by the machine, never twice the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival(pub u64);

/// What the resources of a link are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The link's round trip was measured again.
    RoundTrip(Duration),
    /// A packet of a resource's context came, opened by the link but for [`Context::RESOURCE`] and [`Context::RESOURCE_PROOF`], which are clear.
    Heard(Context, Vec<u8>),
    /// Whoever uses the link wants something.
    Command(Command),
    /// Answers [`Effect::Read`]; none if it cannot be read.
    Read(Handle, Option<Bytes>),
    /// Answers [`Effect::Pack`]: compressed, or as it was if that is not longer.
    Packed(Handle, Packing, Bytes),
    /// Answers [`Effect::Seal`].
    Sealed(Handle, Vec<u8>),
    /// Answers [`Effect::Open`]; none if it is not of the link's key.
    Opened(Arrival, Option<Bytes>),
    /// Answers [`Effect::Unpack`]; none if it is not of that form, or longer.
    Unpacked(Arrival, Option<Bytes>),
}

/// What whoever uses the link wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send this. Answered by [`Event::Sent`] or [`Event::NotSent`].
    Offer(Handle, Offer),
    /// Send it no further.
    Cancel(Handle),
    /// Take what [`Event::Offered`] told of.
    Accept(Arrival),
    /// Do not take it, or no more of it.
    Refuse(Arrival),
    /// What [`Event::Segment`] brought is kept: its sender is told, and may go on.
    Kept(Arrival),
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How long its data is, in bytes.
    pub len: u64,
    /// A value of `MessagePack` that comes before the data.
    pub metadata: Option<Vec<u8>>,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether compressing it is worth trying.
    pub compression: Compression,
}

/// What a resource is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever the two ends agreed on.
    Data,
    /// It is a request.
    Request(RequestId),
    /// It answers a request.
    Response(RequestId),
}

/// Whether data may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Where it makes a segment shorter.
    Tried,
    /// It would not.
    None,
}

/// What the resources of a link want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this on the link.
    Say(Context, Form, Vec<u8>),
    /// Give these bytes of the data of a resource: so many, from there on.
    Read(Handle, u64, u32),
    /// Compress these with bzip2.
    Pack(Handle, Bytes),
    /// Make a token of the link's key of these.
    Seal(Handle, Bytes),
    /// Open a token of the link's key.
    Open(Arrival, Vec<u8>),
    /// Decompress these, to at most so many bytes: what would be longer is given up.
    Unpack(Arrival, Bytes, u32),
    /// Tell whoever uses the link.
    Event(Event),
}

/// How something is said on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a token of the link's key.
    Sealed,
    /// As it is.
    Clear,
    /// As it is, in a packet that is a proof.
    Proof,
}

/// What whoever uses the link is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other end has all of it.
    Sent(Handle),
    /// It has not, and will not.
    NotSent(Handle, Failure),
    /// Something is offered: to be answered by [`Command::Accept`] or [`Command::Refuse`] within [`super::DECISION`].
    Offered(Arrival, Offered),
    /// The next segment came. The one after it comes once this is kept, [`Command::Kept`].
    Segment(Arrival, Segment),
    /// All of it came, and is kept.
    Arrived(Arrival),
    /// No more of it will come.
    NotArrived(Arrival, Failure),
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// How long it is, in bytes, metadata included, as its sender says.
    pub len: u64,
    /// In how many segments it comes.
    pub segments: u64,
    /// What it is for.
    pub purpose: Purpose,
}

/// A piece of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which, from 1.
    pub number: u64,
    /// A value of `MessagePack` that comes before the data, in the first segment if at all. Nobody looked at it.
    pub metadata: Option<Bytes>,
    /// The data that follows on those of the segments before.
    pub data: Bytes,
}

/// Why a resource was not transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// As many wait as may.
    Busy,
    /// It is longer than a resource may be, or its metadata are.
    TooLong,
    /// Its data could not be read.
    Unreadable,
    /// The other end does not want it.
    Refused,
    /// The other end gave up.
    Cancelled,
    /// The other end is silent.
    Silent,
    /// What came is not what was announced.
    Corrupt,
    /// Whoever uses the link wanted no more of it.
    Stopped,
    /// The link is no more.
    NoLink,
}
