//! Witnesses in random schedules: what many owners order, close and settle, honestly or not, reaches up to ten of them in any order, while
//! fewer than a third sign whatever they are asked. Each step is a shipped decision; see the model, that explores small worlds whole.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how many schedules are run may be chosen; what came of them is printed"
)]

use alloc::vec;
use alloc::vec::Vec;
use std::println;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{Seed, Stream};
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::genesis::Terms;
use nexus_wire::nexus::ledger::{CloseOrder, ClosedBy, GenesisId, Order};
use stateright::Model as _;

use super::model::{PEER, RICH, State, THIRD, World, ZERO, open};
use crate::ledger::entry::ChannelKey;
use crate::ledger::rules::Rules;
use crate::money::Amount;

const ALL: [NodeId; 3] = [RICH, PEER, THIRD];

fn below(random: &mut Stream, count: usize) -> usize {
    usize::try_from(random.below(u64::try_from(count).expect("small"))).expect("small")
}

/// Two of them.
fn pair(random: &mut Stream) -> (NodeId, NodeId) {
    let one = below(random, ALL.len());
    (ALL[one], ALL[(one + 1 + below(random, ALL.len() - 1)) % ALL.len()])
}

/// What two say was paid in one of their channels, whatever was.
fn figures(random: &mut Stream) -> SettlementBody {
    let (one, other) = pair(random);
    let channel = [1 + u8::try_from(below(random, 2)).expect("small"); 16];
    let key = ChannelKey::between(one, other, channel).expect("two");
    let mut paid = || if random.chance(1, 2) { random.below(90) } else { 0 };
    let (paid_a, paid_b) = (paid(), paid());
    let (party_a, party_b, channel) = (key.a(), key.b(), ChannelId(channel));
    SettlementBody { channel, party_a, party_b, paid_a, paid_b, final_sequence: 0 }
}

/// Up to four numbers of each owner, one in six of them used twice; some channels closed, some of them twice; some settlements.
fn world(random: &mut Stream) -> World {
    let mut orders = Vec::new();
    for owner in ALL {
        for number in 1..=u32::try_from(below(random, 5)).expect("small") {
            for _ in 0..=usize::from(random.chance(1, 6)) {
                let other: Vec<NodeId> = ALL.into_iter().filter(|node| *node != owner).collect();
                let (peer, channel) = (other[below(random, 2)], 1 + below(random, 2));
                let channel = u8::try_from(channel).expect("small");
                orders.push(open(owner, number, 1 + random.below(110), channel, peer));
            }
        }
    }
    let close = |body| Order::Close(CloseOrder { body, signatures: ClosedBy::Both(ZERO, ZERO) });
    orders.extend((0..below(random, 5)).map(|_| close(figures(random))));
    let settled = |body| SettlementRecord { body, sig_a: ZERO, sig_b: ZERO };
    let settlements = (0..below(random, 6)).map(|_| settled(figures(random))).collect();
    let count = [4_usize, 7, 10][below(random, 3)];
    // Fewer than a third.
    let liars = below(random, count.div_ceil(3));
    let quorum = (1..=count).find(|quorum| Terms::is_quorum(*quorum, count)).expect("few witnesses");
    let rules = Rules {
        id: GenesisId([1; 32]),
        quorum,
        witnesses: vec![VerifyingKey([0; 32]); count],
        minimum_deposit: Amount::from_micros(1),
        opens_per_day: 1_000,
        accounts: vec![(RICH, Amount::from_micros(100)), (PEER, Amount::from_micros(60))],
    };
    World { rules, orders, settlements, honest: count - liars }
}

/// What happens until nothing more can; how many orders were certified.
fn run(world: &World, random: &mut Stream) -> usize {
    let mut state: State = world.init_states().remove(0);
    let (mut actions, mut certified) = (Vec::new(), 0);
    loop {
        actions.clear();
        world.actions(&state, &mut actions);
        if actions.is_empty() {
            return certified;
        }
        let act = actions[below(random, actions.len())];
        state = world.next_state(&state, act).expect("what may happen");
        let count = (0..world.orders.len()).filter(|order| world.is_certified(&state, *order)).count();
        if count > certified {
            assert!(world.are_certified_once(&state), "{act:?}");
            assert!(world.is_covered(&state), "{act:?}");
            certified = count;
        }
    }
}

/// `NEXUS_SCHEDULES=100000` makes it the count of the specification.
#[test]
fn in_random_schedules_nobody_is_overdrawn_and_nothing_certified_twice() {
    let schedules = std::env::var("NEXUS_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(300);
    let seed = Seed::new([0x3a; 32]);
    let (mut orders, mut certified) = (0, 0);
    for schedule in 0..schedules {
        let mut random = seed.fork_index("schedule", schedule).fork("witnesses");
        let world = world(&mut random);
        orders += world.orders.len();
        certified += run(&world, &mut random);
    }
    println!("{schedules} schedules: {certified} of {orders} orders certified");
    assert!(certified * 10 > orders && certified * 2 < orders, "some are, and some cannot be");
}
