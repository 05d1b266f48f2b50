//! Channels between two real organs, over bytes and disks.
#![allow(clippy::disallowed_macros, reason = "what was measured is printed beside its bound")]

mod cheats;
mod schedules;
mod world;

use nexus_crypto::NodeId;
use nexus_economy::Amount;
use nexus_economy::channels::account::{Phase, Word};
use nexus_economy::channels::keys::Side;
use nexus_economy::channels::{Input, ROUND};
use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::channel::ChannelId;

use crate::world::{REWARD, World};

const LENT: u64 = 1_000_000_000;

#[test]
fn a_channel_is_opened_by_either_and_both_know_the_same() {
    for opener in 0..2 {
        let mut world = World::new();
        world.link_up();
        let peer = world.nodes[1 - opener].id;
        world.tell(opener, Input::Open { peer, line: Amount::from_micros(LENT), deposit: Amount::ZERO });
        world.run();
        let [a, b] = [0, 1].map(|own| world.nodes[own].account().agreed.clone());
        assert_eq!(a, b);
        assert_eq!((a.body.balance_a, a.body.balance_b, a.body.sequence), (LENT, LENT, 0));
        assert_eq!((world.nodes[0].opened, world.nodes[1].opened), (1, 1));
    }
}

#[test]
fn crossing_offers_make_one_channel() {
    let mut world = World::new();
    world.link_up();
    for own in 0..2 {
        let peer = world.nodes[1 - own].id;
        world.tell(own, Input::Open { peer, line: Amount::from_micros(LENT), deposit: Amount::ZERO });
    }
    world.run();
    assert_eq!((world.nodes[0].opened, world.nodes[1].opened), (1, 1));
    assert_eq!(world.nodes[0].account().agreed, world.nodes[1].account().agreed);
}

#[test]
fn the_channel_changes_by_wins_and_by_nothing_else() {
    let mut world = World::opened();
    world.pass(Duration::from_secs(3_600));
    assert_eq!(world.nodes[0].account().agreed.body.sequence, 0);
    world.win([1, 0]);
    world.run();
    let body = world.nodes[1].account().agreed.body;
    assert_eq!((body.balance_a, body.balance_b, body.sequence), (LENT + REWARD, LENT - REWARD, 2));
    assert_eq!((world.nodes[0].accepted, world.nodes[1].paid), (1, 1));
}

#[test]
fn both_always_have_a_win_ready_and_each_gets_its_half_of_a_hundred_thousand_updates() {
    let mut world = World::opened();
    let updates = 100_000;
    world.win([updates, updates]);
    while world.nodes[0].accepted + world.nodes[1].accepted < updates {
        let moved = (0..2).fold(false, |moved, own| world.sync(own) | world.deliver(own) | moved);
        assert!(moved, "stuck");
    }
    let shares = [0, 1].map(|own| world.nodes[own].accepted * 100 / updates);
    let written = [0, 1].map(|own| world.nodes[own].written);
    println!("shares {shares:?} %, bytes and writes {written:?}, bytes on the link {}", world.sent_bytes);
    assert!(shares.iter().all(|share| (45..=55).contains(share)), "{shares:?}");
    world.run();
    let body = world.nodes[0].account().agreed.body;
    assert_eq!(body.balance_a + body.balance_b, 2 * LENT);
}

/// One side is seven times slower with its disk and with what it hears, and chance decides who is served: neither is starved.
#[test]
fn a_slow_side_gets_its_half_too() {
    for slow in 0..2 {
        let mut world = World::opened();
        let mut random = Seed::new([0x45; 32]).fork_index("slow", u64::from(slow == 1)).fork("turns");
        let updates = 20_000;
        world.win([updates, updates]);
        for _ in 0..updates * 400 {
            if world.nodes[0].accepted + world.nodes[1].accepted >= updates {
                break;
            }
            let own = if random.chance(1, 8) { slow } else { 1 - slow };
            if random.chance(1, 2) {
                world.sync(own);
            } else {
                world.deliver(own);
            }
        }
        let shares = [0, 1].map(|own| world.nodes[own].accepted * 1_000 / updates);
        println!("slow {slow}: shares {shares:?} ‰");
        assert!(shares.iter().all(|share| (450..=550).contains(share)), "{shares:?}");
    }
}

/// The first node opens a channel with the second, and deposits so much. With whom, and which channel.
fn open(world: &mut World, deposit: u64) -> (NodeId, ChannelId) {
    let peer = world.nodes[1].id;
    let deposit = Amount::from_micros(deposit);
    world.tell(0, Input::Open { peer, line: Amount::from_micros(LENT), deposit });
    world.run();
    (peer, world.nodes[0].account().terms.channel)
}

/// What the first deposited in a channel is certified, as both hear.
fn certify(world: &mut World, channel: ChannelId, deposit: u64) {
    for own in 0..2 {
        world.tell(own, Input::Certified { channel, side: Side::A, deposit: Amount::from_micros(deposit) });
    }
}

/// What is certified of a channel that ended is not there in the next: at neither end, whichever end heard of it.
#[test]
fn what_was_certified_in_a_channel_that_ended_is_not_in_the_next_with_the_same_neighbour() {
    let mut world = World::new();
    world.link_up();
    let (peer, channel) = open(&mut world, 900);
    certify(&mut world, channel, 900);
    world.win([0, 3]);
    world.run();
    world.tell(0, Input::Close(peer));
    world.run();
    let (_, next) = open(&mut world, 900);
    assert_ne!(channel, next);
    world.win([0, 2]);
    world.run();
    world.tell(1, Input::Settle(world.nodes[0].id));
    world.run();
    let settled = |world: &World| [0, 1].map(|own| world.nodes[own].account().settled.clone());
    assert_eq!(settled(&world), [None, None], "nothing is certified here, so nothing is settleable");
    certify(&mut world, next, 900);
    world.win([0, 1]);
    world.run();
    world.tell(1, Input::Settle(world.nodes[0].id));
    world.run();
    let paid = settled(&world).map(|settled| settled.map(|settled| settled.body.paid_a));
    assert_eq!(paid, [Some(3 * REWARD); 2], "and payment goes on");
}

#[test]
fn a_settlement_is_a_record_that_both_signed_and_the_channel_goes_on() {
    let mut world = World::new();
    world.link_up();
    let (peer, channel) = open(&mut world, 500);
    assert_eq!(
        world.nodes[1].organ.spendable(world.nodes[0].id),
        Some(Amount::from_micros(LENT)),
        "not certified"
    );
    certify(&mut world, channel, 500);
    world.win([0, 3]);
    world.run();
    world.tell(0, Input::Settle(peer));
    world.run();
    let records = [0, 1].map(|own| {
        let settled = |word: &Word<_>| matches!(word, Word::Settled(_));
        assert_eq!(world.nodes[own].words.iter().filter(|word| settled(word)).count(), 1);
        world.nodes[own].account().settled.clone().expect("settled")
    });
    assert_eq!(records[0], records[1]);
    assert_eq!((records[0].body.paid_a, records[0].body.paid_b), (3 * REWARD, 0));
    world.win([0, 9]);
    world.run();
    world.tell(1, Input::Settle(world.nodes[0].id));
    world.run();
    let settled = world.nodes[0].account().settled.clone().expect("settled");
    assert_eq!(settled.body.paid_a, 500, "beyond the deposit a debt stays between the two");
}

/// How often this node was told of a settlement that both signed.
fn settlements(world: &World, own: usize) -> usize {
    world.nodes[own].words.iter().filter(|word| matches!(word, Word::Settled(_))).count()
}

#[test]
fn what_is_owed_is_settled_once_a_day_by_whoever_is_paid_and_not_before() {
    let mut world = World::new();
    world.link_up();
    let (_, channel) = open(&mut world, 900);
    certify(&mut world, channel, 900);
    let both = |world: &World| [0, 1].map(|own| settlements(world, own));
    let paid = |world: &World| world.nodes[0].account().settled.as_ref().map(|settled| settled.body.paid_a);
    world.win([0, 3]);
    world.run();
    assert_eq!(both(&world), [0, 0], "never per win");
    world.pass(ROUND.times(1_442));
    assert_eq!((both(&world), paid(&world)), ([1, 1], Some(3 * REWARD)));
    world.win([0, 1]);
    world.run();
    world.pass(ROUND.times(60));
    assert_eq!(both(&world), [1, 1], "a day is not over");
    world.pass(ROUND.times(1_440));
    assert_eq!((both(&world), paid(&world)), ([2, 2], Some(4 * REWARD)));
    world.pass(ROUND.times(3 * 1_440));
    assert_eq!(both(&world), [2, 2], "there is nothing more");
    // Nobody settles what it owes itself: the payer without its creditor says nothing of it.
    world.win([0, 1]);
    world.run();
    for own in 0..2 {
        world.tell(own, Input::LinkDown(world.nodes[1 - own].id));
    }
    world.pass(ROUND.times(1_500));
    assert_eq!(both(&world), [2, 2], "without a link nothing is begun");
    assert_eq!(world.nodes[1].account().phase, Phase::Open);
    world.link_up();
    world.run();
    world.pass(ROUND);
    assert_eq!((both(&world), paid(&world)), ([3, 3], Some(5 * REWARD)), "once there is one again");
}

/// The payer heard of the certificate of a greater deposit before its creditor did: what the creditor offered would never be taken.
#[test]
fn an_offer_to_settle_follows_what_is_certified_meanwhile() {
    let mut world = World::new();
    world.link_up();
    let peer = world.nodes[1].id;
    world.tell(0, Input::Open { peer, line: Amount::from_micros(LENT), deposit: Amount::from_micros(900) });
    world.run();
    let channel = world.nodes[0].account().terms.channel;
    let certified =
        |micros| Input::Certified { channel, side: Side::A, deposit: Amount::from_micros(micros) };
    world.tell(0, certified(900));
    world.tell(1, certified(2 * REWARD));
    world.win([0, 5]);
    world.run();
    world.tell(1, Input::Settle(world.nodes[0].id));
    world.run();
    assert_eq!([0, 1].map(|own| settlements(&world, own)), [0, 0], "the two reckon differently");
    world.tell(1, certified(900));
    world.run();
    assert_eq!([0, 1].map(|own| settlements(&world, own)), [1, 1]);
    let settled = world.nodes[1].account().settled.as_ref().map(|settled| settled.body.paid_a);
    assert_eq!((settled, &world.nodes[1].account().phase), (Some(5 * REWARD), &Phase::Open));
}

#[test]
fn a_close_with_consent_waits_for_wins_and_ends_the_channel_for_both() {
    let mut world = World::opened();
    world.win([3, 2]);
    let peer = world.nodes[1].id;
    world.tell(0, Input::Close(peer));
    world.run();
    world.pass(Duration::from_secs(30));
    for node in &world.nodes {
        assert!(
            matches!(node.account().phase, Phase::Closed { sigs: Some(_), .. }),
            "{:?}",
            node.account().phase
        );
    }
    assert_eq!((world.nodes[0].accepted, world.nodes[1].accepted), (3, 2));
}

#[test]
fn a_close_without_consent_ends_after_the_window_and_not_before() {
    let mut world = World::opened();
    world.win([5, 0]);
    world.run();
    let peer = world.nodes[1].id;
    world.tell(0, Input::LinkDown(peer));
    world.tell(0, Input::CloseAlone(peer));
    world.run();
    world.pass(ROUND.times(2_879));
    assert!(matches!(world.nodes[0].account().phase, Phase::AwaitingWindow { .. }));
    world.pass(ROUND.times(2));
    assert!(matches!(world.nodes[0].account().phase, Phase::Closed { sigs: None, .. }));
}

#[test]
fn the_window_outlasts_restarts() {
    let mut world = World::opened();
    let peer = world.nodes[1].id;
    world.tell(0, Input::LinkDown(peer));
    world.tell(0, Input::CloseAlone(peer));
    world.run();
    for _ in 0..4 {
        world.pass(ROUND.times(1_000));
        if matches!(world.nodes[0].account().phase, Phase::Closed { .. }) {
            return;
        }
        world.now = nexus_machine::Instant::BOOT;
        world.nodes[0].restart();
    }
    panic!("4,000 rounds and the window is not over");
}
