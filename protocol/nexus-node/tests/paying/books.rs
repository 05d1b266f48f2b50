//! From what a relay carries to what everybody knows that it has.

use nexus_machine::Duration;
use nexus_node::economy::Amount;
use nexus_node::economy::layer::{Command as ChannelCommand, Record};
use nexus_node::economy::ledger::{Balance, Rules};
use nexus_node::{Command, Input};
use nexus_wire::nexus::ledger::GenesisId;

use crate::world::{Ways, World, key};
use crate::{LINE, PACED};

/// What the payer has at first, in µNXS,
const FIRST: u64 = 10_000_000;
/// and what it puts into the channel with its relay.
const DEPOSIT: u64 = 2_000_000;

fn channel(world: &mut World, n: usize, with: usize, command: ChannelCommand) {
    let peer = world.id(with);
    world.tell(n, Input::Command(Command::Channel { peer, command }));
}

#[test]
fn what_a_relay_earned_is_settled_and_everybody_knows_what_both_have() {
    let ways = [0, 20, 0].map(|price| Ways { price, line: Some(LINE) });
    let payer = World::of(&ways, &[]).id(0);
    // The relay itself is the only witness there is.
    let rules = Rules {
        id: GenesisId([9; 32]),
        quorum: 1,
        witnesses: vec![key(1)],
        minimum_deposit: Amount::from_micros(100),
        opens_per_day: 144_000,
        accounts: vec![(payer, Amount::from_micros(FIRST))],
    };
    let mut world = World::with(&ways, &[], Some(rules));
    let (line, deposit) = (Amount::from_micros(LINE), Amount::from_micros(DEPOSIT));
    channel(&mut world, 0, 1, ChannelCommand::Open { line, deposit });
    world.run(Duration::from_millis(40));
    assert_eq!(world.balances(0, 1), Some((LINE, LINE)), "what nobody certified cannot be spent");
    world.run(Duration::from_secs(180));
    assert_eq!(world.balances(0, 1), Some((LINE + DEPOSIT, LINE)));
    assert_eq!(world.balances(1, 0), Some((LINE, LINE + DEPOSIT)), "the relay knows of it");

    world.packets(0, 2, 3_000, PACED);
    world.run(Duration::from_secs(5));
    let paid = world.income(0, 1).paid.micros();
    assert!(paid > 0 && paid < DEPOSIT, "{paid}");
    channel(&mut world, 1, 0, ChannelCommand::Settle);
    world.run(Duration::from_secs(300));
    assert!(world.records(1).any(|record| matches!(record, Record::Settlement(_))));
    let known = |micros| Balance::Known(Amount::from_micros(micros));
    for at in 0..3 {
        let seen = [0, 1, 2].map(|of| world.balance(at, of));
        assert_eq!(seen, [known(FIRST - paid), known(paid), known(0)], "as {at} sees it");
    }
    for n in [0, 1, 2] {
        world.crash(n);
    }
    world.run(Duration::from_secs(60));
    assert_eq!(world.balance(2, 1), known(paid), "after a restart of all");
}
