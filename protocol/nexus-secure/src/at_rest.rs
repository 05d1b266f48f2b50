//! The identity on disk: key files, plain or under a passphrase. Bytes in, bytes out; the host reads and writes the file,
//! refuses one that others may read, and never overwrites one. Spec: spec/wire.md#key-file.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::passphrase::{Argon2Cost, NoKey, stretch};
use nexus_crypto::{IdentitySeed, Nonce, Tag};
use nexus_machine::Stream;
use nexus_wire::DecodeError;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::key_file::{KeyFile, Lock, LockedSeed};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a key file gives no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CannotOpen {
    /// It is not a key file.
    #[error("this is not a key file: {0}")]
    NotAKeyFile(DecodeError),
    /// It is locked, and no passphrase was given.
    #[error("the key file is locked: a passphrase is needed")]
    Locked,
    /// The passphrase is wrong, or the file was changed: the two cannot be told apart.
    #[error("the passphrase is wrong, or the key file is damaged")]
    WrongPassphrase,
    /// No key could be made from the passphrase.
    #[error(transparent)]
    NoKey(#[from] NoKey),
}

/// The identity in a key file. A passphrase given for a plain file is not needed and not looked at.
pub fn open(file: &[u8], passphrase: Option<&[u8]>) -> Result<IdentitySeed, CannotOpen> {
    match KeyFile::decode(file).map_err(CannotOpen::NotAKeyFile)? {
        KeyFile::Plain { seed } => Ok(IdentitySeed::from_bytes(*seed)),
        KeyFile::Locked(LockedSeed { lock, ciphertext, tag }) => {
            let key = stretch(passphrase.ok_or(CannotOpen::Locked)?, &lock.salt, lock.cost)?;
            let mut seed = Zeroizing::new(*ciphertext);
            key.open_in_place(Nonce::from_bytes(lock.nonce), &lock.aad(), seed.as_mut(), &Tag(*tag))
                .map_err(|_| CannotOpen::WrongPassphrase)?;
            Ok(IdentitySeed::from_bytes(*seed))
        }
    }
}

/// A plain key file: for media that are protected themselves. Erased when dropped.
#[must_use]
pub fn plain(seed: &IdentitySeed) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(encoded(&KeyFile::Plain { seed: seed.expose() }))
}

/// A key file under `passphrase`, with fresh salt and nonce. Takes as long as the cost says, by design.
pub fn locked(
    seed: &IdentitySeed,
    passphrase: &[u8],
    cost: Argon2Cost,
    random: &mut Stream,
) -> Result<Vec<u8>, NoKey> {
    let lock = Lock { cost, salt: random.bytes(), nonce: *Nonce::random(random).as_bytes() };
    let key = stretch(passphrase, &lock.salt, cost)?;
    let mut sealed = Zeroizing::new(*seed.expose());
    let tag = key.seal_in_place(Nonce::from_bytes(lock.nonce), &lock.aad(), sealed.as_mut());
    Ok(encoded(&KeyFile::Locked(LockedSeed { lock, ciphertext: &sealed, tag: &tag.0 })))
}

fn encoded(file: &KeyFile<'_>) -> Vec<u8> {
    let mut bytes = vec![0; file.encoded_len()];
    file.encode(&mut bytes).expect("the buffer has the encoding's own length");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    /// The least that is allowed, so that a test takes milliseconds.
    fn cheap() -> Argon2Cost {
        Argon2Cost::new(8_192, 1, 1).unwrap()
    }

    fn random() -> Stream {
        Seed::new([3; 32]).fork("key file")
    }

    #[test]
    fn a_plain_file_opens_with_or_without_a_passphrase() {
        let file = plain(&IdentitySeed::from_bytes([7; 32]));
        assert_eq!(file[..4], *b"NK\x01\x00");
        assert_eq!(open(&file, None).unwrap().expose(), &[7; 32]);
        assert_eq!(open(&file, Some(b"unneeded")).unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn a_locked_file_opens_with_its_passphrase_only() {
        let file =
            locked(&IdentitySeed::from_bytes([7; 32]), b"correct horse", cheap(), &mut random()).unwrap();
        assert!(!file.windows(8).any(|window| window == [7; 8]), "the seed is not in it");
        assert_eq!(open(&file, Some(b"correct horse")).unwrap().expose(), &[7; 32]);
        assert_eq!(open(&file, Some(b"correct horsf")).unwrap_err(), CannotOpen::WrongPassphrase);
        assert_eq!(open(&file, Some(b"")).unwrap_err(), CannotOpen::WrongPassphrase);
        assert_eq!(open(&file, None).unwrap_err(), CannotOpen::Locked);
    }

    #[test]
    fn no_byte_of_a_locked_file_can_be_changed() {
        let file = locked(&IdentitySeed::from_bytes([7; 32]), b"x", cheap(), &mut random()).unwrap();
        // Memory and passes are left alone here: changed ones only make the wrong key slower.
        for at in (0..4).chain(10..file.len()) {
            let mut changed = file.clone();
            changed[at] ^= 0x04;
            assert!(open(&changed, Some(b"x")).is_err(), "byte {at}");
        }
    }

    #[test]
    fn two_files_of_one_identity_share_nothing_random() {
        let (mut random, seed) = (random(), IdentitySeed::from_bytes([7; 32]));
        let one = locked(&seed, b"x", cheap(), &mut random).unwrap();
        let other = locked(&seed, b"x", cheap(), &mut random).unwrap();
        assert_ne!(one[10..26], other[10..26], "salt");
        assert_ne!(one[26..38], other[26..38], "nonce");
    }

    #[test]
    fn what_is_no_key_file_is_refused_with_the_field() {
        use alloc::string::ToString as _;
        let refusal = open(b"NK\x02\x00", None).unwrap_err().to_string();
        assert_eq!(refusal, "this is not a key file: key-file.version: an unsupported version");
    }
}
