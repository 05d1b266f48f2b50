//! The ledger: measured on meshes of whole nodes.

use nexus_machine::Duration;
use nexus_node::LedgerCommand;

use super::{Measurement, verdict};
use crate::books::{Mesh, settlement};

/// How many nodes there are.
const MESHES: [usize; 5] = [4, 10, 30, 100, 300];

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
