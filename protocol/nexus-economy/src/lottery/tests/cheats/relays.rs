//! Relays: they count, lie, change what was agreed, and claim.

use std::vec::Vec;

use nexus_crypto::VrfProof;
use nexus_machine::Duration;

use super::super::super::draw::Vrf as _;
use super::super::super::{ClaimRefusal, Claimed, Effect, Input, Odds, WindowKind};
use super::super::world::{BAD, Cheat, Coin, PAYER, RELAY, World};
use super::alone::{Alone, due, identity};
use super::{OFTEN, after_a_win, gains, gains_windows, honest, stream, typical};
use crate::money::Amount;

#[test]
fn an_inflated_count_is_paid_no_more_than_was_sent() {
    let mut world = World::new(Coin::new, BAD, typical(), WindowKind::ByValue);
    world.cheat = Cheat { inflates: 1_000, ..Cheat::default() };
    stream(&mut world, 20_000, OFTEN);
    world.settle();
    let (sent, drawn) = (world.sides[PAYER].sent.get(), world.income().expected.get());
    let accepted = world.accepted.get();
    gains("inflated count, of what was sent and lost", drawn.saturating_sub(accepted), sent - accepted);
}

/// A payer that crashed has lost its sum, and takes some of it from the relay's word.
#[test]
fn a_relay_that_lies_to_a_payer_that_forgot_gains_three_windows_a_crash() {
    let mut world = World::new(Coin::new, BAD, typical(), WindowKind::ByValue);
    world.cheat = Cheat { inflates: 1_000, ..Cheat::default() };
    let mut sent = 0;
    let crashes = 12_u64;
    for _ in 0..crashes {
        stream(&mut world, 64 * 6, OFTEN);
        world.settle();
        sent += world.sides[PAYER].sent.get();
        world.crash(PAYER);
        world.settle();
    }
    stream(&mut world, 64 * 6, OFTEN);
    world.settle();
    sent += world.sides[PAYER].sent.get();
    let (drawn, window) = (world.income().expected.get(), world.window().get());
    let bound = 3 * window * crashes;
    gains_windows("lies after twelve crashes of the payer", drawn.saturating_sub(sent), bound, window);
}

#[test]
fn a_price_raised_afterwards_is_paid_as_it_was_stated() {
    let mut world = honest();
    world.cheat = Cheat { overcharges: 4, ..Cheat::default() };
    stream(&mut world, 20_000, OFTEN);
    world.settle();
    let (sent, drawn) = (world.sides[PAYER].sent.get(), world.income().expected.get());
    gains("fivefold price afterwards", drawn.saturating_sub(sent), 0);
}

/// The key is signed into the terms: a relay that changes it afterwards, or draws with many, proves nothing.
#[test]
fn another_key_than_that_of_the_terms_wins_nothing() {
    let mut world = honest();
    stream(&mut world, 64 * 20, OFTEN);
    world.settle();
    let claimed = |world: &World<Coin>| world.signed.last().map_or(0, |claim| claim.to);
    while world.income().released < claimed(&world) + 3 {
        stream(&mut world, 64, OFTEN);
        world.settle();
    }
    let (paid, relay) = (world.paid, world.sides[RELAY].id);
    let terms = *world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
    let Odds::Below(limit) = terms.odds() else { panic!("windows can lose") };
    let claimed = claimed(&world);
    let (before, mut would_win) = (world.refusals.len(), 0);
    for window in 1..=world.income().released {
        let alpha = terms.alpha(window, &world.token(window));
        for key in (3..40).map(Coin::new) {
            would_win += usize::from(window > claimed && key.output(&alpha).draw() < limit);
            let claim = Claimed { from: window, to: window, proof: Some(key.prove(&alpha)) };
            world.tell(PAYER, Input::Claim { peer: relay, claim });
        }
    }
    let unproved = world.refusals[before..].iter().filter(|refusal| **refusal == ClaimRefusal::Proof);
    assert!(would_win > 0 && unproved.count() >= would_win, "{would_win} draws won by another key");
    gains("another key than that of the terms", (world.paid.micros() - paid.micros()) * 1_024, 0);
}

/// The relay's key changes in the middle of a window: terms follow, and the sum goes over. What the crash with which it changes costs is
/// less than a window.
#[test]
fn another_key_in_mid_window_loses_less_than_a_window_a_crash() {
    let mut world = honest();
    let mut windows = 0;
    for (key, packets) in [(40, 64 * 5 + 30), (41, 64 * 3 + 50), (42, 64 * 7 + 1)] {
        stream(&mut world, packets, OFTEN);
        world.run_for(Duration::from_secs(1));
        windows = windows.max(world.window().get());
        world.change_key(key);
        world.settle();
        let relay = world.sides[RELAY].id;
        let terms = world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
        assert_eq!(*terms.key(), Coin::new(key).public());
    }
    stream(&mut world, 64 * 5, OFTEN);
    world.settle();
    let (accepted, drawn) = (world.accepted.get(), world.released());
    assert_eq!(world.dropped, 0);
    gains("three keys", drawn.saturating_sub(accepted), 0);
    gains_windows("three keys, and what is not drawn at last", accepted - drawn, 4 * windows, windows);
}

/// A relay that drops its terms whenever a window lost: what is released is never drawn under others.
#[test]
fn a_relay_that_asks_for_other_terms_after_each_loss_draws_nothing_twice() {
    let mut world = honest();
    let payer = world.sides[PAYER].id;
    let (mut drawn, mut asked) = (0, 0);
    for _ in 0..3_000 {
        stream(&mut world, 1, OFTEN);
        let income = world.income();
        if income.drawn > drawn && income.drawn - income.won > asked {
            drawn = income.drawn;
            asked += 1;
            world.tell(RELAY, Input::OutOfDate(payer));
            world.run_for(Duration::from_millis(100));
        }
    }
    world.settle();
    let (expected, sent) = (world.income().expected.get(), world.sides[PAYER].sent.get());
    assert!(asked > 10, "it asked {asked} times");
    gains("other terms after each loss", expected.saturating_sub(sent), 0);
}

#[test]
fn a_replayed_claim_is_paid_once() {
    let mut world = after_a_win();
    let (paid, relay) = (world.paid, world.sides[RELAY].id);
    for claim in world.signed.clone() {
        world.tell(PAYER, Input::Claim { peer: relay, claim });
        world.tell(PAYER, Input::Claim { peer: relay, claim });
    }
    gains("replayed claims", (world.paid.micros() - paid.micros()) * 1_024, 0);
    // Each window once more with a sound proof: what was claimed is not paid again, and what lost is not paid. It takes both in one chain.
    let before = world.refusals.len();
    let mut again = 0;
    for _ in 0..50 {
        stream(&mut world, 64 * 2, OFTEN);
        world.settle();
        let paid = world.paid;
        for window in 1..=world.income().released {
            let claim = Claimed { from: window, to: window, proof: Some(proof(&world, window)) };
            world.tell(PAYER, Input::Claim { peer: relay, claim });
        }
        again += world.paid.micros() - paid.micros();
    }
    for reason in [ClaimRefusal::Window, ClaimRefusal::Proof] {
        assert!(world.refusals[before..].contains(&reason), "{reason:?}");
    }
    gains("windows claimed that were paid or lost", again * 1_024, 0);
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
    gains("claims beyond what is released", (world.paid.micros() - paid.micros()) * 1_024, 0);
}

/// What a win is worth is what the payer signed, whatever the relay makes of it: the claim does not say it.
#[test]
fn overlapping_and_double_claims_are_paid_once() {
    let mut payer = Alone::with_room_for(4);
    let relay = identity(77);
    payer.link(&relay);
    let terms = payer.in_force(&relay, 100);
    let relay = relay.node_id();
    assert_eq!(terms.odds(), Odds::Certain, "so slow a stream that each window wins");
    payer.tell(Input::Due { peer: relay, due: due(&terms, 9), sent: terms.windows(9) });
    let claim = |from, to| Input::Claim { peer: relay, claim: Claimed { from, to, proof: None } };
    let paid = |effects: &[Effect]| -> Vec<Amount> {
        let reward = |effect: &Effect| match effect {
            Effect::Countersign { reward, .. } => Some(*reward),
            _ => None,
        };
        effects.iter().filter_map(reward).collect()
    };
    let refused = |effects: &[Effect]| {
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::RefuseClaim { reason: ClaimRefusal::Window, .. }))
    };
    let worth = |windows| terms.rewards(1, windows).expect("fits");
    assert_eq!(paid(&payer.tell(claim(1, 4))), [worth(4)]);
    // While the channel writes it, nothing else is countersigned, be it the same again or another.
    for (from, to) in [(1, 4), (5, 6), (2, 9)] {
        assert_eq!(payer.tell(claim(from, to)), []);
    }
    payer.tell(Input::Countersigned { peer: relay, to: 4 });
    for (from, to) in [(1, 6), (4, 6), (3, 3), (6, 5), (0, 9), (5, 10)] {
        let effects = payer.tell(claim(from, to));
        assert!(refused(&effects) && paid(&effects).is_empty(), "{from} to {to}: {effects:?}");
    }
    // A claim that came to nothing in the channel may be made again.
    assert_eq!(paid(&payer.tell(claim(5, 6))), [worth(2)]);
    payer.tell(Input::NotCountersigned(relay));
    assert_eq!(paid(&payer.tell(claim(5, 9))), [worth(5)]);
}

/// What the relay has: its own key's proof, sound also of windows that lost.
fn proof(world: &World<Coin>, window: u16) -> VrfProof {
    let terms = world.sides[PAYER].organ.paying_terms(&world.sides[RELAY].id).expect("terms");
    Coin::new(2).prove(&terms.alpha(window, &world.token(window)))
}
