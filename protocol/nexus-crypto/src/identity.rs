//! Who somebody is: one Ed25519 seed from which every other key of a NEXUS node follows, and the 64 public bytes by
//! which Reticulum knows it. Source: spec/crypto.md#identity.

mod public;

pub use public::{EdwardsSign, IdentityPublic, NodePublic, NotANode};

use nexus_machine::Stream;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::exchange::ExchangeSecret;
use crate::fixed_bytes;
use crate::hash::derive_key;
use crate::ids::{IdentityHash, NodeId};
use crate::secret::{constant_time_eq, hidden};
use crate::sign::{Message, Signature, SigningKey};
use crate::vrf::VrfSecret;

/// The secret from which a NEXUS node's keys follow: an Ed25519 seed (RFC 8032 §5.1.5). Erased when dropped, never
/// printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct IdentitySeed([u8; 32]);

impl IdentitySeed {
    /// The seed that was stored as these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh seed. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self(random.bytes())
    }

    /// The secret bytes, to be stored.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for IdentitySeed {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for IdentitySeed {}

fixed_bytes! {
    /// The public key with which a node's lottery draws are verified: derived from its seed, but not its signing key.
    VrfPublicKey, 32
}

/// A NEXUS node's secret identity. It signs what NEXUS signs; what Reticulum asks of an identity, the same keys do as
/// [`NodeIdentity::as_reticulum`].
#[derive(Debug, ZeroizeOnDrop)]
pub struct NodeIdentity {
    seed: IdentitySeed,
    reticulum: ReticulumIdentity,
    #[zeroize(skip)]
    public: NodePublic,
}

impl NodeIdentity {
    /// The identity of a seed: the Ed25519 key signs, and the X25519 key is the same clamped scalar, so that its public
    /// half is the Ed25519 key's birational image (RFC 7748 §4.1).
    #[must_use]
    pub fn from_seed(seed: IdentitySeed) -> Self {
        let exchange = ExchangeSecret::from_bytes(&SigningKey::scalar_bytes(&seed.0));
        let reticulum = ReticulumIdentity::from_keys(exchange, &seed.0);
        let public = NodePublic::of_own(*reticulum.public());
        Self { seed, reticulum, public }
    }

    /// The public identity.
    #[must_use]
    pub const fn public(&self) -> &NodePublic {
        &self.public
    }

    /// The node's address.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.public.node_id()
    }

    /// The seed, to be stored.
    #[must_use]
    pub const fn seed(&self) -> &IdentitySeed {
        &self.seed
    }

    /// The key of the node's VRF: that of `BLAKE3.derive_key("nexus vrf v1", seed)`, made as RFC 9381 §5.5 makes it, which is
    /// how RFC 8032 does.
    #[must_use]
    pub fn vrf(&self) -> VrfSecret {
        VrfSecret::from_seed(&Zeroizing::new(derive_key("nexus vrf v1", &self.seed.0)))
    }

    /// The public half of [`NodeIdentity::vrf`].
    #[must_use]
    pub fn vrf_public(&self) -> VrfPublicKey {
        self.vrf().public()
    }

    /// Signs a message of NEXUS's own.
    #[must_use]
    pub fn sign(&self, message: &Message<'_>) -> Signature {
        self.reticulum.signing.sign(message)
    }

    /// The same keys as a Reticulum identity, for what Reticulum's formats ask for.
    #[must_use]
    pub const fn as_reticulum(&self) -> &ReticulumIdentity {
        &self.reticulum
    }
}

/// Any Reticulum identity's secret: an X25519 key and an Ed25519 key, independent of each other in a stock identity.
/// Erased when dropped, never printed.
#[derive(ZeroizeOnDrop)]
pub struct ReticulumIdentity {
    exchange: ExchangeSecret,
    signing: SigningKey,
    seed: [u8; 32],
    #[zeroize(skip)]
    public: IdentityPublic,
    #[zeroize(skip)]
    hash: IdentityHash,
}

impl ReticulumIdentity {
    /// The identity that stock Reticulum stores as these bytes: X25519 secret ‖ Ed25519 seed.
    #[must_use]
    pub fn from_private_blob(blob: &[u8; 64]) -> Self {
        let (exchange, seed) = halves(blob);
        Self::from_keys(ExchangeSecret::from_bytes(exchange), seed)
    }

    /// The identity as stock Reticulum stores it.
    #[must_use]
    pub fn to_private_blob(&self) -> Zeroizing<[u8; 64]> {
        let mut blob = Zeroizing::new([0; 64]);
        let (exchange, seed) = blob.split_at_mut(32);
        exchange.copy_from_slice(self.exchange.expose());
        seed.copy_from_slice(&self.seed);
        blob
    }

    /// A fresh stock identity. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self::from_private_blob(&Zeroizing::new(random.bytes()))
    }

    fn from_keys(exchange: ExchangeSecret, seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_seed(seed);
        let public = IdentityPublic::new(exchange.public(), signing.public());
        Self { exchange, signing, seed: *seed, public, hash: public.hash() }
    }

    /// The public identity.
    #[must_use]
    pub const fn public(&self) -> &IdentityPublic {
        &self.public
    }

    /// The identity's hash. A relay's is its transport id.
    #[must_use]
    pub const fn hash(&self) -> IdentityHash {
        self.hash
    }

    /// The X25519 half.
    #[must_use]
    pub const fn exchange(&self) -> &ExchangeSecret {
        &self.exchange
    }

    /// Signs what Reticulum prescribes: see [`SigningKey::sign_untagged`].
    #[must_use]
    pub fn sign_untagged(&self, parts: &[&[u8]]) -> Signature {
        self.signing.sign_untagged(parts)
    }
}

/// The X25519 half and the Ed25519 half of 64 bytes.
fn halves(bytes: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    let (exchange, ed25519) = bytes.split_first_chunk::<32>().expect("64 bytes begin with 32");
    (exchange, ed25519.first_chunk().expect("32 bytes are left"))
}

hidden!(IdentitySeed, ReticulumIdentity);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use nexus_machine::Seed;
    use proptest::prelude::*;

    use crate::exchange::EphemeralSecret;
    use crate::sign::DomainTag;

    proptest! {
        #[test]
        fn every_seed_makes_an_identity_that_keeps_the_rules(seed: [u8; 32]) {
            let node = NodeIdentity::from_seed(IdentitySeed::from_bytes(seed));
            prop_assert_eq!(NodePublic::check(*node.public().identity()), Ok(*node.public()));
            let recovered = NodePublic::recover(&node.public().exchange(), node.public().sign());
            prop_assert_eq!(recovered, Ok(*node.public()));
        }

        #[test]
        fn both_sides_of_an_exchange_agree(seed: [u8; 32], entropy: [u8; 32]) {
            let node = NodeIdentity::from_seed(IdentitySeed::from_bytes(seed));
            let ephemeral = EphemeralSecret::generate(&mut Seed::new(entropy).fork("ephemeral"));
            let ours = node.as_reticulum().exchange().agree(&ephemeral.public()).unwrap();
            let theirs = ephemeral.agree(&node.public().exchange()).unwrap();
            prop_assert_eq!(ours.expose(), theirs.expose());
        }

        #[test]
        fn a_private_blob_is_read_as_it_was_written(blob: [u8; 64]) {
            let identity = ReticulumIdentity::from_private_blob(&blob);
            prop_assert_eq!(*identity.to_private_blob(), blob);
            prop_assert_eq!(identity.public().hash(), identity.hash());
        }
    }

    #[test]
    fn a_stock_identitys_halves_are_independent_so_it_is_no_node() {
        let stock = ReticulumIdentity::generate(&mut Seed::new([5; 32]).fork("stock"));
        assert_eq!(NodePublic::check(*stock.public()), Err(NotANode::ExchangeKeyMismatch));
    }

    #[test]
    fn a_node_signs_both_as_nexus_and_as_reticulum() {
        let node = NodeIdentity::from_seed(IdentitySeed::generate(&mut Seed::new([1; 32]).fork("node")));
        let parts: [&[u8]; 1] = [b"one hundred"];
        let message = Message::new(DomainTag::TERMS, &parts).unwrap();
        let key = node.public().verifying();
        assert_eq!(key.verify(&message, &node.sign(&message)), Ok(()));
        let untagged = node.as_reticulum().sign_untagged(&parts);
        assert_eq!(key.verify_untagged(&parts, &untagged), Ok(()));
        assert!(key.verify(&message, &untagged).is_err(), "without the tag it is another message");
    }

    #[test]
    fn the_vrf_key_is_not_the_signing_key() {
        let node = NodeIdentity::from_seed(IdentitySeed::from_bytes([9; 32]));
        assert_ne!(node.vrf_public().0, node.public().verifying().0);
    }

    #[test]
    fn no_secret_prints_itself() {
        let node = NodeIdentity::from_seed(IdentitySeed::from_bytes([0xab; 32]));
        let printed = format!("{node:?} {:?}", node.as_reticulum().exchange());
        assert!(printed.contains("IdentitySeed(hidden)") && printed.ends_with("ExchangeSecret(hidden)"));
        assert!(!printed.contains("abab") && !printed.contains("171, 171"));
    }
}
