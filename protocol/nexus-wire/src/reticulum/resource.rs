//! What two ends say about a resource: data that does not fit a packet of their link. Source: spec/reticulum.md#resource.
//!
//! Fields of maps are taken in any order and any form, and written in one.

use alloc::vec::Vec;

use nexus_crypto::fixed_bytes;
use nexus_crypto::hash::{sha256, sha256_truncated};

use super::msgpack::{Packer, Unpacker};
use crate::codec::{DecodeError, Fault, Reader};

fixed_bytes! {
    /// What names a segment of a resource: the hash of its data and of four random bytes.
    ResourceHash, 32
}
fixed_bytes! {
    /// What names a part within its segment.
    PartHash, 4
}
fixed_bytes! {
    /// What names a request on its link.
    RequestId, 16
}
fixed_bytes! {
    /// What is asked for: the beginning of the hash of a path's name.
    PathHash, 16
}

/// Part hashes in one advertisement, or one update.
pub const MAP_LEN: usize = 74;
/// The longest segment, in bytes, metadata included.
pub const SEGMENT_MAX: usize = (1 << 20) - 1;

/// What an advertisement says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ResourceFlags(pub u8);

impl ResourceFlags {
    /// The parts are of one token of the link's key.
    pub const ENCRYPTED: Self = Self(1);
    /// The data was compressed with bzip2.
    pub const COMPRESSED: Self = Self(1 << 1);
    /// It is one of several segments.
    pub const SPLIT: Self = Self(1 << 2);
    /// It is a request.
    pub const REQUEST: Self = Self(1 << 3);
    /// It is a response.
    pub const RESPONSE: Self = Self(1 << 4);
    /// Metadata come before the data.
    pub const METADATA: Self = Self(1 << 5);

    /// Whether it has all of these.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// With these as well.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// Offers a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement<'a> {
    /// The length of the token, in bytes.
    pub transfer_len: u64,
    /// The length of the whole resource, in bytes, all segments and metadata included.
    pub data_len: u64,
    /// How many parts.
    pub parts: u64,
    /// The segment's.
    pub hash: ResourceHash,
    /// What parts are hashed with.
    pub random: [u8; 4],
    /// That of the first segment.
    pub original: ResourceHash,
    /// Which segment, from 1.
    pub segment: u64,
    /// Of how many.
    pub segments: u64,
    /// What it asks or answers.
    pub request: Option<RequestId>,
    /// What it is.
    pub flags: ResourceFlags,
    /// The first part hashes.
    pub map: &'a [u8],
}

impl<'a> Advertisement<'a> {
    /// Reads the plaintext of one. Members that are not known are passed over; of those that come twice the last counts.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new("resource advertisement", bytes);
        let mut read = Self {
            transfer_len: 0,
            data_len: 0,
            parts: 0,
            hash: ResourceHash([0; 32]),
            random: [0; 4],
            original: ResourceHash([0; 32]),
            segment: 0,
            segments: 0,
            request: None,
            flags: ResourceFlags::default(),
            map: &[],
        };
        // One bit for each member that may not be missing.
        let mut seen = 0_u16;
        for _ in 0..unpacker.map("members")? {
            let name = unpacker.text("member")?;
            seen |= match name {
                b"t" => 1,
                b"d" => 1 << 1,
                b"n" => 1 << 2,
                b"h" => 1 << 3,
                b"r" => 1 << 4,
                b"o" => 1 << 5,
                b"i" => 1 << 6,
                b"l" => 1 << 7,
                b"f" => 1 << 8,
                b"m" => 1 << 9,
                _ => 0,
            };
            match name {
                b"t" => read.transfer_len = unpacker.uint("t")?,
                b"d" => read.data_len = unpacker.uint("d")?,
                b"n" => read.parts = unpacker.uint("n")?,
                b"h" => read.hash = ResourceHash(unpacker.bin_array("h")?),
                b"r" => read.random = unpacker.bin_array("r")?,
                b"o" => read.original = ResourceHash(unpacker.bin_array("o")?),
                b"i" => read.segment = unpacker.uint("i")?,
                b"l" => read.segments = unpacker.uint("l")?,
                b"q" if unpacker.nil() => read.request = None,
                b"q" => read.request = Some(RequestId(unpacker.bin_array("q")?)),
                b"f" => {
                    let flags = unpacker.uint("f")?;
                    read.flags = ResourceFlags(u8::try_from(flags).map_err(|_| unpacker.refused("f"))?);
                }
                b"m" => read.map = unpacker.bin("m")?,
                _ => {
                    unpacker.value("member")?;
                }
            }
        }
        if seen != (1 << 10) - 1 || !read.map.len().is_multiple_of(PartHash::LEN) {
            return Err(unpacker.refused("members"));
        }
        unpacker.finish("members")?;
        Ok(read)
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let packer = Packer::default().map(11);
        let packer = packer.text("t").uint(self.transfer_len).text("d").uint(self.data_len);
        let packer = packer.text("n").uint(self.parts).text("h").bin(self.hash.as_bytes());
        let packer = packer.text("r").bin(&self.random).text("o").bin(self.original.as_bytes());
        let packer = packer.text("i").uint(self.segment).text("l").uint(self.segments).text("q");
        let packer = match &self.request {
            Some(request) => packer.bin(request.as_bytes()),
            None => packer.nil(),
        };
        packer.text("f").uint(u64::from(self.flags.0)).text("m").bin(self.map).into_bytes()
    }
}

/// Asks for parts of a segment, and for more part hashes where those known end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRequest<'a> {
    /// The last part hash that is known, where more are wanted.
    pub last: Option<PartHash>,
    /// The segment's.
    pub hash: ResourceHash,
    /// The hashes of the wanted parts.
    pub wanted: &'a [u8],
}

impl<'a> PartRequest<'a> {
    /// Reads the plaintext of one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("part request", bytes);
        let last = match reader.u8("exhausted")? {
            0x00 => None,
            0xff => Some(PartHash(reader.array("last part hash")?)),
            _ => return Err(reader.error("exhausted", Fault::Value)),
        };
        let hash = ResourceHash(reader.array("resource hash")?);
        if !reader.remaining().is_multiple_of(PartHash::LEN) {
            return Err(reader.error("part hashes", Fault::Length));
        }
        Ok(Self { last, hash, wanted: reader.rest() })
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(37_usize.saturating_add(self.wanted.len()));
        match &self.last {
            Some(last) => {
                bytes.push(0xff);
                bytes.extend_from_slice(last.as_bytes());
            }
            None => bytes.push(0x00),
        }
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes.extend_from_slice(self.wanted);
        bytes
    }
}

/// More part hashes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapUpdate<'a> {
    /// The segment's.
    pub hash: ResourceHash,
    /// Which stretch of part hashes, of [`MAP_LEN`] each.
    pub stretch: u64,
    /// The part hashes.
    pub map: &'a [u8],
}

impl<'a> MapUpdate<'a> {
    /// Reads the plaintext of one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("hash map update", bytes);
        let hash = ResourceHash(reader.array("resource hash")?);
        let mut unpacker = Unpacker::new("hash map update", reader.rest());
        if unpacker.array("update")? != 2 {
            return Err(unpacker.refused("update"));
        }
        let (stretch, map) = (unpacker.uint("stretch")?, unpacker.bin("part hashes")?);
        if !map.len().is_multiple_of(PartHash::LEN) {
            return Err(unpacker.refused("part hashes"));
        }
        unpacker.finish("part hashes")?;
        Ok(Self { hash, stretch, map })
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let update = Packer::default().array(2).uint(self.stretch).bin(self.map).into_bytes();
        [&self.hash.as_bytes()[..], &update].concat()
    }
}

/// A segment arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceProof {
    /// The segment's.
    pub hash: ResourceHash,
    /// What only who has the data can say.
    pub proof: [u8; 32],
}

impl ResourceProof {
    /// The proof of a segment with this data.
    #[must_use]
    pub fn of(hash: ResourceHash, data: &[u8]) -> Self {
        Self { hash, proof: sha256(&[data, hash.as_bytes()]) }
    }

    /// Reads the payload of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("resource proof", bytes);
        let (hash, proof) = (ResourceHash(reader.array("resource hash")?), reader.array("proof")?);
        reader.finish("proof")?;
        Ok(Self { hash, proof })
    }

    /// The payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.hash.as_bytes(), &self.proof].map(|half| &half[..]).concat()
    }
}

impl ResourceHash {
    /// That of a segment with this data.
    #[must_use]
    pub fn of(data: &[u8], random: [u8; 4]) -> Self {
        Self(sha256(&[data, &random]))
    }
}

impl PartHash {
    /// That of a part.
    #[must_use]
    pub fn of(part: &[u8], random: [u8; 4]) -> Self {
        Self(sha256_truncated(&[part, &random]))
    }

    /// Those in a map.
    pub fn each(map: &[u8]) -> impl Iterator<Item = Self> {
        map.as_chunks().0.iter().map(|hash| Self(*hash))
    }
}

impl PathHash {
    /// That of a path's name.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self(sha256_truncated(&[path.as_bytes()]))
    }
}
