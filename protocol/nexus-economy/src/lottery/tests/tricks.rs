//! Ways to gain by choosing: roots, terms, keys, memories, prices, claims. What each gains stands beside the bound.

use alloc::collections::VecDeque;
use std::println;
use std::vec::Vec;

use nexus_crypto::hash::blake3_xof;
use nexus_crypto::{IdentitySeed, NodeIdentity, VrfPublicKey, VrfSecret};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::{Due, Offer, Released, Token};

use super::super::draw::Vrf;
use super::super::exposure::stake;
use super::super::{
    Chain, Channel, ClaimRefusal, Claimed, Effect, Input, Lottery, Odds, PathView, Policy, Terms, WindowKind,
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

fn stream(world: &mut World<Coin>, packets: u32, every: Duration) {
    for _ in 0..packets {
        world.pay_for(price(), 200);
        world.run_for(every);
    }
}

const OFTEN: Duration = Duration::from_millis(5);

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
    println!("other terms after each loss ({asked}): {expected} grains drawn of {sent} that were sent");
    assert!(asked > 10 && expected <= sent);
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
    println!("terms changed {named} times: {drawn} grains drawn of {accepted} that were carried");
    assert!(named > 30 && world.dropped == 0);
    assert!(drawn <= accepted && drawn + window > accepted, "{drawn} drawn of {accepted}");
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
    println!("three keys: {drawn} grains released of {accepted}, V {windows}");
    assert!(drawn <= accepted && drawn + 4 * windows >= accepted, "{drawn} of {accepted}");
    assert_eq!(world.dropped, 0);
}

/// A payer that crashed has lost its sum, and takes some of it from the relay's word.
#[test]
fn a_relay_that_lies_to_a_payer_that_forgot_gains_three_windows_a_crash() {
    let mut world = World::new(Coin::new, BAD, typical(), WindowKind::ByValue);
    world.cheat = Cheat { inflates: 1_000, ..Cheat::default() };
    let mut sent = 0;
    let crashes = 12;
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
    let gain = drawn.saturating_sub(sent) as f64 / window as f64 / f64::from(crashes);
    println!("lies after a crash of the payer: {gain:.2} V each of 3");
    assert!(gain <= 3.0, "{drawn} drawn of {sent} sent, V {window}");
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
    let (hours, mut forgotten, mut won) = (3_u32, 0, world.income().won);
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
    let each = carried as f64 / reference as f64 / f64::from(hours);
    println!(
        "forgets {forgotten} times in {hours} h: is carried for {each:.2} V an hour; what strangers have together is 20 V"
    );
    // The pool is full at first, and an hour's refills come to it.
    assert!(forgotten > 2 && carried <= 20 * u64::from(hours + 1) * reference);
}

#[test]
fn a_price_raised_afterwards_is_paid_as_it_was_stated() {
    let mut world = honest();
    world.cheat = Cheat { overcharges: 4, ..Cheat::default() };
    stream(&mut world, 20_000, OFTEN);
    world.settle();
    let (sent, drawn) = (world.sides[PAYER].sent.get(), world.income().expected.get());
    println!("fivefold price afterwards: {drawn} grains drawn of {sent} that were stated");
    assert!(drawn <= sent, "{drawn} drawn of {sent} sent");
}

/// What a win is worth is what the payer signed, whatever the relay makes of it: the claim does not say it.
#[test]
fn overlapping_and_double_claims_are_paid_once() {
    let mut payer = Alone::payer();
    let relay = payer.peer;
    let terms = payer.in_force(100);
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

/// One organ without a counterpart, whose disk is at once.
struct Alone {
    organ: Lottery<Coin>,
    peer: nexus_crypto::NodeId,
    now: Instant,
    vrf: VrfPublicKey,
    /// The name of the terms that it said last.
    offered: (u8, Token),
}

fn due(terms: &Terms, window: u16) -> Due {
    Due { slot: 0, terms: terms.name(), window, held: None }
}

impl Alone {
    /// A payer that is linked with a relay.
    fn payer() -> Self {
        let policy = Policy {
            neighbours: 4,
            windows: WindowKind::ByValue,
            chain: 64,
            stranger_pool: Grains::new(typical().get() * 64 * 20),
        };
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([50; 32]));
        let relay = NodeIdentity::from_seed(IdentitySeed::from_bytes([77; 32]));
        let organ = Lottery::new(identity, Coin::new(50), policy, &Snapshot::empty(), &Seed::new([50; 32]));
        let vrf = Coin::new(3).public();
        let mut alone =
            Self { organ, peer: relay.node_id(), now: Instant::BOOT, vrf, offered: (0, Token([0; 16])) };
        let path = PathView { round_trip: Duration::from_millis(10), bandwidth_bps: 1_000_000 };
        alone.tell(Input::Entropy([1; 32]));
        alone.tell(Input::LinkUp { peer: alone.peer, key: relay.public().verifying(), path });
        alone
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
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

    /// The terms in force once so little was sent in so many seconds that each window wins.
    fn in_force(&mut self, seconds: u64) -> Terms {
        let channel = Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) };
        let (peer, vrf) = (self.peer, self.vrf);
        self.tell(Input::Pay { peer, channel, vrf, typical: typical() });
        for _ in 0..4 {
            let (terms, token) = self.offered;
            let due = Due { slot: 0, terms, window: 0, held: Some(Released { window: 0, token }) };
            self.tell(Input::Due { peer, due, sent: Grains::ZERO });
            self.now = self.now.after(Duration::from_secs(seconds));
        }
        *self.organ.paying_terms(&peer).expect("terms")
    }
}
