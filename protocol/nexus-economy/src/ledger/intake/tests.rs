//! What is believed, what waits and what is dropped; what a neighbour can do that sends nothing but rubbish.

use alloc::vec;

use nexus_machine::Seed;
use nexus_testkit::heap::{growth_of, peak_of};

use super::*;
use crate::ledger::books::{Balance, Books};
use crate::ledger::fixture::{Net, Person, close, item, settlement};
use crate::ledger::known::Known;
use crate::money::Amount;

const ANNA: Person = Person(1);
const BERT: Person = Person(2);
const CARL: Person = Person(3);

fn neighbour(number: u32) -> Neighbour {
    Neighbour(Key { slot: u16::try_from(number).expect("small"), generation: 1 })
}

/// Books with an intake, driven to the end after every word.
struct Desk {
    net: Net,
    known: Known,
    intake: Intake,
    random: Stream,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        let net = Net::new("test", 4, &[ANNA, BERT, CARL]);
        let known = Known::new(Books::new(net.rules.accounts.iter().copied(), 1_000_000));
        let mut desk =
            Self { net, known, intake: Intake::new(limits), random: Seed::new([7; 32]).fork("desk") };
        for number in 0..3 {
            desk.intake.linked(neighbour(number));
        }
        desk
    }

    /// What a look found, after which all turns are taken.
    fn hear(&mut self, from: u32, store: StoreId, item: &[u8]) -> Looked {
        let looked = self.intake.look(neighbour(from), store, item, &self.known, &self.net.rules);
        self.work();
        looked
    }

    fn hear_order(&mut self, from: u32, order: &Order) -> Looked {
        self.hear(from, StoreId::CERTIFICATES, &item(order))
    }

    fn hear_certificate(&mut self, from: u32, order: &Order) -> Looked {
        let certificate = self.net.certificate(order);
        self.hear(from, StoreId::CERTIFICATES, &certificate)
    }

    fn hear_settlement(&mut self, from: u32, record: &SettlementRecord) -> Looked {
        self.hear(from, StoreId::SETTLEMENTS, &item(record))
    }

    fn tell_key(&mut self, person: Person) {
        self.intake.key(person.id(), person.key().public(), &self.known, &self.net.rules);
        self.work();
    }

    fn certify(&mut self, order: &Order) {
        self.hear_order(0, order);
        self.hear_certificate(0, order);
    }

    fn work(&mut self) -> usize {
        let mut believed = 0;
        while self.turn(&mut believed) {}
        believed
    }

    fn turn(&mut self, believed: &mut usize) -> bool {
        let Some(turn) = self.intake.take_turn(&self.known, &self.net.rules, &mut self.random) else {
            return false;
        };
        for claim in &turn.believed {
            *believed += 1;
            self.known.record(claim).expect("what was judged can be recorded");
            self.intake.certified(claim, &self.known, &self.net.rules);
        }
        true
    }

    fn balance(&self, person: Person) -> Balance {
        self.known.books.balance(&person.id())
    }
}

fn known(micros: u64) -> Balance {
    Balance::Known(Amount::from_micros(micros))
}

#[test]
fn a_settlement_counts_once_its_channel_is_certified_and_its_parties_keys_are_there() {
    let mut desk = Desk::new(Limits::default());
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    let record = settlement((ANNA, 700), (BERT, 0), 1);
    assert!(matches!(desk.hear_settlement(0, &record), Looked::Lacks(_)));
    assert!(matches!(desk.hear_certificate(1, &order), Looked::Lacks(_)));
    assert!(matches!(desk.hear_order(2, &order), Looked::Lacks(_)));
    assert_eq!((desk.known.books.len(), desk.intake.waiting()), (1, (0, 1)), "the settlement waits for keys");
    desk.tell_key(BERT);
    assert_eq!(desk.balance(BERT), known(1_000_000));
    desk.tell_key(ANNA);
    assert_eq!((desk.balance(ANNA), desk.balance(BERT)), (known(999_300), known(1_000_700)));
    assert_eq!(desk.intake.waiting(), (0, 0));
    assert_eq!(desk.intake.counts().verified, 3 + 2);
}

#[test]
fn what_is_known_costs_no_signature_whoever_says_it_again() {
    let mut desk = Desk::new(Limits::default());
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    let record = settlement((ANNA, 700), (BERT, 0), 1);
    desk.certify(&order);
    assert!(matches!(desk.hear_settlement(0, &record), Looked::LacksKeys(nodes) if nodes.len() == 2));
    desk.tell_key(ANNA);
    desk.tell_key(BERT);
    let before = *desk.intake.counts();
    let name = ItemId(record.body.settlement_hash());
    for from in [0, 1, 2, 0] {
        assert_eq!(desk.hear_settlement(from, &record), Looked::Known(name));
        let lesser = settlement((ANNA, 300), (BERT, 0), 1);
        assert!(matches!(desk.hear_settlement(from, &lesser), Looked::Known(_)));
        assert!(matches!(desk.hear_order(from, &order), Looked::Known(_)));
    }
    assert_eq!(desk.intake.counts().verified, before.verified);
    assert_eq!(desk.intake.counts().known, before.known + 12);
    assert_eq!(desk.balance(BERT), known(1_000_700));
}

#[test]
fn forgeries_are_dropped_and_believed_by_nobody() {
    let mut desk = Desk::new(Limits::default());
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    desk.certify(&order);
    desk.hear_settlement(0, &settlement((ANNA, 1), (BERT, 0), 1));
    desk.tell_key(ANNA);
    desk.tell_key(BERT);
    let good = settlement((ANNA, 700), (BERT, 0), 1);
    let (mut a, mut b) = (good, good);
    a.sig_a.0[5] ^= 1;
    b.sig_b.0[40] ^= 1;
    for forged in [a, b, SettlementRecord { sig_a: good.sig_b, sig_b: good.sig_a, ..good }] {
        assert_eq!(desk.hear_settlement(1, &forged), Looked::Queued);
    }
    desk.hear_settlement(1, &SettlementRecord { body: settlement((ANNA, 4_000), (BERT, 0), 1).body, ..good });
    assert_eq!((desk.intake.counts().forged, desk.balance(BERT)), (4, known(1_000_001)));
    let other = desk.net.open(CARL, 1, 900, 2, BERT);
    let mut certificate = desk.net.certificate(&other);
    *certificate.last_mut().expect("bytes") ^= 1;
    desk.hear_order(0, &other);
    desk.hear(1, StoreId::CERTIFICATES, &certificate);
    assert_eq!((desk.intake.counts().forged, desk.known.books.len()), (5, 1));
    desk.hear_certificate(2, &other);
    assert_eq!(desk.known.books.len(), 2, "a forged certificate does not use up the order of a good one");
}

#[test]
fn what_breaks_a_rule_is_malformed_and_another_genesis_is_told_apart() {
    let mut desk = Desk::new(Limits::default());
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    let foreign = Net::new("another", 4, &[ANNA]);
    let elsewhere = foreign.certificate(&order);
    assert_eq!(desk.hear(0, StoreId::CERTIFICATES, &elsewhere), Looked::Bad(Badness::Foreign));
    let mut disordered = item(&settlement((ANNA, 1), (BERT, 0), 1));
    disordered[16..48].rotate_left(16);
    let mut few = desk.net.certificate(&order);
    few.truncate(few.len() - 65);
    for (store, bytes) in [
        (StoreId::SETTLEMENTS, disordered),
        (StoreId::SETTLEMENTS, vec![0; 200]),
        (StoreId::SETTLEMENTS, vec![1; 199]),
        (StoreId::CERTIFICATES, few),
        (StoreId::CERTIFICATES, vec![9; 125]),
        (StoreId::CERTIFICATES, vec![]),
    ] {
        assert_eq!(desk.hear(0, store, &bytes), Looked::Bad(Badness::Malformed));
    }
    assert_eq!((desk.intake.counts().malformed, desk.intake.counts().foreign), (6, 1));
    assert_eq!(desk.intake.counts().verified, 0);
}

#[test]
fn a_certificate_of_another_genesis_that_claims_to_be_ours_does_not_verify() {
    let mut desk = Desk::new(Limits::default());
    let foreign = Net::new("another", 4, &[ANNA]);
    let order = foreign.open(ANNA, 1, 5_000, 1, BERT);
    let mut certificate = foreign.certificate(&order);
    certificate[1..9].copy_from_slice(&desk.net.id().0[..8]);
    certificate[9..41].copy_from_slice(&order.hash(desk.net.id()).0);
    desk.hear_order(0, &order);
    desk.hear(0, StoreId::CERTIFICATES, &certificate);
    assert_eq!((desk.known.books.len(), desk.intake.counts().forged), (0, 1));
}

#[test]
fn a_close_fixes_what_was_paid_and_never_beyond_a_deposit() {
    let mut desk = Desk::new(Limits::default());
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    let (right, beyond) = (close((ANNA, 800), (BERT, 0), 1), close((ANNA, 5_001), (BERT, 0), 1));
    desk.certify(&beyond);
    desk.certify(&order);
    assert_eq!(desk.balance(BERT), known(1_000_000), "it waits for a larger deposit");
    desk.certify(&right);
    assert_eq!((desk.balance(ANNA), desk.balance(BERT)), (known(999_200), known(1_000_800)));
}

#[test]
fn who_makes_most_wait_gives_way_and_an_honest_neighbours_things_stay() {
    let limits = Limits { held: 20, ..Limits::default() };
    let mut desk = Desk::new(limits);
    let order = desk.net.open(ANNA, 1, 5_000, 1, BERT);
    desk.hear_settlement(0, &settlement((ANNA, 700), (BERT, 0), 1));
    for channel in 2..200 {
        desk.hear_settlement(1, &settlement((CARL, 1), (BERT, 0), channel));
    }
    assert_eq!(desk.intake.waiting(), (0, 20));
    desk.intake.unlinked(neighbour(1));
    assert_eq!(desk.intake.waiting(), (0, 1));
    desk.certify(&order);
    desk.tell_key(ANNA);
    desk.tell_key(BERT);
    assert_eq!(desk.balance(BERT), known(1_000_700));
}

/// A hundred thousand items of one neighbour, while another sends a settlement for every thousand of them: half forged, a quarter
/// duplicates, a quarter in channels without a certificate. What is counted is work: forged signatures take no more of it than the
/// honest neighbour's own, and all that one sends counts as soon as its turn comes.
#[test]
fn a_hostile_neighbour_bounds_neither_memory_nor_the_honest_ones_share() {
    const FLOOD: u64 = 100_000;
    let limits = Limits { queued: 64, held: 128, ..Limits::default() };
    let mut desk = Desk::new(limits);
    let order = desk.net.open(ANNA, 1, 500_000, 1, BERT);
    desk.certify(&order);
    let first = settlement((ANNA, 1), (BERT, 0), 1);
    desk.hear_settlement(0, &first);
    desk.tell_key(ANNA);
    desk.tell_key(BERT);
    let honest: Vec<Vec<u8>> =
        (0..FLOOD / 1_000).map(|n| item(&settlement((ANNA, 10 + n), (BERT, 0), 1))).collect();
    let forged = item(&SettlementRecord { body: settlement((ANNA, 400_000), (BERT, 0), 1).body, ..first });
    let duplicate = item(&first);
    let mut unknown = settlement((CARL, 1), (BERT, 0), 9);
    let before = *desk.intake.counts();
    let mut honest_believed = 0;
    let ((), grown) = growth_of(|| {
        let ((), peak) = peak_of(|| {
            for number in 0..FLOOD {
                let bytes = match number % 4 {
                    0 | 1 => forged.clone(),
                    2 => duplicate.clone(),
                    _ => {
                        unknown.body.channel.0[..8].copy_from_slice(&number.to_le_bytes());
                        item(&unknown)
                    }
                };
                let store = StoreId::SETTLEMENTS;
                desk.intake.look(neighbour(1), store, &bytes, &desk.known, &desk.net.rules);
                if number % 1_000 == 0 {
                    let bytes = &honest[usize::try_from(number / 1_000).expect("small")];
                    desk.intake.look(neighbour(0), store, bytes, &desk.known, &desk.net.rules);
                    // A round of turns: each neighbour has one.
                    desk.turn(&mut honest_believed);
                    desk.turn(&mut honest_believed);
                }
            }
        });
        assert!(peak < 512 * 1_024, "{peak} bytes");
    });
    assert!(grown < 256 * 1_024, "{grown} bytes");
    assert_eq!(honest_believed, honest.len(), "all that the honest one said");
    let counts = desk.intake.counts();
    let (all, forged) = (counts.verified - before.verified, 2 * (counts.forged - before.forged));
    let honest_work = 2 * u64::try_from(honest_believed).expect("small");
    assert_eq!(all, honest_work + forged, "nothing else is verified");
    assert!(forged <= honest_work, "one look a turn: {forged} of {all}");
    assert!(
        counts.crowded > FLOOD / 3 && counts.known > FLOOD / 5 && counts.given_up > FLOOD / 5,
        "{counts:?}"
    );
}

/// Both have more than a turn takes: the share is that of the turns.
#[test]
fn under_load_from_both_an_honest_neighbour_has_four_fifths_of_the_work_at_least() {
    let mut desk = Desk::new(Limits { queued: 4_096, ..Limits::default() });
    let order = desk.net.open(ANNA, 1, 500_000, 1, BERT);
    desk.certify(&order);
    let first = settlement((ANNA, 1), (BERT, 0), 1);
    desk.hear_settlement(0, &first);
    desk.tell_key(ANNA);
    desk.tell_key(BERT);
    for number in 0..600 {
        let good = item(&settlement((ANNA, 10 + number), (BERT, 0), 1));
        let bad = item(&SettlementRecord { body: settlement((ANNA, 400_000), (BERT, 0), 1).body, ..first });
        desk.intake.look(neighbour(0), StoreId::SETTLEMENTS, &good, &desk.known, &desk.net.rules);
        desk.intake.look(neighbour(1), StoreId::SETTLEMENTS, &bad, &desk.known, &desk.net.rules);
    }
    let before = *desk.intake.counts();
    let mut believed = 0;
    while believed < 600 {
        assert!(desk.turn(&mut believed));
    }
    let counts = desk.intake.counts();
    let (forged, all) = (counts.forged - before.forged, counts.verified - before.verified);
    assert!(2 * forged * 5 <= all, "{forged} forgeries of {all} signatures");
}
