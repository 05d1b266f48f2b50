//! Who signs and who verifies: the only door between an account and cryptography.
//!
//! Accounts are generic over it, so that what the model checker explores is the code that runs: there a signature is who signed
//! what, here it is Ed25519 under ZIP 215, the one rule wherever replicas decide.

use core::fmt::Debug;
use core::hash::Hash;

use nexus_crypto::{Message, NodeIdentity, Signature, VerifyingKey};
use nexus_wire::nexus::channel::{ChannelBody, SettlementBody};

/// One of the two parties of a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The lower id: it proposes even sequences.
    A,
    /// The higher id: it proposes odd ones.
    B,
}

impl Side {
    /// The other party.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Whether `sequence` is in this party's lane.
    #[must_use]
    pub const fn has_lane_of(self, sequence: u64) -> bool {
        match self {
            Self::A => sequence & 1 == 0,
            Self::B => sequence & 1 == 1,
        }
    }

    /// The least sequence in this party's lane above `floor`, unless there is none.
    #[must_use]
    pub fn next_above(self, floor: u64) -> Option<u64> {
        let next = floor.checked_add(1)?;
        if self.has_lane_of(next) { Some(next) } else { next.checked_add(1) }
    }
}

/// One thing for each party.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Both<T> {
    /// The lower id's.
    pub a: T,
    /// The higher id's.
    pub b: T,
}

impl<T> Both<T> {
    /// `own` for `side`, `other` for the other party.
    pub fn of(side: Side, own: T, other: T) -> Self {
        match side {
            Side::A => Self { a: own, b: other },
            Side::B => Self { a: other, b: own },
        }
    }

    /// `side`'s.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

/// What a party signs about a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signed {
    /// A state.
    State(ChannelBody),
    /// A settlement.
    Settlement(SettlementBody),
    /// The last settlement.
    Close(SettlementBody),
}

impl Signed {
    fn message<R>(&self, then: impl FnOnce(&Message<'_>) -> R) -> R {
        match self {
            Self::State(body) => body.signed(then),
            Self::Settlement(body) => body.signed(then),
            Self::Close(body) => body.signed_as_close(then),
        }
    }
}

/// The keys of one channel, as one of its parties holds them.
pub trait Keys {
    /// What signing makes. The same for the same, always.
    type Sig: Clone + PartialEq + Eq + Hash + Debug;

    /// This party's signature.
    fn sign(&self, what: &Signed) -> Self::Sig;

    /// Whether `by` has signed `what` with `sig`.
    fn verify(&self, by: Side, what: &Signed, sig: &Self::Sig) -> bool;
}

/// The public keys alone: what anybody verifies with.
#[derive(Clone, Copy, Debug)]
pub struct PublicKeys(pub Both<VerifyingKey>);

impl PublicKeys {
    /// Whether `by` has signed `what` with `sig`, by ZIP 215.
    #[must_use]
    pub fn verify(&self, by: Side, what: &Signed, sig: &Signature) -> bool {
        what.message(|message| self.0.get(by).verify(message, sig)).is_ok()
    }
}

/// The keys of a node and its neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Keyring<'a> {
    /// This node.
    pub own: &'a NodeIdentity,
    /// Both public keys.
    pub public: PublicKeys,
}

impl Keys for Keyring<'_> {
    type Sig = Signature;

    fn sign(&self, what: &Signed) -> Signature {
        what.message(|message| self.own.sign(message))
    }

    fn verify(&self, by: Side, what: &Signed, sig: &Signature) -> bool {
        self.public.verify(by, what, sig)
    }
}
