//! What Reticulum sends to a SINGLE destination: `ephemeral X25519[32] ‖ token`, to the destination's newest ratchet or,
//! failing that, to its identity. The salt is the recipient's identity hash in both cases.
//!
//! Source: spec/crypto.md#tokens.

use alloc::vec::Vec;

use nexus_machine::Stream;
use thiserror::Error;

use crate::exchange::{
    EphemeralPublic, EphemeralSecret, NoAgreement, RatchetSecret, RecipientPublic, SharedSecret,
};
use crate::identity::ReticulumIdentity;
use crate::ids::{IdentityHash, RatchetId};
use crate::token::{TokenKey, token_length};

/// The length of what a plaintext of `plaintext` bytes becomes.
#[must_use]
pub const fn single_length(plaintext: usize) -> usize {
    token_length(plaintext).saturating_add(EphemeralPublic::LEN)
}

/// Encrypts to `key`, which belongs to the identity `recipient`. [`single_length`] bytes.
pub fn encrypt(
    recipient: IdentityHash,
    key: RecipientPublic<'_>,
    plaintext: &[u8],
    random: &mut Stream,
) -> Result<Vec<u8>, NoAgreement> {
    let ephemeral = EphemeralSecret::generate(random);
    let mut out = Vec::with_capacity(single_length(plaintext.len()));
    out.extend_from_slice(ephemeral.public().as_bytes());
    let shared = ephemeral.agree(&key)?;
    TokenKey::derive(&shared, recipient.as_bytes()).append(plaintext, random, &mut out);
    Ok(out)
}

/// Whether a destination that has ratchets still accepts what was encrypted to its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutRatchet {
    /// It does, so that whoever never heard a ratchet can write.
    Accepted,
    /// It does not: forward secrecy or nothing.
    Refused,
}

/// A message, and the key that opened it.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// What was sent.
    pub plaintext: Vec<u8>,
    /// To which of our keys.
    pub with: OpenedWith,
}

/// Which of the recipient's keys a message was encrypted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenedWith {
    /// This ratchet: the sender has heard an announce with it.
    Ratchet(RatchetId),
    /// The identity.
    Identity,
}

/// Decrypts with each of `ratchets`, newest first, then with the identity if that is accepted.
///
/// Every key tried costs a multiplication and an HMAC, and anybody can make all of them be tried: the caller bounds
/// how many ratchets it keeps.
pub fn decrypt<'a>(
    identity: &ReticulumIdentity,
    ratchets: impl IntoIterator<Item = &'a RatchetSecret>,
    without_ratchet: WithoutRatchet,
    ciphertext: &[u8],
) -> Result<Opened, NotOpened> {
    let (ephemeral, token) = ciphertext.split_first_chunk().ok_or(NotOpened)?;
    let ephemeral = EphemeralPublic(*ephemeral);
    let open = |shared: Result<SharedSecret, NoAgreement>| {
        TokenKey::derive(&shared.ok()?, identity.hash().as_bytes()).decrypt(token).ok()
    };
    for ratchet in ratchets {
        if let Some(plaintext) = open(ratchet.agree(&ephemeral)) {
            return Ok(Opened { plaintext, with: OpenedWith::Ratchet(ratchet.public().id()) });
        }
    }
    match without_ratchet {
        WithoutRatchet::Accepted => open(identity.exchange().agree(&ephemeral))
            .map(|plaintext| Opened { plaintext, with: OpenedWith::Identity })
            .ok_or(NotOpened),
        WithoutRatchet::Refused => Err(NotOpened),
    }
}

/// None of the keys that were tried opens the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no key of this identity opens the message")]
pub struct NotOpened;

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    use crate::exchange::ExchangePublic;

    #[test]
    fn a_message_opens_with_the_ratchet_it_was_encrypted_to() {
        let (identity, ratchets, mut random) = recipient();
        for ratchet in &ratchets {
            let public = ratchet.public();
            let sealed =
                encrypt(identity.hash(), RecipientPublic::Ratchet(&public), b"hello", &mut random).unwrap();
            assert_eq!(sealed.len(), single_length(5));
            let opened = decrypt(&identity, &ratchets, WithoutRatchet::Refused, &sealed).unwrap();
            let with = OpenedWith::Ratchet(public.id());
            assert_eq!(opened, Opened { plaintext: b"hello".to_vec(), with });
            assert_eq!(
                decrypt(&identity, [], WithoutRatchet::Accepted, &sealed),
                Err(NotOpened),
                "forgotten"
            );
        }
    }

    #[test]
    fn a_message_to_the_identity_opens_unless_ratchets_are_enforced() {
        let (identity, ratchets, mut random) = recipient();
        let public = identity.public().exchange();
        let sealed = encrypt(identity.hash(), RecipientPublic::Identity(&public), b"", &mut random).unwrap();
        let opened = decrypt(&identity, &ratchets, WithoutRatchet::Accepted, &sealed).unwrap();
        assert_eq!(opened, Opened { plaintext: Vec::new(), with: OpenedWith::Identity });
        assert_eq!(decrypt(&identity, &ratchets, WithoutRatchet::Refused, &sealed), Err(NotOpened));
    }

    #[test]
    fn a_message_for_another_identity_does_not_open_even_under_the_same_ratchet() {
        let (identity, ratchets, mut random) = recipient();
        let public = ratchets[0].public();
        let other = IdentityHash([0; 16]);
        let sealed = encrypt(other, RecipientPublic::Ratchet(&public), b"hello", &mut random).unwrap();
        assert_eq!(decrypt(&identity, &ratchets, WithoutRatchet::Accepted, &sealed), Err(NotOpened));
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_refused() {
        let (identity, ratchets, mut random) = recipient();
        for length in 0..200 {
            let mut bytes = alloc::vec![0; length];
            assert_eq!(decrypt(&identity, &ratchets, WithoutRatchet::Accepted, &bytes), Err(NotOpened));
            random.fill(&mut bytes);
            assert_eq!(decrypt(&identity, &ratchets, WithoutRatchet::Accepted, &bytes), Err(NotOpened));
        }
    }

    #[test]
    fn a_recipient_of_small_order_is_not_written_to() {
        let (identity, _, mut random) = recipient();
        let one = ExchangePublic(core::array::from_fn(|n| u8::from(n == 0)));
        let sealed = encrypt(identity.hash(), RecipientPublic::Identity(&one), b"hello", &mut random);
        assert_eq!(sealed, Err(NoAgreement));
    }

    fn recipient() -> (ReticulumIdentity, [RatchetSecret; 3], Stream) {
        let mut random = Seed::new([1; 32]).fork("single");
        let identity = ReticulumIdentity::generate(&mut random);
        let ratchets = core::array::from_fn(|_| RatchetSecret::generate(&mut random));
        (identity, ratchets, random)
    }
}
