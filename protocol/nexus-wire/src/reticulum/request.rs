//! Requests and responses on a link. Source: spec/reticulum.md#on-a-link.

use alloc::vec::Vec;

use super::msgpack::{Float, Packer, Unpacker};
use super::resource::{PathHash, RequestId};
use crate::codec::DecodeError;

/// Asks for what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// When, by the clock of who asks, in Unix seconds.
    pub at: Float,
    /// The path.
    pub path: PathHash,
    /// The question, one value of `MessagePack`.
    pub data: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads the plaintext of one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new("request", bytes);
        if unpacker.array("request")? != 3 {
            return Err(unpacker.refused("request"));
        }
        let (at, path) = (unpacker.float("time")?, PathHash(unpacker.bin_array("path")?));
        let data = unpacker.value("data")?;
        unpacker.finish("data")?;
        Ok(Self { at, path, data })
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let packer = Packer::default().array(3).float(self.at).bin(self.path.as_bytes());
        packer.value(self.data).into_bytes()
    }
}

/// Answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Which.
    pub request: RequestId,
    /// The answer, one value of `MessagePack`.
    pub data: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads the plaintext of one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new("response", bytes);
        if unpacker.array("response")? != 2 {
            return Err(unpacker.refused("response"));
        }
        let request = RequestId(unpacker.bin_array("request id")?);
        let data = unpacker.value("data")?;
        unpacker.finish("data")?;
        Ok(Self { request, data })
    }

    /// The plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Packer::default().array(2).bin(self.request.as_bytes()).value(self.data).into_bytes()
    }
}
