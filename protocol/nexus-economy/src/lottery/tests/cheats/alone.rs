//! One organ among peers that exist in words alone; its disk is at once.

use alloc::collections::VecDeque;
use std::vec::Vec;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, Signature, VrfPublicKey};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_wire::nexus::lottery::{Due, Offer, Released, Token, TokenRelease};

use super::super::super::{
    Chain, Channel, Effect, Input, Lottery, NOTHING, PathView, Policy, Terms, Vrf as _, WindowKind,
};
use super::super::world::{CHANNEL, Coin};
use super::typical;
use crate::money::{Amount, Grains};

/// Whose organ it is.
const OWN: u8 = 50;

pub(super) struct Alone {
    pub(super) organ: Lottery<Coin>,
    now: Instant,
    /// The name of the terms that it said last.
    offered: (u8, Token),
}

pub(super) fn identity(number: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([number; 32]))
}

/// The organ's own key of draws.
pub(super) fn own_key() -> VrfPublicKey {
    Coin::new(OWN).public()
}

/// Terms of a payer for a relay with this key; the anchor is of its own chain.
pub(super) fn offer(payer: &NodeIdentity, key: VrfPublicKey, window: u64, reward: u64) -> Terms {
    let anchor = Chain::new(*payer.public().verifying().as_bytes(), 64).anchor();
    let offer = Offer { channel_id: CHANNEL, number: 1, anchor, window, reward, length: 64 };
    Terms::new(offer, key).expect("sound terms")
}

pub(super) fn terms_of(payer: &NodeIdentity, terms: &Terms, signature: Signature) -> Input {
    let before: Released = NOTHING;
    Input::Terms { peer: payer.node_id(), offer: *terms.offer(), signature, before }
}

pub(super) fn due(terms: &Terms, window: u16) -> Due {
    Due { slot: 0, terms: terms.name(), window, held: None }
}

impl Alone {
    pub(super) fn with_room_for(neighbours: u16) -> Self {
        let policy = Policy {
            neighbours,
            windows: WindowKind::ByValue,
            chain: 64,
            stranger_pool: Grains::new(typical().get() * 64 * 20),
        };
        let seed = Seed::new([OWN; 32]);
        let organ = Lottery::new(identity(OWN), Coin::new(OWN), policy, &Snapshot::empty(), &seed);
        Self { organ, now: Instant::BOOT, offered: (0, Token([0; 16])) }
    }

    /// What it does besides writing.
    pub(super) fn tell(&mut self, input: Input) -> Vec<Effect> {
        let (mut inputs, mut said) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle(Cx::at(self.now), input, &mut out);
            for effect in out {
                if let Effect::Terms { offer, .. } = &effect {
                    self.offered = (offer.number.to_le_bytes()[0], offer.anchor);
                }
                match effect {
                    Effect::Write { number, .. } => inputs.push_back(Input::Durable(number)),
                    other => said.push(other),
                }
            }
        }
        said
    }

    pub(super) fn link(&mut self, peer: &NodeIdentity) -> Vec<Effect> {
        let path = PathView { round_trip: Duration::from_millis(10), bandwidth_bps: 1_000_000 };
        let effects = self.tell(Input::LinkUp { peer: peer.node_id(), key: peer.public().verifying(), path });
        self.tell(Input::Entropy([1; 32]));
        effects
    }

    /// A payer comes, with which there is a channel.
    pub(super) fn meet(&mut self, payer: &NodeIdentity) -> Vec<Effect> {
        let mut effects = self.link(payer);
        let reference = Grains::new(typical().get() * 64);
        effects.extend(self.tell(Input::Charge { peer: payer.node_id(), channel: channel(), reference }));
        effects
    }

    /// A payer under whose terms each window wins releases the first, and signs for it.
    pub(super) fn pays_for_the_first(&mut self, payer: &NodeIdentity, terms: &Terms) {
        let peer = payer.node_id();
        let mut chain = Chain::new(*payer.public().verifying().as_bytes(), 64);
        let released = Released { window: 1, token: chain.token(1) };
        let token = TokenRelease { slot: 0, terms: terms.name(), released };
        let claims = |effect: &Effect| matches!(effect, Effect::Propose { claim, .. } if claim.to == 1);
        assert!(self.tell(Input::Token { peer, token }).iter().any(claims), "it is claimed");
        self.tell(Input::Accepted(peer));
    }

    /// It pays a relay with this key.
    pub(super) fn pay(&mut self, peer: NodeId, vrf: VrfPublicKey) -> Vec<Effect> {
        self.tell(Input::Pay { peer, channel: channel(), vrf, typical: typical() })
    }

    /// The terms in force once so little was sent in so many seconds that each window wins.
    pub(super) fn in_force(&mut self, relay: &NodeIdentity, seconds: u64) -> Terms {
        let peer = relay.node_id();
        self.pay(peer, Coin::new(3).public());
        for _ in 0..4 {
            let (terms, token) = self.offered;
            let due = Due { slot: 0, terms, window: 0, held: Some(Released { window: 0, token }) };
            self.tell(Input::Due { peer, due, sent: Grains::ZERO });
            self.now = self.now.after(Duration::from_secs(seconds));
        }
        *self.organ.paying_terms(&peer).expect("terms")
    }
}

fn channel() -> Channel {
    Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) }
}
