//! What clients of a propagation node say to it, and hear. Source: spec/lxmf.md#propagation.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::sha256;

use crate::codec::DecodeError;
use crate::reticulum::msgpack::{Float, Packer, Unpacker};

/// What names a message at a propagation node, which cannot open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransientId(pub [u8; 32]);

/// A message as propagation nodes keep it: its destination in clear, all else encrypted to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// For whom.
    pub destination: DestinationHash,
    /// What [`Message::encode_behind_destination`](super::Message::encode_behind_destination) gives, encrypted as a packet to
    /// the destination is.
    pub sealed: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads one, without a stamp: as nodes hand it out.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (destination, sealed) = bytes.split_first_chunk()?;
        Some(Self { destination: DestinationHash(*destination), sealed })
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> TransientId {
        TransientId(sha256(&[self.destination.as_bytes(), self.sealed]))
    }
}

/// Leaves a message at a propagation node: a packet on a link with it, or a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload<'a> {
    /// When, in Unix seconds.
    pub at: Float,
    /// Destination, what is sealed, and the stamp behind it.
    pub message: &'a [u8],
}

impl<'a> Upload<'a> {
    const NAME: &'static str = "LXMF upload";

    /// One of this message, with this stamp.
    #[must_use]
    pub fn compose(at: Float, stored: &Stored<'_>, stamp: &[u8; 32]) -> Vec<u8> {
        let message = [stored.destination.as_bytes().as_slice(), stored.sealed, stamp].concat();
        Upload { at, message: &message }.encode()
    }

    /// Reads one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new(Self::NAME, bytes);
        if unpacker.array("upload")? != 2 {
            return Err(unpacker.refused("upload"));
        }
        let at = unpacker.float("time")?;
        if unpacker.array("messages")? != 1 {
            return Err(unpacker.refused("messages"));
        }
        let message = unpacker.bin("message")?;
        unpacker.finish("message")?;
        let upload = Self { at, message };
        if upload.encode() == bytes {
            Ok(upload)
        } else {
            Err(Unpacker::new(Self::NAME, bytes).refused("upload"))
        }
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Packer::default().array(2).float(self.at).array(1).bin(self.message).into_bytes()
    }
}

/// Asks a propagation node at its path `/get`, after identifying on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetRequest {
    /// What is there for whoever asks: answered by a list of ids.
    List,
    /// Hand these out: answered by a list of [`Stored`]. Those that are had already are deleted.
    Fetch {
        /// Which.
        wanted: Vec<TransientId>,
        /// Which are not needed.
        had: Vec<TransientId>,
        /// As many as fit so many thousands of bytes.
        limit_kb: u64,
    },
    /// These have arrived: they are deleted.
    Had(Vec<TransientId>),
}

/// A refusal by a propagation node, in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Whoever asks did not identify.
    Unidentified,
    /// Another.
    Other(u64),
}

impl GetRequest {
    /// The path.
    pub const PATH: &'static str = "/get";

    /// The request's data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::List => Packer::default().array(2).nil().nil().into_bytes(),
            Self::Fetch { wanted, had, limit_kb } => {
                let packer = ids(had, ids(wanted, Packer::default().array(3)));
                packer.uint(*limit_kb).into_bytes()
            }
            Self::Had(had) => ids(had, Packer::default().array(2).nil()).into_bytes(),
        }
    }

    /// Reads the answer to [`GetRequest::List`]. At most `most` ids.
    pub fn listed(answer: &[u8], most: usize) -> Result<Result<Vec<TransientId>, Refused>, DecodeError> {
        let mut unpacker = Unpacker::new("LXMF list", answer);
        if let Some(refused) = refusal(&unpacker) {
            return Ok(Err(refused));
        }
        let count = unpacker.array("ids")?;
        let mut listed = Vec::new();
        for _ in 0..count {
            let id = TransientId(unpacker.bin_array("id")?);
            if listed.len() < most {
                listed.push(id);
            }
        }
        unpacker.finish("id")?;
        Ok(Ok(listed))
    }

    /// Reads the answer to [`GetRequest::Fetch`]: messages as [`Stored::decode`] reads them.
    pub fn fetched(answer: &[u8]) -> Result<Result<Vec<&[u8]>, Refused>, DecodeError> {
        let mut unpacker = Unpacker::new("LXMF messages", answer);
        if let Some(refused) = refusal(&unpacker) {
            return Ok(Err(refused));
        }
        let count = unpacker.array("messages")?;
        let mut messages = Vec::new();
        for _ in 0..count {
            messages.push(unpacker.bin("message")?);
        }
        unpacker.finish("message")?;
        Ok(Ok(messages))
    }
}

fn ids(ids: &[TransientId], packer: Packer) -> Packer {
    ids.iter().fold(packer.array(ids.len()), |packer, id| packer.bin(&id.0))
}

fn refusal(unpacker: &Unpacker<'_>) -> Option<Refused> {
    let code = unpacker.clone().uint("code").ok()?;
    Some(if code == 0xf0 { Refused::Unidentified } else { Refused::Other(code) })
}
