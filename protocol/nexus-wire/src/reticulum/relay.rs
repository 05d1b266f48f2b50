//! What a relay may change of a packet, in the buffer in which it lies. Source: spec/reticulum.md#header-rewriting.
//!
//! None of it changes the packet's hash, except [`PacketMut::set_context`]. None of it moves the payload: a transport id
//! is taken out by moving the two bytes before it, and put in where the caller left [`HEADROOM`].

use nexus_crypto::IdentityHash;
use thiserror::Error;

use super::flags::{Flags, HeaderType};
use super::{Context, Hops, Packet, packet};
use crate::codec::DecodeError;

/// Bytes that must be free before a packet for a transport id to be inserted: its length.
pub const HEADROOM: usize = IdentityHash::LEN;
/// Flags and hops: what stands before the transport id.
const HEAD: usize = 2;

/// Why a header was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RewriteError {
    /// The bytes are not a packet.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The next receiver would refuse it.
    #[error("the packet has come as many hops as a packet may")]
    HopLimit,
    /// The header has a transport id where none may be, or none where one must be.
    #[error("the header is not of the type that this rewrite is for")]
    HeaderType,
    /// No room before the packet for a transport id.
    #[error("the buffer lacks headroom for a transport id")]
    Headroom,
}

/// A packet whose header may be rewritten. What it holds is always a valid packet.
#[derive(Debug)]
pub struct PacketMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> PacketMut<'a> {
    /// A lens over `bytes`, which must be a packet.
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, DecodeError> {
        Packet::decode(bytes).map(|_| ())?;
        Ok(Self { bytes })
    }

    /// The packet as it stands.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        self.decoded()
    }

    /// Its bytes.
    #[must_use]
    pub fn into_bytes(self) -> &'a mut [u8] {
        self.bytes
    }

    /// Counts the hop that the packet has just come. Its first rewrite, before any table is asked.
    pub fn count_hop(&mut self) -> Result<Hops, RewriteError> {
        let counted = self.packet().hops.counted().ok_or(RewriteError::HopLimit)?;
        self.set_hops(counted);
        Ok(counted)
    }

    /// Sets the hop count: a path response carries that of the path table.
    pub fn set_hops(&mut self, hops: Hops) {
        self.put(1, &[hops.get()]);
    }

    /// Names the next relay in place of this one. The packet must have a transport id.
    pub fn replace_transport(&mut self, next_hop: IdentityHash) -> Result<(), RewriteError> {
        self.require(HeaderType::Two)?;
        self.put(HEAD, next_hop.as_bytes());
        Ok(())
    }

    /// Sets the context, and with it the packet's hash: an announce is rebroadcast with [`Context::NONE`], and
    /// cached ones answer path requests with [`Context::PATH_RESPONSE`].
    pub fn set_context(&mut self, context: Context) {
        let header = match self.packet().header_type() {
            HeaderType::One => packet::HEADER_1_LEN,
            HeaderType::Two => packet::HEADER_2_LEN,
        };
        self.put(header.saturating_sub(1), &[context.0]);
    }

    /// Takes the transport id out, for the last hop: header 2 becomes header 1. The packet then starts
    /// [`HEADROOM`] bytes later in the buffer.
    pub fn strip_transport(self) -> Result<PacketMut<'a>, RewriteError> {
        self.require(HeaderType::Two)?;
        let flags = self.packet().flags().out_of_transport();
        let mut stripped = PacketMut { bytes: self.close_gap()? };
        stripped.put(0, &[flags.byte()]);
        Ok(stripped)
    }

    /// Puts the next relay's transport id in: header 1 becomes header 2. The packet lies [`HEADROOM`] bytes into
    /// `buffer`; it starts at the front of it afterwards.
    pub fn insert_transport(
        buffer: &'a mut [u8],
        next_hop: IdentityHash,
    ) -> Result<PacketMut<'a>, RewriteError> {
        let lying = Packet::decode(buffer.get(HEADROOM..).ok_or(RewriteError::Headroom)?)?;
        if lying.header_type() != HeaderType::One {
            return Err(RewriteError::HeaderType);
        }
        let flags = lying.flags().in_transport();
        let mut inserted = Self::open_gap(buffer, next_hop)?;
        inserted.put(0, &[flags.byte()]);
        Ok(inserted)
    }

    /// Leaves the transport id out, but not the flag that promises it: the form in which a NEXUS link carries a packet,
    /// whose receiver puts its own identity hash back. Not a packet, hence bytes. Source: spec/wire.md#traffic.
    pub fn omit_transport(self) -> Result<&'a mut [u8], RewriteError> {
        self.require(HeaderType::Two)?;
        self.close_gap()
    }

    /// Undoes [`PacketMut::omit_transport`]. The bytes lie [`HEADROOM`] bytes into `buffer`; the packet starts at the
    /// front of it afterwards.
    pub fn restore_transport(
        buffer: &'a mut [u8],
        receiver: IdentityHash,
    ) -> Result<PacketMut<'a>, RewriteError> {
        let flags = buffer.get(HEADROOM).ok_or(RewriteError::Headroom)?;
        if Flags::from_byte(*flags).header_type() != HeaderType::Two {
            return Err(RewriteError::HeaderType);
        }
        let restored = Self::open_gap(buffer, receiver)?;
        Ok(Self::new(restored.bytes)?)
    }

    /// Overwrites the end of the payload, which is at least as long as `tail`.
    pub(super) fn with_tail(mut self, tail: &[u8]) -> Self {
        self.put(self.bytes.len().saturating_sub(tail.len()), tail);
        self
    }

    /// Cuts `len` bytes off the payload, which is at least as long.
    pub(super) fn without_tail(self, len: usize) -> Self {
        let kept = self.bytes.len().saturating_sub(len);
        Self { bytes: self.bytes.get_mut(..kept).unwrap_or_default() }
    }

    fn decoded(&self) -> Packet<'_> {
        Packet::decode(self.bytes).expect("the lens was opened on a packet and keeps it one")
    }

    fn require(&self, header: HeaderType) -> Result<(), RewriteError> {
        if self.packet().header_type() == header { Ok(()) } else { Err(RewriteError::HeaderType) }
    }

    /// Moves flags and hops over the transport id.
    fn close_gap(self) -> Result<&'a mut [u8], RewriteError> {
        self.bytes.copy_within(..HEAD, HEADROOM);
        self.bytes.get_mut(HEADROOM..).ok_or(RewriteError::Headroom)
    }

    /// Moves flags and hops to the front of `buffer` and writes `transport` behind them.
    fn open_gap(buffer: &'a mut [u8], transport: IdentityHash) -> Result<Self, RewriteError> {
        if buffer.len() < HEADROOM.saturating_add(HEAD) {
            return Err(RewriteError::Headroom);
        }
        buffer.copy_within(HEADROOM..HEADROOM.saturating_add(HEAD), 0);
        let mut opened = Self { bytes: buffer };
        opened.put(HEAD, transport.as_bytes());
        Ok(opened)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let field = self.bytes.get_mut(at..at.saturating_add(bytes.len()));
        field.expect("the field lies within the header of a valid packet").copy_from_slice(bytes);
    }
}
