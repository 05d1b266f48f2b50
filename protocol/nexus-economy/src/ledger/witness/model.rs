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

const WITNESSES: usize = 4;
const QUORUM: usize = 3;
/// This one signs everything.
const LIAR: usize = 3;
const FIRST: u64 = 100;

/// What a world begins with.
struct World {
    rules: Rules,
    /// What owners ask, whatever their right to it.
    orders: Vec<Order>,
    /// What parties settle.
    settlements: Vec<SettlementRecord>,
}

#[derive(Clone, Debug)]
struct Seat {
    known: Known,
    book: Book,
    /// Which certified orders and settlements it has heard.
    heard: BTreeSet<usize>,
}

/// What distinguishes states: what each witness signed and heard decides all else.
#[derive(Clone, Debug)]
struct State {
    seats: Vec<Seat>,
    /// By order, who signed.
    signed: Vec<BTreeSet<usize>>,
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
enum Act {
    /// A witness is asked for an order.
    Ask(usize, usize),
    /// A witness hears a certified order, or a settlement (those behind).
    Hear(usize, usize),
}

const ZERO: Signature = Signature([0; 64]);

fn open(owner: NodeId, order: u32, deposit: u64, channel: u8, peer: NodeId) -> Order {
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
            quorum: QUORUM,
            witnesses: vec![VerifyingKey([0; 32]); WITNESSES],
            minimum_deposit: Amount::from_micros(1),
            opens_per_day: 1_000,
            accounts: vec![(RICH, Amount::from_micros(FIRST))],
        };
        Self { rules, orders, settlements }
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
        let certified = (0..self.orders.len()).filter(|order| state.signed[*order].len() >= QUORUM);
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
        vec![State { seats: vec![seat; WITNESSES], signed: vec![BTreeSet::new(); self.orders.len()] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        for (number, seat) in state.seats.iter().enumerate() {
            let fresh = |order: &usize| !state.signed[*order].contains(&number);
            if number != LIAR {
                let asked = (0..self.orders.len()).filter(fresh);
                actions.extend(
                    asked
                        .filter(|order| self.may_sign(seat, &self.orders[*order]))
                        .map(|order| Act::Ask(number, order)),
                );
            }
            if number == LIAR {
                continue;
            }
            for item in 0..self.orders.len() + self.settlements.len() {
                let is_there = state.signed.get(item).is_none_or(|signed| signed.len() >= QUORUM);
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
                // The liar signs whatever anybody signs.
                next.signed[order].insert(LIAR);
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
                |world: &World, state: &State| {
                    let certified = |order: &usize| state.signed[*order].len() >= QUORUM;
                    let names: Vec<_> = (0..world.orders.len())
                        .filter(certified)
                        .map(|order| match &world.orders[order] {
                            Order::Open(order) => (order.body.owner, order.body.order, [0; 16]),
                            Order::Close(order) => (order.body.party_a, 0, order.body.channel.0),
                        })
                        .collect();
                    names.iter().collect::<BTreeSet<_>>().len() == names.len()
                },
            ),
            Property::always("nobody ties up more than it has", |world: &World, state: &State| {
                let all = world.everything(state);
                let none = Book::default();
                all.books
                    .accounts()
                    .iter()
                    .all(|node| none.available(&all, node) >= 0 && all.books.net(node) >= 0)
            }),
            Property::sometimes("something is certified", |_, state: &State| {
                state.signed.iter().any(|signed| signed.len() >= QUORUM)
            }),
            Property::sometimes("everything that can be is certified", |world: &World, state: &State| {
                let certified = state.signed.iter().filter(|signed| signed.len() >= QUORUM).count();
                certified == world.possible()
            }),
        ]
    }
}

const RICH: NodeId = NodeId([1; 16]);
const PEER: NodeId = NodeId([2; 16]);
const THIRD: NodeId = NodeId([3; 16]);

impl World {
    /// How many of the orders can be certified in one run: at each number one.
    fn possible(&self) -> usize {
        let names: BTreeSet<_> = self
            .orders
            .iter()
            .map(|order| match order {
                Order::Open(order) => (order.body.owner, order.body.order, [0; 16]),
                Order::Close(order) => (order.body.party_a, 0, order.body.channel.0),
            })
            .collect();
        names.len()
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
