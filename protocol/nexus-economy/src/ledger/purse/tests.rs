//! From a wish to a certificate, through witnesses that crash, refuse, and are not there.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::IdentitySeed;
use nexus_wire::nexus::channel::{ChannelBody, ChannelState};

use super::*;
use crate::ledger::books::Balance;
use crate::ledger::fixture::{Net, Person, close};
use crate::ledger::harness::Host;
use crate::ledger::organ::{self, Limits};
use crate::ledger::witness::Request;

const ANNA: Person = Person(1);
const BERT: Person = Person(2);

struct Owner {
    purse: Purse,
    disk: Snapshot,
    now: Instant,
    said: Vec<Effect>,
    asked: Vec<(NodeId, Order)>,
}

fn identity(person: Person) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([person.0; 32]))
}

impl Owner {
    fn new(net: &Net) -> Self {
        let disk = Snapshot::empty();
        let purse = Purse::new(identity(ANNA), net.rules.clone(), &disk, 0);
        Self { purse, disk, now: Instant::BOOT, said: Vec::new(), asked: Vec::new() }
    }

    fn crash(&mut self, net: &Net) {
        self.purse = Purse::new(identity(ANNA), net.rules.clone(), &self.disk, 0);
        (self.said, self.asked) = (Vec::new(), Vec::new());
    }

    fn tell(&mut self, input: Input) {
        let mut effects: VecDeque<Effect> = VecDeque::new();
        self.purse.handle(Cx::at(self.now), input, &mut effects);
        self.follow(effects);
    }

    fn wait(&mut self) {
        let Some(due) = self.purse.next_timeout() else { return };
        self.now = due;
        let mut effects: VecDeque<Effect> = VecDeque::new();
        self.purse.handle_timeout(Cx::at(self.now), &mut effects);
        self.follow(effects);
    }

    fn follow(&mut self, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write { number, writes } => {
                    for write in writes {
                        self.disk.apply(write);
                    }
                    self.tell(Input::Durable(number));
                }
                Effect::Ask(node, order) => self.asked.push((node, order)),
                effect => self.said.push(effect),
            }
        }
    }

    fn deposit(&mut self, channel: u8, deposit: u64) {
        let deposit = Amount::from_micros(deposit);
        self.tell(Input::Deposit { channel: ChannelId([channel; 16]), peer: BERT.id(), deposit });
    }
}

fn witnesses(net: &Net) -> Vec<Host> {
    let limits = Limits { entries: 1_000, ..Limits::default() };
    (0..4).map(|index| Host::with(net, net.witness_person(index), Some(net.seat(index)), limits)).collect()
}

/// Whatever the owner asks is answered by the witnesses that are there, and what is certified reaches all of them.
fn carry(net: &Net, owner: &mut Owner, witnesses: &mut [Host], there: &[usize]) -> usize {
    let mut certified = 0;
    for (node, order) in core::mem::take(&mut owner.asked) {
        for index in there {
            let witness = &mut witnesses[*index];
            if net.witness_person(u8::try_from(*index).expect("small")).id() != node {
                continue;
            }
            witness.tell(organ::Input::Requested(ANNA.id(), Request::Sign(order)));
            witness.run();
            witness.know(&[ANNA]);
            for effect in witness.take_said() {
                if let organ::Effect::Stated(to, statement) = effect {
                    assert_eq!(to, ANNA.id());
                    owner.tell(Input::Heard(statement));
                }
            }
        }
    }
    for effect in core::mem::take(&mut owner.said) {
        if let Effect::Certified(order, certificate) = effect {
            certified += 1;
            for witness in witnesses.iter_mut() {
                witness.tell(organ::Input::Certified(order, certificate.clone()));
                witness.run();
            }
        }
    }
    certified
}

#[test]
fn a_wish_becomes_a_certificate_once_a_quorum_signed_whoever_is_not_there() {
    let net = Net::new("test", 4, &[ANNA]);
    let (mut owner, mut witnesses) = (Owner::new(&net), witnesses(&net));
    owner.deposit(1, 5_000);
    owner.deposit(2, 7_000);
    assert_eq!(owner.asked.len(), 4, "one order at a time");
    assert_eq!(carry(&net, &mut owner, &mut witnesses, &[1, 3]), 0, "they do not know her key yet");
    owner.wait();
    assert_eq!(carry(&net, &mut owner, &mut witnesses, &[1, 3]), 0, "two of four are no quorum");
    let mut certified = 0;
    for _ in 0..6 {
        owner.wait();
        certified += carry(&net, &mut owner, &mut witnesses, &[0, 1, 3]);
    }
    assert_eq!((certified, owner.purse.pending().count()), (2, 0));
    for witness in &witnesses {
        let tied = witness.ledger.books().channels_of(&ANNA.id()).count();
        assert_eq!((tied, witness.ledger.known().orders.through(&ANNA.id())), (2, 2));
        assert_eq!(witness.balance(ANNA), Balance::Known(Amount::from_micros(1_000_000)));
    }
}

#[test]
fn after_a_crash_the_same_order_is_asked_for_and_no_other_at_its_number() {
    let net = Net::new("test", 4, &[ANNA]);
    let mut owner = Owner::new(&net);
    owner.deposit(1, 5_000);
    let asked = owner.asked.clone();
    owner.crash(&net);
    owner.deposit(2, 6_000);
    assert_eq!(owner.asked, [], "the one that is not certified comes first");
    owner.wait();
    assert_eq!(owner.asked, asked);
    // Somebody else completed it, and the books know.
    owner.tell(Input::Through(1));
    let numbers: Vec<u32> = owner
        .purse
        .pending()
        .filter_map(|(order, _)| match order {
            Order::Open(order) => Some(order.body.order),
            Order::Close(_) => None,
        })
        .collect();
    assert_eq!(numbers, [2]);
}

#[test]
fn a_statement_that_no_witness_signed_counts_nothing() {
    let net = Net::new("test", 4, &[ANNA]);
    let mut owner = Owner::new(&net);
    owner.deposit(1, 5_000);
    let (_, order) = owner.asked[0];
    let hash = order.hash(net.id());
    let by = |index: u8, key: u8| {
        let says = Ok(attested(net.id(), &hash, |message| net.witness(key).sign(message)));
        Input::Heard(Statement { order: hash, witness: WitnessIndex(index), says })
    };
    for (index, key) in [(0, 0), (1, 0), (2, 0), (9, 0), (0, 0)] {
        owner.tell(by(index, key));
    }
    assert_eq!(owner.purse.pending().map(|(_, signed)| signed).collect::<Vec<_>>(), vec![1]);
    owner.tell(by(1, 1));
    owner.tell(by(2, 2));
    assert!(matches!(owner.said[..], [Effect::Certified(..)]));
}

/// What Anna's first channel with Bert came to, as both signed it.
fn course(paid: u64, sequence: u64) -> Course {
    let (anna_first, [a, b]) =
        if ANNA.id() < BERT.id() { (true, [ANNA, BERT]) } else { (false, [BERT, ANNA]) };
    let state = |paid, sequence| {
        let (balance_a, balance_b) = if anna_first { (5_000 - paid, paid) } else { (paid, 5_000 - paid) };
        let (party_a, party_b) = (a.id(), b.id());
        let channel = ChannelId([1; 16]);
        let body = ChannelBody { channel, party_a, party_b, balance_a, balance_b, sequence };
        let sign = |by: Person| body.signed(|message| by.key().sign(message));
        ChannelState { body, sig_a: sign(a), sig_b: sign(b) }
    };
    Course::new(state(0, 0), state(paid, sequence)).expect("states of one channel")
}

fn shown(owner: &mut Owner) -> Vec<u64> {
    let sequence = |effect: Effect| match effect {
        Effect::Show(_, course) => Some(course.last().body.sequence),
        _ => None,
    };
    core::mem::take(&mut owner.said).into_iter().filter_map(sequence).collect()
}

#[test]
fn what_a_channel_came_to_is_shown_to_all_witnesses_until_the_books_know_that_it_is_closed() {
    let net = Net::new("test", 4, &[ANNA]);
    let mut owner = Owner::new(&net);
    owner.tell(Input::Show(Box::new(course(300, 2))));
    assert_eq!(shown(&mut owner), [2; 4]);
    owner.wait();
    assert_eq!(shown(&mut owner), [2; 4], "what is told may be lost");
    owner.tell(Input::Show(Box::new(course(500, 6))));
    assert_eq!(shown(&mut owner), [6; 4]);
    owner.tell(Input::Show(Box::new(course(300, 2))));
    assert_eq!(shown(&mut owner), [6; 4], "whoever reminds of a lower one is answered with the higher");
    owner.crash(&net);
    owner.wait();
    assert_eq!(shown(&mut owner), [6; 4], "after a crash too");
    let strangers = {
        let mut first = course(1, 2);
        let body = ChannelBody { party_a: Person(8).id().min(Person(9).id()), ..first.last().body };
        let of = |sequence| {
            let body = ChannelBody { sequence, party_b: Person(8).id().max(Person(9).id()), ..body };
            ChannelState { body, ..*first.last() }
        };
        first = Course::new(of(0), of(2)).expect("one channel");
        first
    };
    owner.tell(Input::Show(Box::new(strangers)));
    assert_eq!(shown(&mut owner), [0; 0], "others' channels are theirs to show");
    owner.tell(Input::CloseAlone(close_body(500)));
    let [(_, Order::Close(order)), ..] = owner.asked[..] else { panic!("it is ordered: {:?}", owner.asked) };
    let (ClosedBy::A(signature) | ClosedBy::B(signature)) = order.signatures else { panic!("by one party") };
    let key = ANNA.key().public();
    assert!(order.body.signed_as_close(|message| key.verify(message, &signature)).is_ok());
    assert_eq!(owner.purse.closing().count(), 2);
    owner.tell(Input::Closed(ChannelId([1; 16])));
    assert_eq!((owner.purse.closing().count(), owner.purse.next_timeout()), (0, None));
    assert_eq!(owner.disk.scan(PURSE).count(), 0);
}

fn close_body(paid: u64) -> SettlementBody {
    let Order::Close(order) = close((ANNA, paid), (BERT, 0), 1) else { unreachable!("it closes") };
    order.body
}

#[test]
fn the_same_deposit_is_ordered_once_however_often_it_is_wished_for() {
    let net = Net::new("test", 4, &[ANNA]);
    let mut owner = Owner::new(&net);
    owner.deposit(1, 5_000);
    owner.deposit(1, 5_000);
    owner.deposit(2, 7_000);
    owner.deposit(2, 7_000);
    owner.deposit(2, 9_000);
    let promised: Vec<u64> = owner.purse.promised().map(|(_, _, total)| total.micros()).collect();
    assert_eq!(promised, [5_000, 7_000, 9_000]);
}
