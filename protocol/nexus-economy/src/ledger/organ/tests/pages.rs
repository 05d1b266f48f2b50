//! Whoever shows a part shows all of it in turn.

use std::collections::BTreeSet;

use super::*;
use crate::ledger::organ::paging::PERIOD_S;

const OWNERS: u8 = 12;
const CHANNELS: u8 = 4;

fn people() -> Vec<Person> {
    (1..=OWNERS).map(Person).collect()
}

/// A host that shows 24 items of 144, and one that has heard nothing.
fn an_old_one_and_a_newcomer(net: &Net) -> [Host; 2] {
    let limits = Limits { entries: 1_000, shown: 24, ..Limits::default() };
    let mut hosts = [Person(90), Person(91)].map(|own| {
        let mut host = Host::with(net, own, None, limits);
        host.clock = Some(1_700_000_000);
        host
    });
    for owner in people() {
        for number in 1..=CHANNELS {
            let (channel, peer) = (owner.0 * 10 + number, Person(owner.0 % OWNERS + 1));
            hosts[0].certify(net, &net.open(owner, u32::from(number), 1_000, channel, peer));
            let record = settlement((owner, 7), (peer, 0), channel);
            hosts[0].hear(0, StoreId::SETTLEMENTS, vec![item(&record)]);
            hosts[0].know(&people());
            hosts[0].run();
        }
    }
    hosts
}

fn names(host: &Host) -> BTreeSet<(StoreId, ItemId)> {
    host.ledger.shown.names().collect()
}

/// The newcomer hears what the other shows.
fn hear(hosts: &mut [Host; 2]) {
    for (store, id) in names(&hosts[0]) {
        let spot = hosts[0].ledger.shown.spot(store, id).expect("it is shown");
        let body = hosts[0].stored(BODIES, &spot.to_bytes()).expect("it is durable");
        hosts[1].hear(0, store, vec![body]);
        hosts[1].know(&people());
    }
}

/// What the host told of what it shows is what it shows.
fn told(host: &mut Host, known: &mut BTreeSet<(StoreId, ItemId)>) {
    for effect in host.take_said() {
        match effect {
            Effect::Published { store, id, .. } => assert!(known.insert((store, id)), "once"),
            Effect::Retired { store, id } => assert!(known.remove(&(store, id)), "what was shown"),
            _ => {}
        }
    }
    assert_eq!(*known, names(host));
}

#[test]
fn a_newcomer_gets_all_of_what_is_older_than_what_is_shown() {
    let net = Net::new("pages", 4, &people());
    let mut hosts = an_old_one_and_a_newcomer(&net);
    let mut known = BTreeSet::new();
    told(&mut hosts[0], &mut known);
    let lasting = names(&hosts[0]);
    let all = hosts[0].ledger.books().state_hash();
    hear(&mut hosts);
    hosts[1].run();
    assert!(hosts[1].ledger.books().len() <= 24, "what is shown is a part");
    let mut periods = 0;
    while hosts[1].ledger.books().state_hash() != all {
        for host in &mut hosts {
            host.run_for(Duration::from_secs(PERIOD_S));
        }
        assert!(hosts[0].ledger.shown() <= 24 + 12);
        told(&mut hosts[0], &mut known);
        assert!(lasting.is_subset(&known), "what is latest stays");
        hear(&mut hosts);
        periods += 1;
        assert!(periods <= 64, "{} of 48 channels", hosts[1].ledger.books().len());
    }
    assert_eq!(hosts[1].ledger.known().orders.through(&Person(1).id()), u32::from(CHANNELS));
    let held = hosts[1].ledger.balance(&Person(3).id());
    assert_eq!(held, hosts[0].ledger.balance(&Person(3).id()));
    // A restart begins with what lasts, and goes on with pages.
    let clock = hosts[0].clock.take();
    hosts[0].crash(&net, None);
    assert_eq!(names(&hosts[0]), lasting);
    hosts[0].clock = clock;
    hosts[0].run_for(Duration::from_secs(2 * PERIOD_S));
    assert!(hosts[0].ledger.shown() > 24, "a page besides");
}

#[test]
fn what_is_certified_between_two_is_shown_to_whoever_asks_however_old_it_is() {
    let net = Net::new("pages", 4, &people());
    let [mut host, _] = an_old_one_and_a_newcomer(&net);
    host.clock = None;
    let order = net.open(Person(1), 1, 1_000, 11, Person(2));
    let id = ItemId(order.hash(net.id()).0);
    assert!(!names(&host).contains(&(StoreId::CERTIFICATES, id)), "it is old");
    let ids = vec![question_about(Person(1).id(), Person(2).id())];
    host.tell(Input::Asked { by: neighbour(2), store: StoreId::CERTIFICATES, ids });
    assert!(names(&host).contains(&(StoreId::CERTIFICATES, id)));
    assert!(host.ledger.shown() <= 24 + 12);
}

#[test]
fn without_a_clock_there_are_no_pages_and_nothing_to_page_where_all_is_shown() {
    let net = Net::new("pages", 4, &people());
    let [mut host, _] = an_old_one_and_a_newcomer(&net);
    host.clock = None;
    host.take_said();
    host.run_for(Duration::from_secs(2 * PERIOD_S));
    assert_eq!(host.ledger.shown(), 24);
    let mut host = Host::new(&net, Person(92));
    host.clock = Some(1_700_000_000);
    host.certify(&net, &net.open(Person(1), 1, 1_000, 11, Person(2)));
    host.take_said();
    host.run_for(Duration::from_secs(2 * PERIOD_S));
    assert_eq!(host.take_said(), []);
}
