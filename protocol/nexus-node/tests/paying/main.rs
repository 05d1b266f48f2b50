//! Whole nodes in a line: strangers carry each other's packets because it pays.

mod books;
mod world;

use nexus_machine::Duration;
use nexus_node::economy::layer::{Command as ChannelCommand, Event as MoneyEvent, Record};
use nexus_node::{Command, Input};

use world::{Ways, World};

/// What a node lends a stranger in these tests, in µNXS.
const LINE: u64 = 1_000_000;
const PACED: Duration = Duration::from_millis(10);

fn line_of(prices: &[u64]) -> World {
    let ways: Vec<_> = prices.iter().map(|price| Ways { price: *price, line: Some(LINE) }).collect();
    World::of(&ways, &[])
}

#[test]
fn a_relay_is_paid_by_a_stranger_what_it_carries() {
    let mut world = line_of(&[0, 20, 0]);
    world.packets(0, 2, 3_000, PACED);
    world.run(Duration::from_secs(5));
    let income = world.income(1, 0);
    assert_eq!(world.dropped(1), 0, "nothing is lost for money's sake: {income:?}");
    assert!(income.drawn >= 20, "{income:?}");
    assert!(income.won > 0 && income.won < income.drawn, "{income:?}");
    let paid = world.income(0, 1).paid;
    assert_eq!((income.received, paid.micros() > 0), (paid, true));
    let balances = (LINE - paid.micros(), LINE + paid.micros());
    assert_eq!(world.balances(0, 1), Some(balances));
    assert_eq!(world.balances(1, 0), Some((balances.1, balances.0)), "both keep one account");
    assert_eq!(world.balances(1, 2), None, "whoever is only sent to pays nothing and is paid nothing");
}

#[test]
fn what_a_channel_held_is_held_after_a_restart_of_either_side() {
    let mut world = line_of(&[0, 20, 0]);
    world.packets(0, 2, 1_000, PACED);
    for n in [1, 0, 1] {
        let before = world.balances(0, 1).expect("a channel stands");
        world.crash(n);
        world.run(Duration::from_secs(30));
        assert_eq!(world.balances(0, 1), Some(before));
        let dropped = world.dropped(1);
        world.packets(0, 2, 1_000, PACED);
        world.run(Duration::from_secs(5));
        assert!(world.dropped(1) <= dropped + 50, "{}", world.dropped(1) - dropped);
        let (own, theirs) = world.balances(0, 1).expect("it stands");
        assert!(own < before.0, "and payment goes on");
        assert_eq!((own + theirs, world.balances(1, 0)), (2 * LINE, Some((theirs, own))));
    }
}

#[test]
fn a_friend_is_carried_for_nothing_and_hears_nothing_of_money() {
    let ways = [0, 20, 0].map(|price| Ways { price, line: Some(LINE) });
    let mut world = World::of(&ways, &[(1, 0)]);
    world.packets(0, 2, 2_000, PACED);
    assert_eq!(world.dropped(1), 0);
    assert_eq!((world.balances(0, 1), world.money(0).count(), world.money(1).count()), (None, 0, 0));
    assert_eq!(world.income(1, 0).counted.get(), 0);
}

#[test]
fn whoever_has_no_channel_is_carried_for_its_courtesy_and_no_further() {
    let ways = [Some(LINE), None, None].map(|line| Ways { price: 20, line });
    let mut world = World::of(&ways, &[]);
    world.packets(0, 2, 2_000, PACED);
    let drops = *world.hosts[1].node.network().forwarding().drops();
    // 64 KiB are 327 packets, and a few come in twenty seconds.
    assert!((1_660..=1_673).contains(&drops.no_channel), "{drops:?}");
    assert_eq!(world.balances(0, 1), None);
}

#[test]
fn both_sign_a_settlement_and_hand_it_to_the_ledger() {
    let mut world = line_of(&[0, 20, 0]);
    world.packets(0, 2, 1_500, PACED);
    let peer = world.id(0);
    world.tell(1, Input::Command(Command::Channel { peer, command: ChannelCommand::Settle }));
    world.run(Duration::from_secs(2));
    let nothing = |n: usize| world.money(n).any(|event| matches!(event, MoneyEvent::NothingToSettle(_)));
    assert!(nothing(1), "what is lent only is never money elsewhere");
    world.tell(1, Input::Command(Command::Channel { peer, command: ChannelCommand::Close }));
    world.run(Duration::from_secs(10));
    for n in [0, 1] {
        assert!(world.money(n).any(|event| matches!(event, MoneyEvent::Closed(_))), "node {n}");
        let closed = world.records(n).any(|record| matches!(record, Record::Closed { sigs: Some(_), .. }));
        assert!(closed, "node {n}");
    }
    assert_eq!(world.balances(0, 1), None);
}
