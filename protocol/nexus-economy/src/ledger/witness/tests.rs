//! What a witness signs and what it refuses, with real keys and a disk.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelState};
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::evidence::Evidence;
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::{CloseOrder, ClosedBy, Order, Statement, attested};

use super::*;
use crate::ledger::fixture::{Net, Person, close, item, settlement};
use crate::ledger::harness::{Host, Sync};
use crate::ledger::organ::{Effect, Input, Limits};

const ANNA: Person = Person(1);
const BERT: Person = Person(2);
const CARL: Person = Person(3);

fn net() -> Net {
    Net::new("test", 4, &[ANNA, BERT])
}

/// The witness 0 of a network, which knows everybody's key.
fn witness(net: &Net) -> Host {
    let limits = Limits { entries: 1_000, ..Limits::default() };
    let mut host = Host::with(net, net.witness_person(0), Some(net.seat(0)), limits);
    know_all(&mut host, net);
    host
}

fn know_all(host: &mut Host, net: &Net) {
    // It learns keys when it needs them: these orders ask for them.
    for person in [ANNA, BERT, CARL] {
        host.tell(Input::Requested(person.id(), Request::Sign(net.open(person, 99, 1, 99, Person(9)))));
        host.run();
        host.know(&[person]);
    }
    host.take_said();
}

/// What the witness says to this.
fn ask(host: &mut Host, order: &Order) -> Result<(), Refusal> {
    host.tell(Input::Requested(ANNA.id(), Request::Sign(*order)));
    host.run();
    match stated(host)[..] {
        [Statement { says: Ok(_), .. }] => Ok(()),
        [Statement { says: Err(code), .. }] => Err(Refusal::from_code(code).expect("one of these")),
        ref other => panic!("{other:?}"),
    }
}

fn stated(host: &mut Host) -> Vec<Statement> {
    let statement = |effect| match effect {
        Effect::Stated(_, statement) => Some(statement),
        _ => None,
    };
    host.take_said().into_iter().filter_map(statement).collect()
}

#[test]
fn a_signature_leaves_when_it_is_durable_and_is_said_again_after_a_crash() {
    let net = net();
    let mut host = witness(&net);
    host.sync = Sync::Later;
    let (order, other) = (net.open(ANNA, 1, 5_000, 1, BERT), net.open(ANNA, 1, 6_000, 1, BERT));
    host.tell(Input::Requested(ANNA.id(), Request::Sign(order)));
    host.run();
    assert_eq!(stated(&mut host), []);
    // It is durable, and the witness is gone before anybody heard of it.
    host.store_one();
    host.crash(&net, Some(net.seat(0)));
    know_all(&mut host, &net);
    host.sync = Sync::Prompt;
    host.tell(Input::Requested(ANNA.id(), Request::Sign(order)));
    host.run();
    let hash = order.hash(net.id());
    let [Statement { order: named, witness, says: Ok(signature) }] = stated(&mut host)[..] else {
        panic!("a signature")
    };
    assert_eq!((named, witness.0), (hash, 0));
    let key = net.witness(0).public();
    assert!(attested(net.id(), &hash, |message| key.verify(message, &signature)).is_ok());
    assert_eq!(ask(&mut host, &other), Err(Refusal::Number), "what was signed is remembered");
}

#[test]
fn two_orders_at_one_number_convict_their_owner_and_one_is_signed() {
    let net = net();
    let mut host = witness(&net);
    let (one, two) = (net.open(ANNA, 1, 5_000, 1, BERT), net.open(ANNA, 1, 5_000, 2, BERT));
    assert_eq!(ask(&mut host, &one), Ok(()));
    host.tell(Input::Requested(BERT.id(), Request::Sign(two)));
    host.run();
    let said = host.take_said();
    assert!(said.contains(&Effect::Flagged(ANNA.id())), "{said:?}");
    assert!(said.iter().any(|effect| matches!(
        effect,
        Effect::Published { store: StoreId::EVIDENCE, id, .. } if *id == Evidence::id_against(&ANNA.id())
    )));
    assert_eq!(ask(&mut host, &one), Ok(()), "the first is still good");
}

#[test]
fn an_order_is_signed_only_if_its_owner_has_as_much_and_what_came_before_is_known() {
    let net = net();
    let mut host = witness(&net);
    assert_eq!(ask(&mut host, &net.open(ANNA, 1, 1_000_001, 1, BERT)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(ANNA, 1, 99, 1, BERT)), Err(Refusal::Minimum));
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 500, 1, BERT)), Err(Refusal::Gap));
    let first = net.open(ANNA, 1, 600_000, 1, BERT);
    assert_eq!(ask(&mut host, &first), Ok(()));
    assert_eq!(
        ask(&mut host, &net.open(ANNA, 2, 100, 2, BERT)),
        Err(Refusal::Gap),
        "the first is not certified"
    );
    host.certify(&net, &first);
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 400_001, 2, BERT)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 600_000, 1, BERT)), Err(Refusal::Minimum), "no increase");
    // A top-up is the running total: the increase is tested.
    let more = net.open(ANNA, 2, 1_000_000, 1, BERT);
    assert_eq!(ask(&mut host, &more), Ok(()));
    host.certify(&net, &more);
    assert_eq!(ask(&mut host, &net.open(ANNA, 3, 100, 2, BERT)), Err(Refusal::Funds));
    // Unfunded mint: who has nothing deposits nothing.
    assert_eq!(ask(&mut host, &net.open(CARL, 1, 100, 3, BERT)), Err(Refusal::Funds));
    // What was received can be spent.
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 300_000), (BERT, 0), 1))]);
    host.run();
    assert_eq!(ask(&mut host, &net.open(BERT, 1, 1_300_001, 4, CARL)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(BERT, 1, 1_300_000, 4, CARL)), Ok(()));
}

#[test]
fn amounts_that_overflow_are_more_than_anybody_has() {
    let net = net();
    let mut host = witness(&net);
    assert_eq!(ask(&mut host, &net.open(ANNA, 1, u64::MAX, 1, BERT)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(ANNA, u32::MAX, 100, 1, BERT)), Err(Refusal::Gap));
}

#[test]
fn a_forged_order_is_refused_and_costs_its_alleged_owner_nothing() {
    let net = net();
    let mut host = witness(&net);
    let Order::Open(mut order) = net.open(ANNA, 1, 5_000, 1, BERT) else { unreachable!("it opens") };
    order.signature.0[5] ^= 1;
    assert_eq!(ask(&mut host, &Order::Open(order)), Err(Refusal::Signature));
    assert_eq!(ask(&mut host, &net.open(ANNA, 1, 7_000, 1, BERT)), Ok(()));
}

#[test]
fn a_close_is_signed_once_never_below_what_is_paid_and_counts_from_then_on() {
    let net = net();
    let mut host = witness(&net);
    let order = net.open(ANNA, 1, 10_000, 1, BERT);
    assert_eq!(ask(&mut host, &close((ANNA, 10), (BERT, 0), 1)), Err(Refusal::NoChannel));
    host.certify(&net, &order);
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 700), (BERT, 0), 1))]);
    host.run();
    assert_eq!(ask(&mut host, &close((ANNA, 699), (BERT, 0), 1)), Err(Refusal::BelowPaid));
    assert_eq!(ask(&mut host, &close((ANNA, 10_001), (BERT, 0), 1)), Err(Refusal::Funds));
    let end = close((ANNA, 800), (BERT, 0), 1);
    assert_eq!(ask(&mut host, &end), Ok(()));
    assert_eq!(ask(&mut host, &close((ANNA, 900), (BERT, 0), 1)), Err(Refusal::Closed));
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 20_000, 1, BERT)), Err(Refusal::Closed), "no top-up");
    assert_eq!(ask(&mut host, &end), Ok(()), "the same is said again");
    // Clawback: who closes low and settles high afterwards gives the receiver no more than the close.
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 10_000), (BERT, 0), 1))]);
    host.run();
    assert_eq!(ask(&mut host, &net.open(BERT, 1, 1_000_801, 2, CARL)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(BERT, 1, 1_000_800, 2, CARL)), Ok(()));
    // Certified, the rest is the owner's again.
    host.certify(&net, &end);
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 999_201, 3, CARL)), Err(Refusal::Funds));
    assert_eq!(ask(&mut host, &net.open(ANNA, 2, 999_200, 3, CARL)), Ok(()));
}

#[test]
fn an_owner_has_sixteen_channels_open_at_most() {
    let net = net();
    let mut host = witness(&net);
    for number in 1..=16 {
        let order = net.open(ANNA, number, 100, u8::try_from(number).expect("small"), BERT);
        assert_eq!(ask(&mut host, &order), Ok(()));
        host.certify(&net, &order);
    }
    assert_eq!(ask(&mut host, &net.open(ANNA, 17, 100, 17, BERT)), Err(Refusal::Channels));
    host.certify(&net, &close((ANNA, 0), (BERT, 0), 3));
    assert_eq!(ask(&mut host, &net.open(ANNA, 17, 100, 17, BERT)), Ok(()));
}

#[test]
fn when_the_days_budget_is_spent_the_largest_deposit_comes_first() {
    let net = Net::with_opens("test", 4, &[ANNA, BERT, CARL], 24);
    let mut host = witness(&net);
    // An hour's part of 24 a day is one; then one comes in sixty rounds.
    assert_eq!(ask(&mut host, &net.open(ANNA, 1, 500, 1, BERT)), Ok(()));
    for order in [net.open(BERT, 1, 300, 2, ANNA), net.open(CARL, 1, 400, 3, ANNA)] {
        host.tell(Input::Requested(ANNA.id(), Request::Sign(order)));
        host.run();
    }
    assert_eq!(stated(&mut host), []);
    host.run_for(Duration::from_secs(61 * 60));
    let first = stated(&mut host);
    host.run_for(Duration::from_secs(61 * 60));
    let second = stated(&mut host);
    let names =
        [net.open(CARL, 1, 400, 3, ANNA), net.open(BERT, 1, 300, 2, ANNA)].map(|order| order.hash(net.id()));
    let signed =
        |said: &[Statement]| said.iter().map(|said| (said.order, said.says.is_ok())).collect::<Vec<_>>();
    assert_eq!((signed(&first), signed(&second)), (vec![(names[0], true)], vec![(names[1], true)]));
}

/// Anna's channel with Bert, as both signed it: she brought 10,000, and has so much left at this number.
fn state(left: u64, sequence: u64) -> ChannelState {
    let (party_a, party_b) = (ANNA.id().min(BERT.id()), ANNA.id().max(BERT.id()));
    let turned = party_a == BERT.id();
    let (anna, bert) = (left, 10_000 - left);
    let (balance_a, balance_b) = if turned { (bert, anna) } else { (anna, bert) };
    let body = ChannelBody { channel: ChannelId([1; 16]), party_a, party_b, balance_a, balance_b, sequence };
    let [a, b] = if turned { [BERT, ANNA] } else { [ANNA, BERT] };
    let sign = |by: Person| body.signed(|message| by.key().sign(message));
    ChannelState { body, sig_a: sign(a), sig_b: sign(b) }
}

/// The close that follows from a state, signed by Bert alone.
fn alone(paid: u64, sequence: u64) -> Order {
    let Order::Close(CloseOrder { mut body, .. }) = close((ANNA, paid), (BERT, 0), 1) else {
        unreachable!("it closes")
    };
    body.final_sequence = sequence;
    let signature = body.signed_as_close(|message| BERT.key().sign(message));
    let signatures = if body.party_a == BERT.id() { ClosedBy::A(signature) } else { ClosedBy::B(signature) };
    Order::Close(CloseOrder { body, signatures })
}

#[test]
fn who_closes_alone_waits_and_the_highest_state_that_anybody_showed_counts() {
    let net = net();
    let mut host = witness(&net);
    host.certify(&net, &net.open(ANNA, 1, 10_000, 1, BERT));
    let show = |host: &mut Host, last: ChannelState| {
        host.tell(Input::Requested(
            BERT.id(),
            Request::Know(Box::new(Course::new(state(10_000, 0), last).expect("one channel"))),
        ));
        host.run();
    };
    assert_eq!(ask(&mut host, &alone(300, 2)), Err(Refusal::NotYet));
    show(&mut host, state(9_700, 2));
    host.run_for(Duration::from_secs(60 * WINDOW - 600));
    assert_eq!(ask(&mut host, &alone(300, 2)), Err(Refusal::NotYet), "the window is not over");
    // Anybody shows a higher one, and a lower one changes nothing; a state that only one signed does not count.
    show(&mut host, state(9_500, 6));
    show(&mut host, state(9_900, 1));
    let mut forged = state(1, 8);
    (forged.sig_a, forged.sig_b) = (forged.sig_a, forged.sig_a);
    show(&mut host, forged);
    host.crash(&net, Some(net.seat(0)));
    know_all(&mut host, &net);
    host.run_for(Duration::from_secs(1_200));
    assert_eq!(ask(&mut host, &alone(300, 2)), Err(Refusal::NotYet), "an old state");
    assert_eq!(ask(&mut host, &alone(500, 6)), Ok(()));
}

#[test]
fn a_close_that_would_make_a_balance_negative_is_refused() {
    let net = net();
    let mut host = witness(&net);
    // Carl has nothing but what Anna paid him, and this witness has not heard of that.
    host.certify(&net, &net.open(CARL, 1, 500, 2, BERT));
    assert_eq!(ask(&mut host, &close((CARL, 400), (BERT, 0), 2)), Err(Refusal::Funds));
    host.certify(&net, &net.open(ANNA, 1, 1_000, 1, CARL));
    host.hear(0, StoreId::SETTLEMENTS, vec![item(&settlement((ANNA, 500), (CARL, 0), 1))]);
    host.run();
    assert_eq!(ask(&mut host, &close((CARL, 400), (BERT, 0), 2)), Ok(()));
}

#[test]
fn what_one_party_shows_reaches_the_other_each_time_and_so_does_a_higher_state() {
    let net = net();
    let mut host = witness(&net);
    host.certify(&net, &net.open(ANNA, 1, 10_000, 1, BERT));
    know_all(&mut host, &net);
    let mut show = |by: Person, last: ChannelState| {
        host.take_said();
        let course = Course::new(state(10_000, 0), last).expect("one channel");
        host.tell(Input::Requested(by.id(), Request::Know(Box::new(course))));
        host.run();
        let told = |effect: Effect| match effect {
            Effect::Shown(to, course) => Some((to, course.last().body.sequence)),
            _ => None,
        };
        host.take_said().into_iter().filter_map(told).collect::<Vec<_>>()
    };
    assert_eq!(show(BERT, state(9_700, 2)), [(ANNA.id(), 2)]);
    assert_eq!(show(BERT, state(9_700, 2)), [(ANNA.id(), 2)], "what was told may be lost");
    assert_eq!(show(ANNA, state(9_500, 6)), [(BERT.id(), 6)]);
    assert_eq!(show(BERT, state(9_700, 2)), [], "a lower one is no news");
    let mut forged = state(9_000, 8);
    forged.sig_a = forged.sig_b;
    assert_eq!(show(BERT, forged), [], "what both did not sign is told to nobody");
}

#[test]
fn what_an_owner_finds_orderable_is_what_witnesses_sign() {
    let net = net();
    let mut host = witness(&net);
    host.certify(&net, &net.open(ANNA, 1, 600_000, 1, BERT));
    let known = host.ledger.known();
    let wish = |channel: u8, deposit| (ChannelId([channel; 16]), BERT.id(), Amount::from_micros(deposit));
    for (channel, deposit) in
        [(2, 400_000), (2, 400_001), (2, 99), (2, 100), (1, 600_000), (1, 1_000_000), (1, 1_000_001), (1, 5)]
    {
        let Order::Open(order) = net.open(ANNA, 2, deposit, channel, BERT) else { unreachable!("it opens") };
        let signed = Book::default().may_open(known, &net.rules, &order);
        let found = orderable(known, &net.rules, &ANNA.id(), wish(channel, deposit), core::iter::empty());
        assert_eq!(found, signed.map(|_| ()), "{deposit} in {channel}");
    }
    // What is promised already counts, whether or not it is ordered.
    let find = |deposit, promised: &[(ChannelId, NodeId, Amount)]| {
        orderable(known, &net.rules, &ANNA.id(), wish(2, deposit), promised.iter().copied())
    };
    assert_eq!(find(300_000, &[wish(3, 100_000)]), Ok(()));
    assert_eq!(find(300_001, &[wish(3, 100_000)]), Err(Refusal::Funds));
    assert_eq!(find(300_000, &[wish(1, 700_000)]), Ok(()), "of a top-up what is more");
    assert_eq!(find(300_001, &[wish(1, 700_000)]), Err(Refusal::Funds));
    let many: Vec<_> = (3..18).map(|channel| wish(channel, 100)).collect();
    assert_eq!(find(100, &many), Err(Refusal::Channels));
    assert_eq!(find(100, &many[1..]), Ok(()));
}
