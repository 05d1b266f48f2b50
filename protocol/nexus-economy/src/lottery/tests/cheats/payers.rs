//! Payers: they keep what they owe, refuse, forget, and choose.

use std::println;

use nexus_crypto::hash::blake3_xof;
use nexus_crypto::{DomainTag, Message, Signature, VrfSecret};
use nexus_machine::Duration;
use nexus_wire::nexus::lottery::{Due, Offer};

use super::super::super::draw::Vrf;
use super::super::super::exposure::stake;
use super::super::super::{Chain, Effect, Input, Odds, Terms};
use super::super::world::{CHANNEL, Cheat, Coin, PAYER, RELAY, Signing};
use super::alone::{Alone, identity, offer, own_key, terms_of};
use super::{OFTEN, after_a_win, gains, gains_windows, honest, price, stream, typical};

#[test]
fn withheld_tokens_gain_three_windows() {
    let mut world = honest();
    stream(&mut world, 300, OFTEN);
    let before = world.accepted;
    world.cheat = Cheat { keeps_tokens: true, ..Cheat::default() };
    stream(&mut world, 2_000, OFTEN);
    let gain = world.accepted.get() - before.get();
    let window = world.window().get();
    gains_windows("withheld tokens", gain, 3 * window, window);
    assert!(world.dropped > 0);
}

#[test]
fn refusing_a_win_gains_the_reward_and_three_windows() {
    let mut world = after_a_win();
    let terms = *world.sides[RELAY].organ.relaying_terms(&world.sides[PAYER].id).expect("terms");
    let (paid, won) = (world.paid, world.income().won);
    world.cheat = Cheat { signing: Signing::Refuses, ..Cheat::default() };
    let mut at_the_win = None;
    for _ in 0..200 {
        stream(&mut world, 64, OFTEN);
        if world.income().won > won {
            at_the_win.get_or_insert(world.accepted);
        }
    }
    let at_the_win = at_the_win.expect("one of 200 windows wins");
    let (reward, window) = (terms.reward().grains().expect("fits").get(), terms.window().get());
    let gain = reward + world.accepted.get() - at_the_win.get();
    gains_windows("refused win", gain, reward + 3 * window, window);
    assert_eq!(world.paid, paid);
    assert!(world.dropped > 0);
}

#[test]
fn a_stale_disk_of_the_payer_pays_no_window_twice_and_reuses_no_root() {
    let mut world = honest();
    let stale = world.sides[PAYER].disk.clone();
    while world.claims < 3 {
        stream(&mut world, 64, OFTEN);
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
    let again = world.paid.micros() - paid.micros();
    gains("claims shown to a disk that is out of date", again * 1_024, 0);
    world.settle();
    let new = *world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
    assert!(new.offer().number > old.offer().number && new.offer().anchor != old.offer().anchor);
    let dropped = world.dropped;
    stream(&mut world, 64 * 40, OFTEN);
    assert!(world.paid > paid && world.dropped == dropped, "and everything goes on");
}

/// A payer knows its tokens before the relay does. To choose roots that lose it would have to know what the relay's key makes of them: it
/// has the public key alone, and chooses by the best that can be reckoned from that.
#[test]
fn a_payer_that_chooses_among_roots_pays_as_often() {
    let relay = VrfSecret::from_seed(&[2; 32]);
    let length = 32;
    let terms_of = |root: u64| {
        let mut secret = [9; 32];
        secret[..8].copy_from_slice(&root.to_le_bytes());
        let mut chain = Chain::new(secret, length);
        let anchor = chain.anchor();
        let offer = Offer { channel_id: CHANNEL, number: 1, anchor, window: 4_096, reward: 16, length };
        (Terms::new(offer, relay.public()).expect("sound terms"), chain)
    };
    let guess = |terms: &Terms, chain: &mut Chain| {
        let wins = |w: u16| {
            let alpha = terms.alpha(w, &chain.token(w));
            let mut output = [0; 8];
            blake3_xof(&[relay.public().as_bytes(), &alpha], &mut output);
            u64::from_le_bytes(output) < u64::MAX / 4
        };
        (1..=length).map(wins).filter(|wins| *wins).count()
    };
    let (mut won, mut drawn, mut guessed) = (0_u32, 0_u32, 0_usize);
    for choice in 0..24_u64 {
        let candidates = (0..200).map(|n| choice * 1_000 + n);
        let best = candidates.min_by_key(|root| {
            let (terms, mut chain) = terms_of(*root);
            guess(&terms, &mut chain)
        });
        let (terms, mut chain) = terms_of(best.expect("200 roots"));
        guessed += guess(&terms, &mut chain);
        let Odds::Below(limit) = terms.odds() else { panic!("one in four wins") };
        for w in 1..=length {
            let alpha = terms.alpha(w, &chain.token(w));
            won += u32::from(Vrf::output(&relay, &alpha).draw() < limit);
            drawn += 1;
        }
    }
    let expected = f64::from(drawn) / 4.0;
    let off = (f64::from(won) - expected) / (expected * 0.75).sqrt();
    println!(
        "chosen roots: {won} of {drawn} windows won where the payer reckoned with {guessed}: {off:.2} σ"
    );
    assert!(guessed < usize::try_from(drawn / 8).expect("small"), "it chose well, as far as it can know");
    assert!(off.abs() <= 5.0, "{won} of {drawn}");
}

/// A payer that offers other terms whenever a window is released: what is not paid for goes over to them.
#[test]
fn a_payer_that_changes_its_terms_all_the_time_pays_for_everything() {
    let mut world = honest();
    let mut named = 0;
    for packet in 0..64 * 60 {
        stream(&mut world, 1, OFTEN);
        if packet % 100 == 99 {
            // As the relay would that does not know the terms in force.
            let relay = world.sides[RELAY].id;
            let terms = *world.sides[PAYER].organ.paying_terms(&relay).expect("terms");
            let due = Due { slot: 0, terms: terms.name().wrapping_add(3), window: 0, held: None };
            let sent = world.sides[PAYER].sent;
            world.tell(PAYER, Input::Due { peer: relay, due, sent });
            named += 1;
            world.run_for(Duration::from_millis(300));
        }
    }
    world.settle();
    let (accepted, window) = (world.accepted.get(), world.window().get());
    let drawn = world.income().expected.get();
    assert!(drawn <= accepted && named > 30 && world.dropped == 0, "{drawn} drawn of {accepted}");
    gains_windows("other terms all the time", accepted - drawn, window, window);
}

/// A payer that says that it forgot whenever it is to pay: each time it is a stranger again, and all strangers have the pool together.
#[test]
fn a_payer_that_forgets_whatever_it_owes_gains_what_strangers_do() {
    let mut world = honest();
    stream(&mut world, 64 * 40, OFTEN);
    world.settle();
    let (relay, payer) = (world.sides[RELAY].id, world.sides[PAYER].id);
    let paid = world.paid;
    world.cheat = Cheat { signing: Signing::Refuses, ..Cheat::default() };
    let (hours, mut forgotten, mut won) = (12_u32, 0, world.income().won);
    let mut since = None;
    for _ in 0..hours * 3_600 {
        for _ in 0..4 {
            world.pay_for(price(), 200);
        }
        world.run_for(Duration::from_secs(1));
        if world.income().won > won {
            (won, forgotten) = (world.income().won, forgotten + 1);
            world.tell(PAYER, Input::OutOfDate(relay));
            world.tell(RELAY, Input::PayerForgot(payer));
            since.get_or_insert(world.accepted);
        }
    }
    assert_eq!(world.paid, paid, "it never paid again");
    let reference = typical().get() * 64;
    let carried = world.accepted.get() - since.expect("a win").get();
    assert!(forgotten > 2, "it forgot {forgotten} times in {hours} h");
    // The pool is full at first, and an hour's refills come to it.
    let pool = 20 * u64::from(hours + 1) * reference;
    gains_windows("a payer that forgets whenever it is to pay, in twelve hours", carried, pool, reference);
}

/// What a payer may owe for one win is half of what it ever paid, and four windows while that is less.
#[test]
fn what_a_payer_stakes_grows_with_what_it_paid_and_no_faster() {
    let mut world = honest();
    let payer = world.sides[PAYER].id;
    let mut most = 0.0_f64;
    for _ in 0..3_000 {
        stream(&mut world, 32, Duration::from_millis(2));
        let Some(terms) = world.sides[RELAY].organ.relaying_terms(&payer) else { continue };
        let worth = terms.reward().grains().expect("fits");
        let paid = world.paid.grains().expect("fits");
        let bound = stake(paid, terms.window());
        most = most.max(worth.get() as f64 / bound.get() as f64);
        assert!(worth <= bound, "{worth:?} of {bound:?}");
    }
    println!("stake used up to {most:.2} of what is allowed");
    assert!(world.claims > 10);
}

#[test]
fn what_a_stranger_stakes_is_no_more_than_it_is_good_for() {
    let mut relay = Alone::with_room_for(4);
    let payer = identity(77);
    relay.meet(&payer);
    let window = typical().get() * 64;
    let refused = [
        offer(&payer, own_key(), window, 4 * (window / 1_024) + 4),
        offer(&payer, own_key(), window * 5, window * 5 / 1_024 + 1),
    ];
    for terms in refused {
        let effects = relay.tell(terms_of(&payer, &terms, terms.sign(&payer)));
        assert!(matches!(effects.first(), Some(Effect::RefuseTerms { .. })), "{terms:?}");
        assert!(relay.organ.relaying_terms(&payer.node_id()).is_none());
    }
}

#[test]
fn terms_that_their_payer_did_not_sign_as_terms_change_nothing() {
    let mut relay = Alone::with_room_for(4);
    let (payer, other) = (identity(77), identity(78));
    relay.meet(&payer);
    let window = typical().get() * 64;
    let terms = offer(&payer, own_key(), window, window / 1_024);
    let content = [0; 86];
    let parts = [content.as_slice()];
    let wrong_tag = payer.sign(&Message::new(DomainTag::CHANNEL, &parts).expect("102 bytes"));
    let other_key = offer(&payer, Coin::new(9).public(), window, window / 1_024).sign(&payer);
    for signature in [terms.sign(&other), wrong_tag, other_key, Signature([0; 64])] {
        let effects = relay.tell(terms_of(&payer, &terms, signature));
        assert!(relay.organ.relaying_terms(&payer.node_id()).is_none() && effects.is_empty());
    }
    relay.tell(terms_of(&payer, &terms, terms.sign(&payer)));
    assert_eq!(relay.organ.relaying_terms(&payer.node_id()), Some(&terms));
}
