//! Witnesses explored exhaustively: the shipped decisions of [`Book`], every order in which requests, certificates and settlements reach
//! each witness, with one of four signing whatever it is asked.
#![allow(clippy::disallowed_macros, reason = "how many states were explored is printed")]

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use std::println;

use nexus_crypto::{NodeId, Signature, VerifyingKey};
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::ledger::{CloseOrder, ClosedBy, GenesisId, OpenBody, OpenOrder, Order};
use stateright::{Checker, Model, Property};

use super::{Book, Consent, Verdict};
use crate::ledger::books::Books;
use crate::ledger::claim::Claim;
use crate::ledger::entry::{ChannelKey, Side};
use crate::ledger::known::Known;
use crate::ledger::rules::Rules;
use crate::money::Amount;

const FIRST: u64 = 100;

/// What a world begins with.
pub(super) struct World {
    pub(super) rules: Rules,
    /// What owners ask, whatever their right to it.
    pub(super) orders: Vec<Order>,
    /// What parties settle.
    pub(super) settlements: Vec<SettlementRecord>,
    /// The first so many witnesses are honest; the others sign everything.
    pub(super) honest: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Seat {
    known: Known,
    book: Book,
    /// Which certified orders and settlements it has heard.
    heard: BTreeSet<usize>,
}

/// What distinguishes states: what each witness signed and heard decides all else.
#[derive(Clone, Debug)]
pub(super) struct State {
    seats: Vec<Seat>,
    /// By order, who signed.
    pub(super) signed: Vec<BTreeSet<usize>>,
}

impl State {
    fn essence(&self) -> (Vec<&BTreeSet<usize>>, &Vec<BTreeSet<usize>>) {
        (self.seats.iter().map(|seat| &seat.heard).collect(), &self.signed)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) enum Act {
    /// A witness is asked for an order.
    Ask(usize, usize),
    /// A witness hears a certified order, or a settlement (those behind).
    Hear(usize, usize),
}

pub(super) const ZERO: Signature = Signature([0; 64]);

pub(super) fn open(owner: NodeId, order: u32, deposit: u64, channel: u8, peer: NodeId) -> Order {
    let body = OpenBody { owner, order, deposit, channel: ChannelId([channel; 16]), peer };
    Order::Open(OpenOrder { body, signature: ZERO })
}

fn body(payer: NodeId, other: NodeId, channel: u8, paid: u64) -> SettlementBody {
    let key = ChannelKey::between(payer, other, [channel; 16]).expect("two");
    let a = key.side_of(&payer) == Some(Side::A);
    let (paid_a, paid_b) = if a { (paid, 0) } else { (0, paid) };
    let (party_a, party_b) = (key.a(), key.b());
    SettlementBody { channel: ChannelId([channel; 16]), party_a, party_b, paid_a, paid_b, final_sequence: 0 }
}

fn settle(payer: NodeId, other: NodeId, channel: u8, paid: u64) -> SettlementRecord {
    SettlementRecord { body: body(payer, other, channel, paid), sig_a: ZERO, sig_b: ZERO }
}

fn close(payer: NodeId, other: NodeId, channel: u8, paid: u64) -> Order {
    let body = body(payer, other, channel, paid);
    Order::Close(CloseOrder { body, signatures: ClosedBy::Both(ZERO, ZERO) })
}

impl World {
    fn new(orders: Vec<Order>, settlements: Vec<SettlementRecord>) -> Self {
        let rules = Rules {
            id: GenesisId([1; 32]),
            quorum: 3,
            witnesses: vec![VerifyingKey([0; 32]); 4],
            minimum_deposit: Amount::from_micros(1),
            opens_per_day: 1_000,
            accounts: vec![(RICH, Amount::from_micros(FIRST))],
        };
        Self { rules, orders, settlements, honest: 3 }
    }

    pub(super) fn is_certified(&self, state: &State, order: usize) -> bool {
        state.signed[order].len() >= self.rules.quorum
    }

    fn known(&self) -> Known {
        Known::new(Books::new(self.rules.accounts.iter().copied(), 100))
    }

    fn claim(&self, number: usize) -> Claim {
        match self.orders.get(number) {
            Some(order) => Claim::of_order(*order, Vec::new()).expect("small"),
            None => Claim::of_settlement(self.settlements[number - self.orders.len()]).expect("two"),
        }
    }

    fn may_sign(&self, seat: &Seat, order: &Order) -> bool {
        match order {
            Order::Open(order) => matches!(
                seat.book.may_open(&seat.known, &self.rules, order),
                Ok(Verdict::Opens | Verdict::Sign)
            ),
            Order::Close(order) => {
                seat.book.may_close(&seat.known, 0, &order.body, Consent::Both) == Ok(Verdict::Sign)
            }
        }
    }

    /// All that is certified and all that was settled within it, joined: what everybody will know.
    fn everything(&self, state: &State) -> Known {
        let mut all = self.known();
        let certified = (0..self.orders.len()).filter(|order| self.is_certified(state, *order));
        let settled = self.orders.len()..self.orders.len() + self.settlements.len();
        for number in certified.chain(settled) {
            // A settlement in a channel that is not certified, or beyond it, counts nowhere.
            let _ = all.record(&self.claim(number));
        }
        all
    }
}

impl Model for World {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        let seat = Seat { known: self.known(), book: Book::default(), heard: BTreeSet::new() };
        vec![State { seats: vec![seat; self.honest], signed: vec![BTreeSet::new(); self.orders.len()] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        for (number, seat) in state.seats.iter().enumerate() {
            let fresh = |order: &usize| !state.signed[*order].contains(&number);
            let asked = (0..self.orders.len()).filter(fresh);
            actions.extend(
                asked
                    .filter(|order| self.may_sign(seat, &self.orders[*order]))
                    .map(|order| Act::Ask(number, order)),
            );
            for item in 0..self.orders.len() + self.settlements.len() {
                let is_there = item >= self.orders.len() || self.is_certified(state, item);
                let counts = is_there && !seat.heard.contains(&item);
                if counts && seat.known.judge(&self.claim(item)).is_ok() {
                    actions.push(Act::Hear(number, item));
                }
            }
        }
    }

    fn next_state(&self, state: &State, act: Act) -> Option<State> {
        let mut next = state.clone();
        match act {
            Act::Ask(witness, order) => {
                next.signed[order].insert(witness);
                // Liars sign whatever anybody signs.
                next.signed[order].extend(self.honest..self.rules.witnesses.len());
                match self.orders[order] {
                    Order::Open(order) => next.seats[witness].book.opened(order),
                    Order::Close(order) => next.seats[witness].book.closed(order.body),
                }
            }
            Act::Hear(witness, item) => {
                let seat = &mut next.seats[witness];
                seat.heard.insert(item);
                seat.known.record(&self.claim(item)).ok()?;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "at one number of an owner one order is certified",
                |world: &World, state: &State| world.are_certified_once(state),
            ),
            Property::always("nobody ties up more than it has", |world: &World, state: &State| {
                world.is_covered(state)
            }),
            Property::sometimes("something is certified", |world: &World, state: &State| {
                world.certified(state).next().is_some()
            }),
            Property::sometimes("everything that can be is certified", |world: &World, state: &State| {
                world.certified(state).count() == world.possible()
            }),
        ]
    }
}

pub(super) const RICH: NodeId = NodeId([1; 16]);
pub(super) const PEER: NodeId = NodeId([2; 16]);
pub(super) const THIRD: NodeId = NodeId([3; 16]);

impl World {
    /// What two orders have in common of which one alone may be certified.
    fn number(&self, order: usize) -> (NodeId, u32, NodeId, [u8; 16]) {
        match &self.orders[order] {
            Order::Open(order) => (order.body.owner, order.body.order, order.body.owner, [0; 16]),
            Order::Close(order) => (order.body.party_a, 0, order.body.party_b, order.body.channel.0),
        }
    }

    fn certified(&self, state: &State) -> impl Iterator<Item = usize> {
        (0..self.orders.len()).filter(|order| self.is_certified(state, *order))
    }

    /// Whether at each number of an owner, and of each channel's closes, one order at most is certified.
    pub(super) fn are_certified_once(&self, state: &State) -> bool {
        let numbers: BTreeSet<_> = self.certified(state).map(|order| self.number(order)).collect();
        numbers.len() == self.certified(state).count()
    }

    /// Whether nobody ties up more than it has, nor spent it, once all is known.
    pub(super) fn is_covered(&self, state: &State) -> bool {
        let (all, none) = (self.everything(state), Book::default());
        let covered = |node: &NodeId| none.available(&all, node) >= 0 && all.books.net(node) >= 0;
        all.books.accounts().iter().all(covered)
    }

    /// How many of the orders can be certified in one run: at each number one.
    fn possible(&self) -> usize {
        (0..self.orders.len()).map(|order| self.number(order)).collect::<BTreeSet<_>>().len()
    }
}

#[track_caller]
fn explore(name: &str, world: World) {
    let checker = world.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, {} unique", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn two_orders_at_one_number_are_never_both_certified_nor_is_more_than_there_is() {
    let orders = vec![open(RICH, 1, 60, 1, PEER), open(RICH, 1, 70, 2, THIRD), open(RICH, 2, 40, 3, PEER)];
    explore("two at one number", World::new(orders, vec![]));
}

#[test]
fn what_was_received_is_spent_once_though_the_channel_closes_below_it() {
    let orders = vec![open(RICH, 1, 100, 1, PEER), close(RICH, PEER, 1, 20), open(PEER, 1, 20, 2, THIRD)];
    let settlements = vec![settle(RICH, PEER, 1, 10), settle(RICH, PEER, 1, 90)];
    // Who saw 90 paid refuses to close at 20: certified is at most what is possible in some run.
    explore("closing below", World::new(orders, settlements));
}

#[test]
fn what_a_close_releases_is_spent_once() {
    let orders = vec![
        open(RICH, 1, 100, 1, PEER),
        close(RICH, PEER, 1, 30),
        close(RICH, PEER, 1, 50),
        open(RICH, 2, 70, 2, THIRD),
    ];
    explore("closing twice", World::new(orders, vec![]));
}
