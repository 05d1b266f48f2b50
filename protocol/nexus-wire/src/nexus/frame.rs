//! Link frames: what stands on the medium before anything is decrypted. Source: spec/wire.md#frames.
//!
//! Every frame begins with a head byte `1vvvkkkk`. Bit 7 makes stock Reticulum nodes drop it; version and kind are
//! newtypes, so that a frame from a later version is recognised, counted and left alone ([`OtherFrame`]).

use core::num::NonZero;

use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// The head byte of a NEXUS frame: `1vvvkkkk`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head(u8);

impl Head {
    const NEXUS: u8 = 0x80;

    /// The head of a frame of this `version` (three bits) and `kind` (four bits).
    #[must_use]
    pub const fn new(version: LinkVersion, kind: FrameKind) -> Self {
        Self(Self::NEXUS | (version.0 & 7) << 4 | kind.0 & 15)
    }

    /// The head written as `byte`; none if bit 7 is clear, which makes it a frame of stock Reticulum.
    #[must_use]
    pub const fn from_wire(byte: u8) -> Option<Self> {
        if byte & Self::NEXUS == 0 { None } else { Some(Self(byte)) }
    }

    /// How it is written.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self.0
    }

    /// The version of the link protocol.
    #[must_use]
    pub const fn version(self) -> LinkVersion {
        LinkVersion(self.0 >> 4 & 7)
    }

    /// What kind of frame it is, in that version.
    #[must_use]
    pub const fn kind(self) -> FrameKind {
        FrameKind(self.0 & 15)
    }

    fn read(reader: &mut Reader<'_>, kind: FrameKind) -> Result<(), DecodeError> {
        let head = Self::from_wire(reader.u8("head")?).ok_or(reader.error("head", Fault::Value))?;
        require(head.version() == LinkVersion::ONE, reader, "head", Fault::Version)?;
        require(head.kind() == kind, reader, "head", Fault::Value)
    }

    fn write(out: &mut Writer<'_>, kind: FrameKind) -> Result<(), EncodeError> {
        out.u8(Self::new(LinkVersion::ONE, kind).0)
    }
}

/// A version of the link protocol, 0 to 7. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkVersion(pub u8);

impl LinkVersion {
    /// The version described in spec/wire.md.
    pub const ONE: Self = Self(1);
}

/// What kind of frame it is, 0 to 15. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKind(pub u8);

impl FrameKind {
    /// Handshake message 1.
    pub const FIRST: Self = Self(1);
    /// Handshake message 2.
    pub const REPLY: Self = Self(2);
    /// Handshake message 3.
    pub const FINISH: Self = Self(3);
    /// Messages under a link's key.
    pub const SEALED: Self = Self(4);
    /// Messages under a broadcast key.
    pub const BROADCAST: Self = Self(5);
    /// A responder under load asks for proof of the address.
    pub const COOKIE: Self = Self(6);
    /// Somebody is here.
    pub const BEACON: Self = Self(7);
}

/// Under which session its owner receives, chosen by the owner: random, never zero, unique per interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(NonZero<u16>);

impl SessionId {
    /// The session with this number, unless it is zero.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        NonZero::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// Reads one; zero is refused.
    pub fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        Self::new(reader.u16_le(field)?).ok_or(reader.error(field, Fault::Value))
    }
}

/// The name of a broadcast key on one interface. Names may collide: receivers hold several candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BroadcastKeyId(pub u16);

/// What a node calls itself in its beacons: random, renewed with its broadcast key. Zero means nobody in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BeaconTag(pub u32);

impl BeaconTag {
    /// Whoever hears it: only on media with one peer, or with an address.
    pub const ANYBODY: Self = Self(0);
}

/// How many bytes of a sealed or broadcast frame stand before its ciphertext. They are its associated data, and of
/// message 1 they enter the prologue.
pub const HEADER_LEN: usize = 7;
/// The length of a Poly1305 tag, in bytes.
pub const TAG_LEN: usize = 16;
/// How many bytes a sealed or broadcast frame is longer than its plaintext.
pub const SEALED_OVERHEAD: usize = HEADER_LEN + TAG_LEN;

/// Kind 1, handshake message 1: 39 bytes, or 55 with a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First<'a> {
    /// Where the initiator will receive.
    pub session: SessionId,
    /// The beacon tag of the peer that is meant.
    pub target: BeaconTag,
    /// The initiator's ephemeral X25519 key: Noise's `e`.
    pub ephemeral: &'a [u8; 32],
    /// The responder's cookie, if it asked for one.
    pub cookie: Option<&'a [u8; 16]>,
}

impl First<'_> {
    /// Its length without a cookie, in bytes. Message 2 is cached by the hash of these.
    pub const LEN: usize = 1 + 2 + 4 + 32;
    /// Its length with a cookie, in bytes.
    pub const LEN_WITH_COOKIE: usize = Self::LEN + 16;
}

impl<'a> Layout<'a> for First<'a> {
    const NAME: &'static str = "first";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Head::read(reader, FrameKind::FIRST)?;
        Ok(Self {
            session: SessionId::read(reader, "session")?,
            target: BeaconTag(reader.u32_le("target")?),
            ephemeral: reader.array_ref("e")?,
            cookie: if reader.remaining() == 0 { None } else { Some(reader.array_ref("cookie")?) },
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        Head::write(out, FrameKind::FIRST)?;
        out.u16_le(self.session.get())?;
        out.u32_le(self.target.0)?;
        out.put(self.ephemeral)?;
        self.cookie.map_or(Ok(()), |cookie| out.put(cookie))
    }

    fn encoded_len(&self) -> usize {
        if self.cookie.is_some() { Self::LEN_WITH_COOKIE } else { Self::LEN }
    }
}

/// A frame of a head, a session and `N` bytes that mean nothing before they are checked.
macro_rules! session_frame {
    ($(#[$doc:meta])* $name:ident, $wire_name:literal, $kind:ident, $(#[$field_doc:meta])* $field:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The receiver's session.
            pub session: SessionId,
            $(#[$field_doc])*
            pub $field: &'a [u8; $len],
        }

        impl $name<'_> {
            /// Its length on the wire, in bytes.
            pub const LEN: usize = 1 + 2 + $len;
        }

        impl<'a> Layout<'a> for $name<'a> {
            const NAME: &'static str = $wire_name;

            fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Head::read(reader, FrameKind::$kind)?;
                Ok(Self {
                    session: SessionId::read(reader, "session")?,
                    $field: reader.array_ref(stringify!($field))?,
                })
            }

            fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
                Head::write(out, FrameKind::$kind)?;
                out.u16_le(self.session.get())?;
                out.put(self.$field)
            }

            fn encoded_len(&self) -> usize {
                Self::LEN
            }
        }
    };
}

session_frame! {
    /// Kind 2, handshake message 2: 107 bytes.
    Reply, "reply", REPLY,
    /// Noise's `e, ee, s, es` and the payload of 8: 32 + 48 + 24 bytes.
    noise, 104
}
session_frame! {
    /// Kind 3, handshake message 3: 73 bytes.
    Finish, "finish", FINISH,
    /// Noise's `s, se` and the payload of 6: 48 + 22 bytes.
    noise, 70
}
session_frame! {
    /// Kind 6: what the initiator is to repeat its message 1 with. 19 bytes.
    Cookie, "cookie", COOKIE,
    /// Keyed BLAKE2b-128 over the initiator's address and port and its 39 bytes.
    cookie, 16
}

const _: () = assert!(First::LEN == 39 && First::LEN_WITH_COOKIE == 55, "spec/wire.md#frames");
const _: () = assert!(Reply::LEN == 107 && Finish::LEN == 73 && Cookie::LEN == 19, "spec/wire.md#frames");

/// Under which key a frame is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// Kind 4: the link's, by the receiver's session.
    Session(SessionId),
    /// Kind 5: the sender's broadcast key.
    Broadcast(BroadcastKeyId),
}

/// What stands before the ciphertext of a sealed frame: 7 bytes, `head ‖ session or key_id ‖ counter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealedHeader {
    /// Under which key.
    pub key: KeyName,
    /// How many frames were sealed under this key before. Never repeats under one key.
    pub counter: u32,
}

impl SealedHeader {
    /// The 7 bytes: at once the frame's beginning and its associated data.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let (kind, name) = match self.key {
            KeyName::Session(session) => (FrameKind::SEALED, session.get()),
            KeyName::Broadcast(BroadcastKeyId(id)) => (FrameKind::BROADCAST, id),
        };
        let head = Head::new(LinkVersion::ONE, kind).0;
        // Put together in a register: bytes stored one by one and read together at once are waited for.
        let together = u64::from(self.counter) << 24 | u64::from(name) << 8 | u64::from(head);
        let [bytes @ .., _] = together.to_le_bytes();
        bytes
    }

    /// The ChaCha20-Poly1305 nonce: four zero bytes and the counter as a little-endian u64 (Noise §12).
    #[must_use]
    pub const fn nonce(self) -> [u8; 12] {
        let [c0, c1, c2, c3] = self.counter.to_le_bytes();
        [0, 0, 0, 0, c0, c1, c2, c3, 0, 0, 0, 0]
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = Head::from_wire(reader.u8("head")?).ok_or(reader.error("head", Fault::Value))?;
        require(head.version() == LinkVersion::ONE, reader, "head", Fault::Version)?;
        let key = match head.kind() {
            FrameKind::SEALED => KeyName::Session(SessionId::read(reader, "session")?),
            FrameKind::BROADCAST => KeyName::Broadcast(BroadcastKeyId(reader.u16_le("key_id")?)),
            FrameKind(_) => return Err(reader.error("head", Fault::Value)),
        };
        Ok(Self { key, counter: reader.u32_le("counter")? })
    }
}

/// Kinds 4 and 5: messages under a link's key or a broadcast key, 23 bytes longer than their plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// Key and counter. [`SealedHeader::to_bytes`] is the associated data.
    pub header: SealedHeader,
    /// As long as the plaintext, which may be empty.
    pub ciphertext: &'a [u8],
    /// The authentication tag.
    pub tag: &'a [u8; TAG_LEN],
}

impl<'a> Layout<'a> for Sealed<'a> {
    const NAME: &'static str = "sealed";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = SealedHeader::read(reader)?;
        let truncated = reader.error("tag", Fault::Truncated);
        let (ciphertext, tag) = take_rest(reader, "ciphertext")?.split_last_chunk().ok_or(truncated)?;
        Ok(Self { header, ciphertext, tag })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.header.to_bytes())?;
        out.put(self.ciphertext)?;
        out.put(self.tag)
    }

    fn encoded_len(&self) -> usize {
        self.ciphertext.len().saturating_add(SEALED_OVERHEAD)
    }
}

/// The parts of a sealed frame, to be opened or sealed where they lie.
#[derive(Debug)]
pub struct SealedMut<'a> {
    /// Key and counter. [`SealedHeader::to_bytes`] is the associated data.
    pub header: SealedHeader,
    /// The ciphertext, or before sealing the plaintext.
    pub text: &'a mut [u8],
    /// The authentication tag.
    pub tag: &'a mut [u8; TAG_LEN],
}

impl<'a> SealedMut<'a> {
    /// The parts of a received `frame`.
    pub fn open(frame: &'a mut [u8]) -> Result<Self, DecodeError> {
        let header = Sealed::decode(frame)?.header;
        let parts = frame.split_at_mut_checked(HEADER_LEN).and_then(|(_, rest)| rest.split_last_chunk_mut());
        let (text, tag) = parts.expect("what decodes has a header and a tag");
        Ok(Self { header, text, tag })
    }

    /// Lays `frame` out as one under `header`: the header is written, the rest is the text (as long as `frame` less
    /// [`SEALED_OVERHEAD`]) and room for the tag.
    pub fn lay_out(frame: &'a mut [u8], header: SealedHeader) -> Result<Self, EncodeError> {
        let (front, rest) = frame.split_first_chunk_mut().ok_or(EncodeError::BufferTooSmall)?;
        let (text, tag) = rest.split_last_chunk_mut().ok_or(EncodeError::BufferTooSmall)?;
        *front = header.to_bytes();
        Ok(Self { header, text, tag })
    }
}

/// Kind 7: somebody is here. 6 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// What the sender calls itself, until its next broadcast key.
    pub tag: BeaconTag,
    /// Bit 0: it accepts links. The others are reserved: sent as 0, ignored and kept when received.
    pub flags: u8,
}

impl Beacon {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 1 + 4 + 1;
    /// The flag "accepts links".
    pub const ACCEPTS_LINKS: u8 = 0x01;
}

impl Layout<'_> for Beacon {
    const NAME: &'static str = "beacon";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Head::read(reader, FrameKind::BEACON)?;
        Ok(Self { tag: BeaconTag(reader.u32_le("tag")?), flags: reader.u8("flags")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        Head::write(out, FrameKind::BEACON)?;
        out.u32_le(self.tag.0)?;
        out.u8(self.flags)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// A frame of a version or kind that this implementation does not know: seen, and left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherFrame<'a> {
    /// Its version and kind.
    pub head: Head,
    /// All after the head.
    pub rest: &'a [u8],
}

/// Any link frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Kind 1.
    First(First<'a>),
    /// Kind 2.
    Reply(Reply<'a>),
    /// Kind 3.
    Finish(Finish<'a>),
    /// Kinds 4 and 5.
    Sealed(Sealed<'a>),
    /// Kind 6.
    Cookie(Cookie<'a>),
    /// Kind 7.
    Beacon(Beacon),
    /// Another version, or another kind.
    Other(OtherFrame<'a>),
}

impl<'a> Layout<'a> for Frame<'a> {
    const NAME: &'static str = "frame";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut ahead = reader.clone();
        let head = Head::from_wire(ahead.u8("head")?).ok_or(reader.error("head", Fault::Value))?;
        let kind = if head.version() == LinkVersion::ONE { head.kind() } else { FrameKind(0) };
        match kind {
            FrameKind::FIRST => First::read(reader).map(Self::First),
            FrameKind::REPLY => Reply::read(reader).map(Self::Reply),
            FrameKind::FINISH => Finish::read(reader).map(Self::Finish),
            FrameKind::SEALED | FrameKind::BROADCAST => Sealed::read(reader).map(Self::Sealed),
            FrameKind::COOKIE => Cookie::read(reader).map(Self::Cookie),
            FrameKind::BEACON => Beacon::read(reader).map(Self::Beacon),
            FrameKind(_) => {
                *reader = ahead;
                Ok(Self::Other(OtherFrame { head, rest: take_rest(reader, "rest")? }))
            }
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::First(frame) => frame.write(out),
            Self::Reply(frame) => frame.write(out),
            Self::Finish(frame) => frame.write(out),
            Self::Sealed(frame) => frame.write(out),
            Self::Cookie(frame) => frame.write(out),
            Self::Beacon(frame) => frame.write(out),
            Self::Other(OtherFrame { head, rest }) => {
                out.u8(head.0)?;
                out.put(rest)
            }
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::First(frame) => frame.encoded_len(),
            Self::Reply(frame) => frame.encoded_len(),
            Self::Finish(frame) => frame.encoded_len(),
            Self::Sealed(frame) => frame.encoded_len(),
            Self::Cookie(frame) => frame.encoded_len(),
            Self::Beacon(frame) => frame.encoded_len(),
            Self::Other(frame) => frame.rest.len().saturating_add(1),
        }
    }
}
