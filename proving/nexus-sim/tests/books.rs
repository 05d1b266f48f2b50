//! Books from channel to every balance: whole nodes in a mesh of cables.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::cast_precision_loss,
    reason = "sizes may be chosen; figures are printed, and judged by their bounds alone"
)]

use std::collections::{BTreeMap, BTreeSet};

use nexus_machine::{Duration, Seed};
use nexus_network::Load;
use nexus_node::economy::Amount;
use nexus_node::economy::ledger::Balance;
use nexus_node::economy::ledger::witness::Refusal;
use nexus_node::{LedgerCommand, LedgerEvent};
use nexus_sim::books::{
    FIRST, LONG, Mesh, WITNESSES, edges, genesis, genesis_for, ring_balances, settlement,
};

const LINKED: Duration = Duration::from_secs(20);

fn known(micros: u64) -> Balance {
    Balance::Known(Amount::from_micros(micros))
}

fn opened(mesh: &mut Mesh) {
    mesh.open_three().expect("three certificates everywhere");
}

fn settled(mesh: &mut Mesh) -> Duration {
    let took = mesh.settle_three().expect("the same balances everywhere");
    assert!(mesh.agree());
    took
}

fn settles_pairwise(count: usize) {
    let mut mesh = Mesh::new(count);
    opened(&mut mesh);
    mesh.run(Duration::from_secs(300));
    let before = mesh.bytes;
    let took = settled(&mut mesh);
    let rounds = took.as_micros() as f64 / 60e6;
    println!(
        "{count} nodes: {:.1} s, {rounds:.2} rounds of a minute, {:.3} rounds for each log2 N, {} bytes by all nodes meanwhile",
        took.as_micros() as f64 / 1e6,
        rounds / (count as f64).log2(),
        mesh.bytes - before
    );
    // Within so many rounds of a minute for each doubling: the early rounds of fast links are seconds apart.
    assert!(rounds <= (count as f64).log2(), "{rounds} rounds for {count} nodes");
}

#[test]
fn three_nodes_settle_pairwise_and_every_balance_is_the_same_everywhere() {
    settles_pairwise(3);
}

#[test]
fn thirty_nodes_hear_of_what_three_settled() {
    settles_pairwise(30);
}

#[test]
fn duplicates_change_nothing_and_a_forgery_is_passed_on_by_nobody() {
    let mut mesh = Mesh::new(6);
    opened(&mut mesh);
    settled(&mut mesh);
    let states: Vec<_> = (0..6).map(|n| mesh.ledger(n).books().state_hash()).collect();
    for n in 0..6 {
        let again = Box::new(settlement(0, 1, 1, 700));
        mesh.command(n, LedgerCommand::Settled(again));
        let mut forged = settlement(0, 1, 1, 9_000);
        forged.sig_b.0[3] ^= 1;
        mesh.command(n, LedgerCommand::Settled(Box::new(forged)));
    }
    let heard = |mesh: &Mesh| (0..6).map(|n| mesh.ledger(n).counts().believed).collect::<Vec<_>>();
    let before = heard(&mesh);
    mesh.run(Duration::from_secs(120));
    assert_eq!((0..6).map(|n| mesh.ledger(n).books().state_hash()).collect::<Vec<_>>(), states);
    assert_eq!(heard(&mesh), before);
    for n in 0..6 {
        let counts = mesh.ledger(n).counts();
        assert_eq!(counts.forged, 1, "each heard it from itself, and nobody passed it on");
    }
}

fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// How many nodes worlds with parts and with sparse nodes have: `NEXUS_NODES=300`.
fn nodes(otherwise: u64) -> usize {
    usize::try_from(given("NEXUS_NODES", otherwise)).expect("few")
}

fn rich_ring(count: usize, few: BTreeMap<usize, Vec<usize>>) -> Mesh {
    Mesh::rich_ring(count, few).expect("certificates everywhere")
}

fn expected(paid: &[u64]) -> Vec<Balance> {
    ring_balances(paid).into_iter().map(known).collect()
}

/// Parts of a ring that hear nothing of each other, in each of which neighbours settle every six hours; then they meet again. `NEXUS_HOURS=720`
/// makes it the month of the specification.
fn what_is_settled_apart_is_everywhere_afterwards(parts: usize) {
    let (count, hours) = (nodes(10), given("NEXUS_HOURS", 12));
    let mut mesh = rich_ring(count, BTreeMap::new());
    let part = |n: usize| n * parts / count;
    mesh.part(part);
    let mut paid = vec![0; count];
    for turn in 1..=hours / 6 {
        for n in (0..count).filter(|n| part(*n) == part((n + 1) % count)) {
            paid[n] = turn * (10 + u64::try_from(n).expect("few"));
            mesh.settle(n, (n + 1) % count, 1, paid[n]);
        }
        mesh.run(Duration::from_secs(6 * 3_600));
    }
    let states: BTreeSet<_> = (0..count).map(|n| mesh.ledger(n).books().state_hash().0).collect();
    assert_eq!(states.len(), parts, "each part has the same books, and no two parts");
    for n in 0..count {
        let books = mesh.ledger(n).books();
        let sum: i128 = books.accounts().iter().map(|node| books.net(node)).sum();
        assert_eq!(sum, i128::from(FIRST) * i128::try_from(count).expect("few"), "in every view");
    }
    mesh.heal();
    let took = mesh.until(LONG, Mesh::agree).expect("the same everywhere");
    let rounds = took.as_micros() as f64 / 60e6;
    println!(
        "{count} nodes in {parts} parts, apart for {hours} hours: the same books {rounds:.2} rounds of a minute after they met, {:.2} of log2 N",
        rounds / (count as f64).log2()
    );
    assert!(rounds <= 2.0 * (count as f64).log2(), "{rounds} rounds: links have to come up again");
    // Nothing is lost, nothing counts twice.
    let expected = expected(&paid);
    for at in 0..count {
        let seen: Vec<_> = (0..count).map(|of| mesh.balance(at, of)).collect();
        assert_eq!(seen, expected, "as {at} sees it");
    }
}

#[test]
fn two_parts_that_settled_apart_agree_once_they_meet_again() {
    what_is_settled_apart_is_everywhere_afterwards(2);
}

#[test]
fn five_parts_that_settled_apart_agree_once_they_meet_again() {
    what_is_settled_apart_is_everywhere_afterwards(5);
}

/// All balances that a sparse node follows are right there, and of others it says nothing.
fn follows(mesh: &Mesh, (n, friends): (usize, &[usize]), expected: &[Balance]) -> bool {
    let followed = |of: usize| of == n || friends.contains(&of);
    let seen = |of: usize| mesh.balance(n, of) == if followed(of) { expected[of] } else { Balance::Unknown };
    (0..mesh.nodes.len()).all(seen)
}

/// In a mesh where everybody settles some nodes have room for the books of a few; two of them are neighbours in the ring, and one begins again.
/// `NEXUS_NODES=300` makes it the mesh of the specification.
#[test]
fn nodes_with_little_memory_follow_their_own_accounts_where_everybody_settles() {
    let count = nodes(24);
    let middle = count / 2;
    let few = BTreeMap::from([(7, vec![0, 1, 20]), (middle, vec![3]), (middle + 1, vec![])]);
    let mut mesh = rich_ring(count, few.clone());
    let mut paid = vec![0; count];
    let sum = u64::try_from(count).expect("few");
    for turn in 1..=3 {
        for (n, paid) in paid.iter_mut().enumerate() {
            *paid = turn * (1_000 + (u64::try_from(n).expect("few") * 7) % sum);
            mesh.settle(n, (n + 1) % count, 1, *paid);
        }
        if turn == 2 {
            // What it settled itself is on its disk, and nobody has heard of it.
            mesh.run(Duration::from_millis(10));
            mesh.restart(middle);
        }
        let expected = expected(&paid);
        let of_all = |mesh: &Mesh| (0..count).map(|of| mesh.balance(0, of)).collect::<Vec<_>>() == expected;
        let whole = mesh.until(LONG, |mesh| mesh.agree() && of_all(mesh)).expect("who keeps all knows all");
        let follows = |mesh: &Mesh| few.iter().all(|(n, friends)| follows(mesh, (*n, friends), &expected));
        let more = mesh.until(LONG, follows);
        println!(
            "{count} nodes, turn {turn}: all books after {:.1} s, those of the few {:.1} s later",
            whole.as_micros() as f64 / 1e6,
            more.map_or(f64::NAN, |more| more.as_micros() as f64 / 1e6)
        );
        assert!(more.is_some(), "the few follow their own accounts");
    }
    for (n, friends) in &few {
        let ledger = mesh.ledger(*n);
        let followed: BTreeSet<usize> = friends.iter().copied().chain([*n]).collect();
        let channels = (0..count).filter(|n| followed.contains(n) || followed.contains(&((n + 1) % count)));
        assert_eq!(ledger.books().len(), channels.count(), "{n} keeps its own and nothing else");
        assert!(ledger.counts().believed > sum, "and verified what concerns others");
    }
}

/// A line whose only way leads over a node with little memory: what concerns others passes through it, both ways, once each.
#[test]
fn what_concerns_others_passes_through_a_node_with_little_memory() {
    let line: BTreeSet<(usize, usize)> = (1..6).map(|n| (n - 1, n)).collect();
    let rules = genesis_for("test", 6);
    let mut mesh = Mesh::with_few(6, &line, |_| rules.clone(), BTreeMap::from([(3, vec![])]));
    mesh.run(LINKED);
    mesh.certify(0, 1, (1, 1), 10_000);
    mesh.certify(5, 4, (2, 1), 10_000);
    let certified = |mesh: &Mesh| mesh.agree() && mesh.ledger(0).books().len() == 2;
    mesh.until(LONG, certified).expect("certificates pass");
    mesh.settle(0, 1, 1, 700);
    mesh.settle(5, 4, 2, 300);
    let settled = |mesh: &Mesh| {
        mesh.agree()
            && [0, 5].map(|at| mesh.balance(at, 0)) == [known(FIRST - 700); 2]
            && [0, 5].map(|at| mesh.balance(at, 4)) == [known(FIRST + 300); 2]
    };
    let took = mesh.until(LONG, settled).expect("settlements pass");
    println!("through a node with little memory: {:.1} s", took.as_micros() as f64 / 1e6);
    assert_eq!((mesh.ledger(3).books().len(), mesh.balance(3, 0)), (0, Balance::Unknown));
    let mut forged = settlement(0, 1, 1, 9_000);
    forged.sig_b.0[3] ^= 1;
    mesh.command(3, LedgerCommand::Settled(Box::new(forged)));
    mesh.run(Duration::from_secs(120));
    let heard: Vec<u64> = (0..6).map(|n| mesh.ledger(n).counts().forged).collect();
    assert_eq!(heard, [0, 0, 0, 1, 0, 0], "and nothing that is forged");
}

/// Two halves with nothing but two nodes with little memory between them, each of which certified and settled more while they were apart than
/// such a node shows at a time.
#[test]
fn what_was_settled_apart_comes_together_through_nodes_with_little_memory() {
    const HALF: usize = 12;
    const EACH: usize = 4;
    let little = [2 * HALF, 2 * HALF + 1];
    let mut edges: BTreeSet<_> = (1..HALF).flat_map(|n| [(n - 1, n), (HALF + n - 1, HALF + n)]).collect();
    edges.extend([(HALF - 1, little[0]), (little[0], little[1]), (HALF, little[1])]);
    let count = 2 * HALF + 2;
    let rules = genesis_for("test", count);
    let few = little.map(|n| (n, vec![])).into();
    let mut mesh = Mesh::with_few(count, &edges, |_| rules.clone(), few);
    mesh.run(LINKED);
    mesh.part(|n| n / HALF);
    for half in [0, HALF] {
        for n in 0..HALF {
            for step in 1..=EACH {
                let (n, peer) = (half + n, half + (n + step) % HALF);
                mesh.certify(n, peer, (1, u32::try_from(step).expect("few")), 10_000);
                mesh.run(Duration::from_secs(1));
                mesh.settle(n, peer, 1, 100 + u64::try_from(n % HALF).expect("few"));
            }
        }
    }
    mesh.run(Duration::from_secs(3_600));
    assert_eq!([0, HALF].map(|n| mesh.ledger(n).books().len()), [EACH * HALF; 2], "each half has its own");
    mesh.heal();
    let took = mesh.until(LONG, Mesh::agree).expect("all whole nodes have the same books");
    println!(
        "{count} nodes, two of them with little memory between the halves: {:.1} s",
        took.as_micros() as f64 / 1e6
    );
    assert_eq!(mesh.ledger(0).books().len(), 2 * EACH * HALF);
    let paid = |n: usize| 100 + u64::try_from(n % HALF).expect("few");
    for n in 0..2 * HALF {
        let spent = paid(n) * u64::try_from(EACH).expect("few");
        let earned: u64 = (1..=EACH).map(|step| paid(n + HALF - step)).sum();
        let at = (n + HALF) % (2 * HALF);
        assert_eq!(
            mesh.balance(at, n),
            known(FIRST - spent + earned),
            "{n} as one of the other half sees it"
        );
    }
    for n in little {
        assert_eq!(mesh.ledger(n).books().len(), 0, "and nothing of it where it passed");
    }
}

#[test]
fn a_node_that_begins_again_has_its_books_and_a_newcomer_gets_them() {
    let mut mesh = Mesh::new(6);
    opened(&mut mesh);
    settled(&mut mesh);
    mesh.restart(5);
    assert_eq!((mesh.balance(5, 0), mesh.balance(5, 2)), (known(FIRST - 450), known(FIRST + 650)));
    mesh.settle(0, 1, 1, 800);
    mesh.until(LONG, |mesh| mesh.balance(5, 1) == known(FIRST - 100)).expect("it follows");
    mesh.until(LONG, Mesh::agree).expect("as all do");
}

#[test]
fn two_geneses_refuse_each_other_and_say_so() {
    let edges: BTreeSet<(usize, usize)> = edges(6, &mut Seed::new([3; 32]).fork("mesh"));
    let mut mesh = Mesh::with(6, &edges, |n| genesis(if n == 5 { "other" } else { "test" }));
    mesh.run(LINKED);
    mesh.deposit(0, 1, 1, 10_000);
    mesh.until(LONG, |mesh| mesh.ledger(4).books().len() == 1).expect("certified");
    mesh.run(Duration::from_secs(600));
    assert_eq!(mesh.ledger(5).books().len(), 0);
    let said = |(n, event): &(usize, LedgerEvent)| *n == 5 && matches!(event, LedgerEvent::OtherGenesis(_));
    assert!(mesh.events.iter().any(said));
}

#[test]
fn a_deposit_beyond_what_its_owner_has_is_not_ordered_and_the_owner_is_told_why() {
    let mut mesh = Mesh::new(WITNESSES);
    mesh.run(LINKED);
    mesh.deposit(0, 1, 1, FIRST + 1);
    mesh.run(Duration::from_secs(60));
    let told = |(n, event): &(usize, LedgerEvent)| {
        *n == 0 && matches!(event, LedgerEvent::NotOrdered { why: Refusal::Funds, .. })
    };
    assert!(mesh.events.iter().any(told), "{:?}", mesh.events);
    assert_eq!(mesh.nodes[0].purse().expect("it has one").pending().count(), 0);
    assert_eq!((mesh.ledger(0).books().len(), mesh.balance(0, 0)), (0, known(FIRST)));
}

/// What all links carry for a settlement, all in, beyond what they carry anyway but for announces, whose turns come as chance has it: by
/// settlement and node, against the record itself, that each but the one who has it must hear once. Who settles for the first time has its
/// key told everywhere too. `NEXUS_NODES=100` makes it the mesh of the specification.
#[test]
fn a_settlement_costs_a_few_times_its_own_bytes_at_each_node() {
    const SETTLEMENTS: u64 = 20;
    const APART: Duration = Duration::from_secs(90);
    let count = nodes(24);
    let mut mesh = rich_ring(count, BTreeMap::new());
    mesh.run(Duration::from_secs(1_800));
    let bytes_in = |mesh: &mut Mesh, paid: Option<u64>| {
        let before = bytes_but_announces(mesh);
        for turn in 0..SETTLEMENTS {
            if let Some(paid) = paid {
                let n = usize::try_from(turn * 7).expect("few") % count;
                mesh.settle(n, (n + 1) % count, 1, paid + turn);
            }
            mesh.run(APART);
        }
        bytes_but_announces(mesh) - before
    };
    let [idle, first, later, again] =
        [None, Some(100), Some(200), None].map(|paid| bytes_in(&mut mesh, paid));
    assert!(mesh.agree());
    let shares = SETTLEMENTS as f64 * count as f64;
    let (least, most) = (idle.min(again), idle.max(again));
    let [of_first, of_later] = [first, later].map(|bytes| (bytes - least) as f64 / shares);
    println!(
        "{count} nodes: {of_later:.0} bytes for a settlement and node, {:.2} of the floor of 200; {of_first:.0} where both settle for the first time; {:.1} to {:.1} bytes a second and node while nothing is settled, announces aside",
        of_later / 200.0,
        least as f64 / (shares * APART.as_secs() as f64),
        most as f64 / (shares * APART.as_secs() as f64),
    );
    assert!(of_later.max(of_first) < 700.0, "{of_first}, {of_later}");
}

/// What all nodes sent until here that is no announce, in bytes, framing included.
fn bytes_but_announces(mesh: &Mesh) -> u64 {
    let media = mesh.nodes.iter().map(|node| node.network().media());
    let meters = media.flat_map(|media| media.up().filter_map(|(iface, _)| media.meter(iface)));
    meters.map(|meter| meter.total().of_those(|load| load != Load::Announces).bytes).sum()
}
