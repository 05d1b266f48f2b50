//! From what a relay carries to what everybody knows that it has.

use nexus_crypto::NodeId;
use nexus_machine::Duration;
use nexus_node::economy::Amount;
use nexus_node::economy::layer::{Command as ChannelCommand, Record};
use nexus_node::economy::ledger::purse::PURSE;
use nexus_node::economy::ledger::witness::WINDOW;
use nexus_node::economy::ledger::{Balance, Entry, Rules};
use nexus_node::{Command, Input, LedgerCommand};
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

/// A genesis that gives this account all there is, with one witness.
fn rules(account: NodeId, witness: usize) -> Rules {
    Rules {
        id: GenesisId([9; 32]),
        quorum: 1,
        witnesses: vec![key(witness)],
        minimum_deposit: Amount::from_micros(100),
        opens_per_day: 144_000,
        accounts: vec![(account, Amount::from_micros(FIRST))],
    }
}

/// A line of four of whom the first has money, and the last, three hops from it, is the witness.
fn far_from_the_witness() -> World {
    let ways = [0, 20, 20, 0].map(|price| Ways { price, line: Some(LINE) });
    let payer = World::of(&ways, &[]).id(0);
    World::with(&ways, &[], Some(rules(payer, 3)))
}

fn open(world: &mut World) {
    let (line, deposit) = (Amount::from_micros(LINE), Amount::from_micros(DEPOSIT));
    channel(world, 0, 1, ChannelCommand::Open { line, deposit });
}

/// What a node knows of the only channel there is in its books.
fn entry(world: &World, at: usize) -> Option<Entry> {
    let books = world.hosts[at].node.ledger().expect("it keeps books").books();
    books.iter().next().map(|(_, entry)| *entry)
}

fn all_closed(world: &World) -> bool {
    (0..world.hosts.len()).all(|at| entry(world, at).is_some_and(|entry| entry.close().is_some()))
}

#[test]
fn what_a_relay_earned_is_settled_and_everybody_knows_what_both_have() {
    let ways = [0, 20, 0].map(|price| Ways { price, line: Some(LINE) });
    let payer = World::of(&ways, &[]).id(0);
    // The relay itself is the only witness there is.
    let mut world = World::with(&ways, &[], Some(rules(payer, 1)));
    open(&mut world);
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

#[test]
fn a_witness_that_is_no_neighbour_certifies_through_the_mesh_and_what_is_closed_together_is_free_again() {
    let mut world = far_from_the_witness();
    open(&mut world);
    world.run(Duration::from_secs(200));
    assert_eq!(world.balances(0, 1), Some((LINE + DEPOSIT, LINE)), "three hops away it was certified");
    world.packets(0, 3, 2_000, PACED);
    world.run(Duration::from_secs(5));
    channel(&mut world, 0, 1, ChannelCommand::Close);
    world.run(Duration::from_secs(400));
    assert!(all_closed(&world), "the books know that it is closed");
    let income = world.income(0, 1).paid.micros();
    for at in 0..4 {
        let known = Balance::Known(Amount::from_micros(FIRST - income));
        assert_eq!(world.balance(at, 0), known, "as {at} sees it");
    }
    // What was left of the deposit can be deposited again.
    open(&mut world);
    world.run(Duration::from_secs(200));
    assert_eq!(world.balances(0, 1), Some((LINE + DEPOSIT, LINE)));
}

#[test]
fn a_deposit_whose_owner_stopped_when_the_channel_stood_is_ordered_after_the_start() {
    let mut world = far_from_the_witness();
    open(&mut world);
    while world.balances(0, 1).is_none() {
        world.run(Duration::from_micros(100));
    }
    assert_eq!(world.hosts[0].disk.scan(PURSE).count(), 0, "nothing of an order is durable");
    world.crash(0);
    world.run(Duration::from_secs(300));
    assert_eq!(world.balances(0, 1), Some((LINE + DEPOSIT, LINE)));
}

#[test]
fn who_closes_alone_has_its_deposit_back_after_two_days_though_no_neighbour_is_a_witness() {
    let mut world = far_from_the_witness();
    open(&mut world);
    world.run(Duration::from_secs(200));
    world.packets(0, 3, 2_000, PACED);
    world.run(Duration::from_secs(5));
    let income = world.income(0, 1).paid.micros();
    channel(&mut world, 0, 1, ChannelCommand::CloseAlone);
    world.run(Duration::from_secs(600));
    let witness = world.hosts[3].node.ledger().and_then(|ledger| ledger.witness()).expect("it is one");
    assert_eq!(witness.book().cases().count(), 1, "the witness was shown what the channel came to");
    assert!(!all_closed(&world));
    world.crash(0);
    world.run(Duration::from_secs(60 * (WINDOW + 40)));
    assert!(all_closed(&world), "the window is over");
    for at in 0..4 {
        let known = Balance::Known(Amount::from_micros(FIRST - income));
        assert_eq!(world.balance(at, 0), known, "as {at} sees it");
    }
    assert_eq!(
        world.hosts[0].node.purse().expect("it has one").closing().count(),
        0,
        "nothing is shown more"
    );
}

/// A channel without a line: nothing can be spent there but what was certified, and a top-up of the channel that stands is more of it.
#[test]
fn a_channel_that_is_spent_dry_pays_on_once_more_is_deposited_there() {
    const LITTLE: u64 = 20_000;
    let ways = [0, 20, 0].map(|price| Ways { price, line: Some(0) });
    let payer = World::of(&ways, &[]).id(0);
    let mut world = World::with(&ways, &[], Some(rules(payer, 1)));
    let (line, deposit) = (Amount::ZERO, Amount::from_micros(LITTLE));
    channel(&mut world, 0, 1, ChannelCommand::Open { line, deposit });
    world.run(Duration::from_millis(40));
    assert_eq!(world.balances(0, 1), Some((0, 0)), "what nobody certified cannot be spent");
    world.run(Duration::from_secs(180));
    assert_eq!((world.balances(0, 1), world.balances(1, 0)), (Some((LITTLE, 0)), Some((0, LITTLE))));
    let paid = |world: &World| world.income(0, 1).paid.micros();
    for _ in 0..40 {
        world.packets(0, 2, 500, PACED);
    }
    let dry = paid(&world);
    assert!(dry > 0 && dry <= LITTLE, "{dry}");
    assert!(world.dropped(1) > 1_000, "and then packets are not carried any more: {}", world.dropped(1));

    let peer = world.id(1);
    let with = world.hosts[0].node.economy().accounts().find(|(with, _)| *with == peer);
    let id = with.expect("it stands").1.terms.channel;
    let deposit = Amount::from_micros(DEPOSIT);
    world.tell(0, Input::Command(Command::Ledger(LedgerCommand::Deposit { channel: id, peer, deposit })));
    world.run(Duration::from_secs(180));
    // A win that the payer could not pay is paid out of it at once.
    let waited = paid(&world);
    let left = DEPOSIT - waited;
    assert_eq!((world.balances(0, 1), world.balances(1, 0)), (Some((left, waited)), Some((waited, left))));
    for _ in 0..40 {
        world.packets(0, 2, 500, PACED);
        if paid(&world) > LITTLE {
            break;
        }
    }
    let more = paid(&world);
    assert!(more > LITTLE && more <= DEPOSIT, "{more}");
    // All of it can be settled, and everybody knows it; so it is after a restart.
    channel(&mut world, 1, 0, ChannelCommand::Settle);
    world.run(Duration::from_secs(300));
    let more = paid(&world);
    for n in [0, 1, 2] {
        world.crash(n);
    }
    world.run(Duration::from_secs(60));
    let known = |micros| Balance::Known(Amount::from_micros(micros));
    for at in 0..3 {
        assert_eq!(
            [0, 1].map(|of| world.balance(at, of)),
            [known(FIRST - more), known(more)],
            "as {at} sees it"
        );
    }
    assert_eq!(world.balances(0, 1), Some((DEPOSIT - more, more)));
}
