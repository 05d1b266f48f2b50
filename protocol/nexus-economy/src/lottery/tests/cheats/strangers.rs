//! Strangers: whoever comes under many names, whoever is between the two, whoever chooses what packets say, and keys that are none.

use std::println;
use std::vec::Vec;

use nexus_crypto::{VrfPublicKey, VrfSecret};
use nexus_machine::Duration;

use super::super::super::draw::Vrf as _;
use super::super::super::{Effect, Input, Policy, WindowKind};
use super::super::world::{CABLE, Cheat, Coin, World};
use super::alone::{Alone, identity, offer, own_key, terms_of};
use super::{OFTEN, gains_windows, honest, price, stream, typical};
use crate::money::Grains;

#[test]
fn strangers_that_walk_away_have_no_more_than_the_pool() {
    let mut relay = Alone::with_room_for(64);
    let window = typical().get() * 64;
    let mut carried = 0;
    for stranger in 0..60_u8 {
        let payer = identity(100 + stranger);
        let at_first = limit_in(&relay.meet(&payer));
        let terms = offer(&payer, own_key(), window, 4 * (window / 1_024));
        let granted = limit_in(&relay.tell(terms_of(&payer, &terms, terms.sign(&payer)))).or(at_first);
        let mut total = Grains::ZERO;
        let mut limit = granted.expect("a grant");
        // It takes what it gets, pays nothing, and comes back under another name.
        while limit > total {
            total = limit;
            let effects = relay.tell(Input::Counted { peer: payer.node_id(), total });
            limit = limit_in(&effects).unwrap_or(limit);
        }
        assert!(total.get() <= 3 * window);
        carried += total.get();
    }
    gains_windows("sixty strangers that walk away", carried, 20 * window, window);
}

/// Behind two relays that ask alike, the pool at a relay's own price holds eight windows at the path's.
#[test]
fn no_newcomer_waits_for_luck() {
    for odd in 0..200 {
        // Each has terms of its own, and so its own draws.
        let typical = Grains::new(typical().get() + odd * 16);
        let policy = Policy {
            neighbours: 4,
            windows: WindowKind::ByValue,
            chain: 4_096,
            stranger_pool: Grains::new(8 * 64 * typical.get()),
        };
        let mut world = World::with(Coin::new, CABLE, typical, policy);
        stream(&mut world, 64 * 20, OFTEN);
        assert!(world.claims > 0 && world.dropped == 0, "{odd}: {} dropped", world.dropped);
    }
}

/// With a next hop in league most of what a name pays comes back to it: to pay once, and to take on credit what a known payer gets, would
/// be worth it again and again.
#[test]
fn strangers_that_pay_once_and_walk_away_have_no_more_than_the_pool() {
    let mut relay = Alone::with_room_for(64);
    let window = typical().get() * 64;
    let mut unpaid = 0;
    for stranger in 0..60_u8 {
        let payer = identity(100 + stranger);
        let peer = payer.node_id();
        relay.meet(&payer);
        let terms = offer(&payer, own_key(), window, window / 1_024);
        let granted = limit_in(&relay.tell(terms_of(&payer, &terms, terms.sign(&payer))));
        let mut limit = granted.unwrap_or(Grains::ZERO);
        let mut total = Grains::ZERO;
        let mut paid = 0;
        while limit > total {
            total = limit;
            limit = limit_in(&relay.tell(Input::Counted { peer, total })).unwrap_or(limit);
            if paid == 0 && total.get() >= window {
                relay.pays_for_the_first(&payer, &terms);
                limit = limit_in(&relay.tell(Input::GrantAgain(peer))).unwrap_or(limit);
                paid = window;
            }
        }
        assert!(total.get() <= 4 * window);
        unpaid += total.get() - paid;
    }
    gains_windows("sixty strangers that pay once and walk away", unpaid, 20 * window, window);
}

fn limit_in(effects: &[Effect]) -> Option<Grains> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Grant { limit, .. } => Some(*limit),
        _ => None,
    })
}

#[test]
fn jammed_dues_stop_the_relay_and_cost_it_three_windows() {
    let mut world = honest();
    world.cheat = Cheat { jams_dues: true, ..Cheat::default() };
    stream(&mut world, 2_000, OFTEN);
    let (lost, window) = (world.accepted.get(), world.window().get());
    gains_windows("jammed dues", lost, 3 * window, window);
    assert!(world.dropped > 0);
    world.cheat = Cheat::default();
    world.settle();
    let dropped = world.dropped;
    stream(&mut world, 2_000, OFTEN);
    assert_eq!(world.dropped, dropped, "heard again, it is paid, and carries on");
}

/// What wins is decided by tokens, which a sender behind an honest hop does not see and packets do not enter.
#[test]
fn what_packets_say_and_how_large_they_are_changes_no_draw() {
    let wins = |bytes: u32, packets: u32| {
        let mut world = honest();
        let mut won = Vec::new();
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
    let (one, other) = (wins(200, 64 * 80), wins(50, 64 * 4 * 80));
    assert_eq!(one.len(), 8);
    let moved = one.iter().zip(&other).filter(|(one, other)| one != other).count();
    println!("packets of another size and content: move {moved} of 8 wins, bound 0");
    assert_eq!(one, other);
}

#[test]
fn nobody_is_paid_by_a_key_of_small_order_or_a_second_encoding() {
    let mut payer = Alone::with_room_for(4);
    let relay = identity(77);
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xee, 0x7f);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    payer.link(&relay);
    for vrf in [second, neutral, [0; 32]].map(VrfPublicKey) {
        assert_eq!(payer.pay(relay.node_id(), vrf), [], "neither terms nor anything else");
        assert!(payer.organ.paying_terms(&relay.node_id()).is_none());
    }
    payer.pay(relay.node_id(), Coin::new(3).public());
    payer.in_force(&relay, 1);
}

/// The stand-in's keys are the VRF's, so that whoever checks them finds them sound.
#[test]
fn the_stand_in_has_sound_keys() {
    assert_eq!(Coin::new(2).public(), VrfSecret::from_seed(&[2; 32]).public());
}
