//! An identity at rest: the key file's bytes. Deriving the key and opening the seed is `nexus-secure`'s part.
//! Source: spec/wire.md#key-file.

use core::fmt;

use nexus_crypto::passphrase::{Argon2Cost, CostOutOfBounds};

use super::{Layout, require};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

const MAGIC: [u8; 2] = *b"NK";
const VERSION: u8 = 0x01;
const PLAIN: u8 = 0;
const ARGON2ID: u8 = 1;

/// A key file. Holds a secret in its plain form: never printed.
#[derive(Clone, Copy)]
pub enum KeyFile<'a> {
    /// `"NK" 01 00 ‖ seed`: for whom the medium itself is protected. 36 bytes.
    Plain {
        /// The Ed25519 seed.
        seed: &'a [u8; 32],
    },
    /// Under a passphrase. 86 bytes.
    Locked(LockedSeed<'a>),
}

/// A seed under a passphrase: how the key is derived, and the seed sealed with ChaCha20-Poly1305.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedSeed<'a> {
    /// What stands before the seed, and is its associated data.
    pub lock: Lock,
    /// The sealed seed.
    pub ciphertext: &'a [u8; 32],
    /// Its authentication tag.
    pub tag: &'a [u8; 16],
}

/// How a locked seed's key is derived (Argon2id v1.3, RFC 9106), and the nonce that it is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Memory, passes and lanes, within bounds.
    pub cost: Argon2Cost,
    /// Argon2id's salt.
    pub salt: [u8; 16],
    /// The ChaCha20-Poly1305 nonce.
    pub nonce: [u8; 12],
}

impl Lock {
    /// The length of [`Lock::aad`], in bytes.
    pub const LEN: usize = 2 + 1 + 1 + 4 + 1 + 1 + 16 + 12;

    /// The associated data of the sealed seed: all that stands before it in the file.
    #[must_use]
    pub fn aad(&self) -> [u8; Self::LEN] {
        let mut aad = [0; Self::LEN];
        self.write(&mut Writer::new(&mut aad)).expect("a lock has exactly this length");
        aad
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (memory_kib, passes, lanes) = (reader.u32_le("m")?, reader.u8("t")?, reader.u8("p")?);
        let cost = Argon2Cost::new(memory_kib, passes, lanes).map_err(|out_of| match out_of {
            CostOutOfBounds::Memory => reader.error("m", Fault::Value),
            CostOutOfBounds::Passes => reader.error("t", Fault::Value),
            CostOutOfBounds::Lanes => reader.error("p", Fault::Value),
        })?;
        Ok(Self { cost, salt: reader.array("salt")?, nonce: reader.array("nonce")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&MAGIC)?;
        out.put(&[VERSION, ARGON2ID])?;
        out.u32_le(self.cost.memory_kib())?;
        out.u8(self.cost.passes())?;
        out.u8(self.cost.lanes())?;
        out.put(&self.salt)?;
        out.put(&self.nonce)
    }
}

impl KeyFile<'_> {
    /// The length of a plain key file, in bytes.
    pub const PLAIN_LEN: usize = 2 + 1 + 1 + 32;
    /// The length of a locked one, in bytes.
    pub const LOCKED_LEN: usize = Lock::LEN + 32 + 16;
}

const _: () = assert!(KeyFile::PLAIN_LEN == 36 && KeyFile::LOCKED_LEN == 86, "spec/wire.md#key-file");

impl fmt::Debug for KeyFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { .. } => f.write_str("Plain(hidden)"),
            Self::Locked(locked) => f.debug_tuple("Locked").field(locked).finish(),
        }
    }
}

impl<'a> Layout<'a> for KeyFile<'a> {
    const NAME: &'static str = "key-file";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        require(reader.array("magic")? == MAGIC, reader, "magic", Fault::Value)?;
        require(reader.u8("version")? == VERSION, reader, "version", Fault::Version)?;
        match reader.u8("kdf")? {
            PLAIN => Ok(Self::Plain { seed: reader.array_ref("seed")? }),
            ARGON2ID => {
                let lock = Lock::read(reader)?;
                let (ciphertext, tag) = (reader.array_ref("seed")?, reader.array_ref("tag")?);
                Ok(Self::Locked(LockedSeed { lock, ciphertext, tag }))
            }
            _ => Err(reader.error("kdf", Fault::Value)),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Plain { seed } => {
                out.put(&MAGIC)?;
                out.put(&[VERSION, PLAIN])?;
                out.put(*seed)
            }
            Self::Locked(LockedSeed { lock, ciphertext, tag }) => {
                lock.write(out)?;
                out.put(*ciphertext)?;
                out.put(*tag)
            }
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Plain { .. } => Self::PLAIN_LEN,
            Self::Locked(_) => Self::LOCKED_LEN,
        }
    }
}
