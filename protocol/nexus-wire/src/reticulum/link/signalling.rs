//! What the two ends and the relays of a link agree upon beside its keys: 24 bits, mode and MTU.

use crate::codec::{DecodeError, Fault, Reader};
use crate::reticulum::relay::{PacketMut, RewriteError};
use crate::reticulum::{MTU, link::LinkRequest};

/// How a link's packets are encrypted: three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkMode(u8);

impl LinkMode {
    /// AES-128-CBC: not enabled in stock nodes.
    pub const AES_128_CBC: Self = Self(0);
    /// AES-256-CBC: the only enabled mode, and what a request without signalling means.
    pub const AES_256_CBC: Self = Self(1);
    /// AES-256-GCM: reserved.
    pub const AES_256_GCM: Self = Self(2);
    /// One-time pad: reserved.
    pub const ONE_TIME_PAD: Self = Self(3);

    /// The mode with this number, of three bits.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 8 { Some(Self(number)) } else { None }
    }

    /// The mode's number, below 8.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The largest packet that a link carries, in bytes: 21 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkMtu(u32);

impl LinkMtu {
    /// What a request without signalling means: the base MTU.
    pub const BASE: Self = Self(500);
    /// The largest MTU that can be signalled.
    pub const MAX: Self = Self((1 << 21) - 1);

    /// `bytes`, at most [`LinkMtu::MAX`].
    #[must_use]
    pub const fn new(bytes: u32) -> Self {
        if bytes < Self::MAX.0 { Self(bytes) } else { Self::MAX }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

const _: () = assert!(MTU == 500);

/// Mode and MTU, as they stand at the end of a link request and a link proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signalling {
    /// How the link's packets are encrypted.
    pub mode: LinkMode,
    /// The largest packet it carries.
    pub mtu: LinkMtu,
}

impl Signalling {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 3;
    const MODE_SHIFT: u32 = 21;

    /// Reads three bytes; all values exist.
    #[must_use]
    pub fn from_bytes([high, middle, low]: [u8; Self::LEN]) -> Self {
        let word = u32::from_be_bytes([0, high, middle, low]);
        Self { mode: LinkMode(high >> 5), mtu: LinkMtu(word & LinkMtu::MAX.0) }
    }

    /// The three bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let word = u32::from(self.mode.number()) << Self::MODE_SHIFT | self.mtu.bytes();
        let [_, bytes @ ..] = word.to_be_bytes();
        bytes
    }

    /// Reads what may be left at the end of a message: three bytes or none.
    pub(super) fn optional(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        match reader.remaining() {
            0 => Ok(None),
            Self::LEN => reader.array("signalling").map(Self::from_bytes).map(Some),
            _ => Err(reader.error("signalling", Fault::Length)),
        }
    }
}

/// Applies a relay's limit to the signalling of the link request in `packet`, if it has one: the MTU becomes at most
/// `limit`, the smaller of what the receiving and the sending interface carry. With no limit to state, because the next
/// interface does not negotiate, the signalling is taken off, and the link falls back to [`MTU`].
///
/// The link id does not change: it does not cover the signalling. Source: spec/reticulum.md#link-mtu.
pub fn clamp_signalling(
    packet: PacketMut<'_>,
    limit: Option<LinkMtu>,
) -> Result<PacketMut<'_>, RewriteError> {
    let Some(signalling) = LinkRequest::from_packet(&packet.packet())?.signalling else { return Ok(packet) };
    match limit {
        Some(limit) => {
            let clamped = Signalling { mtu: signalling.mtu.min(limit), ..signalling };
            Ok(packet.with_tail(&clamped.to_bytes()))
        }
        None => Ok(packet.without_tail(Signalling::LEN)),
    }
}
