//! Bodies that keep a link in order: probes, acknowledgements, keys, backpressure. Source: spec/wire.md#control.

use core::fmt;

use nexus_crypto::NodeId;

use super::Layout;
use super::frame::{BeaconTag, BroadcastKeyId, SessionId};
use super::message::{Body, MessageKind};
use crate::codec::{DecodeError, EncodeError, Reader, Writer};

/// PING and PONG share a layout: `token u32, sender's clock u64 ms`.
macro_rules! probe {
    ($(#[$doc:meta])* $name:ident, $wire_name:literal, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Chosen at random by who asks, repeated by who answers.
            pub token: u32,
            /// The sender's wall clock, Unix time in milliseconds; 0 if it has none.
            pub clock_ms: u64,
        }

        impl $name {
            /// Its length on the wire, in bytes.
            pub const LEN: usize = 4 + 8;
        }

        impl Layout<'_> for $name {
            const NAME: &'static str = $wire_name;

            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { token: reader.u32_le("token")?, clock_ms: reader.u64_le("clock_ms")? })
            }

            fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
                out.u32_le(self.token)?;
                out.u64_le(self.clock_ms)
            }

            fn encoded_len(&self) -> usize {
                Self::LEN
            }
        }

        impl Body<'_> for $name {
            const KIND: MessageKind = MessageKind::$kind;
        }
    };
}

probe! {
    /// The body of PING: is anybody there, and what time is it.
    Ping, "ping", PING
}
probe! {
    /// The body of PONG: the same token, and the answerer's clock.
    Pong, "pong", PONG
}

/// The body of ACK: which frames arrived under the key that it is sealed with's opposite direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The highest counter received.
    pub highest: u32,
    /// Bit i: the frame with counter `highest − 1 − i` was received too.
    pub bitmap: u32,
}

impl Ack {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 4 + 4;

    /// Whether it says that the frame with `counter` arrived. Silent on what lies more than 32 back.
    #[must_use]
    pub fn covers(&self, counter: u32) -> bool {
        match self.highest.checked_sub(counter) {
            Some(0) => true,
            Some(behind) => self.bitmap.unbounded_shr(behind.wrapping_sub(1)) & 1 == 1,
            None => false,
        }
    }
}

impl Layout<'_> for Ack {
    const NAME: &'static str = "ack";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { highest: reader.u32_le("highest")?, bitmap: reader.u32_le("bitmap")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u32_le(self.highest)?;
        out.u32_le(self.bitmap)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for Ack {
    const KIND: MessageKind = MessageKind::ACK;
}

/// REKEY and `REKEY_ACK` share a layout: `session u16, noise`.
macro_rules! rekey {
    ($(#[$doc:meta])* $name:ident, $wire_name:literal, $kind:ident, $(#[$noise_doc:meta])* $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// Where the sender will receive under the key that is made.
            pub session: SessionId,
            $(#[$noise_doc])*
            pub noise: &'a [u8; $len],
        }

        impl $name<'_> {
            /// Its length on the wire, in bytes.
            pub const LEN: usize = 2 + $len;
        }

        impl<'a> Layout<'a> for $name<'a> {
            const NAME: &'static str = $wire_name;

            fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(Self { session: SessionId::read(reader, "session")?, noise: reader.array_ref("noise")? })
            }

            fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
                out.u16_le(self.session.get())?;
                out.put(self.noise)
            }

            fn encoded_len(&self) -> usize {
                Self::LEN
            }
        }

        impl<'a> Body<'a> for $name<'a> {
            const KIND: MessageKind = MessageKind::$kind;
        }
    };
}

rekey! {
    /// The body of REKEY: an offer of another key, made inside the link.
    Rekey, "rekey", REKEY,
    /// The ephemeral X25519 key: message 1 of `Noise_NN`.
    32
}
rekey! {
    /// The body of `REKEY_ACK`: its acceptance.
    RekeyAck, "rekey-ack", REKEY_ACK,
    /// `e, ee` and an empty payload: message 2 of `Noise_NN`, 32 + 16 bytes.
    48
}

/// The body of `BROADCAST_KEY`: under which key the sender's broadcasts will come. Holds a secret: never printed.
#[derive(Clone, Copy)]
pub struct BroadcastKey<'a> {
    /// The key's name on this interface.
    pub key_id: BroadcastKeyId,
    /// The ChaCha20-Poly1305 key.
    pub key: &'a [u8; 32],
    /// The counter of the next broadcast under it: earlier ones are replays.
    pub next_counter: u32,
    /// What the sender calls itself in its beacons from here on.
    pub beacon_tag: BeaconTag,
}

impl BroadcastKey<'_> {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 2 + 32 + 4 + 4;
    /// Where its secret begins, in bytes.
    pub const KEY_AT: usize = 2;
    /// How long its secret is, in bytes.
    pub const KEY_LEN: usize = 32;
}

impl fmt::Debug for BroadcastKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl<'a> Layout<'a> for BroadcastKey<'a> {
    const NAME: &'static str = "broadcast-key";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            key_id: BroadcastKeyId(reader.u16_le("key_id")?),
            key: reader.array_ref("key")?,
            next_counter: reader.u32_le("next_counter")?,
            beacon_tag: BeaconTag(reader.u32_le("beacon_tag")?),
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u16_le(self.key_id.0)?;
        out.put(self.key)?;
        out.u32_le(self.next_counter)?;
        out.u32_le(self.beacon_tag.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl<'a> Body<'a> for BroadcastKey<'a> {
    const KIND: MessageKind = MessageKind::BROADCAST_KEY;
}

/// The body of `BROADCAST_KEY_ACK`: the key arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BroadcastKeyAck {
    /// Which key.
    pub key_id: BroadcastKeyId,
}

impl BroadcastKeyAck {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 2;
}

impl Layout<'_> for BroadcastKeyAck {
    const NAME: &'static str = "broadcast-key-ack";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { key_id: BroadcastKeyId(reader.u16_le("key_id")?) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u16_le(self.key_id.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for BroadcastKeyAck {
    const KIND: MessageKind = MessageKind::BROADCAST_KEY_ACK;
}

/// The body of SIGNATURE, the last message of a broadcast: Ed25519 by the sender over [`signed_preamble`] and the
/// plaintext before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature<'a>(pub &'a [u8; 64]);

impl Signature<'_> {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 64;
}

impl<'a> Layout<'a> for Signature<'a> {
    const NAME: &'static str = "signature";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.array_ref("signature").map(Self)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl<'a> Body<'a> for Signature<'a> {
    const KIND: MessageKind = MessageKind::SIGNATURE;
}

/// What a broadcast's signature covers before the plaintext:
/// `"nexus/bcast/v1" padded to 16 ‖ sender ‖ BLAKE3(key)[..16] ‖ counter u32`. Binding key and counter, so that it
/// cannot be replayed under another.
#[must_use]
pub fn signed_preamble(sender: NodeId, key_fingerprint: &[u8; 16], counter: u32) -> [u8; 52] {
    let mut preamble = [0; 52];
    let mut out = Writer::new(&mut preamble);
    out.put(b"nexus/bcast/v1\0\0")
        .and_then(|()| out.put(sender.as_bytes()))
        .and_then(|()| out.put(key_fingerprint))
        .and_then(|()| out.u32_le(counter))
        .expect("16 + 16 + 16 + 4 bytes are 52");
    preamble
}

/// How full the sender's queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

impl Severity {
    /// There is room again.
    pub const NONE: Self = Self(0);
    /// Send a quarter less.
    pub const MODERATE: Self = Self(1);
    /// Send half, and what can wait by another way.
    pub const SEVERE: Self = Self(2);
    /// Send real-time traffic, and a quarter of the interactive.
    pub const SATURATED: Self = Self(3);
}

/// What is congested. Unknown scopes survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope(u8);

impl Scope {
    /// The link that it comes by.
    pub const THIS_LINK: Self = Self(0);
    /// Everything that leaves the sender.
    pub const ALL_OUTBOUND: Self = Self(1);
}

/// The body of CONGESTION: `severity (bits 0–1), scope (2–3), reserved (4–7) ‖ drain_ms u16`. With its kind 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Congestion {
    bits: u8,
    /// In how many milliseconds the sender expects its queue to be empty.
    pub drain_ms: u16,
}

impl Congestion {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 1 + 2;

    /// Congestion of this severity and scope.
    #[must_use]
    pub const fn new(severity: Severity, scope: Scope, drain_ms: u16) -> Self {
        Self { bits: severity.0 | scope.0 << 2, drain_ms }
    }

    /// How full the queue is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        Severity(self.bits & 3)
    }

    /// What is congested.
    #[must_use]
    pub const fn scope(self) -> Scope {
        Scope(self.bits >> 2 & 3)
    }
}

impl Layout<'_> for Congestion {
    const NAME: &'static str = "congestion";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { bits: reader.u8("severity and scope")?, drain_ms: reader.u16_le("drain_ms")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.bits)?;
        out.u16_le(self.drain_ms)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for Congestion {
    const KIND: MessageKind = MessageKind::CONGESTION;
}

const _: () = assert!(Ping::LEN == 12 && Pong::LEN == Ping::LEN && Ack::LEN == 8, "spec/wire.md#control");
const _: () = assert!(Rekey::LEN == 34 && RekeyAck::LEN == 50, "spec/wire.md#control");
const _: () = assert!(BroadcastKey::LEN == 42 && BroadcastKeyAck::LEN == 2, "spec/wire.md#control");
const _: () = assert!(1 + Congestion::LEN == 4, "spec/wire.md#control");
