//! What the endpoint is told, and what it wants.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nexus_crypto::{DestinationHash, IdentityPublic};
use nexus_machine::{Duration, Write};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::resource::{PathHash, RequestId};

use crate::channel;
use crate::links::Measures;
use crate::resource::{self, Arrival};

/// Bytes that are never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What whoever uses the endpoint calls something that it wants, to know its answer by. It should not be given twice at a time: hosts count
/// from 0, and those with the highest bit belong to whatever else within a node uses the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

impl Handle {
    /// Handles from here on are those of [crossings](crate::crossings), below them those of [LXMF](crate::lxmf): hosts use lower ones.
    pub const OWN: u64 = 0b11 << 62;

    /// Whether it is a crossing's.
    #[must_use]
    pub const fn is_own(self) -> bool {
        self.0 >= Self::OWN
    }
}

/// What the endpoint is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
    /// A packet came, as a medium in clear carries it.
    Packet(Vec<u8>),
    /// Whoever uses the endpoint wants something.
    Command(Command),
    /// The answer to [`Effect::Recall`].
    Recalled {
        /// Whose.
        destination: DestinationHash,
        /// Its newest announce, a packet as its originator spoke it; none if none is kept.
        announce: Option<Vec<u8>>,
    },
}

/// What whoever uses the endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Have a destination from here on, and announce it; one that is had already gets these app data. Answered by [`Event::Serving`]
    /// once its announce leaves, or [`Event::NotServing`].
    Serve(Service),
    /// Announce a destination of this endpoint again.
    Announce(DestinationHash),
    /// Have it no more. Its ratchets are kept for when it is served again.
    Withdraw(DestinationHash),
    /// Find out who is behind a destination: asked for if it was not heard of late. Answered by [`Event::Found`] or [`Event::Failed`].
    Find {
        /// Repeated in the answer.
        handle: Handle,
        /// Whose.
        destination: DestinationHash,
    },
    /// Send bytes to a destination outside of links. Answered by [`Event::Delivered`] or [`Event::Failed`].
    Send {
        /// Repeated in the answer.
        handle: Handle,
        /// Where to.
        to: DestinationHash,
        /// What: at most [`SINGLE_MAX`](crate::SINGLE_MAX) bytes.
        plaintext: Bytes,
    },
    /// Encrypt bytes as a packet to a destination is, and send nothing: for whoever keeps them until it comes for them. It has to be known from
    /// [`Command::Find`]. Answered by [`Event::Sealed`] or [`Event::Failed`].
    Seal {
        /// Repeated in the answer.
        handle: Handle,
        /// To whom.
        to: DestinationHash,
        /// What.
        plaintext: Bytes,
    },
    /// Open what was encrypted so to a destination of this endpoint. Answered by [`Event::Unsealed`].
    Unseal {
        /// Repeated in the answer.
        handle: Handle,
        /// Which.
        destination: DestinationHash,
        /// What.
        sealed: Bytes,
    },
    /// Ask a destination for a link. Answered by [`Event::LinkUp`] or [`Event::Failed`].
    Open {
        /// Repeated in the answer.
        handle: Handle,
        /// Whom.
        to: DestinationHash,
    },
    /// Say something on a link. Answered by [`Event::Delivered`] or [`Event::Failed`]: there are programs that take data and prove nothing.
    Say {
        /// Repeated in the answer.
        handle: Handle,
        /// Which.
        link: LinkId,
        /// What: as much as its [`Measures`] allow.
        plaintext: Bytes,
    },
    /// Tell the responder of a link who this endpoint is. Nothing happens on one that was asked for by the other end.
    Identify {
        /// Which.
        link: LinkId,
    },
    /// Ask something on a link. Answered by [`Event::Responded`] or [`Event::Failed`].
    Request {
        /// Repeated in the answer.
        handle: Handle,
        /// Which.
        link: LinkId,
        /// What.
        question: Question,
    },
    /// Answer what was asked on a link. [`Event::Failed`] if that cannot be said; nothing tells that it arrived.
    Respond {
        /// Repeated in that.
        handle: Handle,
        /// Which.
        link: LinkId,
        /// What is answered.
        request: RequestId,
        /// The answer, one value of `MessagePack`.
        data: Bytes,
    },
    /// Take links to a destination that another part of the node has and announces.
    Attend(DestinationHash),
    /// Say what nobody proves, under the context of [NEXUS's messages](nexus_wire::reticulum::Context::NEXUS).
    Carry {
        /// On which link.
        link: LinkId,
        /// What: as much as its [`Measures`] allow.
        plaintext: Bytes,
    },
    /// What whoever uses a link wants of the resources on it. Offers are answered by [`Event::Transfer`].
    Transfer {
        /// Which.
        link: LinkId,
        /// What is wanted.
        command: resource::Command,
    },
    /// Listen to the channel of a link. What comes for one that nobody opened is not proved, and comes again.
    OpenChannel {
        /// Which link's.
        link: LinkId,
    },
    /// Send something in an open channel. Answered by [`Event::Channel`].
    Channel {
        /// Which link's.
        link: LinkId,
        /// What.
        command: channel::Command,
    },
    /// Answers [`Event::Needed`].
    Supply {
        /// Which link's.
        link: LinkId,
        /// What was needed.
        supply: Supply,
    },
    /// End a link: followed by [`Event::LinkDown`].
    Close {
        /// Which.
        link: LinkId,
    },
}

/// What transfers of a link needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Data of what is offered; none if it cannot be read.
    Read(Handle, Option<Bytes>),
    /// Compressed, or as it was if that is no shorter.
    Packed(Handle, Packing, Bytes),
    /// Decompressed; none if it is not of that form, or longer.
    Unpacked(Arrival, Option<Bytes>),
    /// The bytes of a stream, compressed, or as they were if that is no shorter.
    PackedPiece(Packing, Bytes),
    /// The bytes of a stream, decompressed; none if they are not of that form, or longer.
    UnpackedPiece(Option<Bytes>),
}

/// What transfers of a link need of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// So many bytes of what is offered, from there on.
    Read(Handle, u64, u32),
    /// These, compressed with bzip2.
    Pack(Handle, Bytes),
    /// These, decompressed, to at most so many bytes: beyond that no work is done.
    Unpack(Arrival, Bytes, u32),
    /// These bytes of a stream, compressed with bzip2.
    PackPiece(Bytes),
    /// These bytes of a stream, decompressed, to at most so many.
    UnpackPiece(Bytes, u32),
}

/// What is asked on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The path that is asked for, such as `/page/index.mu`.
    pub path: String,
    /// What goes with it, one value of `MessagePack`.
    pub data: Bytes,
    /// How long the response is waited for.
    pub within: Duration,
}

/// A destination to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its full name: `app.aspect`. At most 128 bytes.
    pub name: String,
    /// What is announced with it: at most 285 bytes.
    pub app_data: Vec<u8>,
    /// When it is announced again.
    pub announcing: Announcing,
    /// Whether links to it are taken.
    pub accepting: Accepting,
}

/// Whether a destination takes links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// It does.
    Links,
    /// Packets alone.
    Packets,
}

/// When a destination is announced again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcing {
    /// Every hour, which is as often as stock relays carry the announces of a destination on without end.
    Hourly,
    /// When somebody says so, or asks for a path to it that nobody knows.
    WhenAsked,
}

/// What the endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Fresh entropy: a key that lasts was made.
    EntropyWanted,
    /// Make these writes durable together, then say [`Input::Durable`].
    Write {
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// Send this packet.
    Transmit(Vec<u8>),
    /// Nobody answers who knows a way to this destination. Is an announce of it kept from when there was one? Answered by
    /// [`Input::Recalled`].
    Recall(DestinationHash),
    /// Tell whoever uses the endpoint.
    Event(Box<Event>),
}

/// What whoever uses the endpoint is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A destination is announced.
    Serving {
        /// Its name, as the command gave it.
        name: String,
        /// Its address.
        destination: DestinationHash,
    },
    /// A destination cannot be had.
    NotServing {
        /// Its name.
        name: String,
        /// Why.
        why: NotServed,
    },
    /// Who is behind a destination.
    Found {
        /// The command's.
        handle: Handle,
        /// What it is.
        peer: Found,
    },
    /// Bytes came for a destination of this endpoint outside of links; that they did was proved.
    Received {
        /// Which.
        destination: DestinationHash,
        /// What.
        plaintext: Bytes,
    },
    /// What was to be encrypted.
    Sealed {
        /// The command's.
        handle: Handle,
        /// It.
        sealed: Bytes,
    },
    /// What was to be opened; none if it cannot be, or not at this time: opening with older ratchets is rationed.
    Unsealed {
        /// The command's.
        handle: Handle,
        /// It.
        plaintext: Option<Bytes>,
    },
    /// The other end proved that it has what was sent.
    Delivered {
        /// The command's.
        handle: Handle,
        /// How long the proof took.
        after: Duration,
    },
    /// A link is up.
    LinkUp {
        /// The command's, if it was asked for here.
        handle: Option<Handle>,
        /// The link.
        up: Up,
    },
    /// A link that was up is no more. What waited for anything on it failed before.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        why: Down,
    },
    /// The other end of a link said something, which was proved.
    Said {
        /// Which.
        link: LinkId,
        /// What.
        plaintext: Bytes,
    },
    /// The other end of a link said what is carried, and not proved.
    Carried {
        /// Which.
        link: LinkId,
        /// What.
        plaintext: Bytes,
    },
    /// The initiator of a link said who it is.
    Identified {
        /// Which.
        link: LinkId,
        /// Who.
        identity: IdentityPublic,
    },
    /// The other end of a link asks something, to be answered by [`Command::Respond`].
    Requested(Asked),
    /// What becomes of resources on a link. Of those that are requests and responses nothing is told but that they came or failed.
    Transfer {
        /// Which.
        link: LinkId,
        /// What.
        event: resource::Event,
    },
    /// What happens in the channel of a link.
    Channel {
        /// Which link's.
        link: LinkId,
        /// What.
        event: channel::Event,
    },
    /// Something is needed for a resource or a channel on a link, to be answered by [`Command::Supply`].
    Needed {
        /// Which.
        link: LinkId,
        /// What.
        need: Need,
    },
    /// What was asked on a link is answered.
    Responded {
        /// The command's.
        handle: Handle,
        /// The answer, one value of `MessagePack`.
        data: Bytes,
    },
    /// Something did not succeed.
    Failed {
        /// The command's.
        handle: Handle,
        /// Why.
        why: Failure,
    },
}

/// A link that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Up {
    /// Its id.
    pub link: LinkId,
    /// The destination that was asked for it.
    pub destination: DestinationHash,
    /// Which end this one is.
    pub side: Side,
    /// What it is like.
    pub measures: Measures,
}

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that asked for it.
    Initiator,
    /// The one that was asked.
    Responder,
}

/// Why a link is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// It was closed here.
    Here,
    /// The other end closed it.
    There,
    /// Nothing came from the other end for too long.
    Silent,
    /// Its channel could not go on.
    Channel,
}

/// What the other end of a link asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which link.
    pub link: LinkId,
    /// What names it in the response.
    pub request: RequestId,
    /// The destination whose link it is.
    pub destination: DestinationHash,
    /// The path that is asked for.
    pub path: PathHash,
    /// What goes with it, one value of `MessagePack`.
    pub data: Bytes,
}

/// What an announce said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The address.
    pub destination: DestinationHash,
    /// Whose it is.
    pub identity: IdentityPublic,
    /// How many hops away it was.
    pub hops: u8,
    /// The application's own.
    pub app_data: Vec<u8>,
}

/// Why a destination cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotServed {
    /// As many are had as may be.
    TooMany,
    /// Its name or its app data are longer than they may be.
    TooLong,
}

/// Why something did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered who knows a way to the destination.
    NoPath,
    /// No answer came in time.
    NoAnswer,
    /// It is longer than may be sent so.
    TooLong,
    /// As much is under way as may be.
    Busy,
    /// The destination is one of this endpoint's own.
    Own,
    /// What the destination announced is no key to which anything can be encrypted.
    BadKey,
    /// There is no such link, or there was and it is no more.
    NoLink,
    /// The other end did not take it, or not all of it.
    NotTaken(resource::Failure),
}
