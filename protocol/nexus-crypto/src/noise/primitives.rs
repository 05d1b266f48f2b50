//! What `snow` computes with: this crate's X25519, which refuses an agreement that is zero, this crate's AEAD, BLAKE2b,
//! and a generator that knows one key.

use alloc::boxed::Box;

use blake2::{Blake2b512, Digest as _};
use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::aead::{AeadKey, Nonce, Tag};
use crate::exchange::{EphemeralPublic, ExchangePublic, ExchangeSecret};
use crate::secret::hidden;

/// The secret of a handshake's ephemeral key, kept as bytes so that the same state can be made again.
#[derive(ZeroizeOnDrop)]
pub(super) struct Ephemeral(pub(super) [u8; 32]);

impl Ephemeral {
    /// One more of it, for `snow` to own. By name, because secrets are not `Clone`.
    pub(super) const fn copy(&self) -> Self {
        Self(self.0)
    }
}

hidden!(Ephemeral);

/// The primitives of one handshake, whose ephemeral key is given.
pub(super) struct Primitives(pub(super) Ephemeral);

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(self.0.copy()))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(X25519 { secret: None, public: ExchangePublic([0; 32]) })),
            DHChoice::Curve448 => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        match choice {
            HashChoice::Blake2b => Some(Box::new(Blake2b(Blake2b512::new()))),
            HashChoice::Blake2s | HashChoice::SHA256 | HashChoice::SHA512 => None,
        }
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::ChaChaPoly => Some(Box::new(ChaChaPoly(None))),
            CipherChoice::AESGCM => None,
        }
    }
}

/// All the randomness that a pattern of ours asks for is one ephemeral key.
impl Random for Ephemeral {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let key = dest.first_chunk_mut().ok_or(Error::Rng)?;
        *key = self.0;
        Ok(())
    }
}

/// A key pair. Noise computes alike with static and with ephemeral keys, so here they are one type.
struct X25519 {
    secret: Option<ExchangeSecret>,
    public: ExchangePublic,
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, privkey: &[u8]) {
        let secret = privkey.first_chunk().expect("the keys that snow is given have 32 bytes");
        let secret = ExchangeSecret::from_bytes(secret);
        self.public = secret.public();
        self.secret = Some(secret);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(secret.as_mut_slice())?;
        self.set(secret.as_slice());
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_ref().map_or(&[], |secret| secret.expose())
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let secret = self.secret.as_ref().ok_or(Error::Dh)?;
        // snow's buffers are as long as the longest key that it knows.
        let theirs = EphemeralPublic(*pubkey.first_chunk().ok_or(Error::Dh)?);
        let shared = secret.agree(&theirs).map_err(|_| Error::Dh)?;
        *out.first_chunk_mut().ok_or(Error::Dh)? = *shared.expose();
        Ok(())
    }
}

struct ChaChaPoly(Option<AeadKey>);

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(AeadKey::from_bytes(*key));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let key = self.0.as_ref().expect("snow encrypts once there is a key");
        let room = "a message buffer holds every message of ours";
        let (body, rest) = out.split_at_mut_checked(plaintext.len()).expect(room);
        body.copy_from_slice(plaintext);
        let tag = key.seal_in_place(Nonce::counter(nonce), authtext, body);
        *rest.first_chunk_mut().expect(room) = tag.0;
        plaintext.len().saturating_add(Tag::LEN)
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let key = self.0.as_ref().ok_or(Error::Decrypt)?;
        let (sealed, tag) = ciphertext.split_last_chunk().ok_or(Error::Decrypt)?;
        let body = out.get_mut(..sealed.len()).ok_or(Error::Decrypt)?;
        body.copy_from_slice(sealed);
        key.open_in_place(Nonce::counter(nonce), authtext, body, &Tag(*tag)).map_err(|_| Error::Decrypt)?;
        Ok(sealed.len())
    }
}

struct Blake2b(Blake2b512);

impl Hash for Blake2b {
    fn name(&self) -> &'static str {
        "BLAKE2b"
    }

    fn block_len(&self) -> usize {
        128
    }

    fn hash_len(&self) -> usize {
        64
    }

    fn reset(&mut self) {
        self.0 = Blake2b512::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash: [u8; 64] = core::mem::take(&mut self.0).finalize().into();
        *out.first_chunk_mut().expect("snow's hashes have room for 64 bytes") = hash;
    }
}
