//! Each known way to cheat, and what it gains, beside the bound.

use alloc::collections::VecDeque;
use std::println;

use nexus_crypto::{DomainTag, IdentitySeed, Message, NodeIdentity, Signature, VrfPublicKey, VrfSecret};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::Released;

use super::super::draw::Vrf;
use super::super::{
    Chain, Channel, ClaimRefusal, Claimed, Effect, Input, Lottery, NOTHING, PathView, Policy, Terms,
    WindowKind,
};
use super::world::{BAD, CABLE, CHANNEL, Cheat, Coin, PAYER, RELAY, Signing, World};
use crate::money::{Amount, Grains};

fn price() -> PriceCode {
    PriceCode::nearest(1_000)
}

fn typical() -> Grains {
    Grains::of_packet(price(), 200).expect("fits")
}

fn honest() -> World<Coin> {
    World::new(Coin::new, CABLE, typical(), WindowKind::ByValue)
}

fn stream(world: &mut World<Coin>, packets: u32) {
    for _ in 0..packets {
        world.pay_for(price(), 200);
        world.run_for(Duration::from_millis(5));
    }
}

/// A world in which a claim was paid.
fn after_a_win() -> World<Coin> {
    let mut world = honest();
    for _ in 0..200 {
        stream(&mut world, 64);
        if world.claims > 0 {
            world.settle();
            return world;
        }
    }
    panic!("of 200 windows at odds of a quarter some win");
}

#[test]
fn withheld_tokens_gain_three_windows() {
    let mut world = honest();
    stream(&mut world, 300);
    let before = world.accepted;
    world.cheat = Cheat { keeps_tokens: true, ..Cheat::default() };
    stream(&mut world, 2_000);
    let gain = world.accepted.get() - before.get();
    let window = world.window().get();
    println!("withheld tokens: {:.2} V of 3", gain as f64 / window as f64);
    assert!(gain <= 3 * window && world.dropped > 0);
}

#[test]
fn refusing_a_win_gains_the_reward_and_three_windows() {
    let mut world = after_a_win();
    let terms = *world.sides[RELAY].organ.relaying_terms(&world.sides[PAYER].id).expect("terms");
    let (paid, won) = (world.paid, world.income().won);
    world.cheat = Cheat { signing: Signing::Refuses, ..Cheat::default() };
    let mut at_the_win = None;
    for _ in 0..200 {
        stream(&mut world, 64);
        if world.income().won > won {
            at_the_win.get_or_insert(world.accepted);
        }
    }
    let at_the_win = at_the_win.expect("one of 200 windows wins");
    let (reward, window) = (terms.reward().grains().expect("fits").get(), terms.window().get());
    let gain = reward + world.accepted.get() - at_the_win.get();
    println!("refused win: {gain} grains of {}", reward + 3 * window);
    assert_eq!(world.paid, paid);
    assert!(gain <= reward + 3 * window && world.dropped > 0);
}

#[test]
fn an_inflated_count_is_paid_no_more_than_was_sent() {
    let mut world = World::new(Coin::new, BAD, typical(), WindowKind::ByValue);
    world.cheat = Cheat { inflates: 1_000, ..Cheat::default() };
    stream(&mut world, 20_000);
    world.settle();
    let (sent, drawn) = (world.sides[PAYER].sent.get(), world.income().expected.get());
    let gain = drawn.saturating_sub(world.accepted.get());
    println!("inflated count: {gain} grains of {} that were sent and lost", sent - world.accepted.get());
    assert!(drawn <= sent, "{drawn} released of {sent} sent");
}

#[test]
fn jammed_dues_stop_the_relay_and_cost_it_three_windows() {
    let mut world = honest();
    world.cheat = Cheat { jams_dues: true, ..Cheat::default() };
    stream(&mut world, 2_000);
    let (lost, window) = (world.accepted.get(), world.window().get());
    println!("jammed dues: {:.2} V of 3", lost as f64 / window as f64);
    assert!(lost <= 3 * window && world.dropped > 0);
    world.cheat = Cheat::default();
    world.settle();
    let dropped = world.dropped;
    stream(&mut world, 2_000);
    assert_eq!(world.dropped, dropped, "heard again, it is paid, and carries on");
}

#[test]
fn a_replayed_claim_is_paid_once() {
    let mut world = after_a_win();
    let (paid, relay) = (world.paid, world.sides[RELAY].id);
    for claim in world.signed.clone() {
        world.tell(PAYER, Input::Claim { peer: relay, claim });
        world.tell(PAYER, Input::Claim { peer: relay, claim });
    }
    for window in 1..=world.income().released {
        let claim = Claimed { from: window, to: window, proof: Some(proof(&world, window)) };
        world.tell(PAYER, Input::Claim { peer: relay, claim });
    }
    let further = world.paid.micros() - paid.micros();
    println!("replayed claims: {further} µNXS");
    assert_eq!(further, 0, "what was claimed is not paid again, and what lost is not paid");
}

#[test]
fn a_claim_beyond_what_is_released_is_refused() {
    let mut world = after_a_win();
    let (paid, relay, released) = (world.paid, world.sides[RELAY].id, world.income().released);
    let before = world.refusals.len();
    for to in [released + 1, u16::MAX] {
        let claim = Claimed { from: to, to, proof: Some(proof(&world, 1)) };
        world.tell(PAYER, Input::Claim { peer: relay, claim });
        let claim = Claimed { from: 1, to, proof: None };
        world.tell(PAYER, Input::Claim { peer: relay, claim });
    }
    assert_eq!(world.refusals[before..], [ClaimRefusal::Window; 4]);
    assert_eq!(world.paid, paid);
}

/// The key is signed into the terms: a relay that changes it afterwards, or draws with many, proves nothing.
#[test]
fn another_key_than_that_of_the_terms_wins_nothing() {
    let mut world = honest();
    stream(&mut world, 64 * 20);
    world.settle();
    let (paid, relay, released) = (world.paid, world.sides[RELAY].id, world.income().released);
    for window in 1..=released {
        for key in 3..40 {
            let terms = world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
            let alpha = terms.alpha(window, &Chain::new([0; 32], 1).anchor());
            let claim = Claimed { from: window, to: window, proof: Some(Coin::new(key).prove(&alpha)) };
            world.tell(PAYER, Input::Claim { peer: relay, claim });
        }
    }
    assert_eq!(world.paid, paid);
}

/// What wins is decided by tokens, which a sender behind an honest hop does not see and packets do not enter.
#[test]
fn what_packets_say_and_how_large_they_are_changes_no_draw() {
    let wins = |bytes: u32, packets: u32| {
        let mut world = honest();
        let mut won = alloc::vec::Vec::new();
        for _ in 0..packets {
            world.pay_for(price(), bytes);
            world.run_for(Duration::from_millis(100));
            let income = world.income();
            if income.won > won.len() as u64 {
                won.push(income.drawn);
            }
        }
        won.truncate(8);
        won
    };
    let (one, other) = (wins(200, 64 * 60), wins(50, 64 * 4 * 60));
    assert_eq!(one, other);
    assert_eq!(one.len(), 8);
}

#[test]
fn a_stale_disk_of_the_payer_pays_no_window_twice_and_reuses_no_root() {
    let mut world = honest();
    let stale = world.sides[PAYER].disk.clone();
    while world.claims < 3 {
        stream(&mut world, 64);
    }
    world.settle();
    let old = *world.sides[PAYER].organ.paying_terms(&world.sides[RELAY].id).expect("terms");
    let (relay, paid) = (world.sides[RELAY].id, world.paid);
    let signed = world.signed.clone();
    world.sides[PAYER].disk = stale;
    world.crash(PAYER);
    world.tell(PAYER, Input::OutOfDate(relay));
    for claim in signed {
        world.tell(PAYER, Input::Claim { peer: relay, claim });
    }
    assert_eq!(world.paid, paid);
    world.settle();
    let new = *world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
    assert!(new.offer().number > old.offer().number && new.offer().anchor != old.offer().anchor);
    let dropped = world.dropped;
    stream(&mut world, 64 * 40);
    assert!(world.paid > paid && world.dropped == dropped, "and everything goes on");
}

#[test]
fn strangers_that_walk_away_have_no_more_than_the_pool() {
    let (mut relay, identity) = alone(64);
    let window = typical().get() * 64;
    let mut carried = 0;
    for stranger in 0..60_u8 {
        let payer = NodeIdentity::from_seed(IdentitySeed::from_bytes([100 + stranger; 32]));
        let mut out = VecDeque::new();
        meet(&mut relay, &payer, &mut out);
        let terms = offer(&payer, relay_key(), 1, window, 4 * (window / 1_024));
        tell(&mut relay, terms_of(&payer, &terms, terms.sign(&payer)), &mut out);
        let granted = out.iter().rev().find_map(|effect| match effect {
            Effect::Grant { limit, .. } => Some(*limit),
            _ => None,
        });
        let mut total = Grains::ZERO;
        let mut limit = granted.expect("a grant");
        // It takes what it gets, pays nothing, and comes back under another name.
        while limit > total {
            total = limit;
            out.clear();
            tell(&mut relay, Input::Counted { peer: payer.node_id(), total }, &mut out);
            for effect in &out {
                if let Effect::Grant { limit: more, .. } = effect {
                    limit = *more;
                }
            }
        }
        assert!(total.get() <= 3 * window);
        carried += total.get();
    }
    println!("sixty strangers: {:.2} V of 20", carried as f64 / window as f64);
    assert!(carried <= 20 * window);
    drop(identity);
}

#[test]
fn terms_that_their_payer_did_not_sign_as_terms_change_nothing() {
    let (mut relay, _) = alone(4);
    let payer = NodeIdentity::from_seed(IdentitySeed::from_bytes([77; 32]));
    let other = NodeIdentity::from_seed(IdentitySeed::from_bytes([78; 32]));
    let mut out = VecDeque::new();
    meet(&mut relay, &payer, &mut out);
    let window = typical().get() * 64;
    let terms = offer(&payer, relay_key(), 1, window, window / 1_024);
    let content = [0; 86];
    let parts = [content.as_slice()];
    let wrong_tag = payer.sign(&Message::new(DomainTag::CHANNEL, &parts).expect("102 bytes"));
    let other_key = offer(&payer, Coin::new(9).public(), 1, window, window / 1_024).sign(&payer);
    for signature in [terms.sign(&other), wrong_tag, other_key, Signature([0; 64])] {
        out.clear();
        tell(&mut relay, terms_of(&payer, &terms, signature), &mut out);
        assert!(relay.relaying_terms(&payer.node_id()).is_none() && out.is_empty());
    }
    tell(&mut relay, terms_of(&payer, &terms, terms.sign(&payer)), &mut out);
    assert_eq!(relay.relaying_terms(&payer.node_id()), Some(&terms));
}

#[test]
fn what_a_stranger_stakes_is_no_more_than_it_is_good_for() {
    let (mut relay, _) = alone(4);
    let payer = NodeIdentity::from_seed(IdentitySeed::from_bytes([77; 32]));
    let mut out = VecDeque::new();
    meet(&mut relay, &payer, &mut out);
    let window = typical().get() * 64;
    let refused = [
        offer(&payer, relay_key(), 1, window, 4 * (window / 1_024) + 4),
        offer(&payer, relay_key(), 1, window * 5, window * 5 / 1_024 + 1),
    ];
    for terms in refused {
        out.clear();
        tell(&mut relay, terms_of(&payer, &terms, terms.sign(&payer)), &mut out);
        assert!(matches!(out.pop_front(), Some(Effect::RefuseTerms { .. })), "{terms:?}");
        assert!(relay.relaying_terms(&payer.node_id()).is_none());
    }
}

#[test]
fn nobody_is_paid_by_a_key_of_small_order_or_a_second_encoding() {
    let (mut payer, _) = alone(4);
    let relay = NodeIdentity::from_seed(IdentitySeed::from_bytes([77; 32]));
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xee, 0x7f);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for vrf in [second, neutral, [0; 32]].map(VrfPublicKey) {
        let mut out = VecDeque::new();
        tell(&mut payer, link(&relay), &mut out);
        tell(&mut payer, Input::Entropy([1; 32]), &mut out);
        let channel = Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) };
        tell(&mut payer, Input::Pay { peer: relay.node_id(), channel, vrf, typical: typical() }, &mut out);
        assert!(
            !out.iter().any(|effect| matches!(effect, Effect::Terms { .. } | Effect::Write { .. })),
            "{out:?}"
        );
    }
}

fn proof(world: &World<Coin>, window: u16) -> nexus_crypto::VrfProof {
    let terms = world.sides[PAYER].organ.paying_terms(&world.sides[RELAY].id).expect("terms");
    // The relay knows the tokens; here any will do for windows that lost, and the right one wins no second time.
    let token = Chain::new([0; 32], 1).anchor();
    Coin::new(2).prove(&terms.alpha(window, &token))
}

fn relay_key() -> VrfPublicKey {
    Coin::new(50).public()
}

fn alone(neighbours: u16) -> (Lottery<Coin>, NodeIdentity) {
    let policy = Policy {
        neighbours,
        windows: WindowKind::ByValue,
        chain: 64,
        stranger_pool: Grains::new(typical().get() * 64 * 20),
    };
    let identity = || NodeIdentity::from_seed(IdentitySeed::from_bytes([50; 32]));
    let seed = Seed::new([50; 32]);
    (Lottery::new(identity(), Coin::new(50), policy, &Snapshot::empty(), &seed), identity())
}

/// Tells it, and its disk is at once.
fn tell(organ: &mut Lottery<Coin>, input: Input, out: &mut VecDeque<Effect>) {
    let mut effects = VecDeque::new();
    organ.handle(Cx::at(Instant::BOOT), input, &mut effects);
    for effect in effects {
        match effect {
            Effect::Write { number, .. } => tell(organ, Input::Durable(number), out),
            other => out.push_back(other),
        }
    }
}

fn link(peer: &NodeIdentity) -> Input {
    let path = PathView { round_trip: Duration::from_millis(10), bandwidth_bps: 1_000_000 };
    Input::LinkUp { peer: peer.node_id(), key: peer.public().verifying(), path }
}

fn meet(relay: &mut Lottery<Coin>, payer: &NodeIdentity, out: &mut VecDeque<Effect>) {
    tell(relay, link(payer), out);
    let channel = Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) };
    let reference = Grains::new(typical().get() * 64);
    tell(relay, Input::Charge { peer: payer.node_id(), channel, reference }, out);
}

fn offer(payer: &NodeIdentity, key: VrfPublicKey, number: u32, window: u64, reward: u64) -> Terms {
    let anchor = Chain::new(*payer.public().verifying().as_bytes(), 64).anchor();
    let offer =
        nexus_wire::nexus::lottery::Offer { channel_id: CHANNEL, number, anchor, window, reward, length: 64 };
    Terms::new(offer, key).expect("sound terms")
}

fn terms_of(payer: &NodeIdentity, terms: &Terms, signature: Signature) -> Input {
    let before: Released = NOTHING;
    Input::Terms { peer: payer.node_id(), offer: *terms.offer(), signature, before }
}

/// The stand-in's keys are the VRF's, so that whoever checks them finds them sound.
#[test]
fn the_stand_in_has_sound_keys() {
    assert_eq!(Coin::new(2).public(), VrfSecret::from_seed(&[2; 32]).public());
}
