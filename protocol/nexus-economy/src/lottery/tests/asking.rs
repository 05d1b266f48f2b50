//! A relay that has no terms asks for some.

use alloc::collections::VecDeque;
use std::vec::Vec;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::{Due, Released, Token};

use super::super::draw::Vrf as _;
use super::super::{Channel, ClaimRefusal, Claimed, Effect, Input, Lottery, PathView, Policy, WindowKind};
use super::world::{CABLE, CHANNEL, Cheat, Coin, PAYER, RELAY, Signing, World};
use crate::money::{Amount, Grains};

fn typical() -> Grains {
    Grains::of_packet(PriceCode::nearest(1_000), 200).expect("fits")
}

/// All questions of a relay are lost, and it stops asking a neighbour that sends nothing. As soon as it is sent to again, it asks again.
#[test]
fn a_relay_whose_questions_were_all_lost_asks_again_when_it_is_sent_to() {
    let mut world = World::new(Coin::new, CABLE, typical(), WindowKind::ByValue);
    let payer = world.sides[PAYER].id;
    world.cheat = Cheat { jams_dues: true, ..Cheat::default() };
    world.tell(RELAY, Input::OutOfDate(payer));
    world.run_for(Duration::from_secs(3_600));
    world.cheat = Cheat::default();
    world.run_for(Duration::from_secs(3_600));
    assert!(world.sides[RELAY].organ.relaying_terms(&payer).is_none(), "it asked often enough");
    world.tell(RELAY, Input::TermsWanted(payer));
    world.run_for(Duration::from_secs(10));
    assert!(world.sides[RELAY].organ.relaying_terms(&payer).is_some());
}

#[test]
fn a_neighbour_that_sends_and_does_not_pay_is_asked_more_and_more_rarely() {
    let (mut relay, _) = relay_and_payer();
    let payer = NodeIdentity::from_seed(IdentitySeed::from_bytes([77; 32]));
    let path = PathView { round_trip: Duration::from_millis(10), bandwidth_bps: 1_000_000 };
    let mut now = Instant::BOOT;
    let mut asked = Vec::new();
    let mut tell = |relay: &mut Lottery<Coin>, now: Instant, input: Input| {
        let mut out: VecDeque<Effect> = VecDeque::new();
        relay.handle_timeout(Cx::at(now), &mut out);
        relay.handle(Cx::at(now), input, &mut out);
        asked.extend(out.iter().filter(|effect| matches!(effect, Effect::Due { .. })).map(|_| now));
    };
    let key = payer.public().verifying();
    tell(&mut relay, now, Input::LinkUp { peer: payer.node_id(), key, path });
    let channel = Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) };
    let reference = Grains::new(typical().get() * 64);
    tell(&mut relay, now, Input::Charge { peer: payer.node_id(), channel, reference });
    for _ in 0..24 * 120 {
        now = now.after(Duration::from_secs(30));
        tell(&mut relay, now, Input::TermsWanted(payer.node_id()));
    }
    let last = asked.iter().rev().zip(asked.iter().rev().skip(1)).map(|(late, early)| late.since(*early));
    assert!(last.take(100).all(|pause| pause >= Duration::from_secs(600)), "{asked:?}");
    assert!((100..170).contains(&asked.len()), "{} questions in a day", asked.len());
}

/// One payer and what it says, without a counterpart; its disk is at once.
struct Payer {
    organ: Lottery<Coin>,
    relay: NodeId,
    /// The numbers and anchors of the terms that it said.
    terms: Vec<(u32, Token)>,
    /// Name of the terms and window of the tokens that it said.
    tokens: Vec<(u8, u16)>,
    /// Why it refused claims.
    refused: Vec<ClaimRefusal>,
    now: Instant,
}

impl Payer {
    fn new() -> Self {
        let (_, organ) = relay_and_payer();
        let relay = NodeIdentity::from_seed(IdentitySeed::from_bytes([78; 32]));
        let (relay, key) = (relay.node_id(), relay.public().verifying());
        let mut payer = Self {
            organ,
            relay,
            terms: Vec::new(),
            tokens: Vec::new(),
            refused: Vec::new(),
            now: Instant::BOOT,
        };
        let path = PathView { round_trip: Duration::from_millis(10), bandwidth_bps: 1_000_000 };
        let channel = Channel { id: CHANNEL, slot: 0, balance: Amount::from_micros(1 << 40) };
        payer.tell(Input::Entropy([1; 32]));
        payer.tell(Input::LinkUp { peer: relay, key, path });
        let vrf = Coin::new(3).public();
        payer.tell(Input::Pay { peer: relay, channel, vrf, typical: typical() });
        payer
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle(Cx::at(self.now), input, &mut out);
            for effect in out {
                match effect {
                    Effect::Write { number, .. } => inputs.push_back(Input::Durable(number)),
                    Effect::Terms { offer, .. } => self.terms.push((offer.number, offer.anchor)),
                    Effect::Token { token, .. } => self.tokens.push((token.terms, token.released.window)),
                    Effect::RefuseClaim { reason, .. } => self.refused.push(reason),
                    _ => {}
                }
            }
        }
    }

    /// DUE, some time after whatever was before.
    fn due(&mut self, terms: u8, held: Option<Released>) {
        self.now = self.now.after(Duration::from_millis(300));
        self.due_at_once(terms, held);
    }

    fn due_at_once(&mut self, terms: u8, held: Option<Released>) {
        let due = Due { slot: 0, terms, window: 0, held };
        self.tell(Input::Due { peer: self.relay, due, sent: Grains::ZERO });
    }
}

/// A relay that lost its terms names some that it takes for unknown, and cannot know which those are.
#[test]
fn a_question_that_happens_to_name_the_terms_in_force_is_answered() {
    let mut payer = Payer::new();
    // Half of all names are later than a name: two steps lead from 1 to 256, whose name is 0.
    payer.due(127, None);
    payer.due(255, None);
    let (number, token) = *payer.terms.last().expect("terms");
    assert_eq!(number, 256);
    payer.due(0, Some(Released { window: 0, token }));
    payer.due(0, None);
    assert_eq!(payer.tokens, [(0, 0)]);
}

/// The payer's disk fell back by more than half of all names, so that its terms seem the later ones: each answers the other at once, and it
/// must not go on for ever.
#[test]
fn terms_go_beyond_those_that_a_relay_goes_on_naming() {
    let mut payer = Payer::new();
    assert_eq!(payer.terms.last().map(|(number, _)| *number), Some(1));
    for _ in 0..6 {
        payer.due(131, None);
    }
    let numbers: Vec<u32> = payer.terms.iter().map(|(number, _)| *number).collect();
    assert!(numbers.iter().any(|number| *number > 131), "{numbers:?}");
}

/// Each of many words on their way that name other terms would be answered, and each answer too.
#[test]
fn of_many_words_that_name_other_terms_one_is_answered() {
    let mut payer = Payer::new();
    let said = payer.terms.len();
    for _ in 0..20 {
        payer.due_at_once(9, Some(Released { window: 0, token: Token([7; 16]) }));
    }
    assert_eq!(payer.terms.len(), said + 1);
}

/// Terms that became void before the relay took them: the next have another number, since they have another root.
#[test]
fn no_number_is_used_twice() {
    let mut payer = Payer::new();
    for _ in 0..3 {
        payer.tell(Input::OutOfDate(payer.relay));
    }
    let numbers: Vec<u32> = payer.terms.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

/// One link takes the place of another before anybody heard that the first is gone: whoever counts begins anew, and has to be told.
#[test]
fn what_was_granted_is_said_again_to_who_forgot_it() {
    let mut world = World::new(Coin::new, CABLE, typical(), WindowKind::ByValue);
    let payer = world.sides[PAYER].id;
    let granted = world.sides[RELAY].limit;
    assert!(granted > Grains::ZERO);
    world.sides[RELAY].limit = Grains::ZERO;
    world.rekey();
    assert_eq!(world.sides[RELAY].limit, Grains::ZERO, "nothing has changed");
    world.tell(RELAY, Input::GrantAgain(payer));
    assert_eq!(world.sides[RELAY].limit, granted);
}

/// A payer comes back while a claim is on its way, and has sent nothing yet. What the relay holds tells it what it released.
#[test]
fn a_payer_that_came_back_pays_what_it_released_before() {
    let mut world = World::new(Coin::new, CABLE, typical(), WindowKind::ByValue);
    let (payer, relay) = (world.sides[PAYER].id, world.sides[RELAY].id);
    world.cheat = Cheat { signing: Signing::Refuses, ..Cheat::default() };
    while world.income().won == 0 {
        world.pay_for(PriceCode::nearest(1_000), 200);
        world.run_for(Duration::from_millis(5));
    }
    world.run_for(Duration::from_millis(50));
    world.cheat = Cheat::default();
    assert_eq!(world.paid, Amount::ZERO, "it refused");
    world.crash_unpaying(PAYER);
    world.run_for(Duration::from_secs(10));
    assert!(world.paid > Amount::ZERO, "{:?}", world.sides[RELAY].organ.income(&payer));
    world.pay_again();
    let (dropped, claims) = (world.dropped, world.claims);
    for _ in 0..64 * 60 {
        world.pay_for(PriceCode::nearest(1_000), 200);
        world.run_for(Duration::from_millis(5));
    }
    assert!(
        world.dropped == dropped && world.claims > claims,
        "{:?}",
        world.sides[PAYER].organ.paying_terms(&relay)
    );
}

/// The same where what the relay holds happens to have the name of the payer's own older terms.
#[test]
fn terms_go_beyond_later_ones_of_the_same_name() {
    let mut payer = Payer::new();
    let anchor = payer.terms.last().expect("terms").1;
    payer.due(1, Some(Released { window: 0, token: anchor }));
    // Another channel: other terms, which the relay, who holds number 257, answers with what it holds.
    let channel = Channel { id: [9; 16], slot: 0, balance: Amount::from_micros(1 << 40) };
    let (peer, vrf) = (payer.relay, Coin::new(3).public());
    payer.tell(Input::Pay { peer, channel, vrf, typical: typical() });
    for _ in 0..8 {
        payer.due(1, Some(Released { window: 0, token: Token([7; 16]) }));
    }
    let numbers: Vec<u32> = payer.terms.iter().map(|(number, _)| *number).collect();
    assert!(numbers.iter().any(|number| *number > 257), "{numbers:?}");
}

/// A payer restored from a backup has no terms, and numbers its own from 1 on, as it did once: what the relay holds of the terms that had that name
/// then must not pass for having taken these.
#[test]
fn terms_are_taken_by_their_first_token_and_not_by_their_name() {
    let mut payer = Payer::new();
    assert_eq!(payer.terms.last().map(|(number, _)| *number), Some(1));
    for _ in 0..6 {
        payer.due(1, None);
        payer.due(1, Some(Released { window: 3, token: Token([7; 16]) }));
    }
    assert_eq!(payer.tokens, [], "nothing is released for terms that the relay does not hold");
    let (number, anchor) = *payer.terms.last().expect("terms");
    assert!(number > 1, "others go beyond those that it holds");
    let name = number.to_le_bytes()[0];
    payer.due(name, Some(Released { window: 0, token: anchor }));
    payer.due(name, None);
    assert_eq!(payer.tokens, [(name, 0)]);
}

/// The payer's disk fell back to before the relay took later terms, and in the channel nothing had changed meanwhile, so that nobody noticed. What the
/// relay claims under terms that the payer does not know is lost: it has to hear that, or it claims for ever.
#[test]
fn claims_under_later_terms_than_the_payer_knows_are_refused_for_good() {
    let mut payer = Payer::new();
    let anchor = payer.terms.last().expect("terms").1;
    payer.due(1, Some(Released { window: 0, token: anchor }));
    let claim = Claimed { from: 2, to: 2, proof: None };
    payer.tell(Input::Claim { peer: payer.relay, claim });
    assert_eq!(payer.refused, [ClaimRefusal::Window], "it may yet be released");
    payer.due(127, None);
    payer.tell(Input::Claim { peer: payer.relay, claim });
    assert_eq!(payer.refused.last(), Some(&ClaimRefusal::Window), "whoever only asks for terms may name any");
    payer.due(3, Some(Released { window: 2, token: Token([7; 16]) }));
    payer.tell(Input::Claim { peer: payer.relay, claim });
    assert_eq!(payer.refused.last(), Some(&ClaimRefusal::Terms));
    // The same name, and another root: both disks fell back, to different days.
    let mut payer = Payer::new();
    payer.due(1, Some(Released { window: 0, token: payer.terms.last().expect("terms").1 }));
    payer.due(1, Some(Released { window: 2, token: Token([7; 16]) }));
    payer.tell(Input::Claim { peer: payer.relay, claim });
    assert_eq!(payer.refused, [ClaimRefusal::Terms]);
    assert!(payer.terms.last().expect("terms").0 > 1, "other terms are offered");
}

/// Both come back, and the relay has as many windows undrawn on its disk as it goes ahead: it carries nothing before the payer says what it
/// released, and that is asked until it is answered, though nothing was sent since.
#[test]
fn windows_that_were_not_drawn_before_a_restart_do_not_stop_the_relay() {
    for jammed in [false, true] {
        let mut world = World::new(Coin::new, CABLE, typical(), WindowKind::ByValue);
        world.cheat = Cheat { signing: Signing::SaysNothing, ..Cheat::default() };
        while world.dropped == 0 {
            world.pay_for(PriceCode::nearest(1_000), 200);
            world.run_for(Duration::from_millis(5));
        }
        world.run_for(Duration::from_secs(100));
        world.cheat = Cheat { jams_dues: jammed, ..Cheat::default() };
        world.crash(RELAY);
        world.crash_unpaying(PAYER);
        world.run_for(Duration::from_millis(100));
        world.cheat = Cheat::default();
        world.run_for(Duration::from_secs(60));
        world.pay_again();
        let dropped = world.dropped;
        for _ in 0..64 * 20 {
            world.pay_for(PriceCode::nearest(1_000), 200);
            world.run_for(Duration::from_millis(5));
        }
        assert!(world.claims > 0 && world.dropped == dropped, "jammed {jammed}: {:?}", world.income());
    }
}

/// A payer's disk is out of date while a win is unpaid: the win is lost, and payment goes on under other terms.
#[test]
fn a_payer_that_forgot_what_it_owes_goes_on_as_a_stranger() {
    let mut world = World::new(Coin::new, CABLE, typical(), WindowKind::ByValue);
    let (payer, relay) = (world.sides[PAYER].id, world.sides[RELAY].id);
    world.cheat = Cheat { signing: Signing::Refuses, ..Cheat::default() };
    while world.income().won == 0 {
        world.pay_for(PriceCode::nearest(1_000), 200);
        world.run_for(Duration::from_millis(5));
    }
    world.cheat = Cheat::default();
    world.tell(PAYER, Input::OutOfDate(relay));
    world.run_for(Duration::from_secs(60));
    let old = *world.sides[RELAY].organ.relaying_terms(&payer).expect("terms");
    assert_eq!(world.paid, Amount::ZERO, "nothing is honoured under terms of a disk that was out of date");
    world.tell(RELAY, Input::PayerForgot(payer));
    world.run_for(Duration::from_secs(60));
    let new = *world.sides[RELAY].organ.relaying_terms(&payer).expect("terms");
    assert!(new.offer().number > old.offer().number);
    let dropped = world.dropped;
    for _ in 0..64 * 15 {
        world.pay_for(PriceCode::nearest(1_000), 200);
        world.run_for(Duration::from_millis(200));
    }
    assert!(world.paid > Amount::ZERO && world.dropped == dropped);
}

fn relay_and_payer() -> (Lottery<Coin>, Lottery<Coin>) {
    let pool = Grains::new(typical().get() * 64 * 20);
    let policy = Policy { neighbours: 4, windows: WindowKind::ByValue, chain: 64, stranger_pool: pool };
    let organ = |n: u8| {
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]));
        Lottery::new(identity, Coin::new(n), policy, &Snapshot::empty(), &Seed::new([n; 32]))
    };
    (organ(50), organ(51))
}
