//! The ledger: measured on meshes of whole nodes.

use std::collections::BTreeMap;

use nexus_machine::Duration;
use nexus_node::LedgerCommand;
use nexus_node::economy::Amount;
use nexus_node::economy::ledger::Balance;

use super::{Measurement, verdict};
use crate::books::{LONG, Mesh, ring_balances, settlement};

/// How many nodes there are.
const MESHES: [usize; 5] = [3, 10, 30, 100, 300];

/// Three settle pairwise, in meshes of more and more nodes.
pub(super) fn converges() -> Measurement {
    let (mut told, mut met) = (Vec::new(), true);
    for count in MESHES {
        let mut mesh = Mesh::new(count);
        let took = mesh.open_three().and_then(|_| {
            mesh.run(Duration::from_secs(300));
            mesh.settle_three()
        });
        // A round is 60 s; the logarithm is that of two, rounded down.
        let doublings = u64::from(count.ilog2());
        let bound = Duration::from_secs(60).times(doublings);
        met &= took.is_some_and(|took| took <= bound) && mesh.agree();
        told.push(took.map_or_else(
            || format!("{count}: not within an hour"),
            |took| {
                let millis = took.as_micros() / 1_000;
                format!(
                    "{count}: {millis} ms, {} thousandths of a round for each doubling",
                    millis / (60 * doublings)
                )
            },
        ));
    }
    verdict(told.join("; "), met)
}

/// All say again what was settled, to themselves and so to all.
pub(super) fn duplicates() -> Measurement {
    let mut mesh = Mesh::new(10);
    let begun = mesh.open_three().and_then(|_| mesh.settle_three()).is_some();
    let believed = |mesh: &Mesh| -> u64 { (0..10).map(|n| mesh.ledger(n).counts().believed).sum() };
    let (before, state) = (believed(&mesh), mesh.ledger(0).books().state_hash());
    for n in 0..10 {
        for (a, b, channel, paid) in [(0, 1, 1, 700), (1, 2, 2, 900), (2, 0, 3, 250), (0, 1, 1, 300)] {
            mesh.command(n, LedgerCommand::Settled(Box::new(settlement(a, b, channel, paid))));
        }
    }
    mesh.run(Duration::from_secs(300));
    let more = believed(&mesh) - before;
    let same = mesh.agree() && mesh.ledger(0).books().state_hash() == state;
    verdict(
        format!("{more} of 40 believed, {} state", if same { "the same" } else { "another" }),
        begun && more == 0 && same,
    )
}

/// Each node is told a settlement with a wrong signature.
pub(super) fn forged() -> Measurement {
    let mut mesh = Mesh::new(10);
    let begun = mesh.open_three().and_then(|_| mesh.settle_three()).is_some();
    let state = mesh.ledger(0).books().state_hash();
    for n in 0..10 {
        let mut record = settlement(0, 1, 1, 9_000);
        let sig = if n % 2 == 0 { &mut record.sig_a } else { &mut record.sig_b };
        sig.0[n] ^= 1;
        mesh.command(n, LedgerCommand::Settled(Box::new(record)));
    }
    mesh.run(Duration::from_secs(300));
    let heard: Vec<u64> = (0..10).map(|n| mesh.ledger(n).counts().forged).collect();
    let same = (0..10).all(|n| mesh.ledger(n).books().state_hash() == state);
    let met = begun && same && heard.iter().all(|count| *count == 1);
    verdict(format!("heard by each from itself and from no other: {heard:?}; in no books"), met)
}

fn known(micros: u64) -> Balance {
    Balance::Known(Amount::from_micros(micros))
}

/// Parts of a ring of ten settle apart for twelve hours, and meet again.
pub(super) fn heals() -> Measurement {
    const COUNT: usize = 10;
    let (mut told, mut met) = (Vec::new(), true);
    for parts in [2, 5] {
        let part = |n: usize| n * parts / COUNT;
        let Some(mut mesh) = Mesh::rich_ring(COUNT, BTreeMap::new()) else {
            return verdict("certificates are not everywhere".to_owned(), false);
        };
        mesh.part(part);
        let mut paid = vec![0; COUNT];
        for turn in 1..=2 {
            for n in (0..COUNT).filter(|n| part(*n) == part((n + 1) % COUNT)) {
                paid[n] = turn * (10 + u64::try_from(n).expect("few"));
                mesh.settle(n, (n + 1) % COUNT, 1, paid[n]);
            }
            mesh.run(Duration::from_secs(6 * 3_600));
        }
        let apart = !mesh.agree();
        mesh.heal();
        let took = mesh.until(LONG, Mesh::agree);
        let balances = ring_balances(&paid);
        let right = (0..COUNT).all(|at| (0..COUNT).all(|of| mesh.balance(at, of) == known(balances[of])));
        // As for what converges: a round of 60 s for each doubling, rounded down.
        let bound = Duration::from_secs(60).times(u64::from(COUNT.ilog2()));
        met &= apart && right && took.is_some_and(|took| took <= bound);
        let millis = took.map_or(0, |took| took.as_micros() / 1_000);
        told.push(format!(
            "{parts} parts: {millis} ms, {} balances",
            if right { "the right" } else { "other" }
        ));
    }
    verdict(told.join("; "), met)
}

/// Where everybody settles, three have little memory.
pub(super) fn sparse() -> Measurement {
    const COUNT: usize = 24;
    let few = BTreeMap::from([(7, vec![0, 1, 20]), (12, vec![3]), (13, vec![])]);
    let Some(mut mesh) = Mesh::rich_ring(COUNT, few.clone()) else {
        return verdict("certificates are not everywhere".to_owned(), false);
    };
    let paid: Vec<u64> = (1_000_u64..).step_by(7).take(COUNT).collect();
    for (n, paid) in paid.iter().enumerate() {
        mesh.settle(n, (n + 1) % COUNT, 1, *paid);
    }
    let balances = ring_balances(&paid);
    let follows = |mesh: &Mesh, n: usize, friends: &[usize]| {
        (0..COUNT).all(|of| {
            let followed = of == n || friends.contains(&of);
            mesh.balance(n, of) == if followed { known(balances[of]) } else { Balance::Unknown }
        })
    };
    let took = mesh.until(LONG, |mesh| few.iter().all(|(n, friends)| follows(mesh, *n, friends)));
    let kept: Vec<usize> = few.keys().map(|n| mesh.ledger(*n).books().len()).collect();
    let text = took.map_or_else(
        || "not within an hour".to_owned(),
        |took| format!("after {} ms", took.as_micros() / 1_000),
    );
    verdict(format!("{text}, with {kept:?} of {COUNT} channels"), took.is_some())
}
