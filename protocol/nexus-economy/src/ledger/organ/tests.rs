//! The organ with its disk: what is written, shown, handed out, asked for; what a crash and a hostile neighbour do.

mod hostile;
mod lawful;
mod meshes;
mod pages;
mod passing;

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, SettlementRecord};
use nexus_wire::nexus::evidence::{Evidence, Party};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::ledger::Order;

use super::*;
use crate::ledger::claim::certificate_id;
use crate::ledger::fixture::{Net, Person, close, item, settlement};
use crate::ledger::harness::{Host, Sync, neighbour};
use crate::money::Amount;

pub(super) const ANNA: Person = Person(1);
pub(super) const BERT: Person = Person(2);
pub(super) const CARL: Person = Person(3);

pub(super) fn net() -> Net {
    Net::new("test", 4, &[ANNA, BERT, CARL])
}

pub(super) fn known(micros: u64) -> Balance {
    Balance::Known(Amount::from_micros(micros))
}

fn published(said: &[Effect]) -> Vec<ItemId> {
    let id = |effect: &Effect| match effect {
        Effect::Published { id, .. } => Some(*id),
        _ => None,
    };
    said.iter().filter_map(id).collect()
}

fn retired(said: &[Effect]) -> Vec<ItemId> {
    let id = |effect: &Effect| match effect {
        Effect::Retired { id, .. } => Some(*id),
        _ => None,
    };
    said.iter().filter_map(id).collect()
}

fn name(record: &SettlementRecord) -> ItemId {
    ItemId(record.body.settlement_hash())
}

/// A host with a channel of Anna's with Bert, and both keys.
fn ready(net: &Net) -> Host {
    let mut host = Host::new(net, CARL);
    host.certify(net, &net.open(ANNA, 1, 5_000, 1, BERT));
    // Whoever settles for the first time has keys that nobody asked for before.
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 1), (BERT, 0), 1))]);
    host.know(&[ANNA, BERT]);
    host.run();
    host.take_said();
    host
}

fn settle(host: &mut Host, paid: u64) -> SettlementRecord {
    let record = settlement((ANNA, paid), (BERT, 0), 1);
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
    host.run();
    record
}

#[test]
fn what_is_believed_is_shown_and_handed_out_once_it_is_durable() {
    let net = net();
    let mut host = ready(&net);
    host.sync = Sync::Later;
    let record = settle(&mut host, 700);
    assert_eq!(published(&host.take_said()), [], "nothing is told before it is durable");
    host.sync();
    let said = host.take_said();
    assert_eq!(published(&said), [name(&record)]);
    let from = neighbour(0);
    assert!(said.contains(&Effect::Judged {
        store: StoreId::SETTLEMENTS,
        from,
        held: vec![name(&record)],
        bad: 0
    }));
    let state = host.ledger.books().paid_state();
    assert!(said.contains(&Effect::State(StoreId::SETTLEMENTS, state)));
    let (to, store) = (neighbour(3), StoreId::SETTLEMENTS);
    host.tell(Input::Fetch { to, store, ids: vec![ItemId([9; 32]), name(&record)] });
    assert_eq!(host.take_said(), [Effect::Bodies { store, to, bodies: vec![item(&record)] }]);
    assert_eq!((host.balance(ANNA), host.balance(BERT)), (known(999_300), known(1_000_700)));
}

#[test]
fn only_the_largest_of_a_channel_is_shown() {
    let net = net();
    let mut host = ready(&net);
    let (first, second) = (settle(&mut host, 700), settle(&mut host, 900));
    let said = host.take_said();
    assert_eq!(published(&said), [name(&first), name(&second)]);
    assert_eq!(retired(&said).last(), Some(&name(&first)));
    assert_eq!(host.ledger.shown(), 3, "an order, its certificate, and one settlement");
    let older = settle(&mut host, 800);
    let said = host.take_said();
    assert_eq!((published(&said), retired(&said)), (vec![], vec![]));
    let (to, store) = (neighbour(3), StoreId::SETTLEMENTS);
    host.tell(Input::Fetch { to, store, ids: vec![name(&first), name(&older), name(&second)] });
    assert_eq!(host.take_said(), [Effect::Bodies { store, to, bodies: vec![item(&second)] }]);
}

/// Two who settle both ways may have records of which neither says all: both are shown, and whatever is said in whichever order, two
/// replicas that know the same tell the same state.
#[test]
fn two_records_of_which_neither_says_all_are_both_shown() {
    let net = net();
    let orders = [net.open(ANNA, 1, 5_000, 1, BERT), net.open(BERT, 1, 5_000, 1, ANNA)];
    let records = [
        settlement((ANNA, 50), (BERT, 0), 1),
        settlement((ANNA, 0), (BERT, 30), 1),
        settlement((ANNA, 50), (BERT, 30), 1),
    ];
    let hear = |records: &[SettlementRecord]| {
        let mut host = Host::new(&net, CARL);
        for order in &orders {
            host.certify(&net, order);
        }
        for record in records {
            host.hear(0, StoreId::SETTLEMENTS, vec![item(record)]);
            host.know(&[ANNA, BERT]);
            host.run();
        }
        host
    };
    let (apart, together) = (hear(&records[..2]), hear(&records[2..]));
    assert_eq!((apart.ledger.shown(), together.ledger.shown()), (4 + 2, 4 + 1));
    assert_eq!(apart.ledger.books().state_hash(), together.ledger.books().state_hash());
    assert_eq!(apart.ledger.books().paid_state(), together.ledger.books().paid_state());
    assert_ne!(apart.ledger.books().paid_state(), hear(&records[..1]).ledger.books().paid_state());
    assert_eq!((apart.balance(ANNA), together.balance(ANNA)), (known(999_980), known(999_980)));
}

#[test]
fn a_replaced_item_leaves_nothing_behind_on_disk() {
    let net = net();
    let mut host = ready(&net);
    let before = host.disk.iter().count();
    for paid in 2..20 {
        settle(&mut host, paid);
    }
    assert_eq!(host.disk.iter().count(), before);
    let written = host.written;
    settle(&mut host, 20);
    assert_eq!(host.written, written + 1, "one write for one settlement");
}

#[test]
fn after_a_restart_balances_names_and_items_are_those_that_were() {
    let net = net();
    let mut host = ready(&net);
    let record = settle(&mut host, 700);
    let order = net.open(ANNA, 2, 9_000, 1, BERT);
    host.certify(&net, &order);
    let state = host.ledger.books().state_hash();
    host.take_said();
    host.crash(&net, None);
    let mut again = published(&host.take_said());
    again.sort_unstable();
    let first = net.open(ANNA, 1, 5_000, 1, BERT);
    let hashes = [&first, &order].map(|order| order.hash(net.id()));
    let mut names: Vec<ItemId> =
        hashes.iter().flat_map(|hash| [ItemId(hash.0), certificate_id(hash)]).collect();
    names.push(name(&record));
    names.sort_unstable();
    assert_eq!(again, names, "all orders of an owner are shown, also those that another surpassed");
    assert_eq!((host.ledger.books().state_hash(), host.balance(BERT)), (state, known(1_000_700)));
    assert_eq!(host.ledger.known().orders.through(&ANNA.id()), 2);
    // Keys were written down: nobody has to be asked.
    let later = settle(&mut host, 800);
    assert!(published(&host.take_said()).contains(&name(&later)));
}

#[test]
fn books_of_another_genesis_are_not_opened() {
    let (net, other) = (net(), Net::new("other", 4, &[ANNA]));
    let host = ready(&net);
    let open = |net: &Net| {
        let seed = Seed::new([1; 32]);
        Ledger::new(&CARL.public(), net.rules.clone(), None, &host.disk, &seed, Limits::default()).err()
    };
    assert_eq!((open(&net), open(&other)), (None, Some(NotKept::OtherGenesis)));
}

#[test]
fn a_neighbour_of_another_genesis_is_told_of_once_and_nothing_of_its_is_taken() {
    let (net, other) = (net(), Net::new("other", 4, &[ANNA]));
    let mut host = Host::new(&net, CARL);
    host.take_said();
    let order = other.open(ANNA, 1, 5_000, 1, BERT);
    for _ in 0..3 {
        host.hear(2, StoreId::CERTIFICATES, vec![item(&order), other.certificate(&order)]);
        host.run();
    }
    let foreign =
        host.take_said().into_iter().filter(|effect| *effect == Effect::Foreign(neighbour(2))).count();
    assert_eq!((foreign, host.ledger.books().len(), host.ledger.counts().foreign), (1, 0, 3));
}

/// A crash before and after every write: what was told is there, what was not told may be, and nothing is there twice.
#[test]
fn a_crash_at_any_write_leaves_consistent_books_with_all_that_was_told() {
    let net = net();
    for crash_at in 0..14 {
        let mut host = Host::new(&net, CARL);
        host.sync = Sync::Later;
        let (mut told, mut steps) = (Vec::new(), 0);
        let mut words: Vec<(StoreId, Vec<u8>)> = Vec::new();
        for (number, peer) in [(1, BERT), (2, CARL)] {
            let order = net.open(ANNA, number, 5_000, 1, peer);
            words.push((StoreId::CERTIFICATES, item(&order)));
            words.push((StoreId::CERTIFICATES, net.certificate(&order)));
        }
        for paid in [10, 20, 30] {
            words.push((StoreId::SETTLEMENTS, item(&settlement((ANNA, paid), (BERT, 0), 1))));
            words.push((StoreId::SETTLEMENTS, item(&settlement((ANNA, paid + 1), (CARL, 0), 1))));
        }
        for (store, word) in &words {
            host.hear(0, *store, vec![word.clone()]);
            host.know(&[ANNA, BERT, CARL]);
            host.run();
            while !host.pending.is_empty() {
                if steps == crash_at {
                    host.crash(&net, None);
                } else if steps + 1 == crash_at {
                    // It is durable, and nobody hears of it.
                    host.store_one();
                    host.crash(&net, None);
                } else if let Some(number) = host.store_one() {
                    host.tell(Input::Durable(number));
                }
                steps += 1;
            }
            told.extend(published(&host.take_said()));
        }
        host.crash(&net, None);
        assert_eq!(host.sum(), 3_000_000);
        let shown = published(&host.take_said());
        for id in &shown {
            let store = [StoreId::SETTLEMENTS, StoreId::CERTIFICATES]
                .into_iter()
                .find(|store| host.ledger.shown.spot(*store, *id).is_some())
                .expect("shown");
            host.tell(Input::Fetch { to: neighbour(1), store, ids: vec![*id] });
            let handed = host.take_said();
            assert!(
                matches!(&handed[..], [Effect::Bodies { bodies, .. }] if bodies.len() == 1),
                "{handed:?}"
            );
        }
        let is_settled = |id: &&ItemId| host.ledger.shown.spot(StoreId::SETTLEMENTS, **id).is_none();
        let lost: Vec<&ItemId> = told.iter().filter(|id| !shown.contains(id)).filter(is_settled).collect();
        // Settlements that a later one replaced are gone; certificates never are.
        let replaced = words.iter().filter(|(store, _)| *store == StoreId::SETTLEMENTS);
        let replaced: Vec<ItemId> =
            replaced.map(|(_, word)| name(&SettlementRecord::decode(word).expect("one"))).collect();
        assert!(lost.iter().all(|id| replaced.contains(id)), "crash at {crash_at}");
        // Said again, everything is as if nothing had happened.
        for (store, word) in &words {
            host.hear(0, *store, vec![word.clone()]);
            host.know(&[ANNA, BERT, CARL]);
            host.run();
            host.sync();
        }
        assert_eq!((host.balance(BERT), host.balance(CARL)), (known(1_000_030), known(1_000_031)));
    }
}

#[test]
fn what_lacks_is_asked_for_and_given_up_on_when_it_came() {
    let net = net();
    let mut host = Host::new(&net, CARL);
    host.take_said();
    let (order, record) = (net.open(ANNA, 1, 5_000, 1, BERT), settlement((ANNA, 700), (BERT, 0), 1));
    let hash = order.hash(net.id());
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
    host.run();
    let question = question_about(ANNA.id(), BERT.id());
    assert_eq!(host.take_said(), [Effect::Want(StoreId::CERTIFICATES, question)]);
    host.hear(0, StoreId::CERTIFICATES, vec![item(&order)]);
    host.run();
    assert_eq!(host.take_said(), [Effect::Want(StoreId::CERTIFICATES, certificate_id(&hash))]);
    host.hear(1, StoreId::CERTIFICATES, vec![net.certificate(&order)]);
    host.run();
    let said = host.take_said();
    assert!(
        said.contains(&Effect::WantKey(ANNA.id())) || said.contains(&Effect::WantKey(BERT.id())),
        "{said:?}"
    );
    host.know(&[ANNA]);
    host.run();
    host.know(&[BERT]);
    host.run();
    assert_eq!((host.balance(BERT), host.ledger.waiting()), (known(1_000_700), (0, 0)));
    // Nothing is asked for that came before its time.
    let mut host = Host::new(&net, CARL);
    host.take_said();
    host.hear(0, StoreId::CERTIFICATES, vec![net.certificate(&order), item(&order)]);
    host.run();
    assert!(!host.take_said().iter().any(|effect| matches!(effect, Effect::Want(..))));
}

#[test]
fn who_asks_what_is_certified_between_two_is_answered_with_their_orders_and_closes() {
    let net = net();
    let mut host = ready(&net);
    let end = close((ANNA, 800), (BERT, 0), 1);
    host.certify(&net, &end);
    host.certify(&net, &net.open(CARL, 1, 700, 2, ANNA));
    host.take_said();
    let ask = |host: &mut Host, one: Person, other: Person| {
        let (by, store) = (neighbour(5), StoreId::CERTIFICATES);
        let ids = vec![question_about(one.id(), other.id()), ItemId([3; 32])];
        host.tell(Input::Asked { by, store, ids });
        match &host.take_said()[..] {
            [Effect::Answered { ids, .. }] => ids.clone(),
            [] => vec![],
            other => panic!("{other:?}"),
        }
    };
    let mut answer = ask(&mut host, BERT, ANNA);
    answer.sort_unstable();
    answer.dedup();
    let hashes = [net.open(ANNA, 1, 5_000, 1, BERT), end].map(|order| order.hash(net.id()));
    let mut wanted: Vec<ItemId> =
        hashes.iter().flat_map(|hash| [ItemId(hash.0), certificate_id(hash)]).collect();
    wanted.sort_unstable();
    assert_eq!(answer, wanted);
    assert_eq!(ask(&mut host, BERT, Person(9)), []);
}

#[test]
fn who_owns_a_channel_is_told_what_is_certified_there_also_after_a_restart() {
    let net = net();
    let mut host = Host::new(&net, BERT);
    host.certify(&net, &net.open(ANNA, 1, 5_000, 1, BERT));
    host.certify(&net, &net.open(CARL, 1, 5_000, 1, ANNA));
    let deposited = |said: Vec<Effect>| {
        let deposits = said.into_iter().filter(|effect| matches!(effect, Effect::Deposited { .. }));
        deposits.collect::<Vec<_>>()
    };
    let key = ChannelKey::between(ANNA.id(), BERT.id(), [1; 16]).expect("two");
    let side = key.side_of(&ANNA.id()).expect("a party");
    let told = [Effect::Deposited { key, side, deposit: Amount::from_micros(5_000) }];
    assert_eq!(deposited(host.take_said()), told);
    host.crash(&net, None);
    assert_eq!(deposited(host.take_said()), told);
}

#[test]
fn beyond_its_bound_the_oldest_is_shown_no_more_and_balances_stay() {
    let net = net();
    let limits = Limits { entries: 1_000, shown: 6, ..Limits::default() };
    let mut host = Host::with(&net, CARL, None, limits);
    for number in 1..10 {
        host.certify(&net, &net.open(ANNA, number, 1_000, u8::try_from(number).expect("small"), BERT));
        host.hear(
            0,
            StoreId::SETTLEMENTS,
            vec![item(&settlement((ANNA, 7), (BERT, 0), u8::try_from(number).expect("small")))],
        );
        host.know(&[ANNA, BERT]);
        host.run();
    }
    assert_eq!((host.ledger.shown(), host.balance(BERT)), (6, known(1_000_063)));
    let said = host.take_said();
    let last = said.iter().rev().find(|effect| matches!(effect, Effect::State(..)));
    let state = host.ledger.books().paid_state();
    assert_eq!(last, Some(&Effect::State(StoreId::SETTLEMENTS, state)), "all of it is compared");
    host.crash(&net, None);
    assert_eq!((published(&host.take_said()).len(), host.balance(BERT)), (6, known(1_000_063)));
}

#[test]
fn proof_of_misconduct_is_kept_shown_and_believed_only_if_it_is_one() {
    let net = net();
    let mut host = ready(&net);
    let state = |balance_a, by: Person| {
        let (party_a, party_b) = (ANNA.id().min(BERT.id()), ANNA.id().max(BERT.id()));
        let body = ChannelBody {
            channel: ChannelId([1; 16]),
            party_a,
            party_b,
            balance_a,
            balance_b: 0,
            sequence: 4,
        };
        (body, body.signed(|message| by.key().sign(message)))
    };
    let party = if ANNA.id() < BERT.id() { Party::A } else { Party::B };
    let forged = Evidence::of_states(party, [state(1, BERT), state(2, BERT)]).expect("two");
    host.hear(0, StoreId::EVIDENCE, vec![item(&forged), vec![1; 218]]);
    assert!(!host.ledger.is_flagged(&ANNA.id()));
    let judged = |held, bad| Effect::Judged { store: StoreId::EVIDENCE, from: neighbour(0), held, bad };
    assert_eq!(host.take_said(), [judged(vec![], 2)]);
    let proof = Evidence::of_states(party, [state(1, ANNA), state(2, ANNA)]).expect("two");
    host.hear(0, StoreId::EVIDENCE, vec![item(&proof)]);
    assert!(host.ledger.is_flagged(&ANNA.id()));
    let (id, said) = (Evidence::id_against(&ANNA.id()), host.take_said());
    assert!(
        published(&said) == [id]
            && said.contains(&Effect::Flagged(ANNA.id()))
            && said.contains(&judged(vec![id], 0))
    );
    // It travels, and one is enough.
    let another = Evidence::of_states(party, [state(1, ANNA), state(3, ANNA)]).expect("two");
    host.hear(1, StoreId::EVIDENCE, vec![item(&another)]);
    assert_eq!(published(&host.take_said()), []);
    host.crash(&net, None);
    assert!(host.ledger.is_flagged(&ANNA.id()) && published(&host.take_said()).contains(&id));
    // Whoever has no account convicts nobody but keys of its own making.
    let nobody = Person(77);
    let orders = [1, 2].map(|deposit| match net.open(nobody, 1, deposit, 1, ANNA) {
        Order::Open(order) => (order.body, order.signature),
        Order::Close(_) => unreachable!("it opens"),
    });
    host.hear(0, StoreId::EVIDENCE, vec![item(&Evidence::of_orders(orders).expect("two"))]);
    assert!(!host.ledger.is_flagged(&nobody.id()));
    host.run_for(Duration::from_secs(60));
    let balance = host.balance(ANNA);
    assert_eq!(balance, known(999_999), "nothing is frozen");
}

/// Keys that are of nobody but the accused's: found by asking.
#[test]
fn a_key_that_only_evidence_needs_is_looked_for() {
    let net = net();
    let mut host = Host::new(&net, CARL);
    host.take_said();
    let orders = [500, 600].map(|deposit| match net.open(ANNA, 1, deposit, 1, BERT) {
        Order::Open(order) => (order.body, order.signature),
        Order::Close(_) => unreachable!("it opens"),
    });
    let proof = item(&Evidence::of_orders(orders).expect("two"));
    host.hear(0, StoreId::EVIDENCE, vec![proof.clone()]);
    host.run();
    assert!(host.take_said().contains(&Effect::WantKey(ANNA.id())));
    host.know(&[ANNA]);
    host.hear(0, StoreId::EVIDENCE, vec![proof]);
    assert!(host.ledger.is_flagged(&ANNA.id()));
}
