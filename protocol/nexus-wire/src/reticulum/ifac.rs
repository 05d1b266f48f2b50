//! Interface access codes: a network whose frames only those who know its name and passphrase can make or read headers
//! of. Source: spec/reticulum.md#ifac.
//!
//! ```text
//! frame   flags | 80 (1) hops(1) tag(1..64) rest of the packet
//! tag     the last bytes of the packet's Ed25519 signature by the network's key
//! mask    HKDF(frame length, ikm = tag, salt = key), over all but the tag and the topmost bit
//! ```
//!
//! Both directions cost one signature.

use alloc::vec;

use nexus_crypto::hash::sha256;
use nexus_crypto::hkdf::hkdf_sha256;
use nexus_crypto::secret::constant_time_eq;
use nexus_crypto::{ReticulumIdentity, Signature};
use thiserror::Error;

use super::packet::HEADER_1_LEN;
use super::{Flags, MTU};

/// Flags and hops: what stands before the tag.
const HEAD: usize = 2;
/// What every network's key is salted with.
const SALT: [u8; 32] = [
    0xad, 0xf5, 0x4d, 0x88, 0x2c, 0x9a, 0x9b, 0x80, 0x77, 0x1e, 0xb4, 0x99, 0x5d, 0x70, 0x2d, 0x4a, 0x3e,
    0x73, 0x33, 0x91, 0xb2, 0xa0, 0xf5, 0x3f, 0x41, 0x6d, 0x9f, 0x90, 0x7e, 0x55, 0xcf, 0xf8,
];

/// How long an interface's tags are, in bytes: 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagLen(usize);

impl TagLen {
    /// The stock default where bandwidth is plenty: TCP, UDP and the like.
    pub const WIDE: Self = Self(16);
    /// The stock default where it is not: RNode, serial lines, KISS, pipes.
    pub const NARROW: Self = Self(8);

    /// `bytes`, if they are 1 to 64.
    #[must_use]
    pub const fn new(bytes: usize) -> Option<Self> {
        if bytes >= 1 && bytes <= Signature::LEN { Some(Self(bytes)) } else { None }
    }

    /// In bytes: how much longer a frame is than its packet.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0
    }
}

/// What the members of a network know. At least one of the two makes a network.
#[derive(Clone, Copy)]
pub enum Membership<'a> {
    /// A network's name.
    Name(&'a str),
    /// A passphrase.
    Passphrase(&'a str),
    /// Both.
    Both {
        /// The network's name.
        name: &'a str,
        /// The passphrase.
        passphrase: &'a str,
    },
}

/// The access codes of one interface.
#[derive(Debug)]
pub struct Ifac {
    network: ReticulumIdentity,
    tag_len: TagLen,
}

/// Why a frame or a packet does not pass an interface with access codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IfacError {
    /// The frame came without access codes, or the packet to be sealed has them already.
    #[error("the access code flag is not as this interface wants it")]
    Flag,
    /// Shorter than any packet.
    #[error("the frame is too short for a packet and an access code")]
    Length,
    /// The tag was made with another key, or something was changed on the way.
    #[error("the access code does not fit the packet")]
    Tag,
}

impl Ifac {
    /// The codes of a network. Derived once for an interface: it costs an Ed25519 key.
    #[must_use]
    pub fn new(membership: Membership<'_>, tag_len: TagLen) -> Self {
        let hash = |text: &str| sha256(&[text.as_bytes()]);
        let origin = match membership {
            Membership::Name(known) | Membership::Passphrase(known) => sha256(&[&hash(known)]),
            Membership::Both { name, passphrase } => sha256(&[&hash(name), &hash(passphrase)]),
        };
        let mut key = [0; 64];
        hkdf_sha256(&origin, &SALT, &[], &mut key);
        Self { network: ReticulumIdentity::from_private_blob(&key), tag_len }
    }

    /// How long the tags are.
    #[must_use]
    pub const fn tag_len(&self) -> TagLen {
        self.tag_len
    }

    /// Makes a frame of the packet that lies [`TagLen::bytes`] into `buffer`; the frame is all of `buffer` then.
    pub fn seal(&self, buffer: &mut [u8]) -> Result<(), IfacError> {
        let packet = buffer.get(self.tag_len.0..).ok_or(IfacError::Length)?;
        let flags = *packet.first().filter(|_| packet.len() >= HEADER_1_LEN).ok_or(IfacError::Length)?;
        if Flags::from_byte(flags).has_ifac() {
            return Err(IfacError::Flag);
        }
        let tag = self.tag(packet);
        buffer.copy_within(self.tag_len.0..self.tag_len.0.saturating_add(HEAD), 0);
        let place = buffer.get_mut(HEAD..).and_then(|behind| behind.get_mut(..self.tag_len.0));
        place.ok_or(IfacError::Length)?.copy_from_slice(self.of(&tag));
        self.mask(buffer, self.of(&tag));
        if let Some(flags) = buffer.first_mut() {
            *flags |= Flags::IFAC;
        }
        Ok(())
    }

    /// Takes the packet out of `frame`, in place. On an error the frame's bytes are of no use to anybody.
    pub fn open<'a>(&self, frame: &'a mut [u8]) -> Result<&'a mut [u8], IfacError> {
        if !Flags::from_byte(*frame.first().ok_or(IfacError::Length)?).has_ifac() {
            return Err(IfacError::Flag);
        }
        if frame.len() < self.tag_len.0.saturating_add(HEADER_1_LEN) {
            return Err(IfacError::Length);
        }
        let mut claimed = [0; Signature::LEN];
        let claimed = claimed.get_mut(..self.tag_len.0).ok_or(IfacError::Length)?;
        let carried = frame.get(HEAD..).and_then(|behind| behind.get(..self.tag_len.0));
        claimed.copy_from_slice(carried.ok_or(IfacError::Length)?);
        self.mask(frame, claimed);
        frame.copy_within(..HEAD, self.tag_len.0);
        let packet = frame.get_mut(self.tag_len.0..).ok_or(IfacError::Length)?;
        if let Some(flags) = packet.first_mut() {
            *flags &= !Flags::IFAC;
        }
        let tag = self.tag(packet);
        if constant_time_eq(self.of(&tag), claimed) { Ok(packet) } else { Err(IfacError::Tag) }
    }

    fn tag(&self, packet: &[u8]) -> Signature {
        self.network.sign_untagged(&[packet])
    }

    /// The part of a signature that is the tag: its last bytes.
    fn of<'s>(&self, signature: &'s Signature) -> &'s [u8] {
        let unused = Signature::LEN.saturating_sub(self.tag_len.0);
        signature.as_bytes().get(unused..).unwrap_or_default()
    }

    /// Applies the mask to all of `frame` but its tag.
    fn mask(&self, frame: &mut [u8], tag: &[u8]) {
        /// The largest frame of the base MTU. Larger ones exist on fast links only, whose hosts have a heap to spare.
        const USUAL: usize = MTU + Signature::LEN;
        let (mut usual, mut larger) = ([0; USUAL], vec![]);
        let mask = if let Some(mask) = usual.get_mut(..frame.len()) {
            mask
        } else {
            larger.resize(frame.len(), 0);
            larger.as_mut_slice()
        };
        hkdf_sha256(tag, self.network.to_private_blob().as_ref(), &[], mask);
        let tag_end = HEAD.saturating_add(self.tag_len.0);
        for (at, (byte, mask)) in frame.iter_mut().zip(mask).enumerate() {
            if at < HEAD || at >= tag_end {
                *byte ^= *mask;
            }
        }
    }
}
