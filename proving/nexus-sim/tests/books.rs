//! Books from channel to every balance: whole nodes in a mesh of cables.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::cast_precision_loss,
    reason = "figures are printed, and never judged"
)]

use std::collections::BTreeSet;

use nexus_machine::{Duration, Seed};
use nexus_node::economy::Amount;
use nexus_node::economy::ledger::Balance;
use nexus_node::economy::ledger::witness::Refusal;
use nexus_node::{LedgerCommand, LedgerEvent};
use nexus_sim::books::{FIRST, LONG, Mesh, WITNESSES, edges, genesis, settlement};

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
    settles_pairwise(WITNESSES);
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

#[test]
fn what_parts_settled_apart_is_everywhere_once_they_meet_again() {
    let mut mesh = Mesh::new(10);
    opened(&mut mesh);
    // 0 and 1 are in one part, 2 in another.
    mesh.part(|n| n % 2 + 2 * usize::from(n == 1 || n == 0));
    mesh.settle(0, 1, 1, 700);
    mesh.settle(2, 0, 3, 250);
    mesh.run(Duration::from_secs(24 * 3_600));
    let apart = (0..10).map(|n| mesh.ledger(n).books().state_hash()).fold(Vec::new(), |mut states, state| {
        if !states.contains(&state) {
            states.push(state);
        }
        states
    });
    assert!(apart.len() > 1, "they are apart");
    for n in 0..10 {
        let books = mesh.ledger(n).books();
        let sum: i128 = books.accounts().iter().map(|node| books.net(node)).sum();
        assert_eq!(sum, i128::from(FIRST) * 4, "in every view");
    }
    mesh.heal();
    mesh.settle(1, 2, 2, 900);
    let took = mesh.until(LONG, Mesh::agree).expect("the same everywhere");
    println!("healed after {took:?}");
    assert_eq!(mesh.balance(9, 2), known(FIRST + 650));
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
