//! The organ obeys the laws of machines, whatever it is told.

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, Signature, VrfProof, VrfPublicKey, VrfSecret};
use nexus_machine::{Duration, Instant, Seed, Snapshot, Stream};
use nexus_testkit::laws::{Organ, obeyed_by};
use nexus_wire::nexus::lottery::{Due, Offer, Released, Token, TokenRelease};

use super::super::{
    Chain, Channel, Claimed, Input, Lottery, NOTHING, PathView, Policy, Terms, TermsRefusal, WindowKind,
};
use super::world::Coin;
use crate::money::{Amount, Grains};

#[test]
fn the_organ_obeys_the_laws() {
    obeyed_by(
        "lottery",
        |seed: &Seed| {
            let policy = Policy {
                neighbours: 3,
                windows: WindowKind::ByValue,
                chain: 200,
                stranger_pool: Grains::new(1_000_000),
            };
            let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([1; 32]));
            Organ::new(Lottery::new(identity, Coin::new(1), policy, &Snapshot::empty(), seed))
        },
        input,
    );
}

fn neighbour(random: &mut Stream) -> (NodeId, NodeIdentity) {
    let seed = u8::try_from(random.below(5)).expect("small");
    let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([seed; 32]));
    (identity.node_id(), identity)
}

fn channel(random: &mut Stream) -> Channel {
    Channel { id: [7; 16], slot: 1, balance: Amount::from_micros(random.below(1 << 40)) }
}

fn grains(random: &mut Stream) -> Grains {
    let bound = [10_000, 10_000_000, u64::MAX][usize::try_from(random.below(3)).expect("small")];
    Grains::new(random.below(bound))
}

/// Mostly what a neighbour could say, and now and then what none would.
fn input(random: &mut Stream, _: Instant) -> Input {
    let (peer, identity) = neighbour(random);
    let small = u16::try_from(random.below(300)).expect("small");
    let claim = Claimed { from: small, to: small, proof: Some(VrfProof([3; 80])) };
    match random.below(22) {
        0 => Input::Entropy(random.bytes()),
        1..4 => Input::Durable(random.below(200)),
        4 | 5 => Input::LinkUp {
            peer,
            key: identity.public().verifying(),
            path: PathView {
                round_trip: Duration::from_micros(random.below(3_000_000)),
                bandwidth_bps: random.below(100_000),
            },
        },
        6 => Input::LinkDown(peer),
        7 => Input::Pay {
            peer,
            channel: channel(random),
            vrf: VrfSecret::from_seed(&[2; 32]).public(),
            typical: grains(random),
        },
        8 => Input::Charge { peer, channel: channel(random), reference: Grains::new(5_000) },
        9 => Input::Counted { peer, total: grains(random) },
        10 => terms(random, peer, &identity),
        11 => Input::TermsRefused { peer, reason: TermsRefusal::Stake },
        12 => {
            let held = random.chance(1, 2).then_some(released(small, &identity));
            let due =
                Due { slot: 1, terms: u8::try_from(random.below(4)).expect("small"), window: small, held };
            Input::Due { peer, due, sent: grains(random) }
        }
        13 => {
            let terms = u8::try_from(random.below(4)).expect("small");
            Input::Token {
                peer,
                token: TokenRelease { slot: 1, terms, released: released(small, &identity) },
            }
        }
        14 => Input::Claim { peer, claim },
        15 => Input::Countersigned { peer, to: small },
        16 => Input::Accepted(peer),
        17 => Input::Refused(peer),
        18 => Input::TermsWanted(peer),
        19 => Input::PayerForgot(peer),
        20 => Input::GrantAgain(peer),
        _ if random.chance(1, 2) => Input::NotCountersigned(peer),
        _ => Input::OutOfDate(peer),
    }
}

fn released(window: u16, identity: &NodeIdentity) -> Released {
    let token = Chain::new(*identity.public().verifying().as_bytes(), 200).token(window.min(200));
    Released { window, token }
}

fn terms(random: &mut Stream, peer: NodeId, identity: &NodeIdentity) -> Input {
    let anchor = Chain::new(*identity.public().verifying().as_bytes(), 200).anchor();
    let window = random.below(20_000) + 1;
    let offer = Offer {
        channel_id: [7; 16],
        number: u32::try_from(random.below(4)).expect("small"),
        anchor,
        window,
        reward: window.div_ceil(1_024) + random.below(40),
        length: 200,
    };
    let own: VrfPublicKey = super::super::draw::Vrf::public(&Coin::new(1));
    let signature = Terms::new(offer, own).map_or(Signature([0; 64]), |terms| terms.sign(identity));
    let before = if random.chance(1, 2) { NOTHING } else { Released { window: 3, token: Token([1; 16]) } };
    Input::Terms { peer, offer, signature, before }
}
