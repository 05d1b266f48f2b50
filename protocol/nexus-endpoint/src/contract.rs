//! What the endpoint is told, and what it wants.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Write};

/// Bytes that are never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
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
}

/// What whoever uses the endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Have a destination from here on, and announce it. Answered by [`Event::Serving`] once its announce may leave, or
    /// [`Event::NotServing`].
    Serve(Service),
    /// Announce a destination of this endpoint again.
    Announce(DestinationHash),
    /// Have it no more.
    Withdraw(DestinationHash),
    /// Send bytes to a destination outside of links. Answered by [`Event::Delivered`] or [`Event::Failed`].
    Send {
        /// Repeated in the answer.
        handle: u64,
        /// Where to.
        to: DestinationHash,
        /// What.
        plaintext: Bytes,
    },
}

/// A destination to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its full name: `app.aspect`.
    pub name: String,
    /// What is announced with it.
    pub app_data: Vec<u8>,
}

/// What the endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Fresh entropy: a key is about to be made, or was.
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
    /// No more destinations may be had, or its announce would be too long.
    NotServing {
        /// Its name.
        name: String,
    },
    /// Bytes came for a destination outside of links; that was proved.
    Received {
        /// Which.
        destination: DestinationHash,
        /// What.
        plaintext: Bytes,
    },
    /// The other end has what was sent.
    Delivered {
        /// The command's.
        handle: u64,
        /// How long the proof took.
        after: Duration,
    },
    /// Something did not succeed.
    Failed {
        /// The command's.
        handle: u64,
        /// Why.
        why: Failure,
    },
}

/// Why something did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody knows a way to the destination.
    NoPath,
    /// No answer came in time.
    NoAnswer,
    /// It is longer than may be sent so.
    TooLong,
    /// As much is under way as may be.
    Busy,
}
