//! Public identities: any that Reticulum may carry, and those that keep NEXUS's rules.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use thiserror::Error;

use super::halves;
use crate::exchange::ExchangePublic;
use crate::fixed_bytes;
use crate::hash::sha256_truncated;
use crate::ids::{IdentityHash, NodeId};
use crate::sign::VerifyingKey;

fixed_bytes! {
    /// Any Reticulum identity's public key: X25519 ‖ Ed25519. Nothing is said about either half being a point.
    /// Source: spec/reticulum.md#identity.
    IdentityPublic, 64
}

impl IdentityPublic {
    /// The identity with these halves.
    #[must_use]
    pub const fn new(exchange: ExchangePublic, verifying: VerifyingKey) -> Self {
        let mut both = [0; 64];
        let (first, second) = both.split_at_mut(32);
        first.copy_from_slice(&exchange.0);
        second.copy_from_slice(&verifying.0);
        Self(both)
    }

    /// The X25519 half, to which others encrypt.
    #[must_use]
    pub fn exchange(&self) -> ExchangePublic {
        ExchangePublic(*halves(&self.0).0)
    }

    /// The Ed25519 half, with which its signatures are verified.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey(*halves(&self.0).1)
    }

    /// `SHA-256(X25519 ‖ Ed25519)[..16]`.
    #[must_use]
    pub fn hash(&self) -> IdentityHash {
        IdentityHash(sha256_truncated(&[&self.0]))
    }
}

/// A public identity that keeps NEXUS's rules, with the addresses that follow from it. There is no other way to one
/// than through the rules; everything that NEXUS keeps about a peer is keyed by its [`NodeId`] and pinned to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePublic {
    identity: IdentityPublic,
    hash: IdentityHash,
    node_id: NodeId,
}

/// Which of NEXUS's rules an identity breaks. It may be a good Reticulum identity all the same; NEXUS's extensions are
/// ignored for it and no link is made. Source: spec/crypto.md#identity-rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotANode {
    /// The Ed25519 half does not decode, or the X25519 key is on the curve's twist.
    #[error("the key is not on the curve")]
    NotOnCurve,
    /// The Ed25519 half is a second encoding of its point.
    #[error("the Ed25519 key is not the canonical encoding of its point")]
    NotCanonical,
    /// The Ed25519 half is one of the eight points whose order divides eight.
    #[error("the Ed25519 key is of small order")]
    SmallOrder,
    /// The Ed25519 half has a component of small order: one of an honest key's aliases.
    #[error("the Ed25519 key is outside the prime-order group")]
    NotTorsionFree,
    /// The X25519 half belongs to another key, or is a second encoding of the right one.
    #[error("the X25519 key is not the image of the Ed25519 key")]
    ExchangeKeyMismatch,
}

/// The sign of an Edwards point's x coordinate: what the birational map to X25519 forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdwardsSign {
    /// x is even; sign bit 0.
    Even,
    /// x is odd; sign bit 1.
    Odd,
}

impl NodePublic {
    /// Holds `identity` to NEXUS's rules. Costs a decoding and a multiplication by the group's order.
    pub fn check(identity: IdentityPublic) -> Result<Self, NotANode> {
        let verifying = identity.verifying();
        let point = CompressedEdwardsY(verifying.0).decompress().ok_or(NotANode::NotOnCurve)?;
        if point.compress().0 != verifying.0 {
            return Err(NotANode::NotCanonical);
        }
        Self::check_point(identity, &point)
    }

    /// The identity behind a link handshake's static key: its Ed25519 half is recovered by the inverse map and the sign
    /// that the handshake carried, then the same rules hold.
    pub fn recover(exchange: &ExchangePublic, sign: EdwardsSign) -> Result<Self, NotANode> {
        let sign_bit = match sign {
            EdwardsSign::Even => 0,
            EdwardsSign::Odd => 1,
        };
        let point = MontgomeryPoint(exchange.0).to_edwards(sign_bit).ok_or(NotANode::NotOnCurve)?;
        let verifying = VerifyingKey(point.compress().0);
        Self::check_point(IdentityPublic::new(*exchange, verifying), &point)
    }

    /// The identity of a bare Ed25519 key, held to the same rules: its X25519 half is the key's image.
    pub fn of_verifying(verifying: VerifyingKey) -> Result<Self, NotANode> {
        let point = CompressedEdwardsY(verifying.0).decompress().ok_or(NotANode::NotOnCurve)?;
        if point.compress().0 != verifying.0 {
            return Err(NotANode::NotCanonical);
        }
        let exchange = ExchangePublic(point.to_montgomery().0);
        Self::check_point(IdentityPublic::new(exchange, verifying), &point)
    }

    fn check_point(identity: IdentityPublic, point: &EdwardsPoint) -> Result<Self, NotANode> {
        if point.is_small_order() {
            Err(NotANode::SmallOrder)
        } else if !point.is_torsion_free() {
            Err(NotANode::NotTorsionFree)
        } else if point.to_montgomery().0 != identity.exchange().0 {
            Err(NotANode::ExchangeKeyMismatch)
        } else {
            Ok(Self::of_own(identity))
        }
    }

    /// An identity made from a seed here, which keeps the rules by construction.
    pub(super) fn of_own(identity: IdentityPublic) -> Self {
        let hash = identity.hash();
        Self { identity, hash, node_id: NodeId::of(hash) }
    }

    /// The 64 public bytes.
    #[must_use]
    pub const fn identity(&self) -> &IdentityPublic {
        &self.identity
    }

    /// The identity's hash, which is the node's transport id.
    #[must_use]
    pub const fn hash(&self) -> IdentityHash {
        self.hash
    }

    /// The node's address.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// The key with which its signatures are verified.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        self.identity.verifying()
    }

    /// The key to which others encrypt, and its link handshakes' static key.
    #[must_use]
    pub fn exchange(&self) -> ExchangePublic {
        self.identity.exchange()
    }

    /// What a link handshake says beside the static key, so that the peer can [`NodePublic::recover`] this identity.
    #[must_use]
    pub fn sign(&self) -> EdwardsSign {
        // RFC 8032 §5.1.2: the last bit of the encoding is the least significant bit of x.
        if self.identity.0.last().is_some_and(|last| last & 0x80 != 0) {
            EdwardsSign::Odd
        } else {
            EdwardsSign::Even
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use nexus_machine::Seed;
    use proptest::prelude::*;

    use crate::exchange::EphemeralSecret;
    use crate::identity::{IdentitySeed, NodeIdentity};

    proptest! {
        #[test]
        fn of_all_single_bits_only_the_sign_leads_to_another_node(seed: [u8; 32], bit in 0_usize..512) {
            let mut flipped = *NodeIdentity::from_seed(IdentitySeed::from_bytes(seed)).public().identity();
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(NodePublic::check(flipped).is_ok(), bit == 511);
        }

        #[test]
        fn what_is_recovered_keeps_the_rules(u: [u8; 32], odd: bool) {
            let sign = if odd { EdwardsSign::Odd } else { EdwardsSign::Even };
            if let Ok(node) = NodePublic::recover(&ExchangePublic(u), sign) {
                prop_assert_eq!((node.exchange().0, node.sign()), (u, sign));
                prop_assert_eq!(NodePublic::of_verifying(node.verifying()), Ok(node));
                prop_assert_eq!(NodePublic::check(*node.identity()), Ok(node));
            }
        }
    }

    #[test]
    fn all_small_order_points_are_refused_in_every_encoding() {
        for point in EIGHT_TORSION {
            let identity = with_own_image(&point);
            assert_eq!(NodePublic::check(identity), Err(NotANode::SmallOrder));
            assert_eq!(NodePublic::of_verifying(identity.verifying()), Err(NotANode::SmallOrder));
        }
        let encodings = non_canonical_small_order_encodings();
        assert_eq!(encodings.len(), 6);
        for encoding in encodings {
            let point = CompressedEdwardsY(encoding).decompress().expect("it decodes, that is the trouble");
            assert!(point.is_small_order());
            let exchange = ExchangePublic(point.to_montgomery().0);
            let identity = IdentityPublic::new(exchange, VerifyingKey(encoding));
            assert_eq!(NodePublic::check(identity), Err(NotANode::NotCanonical));
            assert_eq!(NodePublic::of_verifying(VerifyingKey(encoding)), Err(NotANode::NotCanonical));
        }
    }

    /// An honest key has 8 points with its X25519 behaviour, their negatives, and each of their images two encodings
    /// (RFC 7748 ignores the top bit). Of the 32, only the key and its negative are let through: the negative keeps every
    /// rule, whoever holds the one's scalar holds the other's, and it is as much work as another seed.
    #[test]
    fn aliases_with_the_same_x25519_behaviour_are_refused() {
        let honest = NodeIdentity::from_seed(IdentitySeed::from_bytes([3; 32]));
        let point = CompressedEdwardsY(honest.public().verifying().0).decompress().unwrap();
        let mut accepted = Vec::new();
        for torsion in EIGHT_TORSION {
            for alias in [point + torsion, -point + torsion] {
                let identity = with_own_image(&alias);
                let mut high_bit = identity.exchange();
                high_bit.0[31] |= 0x80;
                let other_encoding = IdentityPublic::new(high_bit, identity.verifying());
                for candidate in [identity, other_encoding] {
                    assert_eq!(shared(&candidate.exchange()), shared(&honest.public().exchange()));
                    accepted.extend(NodePublic::check(candidate).ok());
                    accepted.extend(NodePublic::recover(&candidate.exchange(), EdwardsSign::Even).ok());
                }
                let borrowed =
                    IdentityPublic::new(honest.public().exchange(), VerifyingKey(alias.compress().0));
                accepted.extend(NodePublic::check(borrowed).ok());
            }
        }
        accepted.sort_by_key(NodePublic::node_id);
        accepted.dedup();
        assert_eq!(accepted.len(), 2);
        for node in accepted {
            assert_eq!(node.exchange(), honest.public().exchange());
            let negative = VerifyingKey((-point).compress().0);
            assert!(node == *honest.public() || node.verifying() == negative);
        }
    }

    #[test]
    fn each_alias_is_refused_for_its_own_reason() {
        let honest = NodeIdentity::from_seed(IdentitySeed::from_bytes([4; 32]));
        let point = CompressedEdwardsY(honest.public().verifying().0).decompress().unwrap();
        for torsion in EIGHT_TORSION.iter().skip(1) {
            let alias = with_own_image(&(point + torsion));
            assert_eq!(NodePublic::check(alias), Err(NotANode::NotTorsionFree));
            assert_eq!(NodePublic::of_verifying(alias.verifying()), Err(NotANode::NotTorsionFree));
            let recovered = NodePublic::recover(&alias.exchange(), alias_sign(&alias));
            assert_eq!(recovered, Err(NotANode::NotTorsionFree));
        }
        let mut high_bit = honest.public().exchange();
        high_bit.0[31] |= 0x80;
        let other_encoding = IdentityPublic::new(high_bit, honest.public().verifying());
        assert_eq!(NodePublic::check(other_encoding), Err(NotANode::ExchangeKeyMismatch));
        let recovered = NodePublic::recover(&high_bit, honest.public().sign());
        assert_eq!(recovered, Err(NotANode::ExchangeKeyMismatch));
    }

    #[test]
    fn points_off_the_curve_are_refused_in_both_halves() {
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut two = [0; 32];
        two[0] = 2;
        for u in [minus_one, two] {
            for sign in [EdwardsSign::Even, EdwardsSign::Odd] {
                assert_eq!(NodePublic::recover(&ExchangePublic(u), sign), Err(NotANode::NotOnCurve));
            }
        }
        let no_point = IdentityPublic::new(ExchangePublic(two), VerifyingKey(two));
        assert_eq!(NodePublic::check(no_point), Err(NotANode::NotOnCurve));
        let mut random = Seed::new([6; 32]).fork("u");
        let on_curve = (0..200)
            .filter(|_| {
                let u = ExchangePublic(random.bytes());
                NodePublic::recover(&u, EdwardsSign::Even) != Err(NotANode::NotOnCurve)
            })
            .count();
        assert!((60..140).contains(&on_curve), "half of all u are on the twist; {on_curve} of 200 were not");
    }

    #[test]
    fn the_small_order_u_coordinates_recover_nothing() {
        for u in EIGHT_TORSION.map(|point| ExchangePublic(point.to_montgomery().0)) {
            for sign in [EdwardsSign::Even, EdwardsSign::Odd] {
                assert!(NodePublic::recover(&u, sign).is_err());
            }
        }
    }

    fn with_own_image(point: &EdwardsPoint) -> IdentityPublic {
        IdentityPublic::new(ExchangePublic(point.to_montgomery().0), VerifyingKey(point.compress().0))
    }

    fn alias_sign(identity: &IdentityPublic) -> EdwardsSign {
        if identity.verifying().0[31] >> 7 == 0 { EdwardsSign::Even } else { EdwardsSign::Odd }
    }

    fn shared(theirs: &ExchangePublic) -> [u8; 32] {
        let ephemeral = EphemeralSecret::generate(&mut Seed::new([8; 32]).fork("ephemeral"));
        *ephemeral.agree(theirs).unwrap().expose()
    }

    /// Second encodings of points of small order: y = 1 and y = −1 with a sign that x = 0 does not have, and y + p for
    /// y = 0 and y = 1 with either sign (RFC 8032 §5.1.3 refuses them all).
    fn non_canonical_small_order_encodings() -> Vec<[u8; 32]> {
        let little = |first: u8, middle: u8, last: u8| {
            let mut bytes = [middle; 32];
            (bytes[0], bytes[31]) = (first, last);
            bytes
        };
        Vec::from([
            little(0x01, 0x00, 0x80),
            little(0xec, 0xff, 0xff),
            little(0xed, 0xff, 0x7f),
            little(0xed, 0xff, 0xff),
            little(0xee, 0xff, 0x7f),
            little(0xee, 0xff, 0xff),
        ])
    }
}
