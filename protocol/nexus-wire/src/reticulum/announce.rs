//! A destination makes itself known. Source: spec/reticulum.md#announce.
//!
//! ```text
//! public key(64) name hash(10) random hash(10) [ratchet(32)] signature(64) app data
//! signed: destination ‖ public key ‖ name hash ‖ random hash ‖ ratchet ‖ app data
//! ```
//!
//! Hops, transport id, context and how the packet travels are not signed: relays change them. The context flag is not
//! signed either, but says whether a ratchet is there, so a wrong one breaks the signature.

use nexus_crypto::{
    DestinationHash, IdentityHash, IdentityPublic, NameHash, RatchetPublic, ReticulumIdentity, Signature,
};
use thiserror::Error;

use super::packet::{HEADER_1_LEN, Packet};
use super::{Context, ContextFlag, DestinationType, MTU, PacketType};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// The longest announce that may be made or relayed, transport id not counted, in bytes: relays prepend 16.
///
/// Stock nodes accept up to [`MTU`], but a longer one than this makes a stock relay lose other announces with it.
pub const RELAYABLE_LEN: usize = MTU - IdentityHash::LEN;

/// Payload before the application's data, without ratchet, in bytes.
const FIXED_LEN: usize = IdentityPublic::LEN + NameHash::LEN + RandomHash::LEN + Signature::LEN;
/// Room for the application's data in an announce without ratchet, in bytes.
pub const APP_DATA_MAX: usize = RELAYABLE_LEN - HEADER_1_LEN - FIXED_LEN;
/// Room for the application's data in an announce with a ratchet, in bytes.
pub const APP_DATA_WITH_RATCHET_MAX: usize = APP_DATA_MAX - RatchetPublic::LEN;

const _: () = assert!(APP_DATA_MAX == 317 && APP_DATA_WITH_RATCHET_MAX == 285);

/// Which emission of a destination's announce this is: five random bytes and the time of emission.
///
/// Ordered by neither part alone: compare [`RandomHash::emitted_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RandomHash([u8; 10]);

impl RandomHash {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 10;
    /// The last second that the format can express: the year 36812.
    pub const LAST_SECOND: u64 = (1 << 40) - 1;

    /// An emission at `unix_s`, at most [`Self::LAST_SECOND`].
    #[must_use]
    pub fn new(random: [u8; 5], unix_s: u64) -> Self {
        let [_, _, _, seconds @ ..] = unix_s.min(Self::LAST_SECOND).to_be_bytes();
        let ([r0, r1, r2, r3, r4], [s0, s1, s2, s3, s4]) = (random, seconds);
        Self([r0, r1, r2, r3, r4, s0, s1, s2, s3, s4])
    }

    /// The ten bytes as they came.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The ten bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// When it was emitted, by the originator's clock, in Unix seconds.
    #[must_use]
    pub fn emitted_at(&self) -> u64 {
        let [_, _, _, _, _, s0, s1, s2, s3, s4] = self.0;
        u64::from_be_bytes([0, 0, 0, s0, s1, s2, s3, s4])
    }
}

/// What an announce says: the part of it that its originator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Who announces.
    pub public: IdentityPublic,
    /// What is announced, of this identity.
    pub name: NameHash,
    /// Which emission this is.
    pub random_hash: RandomHash,
    /// The key to encrypt to in place of the identity's, until the next announce.
    pub ratchet: Option<RatchetPublic>,
    /// The application's own.
    pub app_data: &'a [u8],
}

/// An announce's payload, with the address that it was sent for. Nothing of it is believed before [`Announce::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce<'a> {
    /// The address that is announced: signed, and implied by public key and name.
    pub destination: DestinationHash,
    /// What is claimed.
    pub claim: Claim<'a>,
    /// By the identity, over all of the above.
    pub signature: Signature,
}

/// Why an announce is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnnounceError {
    /// The address belongs to another key or name.
    #[error("the destination is not that of the announced key and name")]
    Destination,
    /// The signature is not the identity's.
    #[error("the announce's signature does not verify")]
    Signature,
}

/// How an announce is sent by its originator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Unasked.
    Periodic,
    /// In answer to a path request.
    PathResponse,
}

impl<'a> Claim<'a> {
    /// The address that follows from key and name.
    #[must_use]
    pub fn destination(&self) -> DestinationHash {
        DestinationHash::of(self.name, self.public.hash())
    }

    /// Signs the claim as `identity`, whose public key must be the claimed one.
    #[must_use]
    pub fn sign(self, identity: &ReticulumIdentity) -> Announce<'a> {
        debug_assert_eq!(self.public, *identity.public(), "a claim is signed by whom it names");
        let destination = self.destination();
        Announce { destination, claim: self, signature: identity.sign_untagged(&self.signed(&destination)) }
    }

    fn signed<'s>(&'s self, destination: &'s DestinationHash) -> [&'s [u8]; 6] {
        [
            destination.as_bytes(),
            self.public.as_bytes(),
            self.name.as_bytes(),
            self.random_hash.as_bytes(),
            self.ratchet.as_ref().map_or(&[], |ratchet| ratchet.as_bytes()),
            self.app_data,
        ]
    }

    const fn context_flag(&self) -> ContextFlag {
        if self.ratchet.is_some() { ContextFlag::Set } else { ContextFlag::Clear }
    }
}

impl<'a> Announce<'a> {
    /// Reads the announce that `packet` is. Refused: any other packet, an announce of anything but a SINGLE
    /// destination, and one longer than [`MTU`].
    pub fn from_packet(packet: &Packet<'a>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("announce", packet.data);
        if packet.packet_type != PacketType::Announce {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.destination_type != DestinationType::Single {
            return Err(reader.error("destination type", Fault::Value));
        }
        if packet.encoded_len() > MTU {
            return Err(reader.error("app data", Fault::Length));
        }
        let public = IdentityPublic(reader.array("public key")?);
        let name = NameHash(reader.array("name hash")?);
        let random_hash = RandomHash(reader.array("random hash")?);
        let ratchet = match packet.context_flag {
            ContextFlag::Clear => None,
            ContextFlag::Set => Some(RatchetPublic(reader.array("ratchet")?)),
        };
        let signature = Signature(reader.array("signature")?);
        let claim = Claim { public, name, random_hash, ratchet, app_data: reader.rest() };
        Ok(Self { destination: packet.destination, claim, signature })
    }

    /// Whether the address follows from key and name, and the signature is the key's. Everything about an announce
    /// hangs on this; the cheap half is looked at first.
    pub fn verify(&self) -> Result<(), AnnounceError> {
        if self.claim.destination() != self.destination {
            return Err(AnnounceError::Destination);
        }
        let verifying = self.claim.public.verifying();
        verifying
            .verify_untagged(&self.claim.signed(&self.destination), &self.signature)
            .map_err(|_| AnnounceError::Signature)
    }

    /// Whether relays can carry it: at most [`RELAYABLE_LEN`] bytes. One that cannot be carried is dropped silently.
    #[must_use]
    pub const fn is_relayable(&self) -> bool {
        let room = if self.claim.ratchet.is_some() { APP_DATA_WITH_RATCHET_MAX } else { APP_DATA_MAX };
        self.claim.app_data.len() <= room
    }

    /// The packet in which its originator sends it, but for the payload, which [`Announce::encode`] writes.
    #[must_use]
    pub const fn originating_header(&self, occasion: Occasion) -> Packet<'static> {
        let context = match occasion {
            Occasion::Periodic => Context::NONE,
            Occasion::PathResponse => Context::PATH_RESPONSE,
        };
        Packet {
            context_flag: self.claim.context_flag(),
            ..Packet::originating(PacketType::Announce, DestinationType::Single, self.destination, context)
        }
    }

    /// Writes the announce as its originator sends it. Refused: one that relays could not carry.
    pub fn encode<'b>(&self, occasion: Occasion, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        if !self.is_relayable() {
            return Err(EncodeError::FieldTooLong);
        }
        self.encode_behind(&self.originating_header(occasion), buffer)
    }

    /// Writes the announce behind the header of `packet`, whose context flag must say whether there is a ratchet.
    pub fn encode_behind<'b>(
        &self,
        packet: &Packet<'_>,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EncodeError> {
        debug_assert_eq!(packet.context_flag, self.claim.context_flag(), "the header tells of the ratchet");
        let mut writer = Writer::new(buffer);
        packet.put_header(&mut writer)?;
        writer.put(self.claim.public.as_bytes())?;
        writer.put(self.claim.name.as_bytes())?;
        writer.put(self.claim.random_hash.as_bytes())?;
        if let Some(ratchet) = &self.claim.ratchet {
            writer.put(ratchet.as_bytes())?;
        }
        writer.put(self.signature.as_bytes())?;
        writer.put(self.claim.app_data)?;
        Ok(writer.finish())
    }
}
