//! A node with little memory: what it keeps, what passes through it, what it forgets for want of room.

use nexus_testkit::heap::growth_of;
use nexus_wire::nexus::gossip::StateHash;

use super::*;
use crate::ledger::sparse::{OF_ONE, PASSING};

const DORA: Person = Person(4);

fn answered(said: &[Effect]) -> Vec<ItemId> {
    let ids = |effect: &Effect| match effect {
        Effect::Answered { ids, .. } => Some(ids.clone()),
        _ => None,
    };
    said.iter().filter_map(ids).flatten().collect()
}

/// Carl's node, that follows nobody else, heard that Anna and Bert have a channel.
fn beside(net: &Net) -> Host {
    let mut host = Host::sparse(net, CARL, &[]);
    host.take_said();
    host.certify(net, &net.open(ANNA, 1, 5_000, 1, BERT));
    host
}

#[test]
fn what_concerns_others_is_verified_shown_and_handed_out_and_never_written() {
    let net = net();
    let mut host = beside(&net);
    let hash = net.open(ANNA, 1, 5_000, 1, BERT).hash(net.id());
    assert_eq!(published(&host.take_said()), [ItemId(hash.0), certificate_id(&hash)]);
    let written = host.written;
    host.know(&[ANNA, BERT]);
    let record = settlement((ANNA, 700), (BERT, 0), 1);
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
    host.know(&[ANNA, BERT]);
    host.run();
    let (said, from) = (host.take_said(), neighbour(0));
    assert_eq!(published(&said), [name(&record)]);
    let held = vec![name(&record)];
    assert!(said.contains(&Effect::Judged { store: StoreId::SETTLEMENTS, from, held, bad: 0 }));
    let (to, store) = (neighbour(3), StoreId::SETTLEMENTS);
    host.tell(Input::Fetch { to, store, ids: vec![name(&record)] });
    assert_eq!(host.take_said(), [Effect::Bodies { store, to, bodies: vec![item(&record)] }]);
    let verified = host.ledger.counts().verified;
    host.hear(1, StoreId::SETTLEMENTS, vec![item(&record)]);
    host.run();
    assert_eq!((host.ledger.counts().verified, host.written), (verified, written), "once, and on no disk");
    assert_eq!((host.ledger.books().len(), host.balance(ANNA)), (0, Balance::Unknown));
    assert_eq!(host.balance(CARL), known(1_000_000));
}

#[test]
fn a_forgery_between_others_is_passed_on_to_nobody() {
    let net = net();
    let mut host = beside(&net);
    let mut forged = settlement((ANNA, 700), (BERT, 0), 1);
    forged.sig_a.0[5] ^= 1;
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&forged)]);
    host.take_said();
    host.know(&[ANNA, BERT]);
    host.run();
    let said = host.take_said();
    assert_eq!((published(&said), host.ledger.counts().forged), (vec![], 1));
    let from = neighbour(0);
    assert!(said.contains(&Effect::Judged { store: StoreId::SETTLEMENTS, from, held: vec![], bad: 1 }));
}

#[test]
fn the_latest_of_others_are_shown_and_older_ones_give_way() {
    let net = net();
    let mut host = beside(&net);
    host.know(&[ANNA, BERT]);
    host.take_said();
    let records: Vec<_> = (1..100).map(|paid| settlement((ANNA, paid), (BERT, 0), 1)).collect();
    for record in &records {
        host.hear(0, StoreId::SETTLEMENTS, vec![item(record)]);
        host.know(&[ANNA, BERT]);
        host.run();
    }
    let said = host.take_said();
    assert_eq!((published(&said).len(), retired(&said).len()), (99, 99 + 2 - PASSING));
    let (to, store) = (neighbour(3), StoreId::SETTLEMENTS);
    host.tell(Input::Fetch { to, store, ids: vec![name(&records[0]), name(&records[98])] });
    assert_eq!(host.take_said(), [Effect::Bodies { store, to, bodies: vec![item(&records[98])] }]);
}

#[test]
fn it_says_of_no_store_in_what_state_it_is() {
    let net = net();
    let mut host = Host::sparse(&net, ANNA, &[]);
    host.certify(&net, &net.open(ANNA, 1, 5_000, 1, BERT));
    let state = |effect: &Effect| match effect {
        Effect::State(store, state) => Some((*store, state.0)),
        _ => None,
    };
    let said: BTreeSet<_> = host.take_said().iter().filter_map(state).collect();
    let stores = [StoreId::SETTLEMENTS, StoreId::CERTIFICATES, StoreId::EVIDENCE];
    assert_eq!(said, stores.map(|store| (store, StateHash::NONE.0)).into());
}

#[test]
fn its_own_account_is_kept_on_disk_and_one_with_too_many_channels_stays_unknown() {
    let net = net();
    let mut host = Host::sparse(&net, ANNA, &[BERT]);
    host.certify(&net, &net.open(ANNA, 1, 5_000, 1, CARL));
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 700), (CARL, 0), 1))]);
    host.know(&[ANNA, CARL]);
    host.run();
    for number in 1..=OF_ONE {
        let channel = u8::try_from(100 + number).expect("small");
        host.certify(&net, &net.open(BERT, u32::try_from(number).expect("small"), 100, channel, CARL));
        assert_eq!(host.balance(BERT), known(1_000_000));
    }
    assert_eq!(host.ledger.books().len(), 1 + OF_ONE);
    host.certify(&net, &net.open(BERT, 33, 100, 133, CARL));
    for _ in 0..2 {
        assert_eq!((host.balance(BERT), host.ledger.books().len()), (Balance::Unknown, 1));
        assert_eq!(host.balance(ANNA), known(999_300));
        assert_eq!(host.ledger.known().orders.through(&ANNA.id()), 1);
        host.crash(&net, None);
    }
    assert_eq!(host.disk.scan(ENTRIES).count(), 1, "what is not kept takes no room on the disk either");
}

/// Whoever is followed later is asked for, and a node that keeps all answers with what concerns it.
#[test]
fn who_is_followed_later_is_asked_for_and_answered() {
    let net = net();
    let (mut few, mut all) = (beside(&net), Host::new(&net, DORA));
    few.take_said();
    few.tell(Input::Follow(ANNA.id()));
    let question = question_of(ANNA.id());
    let wanted = [StoreId::CERTIFICATES, StoreId::SETTLEMENTS].map(|store| Effect::Want(store, question));
    assert!(wanted.iter().all(|effect| few.said.contains(effect)));
    few.tell(Input::Follow(ANNA.id()));
    assert_eq!(few.said.iter().filter(|effect| wanted.contains(effect)).count(), 2, "once");
    let order = net.open(ANNA, 1, 5_000, 1, BERT);
    let record = settlement((ANNA, 700), (BERT, 0), 1);
    all.certify(&net, &order);
    all.certify(&net, &net.open(BERT, 1, 5_000, 2, CARL));
    for record in [record, settlement((BERT, 50), (CARL, 0), 2)] {
        all.hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
        all.know(&[ANNA, BERT, CARL]);
        all.run();
    }
    let hash = order.hash(net.id());
    let certified = vec![ItemId(hash.0), certificate_id(&hash)];
    for (store, names) in [(StoreId::SETTLEMENTS, vec![name(&record)]), (StoreId::CERTIFICATES, certified)] {
        all.take_said();
        all.tell(Input::Asked { by: neighbour(0), store, ids: vec![question] });
        all.run();
        let mut answer = answered(&all.take_said());
        answer.retain(|id| names.contains(id));
        assert_eq!(answer, names);
    }
    few.hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
    few.certify(&net, &order);
    few.know(&[ANNA, BERT]);
    few.run();
    for _ in 0..2 {
        assert_eq!((few.balance(ANNA), few.balance(BERT)), (known(999_300), Balance::Unknown));
        few.crash(&net, None);
    }
}

#[test]
fn what_neighbours_ask_for_and_is_not_kept_is_asked_for_in_turn() {
    let net = net();
    let mut host = Host::sparse(&net, CARL, &[]);
    host.take_said();
    let (store, ids) = (StoreId::CERTIFICATES, vec![question_about(ANNA.id(), BERT.id())]);
    host.tell(Input::Asked { by: neighbour(0), store, ids: ids.clone() });
    assert_eq!(host.take_said(), [Effect::Want(store, ids[0])]);
    let mut all = Host::new(&net, CARL);
    all.take_said();
    all.tell(Input::Asked { by: neighbour(0), store, ids });
    assert_eq!(all.take_said(), []);
}

#[test]
fn evidence_against_others_is_verified_and_passed_on() {
    let net = net();
    let mut host = Host::sparse(&net, CARL, &[]);
    host.know(&[ANNA]);
    host.take_said();
    let orders = [net.open(ANNA, 1, 5_000, 1, BERT), net.open(ANNA, 1, 6_000, 1, BERT)];
    let signed = orders.map(|order| match order {
        Order::Open(order) => (order.body, order.signature),
        Order::Close(_) => unreachable!("made above"),
    });
    let evidence = Evidence::of_orders(signed).expect("two");
    for _ in 0..2 {
        host.hear(0, StoreId::EVIDENCE, vec![item(&evidence)]);
        host.run();
        host.know(&[ANNA]);
    }
    host.hear(0, StoreId::EVIDENCE, vec![item(&evidence)]);
    let said = host.take_said();
    assert_eq!(published(&said), [Evidence::id_against(&ANNA.id())]);
    assert!(!host.ledger.is_flagged(&ANNA.id()), "of whom nothing is kept nothing is said");
}

#[test]
fn all_that_it_keeps_of_a_flood_of_others_is_within_its_bound() {
    let net = net();
    let floods: Vec<Vec<u8>> = (1..400).map(|paid| item(&settlement((ANNA, paid), (BERT, 0), 1))).collect();
    let (host, grown) = growth_of(|| {
        let mut host = Host::sparse(&net, CARL, &[]);
        host.know(&[ANNA, BERT]);
        for item in &floods {
            host.hear(0, StoreId::SETTLEMENTS, vec![item.clone()]);
            host.know(&[ANNA, BERT]);
            host.run_for(Duration::from_millis(5));
            host.take_said();
        }
        host
    });
    let bound = isize::try_from(host.ledger.memory_bound()).expect("small");
    assert!(grown < 48 * 1_024 && bound < 1_024 * 1_024, "{grown} of {bound} bytes");
    assert!(host.ledger.counts().believed > 300);
}
