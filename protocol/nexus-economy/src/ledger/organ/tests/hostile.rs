//! What one neighbour can do that sends nothing but rubbish, duplicates, and settlements of keys that nobody knows.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how much is told may be chosen; what cheats gain is printed"
)]

use nexus_crypto::{NodePublic, VerifyingKey};
use nexus_testkit::heap::{growth_of, peak_of};

use nexus_wire::nexus::channel::SettlementBody;
use nexus_wire::nexus::ledger::{Certificate, WitnessIndex, attested};

use super::*;
use crate::ledger::Balance;

/// Of each kind so many. `NEXUS_FLOOD=100` makes it the figures of the specification: 10⁶ invalid, 10⁶ duplicate, 10⁵ with unknown keys.
fn scale() -> usize {
    std::env::var("NEXUS_FLOOD").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

#[test]
fn a_flood_bounds_neither_memory_nor_the_honest_ones_share() {
    let net = net();
    let limits = Limits {
        entries: 1_000,
        intake: intake::Limits { queued: 64, held: 128, ..intake::Limits::default() },
        ..Limits::default()
    };
    let mut host = Host::with(&net, CARL, None, limits);
    host.certify(&net, &net.open(ANNA, 1, 900_000, 1, BERT));
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 1), (BERT, 0), 1))]);
    host.know(&[ANNA, BERT]);
    host.run();
    // Half of what is forged is so in the one signature, half in the other; what is unknown is in channels that are certified.
    let forged: Vec<Vec<u8>> = (0..8_u8)
        .map(|bit| {
            let mut record = settlement((ANNA, 800_000), (BERT, 0), 1);
            let sig = if bit % 2 == 0 { &mut record.sig_a } else { &mut record.sig_b };
            sig.0[usize::from(bit)] ^= 1 << bit;
            item(&record)
        })
        .collect();
    let stranger = Person(9);
    for number in 2..12 {
        host.certify(&net, &net.open(ANNA, u32::from(number), 100, number, stranger));
    }
    let unknown: Vec<Vec<u8>> =
        (2..12).map(|number| item(&settlement((ANNA, 5), (stranger, 0), number))).collect();
    let duplicate = item(&settlement((ANNA, 1), (BERT, 0), 1));
    let (invalid, duplicates, strange) = (10_000 * scale(), 10_000 * scale(), 1_000 * scale());
    let honest_every = 100;
    let (mut honest, mut late) = (Vec::new(), 0);
    host.take_said();
    let ((), grown) = growth_of(|| {
        let ((), peak) = peak_of(|| {
            for number in 0..invalid {
                host.hear(1, StoreId::SETTLEMENTS, vec![forged[number % forged.len()].clone()]);
                host.hear(
                    1,
                    StoreId::SETTLEMENTS,
                    vec![vec![u8::try_from(number % 256).expect("a byte"); 200]],
                );
                if number < duplicates {
                    host.hear(1, StoreId::SETTLEMENTS, vec![duplicate.clone()]);
                }
                if number < strange {
                    host.hear(1, StoreId::SETTLEMENTS, vec![unknown[number % unknown.len()].clone()]);
                }
                if number % honest_every == 0 {
                    let paid = 2 + u64::try_from(number / honest_every).expect("small");
                    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, paid), (BERT, 0), 1))]);
                    honest.push(paid);
                    host.run_for(Duration::from_micros(2_500));
                    let counts = host.ledger.books().net(&BERT.id()) == 1_000_000 + i128::from(paid);
                    late += usize::from(!counts);
                }
                host.said.clear();
            }
        });
        assert!(peak < 2 * 1_024 * 1_024, "{peak} bytes at most");
    });
    assert!(grown < 512 * 1_024, "{grown} bytes more");
    host.run();
    let counts = *host.ledger.counts();
    let last = *honest.last().expect("some");
    assert_eq!(
        host.ledger.books().net(&BERT.id()),
        1_000_000 + i128::from(last),
        "all that was honest counts"
    );
    // Whatever the flood, two turns after it was said what is honest counts.
    assert!(late * 5 <= honest.len(), "{late} of {} were late", honest.len());
    assert!(counts.crowded > 0 && counts.malformed > 0 && counts.known > 0, "{counts:?}");
}

/// What the accounts of the three have.
fn accounts(host: &Host) -> [Balance; 3] {
    [ANNA, BERT, CARL].map(|person| host.balance(person))
}

/// A line of the cheat suite: what the books are told, and that nobody gains by it, which is printed.
fn gains_nothing(host: &mut Host, what: &str, store: StoreId, items: Vec<Vec<u8>>) {
    let before = accounts(host);
    host.hear(3, store, items);
    host.know(&[ANNA, BERT, CARL]);
    host.run();
    let after = accounts(host);
    std::println!("{what}: gains {}", if after == before { "nothing" } else { "something" });
    assert_eq!(after, before, "{what}");
}

/// The cheat suite's lines of the ledger: who asks witnesses is in the tests of witnesses.
#[test]
fn what_a_forged_settlement_gains_is_nothing() {
    let net = net();
    let mut host = ready(&net);
    let forge = |change: &dyn Fn(&mut SettlementRecord)| {
        let mut record = settlement((ANNA, 500), (BERT, 0), 1);
        change(&mut record);
        vec![item(&record)]
    };
    gains_nothing(
        &mut host,
        "forged signature",
        StoreId::SETTLEMENTS,
        forge(&|record| record.sig_a.0[9] ^= 4),
    );
    gains_nothing(
        &mut host,
        "one party signs for both",
        StoreId::SETTLEMENTS,
        forge(&|record| record.sig_b = record.sig_a),
    );
    // A second encoding of s, and one of R that no signer makes.
    gains_nothing(
        &mut host,
        "s beyond the order",
        StoreId::SETTLEMENTS,
        forge(&|record| record.sig_a.0[63] |= 0xe0),
    );
    gains_nothing(
        &mut host,
        "non-canonical point",
        StoreId::SETTLEMENTS,
        forge(&|record| {
            record.sig_a.0[..32].copy_from_slice(&[0xff; 32]);
        }),
    );
    // R and the key of small order, s = 0: it verifies under loose rules for any message.
    let small = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };
    assert!(NodePublic::of_verifying(VerifyingKey(small)).is_err(), "no node has such a key");
    gains_nothing(
        &mut host,
        "small-order signature",
        StoreId::SETTLEMENTS,
        forge(&|record| {
            record.sig_a.0 = [0; 64];
            record.sig_a.0[0] = 1;
        }),
    );
}

#[test]
fn what_sums_that_nobody_has_gain_is_nothing() {
    let net = net();
    let mut host = ready(&net);
    gains_nothing(
        &mut host,
        "beyond the deposit",
        StoreId::SETTLEMENTS,
        vec![item(&settlement((ANNA, 5_001), (BERT, 0), 1))],
    );
    gains_nothing(
        &mut host,
        "overflowing amounts",
        StoreId::SETTLEMENTS,
        vec![item(&settlement((ANNA, u64::MAX), (BERT, u64::MAX), 1))],
    );
    gains_nothing(
        &mut host,
        "unfunded mint",
        StoreId::SETTLEMENTS,
        vec![item(&settlement((Person(8), 1_000_000_000), (CARL, 0), 7))],
    );
    let high = SettlementRecord {
        body: SettlementBody { final_sequence: u64::MAX, ..settlement((ANNA, 1), (BERT, 0), 1).body },
        ..settlement((ANNA, 1), (BERT, 0), 1)
    };
    gains_nothing(&mut host, "sequence u64::MAX", StoreId::SETTLEMENTS, vec![item(&high)]);
    gains_nothing(
        &mut host,
        "old settlement",
        StoreId::SETTLEMENTS,
        vec![item(&settlement((ANNA, 0), (BERT, 0), 1))],
    );
}

#[test]
fn a_certificate_of_ones_own_making_gains_nothing() {
    let net = net();
    let mut host = ready(&net);
    let mint = net.open(Person(8), 1, 1_000_000_000, 7, CARL);
    let lines: Vec<_> = (0..3_u8)
        .map(|index| {
            let hash = mint.hash(net.id());
            let by = Person(8).key();
            let signature = attested(net.id(), &hash, |message| by.sign(message));
            Certificate::line(WitnessIndex(index), &signature)
        })
        .collect();
    let own = Certificate::new(net.id(), mint.hash(net.id()), &lines).expect("ascending");
    gains_nothing(
        &mut host,
        "certificate of one's own making",
        StoreId::CERTIFICATES,
        vec![item(&mint), item(&own)],
    );
}

#[test]
fn what_was_paid_is_not_taken_back_by_a_later_record_that_says_less() {
    let net = net();
    let mut host = ready(&net);
    // Clawback: what was paid is not taken back by a later record that says less, signed by both.
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 900), (BERT, 0), 1))]);
    host.run();
    let paid = (host.balance(ANNA), host.balance(BERT));
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 2), (BERT, 0), 1))]);
    host.run();
    assert_eq!((host.balance(ANNA), host.balance(BERT)), paid, "clawback");
    std::println!("clawback: gains nothing");
}
